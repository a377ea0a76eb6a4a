"""The tools that turn a .metal file into something else: the binder and clang++."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from library import BUILD, ROOT

KERNELS = ROOT / "kernels"
BIND = BUILD / "bind"
STRICT = BUILD / "strict_check"


def clangxx():
    """The clang++ that compiles the kernels: CLANGXX, or the newest one from 15 on."""
    versions = [f"clang++-{version}" for version in range(19, 14, -1)] + ["clang++"]
    found = os.environ.get("CLANGXX") or next(filter(shutil.which, versions), None)
    assert found, "no clang++; set CLANGXX"
    return found


def bind(*arguments, kernels=KERNELS):
    """The binder's output; raises CalledProcessError with its message in stderr."""
    command = [BIND, "-I", kernels, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def kernel_files():
    """All .metal files of kernels/, in the program's order: those of the learning path first."""
    return sorted(KERNELS.glob("*.metal")) + sorted(KERNELS.glob("*/*.metal"))


def constants():
    """What host and kernels share: {"LINEAR_TILE_ROWS": 4, …}."""
    header = (BUILD / "kernel_constants.h").read_text()
    return {name: int(value) for name, value in re.findall(r"#define (\w+) (\d+)", header)}


def kernels_of(*paths):
    """(name, file, line) of each kernel of .metal files, as the binder sees them: an instance of a kernel
    template is a kernel of its host name, in its template's line."""
    rows = re.findall(r'^    \{"(\w+)", "([^"]+)", (\d+), ', bind("table", *paths), re.MULTILINE)
    return [(name, file, int(line)) for name, file, line in rows]


def strict_errors(path):
    """What the binder, clang and the strict check find wrong with a .metal file, as text."""
    bound = subprocess.run([BIND, "-I", KERNELS, "strict", path], capture_output=True, text=True)
    if bound.returncode:
        return bound.stderr
    msl = ROOT / "msl/strict"
    flags = ["--config", msl / "flags", f"-I{msl}", "-Xclang", "-ast-dump=json"]
    with tempfile.TemporaryDirectory() as name:
        source, tree, messages = (Path(name) / part for part in ("file.cl", "tree", "messages"))
        source.write_text(bound.stdout)
        with tree.open("w") as output, messages.open("w") as errors:
            parsed = subprocess.run([clangxx(), *flags, source], stdout=output, stderr=errors)
        checked = subprocess.run([STRICT, tree, messages], capture_output=True, text=True)
    assert not parsed.returncode or checked.returncode
    assert bool(checked.returncode) == bool(checked.stderr)
    return checked.stderr


# Under a sanitizer the test process has its runtime loaded already.
SANITIZE = ["-fsanitize=address"] if os.environ.get("SANITIZE") else []


def build_simt(path, folder, flags=()):
    """A shared library of the SIMT runtime and a .metal file's kernels: simt_run, simt_<kernel>."""
    source, result = folder / f"{path.stem}.cpp", folder / f"lib{path.stem}.so"
    source.write_text(bind("source", path))
    msl = ROOT / "msl"
    clang = [clangxx(), "-fPIC", *SANITIZE]
    c = ["-x", "c", "-std=c11", "-D_GNU_SOURCE", "-O2", "-g"]
    runtime = sorted((msl / "simt").glob("*.c"))
    subprocess.run([*clang, *c, "-c", *runtime], check=True, cwd=folder)
    objects = [folder / f"{part.stem}.o" for part in runtime]
    includes = [f"-I{msl}/simt", f"-I{msl}/common", "-DMSL_PREFIX=simt"]
    options = ["--config", msl / "simt/flags", *includes, *flags]
    subprocess.run([*clang, "-shared", *options, source, *objects, "-lm", "-o", result], check=True)
    return result
