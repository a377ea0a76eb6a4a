"""ARCHITECTURE.md says what is there, and src/ is built as it says: in one direction, in files of a readable size."""

import graphlib
import re
import subprocess

import pytest

from library import ROOT

PAGE = (ROOT / "ARCHITECTURE.md").read_text()
SOURCES = sorted(path for path in (ROOT / "src").rglob("*.[ch]"))


def test_what_it_links_to_is_there():
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(links) > 30
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_folder_of_the_source_is_on_the_map():
    for folder in ("src/*", "tests/support"):
        for path in ROOT.glob(folder):
            assert not path.is_dir() or f"({path.relative_to(ROOT)})" in PAGE


def test_the_pass_is_the_one_that_runs():
    shown = re.search(r"```c\n(.*?)```", PAGE, re.DOTALL)[1]
    shown = "\n".join(line.removeprefix("   ") for line in shown.splitlines())
    assert shown.strip() in (ROOT / "src/model/gpt2.c").read_text()


def included(path):
    """The headers of src/ that a file includes."""
    for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
        for folder in (path.parent, ROOT / "src"):
            if (folder / name).exists():
                yield folder / name
                break


def test_no_circle_of_files():
    graph = {path: set(included(path)) for path in SOURCES}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


LAYERS = {
    "engine": {"engine", "grammar", "model", "ops", "device", "checkpoint"},
    "grammar": {"grammar"},
    "chat": {"chat"},
    "ops": {"ops", "device", "checkpoint"},
    "device": {"device"},
    "checkpoint": {"checkpoint", "tokenizer"},
    "tokenizer": {"tokenizer", "checkpoint"},
    "model": {"model", "ops", "device", "checkpoint", "tokenizer"},
}


@pytest.mark.parametrize("layer", LAYERS)
def test_one_direction(layer):
    for path in (ROOT / "src" / layer).glob("*.[ch]"):
        for header in included(path):
            folder = header.parent.name
            assert folder == "src" or folder in LAYERS[layer], f"{path.name} includes {header.name}"


def test_files_are_short():
    folders = ("src", "cli", "include", "msl", "examples", "tests")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.[ch]")]
    generated = [path for path in sources if re.search(r"written by \w+\.py", path.read_text().splitlines()[0])]
    assert len(generated) == 2
    assert [path for path in sources if len(path.read_text().splitlines()) > 600] == generated


def test_everything_is_formatted():
    result = subprocess.run(["make", "check-format"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"make format mends it:\n{result.stdout}{result.stderr}"
