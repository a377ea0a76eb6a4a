"""The thread pool under stress: more threads than cores, jobs and chunks of random number, a system
that gives fewer threads than are wanted; and how many threads there are at best."""

import ctypes
import os
import subprocess
import sys

import pytest

from conftest import SEED
from library import BUILD, ROOT

SOURCES = [
    "tests/thread_pool_stress.c", "src/device/thread_pool.c", "src/device/usable_cores.c", "src/error.c",
    "src/utf8.c",
]  # fmt: skip


@pytest.mark.skipif(BUILD.name == "asan", reason="it has sanitizers of its own")
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_every_chunk_once(tmp_path, sanitizer):
    program = tmp_path / "stress"
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", f"-fsanitize={sanitizer}", "-pthread"]
    flags += ["-fsanitize-coverage=trace-pc", "-Dpthread_create=limited_pthread_create"]
    folders = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}"]
    paths = [str(ROOT / source) for source in SOURCES]
    subprocess.run([*compiler, *flags, *folders, *paths, "-o", str(program)], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    result = subprocess.run([program, str(SEED)], env=clean, capture_output=True, text=True, timeout=300)
    assert (result.stdout, result.stderr, result.returncode) == ("ok\n", "", 0)


# --- how many threads ---


def write_tree(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


QUOTAS = {
    "none": ({}, None),
    "v2 without a limit": ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    "v2": ({"sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5),
    "v2, of the group above": (
        {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"},
        0.5,
    ),
    "v2 in a container": ({"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
    "v2, of much": ({"sys/fs/cgroup/a/b/cpu.max": "99000000 100000\n"}, 990),
    "v1": (
        {
            "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "20000\n",
            "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "10000\n",
        },
        2,
    ),
    "v1 without a limit": (
        {
            "sys/fs/cgroup/cpu,cpuacct/d/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/d/cpu.cfs_period_us": "10000\n",
        },
        None,
    ),
    "v1, two controllers, in a container": (
        {
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "10000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "10000\n",
        },
        1,
    ),
    "nonsense": ({"sys/fs/cgroup/a/b/cpu.max": "\n", "sys/fs/cgroup/a/cpu.max": "0 0\n"}, None),
}


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
@pytest.mark.parametrize("case", QUOTAS)
def test_a_quota_of_time(library, tmp_path, case):
    files, quota = QUOTAS[case]
    groups = "9:name=systemd:/\n4:memory:/m\n3:cpu:/c\n2:cpu,cpuacct:/d\n0::/a/b\n"
    write_tree(tmp_path, {"proc/self/cgroup": groups, **files})
    cores = len(os.sched_getaffinity(0))
    expected = cores if quota is None else min(cores, max(1, int(quota)))
    library.usable_cores.restype = ctypes.c_uint32
    assert library.usable_cores(os.fsencode(tmp_path)) == expected
    assert 1 <= library.usable_cores(b"") <= cores
