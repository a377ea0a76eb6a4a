"""The strict check: every kernel passes, and what Apple's compiler refuses is refused."""

import re

import pytest

from library import ROOT
from toolchain import bind, strict_errors

RIGHT = sorted(ROOT.glob("kernels/*.metal")) + sorted(ROOT.glob("tests/strict/right/*.metal"))
WRONG = sorted(ROOT.glob("tests/strict/wrong/*.metal"))


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RIGHT, ids=name)
def test_passes(path, tmp_path):
    assert strict_errors(path, tmp_path) == ""


@pytest.mark.parametrize("path", WRONG, ids=name)
def test_is_refused(path, tmp_path):
    """The first line says what must be found; it must be found in this file, with its line."""
    first = path.read_text().splitlines()[0]
    assert first.startswith("// expect: ")
    errors = strict_errors(path, tmp_path)
    assert re.search(rf"{re.escape(path.name)}:\d+:.*({first[11:]})", errors), errors


def test_there_are_wrong_kernels():
    assert len(WRONG) > 40


# --- kernel templates ---


def as_template(text, instances):
    """The same file, line by line, with each kernel a template in which float is a parameter, and so many
    instances of each behind it."""
    kernel = re.compile(r"(?<!>\n)^kernel (\w+) (\w+)(\(.*?^}\n)", re.MULTILINE | re.DOTALL)
    names = [match[2] for match in kernel.finditer(text)]

    def template(match):
        body = re.sub(r"\bfloat\b", "Real", match[3])
        return f"template <typename Real, uint Unused> kernel {match[1]} {match[2]}{body}"

    return kernel.sub(template, text) + "".join(
        f'template [[host_name("{name}_{10**n}")]] kernel decltype({name}<float, {n}>) {name}<float, {n}>;\n'
        for name in names
        for n in range(instances)
    )


def places(errors, path):
    """Line and column of each finding, in order; the binder gives lines alone."""
    return sorted(re.findall(rf"^{path}:(\d+)(?::(\d+): (?:fatal )?error)?", errors, re.MULTILINE))


@pytest.mark.parametrize("path", RIGHT, ids=name)
def test_passes_as_a_template(path, tmp_path):
    template = tmp_path / path.name
    template.write_text(as_template(path.read_text(), 2))
    assert strict_errors(template, tmp_path) == ""


@pytest.mark.parametrize("path", WRONG, ids=name)
def test_is_refused_in_a_template(path, tmp_path):
    """The same lines, each place once, however many instances there are."""
    template = tmp_path / path.name
    template.write_text(as_template(path.read_text(), 3))
    plain, errors = strict_errors(path, tmp_path), strict_errors(template, tmp_path)
    found = places(errors, template)
    assert {line for line, _ in found} == {line for line, _ in places(plain, path)}, errors
    assert len(found) == len(set(found)), errors
