"""Launch files: many launches in one TOML file, run in parallel.

docs/metal-check/ci.md describes the format.
"""

from __future__ import annotations

import ast
import concurrent.futures
import dataclasses
import itertools
import operator
import os
import pathlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import command
from .findings import CannotRun, Report
from .launch import check

Sizes = dict[str, int]


class LaunchFileError(ValueError):
    """A launch file that cannot be understood."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What an output is compared with."""

    path: pathlib.Path
    rtol: float
    atol: float


@dataclasses.dataclass
class Launch:
    """One launch of a file: those of one [[launch]] differ in their sizes."""

    name: str
    path: pathlib.Path
    arguments: dict[str, Any]
    expected: dict[int | str, Expected]


@dataclasses.dataclass
class Result:
    """What came of a launch: a report, or the reason why there is none."""

    launch: Launch
    report: Report | None = None
    failure: CannotRun | None = None
    differences: list[str] = dataclasses.field(default_factory=list)

    @property
    def status(self) -> int:
        """As of the command: 0 nothing found, 1 something found, 2 it could not be run."""
        if self.report is None:
            return 2
        return 0 if self.report.ok and not self.differences else 1


# --- reading ---

_NAMES = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table"}
_EXTENT = (int, str, list)
_KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,), "file": (str,), "kernel": (str,), "grid": _EXTENT, "groups": _EXTENT, "threads": _EXTENT,
    "sizes": (dict,), "buffers": (dict,), "bytes": (dict,), "textures": (dict,), "samplers": (dict,), "constants": (dict,),
    "threadgroup_memory": (dict,), "expect": (dict,), "seeds": (int,), "seed": (int,), "unordered": (int, list),
    "suppress": (str, list), "options": (str, list), "time_limit": (int,),
}  # fmt: skip
_EXPECT_KEYS: dict[str, tuple[type, ...]] = {"file": (str,), "rtol": (float, int), "atol": (float, int)}


def _check_type(what: str, value: Any, types: Sequence[type]) -> None:
    if type(value) not in types:
        raise LaunchFileError(f"{what} is not {' or '.join(dict.fromkeys(_NAMES[kind] for kind in types))}")


def _check_keys(table: Mapping[str, Any], keys: Mapping[str, Sequence[type]]) -> None:
    for key, value in table.items():
        if key not in keys:
            raise LaunchFileError(f"'{key}' is not known")
        _check_type(f"'{key}'", value, keys[key])


def read(path: str | os.PathLike[str]) -> list[Launch]:
    """The launches of a file. LaunchFileError says what is wrong with it."""
    path = pathlib.Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LaunchFileError(f"{path}: {error}") from None
    unknown = set(content) - {"launch", "defaults"}
    if unknown or not content.get("launch") or not isinstance(content["launch"], list):
        what = f"there is no '{min(unknown)}' in a launch file" if unknown else "there is no [[launch]]"
        raise LaunchFileError(f"{path}: {what}")
    launches = []
    for number, entry in enumerate(content["launch"], 1):
        try:
            for what, table in [("[defaults]", content.get("defaults", {})), ("it", entry)]:
                _check_type(what, table, [dict])
            launches += _expand({**content.get("defaults", {}), **entry}, path.parent)
        except LaunchFileError as error:
            raise LaunchFileError(f"{path}: launch {number}: {error}") from None
    return launches


def _expand(entry: Mapping[str, Any], folder: pathlib.Path) -> list[Launch]:
    _check_keys(entry, _KEYS)
    for key in ("file", "kernel", "threads"):
        if key not in entry:
            raise LaunchFileError(f"'{key}' is missing")
    if ("grid" in entry) == ("groups" in entry):
        raise LaunchFileError("either 'grid' or 'groups' is needed")
    ranges = {name: _list(values) for name, values in entry.get("sizes", {}).items()}
    for name, values in ranges.items():
        for value in values:
            _check_type(f"size '{name}'", value, [int])
    return [_launch(entry, folder, dict(zip(ranges, values))) for values in itertools.product(*ranges.values())]


def _launch(entry: Mapping[str, Any], folder: pathlib.Path, sizes: Sizes) -> Launch:
    extents = ", ".join(f"{name}={size}" for name, size in sizes.items())
    name = entry.get("name", entry["kernel"]) + (f" ({extents})" if extents else "")
    threads = _extent(entry["threads"], sizes)
    grid = _extent(entry["grid"], sizes) if "grid" in entry else _threads(_extent(entry["groups"], sizes), threads)
    arguments: dict[str, Any] = {"kernel": entry["kernel"], "grid": grid, "threads": threads}
    options = [_file(str(option), folder) for option in _list(entry.get("options", []))]
    for key, content in _table(entry, "bytes", sizes, str, dict).items():
        if isinstance(content, str):
            options += ["--bytes", f"{key}={content}"]
        else:
            arguments.setdefault("buffers", {})[key] = content
    for what in ("buffers", "textures"):
        arrays = {key: _file(content, folder) for key, content in _table(entry, what, sizes, str).items()}
        arguments[what] = arguments.get(what, {}) | arrays
    for what in ("samplers", "constants", "threadgroup_memory"):
        arguments[what] = _table(entry, what, sizes, str, int, float, bool)
    for what in ("seeds", "seed", "unordered", "suppress", "time_limit"):
        if what in entry:
            arguments[what] = _list(entry[what]) if what in ("unordered", "suppress") else entry[what]
    arguments["options"] = options
    return Launch(name, folder / entry["file"], arguments, _expected(entry, folder, sizes))


def _threads(groups: Sequence[int], threads: Sequence[int]) -> list[int]:
    return [a * b for a, b in itertools.zip_longest(groups, threads, fillvalue=1)]


def _table(entry: Mapping[str, Any], what: str, sizes: Sizes, *types: type) -> dict[int | str, Any]:
    """A table by index, with the sizes filled in."""
    for key, value in entry.get(what, {}).items():
        _check_type(f"'{key}' of '{what}'", value, types)
    return {_key(key): _filled(value, sizes) for key, value in entry.get(what, {}).items()}


def _expected(entry: Mapping[str, Any], folder: pathlib.Path, sizes: Sizes) -> dict[int | str, Expected]:
    expected = {}
    for key, value in _table(entry, "expect", sizes, str, dict).items():
        settings: dict[str, Any] = {"file": value} if isinstance(value, str) else value
        _check_keys(settings, _EXPECT_KEYS)
        if "file" not in settings:
            raise LaunchFileError(f"'{key}' of 'expect' has no 'file'")
        expected[key] = Expected(folder / settings["file"], settings.get("rtol", 1e-5), settings.get("atol", 1e-6))
    return expected


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key(key: str) -> int | str:
    return int(key) if key.isdecimal() else key


def _file(text: str, folder: pathlib.Path) -> str:
    """Files are beside the launch file."""
    return str(folder / text) if text.endswith(".npy") and "=" not in text else text


# --- sizes: "{B * 2}x{C}" ---

_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}  # fmt: skip


def _value(node: ast.expr, sizes: Sizes) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id in sizes:
        return sizes[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return int(_OPERATORS[type(node.op)](_value(node.left, sizes), _value(node.right, sizes)))
    raise LaunchFileError(f"'{ast.unparse(node)}' is neither a number nor one of the sizes")


def _evaluate(text: str, sizes: Sizes) -> int:
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, sizes)
    except (SyntaxError, ZeroDivisionError, RecursionError):
        raise LaunchFileError(f"'{text}' cannot be computed") from None


def _filled(value: Any, sizes: Sizes) -> Any:
    if isinstance(value, dict):
        return {key: _filled(member, sizes) for key, member in value.items()}
    if isinstance(value, list):
        return [_filled(element, sizes) for element in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\{([^{}]*)\}", lambda found: str(_evaluate(found[1], sizes)), value)


def _extent(value: Any, sizes: Sizes) -> list[int]:
    return [_evaluate(str(extent), sizes) for extent in _list(value)]


# --- running ---


def run(launch: Launch) -> Result:
    """One launch, and its outputs compared."""
    try:
        report = check(launch.path, **launch.arguments)
    except CannotRun as failure:
        return Result(launch, failure=failure)
    except OSError as error:  # a full disk, for one
        return Result(launch, failure=CannotRun([{"message": str(error)}]))
    differences = [_compare(report, key, expected) for key, expected in launch.expected.items()]
    return Result(launch, report, differences=[text for text in differences if text])


def _compare(report: Report, key: int | str, expected: Expected) -> str:
    try:
        wanted = np.load(expected.path)
    except (OSError, ValueError) as error:
        return f"{expected.path}: {error}"
    if key not in report.outputs:
        return f"buffer {key} is not bound to an array"
    output = report.outputs[key]
    if output.size != wanted.size:
        return f"buffer {key} has {output.size} elements, {expected.path} {wanted.size}"
    close = np.isclose(output.ravel(), wanted.ravel(), expected.rtol, expected.atol, equal_nan=True)
    if close.all():
        return ""
    at = int(np.argmin(close))
    return (
        f"buffer {key}: {np.count_nonzero(~close)} of {close.size} elements differ from {expected.path}, first element "
        f"{at}: {output.ravel()[at]!s}, expected {wanted.ravel()[at]!s}"
    )


def run_all(launches: Sequence[Launch], jobs: int | None = None) -> list[Result]:
    """All of them, in parallel: as many at a time as there are cores."""
    with concurrent.futures.ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        try:
            return list(pool.map(run, launches))
        except BaseException:
            command.stop()
            raise
