"""What of the CUDA target needs no GPU: NVRTC compiles every kernel, the cache of what it made, and
what a user reads where something is missing.

NVRTC comes from PyPI with the tests' other packages; DEVICE=cuda runs all tests on a GPU."""

import ctypes
import os
import pathlib
import subprocess
import threading

import pytest

import library as library_module
import nvrtc
from library import BUILD, COMMAND, ROOT
from toolchain import KERNELS as FOLDER, kernel_files

KERNELS = kernel_files()

HAS_DRIVER = pathlib.Path("/dev/nvidia0").exists()


def name_of(path):
    """As the program calls a file of kernels/."""
    return str(path.relative_to(FOLDER))


@pytest.fixture(scope="session")
def loaded_nvrtc():
    if not nvrtc.load():
        pytest.skip("NVRTC is not installed")


@pytest.fixture
def compile(loaded_nvrtc, library, source_text, tmp_path, monkeypatch):
    """compile(path, architecture) → machine code; a failure is raised as its message. The cache is a
    folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(path, architecture=90, text=None, partial=False):
        text = source_text(None, name_of(path)) if text is None else text
        return nvrtc.compile(library, path.name, text, architecture, partial)

    return run


def cached(tmp_path):
    return list((tmp_path / "cache" / "metal-llm").iterdir())


# Two have each line of msl/cuda/ in one of them. NVRTC is no code of ours: one is enough under the sanitizers.
EVERY = [(75, True), (90, False), (75, False), (80, False), (80, True), (90, True)]
VARIANTS = EVERY if "LONG" in os.environ else EVERY[: 1 if BUILD.name == "asan" else 2]


@pytest.mark.parametrize("architecture, partial", VARIANTS)
@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_every_kernel_compiles(path, architecture, partial, compile, library):
    """To machine code that has an entry point for each kernel of the file, also for threadgroups whose
    last simdgroup is partial."""
    code = compile(path, architecture, partial=partial)
    assert code.startswith(b"\x7fELF")
    table = library_module.kernel_table(library)
    for kernel in table.values():
        if kernel.file.decode() == name_of(path):
            assert b".text.metal_" + kernel.name + b"\0" in code


def test_unknown_architecture(compile):
    """A GPU newer than NVRTC gets code for the driver to compile, one that is too old a message."""
    assert b".target sm_" in compile(KERNELS[0], 999)
    with pytest.raises(RuntimeError, match="NVRTC cannot compile for this GPU .sm_20."):
        compile(KERNELS[0], 20)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"kernel void f(device float *x [[buffer(0)]]) { x[0] = y; }", 'x.metal.1.: error: .*"y"'),
        (b"kernel void f(device float *x [[buffer(0)]]) {", "x.metal:.: unbalanced braces"),
    ],
)
def test_wrong_kernel(text, message, compile):
    """One line with file and line."""
    with pytest.raises(RuntimeError, match=message) as caught:
        compile(pathlib.Path("x.metal"), text=b"#include <metal_stdlib>\nusing namespace metal;\n#line 1\n" + text)
    assert "\n" not in str(caught.value)


# --- the cache ---


def test_cache_is_used(compile, tmp_path):
    """The second time the code comes from the file, which is what it is told apart by here."""
    code = compile(KERNELS[0])
    (file,) = cached(tmp_path)
    assert file.read_bytes().endswith(code)
    before = file.stat().st_mtime_ns
    assert compile(KERNELS[0]) == code
    assert file.stat().st_mtime_ns == before
    compile(KERNELS[0], 80)
    compile(KERNELS[0], text=KERNELS[0].read_bytes() + b"// changed\n")
    assert len(cached(tmp_path)) == 3


@pytest.mark.parametrize("damage", ["empty", "half", "changed", "longer", "header"])
def test_damaged_cache_is_rebuilt(damage, compile, tmp_path):
    code = compile(KERNELS[0])
    (file,) = cached(tmp_path)
    whole = file.read_bytes()
    middle = len(whole) // 2
    broken = {
        "empty": b"",
        "half": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "longer": whole + b"\0",
        "header": b"X" + whole[1:],
    }
    file.write_bytes(broken[damage])
    assert compile(KERNELS[0]) == code
    assert file.read_bytes() == whole


def test_no_place_for_a_cache(compile, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert compile(KERNELS[0])


def test_two_at_once(compile, tmp_path):
    """Whoever is last leaves a whole file, and nothing else."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(compile(KERNELS[1]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and len(set(results)) == 1
    assert len(cached(tmp_path)) == 1
    assert compile(KERNELS[1]) == results[0]


# --- messages ---


@pytest.mark.skipif(HAS_DRIVER, reason="there is a GPU")
def test_no_driver():
    command = [COMMAND, "run", "Once", "--device", "cuda"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert run.returncode != 0
    assert run.stderr.strip().splitlines()[-1:] == ["metal-llm: there is no NVIDIA driver (libcuda.so.1): install it"]


def test_kernels_need_a_device_that_compiles():
    command = [COMMAND, "run", "Once", "--device", "cpu", "--kernels", ROOT / "kernels"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert run.returncode != 0
    assert "needs metal or cuda" in run.stderr.splitlines()[-1]


# --- kernels from a folder ---


@pytest.fixture
def source_text(library):
    """source_text(folder, file) → the text; a failure is raised as its message."""
    library.cuda_source_text.restype = ctypes.c_void_p
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]

    def run(folder, file):
        error = library_module.Error()
        folder = folder and str(folder).encode()
        text = library.cuda_source_text(folder, file.encode(), ctypes.byref(error))
        if not text:
            raise RuntimeError(error.message.decode())
        data = ctypes.string_at(text)
        free(text)
        return data

    return run


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_folder_of_the_same_kernels(path, source_text):
    """Each text begins with the file that it is from."""
    built_in, own = source_text(None, name_of(path)), source_text(FOLDER, name_of(path))
    assert own.startswith(f'#line 1 "{path}"\n'.encode())
    assert built_in == own.replace(f'"{FOLDER}/'.encode(), b'"')
    assert path.read_bytes().splitlines()[-1] in built_in.splitlines()


@pytest.mark.parametrize(
    "change, message",
    [
        (("gelu_forward", "gelu_backward"), "'gelu_forward' is not there with the parameters"),
        (("device float *out", "device const float *out"), "is not there with the parameters"),
        (("buffer(0)", "buffer(7)"), "is not there with the parameters"),
        (("constant uint &N [[buffer(2)]],", ""), "is not there with the parameters"),
        (
            ("using namespace", '#include "parts/none.h"\nusing namespace'),
            r"activation.metal:8: .parts/none.h. is not there",
        ),
        (("[[buffer(0)]]", "[[imageblock(0)]]"), r"activation.metal:\d+: attribute ..imageblock.. is not supported"),
    ],
    ids=str,
)
def test_folder_with_another_signature(change, message, source_text, tmp_path):
    text = (ROOT / "kernels" / "activation.metal").read_text()
    assert change[0] in text
    (tmp_path / "activation.metal").write_text(text.replace(*change))
    with pytest.raises(RuntimeError, match=message):
        source_text(tmp_path, "activation.metal")
    with pytest.raises(RuntimeError, match="linear.metal cannot be read"):
        source_text(tmp_path, "linear.metal")


def test_folder_with_another_constant(source_text, tmp_path):
    """What the host knows of the kernels stays as the program was built with it; the rest may change."""
    path = tmp_path / "fast/quantise.metal"
    path.parent.mkdir()
    text = (FOLDER / "fast/quantise.metal").read_text()
    path.write_text(text.replace("BLOCK = 32; // host:", "BLOCK = 64; // host:"))
    with pytest.raises(RuntimeError, match="quantise.metal: the program was built with BLOCK = 32; run make"):
        source_text(tmp_path, "fast/quantise.metal")
    path.write_text(text.replace("BLOCK = 32; //", "BLOCK = 16 + 0x10u; //"))
    assert b"0x10u" in source_text(tmp_path, "fast/quantise.metal")


def test_parts_are_those_of_cuda(source_text):
    """Also with a folder of kernels; where an older GPU lacks an instruction, the kernels' own come behind."""
    for folder in (None, FOLDER):
        text = source_text(folder, "fast/flash_attention_tiles.metal")
        assert text.count(b"ldmatrix.sync") == 2 and text.count(b"simdgroup_load(factor") == 1
        assert b"cuda::wait_for_previous_kernel();" in source_text(folder, "fast/fused_norm_linear.metal")
