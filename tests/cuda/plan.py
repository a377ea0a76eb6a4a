"""Writes the file that cross_check.py takes to a machine with an NVIDIA GPU.

    python tests/cuda/plan.py plan.json [--shapes 3] [--architecture 90]

In it are wrong kernels of tests/check/wrong with what metal-check says of them, the same kernels
repaired, and random launches of every kernel of kernels/: machine code, sizes and inputs. Needs
build/metal-check and NVRTC, but no GPU. The seed is printed; set SEED to repeat a run.
"""

import argparse
import base64
import json
import math
import os
import pathlib
import re
import secrets
import sys
import tempfile
import zlib

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import checker
import launches
import library as library_module
import nvrtc
import toolchain
from library import ROOT

LANES = 32
MOST_THREADS = 512  # of any kernel, by the registers that src/device/cuda_compile.c allows
TYPES = {short: dtype for dtype, short in checker.TYPES.items()}

# Wrong kernels of a class that a tool of compute-sanitizer looks for, with what repairs them.
SAMPLES = {
    "memcheck": {
        "bounds_no_guard": ("out[i] =", "if (i < N) out[i] ="),
        "bounds_guard_off_by_one": ("i > N", "i >= N"),
        "bounds_layernorm_row_past_end": ("c <= C", "c < C"),
        "bounds_struct": ("points[i].y", "points[min(i, 8u)].y"),
    },
    "racecheck": {
        "race_layernorm_first_barrier": (
            "    if (lane == 0) partial",
            "    threadgroup_barrier(mem_flags::mem_threadgroup);\n    if (lane == 0) partial",
        ),
        "race_softmax_reused_array": (
            "    if (lane == 0) shared[simdgroup] = sum;",
            "    threadgroup_barrier(mem_flags::mem_threadgroup);\n    if (lane == 0) shared[simdgroup] = sum;",
        ),
        "race_tree_reduction": (
            "tree[t] += tree[t + half_way];",
            "tree[t] += tree[t + half_way];\n        threadgroup_barrier(mem_flags::mem_threadgroup);",
        ),
        "race_scratch_argument": (
            "values[t] = x[t];",
            "values[t] = x[t];\n    threadgroup_barrier(mem_flags::mem_threadgroup);",
        ),
    },
    "initcheck": {
        "unwritten_output": ("out[i] +=", "out[i] ="),
        "unwritten_scratch_buffer": ("if (i % 2 == 0) scratch", "scratch"),
    },
    "synccheck": {
        "barrier_in_branch": (
            "        threadgroup_barrier(mem_flags::mem_threadgroup);",
            "    }\n    threadgroup_barrier(mem_flags::mem_threadgroup);\n    if (t < N) {",
        ),
        "barrier_loop_count": (
            "        threadgroup_barrier(mem_flags::mem_device);",
            "    }\n    threadgroup_barrier(mem_flags::mem_device);\n    {",
        ),
    },
}


# --- the run lines of tests/check/ ---


def contents(random, text):
    """The array that a --buffer option describes."""
    kind, type, shape = text.split(":")
    dtype, shape = TYPES[type], tuple(map(int, shape.split("x")))
    if kind == "empty":
        return launches.Empty(shape, dtype)
    if kind == "random" and dtype.kind == "f":
        return random.normal(0, 1, shape).astype(dtype)
    return {"zeros": numpy.zeros, "ones": numpy.ones}[kind](shape, dtype)


def launch_of_run_line(random, path, text):
    """The launch in the line `// run: …`, and the bytes of its threadgroup arguments by their index."""
    words = iter(re.search(r"^// run: (.*)", text, re.M).group(1).split())
    options, arguments, scratch = {}, {}, {}
    for option in words:
        value = next(words)
        index, _, what = value.partition("=")
        if option == "--buffer":
            arguments[int(index)] = contents(random, what)
        elif option == "--bytes":
            type, number = what.split(":")
            arguments[int(index)] = TYPES[type].type(number)
        elif option == "--threadgroup-memory":
            scratch[int(index)] = int(what)
        else:
            options[option] = value
    assert sorted(arguments) == list(range(len(arguments))), f"{path}: a buffer is left out"
    sizes = [tuple(map(int, options[name].split(","))) for name in ("--grid", "--threads")]
    bound = [arguments[i] for i in range(len(arguments))]
    return launches.Launch(path, options["--kernel"], *sizes, bound), scratch


def verdict(text, run_line, folder):
    """What metal-check finds: {kind: lines}."""
    path = folder / "kernel.metal"
    path.write_text(text)
    found = {}
    for finding in checker.run(path, *run_line.split())["findings"]:
        for who in ("at", "other"):
            if who in finding:
                found.setdefault(finding["kind"], set()).add(finding[who]["line"])
    return {kind: sorted(lines) for kind, lines in found.items()}


# --- the plan ---


def packed(data):
    return base64.b64encode(zlib.compress(bytes(data))).decode()


def described(index, argument):
    if isinstance(argument, numpy.ndarray):
        return {"index": index, "size": argument.nbytes, "data": packed(argument.tobytes())}
    if isinstance(argument, launches.Empty):
        size = int(numpy.prod(argument.shape)) * numpy.dtype(argument.dtype).itemsize
        return {"index": index, "size": size}
    if not isinstance(argument, numpy.generic):
        argument = numpy.float32(argument) if isinstance(argument, float) else numpy.uint32(argument)
    return {"index": index, "value": int.from_bytes(argument.tobytes(), "little")}


class Plan:
    """Collects launches and the machine code that they need."""

    def __init__(self, architecture):
        self.library = library_module.load()
        self.architecture, self.modules, self.launches = architecture, {}, []

    def text_of(self, path):
        return nvrtc.source_text(self.library, str(path.relative_to(toolchain.KERNELS)))

    def add(self, name, launch, text, scratch={}, **more):
        """One launch of a kernel of `text`."""
        grid, threads = ([*size, 1, 1][:3] for size in (launch.grid, launch.threads))
        assert threads[1:] == [1, 1], "simdgroups are counted along x"
        partial = threads[0] % LANES != 0
        module = f"{launch.path.stem}, partial simdgroups" if partial else launch.path.stem
        if module not in self.modules:
            code = nvrtc.compile(self.library, launch.path.name, text.encode(), self.architecture, partial)
            self.modules[module] = packed(code)
        arguments = [described(i, argument) for i, argument in enumerate(launch.arguments)]
        arguments += [{"index": i, "threadgroup": size} for i, size in scratch.items()]
        self.launches.append({
            "name": name, "module": module, "function": f"metal_{launch.kernel}",
            "groups": [-(-n // size) for n, size in zip(grid, threads)], "threads": threads[0],
            "arguments": arguments, **more,
        })  # fmt: skip

    def add_sample(self, tool, stem, random, folder):
        """A wrong kernel and its repair. Names are made unique: the tool's reports tell them apart by
        the kernel's name or the file's."""
        wrong = (ROOT / f"tests/check/wrong/{stem}.metal").read_text()
        old, new = SAMPLES[tool][stem]
        assert wrong.count(old) == 1, f"{stem}: there is not one '{old}'"
        for state, text in (("wrong", wrong), ("right", wrong.replace(old, new))):
            path = pathlib.Path(f"{stem}_{state}.metal")
            launch, scratch = launch_of_run_line(random, path, text)
            run_line = re.search(r"^// run: (.*)", text, re.M).group(1)
            findings = verdict(text, run_line, folder)
            unique = f"{launch.kernel}_{stem}_{state}"
            text = text.replace(f"kernel void {launch.kernel}(", f"kernel void {unique}(")
            launch.kernel = unique
            self.add(f"{stem}, {state}", launch, text, scratch, tool=tool, sample=stem, state=state, findings=findings)

    def add_kernel(self, kernel, random, shapes):
        for shape in range(shapes):
            launch = launches.random_launch(kernel, random)
            while math.prod(launch.threads) > MOST_THREADS:
                launch = launches.random_launch(kernel, random)
            self.add(f"{kernel}, shape {shape}", launch, self.text_of(launch.path), kernel=kernel)

    def write(self, path):
        plan = {name: getattr(self, name) for name in ("architecture", "modules", "launches")}
        path.write_text(json.dumps(plan))


def make(architecture, shapes, seed, kernels=None):
    """The plan of all samples and of some kernels, all by default."""
    plan = Plan(architecture)
    random = numpy.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        for tool, samples in SAMPLES.items():
            for stem in samples:
                plan.add_sample(tool, stem, random, pathlib.Path(folder))
    for kernel in launches.kernel_files() if kernels is None else kernels:
        plan.add_kernel(kernel, random, shapes)
    return plan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=pathlib.Path, help="the file to write")
    parser.add_argument("--shapes", type=int, default=3, help="random launches of each kernel")
    parser.add_argument("--architecture", type=int, default=90, help="of the GPU: 90 for sm_90")
    options = parser.parse_args()
    if not nvrtc.load():
        parser.exit(1, "NVRTC is missing: install nvidia-cuda-nvrtc from PyPI\n")
    seed = int(os.environ.get("SEED", secrets.randbits(32)))
    plan = make(options.architecture, options.shapes, seed)
    plan.write(options.plan)
    print(f"SEED={seed}: {len(plan.launches)} launches, {len(plan.modules)} modules")


if __name__ == "__main__":
    main()
