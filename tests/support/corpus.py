"""The kernels of tests/check/corpus/, each with the verdict that the language's rules ask for. As a program:

python corpus.py    the table of false alarms and misses, by file
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re

import checker
from library import ROOT

FOLDER = ROOT / "tests/check/corpus"
FILES = sorted(FOLDER.glob("*.metal"))
CONSEQUENCES = {"order", "never-written"}  # of what a kernel does wrong


@dataclasses.dataclass(frozen=True)
class Case:
    """One kernel. `kinds` are the findings that it must have, of this severity, and no others."""

    path: pathlib.Path
    kernel: str
    severity: str
    kinds: frozenset
    options: tuple
    missed: bool  # known to be missed


def cases(path):
    """Of a file: each verdict stands before its kernel, options other than the file's beside it."""
    head, *pieces = re.split(r"^// verdict: ", path.read_text(), flags=re.M)
    common = re.search(r"^// run: (.*)", head, re.M).group(1)
    for piece in pieces:
        verdict, _, missed = piece.split("\n", 1)[0].partition("; ")
        own = re.search(r"^// run: (.*)", piece, re.M)
        kernel = re.search(r"^kernel void (\w+)", piece, re.M).group(1)
        severity = "warning" if verdict.startswith("warning ") else "error"
        kinds = set(verdict.removeprefix("warning ").split(", ")) - {"clean"}
        options = (own.group(1) if own else common).split()
        yield Case(path, kernel, severity, frozenset(kinds), tuple(options), missed == "missed")


def findings(case):
    """{(kind, severity)} without notes."""
    report = checker.run(case.path, "--kernel", case.kernel, *case.options)
    return {(finding["kind"], finding["severity"]) for finding in report["findings"] if finding["severity"] != "note"}


def judge(case):
    """(false alarms, misses) as sets of kinds; a finding of another severity than it should have is both."""
    found = findings(case)
    if case.kinds:
        found = {(kind, severity) for kind, severity in found if kind in case.kinds or kind not in CONSEQUENCES}
    expected = {(kind, case.severity) for kind in case.kinds}
    return found - expected, expected - found


def judge_all(some):
    """[(case, false alarms, misses)]"""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(judge, some)
        return [(case, *result) for case, result in zip(some, results)]


def table():
    total = [0, 0, 0]
    print("| file | kernels | false alarms | misses |\n|---|---|---|---|")
    details = []
    for path in FILES:
        results = judge_all(list(cases(path)))
        row = [
            len(results),
            sum(bool(alarms) for _, alarms, _ in results),
            sum(bool(misses) for _, _, misses in results),
        ]
        total = [a + b for a, b in zip(total, row)]
        print(f"| {path.stem} |", " | ".join(map(str, row)), "|")
        details += [(case, alarms, misses) for case, alarms, misses in results if alarms or misses]
    print("| all |", " | ".join(map(str, total)), "|\n")
    for case, alarms, misses in details:
        print(case.path.stem, case.kernel, "alarms:", sorted(alarms), "misses:", sorted(misses))


if __name__ == "__main__":
    table()
