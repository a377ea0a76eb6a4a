"""MLX's CPU build made to run kernels of mx.fast.metal_kernel here, checked; for tests.

What asks MLX for a GPU is told there is one: mx.gpu is then a second name of the CPU, which differs from mx.cpu when
the two are compared. Kernels are run when they are called, so mx.compile is switched off; a derivative through one
that has no vjp of its own is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .mlx_form import MetalKernel

_MEMORY = 64 << 30
_state: dict[str, Any] = {}
settings: dict[str, Any] = {"seeds": 2, "suppress": []}
"""What metal_kernel is given beside MLX's own arguments."""


def install() -> None:
    """Change MLX for this process. ImportError if it is not here; nothing happens where there is a real GPU."""
    import mlx.core as mx

    if _state or mx.metal.is_available():
        return
    gpu = _gpu_of(mx)
    _state.update(
        gpu=gpu, default=gpu, set_default_device=mx.set_default_device, dtypes=_dtypes(mx), is_available=_asks(mx),
        stream=mx.stream, new_stream=mx.new_stream,
    )  # fmt: skip
    mx.disable_compile()
    mx.compile = _uncompiled
    mx.enable_compile = lambda: None
    mx.gpu = gpu
    mx.default_device = lambda: _state["default"]
    mx.set_default_device = _set_default_device
    mx.stream = _StreamContext
    mx.new_stream = _new_stream
    mx.metal.is_available = lambda: True
    if hasattr(mx, "is_available"):
        mx.is_available = lambda device: device is gpu or _state["is_available"](device)
    mx.device_info = lambda *_: dict(_INFO)
    mx.metal.device_info = mx.device_info
    for name in ("set_wired_limit", "set_memory_limit", "set_cache_limit"):
        if hasattr(mx, name):
            setattr(mx, name, lambda *_, **__: 0)
    mx.fast.metal_kernel = _metal_kernel


_INFO = {
    "architecture": "metal-check",
    "device_name": "metal-check",
    "max_buffer_length": _MEMORY,
    "max_recommended_working_set_size": _MEMORY,
    "memory_size": _MEMORY,
    "resource_limit": 499000,
}


def _asks(mx: Any) -> Callable[[Any], bool]:
    return getattr(mx, "is_available", lambda device: True)


def _gpu_of(mx: Any) -> Any:
    class GPU(mx.Device):  # type: ignore[misc]  # a device that MLX runs on the CPU
        @property
        def type(self) -> Any:
            return mx.DeviceType.gpu

        def __eq__(self, other: object) -> bool:
            return other is self or (isinstance(other, mx.DeviceType) and other == mx.DeviceType.gpu)

        def __ne__(self, other: object) -> bool:
            return not self == other

        def __hash__(self) -> int:
            return hash("metal-check's GPU")

        def __repr__(self) -> str:
            return "Device(gpu, 0)"

    return GPU(mx.cpu, 0)


def _device_of(where: Any) -> Any:
    """The device of a device, of a kind of device, or of a stream: the GPU's unless it was made for the CPU."""
    import mlx.core as mx

    if isinstance(where, mx.Device):
        return where
    is_cpu = where == mx.DeviceType.cpu if isinstance(where, mx.DeviceType) else str(where) in _cpu_streams
    return mx.Device(mx.cpu, 0) if is_cpu else _state["gpu"]


_cpu_streams: set[str] = set()


def _native(where: Any) -> Any:
    import mlx.core as mx

    return _state["gpu"] if where == mx.DeviceType.gpu else where


def _set_default_device(device: Any) -> None:
    _state["default"] = _device_of(device)
    _state["set_default_device"](_native(device))


def _new_stream(device: Any) -> Any:
    stream = _state["new_stream"](_native(device))
    if _device_of(device) is not _state["gpu"]:
        _cpu_streams.add(str(stream))
    return stream


class _StreamContext:
    """mx.stream: inside, the default device is the stream's."""

    def __init__(self, where: Any):
        self._device, self._context = _device_of(where), _state["stream"](_native(where))

    def __enter__(self) -> Any:
        self._before, _state["default"] = _state["default"], self._device
        return self._context.__enter__()

    def __exit__(self, *raised: Any) -> Any:
        _state["default"] = self._before
        return self._context.__exit__(*raised)


def _uncompiled(fun: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    return fun if fun is not None else lambda function: function


# --- arrays ---


def _dtypes(mx: Any) -> dict[Any, str]:
    names = "float32 float16 bfloat16 int8 uint8 int16 uint16 int32 uint32 int64 uint64".split()
    return {getattr(mx, name): name for name in names} | {mx.bool_: "bool"}


def _dtype(dtype: Any) -> Any:
    """numpy's type for MLX's; what else a template argument is stays as it is."""
    from . import arrays

    return arrays.dtype_of(_state["dtypes"][dtype]) if dtype in _state["dtypes"] else dtype


def _argument(argument: Any) -> Any:
    """Of a template; MetalKernel refuses what is no pair."""
    is_pair = isinstance(argument, (list, tuple)) and len(argument) == 2
    return (argument[0], _dtype(argument[1])) if is_pair else argument


def _to_numpy(array: Any) -> np.ndarray[Any, Any]:
    """With its strides, where they are to be seen."""
    import mlx.core as mx

    if array.dtype == mx.bfloat16:
        return np.asarray(array.view(mx.uint16)).view(_dtype(mx.bfloat16))
    return np.asarray(array)


def _to_mlx(array: np.ndarray[Any, Any]) -> Any:
    import mlx.core as mx

    if array.dtype.name == "bfloat16":
        return mx.array(array.view(np.uint16)).view(mx.bfloat16)
    return mx.array(array)


# --- kernels ---


def _metal_kernel(*arguments: Any, **named: Any) -> Callable[..., list[Any]]:
    kernel = MetalKernel(*arguments, **settings | named)

    def call(
        *,
        inputs: Sequence[Any],
        template: Sequence[tuple[str, Any]] | None = None,
        output_dtypes: Sequence[Any],
        stream: Any = None,
        **launch: Any,
    ) -> list[Any]:
        import mlx.core as mx

        if stream is not None and _device_of(stream) is not _state["gpu"]:
            raise ValueError("[metal_kernel] Only supports the GPU.")  # as MLX says it
        values = [mx.array(x) if isinstance(x, (bool, int, float)) else x for x in inputs]

        def run(*given: Any) -> tuple[Any, ...]:
            outputs = kernel(
                inputs=[_to_numpy(x) for x in given],
                template=[_argument(argument) for argument in template or []],
                output_dtypes=[_dtype(dtype) for dtype in output_dtypes],
                **launch,
            )
            return tuple(map(_to_mlx, outputs))

        return list(_without_derivative(mx, kernel.name, run)(*values) if values else run())

    return call


def _without_derivative(mx: Any, name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """A function that MLX takes no derivative of, and says so."""

    def refuse(what: str) -> Callable[..., Any]:
        def refused(*_: Any) -> Any:
            raise NotImplementedError(f"the kernel '{name}' has no {what}: give it one by mx.custom_function")

        return refused

    function: Callable[..., Any] = mx.custom_function(run)
    for transform in ("vjp", "jvp", "vmap"):
        getattr(function, transform)(refuse(transform))
    return function
