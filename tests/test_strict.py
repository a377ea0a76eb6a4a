"""The strict check: every kernel passes, and what Apple's compiler refuses is refused."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from library import ROOT
from toolchain import strict_errors

RIGHT = sorted(ROOT.glob("kernels/*.metal")) + sorted(ROOT.glob("tests/strict/right/*.metal"))
WRONG = sorted(ROOT.glob("tests/strict/wrong/*.metal"))


@cache
def all_errors():
    """The checks of all files, on all cores."""
    pool = ThreadPoolExecutor(os.cpu_count())
    return {path: pool.submit(strict_errors, path) for path in RIGHT + WRONG}


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RIGHT, ids=name)
def test_passes(path):
    assert all_errors()[path].result() == ""


@pytest.mark.parametrize("path", WRONG, ids=name)
def test_is_refused(path):
    """The first line says what must be found; it must be found in this file, with its line."""
    first = path.read_text().splitlines()[0]
    assert first.startswith("// expect: ")
    errors = all_errors()[path].result()
    assert re.search(rf"{re.escape(path.name)}:\d+:.*({first[11:]})", errors), errors


def test_there_are_wrong_kernels():
    assert len(WRONG) > 190
