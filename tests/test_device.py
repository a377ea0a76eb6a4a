"""What device.h promises on every device: matrix products, and dispatches checked against the
kernels' signatures, so that a wrong one is an error with names, not a crash."""

import ctypes
import os
import pathlib
import platform
import re
import subprocess
import sys

import numpy
import pytest

import device as device_module
import models
from device import Device, Error, Grid, Out, threads
from library import COMMAND

# --- matrix products ---


@pytest.mark.parametrize("M, N, K", [(1, 1, 1), (9, 300, 64), (64, 97, 33), (33, 48, 257), (512, 31, 5)])
def test_matmul(M, N, K, device, random):
    x = random.uniform(0.5, 1.5, (M, K)).astype(numpy.float32)
    weight = random.uniform(0.5, 1.5, (N, K)).astype(numpy.float32)
    expected = x.astype(numpy.float64) @ weight.T.astype(numpy.float64)
    error = numpy.abs(device.matmul(x, weight) - expected)
    assert numpy.all(error <= 1e-5 * expected)


def test_matmul_to_columns_of_a_wider_matrix(device, random):
    for M, N, K, stride, column in [(1, 3, 5, 3, 0), (9, 300, 64, 333, 7), (64, 97, 33, 200, 103), (7, 1, 9, 2, 1)]:
        x = random.uniform(0.5, 1.5, (M, K)).astype(numpy.float32)
        weight = random.uniform(0.5, 1.5, (N, K)).astype(numpy.float32)
        before = random.normal(0, 1, (M, stride)).astype(numpy.float32)
        expected = before.astype(numpy.float64)
        expected[:, column : column + N] = x.astype(numpy.float64) @ weight.T.astype(numpy.float64)
        out = device.matmul(x, weight, before, column)
        assert numpy.all(numpy.abs(out - expected) <= 1e-5 * numpy.abs(expected))


def test_matmul_of_halves(device, random):
    """Right where the device's library takes halves, refused where it does not; never nonsense."""
    x, weight = (random.uniform(0.5, 1.5, shape).astype(numpy.float16) for shape in [(9, 64), (33, 64)])
    if device.name == "cpu":
        with pytest.raises(Error, match="dequantise first"):
            device.matmul(x, weight)
        return
    expected = x.astype(numpy.float64) @ weight.T.astype(numpy.float64)
    assert numpy.all(numpy.abs(device.matmul(x, weight) - expected) <= 1e-5 * expected)


def our_openblas():
    """The copy that has been opened in this process."""
    maps = pathlib.Path("/proc/self/maps").read_text()
    (path,) = set(re.findall(r"/\S*/libopenblas\S*", maps))
    return ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64" or "OPENBLAS_CORETYPE" in os.environ,
    reason="OpenBLAS chooses by itself, or was told",
)
def test_openblas_takes_the_cpu_for_what_it_can_do():
    """One that is younger than the library is not run with kernels of 2004."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    wanted = "SkylakeX" if "avx512bw" in flags else "Haswell" if "avx2" in flags else None
    if not wanted:
        pytest.skip("neither AVX2 nor AVX-512")
    one = numpy.ones((1, 1), numpy.float32)
    device = Device("cpu")
    device.matmul(one, one)
    device.close()
    openblas = our_openblas()
    openblas.openblas_get_corename.restype = ctypes.c_char_p
    assert openblas.openblas_get_corename().decode() == wanted


# --- wrong dispatches ---

X = numpy.ones(4, numpy.float32)
GELU = (threads(4), X, Out(4), 4)


@pytest.mark.parametrize(
    "kernel, arguments, message",
    [
        ("gelu_backward", GELU, "there is no kernel 'gelu_backward'"),
        ("gelu_forward", GELU[:-1], "gelu_forward takes 3 arguments, not 2"),
        ("gelu_forward", (*GELU, 5), "gelu_forward takes 3 arguments, not 4"),
        ("gelu_forward", (threads(4), 4, Out(4), 4), "gelu_forward: 'in' must be a buffer"),
        ("gelu_forward", (threads(4), X, 4, 4), "gelu_forward: 'out' must be a buffer"),
        (
            "gelu_forward",
            (threads(4), X, Out(4), X),
            "gelu_forward: 'N' must be a value of type uint",
        ),
        (
            "gelu_forward",
            (threads(4), X, Out(4), numpy.uint64(4)),
            "gelu_forward: 'N' must be a value of type uint",
        ),
        ("gelu_forward", (threads(0), X, Out(4), 4), "gelu_forward: empty grid"),
    ],
)
def test_a_wrong_dispatch_is_an_error(kernel, arguments, message, device):
    with pytest.raises(Error) as error:
        device.run(kernel, *arguments)
    assert str(error.value) == message
    assert device.run("gelu_forward", *GELU).shape == (4,)  # the next one is as good as ever


def test_a_kernel_without_a_name_is_an_error(device):
    """As a type of weights that is missing from the table of kernels would ask for."""
    fresh = Device(device.name)
    fresh.library.device_dispatch(fresh.handle, None, threads(4), None, 0)
    with pytest.raises(Error, match="there is no kernel for this type of weights"):
        fresh.check()
    fresh.close()


class Raw:
    """device.h itself: buffers that arguments may share, with offsets."""

    def __init__(self, name):
        self.device = Device(name)
        self.library, self.handle = self.device.library, self.device.handle
        self.buffers = []

    def buffer(self, size):
        self.buffers.append(self.library.device_buffer_new(self.handle, size))
        return self.buffers[-1]

    def dispatch(self, kernel, grid, *arguments):
        converted = [
            device_module._Argument(**dict(zip(("buffer", "offset", "bytes"), argument)))
            if isinstance(argument, tuple)
            else device_module.scalar(argument)
            for argument in arguments
        ]
        array = (device_module._Argument * len(converted))(*converted)
        self.library.device_dispatch(self.handle, kernel.encode(), grid, array, len(converted))
        self.device.check()


@pytest.fixture
def raw(device):
    raw = Raw(device.name)
    yield raw
    for buffer in raw.buffers:
        raw.library.device_buffer_free(buffer)
    raw.device.close()


def test_a_written_buffer_is_bound_once(raw):
    buffer = raw.buffer(64)
    message = "gelu_forward: 'out' is written and may not share its buffer with 'in'"
    with pytest.raises(Error, match=message):
        raw.dispatch("gelu_forward", threads(4), (buffer, 0), (buffer, 32), 4)


def test_a_buffer_may_be_read_twice(raw):
    buffer, other = raw.buffer(64), raw.buffer(64)
    zeros = numpy.zeros(16, numpy.float32)
    raw.library.device_write(buffer, 0, zeros.ctypes.data, 64)
    raw.dispatch(
        "layernorm_forward", Grid(2, 1, 1, 1, 0), (buffer, 0), (buffer, 0), (buffer, 0), (other, 0),
        16, 1e-5,
    )  # fmt: skip
    out = numpy.ones(16, numpy.float32)
    raw.library.device_read(other, 0, out.ctypes.data, 64)
    raw.device.check()
    assert out.tolist() == [0] * 16


@pytest.mark.parametrize(
    "offset, size",
    [(64, 0), (68, 0), (2**40, 0), (2, 0), (63, 0), (0, 68), (60, 8), (4, 2**64 - 4)],
)
def test_a_part_outside_a_buffer_is_an_error(offset, size, raw):
    """Or an offset that is no multiple of the element's size."""
    x, out = raw.buffer(64), raw.buffer(64)
    message = f"gelu_forward: 'in': offset {offset} does not fit a buffer of 64 bytes"
    with pytest.raises(Error, match=message):
        raw.dispatch("gelu_forward", threads(4), (x, offset, size), (out, 0), 4)


@pytest.mark.parametrize("offset, size", [(0, 65), (64, 1), (65, 0), (2**63, 2**63), (1, 2**64 - 1)])
def test_a_copy_outside_a_buffer_is_an_error(offset, size, raw):
    buffer, contents = raw.buffer(64), numpy.zeros(65, numpy.uint8)
    raw.library.device_write(buffer, offset, contents.ctypes.data, size)
    with pytest.raises(Error, match=f"copy of {size} bytes at {offset} exceeds a buffer of 64"):
        raw.device.check()


@pytest.mark.parametrize("offset, stride, fits", [(0, 14, True), (4, 14, False), (0, 15, False), (0, 1, False)])
def test_rows_of_a_product_lie_in_its_buffer(offset, stride, fits, raw):
    """2×2 floats of a buffer of 64 bytes; rows may not overlap either."""
    x, weight, out = (device_module._Argument(buffer=raw.buffer(64)) for _ in range(3))
    out.offset = offset
    raw.library.device_matmul(raw.handle, device_module._Matmul(x, weight, out, 2, 2, 2, stride, 0))
    if fits:
        raw.device.check()
        return
    with pytest.raises(Error, match="matmul: out .2,2. exceeds its buffer"):
        raw.device.check()


@pytest.mark.parametrize("name", ["x", "weight", "out"])
def test_a_matrix_larger_than_its_buffer_is_an_error(name, raw):
    """2×2 matrices need 16 bytes; at offset 52 of 64 there are 12."""
    buffers = [raw.buffer(64) for _ in range(3)]
    offsets = [52 if n == name else 0 for n in ("x", "weight", "out")]
    arguments = [device_module._Argument(buffer=buffer, offset=offset) for buffer, offset in zip(buffers, offsets)]
    raw.library.device_matmul(raw.handle, device_module._Matmul(*arguments, 2, 2, 2, 2, 0))
    with pytest.raises(Error, match=f"matmul: {name} .2,2. exceeds its buffer"):
        raw.device.check()


def test_errors_are_sticky(raw):
    """The first error stays; nothing after it happens."""
    buffer, out = raw.buffer(64), raw.buffer(64)
    before = numpy.full(16, 7, numpy.float32)
    raw.library.device_write(out, 0, before.ctypes.data, 64)
    with pytest.raises(Error, match="there is no kernel 'first'"):
        raw.dispatch("first", threads(4))
    with pytest.raises(Error, match="there is no kernel 'first'"):
        raw.dispatch("gelu_forward", threads(16), (buffer, 0), (out, 0), 16)
    with pytest.raises(Error, match="there is no kernel 'first'"):
        raw.dispatch("second", threads(4))
    assert raw.library.device_buffer_new(raw.handle, 64) is None


def open_best(library, **options):
    """device_open without a name: what opened, or why nothing did."""
    error = device_module.library_module.Error()
    library.device_open.restype = ctypes.c_void_p
    options = device_module._Options(**options)
    handle = library.device_open(None, ctypes.byref(options), ctypes.byref(error))
    if not handle:
        return error.message.decode()
    library.device_description.restype = ctypes.c_char_p
    description = library.device_description(ctypes.c_void_p(handle)).decode()
    library.device_close(ctypes.c_void_p(handle))
    return description


def test_the_emulator_opens_only_by_name(library, tmp_path):
    """Where nothing else opens, each device says why."""
    assert not open_best(library).startswith("simt")
    said = open_best(library, kernels=os.fsencode(tmp_path))
    assert "cuda: " in said and "simt" not in said
    assert "a folder of kernels needs a GPU" in said or re.search(r", sm_\d+, ", said)


THREE_THREADS = """#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
typedef struct { void *(*start)(void *); void *argument; } Thread;
static _Atomic int left = 3;
static void *run(void *argument) {
    Thread thread = *(Thread *)argument;
    free(argument);
    void *result = thread.start(thread.argument);
    left++;
    return result;
}
int pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    if (left-- <= 0) return left++, EAGAIN;
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    Thread *thread = malloc(sizeof *thread);
    *thread = (Thread){start, argument};
    return create(handle, attributes, run, thread);
}
"""


@pytest.mark.skipif(sys.platform != "linux" or "LD_PRELOAD" in os.environ, reason="pthread_create is another's already")
def test_fewer_threads_than_were_asked_for(tmp_path, random):
    """A system that gives three threads and no more, as a container's limit does: the engine runs in one of them, the
    kernels in it and in the other two, and the device's line says so."""
    config = models.Config()
    path = models.write_gguf(tmp_path / "model.gguf", config, models.random_gpt2(config, random))
    (tmp_path / "three.c").write_text(THREE_THREADS)
    shim, compiler = tmp_path / "three.so", os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", tmp_path / "three.c", "-ldl", "-o", shim],
        check=True,
    )
    command = [COMMAND, "logits", path, "--tokens", "1 2", "-o", tmp_path / "x", "--threads", "200"]
    done = subprocess.run(
        [*command, "--device", "cpu"],
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "cpu: 3 threads (200 were wanted, the system gives no more)" in done.stderr


def test_an_unknown_device_is_an_error():
    with pytest.raises(Error, match="unknown device 'abacus'"):
        Device("abacus")
