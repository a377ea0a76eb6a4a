"""The C code under test: every internal function of src/, loaded through ctypes.

BUILD selects the build folder (a sanitizer build has its own); the default is build/.
"""

import ctypes
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
COMMAND = BUILD / "metal-llm"


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


def load():
    """The shared library of all of src/, with its internal functions visible."""
    return ctypes.CDLL(str(BUILD / "libmetal_llm_internal.so"))
