"""What surrounds the sources: one version, files for those who contribute, what GitHub reads."""

import fnmatch
import hashlib
import json
import re
import runpy
import subprocess
import sys
import tarfile
import types

import pytest
import yaml

from library import COMMAND, ROOT

SETUP = (ROOT / "setup.sh").read_text()
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


def wrong_words():
    """The phrases in code in the right column of CONTRIBUTING.md's table of words."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| write | not |")[2].partition("\n\n")[0]
    return [word for row in table.splitlines() for word in re.findall(r"`([^`]+)`", row)]


def as_prose(text):
    """On one line, without what begins each line of a comment or stands between two parts of a string."""
    return re.sub(r"\s+", " ", re.sub(r"(?:\\n)?\"?\n[ \t]*(?:\*|//|#|\"|>)*", " ", text)).lower()


def test_wrong_words_do_not_come_back():
    wrong = [word.lower() for word in wrong_words()]
    assert len(wrong) > 10
    assert all(word in as_prose("/* " + word.replace(" ", "\n * ") + ". */") for word in wrong)
    elsewhere = ("CONTRIBUTING.md", "docs/speed-log.md", "models/", "swift/kernel_table.c", "training/", "tests/data/")
    found = []
    for path in tracked():
        if path.startswith(elsewhere) or fnmatch.fnmatch(path, "tests/fuzz/*/*") or not (ROOT / path).is_file():
            continue
        prose = as_prose((ROOT / path).read_text(errors="replace"))
        found += [f"{path}: {word}" for word in wrong if word in prose]
    assert found == []


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
        if path.startswith(("tests/data/", "training/logs/", "training/stories/")) or fnmatch.fnmatch(
            path, "tests/fuzz/*/*"
        ):
            continue
        data = (ROOT / path).read_bytes() if (ROOT / path).is_file() else b""
        if not data or b"\0" in data or path.endswith(".jinja"):
            continue
        if not data.endswith(b"\n") or data.endswith(b"\n\n") or b"\r\n" in data or re.search(rb"[ \t]\n", data):
            wrong.append(path)
    assert wrong == []


# --- releases ---


@pytest.fixture(scope="module")
def dist():
    """What `make dist` makes of the last commit."""
    tracked()
    subprocess.run(["make", "dist", "REPOSITORY=somebody/metal-llm"], cwd=ROOT, capture_output=True, check=True)
    return ROOT / "build/dist"


def test_the_tarball_is_what_is_committed(dist):
    committed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    with tarfile.open(dist / f"metal-llm-{VERSION}.tar.gz") as archive:
        names = {member.name for member in archive if not member.isdir()}
    assert names == {f"metal-llm-{VERSION}/{name}" for name in committed.stdout.splitlines()}


def test_checksums_and_formula_are_of_the_tarball(dist):
    name = f"metal-llm-{VERSION}.tar.gz"
    digest = hashlib.sha256((dist / name).read_bytes()).hexdigest()
    assert f"{digest}  {name}\n" in (dist / "SHA256SUMS").read_text()
    formula = (dist / "metal-llm.rb").read_text()
    assert f'sha256 "{digest}"' in formula and f"somebody/metal-llm/releases/download/v{VERSION}/{name}" in formula
    assert "@" not in formula, "something is left to be filled in"


def test_the_bill_of_materials(dist):
    """Every library that the programs are linked with, by the version that is installed."""
    bill = json.loads((dist / "metal-llm.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["version"] == VERSION
    versions = {component["name"]: component["version"] for component in bill["components"]}
    assert {"libcjson", "libpcre2-8", "libutf8proc", "libmicrohttpd"} <= set(versions)
    for name, version in versions.items():
        assert subprocess.run(["pkg-config", f"--exact-version={version}", name]).returncode == 0
    listed = {component["bom-ref"] for component in bill["components"]}
    assert set(bill["dependencies"][0]["dependsOn"]) == listed and len(listed) == len(versions)


def test_debian_builds_with_what_setup_installs():
    control = (ROOT / "packaging/debian/control").read_text()
    wanted = re.search(r"^Build-Depends: (.*?)^\S", control, re.M | re.S)[1]
    libraries = set(re.findall(r"\blib[\w-]+-dev\b", wanted))
    assert libraries == set(re.findall(r"\blib[\w-]+-dev\b", re.search(r'wanted="gcc.*"', SETUP)[0])) - {"libc6-dev"}
    assert control.count("\nDepends: libopenblas0-pthread, ") == 2  # it is loaded while the program runs
    assert f"Package: libmetal-llm{VERSION.rsplit('.', 1)[0]}\n" in control, "the SONAME has changed"


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflows(path):
    """Commands that are there, actions by their hash, a limit for each job, no more rights than are needed."""
    text, makefile = path.read_text(), (ROOT / "Makefile").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    targets = set(re.findall(r"\bmake (?:-s )?([a-z-]+)", text))
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    assert all(re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", used) for used in re.findall(r"uses: (.*)", text))
