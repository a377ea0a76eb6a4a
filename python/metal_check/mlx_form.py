"""Kernels in the form of mx.fast.metal_kernel, on numpy arrays."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import arrays, source as sources
from .findings import CannotRun, Finding, Report
from .launch import check

Template = Sequence[tuple[str, Any]]
_PRELUDE = pathlib.Path(__file__).parent / "msl" / "mlx.h"
_CONSTANT = 8  # inputs of fewer elements are in constant memory
_ATOMIC = ("bool", "int32", "uint32", "uint64", "float32")
_ATTRIBUTES = {
    "dispatch_quadgroups_per_threadgroup": "uint", "dispatch_simdgroups_per_threadgroup": "uint",
    "dispatch_threads_per_threadgroup": "uint3", "grid_origin": "uint3", "grid_size": "uint3",
    "quadgroup_index_in_threadgroup": "uint", "quadgroups_per_threadgroup": "uint",
    "simdgroup_index_in_threadgroup": "uint", "simdgroups_per_threadgroup": "uint", "thread_execution_width": "uint",
    "thread_index_in_quadgroup": "uint", "thread_index_in_simdgroup": "uint", "thread_index_in_threadgroup": "uint",
    "thread_position_in_grid": "uint3", "thread_position_in_threadgroup": "uint3",
    "threadgroup_position_in_grid": "uint3", "threadgroups_per_grid": "uint3", "threads_per_grid": "uint3",
    "threads_per_simdgroup": "uint", "threads_per_threadgroup": "uint3",
}  # fmt: skip


class Outputs(list[Any]):
    """The arrays that a kernel wrote, and the report of its launch."""

    def __init__(self, outputs: Iterable[np.ndarray[Any, Any]], report: Report):
        super().__init__(outputs)
        self.report = report

    @property
    def findings(self) -> list[Finding]:
        return self.report.findings

    def raise_findings(self) -> None:
        """Raise FindingsError if anything was found."""
        self.report.raise_findings()


class MetalKernel:
    """A kernel as mx.fast.metal_kernel takes it: `source` is the body, its signature is made from the arrays.

    It is called as in MLX, on numpy arrays; what a call returns is a list of arrays with `.findings`. Lines in findings
    are those of the Python file in which the text stands, as far as it can be found there. Numbers among the inputs
    become arrays without axes: a float is float32, an int int32. compile_options have no effect.

    Beside MLX's arguments: seeds, orders of the threads to try; suppress, kinds of findings to leave out; options, for
    the command, such as ["--simd-width", "16"]; raise_findings, to raise FindingsError.
    """

    def __init__(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str = "",
        ensure_row_contiguous: bool = True,
        atomic_outputs: bool = False,
        compile_options: Mapping[str, Any] | None = None,
        *,
        seeds: int = 4,
        suppress: str | Iterable[str] = (),
        options: Iterable[str] = (),
        raise_findings: bool = False,
    ):
        if not output_names:
            raise ValueError(f"{name}: at least one output is needed")
        if not re.fullmatch(r"\w*", name, re.ASCII):
            raise ValueError(f"{name!r} becomes part of a function's name: letters, digits and _ are possible")
        self.name, self.source, self.header = name, source, header
        self.input_names = _names(name, "input_names", input_names)
        self.output_names = _names(name, "output_names", output_names)
        self.ensure_row_contiguous, self.atomic_outputs = ensure_row_contiguous, atomic_outputs
        self.options, self.seeds, self.suppress = list(options), seeds, suppress
        self.raises = raise_findings
        self.file, self.line = sources.caller()

    def __call__(
        self,
        *,
        inputs: Sequence[ArrayLike],
        output_shapes: Sequence[Sequence[int]],
        output_dtypes: Sequence[Any],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        template: Template | None = None,
        init_value: float | None = None,
        verbose: bool = False,
        stream: Any = None,
    ) -> Outputs:
        """Run the kernel.

        grid: threads of the whole grid, as MLX counts. template: pairs of a name and a bool, an int or a dtype.
        init_value: what the outputs hold before; without it nothing, and to read them is a finding. verbose prints
        the kernel's text. stream has no effect.
        """
        self._check_counts(inputs, output_shapes, output_dtypes)
        self._check_sizes(output_shapes, grid, threadgroup)
        template = list(template or [])
        signature, bound = self._bind(self._arrays(inputs), output_shapes, self._dtypes(output_dtypes), init_value)
        text = self._text(template, signature)
        if verbose:
            print(f"Generated source code for `{self.name}`:\n```\n{text}\n```")
        group = [min(a, b) for a, b in zip(threadgroup, grid)]
        path = sources.written(text, f"{self._kernel[:100]}.metal")
        with _explained():
            report = check(
                path, self._kernel, grid, group, bound, seeds=self.seeds, suppress=self.suppress, options=self.options,
                raise_findings=self.raises, shown_as=self.file,
            )  # fmt: skip
        first = len(bound) - len(self.output_names)
        return Outputs([report.outputs[first + i] for i in range(len(self.output_names))], report)

    @property
    def _kernel(self) -> str:
        return f"custom_kernel_{self.name}"

    def _check_counts(self, inputs: Sequence[Any], shapes: Sequence[Any], dtypes: Sequence[Any]) -> None:
        wanted = [
            ("inputs", inputs, self.input_names),
            ("output_shapes", shapes, self.output_names),
            ("output_dtypes", dtypes, self.output_names),
        ]
        for what, given, names in wanted:
            if not isinstance(given, (list, tuple)):
                raise ValueError(f"{self.name}: {what} is a list, with one for each of {', '.join(names)}")
            if len(given) != len(names):
                raise ValueError(f"{self.name}: {len(names)} {what} are needed, {len(given)} are given")

    def _check_sizes(self, shapes: Sequence[Any], grid: Any, threadgroup: Any) -> None:
        for name, shape in zip(self.output_names, shapes):
            if not _are_sizes(shape, 0):
                raise ValueError(f"{self.name}: output_shapes: {shape!r} is no shape for '{name}'; one is (64, 768)")
        for what, size in (("grid", grid), ("threadgroup", threadgroup)):
            if not _are_sizes(size, 1) or len(size) != 3:
                raise ValueError(f"{self.name}: {what}={size!r}: three whole numbers from 1 on are needed, (256, 1, 1)")

    def _arrays(self, inputs: Sequence[ArrayLike]) -> list[np.ndarray[Any, Any]]:
        given = []
        for name, value in zip(self.input_names, inputs):
            with _of(f"{self.name}: input '{name}'"):
                given.append(_input(value))
        return given

    def _dtypes(self, dtypes: Sequence[Any]) -> list[np.dtype[Any]]:
        given = []
        for name, dtype in zip(self.output_names, dtypes):
            with _of(f"{self.name}: output '{name}'"):
                given.append(arrays.dtype_of(dtype))
                if self.atomic_outputs and given[-1].name not in _ATOMIC:
                    raise TypeError(f"Metal has no atomic {given[-1].name}, only {', '.join(_ATOMIC)}")
        return given

    def _bind(
        self,
        inputs: list[np.ndarray[Any, Any]],
        shapes: Sequence[Sequence[int]],
        dtypes: list[np.dtype[Any]],
        init: float | None,
    ) -> tuple[list[str], dict[int | str, Any]]:
        """The parameters as text, and what each is given."""
        parameters: list[str] = []
        bound: dict[int | str, Any] = {}

        def add(declaration: str, content: Any) -> None:
            parameters.append(f"{declaration} [[buffer({len(bound)})]]")
            bound[len(bound)] = content

        for name, array in zip(self.input_names, inputs):
            memory, strides = _memory(array, self.ensure_row_contiguous)
            space = "constant" if array.size < _CONSTANT else "device"
            add(f"const {space} {arrays.metal_type(array.dtype)}{'*' if array.ndim else '&'} {name}", memory)
            if array.ndim and f"{name}_shape" in self.source:
                add(f"const constant int* {name}_shape", np.array(array.shape, np.int32))
            if array.ndim and f"{name}_strides" in self.source:
                add(f"const constant int64_t* {name}_strides", np.array(strides, np.int64))
            if array.ndim and f"{name}_ndim" in self.source:
                add(f"const constant int& {name}_ndim", np.int32(array.ndim))
        for name, shape, dtype in zip(self.output_names, shapes, dtypes):
            kind = arrays.metal_type(dtype)
            content: Any = arrays.empty(tuple(map(int, shape)), dtype)
            if init is not None:
                content = _filled(tuple(shape), init, dtype)
            add(f"device {f'atomic<{kind}>' if self.atomic_outputs else kind}* {name}", content)
        parameters += [f"{kind} {name} [[{name}]]" for name, kind in _ATTRIBUTES.items() if name in self.source]
        return parameters, bound

    def _text(self, template: Template, parameters: list[str]) -> str:
        function = self._kernel if not template else f"{self._kernel}_of"
        here = sources.line_mark(self.line, self.file or self.name)
        for argument in template:
            _check_argument(self.name, argument)
        head = f"template <{', '.join(_declare(*argument) for argument in template)}> " if template else ""
        values = f"{function}<{', '.join(_value(value) for _, value in template)}>"
        instance = f'{here}template [[host_name("{self._kernel}")]] [[kernel]] decltype({values}) {values};\n'
        lines = ",\n    ".join(parameters)
        return (
            f'#line 1 "mlx.h"\n{_PRELUDE.read_text(encoding="utf-8")}'
            + (sources.marked(self.header, self.file, f"{self.name}.header.metal") if self.header else "")
            + f"{here}{head}[[kernel]] void {function}(\n    {lines}) {{\n"
            + sources.marked(self.source, self.file, f"{self.name}.metal")
            + f"{here}}}\n"
            + (instance if template else "")
            + here.rstrip()  # the end of the file, where an open brace shows
        )


metal_kernel = MetalKernel
"""The name that MLX has for it."""


def _names(kernel: str, what: str, names: Sequence[str]) -> list[str]:
    if isinstance(names, str):
        raise ValueError(f"{kernel}: {what} is a list: [{names!r}]")
    for i, name in enumerate(names):
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise ValueError(f"{kernel}: {what}: {name!r} is no name of a parameter")
        if name in names[:i]:
            raise ValueError(f"{kernel}: {what}: {name!r} is there twice")
    return list(names)


def _are_sizes(sizes: Any, least: int) -> bool:
    return isinstance(sizes, (list, tuple)) and all(isinstance(n, (int, np.integer)) and n >= least for n in sizes)


@contextlib.contextmanager
def _of(what: str) -> Iterator[None]:
    """A type that Metal has not is told with what has it."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{what}: {error}") from None


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except CannotRun as error:
        if "function definition is not allowed here" not in str(error):
            raise
        hint = (
            "source is the body of the kernel alone, its signature is made from the arrays; functions stand in header"
        )
        raise CannotRun([*error.errors, {"message": hint}]) from None


def _input(value: ArrayLike) -> np.ndarray[Any, Any]:
    if isinstance(value, bool):
        return np.array(value)
    if isinstance(value, int):
        return np.array(value, np.int32)
    if isinstance(value, float):
        return np.array(value, np.float32)
    array = np.asarray(value)
    arrays.dtype_of(array.dtype)
    return array


def _memory(array: np.ndarray[Any, Any], row_contiguous: bool) -> tuple[np.ndarray[Any, Any], list[int]]:
    """What the kernel is given, and its strides in elements: a copy in row-major order, or the memory as it is."""
    backwards = any(stride < 0 for stride in array.strides)
    if row_contiguous or backwards or not array.size:
        array = np.ascontiguousarray(array).reshape(array.shape)
    strides = [stride // array.itemsize for stride in array.strides]
    if array.flags.c_contiguous:
        return array, strides
    extent = 1 + sum((n - 1) * stride for n, stride in zip(array.shape, strides))
    return np.lib.stride_tricks.as_strided(array, (extent,), (array.itemsize,)), strides


def _filled(shape: tuple[int, ...], value: float, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind in "iu" and not np.isfinite(value):
        raise ValueError(f"init_value={value} is no {dtype.name}")
    return np.full(shape, value, dtype)


def _check_argument(kernel: str, argument: Any) -> None:
    if not isinstance(argument, (list, tuple)) or len(argument) != 2:
        raise ValueError(f'{kernel}: template is a list of pairs, ("N", 32) or ("T", dtype); {argument!r} is none')
    with _of(f"{kernel}: template argument '{argument[0]}'"):
        if isinstance(argument[1], float):
            raise TypeError(f"{argument[1]} is a float; a bool, an int or a dtype is possible")
        _value(argument[1])


def _declare(name: str, value: Any) -> str:
    return (
        f"{'bool' if isinstance(value, bool) else 'int' if isinstance(value, (int, np.integer)) else 'typename'} {name}"
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, (int, np.integer)) else arrays.metal_type(value)
