"""docs/kernels.md and docs/kernels/ as the tests read them.

Each kernel has a numpy function of its own name there, whose parameters are named like the kernel's (`in_` for
`in`) and which returns what the kernel writes, in that order; instances of a kernel template (name_f32, name_f16,
name_q8_0) share one. A weight format is a row of the table of formats and a function dequantise_<format>.
"""

import re

from library import ROOT

FIRST = ROOT / "docs/kernels.md"
PAGES = {path: path.read_text() for path in [FIRST, *sorted((ROOT / "docs/kernels").glob("*.md"))]}
TEXT = "\n".join(PAGES.values())


def numpy_of_the_pages():
    functions = {}
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S):
        exec(code, functions)
    return functions


NUMPY = numpy_of_the_pages()


def formats_of_the_pages():
    """The rows of the table of formats: name → (bytes of a block, weights of a block, its kernels)."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) bytes, (\d+) weights? \|(.*)$", TEXT, re.M)
    return {name: (int(size), int(weights), re.findall(r"`([a-z]+_\w+)`", row)) for name, size, weights, row in rows}


FORMATS = formats_of_the_pages()
