"""The CUDA target (src/device/cuda_*.c) against what stands in for NVIDIA's libraries where there is no GPU
(tests/cuda/stand_in): what device.h promises, whole models, and what happens where a call fails. The stand-in ends
a program that does what CUDA forbids, or leaves something behind, with FAILED."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

import numpy
import pytest

import models
from library import BUILD, COMMAND, ROOT
from models import Config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the CUDA target is not for Macs")

FOLDER = ROOT / "tests" / "cuda" / "stand_in"
FAILED = 70
LIBRARIES = ("libcuda.so.1", "libnvrtc.so.13", "libcublas.so.13")
OTHER_NAMES = ("libcuda.so", "libnvrtc.so.12", "libnvrtc.so", "libcublas.so.12", "libcublas.so")
TOOLKIT = pathlib.Path("/usr/local/cuda/lib64")
CONFIG = Config(layers=2, heads=2, channels=128, context=64, vocabulary=300)  # with the kernels for heads of 64

PROMPT = "the cat sat on the mat, by the dog"  # long enough for products by cuBLAS


def build(folder, *options, libraries=LIBRARIES):
    """A folder in which the loader finds these libraries, and no others that the machine may have."""
    path = folder / "stand_in.so"
    compiler = os.environ.get("CC", "cc").split()
    includes = [f"-I{each}" for each in (ROOT / "src", ROOT / "include", ROOT / "msl", FOLDER)]
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *options]
    sources = sorted(FOLDER.glob("*.c"))
    # Also the emulator, from the library of the tests.
    command = [*compiler, *flags, *includes, *sources, BUILD / "libmetal_llm_internal.so", "-o", path]
    subprocess.run(list(map(str, command)), check=True)
    for name in libraries:
        (folder / name).symlink_to(path)
    return hide(folder)


def hide(folder):
    """What is not there stays unfound: the loader stops at a file that is no library."""
    for name in (*LIBRARIES, *OTHER_NAMES):
        if not (folder / name).exists():
            (folder / name).write_text("no library")
    return folder


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    return build(tmp_path_factory.mktemp("stand_in"))


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    tensors = models.random_gpt2(CONFIG, numpy.random.default_rng(5))
    path = tmp_path_factory.mktemp("model") / "model.gguf"
    return models.write_gguf(path, CONFIG, tensors, tokenizer=models.small_tokenizer(CONFIG.vocabulary))


@pytest.fixture
def run(stand_in, model, tmp_path):
    """run(verb, …, NAME=value) → the process, with CUDA_STAND_IN_NAME; a folder of its own for the kernel cache."""

    def start(*arguments, libraries=stand_in, home="/nowhere", cache=tmp_path / "cache", **settings):
        settings = {f"CUDA_STAND_IN_{name}": str(value) for name, value in settings.items()}
        paths = {"LD_LIBRARY_PATH": str(libraries), "XDG_CACHE_HOME": str(cache), "CUDA_HOME": str(home)}
        done = subprocess.run(
            [COMMAND, *map(str, arguments)], env=os.environ | paths | settings, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="backslashreplace", timeout=300,
        )  # fmt: skip
        assert done.returncode != FAILED, done.stderr
        return done

    return start


@pytest.fixture
def cuda(run, model):
    """cuda(…) → a greedy text of the model on the device cuda; the options may name another."""
    return lambda *options, device="cuda", **settings: run(
        "run", "-m", model, PROMPT, "-n", 4, "--temp", 0, "--weights", "stored", "--device", device, *options,
        **settings,
    )  # fmt: skip


def last_line(done):
    return done.stderr.rstrip().rsplit("\n", 1)[-1]


# --- what the other tests ask of every device ---


@pytest.mark.parametrize(
    "tests",
    [
        ["tests/test_device.py", "-k", "not command and not asked_for and not openblas"],
        ["tests/test_kernels.py", "-k", "test_softmax or test_bias_gelu"],
        [
            *[f"tests/test_{name}.py" for name in ("generate", "model", "measure")],
            *["-k", "packed_weights or rows_are_independent or nan_in_the_middle or as_explained"],
        ],
        ["tests/test_quantised.py", "-k", "decod and blocks"],
        ["tests/test_dispatches.py", "tests/test_explain.py", "-k", "as_their_devices_say or profile_names"],
    ],
    ids=["device", "kernels", "models", "blocks", "choices"],
)
def test_what_every_device_does(tests, stand_in, tmp_path):
    """The same tests, in a process that finds the stand-in."""
    environment = {"LD_LIBRARY_PATH": str(stand_in), "XDG_CACHE_HOME": str(tmp_path / "cache"), "DEVICE": "cuda"}
    environment |= {"CUDA_STAND_IN_MULTIPROCESSORS": "132", "SHARE": "1"}  # an H200's; of these tests all
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'pytest'}",
        *tests,
    ]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 3


def test_selftest(run):
    """Every kernel is compiled, bound and launched. A file that fails where several are compiled at once has a second try."""
    several = len(os.sched_getaffinity(0)) > 1
    done = run(
        "selftest", "--device", "cuda", "--only", "kernels", **{"FAIL": "nvrtcCompileProgram:2:6"} if several else {}
    )
    assert done.returncode == 0, done.stdout
    assert "PASSED: " in done.stdout and ("\ncompiled in parallel in " in done.stdout) == several


def test_selftest_without_a_cache(run):
    """There each file is compiled when its first kernel is prepared."""
    done = run("selftest", "--device", "cuda", "--only", "kernels", cache="/dev/null", FAIL="nvrtcCompileProgram:2:6")
    assert done.returncode == 1 and "FAILED: 1 of " in done.stdout, done.stdout
    assert "compiled in parallel" not in done.stdout


def test_selftest_of_products(run):
    assert "PASSED: " in run("selftest", "--device", "cuda", "--only", "products").stdout


# --- a model ---


def test_text(cuda):
    """As on the CPU; compiled once, and later taken from the cache."""
    expected = cuda(device="cpu")
    first, again = cuda(), cuda()
    assert first.returncode == expected.returncode == 0, first.stderr
    assert first.stdout == again.stdout == expected.stdout
    assert "cuda: stand-in 0, sm_90, 2 GiB" in first.stderr


@pytest.mark.parametrize(
    "options, settings",
    [
        (["--fusion", "off"], {}),
        (["--attention", "naive"], {}),
        (["--profile"], {}),
        (["--kernels", ROOT / "kernels"], {}),
        ([], {"MOST_THREADS": 96}),
        ([], {"ARCHITECTURE": 75}),
        ([], {"ARCHITECTURE": 120}),
        (["--weights", "f16"], {}),
    ],
    ids=str,
)
def test_text_in_other_ways(options, settings, cuda):
    """Through cuBLAS, measured, from sources, with few threads, on other GPUs: one of them newer than NVRTC."""
    expected, done = cuda(device="cpu"), cuda(*options, **settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected.stdout
    if "--profile" in options:
        assert re.search(r"^split_heads_f32 +\d+ ", done.stderr, re.M)


def test_blocks_beside_halves(run, tmp_path):
    """They are decoded from unless both would take most of the memory."""
    config = Config(layers=1, heads=16, channels=1024, inner=32, context=64, vocabulary=300)
    tensors = models.random_gpt2(config, numpy.random.default_rng(5))
    tokenizer = models.small_tokenizer(config.vocabulary)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, type="Q8_0", tokenizer=tokenizer)
    for mebibytes, both in [(16, False), (32, True)]:  # of 13.8 million bytes
        options = ["-n", 2, "--temp", 0, "--device", "cuda", "--profile"]
        done = run("run", "-m", path, PROMPT, *options, MEBIBYTES=mebibytes)
        assert done.returncode == 0, done.stderr
        assert ("integer_read_q8_0" in done.stderr) == both


# --- what fails ---


MESSAGES = [
    ({"FAIL": "cuInit:1:100"}, "the NVIDIA driver does not start: error 100"),
    ({"FAIL": "cuDeviceGetCount:1:3"}, "the NVIDIA driver finds no GPU"),
    ({"GPUS": 0}, "the NVIDIA driver finds no GPU"),
    ({"ARCHITECTURE": 61}, "this GPU is too old: compute capability 7.0 or newer is needed"),
    ({"ARCHITECTURE": 72}, "NVRTC cannot compile for this GPU (sm_72): install another version"),
    ({"FAIL": "nvrtcGetSupportedArchs:1:1"}, "NVRTC cannot compile for this GPU (sm_90): install another version"),
    ({"FAIL": "cuDevicePrimaryCtxRetain:1:2"}, "cuda: no context on this GPU: error 2"),
    ({"FAIL": "cuCtxSetCurrent:1:201"}, "cuda: no context on this GPU: error 201"),
    ({"FAIL": "cuStreamCreate:2:1"}, "cuda: no stream: error 1"),
    ({"FAIL": "cuEventCreate:7:1"}, "cuda: no event: error 1"),
    ({"FAIL": "cuMemAlloc_v2:3:2"}, "the GPU's memory is full: "),
    ({"FAIL": "cuMemcpyHtoDAsync_v2:1:700"}, "cuda: copy: error 700"),
    ({"FAIL": "cuModuleLoadData:1:222"}, "cuda: the driver refuses a compiled kernel; update the driver: error 222"),
    ({"FAIL": "cuModuleLoadData:1:2"}, "cuda: loading kernels: error 2"),
    ({"FAIL": "cuModuleGetFunction:1:500"}, "cuda: metal_"),
    ({"FAIL": "cuLaunchKernelEx:5:701"}, ": error 701"),
    ({"FAIL": "cuEventRecord:1:700"}, "cuda: submit: error 700"),
    ({"FAIL": "cuEventSynchronize:1:700"}, "cuda: a kernel failed: error 700"),
    ({"FAIL": "cuStreamWaitEvent:1:700"}, "cuda: read: error 700"),
    ({"FAIL": "cuStreamBeginCapture_v2:1:900"}, "cuda: recording a step: error 900"),
    ({"FAIL": "cuStreamEndCapture:1:901"}, "cuda: recording a step: error 901"),
    ({"FAIL": "cuGraphInstantiateWithFlags:1:1"}, "cuda: recording a step: error 1"),
    ({"FAIL": "cuGraphLaunch:2:719"}, "cuda: replaying a step: error 719"),
    ({"FAIL": "nvrtcCompileProgram:2:6"}, "error: told to fail"),
    ({"FAIL": "nvrtcCreateProgram:1:1"}, "memory"),
    ({"FAIL": "nvrtcGetCUBINSize:1:1"}, "memory"),
    ({"FAIL": "cublasCreate_v2:1:1"}, "cuda: cuBLAS does not start (1)"),
    ({"FAIL": "cublasSetStream_v2:1:7"}, "cuda: cuBLAS does not start (7)"),
    ({"FAIL": "cublasGemmEx:1:13"}, "cuda: cuBLAS fails (13) at a product of ["),
]


@pytest.mark.parametrize(
    "settings, message", MESSAGES, ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else ""
)
def test_message(settings, message, cuda):
    done = cuda("--fusion", "off", **settings) if "cublas" in str(settings) else cuda(**settings)
    assert done.returncode == 1, done.stderr
    assert last_line(done).startswith("metal-llm: ") and message in last_line(done)


RELEASES = re.compile("Free|Destroy|Unload|Release")  # what these say, nobody could do anything about


def test_every_call_fails(cuda, tmp_path, random):
    """Each function's first call, and one of the others: the right text all the same, or a message in one line."""
    counts = tmp_path / "calls"
    expected = cuda("--fusion", "off", CALLS=counts).stdout
    calls = dict(line.split() for line in counts.read_text().splitlines())
    assert len(calls) > 40
    tries = [
        f"{function}:{number}:999"
        for function, count in calls.items()
        for number in {1, int(random.integers(1, int(count) + 1))}
        if not RELEASES.search(function)
    ]

    def is_right(failing):
        done = cuda("--fusion", "off", FAIL=failing, cache=tmp_path / "none")
        whole = done.returncode == 0 and done.stdout == expected
        return whole or (done.returncode == 1 and last_line(done).startswith("metal-llm: "))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert [failing for failing, right in zip(tries, pool.map(is_right, tries)) if not right] == []


@pytest.mark.skipif(TOOLKIT.exists(), reason="the toolkit's own folder has all libraries")
@pytest.mark.parametrize(
    "without, message",
    [
        ("libcuda.so.1", "there is no NVIDIA driver (libcuda.so.1): install it"),
        ("libnvrtc.so.13", "libnvrtc.so of CUDA 12 or 13 is missing: install the package cuda-nvrtc"),
        ("libcublas.so.13", "libcublas.so of CUDA 12 or 13 is missing: install the package libcublas"),
    ],
)
def test_a_missing_library(without, message, cuda, tmp_path):
    folder = build(tmp_path, libraries=[name for name in LIBRARIES if name != without])
    done = cuda("--fusion", "off", libraries=folder)
    assert done.returncode == 1 and message in last_line(done)


def test_libraries_of_the_toolkit(cuda, tmp_path):
    """$CUDA_HOME/lib64, where the loader does not look."""
    (tmp_path / "lib64").mkdir()
    (tmp_path / "hidden").mkdir()
    build(tmp_path / "lib64")
    done = cuda(libraries=hide(tmp_path / "hidden"), home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_old_library(cuda, tmp_path):
    folder = build(tmp_path, "-DcuGraphLaunch=not_yet")
    done = cuda(libraries=folder)
    assert last_line(done) == "metal-llm: libcuda.so.1 is too old, it lacks cuGraphLaunch: CUDA 12 or newer is needed"


# --- the stand-in itself ---

WRONG = """
#include "stand_in.h"
int main(int count, char **arguments) {
    CUcontext context;
    CUstream stream;
    CUevent event;
    CUdeviceptr memory;
    float milliseconds, x[8] = {0};
    int wrong = count > 1 ? arguments[1][0] : 0;
    cuDevicePrimaryCtxRetain(&context, 0);
    if (wrong == 'c') cuMemAlloc_v2(&memory, 8);
    cuCtxSetCurrent(context);
    cuStreamCreate(&stream, CUDA_STREAM_NON_BLOCKING);
    cuEventCreate(&event, CUDA_EVENT_DISABLE_TIMING);
    cuMemAlloc_v2(&memory, 16);
    if (wrong == 'o') cuMemcpyHtoDAsync_v2(memory + 4, x, 16, stream);
    if (wrong == 't') cuEventElapsedTime(&milliseconds, event, event);
    if (wrong == 's') cuStreamBeginCapture_v2(stream, CUDA_CAPTURE_RELAXED), cuStreamSynchronize(stream);
    if (wrong != 'l') cuMemFree_v2(memory);
    if (wrong == 'f') cuMemFree_v2(memory);
    cuEventDestroy_v2(event);
    cuStreamDestroy_v2(stream);
    if (wrong != 'r') cuDevicePrimaryCtxRelease_v2(0);
    return 0;
}
"""


@pytest.fixture(scope="session")
def wrong(stand_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "wrong.c").write_text(WRONG)
    includes = [f"-I{each}" for each in (ROOT / "src", ROOT / "include", FOLDER)]
    libraries = [stand_in / "stand_in.so", BUILD / "libmetal_llm_internal.so"]
    flags = ["-Wl,--unresolved-symbols=ignore-in-shared-libs"]  # of a sanitizer that is preloaded
    command = [
        *os.environ.get("CC", "cc").split(),
        *includes,
        *flags,
        folder / "wrong.c",
        *libraries,
        "-o",
        folder / "wrong",
    ]
    subprocess.run(list(map(str, command)), check=True)
    return folder / "wrong"


@pytest.mark.parametrize(
    "what, said",
    [
        ("-", None),
        ("c", "cuMemAlloc_v2 without a context"),
        ("o", "16 bytes at .* are not in the device's memory"),
        ("t", "an event without timing"),
        ("s", "cuStreamSynchronize while the stream is captured"),
        ("l", "1 objects were not released, the first one is: memory"),
        ("f", "is no memory, or was released"),
        ("r", "a context was not released"),
    ],
)
def test_the_stand_in_notices(what, said, wrong):
    done = subprocess.run([wrong, what], capture_output=True, text=True)
    assert done.returncode == (FAILED if said else 0)
    assert re.search(said, done.stderr) if said else done.stderr == ""
