"""The strict check: every kernel passes, and what Apple's compiler refuses is refused."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from library import BUILD, ROOT
from toolchain import kernel_files, strict_errors

RIGHT = kernel_files() + sorted(ROOT.glob("tests/strict/right/*.metal"))
WRONG = sorted(ROOT.glob("tests/strict/wrong/*.metal"))


@cache
def pool():
    return ThreadPoolExecutor(os.cpu_count())


@cache
def checked(path):
    """A file's check, on any core."""
    return pool().submit(strict_errors, path)


@pytest.fixture(scope="session", autouse=True)
def begun(request):
    """Those of all files that are asked for."""
    for item in request.session.items:
        if item.module.__name__ == __name__ and hasattr(item, "callspec"):
            checked(item.callspec.params["path"])


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RIGHT, ids=name)
def test_passes(path):
    assert checked(path).result() == ""


@pytest.mark.parametrize("path", WRONG, ids=name)
def test_is_refused(path):
    """The first line says what must be found; it must be found in this file, with its line."""
    first = path.read_text().splitlines()[0]
    assert first.startswith("// expect: ")
    errors = checked(path).result()
    assert re.search(rf"{re.escape(path.name)}:\d+:.*({first[11:]})", errors), errors


def test_there_are_wrong_kernels():
    assert len(WRONG) > 190


# --- kernel templates ---

COUNT = 5 if BUILD.name == "asan" else 40  # files that are tried as templates
WRONG_NAMES = ["kernel_main", "kernel_overloaded"]  # as templates these kernels get others


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


def lines(errors, path):
    """The lines of all findings, in order; the binder's have no column."""
    return sorted(re.findall(rf"^{path}:(\d+):(?!\d+: note)", errors, re.MULTILINE))


def check_templates(paths, instances, random, count, folder):
    """Some of the files as templates: (path, path of the template, errors)."""
    chosen = [paths[i] for i in random.choice(len(paths), count, replace=False)]
    templates = [folder / path.name for path in chosen]
    for path, template in zip(chosen, templates):
        template.write_text(as_template(path.read_text(), instances))
    return zip(chosen, templates, pool().map(strict_errors, templates))


def test_kernels_pass_as_templates(tmp_path, random):
    for _, _, errors in check_templates(RIGHT, 2, random, min(12, COUNT), tmp_path):
        assert errors == ""


def test_what_is_refused_is_refused_in_templates(tmp_path, random):
    """The same lines, each finding once, however many instances there are. Files whose only finding is in
    the header that they use are left out."""
    paths = [path for path in WRONG if path.stem not in WRONG_NAMES]
    in_itself = {path: lines(checked(path).result(), path) for path in random.permutation(paths)[: COUNT + 20]}
    paths = [path for path, found in in_itself.items() if found]
    for path, template, errors in check_templates(paths, 3, random, COUNT, tmp_path):
        assert lines(errors, template) == lines(checked(path).result(), path), errors
