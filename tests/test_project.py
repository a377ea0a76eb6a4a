"""What surrounds the sources: one version, files for those who contribute, what GitHub reads."""

import fnmatch
import re
import runpy
import subprocess
import sys
import types

import pytest
import yaml

from library import COMMAND, ROOT

HEADER = (ROOT / "include/metal_llm.h").read_text()
VERSION = re.search(r'^#define LLM_VERSION "(\d+\.\d+\.\d+)"$', HEADER, re.MULTILINE)[1]


def tracked():
    """Every file of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git here, or no repository")
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


# --- the version ---


def test_the_command_has_the_version():
    shown = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True).stdout
    assert shown == f"metal-llm {VERSION}\n"


def module(name, **attributes):
    """One that is not installed."""
    made = types.ModuleType(name)
    vars(made).update(attributes)
    return made


@pytest.mark.parametrize("package", ["python", "python/metal_llm"])
def test_python_packages_have_the_version(package, monkeypatch):
    """What setup.py tells setuptools."""
    told = {}
    for name in ("build_py", "sdist"):
        path = f"setuptools.command.{name}"
        monkeypatch.setitem(sys.modules, path, module(path, **{name: object}))
    monkeypatch.setitem(sys.modules, "wheel.bdist_wheel", module("wheel.bdist_wheel", bdist_wheel=object))
    monkeypatch.setitem(sys.modules, "setuptools", module("setuptools", setup=lambda **all: told.update(all)))
    runpy.run_path(str(ROOT / package / "setup.py"))
    assert told["version"] == VERSION
    assert 'dynamic = ["version"]' in (ROOT / package / "pyproject.toml").read_text()


def test_metal_check_says_the_version():
    assert runpy.run_path(str(ROOT / "python/metal_check/version.py"))["VERSION"] == VERSION


def test_the_binding_is_for_this_interface():
    """Whose structures change with the second number: look at them before this one is changed."""
    own = re.search(r'^VERSION = "(.+)"', (ROOT / "python/metal_llm/metal_llm/library.py").read_text(), re.MULTILINE)[1]
    assert VERSION.startswith(own) and own.count(".") == 2


def test_the_changelog_begins_with_the_version():
    assert re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == VERSION


def test_the_version_is_written_once():
    """Elsewhere it is read from the header; the changelog and pages may speak of a version."""
    quoted = re.compile(rf"""(["'=@]){re.escape(VERSION)}\b""")
    found = [path for path in tracked() if (ROOT / path).is_file() and not path.endswith((".md", ".lock"))
             and quoted.search((ROOT / path).read_text(errors="replace"))]  # fmt: skip
    assert found == ["include/metal_llm.h"]


# --- for those who contribute ---


def test_every_command_of_contributing_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z-]+)", page))
    assert len(targets) > 8
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    named = re.findall(r"tests/test_\w+\.py", page)
    assert named and [path for path in named if not (ROOT / path).exists()] == []


def owned(pattern, path):
    """As .gitignore has it: a pattern with a leading / stands for the whole path, a folder for all in it."""
    pattern = pattern.lstrip("/")
    return pattern == "*" or path.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatch(path, pattern)


def test_code_owners_are_of_what_there_is():
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    patterns = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    files = tracked()
    assert [pattern for pattern in patterns if not any(owned(pattern, path) for path in files)] == []


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem)
def test_issue_forms(path):
    """What GitHub asks of a form: it shows none of those that it cannot read, and says nothing."""
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    ids = [element["id"] for element in form["body"] if element["type"] != "markdown"]
    assert ids and len(ids) == len(set(ids))
    for element in form["body"]:
        assert element["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert "value" in element["attributes"] or "label" in element["attributes"]


# --- files as .editorconfig has them ---


def test_text_is_clean():
    """No tabs where there are blanks, no blanks at the end of a line, one newline at the end of a file."""
    wrong = []
    for path in tracked():
        if path.startswith(("tests/data/", "training/logs/", "training/stories/")) or fnmatch.fnmatch(path, "tests/fuzz/*/*"):
            continue
        data = (ROOT / path).read_bytes() if (ROOT / path).is_file() else b""
        if not data or b"\0" in data or path.endswith(".jinja"):
            continue
        if not data.endswith(b"\n") or data.endswith(b"\n\n") or b"\r\n" in data or re.search(rb"[ \t]\n", data):
            wrong.append(path)
    assert wrong == []
