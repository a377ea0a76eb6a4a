"""A launch of a kernel: what it is given, run under metal-check."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np

from . import arrays, command
from .findings import Report, report_of

Size = Union[int, Sequence[int]]
Content = Union[np.ndarray[Any, Any], np.generic, arrays.Empty, Mapping[str, Any], int, float, bool, str]

listeners: list[Callable[[Report], None]] = []
"""Called with the report of each launch."""


def check(
    path: str | os.PathLike[str],
    kernel: str,
    grid: Size,
    threads: Size,
    buffers: Mapping[int | str, Content] | None = None,
    *,
    textures: Mapping[int | str, np.ndarray[Any, Any] | arrays.Empty | str] | None = None,
    samplers: Mapping[int | str, str] | None = None,
    constants: Mapping[int, int | float | bool] | None = None,
    threadgroup_memory: Mapping[int, int] | None = None,
    seeds: int = 4,
    seed: int = 1,
    unordered: Iterable[int] = (),
    suppress: str | Iterable[str] = (),
    options: Iterable[str] = (),
    time_limit: int = 60,
    raise_findings: bool = False,
    shown_as: str | None = None,
) -> Report:
    """Run one kernel of a .metal file and say what it does wrong.

    grid: threads of the whole grid, as dispatchThreads counts; threads: those of a threadgroup.

    buffers: what [[buffer(n)]] holds, by n, or by "n.member" where a structure of pointers is bound. An array is a
    buffer; empty(shape, dtype) one that nothing wrote; a number is bytes (a Python float is float, an int is uint; say
    numpy.int32(-1) for another type); a dictionary is a structure, its members by name, the others zero, with
    dictionaries and lists for what lies in it; a text is given to the command as it is, "random:f32:4x300" or "u32:300".

    textures likewise; samplers as words, "linear"; constants: function constants; threadgroup_memory: bytes of
    [[threadgroup(n)]]. seeds, seed, unordered, suppress, time_limit and options are the command's.
    shown_as: the file that findings name instead of path, where path is only written for this call.

    Raises CannotRun where the kernel cannot be run, FindingsError for findings if raise_findings is set.
    """
    with tempfile.TemporaryDirectory(prefix="metal-check-") as folder:
        launch = _Launch(pathlib.Path(folder))
        for key, content in (buffers or {}).items():
            launch.bind(key, content)
        for key, texture in (textures or {}).items():
            launch.bind_texture(key, texture)
        words = ["--kernel", kernel, "--grid", _size(grid), "--threads", _size(threads)]
        words += ["--seeds", str(seeds), "--seed", str(seed), "--time-limit", str(time_limit)]
        words += [word for key, value in (samplers or {}).items() for word in ("--sampler", f"{key}={value}")]
        words += [word for key, value in (constants or {}).items() for word in ("--constant", f"{key}={_word(value)}")]
        words += [
            word
            for key, size in (threadgroup_memory or {}).items()
            for word in ("--threadgroup-memory", f"{key}={size}")
        ]
        words += [word for index in unordered for word in ("--unordered", str(index))]
        words += [
            word for rule in ([suppress] if isinstance(suppress, str) else suppress) for word in ("--suppress", rule)
        ]
        answer, log = command.call([path, *words, *launch.words, *options])
        report = report_of(answer, log, launch.outputs())
        report.findings = [finding.shown_as(str(path), shown_as) for finding in report.findings]
    for listener in list(listeners):
        listener(report)
    if raise_findings:
        report.raise_findings()
    return report


def _size(size: Size) -> str:
    return ",".join(map(str, [size] if isinstance(size, (int, np.integer)) else size))


def _word(value: Any) -> str:
    return str(bool(value)).lower() if isinstance(value, (bool, np.bool_)) else str(value)


class _Launch:
    """The options that bind what a kernel is given, and the files that hold it."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.words: list[str] = []
        self.saved: dict[int | str, tuple[pathlib.Path, np.dtype[Any] | None, tuple[int, ...] | None]] = {}

    def bind(self, key: int | str, content: Content) -> None:
        if isinstance(content, Mapping):
            self.words += ["--bytes", f"{key}={','.join(_members(content))}"]
        elif isinstance(content, str) and _is_value(content):
            self.words += ["--bytes", f"{key}={content}"]
        elif isinstance(content, (str, np.ndarray, arrays.Empty)):
            self._bind_array("--buffer", key, f"{key}", content)
        elif isinstance(content, (np.generic, int, float)):
            self.words += ["--bytes", f"{key}={_number(content)}"]
        else:
            raise TypeError(
                f'buffers[{key!r}] is a {type(content).__name__}; give it as an array, numpy.array(…, "f4")'
            )

    def bind_texture(self, key: int | str, content: np.ndarray[Any, Any] | arrays.Empty | str) -> None:
        target = f"{key}" if "." in str(key) else f"texture:{key}"
        self._bind_array("--texture", key, target, content)

    def _bind_array(self, option: str, key: int | str, target: str, content: Any) -> None:
        path = self.folder / f"{option[2:]}-{key}.npy"
        dtype = shape = None
        if isinstance(content, np.ndarray):
            dtype, shape = arrays.dtype_of(content.dtype), content.shape
            np.save(path, arrays.plain(content).reshape(shape or 1))
            content = str(path)
        elif isinstance(content, arrays.Empty):
            dtype, shape = arrays.dtype_of(content.dtype), content.shape
            extents = "x".join(map(str, shape)) or "1"
            content = f"empty:{arrays.element(dtype)}:{extents}"
        self.words += [option, f"{key}={content}"]
        if content.startswith("@"):
            return
        left = self.folder / f"left-{option[2:]}-{key}.npy"
        self.words += ["-o", f"{target}={left}"]
        self.saved[key if option == "--buffer" else f"texture:{key}"] = (left, dtype, shape)

    def outputs(self) -> dict[int | str, np.ndarray[Any, Any]]:
        outputs = {}
        for key, (path, dtype, shape) in self.saved.items():
            array = np.load(path)
            if dtype is not None and shape is not None:
                array = array.view(dtype).reshape(shape)
            outputs[key] = array
        return outputs


def _is_value(text: str) -> bool:
    """ "u32:300" and "f32:1e-5,u32:4" are bytes; "random:f32:4", "u32:1,2,3" as a buffer is said with an array."""
    return text.partition(":")[0] in set("f32 f16 i8 u8 i16 u16 i32 u32 i64 u64".split())


def _members(structure: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """ "n=3", "size=1,2", "box[0].low=1": each member that is no structure itself."""
    for name, value in structure.items():
        if isinstance(value, Mapping):
            yield from _members(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)) and any(isinstance(element, Mapping) for element in value):
            yield from _members({f"{name}[{i}]": element for i, element in enumerate(value)}, prefix)
        else:
            yield f"{prefix}{name}={_values(value)}"


def _values(value: Any) -> str:
    return ",".join(map(_word, np.ravel(value).tolist()))


def _number(value: Any) -> str:
    if not isinstance(value, np.generic):
        value = np.uint8(value) if isinstance(value, bool) else np.float32(value) if isinstance(value, float) else value
    if not isinstance(value, np.generic):
        value = np.uint32(value) if value >= 0 else np.int32(value)
    if arrays.dtype_of(value.dtype).name == "bfloat16":
        return f"u16:{value.view(np.uint16)}"
    return f"{arrays.element(value.dtype)}:{_scalar(value)}"


def _scalar(value: np.generic) -> str:
    return str(int(value)) if value.dtype.kind in "biu" else repr(float(value))
