"""What metal-check found, as objects."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class MetalCheckError(Exception):
    """The base of all that this package raises on purpose."""


class CannotRun(MetalCheckError):
    """A kernel could not be run: it does not compile, or its launch is not complete.

    errors: each with a message, and file and line where they are known.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]]):
        self.errors = list(errors)
        super().__init__("\n".join(_error_line(error) for error in self.errors) or "metal-check gave no reason")

    def __reduce__(self) -> tuple[Any, ...]:
        return CannotRun, (self.errors,)


def shown_path(path: str) -> str:
    """As short as it is from the current folder."""
    here = os.path.relpath(path) if os.path.isabs(path) else path
    return path if here.startswith("..") else here


def _error_line(error: Mapping[str, Any]) -> str:
    return (
        f"{shown_path(error['file'])}:{error['line']}: {error['message']}" if "file" in error else str(error["message"])
    )


@dataclasses.dataclass(frozen=True)
class Access:
    """A thread at a line, and what it does there."""

    file: str
    line: int
    thread: int
    """thread_index_in_threadgroup"""
    threadgroup: tuple[int, int, int]
    writes: bool
    atomic: bool


@dataclasses.dataclass(frozen=True)
class Memory:
    """The buffer, texture or variable that a finding is about."""

    name: str
    space: str
    """device, constant, threadgroup, texture or thread"""
    size: int
    """bytes of all of it"""
    offset: int
    """of the access, in bytes; may be negative, or past the end"""
    bytes: int
    """of the access"""
    index: int | None = None
    """of [[buffer(index)]] and its like; None of a variable"""
    part: str | None = None
    """of a texture: the texel, in words"""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a kernel does wrong. As a text it is the line that the command prints."""

    kind: str
    """race, out-of-bounds, unwritten, … as docs/metal-check.md lists them"""
    severity: str
    """error, warning or note; a note does not count"""
    message: str
    kernel: str
    at: Access
    other: Access | None = None
    """of a race: the access before"""
    memory: Memory | None = None

    @property
    def file(self) -> str:
        return self.at.file

    @property
    def line(self) -> int:
        return self.at.line

    def shown_as(self, path: str, name: str | None) -> Finding:
        """The same finding with another name for that file."""
        if name is None or self.at.file != path:
            return self
        return dataclasses.replace(self, at=dataclasses.replace(self.at, file=name))

    @property
    def counts(self) -> bool:
        return self.severity != "note"

    def __str__(self) -> str:
        return f"{shown_path(self.file)}:{self.line}: {self.severity}: {self.kind}: {self.kernel}: {self.message}"


class FindingsError(MetalCheckError, AssertionError):
    """What was found, raised as one exception."""

    def __init__(self, findings: Sequence[Finding]):
        self.findings = list(findings)
        super().__init__("\n".join(map(str, self.findings)))

    def __reduce__(self) -> tuple[Any, ...]:
        return FindingsError, (self.findings,)


@dataclasses.dataclass
class Report:
    """One launch: what was found, and what it computed."""

    file: str
    kernel: str
    seeds: int
    """orders of the threads that were run"""
    findings: list[Finding]
    outputs: dict[int | str, np.ndarray[Any, Any]]
    """what the first order left in each array that was given, by its key in `buffers`"""
    compile_seconds: float = 0.0
    run_seconds: float = 0.0
    log: str = ""
    """what the kernel logged"""

    @property
    def counted(self) -> list[Finding]:
        """The findings that are more than notes."""
        return [finding for finding in self.findings if finding.counts]

    @property
    def ok(self) -> bool:
        """Was nothing found? A note does not count."""
        return not self.counted

    def raise_findings(self) -> None:
        """Raise FindingsError if anything was found."""
        if not self.ok:
            raise FindingsError(self.counted)


def _access(json: Mapping[str, Any]) -> Access:
    x, y, z = json["threadgroup"]
    return Access(json["file"], json["line"], json["thread"], (x, y, z), json["writes"], json["atomic"])


def finding_of(json: Mapping[str, Any], kernel: str) -> Finding:
    """A finding as metal-check --json writes it."""
    memory = json.get("memory")
    return Finding(
        kind=json["kind"],
        severity=json["severity"],
        message=json["message"],
        kernel=kernel,
        at=_access(json["at"]),
        other=_access(json["other"]) if "other" in json else None,
        memory=Memory(**memory) if memory else None,
    )


def report_of(json: Mapping[str, Any], log: str, outputs: dict[int | str, np.ndarray[Any, Any]]) -> Report:
    """A report as metal-check --json writes it."""
    return Report(
        file=json["file"],
        kernel=json["kernel"],
        seeds=json["seeds"],
        findings=[finding_of(finding, json["kernel"]) for finding in json["findings"]],
        outputs=outputs,
        compile_seconds=json["compile_seconds"],
        run_seconds=json["run_seconds"],
        log=log,
    )
