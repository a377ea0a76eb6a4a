"""Kernels in the form of torch.mps.compile_shader, on numpy arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import arrays, command, source as sources
from .findings import Report
from .launch import Size, check

_MOST_THREADS = 1024
_SCALARS = {
    "float": "f4", "half": "f2", "bfloat": "bfloat16", "int": "i4", "uint": "u4", "short": "i2", "ushort": "u2",
    "char": "i1", "uchar": "u1", "bool": "u1", "long": "i8", "ulong": "u8", "size_t": "u8", "int64_t": "i8",
    "uint64_t": "u8", "int32_t": "i4", "uint32_t": "u4", "int16_t": "i2", "uint16_t": "u2", "int8_t": "i1",
    "uint8_t": "u1",
}  # fmt: skip
_CASTS = {"fp16": "f2", "bf16": "bfloat16", "int32": "i4", "int16": "i2", "int8": "i1", "uint8": "u1"}
_CAST_FOR = {kind: name for name, kind in _CASTS.items()} | {"u4": "int32", "u2": "int16"}


class ShaderKernel:
    """One kernel of a library: call it with its arguments in the order of their indices.

    Arrays are changed in place, as tensors would be. Of numbers, and sequences of numbers for vectors, PyTorch passes
    the bits: of floats 32, of ints 64, or as arg_casts has it ("fp16", "bf16", "int32", "int16", "int8", "uint8", for all
    or by index); what the parameter would read wrongly is refused. threads: of the whole grid, by default one for each
    element of the first array; group_size: of a threadgroup, by default as many as fit in one.
    """

    def __init__(self, library: ShaderLibrary, json: dict[str, Any]):
        self._library, self.name = library, json["name"]
        self._parameters = {p["index"]: p for p in json["parameters"] if p["kind"] in ("buffer", "value")}
        self.max_threads_per_threadgroup = _MOST_THREADS
        self.thread_execution_width = 32

    def __call__(
        self,
        *arguments: Any,
        threads: Size | None = None,
        group_size: Size | None = None,
        arg_casts: str | Mapping[int, str] | None = None,
        error_buf_idx: int | None = None,
    ) -> Report:
        if error_buf_idx is not None:
            raise TypeError(f"{self.name}: error_buf_idx is not supported: give an array of zeros as that argument")
        casts = arg_casts if isinstance(arg_casts, Mapping) else dict.fromkeys(range(len(arguments)), arg_casts)
        lists = {index: argument for index, argument in enumerate(arguments) if self._is_list(index, argument)}
        members = {key: array for index, argument in lists.items() for key, array in self._members(index, argument)}
        bound: dict[int | str, Any] = members | {
            index: self._content(index, argument, casts.get(index))
            for index, argument in enumerate(arguments)
            if index not in lists
        }
        missing = [f"'{p['name']}'" for index, p in self._parameters.items() if index >= len(arguments)]
        if missing:
            raise TypeError(f"{self.name}: {', '.join(missing)} must be given, too")
        given = [argument for argument in arguments if isinstance(argument, np.ndarray)]
        if threads is None and not given:
            raise ValueError(f"{self.name}: threads=… is needed where no argument is an array")
        grid: Size = threads if threads is not None else given[0].size
        first = grid if isinstance(grid, (int, np.integer)) else grid[0]
        report = check(
            self._library.path, self.name, grid, group_size if group_size is not None else min(_MOST_THREADS, int(first)),
            bound, **self._library.options,
        )  # fmt: skip
        for index, argument in enumerate(arguments):
            if isinstance(argument, np.ndarray) and self._parameters[index]["writable"]:
                argument[...] = report.outputs[index]
        for key, array in members.items():
            if array.flags.writeable:
                array[...] = report.outputs[key]
        if self._library.raises:
            report.raise_findings()
        return report

    def _structure(self, index: int) -> Any:
        return self._library.structs.get(self._parameters.get(index, {}).get("type", ""))

    def _is_list(self, index: int, argument: Any) -> bool:
        return _are_arrays(argument) and self._structure(index) is not None

    def _members(self, index: int, given: Sequence[np.ndarray[Any, Any]]) -> list[tuple[str, np.ndarray[Any, Any]]]:
        """Of a list of arrays PyTorch passes the addresses: to the pointers of a structure, in their order."""
        pointers = [member for member in self._structure(index) if _is_pointer(member)]
        names = [
            f"{member['name']}[{i}]" if member["count"] > 1 else member["name"]
            for member in pointers
            for i in range(member["count"])
        ]
        if len(names) < len(given):
            raise TypeError(
                f"{self.name}: [[buffer({index})]] gets a list of {len(given)} arrays: "
                f"declare a structure of as many pointers for it, it has {len(names)}"
            )
        return [(f"{index}.{name}", array) for name, array in zip(names, given)]

    def _content(self, index: int, argument: Any, cast: str | None) -> Any:
        parameter = self._parameters.get(index)
        if parameter is None:
            raise ValueError(f"{self.name} has no [[buffer({index})]]")
        if isinstance(argument, np.ndarray) and not argument.flags.c_contiguous:
            raise ValueError(f"{self.name}: '{parameter['name']}' is not contiguous")
        if isinstance(argument, np.ndarray):
            return argument
        kind = _SCALARS.get(parameter["type"].rstrip("234"))
        if kind is None or not _are_numbers(argument):
            raise TypeError(f"{self.name}: '{parameter['name']}' is a {parameter['type']}; give it as an array")
        wanted, passed = arrays.dtype_of(kind), _passed(argument, cast)
        if not _reads(wanted, passed, isinstance(argument, Sequence)):
            words = {"float32": "a float", "int64": "an integer of 64 bits"}.get(passed.name, passed.name)
            hint = f': arg_casts={{{index}: "{_CAST_FOR[kind]}"}}' if kind in _CAST_FOR else ""
            raise TypeError(
                f"{self.name}: '{parameter['name']}' is a {parameter['type']}, but PyTorch passes {argument!r} as {words}{hint}"
            )
        return np.atleast_1d(np.asarray(argument)).astype(passed).astype(wanted)


def _are_arrays(argument: Any) -> bool:
    return isinstance(argument, (list, tuple)) and any(isinstance(item, np.ndarray) for item in argument)


def _is_pointer(member: dict[str, Any]) -> bool:
    return member["kind"] == "buffer" or ("array<" in member["type"] and "*" in member["type"])


def _are_numbers(argument: Any) -> bool:
    items = argument if isinstance(argument, Sequence) and len(argument) else [argument]
    return all(isinstance(item, (int, float, np.number, np.bool_)) for item in items)


def _passed(argument: Any, cast: str | None) -> np.dtype[Any]:
    """The type of the bits that PyTorch passes."""
    if cast is None:
        return np.dtype("f4" if np.asarray(argument).dtype.kind == "f" else "i8")
    if cast not in _CASTS:
        raise ValueError(f"arg_casts: {cast!r} is none of {', '.join(_CASTS)}")
    return arrays.dtype_of(_CASTS[cast])


def _reads(wanted: np.dtype[Any], passed: np.dtype[Any], several: bool) -> bool:
    """Whether a parameter reads what is passed: of a single integer its low bytes are enough."""
    if wanted.kind not in "iu" or passed.kind not in "iu":
        return wanted == passed
    return wanted.itemsize == passed.itemsize or (not several and wanted.itemsize < passed.itemsize)


class ShaderLibrary:
    """The kernels of a text, as attributes."""

    def __init__(
        self, source: str, seeds: int, suppress: str | Iterable[str], options: Iterable[str], raise_findings: bool
    ):
        file, _ = sources.caller()
        self.path = sources.written(sources.marked(source, file, "shader.metal"), "shader.metal")
        found = file if sources.find(source, file) else None
        self.options: dict[str, Any] = {
            "seeds": seeds, "suppress": suppress, "options": list(options), "shown_as": found,
        }  # fmt: skip
        self.raises = raise_findings
        listed, _ = command.call([self.path, "--list", *self.options["options"]])
        self.structs: dict[str, Any] = listed["structs"]
        self._kernels = {kernel["name"]: kernel for kernel in listed["kernels"]}

    def __dir__(self) -> Sequence[str]:
        return [*object.__dir__(self), *self._kernels]

    def __getattr__(self, name: str) -> ShaderKernel:
        kernel = self.__dict__.get("_kernels", {}).get(name)
        if kernel is None:
            raise AttributeError(
                f"there is no kernel '{name}'; there are {', '.join(self.__dict__.get('_kernels', {})) or 'none'}"
            )
        if "refused" in kernel:
            raise AttributeError(kernel["refused"])
        return ShaderKernel(self, kernel)


def compile_shader(
    source: str,
    *,
    seeds: int = 4,
    suppress: str | Iterable[str] = (),
    options: Iterable[str] = (),
    raise_findings: bool = False,
) -> ShaderLibrary:
    """The kernels of a text as torch.mps.compile_shader gives them: `compile_shader(text).blur(x, out, 3, threads=64)`.

    Each call returns a Report and, as with tensors, changes the arrays that the kernel writes. The keywords are those
    of check. Raises CannotRun if the text cannot be read.
    """
    return ShaderLibrary(source, seeds, suppress, options, raise_findings)
