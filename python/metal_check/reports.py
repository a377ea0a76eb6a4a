"""Results of launches as text, SARIF, JUnit and annotations of a pull request."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import urllib.parse
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from .launch_file import Result

_KINDS = {
    "race": "Two threads touch the same bytes, one writes, and no barrier orders them",
    "out-of-bounds": "An access outside of a buffer, a texture or an array",
    "unwritten": "A read of memory that nothing wrote before",
    "const": "A write through a pointer whose const was cast away",
    "barrier": "A barrier that some threads never reach",
    "inactive-lane": "A simd function that reads from a lane which takes no part",
    "misaligned": "A value at an address that its type does not allow",
    "never-written": "Elements of an output that no thread wrote",
    "shift": "A shift by the width of the type or more",
    "dispatch": "A launch that Metal refuses",
    "order": "An output that depends on the order of the threads",
    "fault": "The kernel crashed, or has no end",
    "expected": "An output differs from what is expected",
    "cannot-run": "The kernel could not be run",
}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclasses.dataclass(frozen=True)
class Line:
    """One thing to tell, at a line of a file (0: the file)."""

    file: str
    line: int
    severity: str
    kind: str
    message: str
    launch: str
    other: tuple[str, int] | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.severity}: {self.kind}: {self.launch}: {self.message}"


def lines(results: Sequence[Result]) -> list[Line]:
    """What is to be told of all launches; a finding of several launches once, at the first."""
    told: dict[tuple[str, int, str, str], Line] = {}
    for line in (line for result in results for line in _lines(result)):
        told.setdefault((line.file, line.line, line.kind, line.message if line.kind != "race" else ""), line)
    return list(told.values())


def _lines(result: Result) -> list[Line]:
    path, name = str(result.launch.path), result.launch.name
    if result.failure:
        return [
            Line(error.get("file", path), error.get("line", 0), "error", "cannot-run", error["message"], name)
            for error in result.failure.errors or [{"message": str(result.failure)}]
        ]
    assert result.report
    found = [
        Line(f.file, f.line, f.severity, f.kind, f.message, name, (f.other.file, f.other.line) if f.other else None)
        for f in result.report.findings
    ]
    return found + [Line(path, 0, "error", "expected", text, name) for text in result.differences]


def summary(results: Sequence[Result]) -> str:
    """ "12 launches: 10 clean, 1 with findings, 1 could not be run" """
    counts = [sum(result.status == status for result in results) for status in range(3)]
    words = [f"{counts[0]} clean"]
    words += [f"{counts[1]} with findings"] if counts[1] else []
    words += [f"{counts[2]} could not be run"] if counts[2] else []
    return f"{len(results)} launch{'es' if len(results) != 1 else ''}: {', '.join(words)}"


def as_json(results: Sequence[Result]) -> str:
    """Each launch with its findings."""
    launches = []
    for result in results:
        entry: dict[str, Any] = {"name": result.launch.name, "file": str(result.launch.path), "status": result.status}
        if result.report:
            entry["findings"] = [dataclasses.asdict(finding) for finding in result.report.findings]
            entry["differences"] = result.differences
        else:
            assert result.failure
            entry["errors"] = result.failure.errors
        launches.append(entry)
    return json.dumps({"launches": launches}, indent=2, ensure_ascii=False)


# --- SARIF 2.1.0, as code scanning reads it ---


def _relative(path: str) -> str:
    """Code scanning wants paths from the root of the repository, where a workflow begins."""
    absolute = pathlib.Path(path).absolute()
    return os.path.relpath(absolute) if absolute.is_relative_to(pathlib.Path.cwd()) else str(absolute)


def _uri(path: str) -> str:
    shown = _relative(path)
    return pathlib.Path(shown).as_uri() if os.path.isabs(shown) else urllib.parse.quote(shown)


def _place(file: str, line: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    return {"physicalLocation": place | ({"region": {"startLine": line}} if line else {})}


def _sarif_result(line: Line) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": line.kind,
        "level": line.severity,
        "message": {"text": f"{line.launch}: {line.message}"},
        "locations": [_place(line.file, line.line)],
    }
    if line.other:
        result["relatedLocations"] = [_place(*line.other) | {"id": 1, "message": {"text": "the access before"}}]
    return result


def as_sarif(results: Sequence[Result], version: str) -> str:
    """One run of the tool."""
    rules = [{"id": kind, "shortDescription": {"text": text}} for kind, text in _KINDS.items()]
    driver = {"name": "metal-check", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_sarif_result(line) for line in lines(results)]}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


# --- JUnit ---


def _printable(text: str) -> str:
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


def as_junit(results: Sequence[Result]) -> str:
    """A test suite: a launch that found something has failed, one that could not be run is an error."""
    counts = [sum(result.status == status for result in results) for status in range(3)]
    numbers = {"tests": str(len(results)), "failures": str(counts[1]), "errors": str(counts[2])}
    root = ElementTree.Element("testsuites", numbers)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "metal-check", **numbers})
    for result in results:
        seconds = result.report.compile_seconds + result.report.run_seconds if result.report else 0
        case = ElementTree.SubElement(
            suite, "testcase",
            {"classname": str(result.launch.path), "name": _printable(result.launch.name), "time": f"{seconds:.3f}"},
        )  # fmt: skip
        told = [line for line in _lines(result) if line.severity != "note"]
        if told:
            tag = "error" if result.failure else "failure"
            entry = ElementTree.SubElement(case, tag, {"message": _printable(told[0].message), "type": told[0].kind})
            entry.text = _printable("\n".join(map(str, told)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


# --- GitHub's workflow commands ---


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def as_annotations(results: Sequence[Result]) -> str:
    """Lines that GitHub shows at the lines of a pull request."""
    commands = {"error": "error", "warning": "warning", "note": "notice"}
    texts = []
    for line in lines(results):
        where = f"file={_escaped(_relative(line.file), ':,')}" + (f",line={line.line}" if line.line else "")
        title = _escaped(f"metal-check: {line.kind}", ":,")
        texts.append(
            f"::{commands[line.severity]} {where},title={title}::{_escaped(f'{line.launch}: {line.message}')}\n"
        )
    return "".join(texts)
