"""OpenBLAS inside somebody's program: it starts no threads, leaves the environment and the program's
own copy alone, and what it cannot have is an error."""

import os
import pathlib
import platform
import re
import subprocess
import sys

import numpy
import pytest

import models
from device import Device
from library import BUILD, COMMAND, ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Accelerate multiplies on a Mac")

SANITIZED = "LD_PRELOAD" in os.environ


@pytest.fixture
def model(tmp_path, random):
    config = models.Config()
    return models.write_gguf(tmp_path / "model.gguf", config, models.random_gpt2(config, random))


def run_python(text, environment={}):
    """Run a script that has the tests' helpers; returns what it prints."""
    helpers = {"PYTHONPATH": str(ROOT / "tests" / "support"), "BUILD": str(BUILD)}
    environment = os.environ | helpers | environment
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


HOST = """
import ctypes, os, threading
import numpy
from device import Device
from library import Error

threads = lambda: len(os.listdir("/proc/self/task"))
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
own = ctypes.CDLL("libopenblas.so.0", mode=os.RTLD_GLOBAL)
own.openblas_set_num_threads(2)
before = own.openblas_get_num_threads(), threads()
x = numpy.ones((64, 512), numpy.float32)
device = Device("cpu", thread_count=1)
assert numpy.all(device.matmul(x, x) == 512)
assert (own.openblas_get_num_threads(), threads()) == before, "the host's copy was changed"
assert not libc.getenv(b"OPENBLAS_NUM_THREADS") and not libc.getenv(b"OPENBLAS_CORETYPE")
libc.setenv(b"AFTER", b"1", 1)
assert libc.getenv(b"AFTER") == b"1"
print(before[0])
"""


@pytest.mark.skipif(SANITIZED, reason="a sanitizer wants one set of symbols")
def test_the_hosts_copy_is_left_alone():
    """Even where its symbols are for all to see."""
    assert run_python(HOST) in ("1", "2")


def test_more_threads_than_openblas_was_built_for(capfd, random):
    """It would print, and end the program."""
    device = Device("cpu", thread_count=300)
    x, weight = (random.uniform(0.5, 1.5, shape).astype(numpy.float32) for shape in [(70, 33), (48 * 700, 33)])
    expected = x.astype(numpy.float64) @ weight.T.astype(numpy.float64)
    assert numpy.all(numpy.abs(device.matmul(x, weight) - expected) <= 1e-5 * expected)
    device.close()
    assert capfd.readouterr() == ("", "")


def test_threads_do_not_share_a_buffer(random):
    """Products of several threads at a time, again and again."""
    device = Device("cpu", thread_count=4)
    x, weight = (random.uniform(0.5, 1.5, shape).astype(numpy.float32) for shape in [(40, 48), (900, 48)])
    expected = x.astype(numpy.float64) @ weight.T.astype(numpy.float64)
    for _ in range(3000):
        assert numpy.all(numpy.abs(device.matmul(x, weight) - expected) <= 1e-5 * expected)
    device.close()


LITTLE_MEMORY = """
import resource, sys
import numpy
from device import Device, Error

one = numpy.ones((64, 64), numpy.float32)
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + ({room} << 20), used + ({room} << 20)))
try:
    print(Device("cpu", thread_count={threads}).matmul(one, one)[0, 0])
except Error as error:
    print(error)
"""


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs much address space")
@pytest.mark.parametrize("room, threads", [(100, 1), (250, 1), (480, 12)])
def test_little_memory(room, threads):
    """OpenBLAS waits for memory without end: where there is none for a buffer that is an error, and
    where there is some for a few threads, they take turns."""
    said = run_python(LITTLE_MEMORY.format(room=room, threads=threads))
    assert said == "64.0" if room > 200 else "out of memory" in said


HIDE = """#include <dlfcn.h>
#include <string.h>
#include <stddef.h>
void *dlopen(const char *path, int flags) {
    static void *(*next)(const char *, int);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    return path && strstr(path, "%s") ? NULL : next(path, flags);
}
"""


SIDE_BY_SIDE = """
import numpy
from device import Device

device = Device("cpu", thread_count=4)
x, weight = (numpy.random.default_rng(1).normal(0, 1, shape).astype("f4") for shape in [(40, 48), (900, 48)])
first = device.matmul(x, weight)
print(all(numpy.array_equal(device.matmul(x, weight), first) for _ in range(2000)))
"""


@pytest.mark.skipif(SANITIZED, reason="dlopen is the sanitizer's")
def test_a_build_without_locks(tmp_path):
    """Debian's serial build, where there is no other: one thread at a time calls it."""
    serial = list(pathlib.Path("/usr/lib").glob("*/openblas-serial"))
    if not serial:
        pytest.skip("no serial build of OpenBLAS")
    environment = {"LD_LIBRARY_PATH": str(serial[0]), **hide("openblas-pthread", tmp_path)}
    assert run_python(SIDE_BY_SIDE, environment) == "True"


def hide(name, folder):
    """The environment of a program that cannot open libraries of this name."""
    (folder / "hide.c").write_text(HIDE % name)
    compiler, shim = os.environ.get("CC", "cc").split(), folder / "hide.so"
    flags = ["-D_GNU_SOURCE", "-shared", "-fPIC"]
    subprocess.run([*compiler, *flags, folder / "hide.c", "-ldl", "-o", shim], check=True)
    return {"LD_PRELOAD": str(shim)}


SHARED = """
import ctypes, os
import numpy
from device import Device

libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
before = dict(os.environ), len(os.listdir("/proc/self/task"))
x = numpy.ones((64, 512), numpy.float32)
device = Device("cpu", thread_count=1)
assert numpy.all(device.matmul(x, x) == 512)
assert (dict(os.environ), len(os.listdir("/proc/self/task"))) == before
assert not libc.getenv(b"OPENBLAS_NUM_THREADS")
(path,) = {line.split()[-1] for line in open("/proc/self/maps") if "/libopenblas" in line}
ours = ctypes.CDLL(path, mode=os.RTLD_NOLOAD)
ours.openblas_get_corename.restype = ctypes.c_char_p
print(ours.openblas_get_num_threads(), ours.openblas_get_corename().decode(), path)
"""


@pytest.mark.skipif(SANITIZED, reason="dlopen is the sanitizer's")
@pytest.mark.parametrize("core", [None, "Nehalem"])
def test_it_starts_no_threads(core):
    """What the user has set counts."""
    environment = {"OPENBLAS_CORETYPE": core} if core else {}
    threads, type, path = run_python(SHARED, environment=environment).split()
    assert threads == "1" and "serial" not in path
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    if platform.machine() == "x86_64" and "avx2" in flags:
        assert type == (core or ("SkylakeX" if "avx512bw" in flags else "Haswell"))


@pytest.mark.skipif(SANITIZED, reason="dlopen is the sanitizer's")
def test_no_openblas(model, tmp_path):
    """Said when the model is opened, not at its first long prompt; what multiplies nothing works."""
    environment = os.environ | hide("openblas", tmp_path)
    run = lambda *arguments: subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True)
    done = run("logits", model, "--tokens", "1", "-o", tmp_path / "x", "--device", "cpu")
    assert done.returncode == 1
    assert re.fullmatch(r"metal-llm: OpenBLAS.* libopenblas0-pthread\n", done.stderr), done.stderr
    assert run("convert", model, tmp_path / "out.gguf").returncode == 0
