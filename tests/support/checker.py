"""build/metal-check on launches that are described in Python."""

import json
import pathlib
import subprocess
import tempfile

import numpy

from library import BUILD
from toolchain import KERNELS

METAL_CHECK = BUILD / "metal-check"
CACHE = BUILD / "check"
TYPES = {
    numpy.dtype(name): short
    for name, short in [
        ("f4", "f32"), ("f2", "f16"), ("i1", "i8"), ("u1", "u8"), ("i2", "i16"), ("u2", "u16"),
        ("i4", "i32"), ("u4", "u32"), ("i8", "i64"), ("u8", "u64"),
    ]
}  # fmt: skip


class Failed(Exception):
    """metal-check could not run the kernel; what it said."""


def run(*arguments, timeout=120):
    """The findings of one call, as metal-check --json gives them, and all else it tells. What is compiled is
    kept for all tests: of most kernels reading <metal_stdlib> would take half the time."""
    command = [METAL_CHECK, "--json", "--cache", CACHE, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if result.returncode not in (0, 1):
        raise Failed(result.stderr)
    report = json.loads(result.stdout)
    notes = [finding for finding in report["findings"] if finding["severity"] == "note"]
    assert (len(report["findings"]) > len(notes)) == bool(result.returncode)
    return report


def _value(value):
    if not isinstance(value, numpy.generic):
        value = numpy.float32(value) if isinstance(value, float) else numpy.uint32(value)
    return f"{TYPES[value.dtype]}:{value}"


def _argument(index, argument, folder):
    """The options that bind one argument."""
    if isinstance(argument, numpy.ndarray):
        path = folder / f"{index}.npy"
        numpy.save(path, argument)
        return ["--buffer", f"{index}={path}"]
    if hasattr(argument, "shape") and not isinstance(argument, numpy.generic):  # launches.Empty
        shape = "x".join(map(str, argument.shape))
        return ["--buffer", f"{index}=empty:{TYPES[numpy.dtype(argument.dtype)]}:{shape}"]
    return ["--bytes", f"{index}={_value(argument)}"]


def check(launch, *options, kernels=KERNELS):
    """The findings of a launches.Launch; headers are those of the folder `kernels`."""
    with tempfile.TemporaryDirectory() as folder:
        bound = []
        for index, argument in enumerate(launch.arguments):
            bound += _argument(index, argument, pathlib.Path(folder))
        sizes = [",".join(map(str, size)) for size in (launch.grid, launch.threads)]
        report = run(
            launch.path, "-I", kernels, "--kernel", launch.kernel, "--grid", sizes[0], "--threads", sizes[1],
            *bound, *launch.options, "--suppress", "never-written", *options,
        )  # fmt: skip
    return report["findings"]
