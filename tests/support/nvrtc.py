"""NVRTC from PyPI, and .metal files compiled by it through the program's own CUDA target."""

import ctypes
import pathlib

import library as library_module


def load():
    """NVRTC in this process, where the library under test finds it by its name; None if it is not
    installed."""
    try:
        import nvidia.cu13 as package
    except ImportError:
        return None
    folder = pathlib.Path(list(package.__path__)[0]) / "lib"
    names = sorted(folder.glob("libnvrtc*.so.13*"), key=lambda path: "builtins" not in path.name)
    assert names, f"{folder} has no NVRTC"
    return [ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL) for path in names if ".alt." not in path.name]


def compile(library, file, text, architecture=90, partial=False):
    """Machine code (cuda_compile of src/device/cuda_compile.h); raises RuntimeError with its message.

    library: of library.load(). file: the name that messages and line numbers refer to. text: bytes.
    """
    library.cuda_compile.restype = ctypes.c_void_p
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    error, size = library_module.Error(), ctypes.c_size_t()
    code = library.cuda_compile(file.encode(), text, architecture, partial, ctypes.byref(size), ctypes.byref(error))
    if not code:
        raise RuntimeError(error.message.decode())
    data = ctypes.string_at(code, size.value)
    free(code)
    return data


def source_text(library, name):
    """The text of a file of kernels/ with what it includes on CUDA."""
    library.cuda_source_text.restype = ctypes.c_void_p
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    text = library.cuda_source_text(None, name.encode(), None)
    data = ctypes.string_at(text)
    free(text)
    return data.decode()
