"""docs/findings.md: each kernel of tests/check/found/ has the finding that the page tells of, in the lines that are
marked, and none once the barrier that was missing is there."""

import re

import pytest

import checker
from library import ROOT

PAGE = ROOT / "docs/findings.md"
FOUND = sorted(ROOT.glob("tests/check/found/*.metal"))
BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
# What mends each: a piece of its text, and what stands there instead.
REPAIRS = {
    "softmax_one_array": ("largest = tree[0];", f"largest = tree[0]; {BARRIER}"),
    "norm_sum_called_twice": (
        "partial[t / lanes] = simd_sum(value);",
        f"value = simd_sum(value); {BARRIER} if (t % lanes == 0) partial[t / lanes] = value;",
    ),
    "softmax_mem_none": ("threadgroup_barrier(mem_flags::mem_none);", BARRIER),
    "loss_shared_slots": ("sum = simd_sum(sum);", f"sum = simd_sum(sum); {BARRIER}"),
}


def options(path):
    return re.search(r"^// run: (.*)", path.read_text(), re.M).group(1).split()


def found(path, text, random, tmp_path):
    copy = tmp_path / path.name
    copy.write_text(text)
    return checker.run(copy, *options(path), "--seed", random.integers(2**32))["findings"]


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_is_found(path, random, tmp_path):
    text = path.read_text()
    marked = {number for number, line in enumerate(text.splitlines(), 1) if "// expect: race" in line}
    findings = [finding for finding in found(path, text, random, tmp_path) if finding["kind"] == "race"]
    lines = {frozenset((finding["at"]["line"], finding["other"]["line"])) for finding in findings}
    assert len(marked) == 2 and frozenset(marked) in lines


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_is_silent_once_repaired(path, random, tmp_path):
    before, after = REPAIRS[path.stem]
    text = path.read_text()
    assert text.count(before) == 1
    assert found(path, text.replace(before, after), random, tmp_path) == []


def test_the_page_lists_them():
    page = PAGE.read_text()
    assert set(re.findall(r"\| \[(\w+)\.metal\]\(", page)) == {path.stem for path in FOUND} == set(REPAIRS)
    for path, command in re.findall(r"^\$ metal-check (\w+\.metal) (.*)", page, re.M):
        assert command.split() == options(ROOT / "tests/check/found" / path)
