"""The C code under test: every internal function of src/, loaded through ctypes.

BUILD selects the build folder (a sanitizer build has its own); the default is build/.
"""

import ctypes
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
COMMAND = BUILD / "metal-llm"
METAL_STANDS_IN = sys.platform == "linux"  # for Apple's frameworks: tests/apple/stand_in/
SLOW_DEVICES = ["simt", "metal"] if METAL_STANDS_IN else ["simt"]


class Error(ctypes.Structure):
    """LLMError of include/metal_llm.h."""

    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Tokens(ctypes.Structure):
    """LLMTokens of include/metal_llm.h."""

    _fields_ = [
        ("ids", ctypes.POINTER(ctypes.c_uint32)),
        ("count", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
    ]


class Parameter(ctypes.Structure):
    """KernelParameter of src/device/kernel.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("index", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
    ]
    READ, WRITE, CONSTANT, THREADGROUP = range(4)  # kinds


class Kernel(ctypes.Structure):
    """Kernel of src/device/kernel.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_int),
        ("parameter_count", ctypes.c_uint32),
        ("parameters", ctypes.POINTER(Parameter)),
    ]


def kernel_table(library):
    """Every kernel by its name, in the order of files and lines."""
    count = ctypes.c_size_t.in_dll(library, "kernel_count").value
    table = (Kernel * count).in_dll(library, "kernel_table")
    return {kernel.name.decode(): kernel for kernel in table}


def load(device=None):
    """The shared library of all of src/, with its internal functions visible. On Linux the device
    "metal" is in a library of its own."""
    folder = BUILD / "stand_in" if device == "metal" and METAL_STANDS_IN else BUILD
    return ctypes.CDLL(str(folder / "libmetal_llm_internal.so"))
