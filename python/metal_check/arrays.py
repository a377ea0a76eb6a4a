"""numpy's arrays and types in metal-check's words, and in Metal's."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

_ELEMENTS = {
    "float32": "f32", "float16": "f16", "bfloat16": "u16", "bool": "u8", "int8": "i8", "uint8": "u8", "int16": "i16",
    "uint16": "u16", "int32": "i32", "uint32": "u32", "int64": "i64", "uint64": "u64",
}  # fmt: skip
_METAL = {
    "float32": "float", "float16": "float16_t", "bfloat16": "bfloat16_t", "bool": "bool", "int8": "int8_t",
    "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t", "uint32": "uint32_t",
    "int64": "int64_t", "uint64": "uint64_t",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Empty:
    """A buffer that nothing wrote: to read it before the kernel has written it is a finding, and so are elements that
    no thread writes."""

    shape: tuple[int, ...]
    dtype: Any = "float32"


def empty(shape: int | tuple[int, ...], dtype: DTypeLike = "float32") -> Empty:
    """A buffer of that shape that nothing wrote."""
    return Empty((shape,) if isinstance(shape, int) else tuple(shape), dtype_of(dtype))


def dtype_of(dtype: DTypeLike) -> np.dtype[Any]:
    """The numpy type that is meant; "bfloat16" needs ml_dtypes. TypeError for what Metal has not."""
    if dtype == "bfloat16":
        dtype = _bfloat16()
    kind = np.dtype(dtype)
    if kind.name not in _ELEMENTS:
        raise TypeError(f"Metal has no {kind.name}{', use float32' if kind.kind == 'f' else ''}")
    return kind


def _bfloat16() -> Any:
    try:
        import ml_dtypes
    except ImportError:
        raise TypeError("bfloat16 needs ml_dtypes: pip install ml_dtypes") from None
    return ml_dtypes.bfloat16


def element(dtype: DTypeLike) -> str:
    """ "f32" """
    return _ELEMENTS[dtype_of(dtype).name]


def metal_type(dtype: DTypeLike) -> str:
    """What MLX calls the type in a kernel: "float16_t"."""
    return _METAL[dtype_of(dtype).name]


def plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same bytes in a type that a .npy file has: bfloat16 as uint16, bool as uint8."""
    dtype = dtype_of(array.dtype)
    array = np.ascontiguousarray(array).reshape(array.shape)
    if dtype.name == "bfloat16":
        return array.view(np.uint16)
    return array.view(np.uint8) if dtype.name == "bool" else array
