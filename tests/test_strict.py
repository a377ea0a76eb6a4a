"""The strict check: every kernel passes, and what Apple's compiler refuses is refused."""

import re

import pytest

from library import ROOT
from toolchain import strict_errors

RIGHT = sorted(ROOT.glob("kernels/*.metal")) + sorted(ROOT.glob("tests/strict/right/*.metal"))
WRONG = sorted(ROOT.glob("tests/strict/wrong/*.metal"))


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RIGHT, ids=name)
def test_passes(path):
    assert strict_errors(path) == ""


@pytest.mark.parametrize("path", WRONG, ids=name)
def test_is_refused(path):
    """The first line says what must be found; it must be found in this file, with its line."""
    first = path.read_text().splitlines()[0]
    assert first.startswith("// expect: ")
    errors = strict_errors(path)
    assert re.search(rf"{re.escape(path.name)}:\d+:.*({first[11:]})", errors), errors


def test_there_are_wrong_kernels():
    assert len(WRONG) > 40
