"""docs/metal-check/ and the package's README: what they show is what one sees.

A block whose first line names a file is that file; one of console is run beside the files of its page.
"""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

from library import BUILD, ROOT

PAGES = [*sorted((ROOT / "docs/metal-check").glob("*.md")), ROOT / "python/README.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"(?:#|//) (\S+\.(?:metal|py|toml|yml))\n")
HAS_MLX = importlib.util.find_spec("mlx") is not None
pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 11), reason="the package wants Python 3.11"),
    pytest.mark.skipif(sys.platform != "linux", reason="metal-check is for Linux"),
    pytest.mark.skipif(BUILD.name == "asan", reason="test_check.py looks at the checker's own memory"),
]


def write_files(blocks, folder):
    for language, text in blocks:
        named = FILE.match(text)
        if named:
            (folder / named[1]).write_text(text)


def commands(blocks):
    """What is typed, and what the page shows for it."""
    for language, text in blocks:
        if language == "console":
            for typed, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.M):
                yield typed, shown


def environment(folder):
    """Where metal-check is the package's command, and python and pytest are those that run this."""
    programs = folder / "programs"
    programs.mkdir()
    for name, words in {
        "metal-check": "-m metal_check",
        "python": "",
        "pytest": "-m pytest -p metal_check.pytest_plugin",
    }.items():
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        path.chmod(0o755)
    return os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "python"), "NO_COLOR": "1",
        "METAL_CHECK": str((BUILD / "metal-check").resolve()), "METAL_CHECK_CACHE": str((BUILD / "check").resolve()),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }  # fmt: skip


def shows(shown, output):
    """Line after line; … stands for some of a line, or alone for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, output)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_what_a_page_shows_is_what_one_sees(page, tmp_path):
    blocks = BLOCK.findall(page.read_text())
    write_files(blocks, tmp_path)
    variables = environment(tmp_path)
    for typed, shown in commands(blocks):
        if typed.startswith("pytest") and not HAS_MLX:
            continue
        result = subprocess.run(
            ["sh", "-c", typed], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300
        )
        assert shows(shown, result.stdout), f"$ {typed}\n{result.stdout}{result.stderr}"


def test_every_page_begins_with_a_command():
    """Each that one is sent to by what one writes."""
    pages = re.findall(
        r"^\| .* \| \[.*\]\((metal-check/.*\.md)\) \|$", (ROOT / "docs/metal-check.md").read_text(), re.M
    )
    assert len(pages) == 5
    for page in pages:
        assert BLOCK.findall((ROOT / "docs" / page).read_text())[0][0] in ("console", "sh"), page


def test_shows_is_strict():
    assert shows("a\n…\nz… 3\n", "a\nb\nc\nzebra 3\n") and shows("a\n", "a\n")
    assert not shows("a\n", "a\nb\n") and not shows("a.b\n", "axb\n") and not shows("", "a\n")


def test_the_action_runs_what_it_is_given(tmp_path):
    """Its second step, as GitHub would run it; the first is `make`."""
    steps = re.findall(r"run: \|\n((?: {8}.*\n)+)", (ROOT / "action.yml").read_text())
    assert len(steps) == 2
    write_files(BLOCK.findall((ROOT / "docs/metal-check/ci.md").read_text()), tmp_path)
    python = tmp_path / "runner/metal-check/bin"
    python.mkdir(parents=True)
    (python / "python").symlink_to(sys.executable)
    action = tmp_path / "action"
    action.mkdir()
    (action / "python").symlink_to(ROOT / "python")
    (action / "build").symlink_to(BUILD.resolve())
    variables = environment(tmp_path) | {
        "ACTION": str(action), "RUNNER_TEMP": str(tmp_path / "runner"), "LAUNCHES": "launches.toml\nlaunches.toml\n",
        "SARIF": "out.sarif", "JUNIT": "", "PYTHONPATH": os.pathsep.join([p for p in sys.path if p.endswith("site-packages")]),
    }  # fmt: skip
    step = "\n".join(line[8:] for line in steps[1].splitlines())
    step = step.replace('PYTHONPATH="$ACTION/python"', 'PYTHONPATH="$ACTION/python:$PYTHONPATH"')
    result = subprocess.run(["bash", "-e", "-c", step], cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert "16 launches: 0 clean" in result.stdout
    assert re.search(r"^::error file=sums.metal,line=13,title=metal-check%3A race::", result.stdout, re.M)
    assert (tmp_path / "out.sarif").exists() and not list(tmp_path.glob("*.xml"))
    assert pathlib.Path(tmp_path / "out.sarif").stat().st_size > 100
