"""Writes cli/selftest_launches.c: what `metal-llm selftest` gives to each kernel, and the texts that the bundled
model must write, so that a machine without Python can test itself.

    build/venv/bin/python tests/support/selftest_launches.py

Shapes, small integers and tolerances are those of launches.py, drawn from a seed that is the kernel's name; the texts
are those of tests/data/tales_expected.json. Floats, weights and bytes are drawn by the command itself.
"""

import json
import textwrap

import numpy

import launches
import reference
from launches import LANES, Empty, Meaning, Packed
from library import ROOT

TARGET = ROOT / "cli" / "selftest_launches.c"
EXPECTED = ROOT / "tests" / "data" / "tales_expected.json"
LAUNCHES = 3  # of each kernel
NUMBERS = {"float32": "F32", "float16": "F16", "int8": "I8", "int32": "I32", "uint32": "U32"}


def number(dtype):
    return f"NUMBER_{NUMBERS[numpy.dtype(dtype).name]}"


def scalar(value):
    if isinstance(value, float):
        return f"FLOAT({numpy.float32(value)!s}f)"
    return f"LONG({int(value)}u)" if isinstance(value, numpy.uint64) else f"UINT({int(value)}u)"


def integers(value, before):
    """Sums of the bytes that stand before, or numbers as they are."""
    if value.dtype == numpy.int32:
        sums = {"OFFSETS": reference.offsets, "BLOCK_OFFSETS": reference.block_offsets}
        (kind,) = [kind for kind, of in sums.items() if numpy.array_equal(of(before), value)]
        return f"{kind}({value.size})"
    assert value.dtype == numpy.uint32
    return f"WORDS({value.size}, {', '.join(map(str, value.reshape(-1)))})"


def argument(kernel, value, before):
    """One argument in the macros of selftest_launches.h."""
    value = value.data if isinstance(value, Meaning) else value
    if isinstance(value, Packed):
        kind = "PLANES" if value.in_planes else "WEIGHTS"
        return f"{kind}(TENSOR_{value.format.upper()}, {value.rows}, {value.columns})"
    if isinstance(value, Empty):
        size = int(numpy.prod(value.shape))
        return f"EMPTY({number(value.dtype)}, {size}, {launches.tolerance(kernel, value.dtype):g}f)"
    if not isinstance(value, numpy.ndarray):
        return scalar(value)
    if value.dtype == numpy.int8:
        return f"BYTES({value.size})"
    if value.dtype in (numpy.float32, numpy.float16):
        return f"NORMAL({number(value.dtype)}, {value.size}, {launches.tolerance(kernel, value.dtype):g}f)"
    return integers(value, before)


def write_launch(kernel, index):
    """The first launch leaves the size of a threadgroup to the device; in the others simdgroups are whole, as in all that
    the program dispatches."""
    random = numpy.random.default_rng([index, *kernel.encode()])
    grid, values = launches.inputs(kernel, launches.Outline(random))
    threads = int(random.choice([count for count in grid.counts if count % LANES == 0])) if index else 0
    before, arguments = None, []
    for value in values.values():
        arguments.append(argument(kernel, value, before))
        before = value if isinstance(value, numpy.ndarray) and value.dtype == numpy.int8 else before
    item = {"threads": "THREAD", "simdgroups": "SIMDGROUP", "threadgroups": "THREADGROUP"}[grid.item]
    sizes = f"ITEM_{item}, {grid.x}, {grid.y}, {grid.z}, {threads}"
    text = f"LAUNCH({kernel}, {len(arguments)}, ({sizes}), {', '.join(arguments)}),"
    return textwrap.fill(text, 110, initial_indent="    ", subsequent_indent="        ")


def string(text):
    """A C string, cut where lines end."""
    return "\n     ".join(json.dumps(line, ensure_ascii=True) for line in text.splitlines(keepends=True)) or '""'


def write_text(case):
    assert case["text"].isascii() and case["prompt"].isascii()
    return f"    {{{string(case['prompt'])},\n     {string(case['text'])}}},"


def table():
    kernels = launches.kernel_files()
    rows = [write_launch(kernel, index) for kernel in kernels for index in range(LAUNCHES)]
    cases = json.loads(EXPECTED.read_text())["greedy"]
    parts = [
        "/* What `selftest` does; written by selftest_launches.py. */",
        '#include "selftest_launches.h"',
        "",
        "/* clang-format off */",
        "const Launch selftest_launches[] = {",
        *rows,
        "};",
        "const size_t selftest_launch_count = sizeof selftest_launches / sizeof *selftest_launches;",
        "",
        "const KnownText selftest_texts[] = {",
        *map(write_text, cases),
        "};",
        "const size_t selftest_text_count = sizeof selftest_texts / sizeof *selftest_texts;",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(table())
