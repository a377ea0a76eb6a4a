"""The shared library and its structures, as metal_llm.h has them."""

import ctypes
import ctypes.util
import enum
import functools
import os
import pathlib
import shutil
import sys
from collections.abc import Iterable
from typing import Any

VERSION = "0.2."  # the interface changes with the second number


class Status(enum.IntEnum):
    """LLMStatus."""

    OK, ARGUMENT, FILE, FORMAT, MEMORY, DEVICE, CONTEXT, NUMERIC, BUSY = range(9)


class Failure(Exception):
    """What the library reports: one line, and which kind of error it is."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = Status(status)


def check_fields(structure: type[ctypes.Structure], given: Iterable[str]) -> None:
    """ctypes would take any name, and do nothing with it."""
    if unknown := set(given) - {name for name, *_ in structure._fields_}:
        raise TypeError(f"LLM{structure.__name__} has no field {', '.join(sorted(unknown))}: see metal_llm.h")


class Error(ctypes.Structure):
    """LLMError."""

    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Options(ctypes.Structure):
    """LLMOptions."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        *[(name, ctypes.c_int) for name in ("device", "attention", "fusion", "cache", "weights", "integer_products")],
        *[(name, ctypes.c_uint32) for name in ("threads", "context", "batch")],
        ("profile", ctypes.c_bool),
        ("no_mmap", ctypes.c_bool),
        ("kernels", ctypes.c_char_p),
        ("metal_device", ctypes.c_void_p),
        ("sessions", ctypes.c_size_t),
        ("cache_memory", ctypes.c_size_t),
        ("chat_template", ctypes.c_char_p),
    ]


class Info(ctypes.Structure):
    """LLMInfo."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        *[(name, ctypes.c_char_p) for name in ("format", "name", "weights", "device")],
        *[(name, ctypes.c_uint32) for name in ("layers", "heads", "channels", "inner", "context", "vocabulary")],
        *[(name, ctypes.c_uint64) for name in ("parameters", "weight_bytes", "cache_bytes")],
        *[(name, ctypes.c_uint32) for name in ("end_of_text", "begin_of_text", "head_size", "model_context")],
        *[(name, ctypes.c_uint64) for name in ("step_bytes", "layer_weights")],
    ]


class Tokens(ctypes.Structure):
    """LLMTokens."""

    _fields_ = [("ids", ctypes.POINTER(ctypes.c_uint32)), ("count", ctypes.c_size_t), ("capacity", ctypes.c_size_t)]


class LogitBias(ctypes.Structure):
    """LLMLogitBias."""

    _fields_ = [("token", ctypes.c_uint32), ("bias", ctypes.c_float)]


TextCallback = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t
)
WaitCallback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)


class Generation(ctypes.Structure):
    """LLMGeneration."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("seed", ctypes.c_uint64),
        ("temperature", ctypes.c_float),
        ("top_p", ctypes.c_float),
        ("top_k", ctypes.c_uint32),
        ("ignore_end", ctypes.c_bool),
        ("on_token", ctypes.c_void_p),
        ("user", ctypes.c_void_p),
        *[(name, ctypes.c_float) for name in ("min_p", "typical_p", "repetition_penalty")],
        *[(name, ctypes.c_float) for name in ("presence_penalty", "frequency_penalty")],
        ("penalty_window", ctypes.c_uint32),
        ("logit_bias", ctypes.POINTER(LogitBias)),
        ("logit_bias_count", ctypes.c_size_t),
        ("stops", ctypes.POINTER(ctypes.c_char_p)),
        ("stop_count", ctypes.c_size_t),
        ("on_text", TextCallback),
        ("on_logprobs", ctypes.c_void_p),
        ("ends", ctypes.POINTER(ctypes.c_int)),
        ("logprobs", ctypes.c_size_t),
        ("json_schema", ctypes.c_char_p),
        ("on_wait", WaitCallback),
        ("shift", ctypes.c_size_t),
    ]


class Head(ctypes.Structure):
    """LLMHead."""

    _fields_ = [("layer", ctypes.c_uint32), ("head", ctypes.c_uint32)]


class Inspection(ctypes.Structure):
    """LLMInspection."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("first", ctypes.c_uint32),
        *[(name, ctypes.c_void_p) for name in ("logits", "logprobs", "log_sums", "top")],
        ("top_count", ctypes.c_size_t),
        ("lens", ctypes.c_void_p),
        ("lens_count", ctypes.c_size_t),
        *[(name, ctypes.c_uint32) for name in ("token", "token_count")],
        ("attention", ctypes.c_void_p),
        ("head", Head),
        ("head_attention", ctypes.c_void_p),
        ("heads_off", ctypes.POINTER(Head)),
        ("heads_off_count", ctypes.c_size_t),
        ("mlps_off", ctypes.POINTER(ctypes.c_uint32)),
        ("mlps_off_count", ctypes.c_size_t),
    ]


class SessionInfo(ctypes.Structure):
    """LLMSessionInfo."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("ids", ctypes.POINTER(ctypes.c_uint32)),
        *[(name, ctypes.c_size_t) for name in ("tokens", "messages", "cached", "computed")],
    ]


_POINTER, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
_ERROR, _TOKENS, _GENERATION = ctypes.POINTER(Error), ctypes.POINTER(Tokens), ctypes.POINTER(Generation)
_FLOATS = ctypes.POINTER(ctypes.c_float)

# Of each function its result, and what it takes.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "llm_version": (_TEXT,),
    "llm_pipeline_open": (_POINTER, _TEXT, ctypes.POINTER(Options), _ERROR),
    "llm_pipeline_close": (None, _POINTER),
    "llm_info": (ctypes.POINTER(Info), _POINTER),
    "llm_encode_bytes": (Tokens, _POINTER, _TEXT, _SIZE, ctypes.c_uint32, _ERROR),
    "llm_decode": (_POINTER, _POINTER, _TOKENS, _ERROR),
    "llm_logits": (None, _POINTER, _TOKENS, _FLOATS, _ERROR),
    "llm_losses": (None, _POINTER, _TOKENS, _FLOATS, _ERROR),
    "llm_hidden_states": (None, _POINTER, _TOKENS, _FLOATS, _ERROR),
    "llm_inspect": (None, _POINTER, _TOKENS, ctypes.POINTER(Inspection), _ERROR),
    "llm_session_open": (_POINTER, _POINTER, _ERROR),
    "llm_session_close": (None, _POINTER),
    "llm_session_add_tokens": (None, _POINTER, _TOKENS, _ERROR),
    "llm_session_add_message": (None, _POINTER, _TEXT, _TEXT, _ERROR),
    "llm_session_generate": (_SIZE, _POINTER, _SIZE, _GENERATION, _ERROR),
    "llm_session_rewind": (None, _POINTER, _SIZE, _ERROR),
    "llm_session_info": (ctypes.POINTER(SessionInfo), _POINTER),
    "llm_tokens_free": (None, _TOKENS),
    "llm_free": (None, _POINTER),
}


def _path() -> str:
    """As METAL_LLM_LIBRARY says, of the installation that the command belongs to, or wherever the system looks."""
    name = "libmetal-llm.dylib" if sys.platform == "darwin" else "libmetal-llm.so"
    command = shutil.which("metal-llm")
    beside = pathlib.Path(command).resolve().parent.parent / "lib" / name if command else None
    if given := os.environ.get("METAL_LLM_LIBRARY"):
        return given
    if beside and beside.exists():
        return str(beside)
    return ctypes.util.find_library("metal-llm") or name


@functools.cache
def library() -> ctypes.CDLL:
    """Loaded when it is first needed."""
    try:
        found = ctypes.CDLL(_path())
    except OSError as error:
        raise ImportError(
            f"libmetal-llm is not installed: `make install`, or set METAL_LLM_LIBRARY ({error})"
        ) from None
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    version = found.llm_version().decode()
    if not version.startswith(VERSION):
        raise ImportError(f"libmetal-llm is version {version}, and this package is for {VERSION}x")
    return found


def string(data: bytes, what: str) -> bytes:
    """For a parameter that ends at the first NUL: refused is a text that has one."""
    if b"\0" in data:
        raise ValueError(f"{what} has a NUL character: leave it out")
    return data


def call(name: str, *arguments: Any) -> Any:
    """A function whose last parameter is an LLMError: what it reports is raised."""
    error = Error()
    result = getattr(library(), name)(*arguments, ctypes.byref(error))
    if error.status:
        raise Failure(error.status, error.message.decode())
    return result
