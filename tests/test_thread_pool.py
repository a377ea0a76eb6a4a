"""The thread pool under stress: more threads than cores, jobs and chunks of random number."""

import os
import subprocess

import pytest

from conftest import SEED
from library import ROOT

SOURCES = ["tests/thread_pool_stress.c", "src/device/thread_pool.c", "src/error.c"]


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_every_chunk_once(tmp_path, sanitizer):
    program = tmp_path / "stress"
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", f"-fsanitize={sanitizer}", "-pthread"]
    folders = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}"]
    paths = [str(ROOT / source) for source in SOURCES]
    subprocess.run([*compiler, *flags, *folders, *paths, "-o", str(program)], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    result = subprocess.run(
        [program, str(SEED)], env=clean, capture_output=True, text=True, timeout=300
    )
    assert (result.stdout, result.stderr, result.returncode) == ("ok\n", "", 0)
