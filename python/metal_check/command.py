"""The command metal-check: where it is, and one call of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from .findings import CannotRun

_PACKAGE = pathlib.Path(__file__).parent
_CLANGS = ["clang++-19", "clang++-18", "clang++-17", "clang++-16", "clang++-15"]
_OLDEST = 15
_OWN_CLANG = str(_PACKAGE / "compiler" / "clang++")


def binary() -> str:
    """The path of metal-check: $METAL_CHECK, the one inside this package, or the one in PATH."""
    own = _PACKAGE / "bin" / "metal-check"
    found = os.environ.get("METAL_CHECK") or (str(own) if own.exists() else shutil.which("metal-check"))
    if not found:
        raise CannotRun([{"message": "there is no metal-check here; install it, or set METAL_CHECK to its path"}])
    return found


def _system_clang() -> bool:
    if os.environ.get("CLANGXX") or any(shutil.which(name) for name in _CLANGS):
        return True
    clang = shutil.which("clang++")
    if not clang:
        return False
    version = subprocess.run([clang, "-dumpversion"], capture_output=True, text=True).stdout
    return int(version.partition(".")[0] or 0) >= _OLDEST


def _ziglang() -> pathlib.Path | None:
    """The folder of PyPI's ziglang."""
    found = importlib.util.find_spec("ziglang")
    return pathlib.Path(found.origin).parent if found and found.origin else None


def environment() -> dict[str, str]:
    """With a compiler: the system's clang, or else the one of the extra metal-check[compiler]."""
    variables = dict(os.environ)
    if not _system_clang():
        zig = _ziglang()
        if not zig:
            message = "no clang++ (15 or later) here: install one, or pip install metal-check[compiler]"
            raise CannotRun([{"message": message}])
        variables["CLANGXX"] = _OWN_CLANG
        variables["METAL_CHECK_ZIG"] = str(zig)
    return variables


def cache_folder() -> pathlib.Path:
    """Where compiled kernels are kept: $METAL_CHECK_CACHE, or metal-check in the user's cache."""
    chosen = os.environ.get("METAL_CHECK_CACHE")
    if chosen:
        return pathlib.Path(chosen)
    user = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(user) / "metal-check"


def call(arguments: Iterable[Any], timeout: float | None = None) -> tuple[dict[str, Any], str]:
    """What `metal-check --json` answers, and what it says beside that. CannotRun if it could not run the kernel."""
    program, variables = binary(), environment()
    cache = cache_folder()
    if variables.get("CLANGXX") == _OWN_CLANG:  # another version of it has its own
        cache /= f"ziglang-{importlib.metadata.version('ziglang')}"
    cache.parent.mkdir(parents=True, exist_ok=True)
    command = [program, "--json", "--cache", str(cache), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, env=variables)
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        raise CannotRun([{"message": result.stderr.strip() or f"metal-check ended with {result.returncode}"}]) from None
    if result.returncode not in (0, 1):
        raise CannotRun(answer.get("errors", []))
    return answer, result.stderr
