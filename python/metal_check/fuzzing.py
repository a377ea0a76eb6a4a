"""Random shapes for a kernel, and the smallest at which it fails."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import ArrayLike

from . import arrays, launch
from .findings import Finding, MetalCheckError, Report

Shape = Sequence[Union[str, int]]
Sizes = dict[str, int]
Array = np.ndarray[Any, Any]
_DEFAULT = (1, 257)


class FuzzFailure(MetalCheckError, AssertionError):
    """The smallest launch that failed: sizes, inputs, findings, and what else went wrong."""

    def __init__(self, sizes: Sizes, inputs: list[Array], findings: list[Finding], problem: str, seed: int):
        self.sizes, self.inputs, self.findings, self.problem, self.seed = sizes, inputs, findings, problem, seed
        extents = ", ".join(f"{name}={size}" for name, size in sizes.items())
        super().__init__("\n".join([f"fails with {extents} (seed {seed})", *map(str, findings), problem]).strip())

    def __reduce__(self) -> Any:
        return FuzzFailure, (self.sizes, self.inputs, self.findings, self.problem, self.seed)


@contextlib.contextmanager
def _reports() -> Iterator[list[Report]]:
    """Those of the launches of this thread: others may fuzz at the same time."""
    reports: list[Report] = []
    thread = threading.get_ident()

    def listen(report: Report) -> None:
        if threading.get_ident() == thread:
            reports.append(report)

    launch.listeners.append(listen)
    try:
        yield reports
    finally:
        launch.listeners.remove(listen)


@dataclasses.dataclass
class _Fuzz:
    kernel: Callable[..., Any]
    reference: Callable[..., Any] | None
    shapes: Sequence[Shape]
    dtypes: Sequence[np.dtype[Any]]
    tolerance: float
    seed: int
    launched: bool = False

    def inputs(self, sizes: Sizes) -> list[Array]:
        """The same for the same sizes."""
        random = np.random.default_rng([self.seed, *sizes.values()])
        return [
            _draw(random, [n if isinstance(n, int) else sizes[n] for n in shape], dtype)
            for shape, dtype in zip(self.shapes, self.dtypes)
        ]

    def fail(self, sizes: Sizes) -> FuzzFailure | None:
        inputs, problem, cause = self.inputs(sizes), "", None
        with _reports() as reports:
            try:
                outputs = self.kernel(*[array.copy() for array in inputs])
                if self.reference:
                    problem = _difference(outputs, self.reference(*[array.copy() for array in inputs]), self.tolerance)
            except MetalCheckError as error:
                problem = str(error)
            except Exception as error:
                problem, cause = f"{type(error).__name__}: {error}", error
        self.launched |= bool(reports)
        findings = [finding for report in reports for finding in report.counted]
        if not findings and not problem:
            return None
        failure = FuzzFailure(sizes, inputs, findings, problem, self.seed)
        failure.__cause__ = cause
        return failure

    def shrink(self, failure: FuzzFailure, lowest: Sizes) -> FuzzFailure:
        """Each size as small as it can be, one after the other, until none goes further."""
        progress = True
        while progress:
            progress = False
            for name, size in failure.sizes.items():
                low = lowest[name]
                for smaller in dict.fromkeys([low, (low + size) // 2, size - 1]):
                    other = self.fail(failure.sizes | {name: smaller}) if low <= smaller < size else None
                    if other:
                        failure, progress = other, True
                        break
        return failure


def fuzz(
    kernel: Callable[..., Any],
    reference: Callable[..., Any] | None,
    shapes: Sequence[Shape],
    *,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    dtypes: Sequence[Any] | None = None,
    runs: int = 50,
    seconds: float = 60.0,
    tolerance: float = 1e-4,
    seed: int | None = None,
) -> int:
    """Run a kernel on arrays of random shapes; raise FuzzFailure with the smallest at which it fails.

    kernel: a function of arrays that launches one or several kernels by this package and returns what they computed.
    reference: a function of the same arrays that says what is right, None: only findings count. Results may differ
    by tolerance × the largest value of the reference. shapes: one for each array, of numbers and names,
    [("B", "C"), ("C",)]; sizes: the smallest and the largest value of each name, 1 and 257 where none is given.
    dtypes: of the arrays, float32; floats are normal, integers from 0 to 99. An exception of the kernel or of the
    reference is a failure, too.

    Sizes are drawn so that small ones, multiples of 32 and their neighbours come often. Returns how many launches
    passed, of runs or of as many as there is time for.
    """
    seed = int(np.random.SeedSequence().entropy % 2**32) if seed is None else seed  # type: ignore[operator]
    for shape in shapes:
        if not isinstance(shape, (list, tuple)):
            raise ValueError(f"shapes: {shape!r} is no shape; one is ({shape!r},)")
    names = list(dict.fromkeys(n for shape in shapes for n in shape if isinstance(n, str)))
    ranges = _ranges(names, sizes or {})
    kinds = [arrays.dtype_of(dtype) for dtype in dtypes or ["float32"] * len(shapes)]
    if len(kinds) != len(shapes):
        raise ValueError(f"{len(shapes)} shapes, but {len(kinds)} dtypes")
    of = _Fuzz(kernel, reference, shapes, kinds, tolerance, seed)
    random = np.random.default_rng(seed)
    end = time.monotonic() + seconds
    for run in range(runs):
        if run and time.monotonic() > end:
            return run
        failure = of.fail({name: _size(random, *ranges[name]) for name in names})
        if failure:
            raise of.shrink(failure, {name: low for name, (low, _) in ranges.items()})
    if runs and reference is None and not of.launched:
        raise ValueError(
            "the function launched no kernel of this package, and there is no reference: nothing was checked"
        )
    return runs


def _ranges(names: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    for name, limits in sizes.items():
        if name not in names:
            raise ValueError(f"no shape has a size '{name}'")
        if not isinstance(limits, (list, tuple)) or len(limits) != 2:
            raise ValueError(f"sizes: '{name}' is {limits!r}; the smallest and the largest are needed, (1, 257)")
        if limits[0] > limits[1]:
            raise ValueError(f"'{name}' is from {limits[0]} to {limits[1]}: there is no such size")
    return {name: sizes.get(name, _DEFAULT) for name in names}


def _size(random: np.random.Generator, low: int, high: int) -> int:
    kind = random.integers(3)
    if kind == 0:
        size = int(random.integers(1, 9))
    elif kind == 1:
        size = int(32 * random.integers(1, max(2, high // 32 + 1)) + random.integers(-1, 2))
    else:
        size = int(random.integers(low, high + 1))
    return min(max(size, low), high)


def _draw(random: np.random.Generator, shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    return (random.integers(0, 100, shape) if dtype.kind in "iu" else random.normal(size=shape)).astype(dtype)


def _difference(outputs: Any, reference: Any, tolerance: float) -> str:
    """What is wrong, empty if nothing is."""
    ours, right = _list(outputs), _list(reference)
    if len(ours) != len(right):
        return f"{len(ours)} outputs, but the reference has {len(right)}"
    for i, (our, theirs) in enumerate(zip(ours, right)):
        if our.shape != theirs.shape:
            return f"output {i} has shape {our.shape}, the reference {theirs.shape}"
        if not theirs.size:
            continue
        a, b = our.astype(float), theirs.astype(float)
        wrong = ~((a == b) | (np.abs(a - b) <= tolerance * np.max(np.abs(b[np.isfinite(b)]), initial=0)))
        wrong &= ~(np.isnan(a) & np.isnan(b))
        if wrong.any():
            at = tuple(int(n) for n in np.argwhere(wrong)[0])
            return f"output {i} at {at}: {our[at]!s}, but the reference says {theirs[at]!s}"
    return ""


def _list(outputs: ArrayLike | Sequence[ArrayLike]) -> list[Array]:
    return [np.asarray(output) for output in outputs] if isinstance(outputs, (list, tuple)) else [np.asarray(outputs)]
