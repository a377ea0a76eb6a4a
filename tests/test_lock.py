"""What the tests install is locked: the lock files hold what the requirements ask for, with hashes, and pip is
told to insist on them."""

import re

import pytest

from library import ROOT

REQUIREMENTS = sorted([*(ROOT / "tests").rglob("requirements.txt"), ROOT / "python/requirements.txt"])


def locked(path):
    """{(name, version, where): its hashes}."""
    entries = re.split(r"\n(?=\w)", path.read_text().split("make lock\n", 1)[1])
    pattern = re.compile(r"([\w-]+)==(\S+)( ; .*?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\s*")
    matches = [pattern.fullmatch(entry) for entry in entries]
    assert all(matches), [entry for entry, match in zip(entries, matches) if not match]
    return {match.groups()[:3]: match[4].count("sha256") for match in matches}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.parent.name)
def test_lock(path):
    versions = {(name, version) for name, version, _ in locked(path.with_suffix(".lock"))}
    wanted = re.findall(r"^([\w-]+)(?:\[\w+\])?==([^;\s]+)", path.read_text(), re.MULTILINE)
    assert len(wanted) == len(path.read_text().splitlines())
    assert set(wanted) <= versions, "run make lock"


def test_hashes_are_insisted_on():
    makefile = (ROOT / "Makefile").read_text()
    installs = re.findall(r"pip install .*", makefile)
    assert len(REQUIREMENTS) == makefile.count("$(call install_locked,")
    assert [line for line in installs if "--require-hashes" not in line and not line.endswith(" uv")] == []
