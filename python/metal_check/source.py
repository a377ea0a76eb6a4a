"""Where a kernel's text stands in the Python file that has it, so that findings name its lines."""

from __future__ import annotations

import hashlib
import linecache
import os
import pathlib
import re
import sys
import threading
from types import FrameType

from .command import cache_folder

_PACKAGE = str(pathlib.Path(__file__).parent)
_ENOUGH = 0.5  # of its lines, and one more: an f-string has others
_PIECE = re.compile(r"""\(?[a-z]{0,2}(["'])(.*?)(?:\\n)?\1[\s,)]*""")


def caller() -> tuple[str | None, int]:
    """The file that called into this package, and the line of the call."""
    frame: FrameType | None = sys._getframe(1)
    while frame and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else (None, 1)


def _unquoted(line: str) -> str:
    """Without blanks around, and without quotes where a text is put together of one string a line."""
    piece = _PIECE.fullmatch(line.strip())
    return (piece[2] if piece else line).strip()


def _bare(line: str) -> str:
    """As an f-string would show it."""
    return _unquoted(line).replace("{{", "{").replace("}}", "}").replace("\\\\", "\\")


def _is_like(line: str, wanted: str) -> bool:
    """Is it that line, or one of an f-string with something filled in?"""
    if _bare(line) == wanted:
        return True
    parts = re.split(r"(?<!\{)\{(?!\{)[^{}]*\}", _unquoted(line))
    return len(parts) > 1 and re.fullmatch(".*".join(re.escape(_bare(part)) for part in parts), wanted) is not None


def find(text: str, path: str | None) -> int | None:
    """The line of the file in which the first line of the text stands. None if it is not there."""
    raw = linecache.getlines(path) if path else []
    lines = [_bare(line) for line in raw]
    wanted = [line.strip() for line in text.split("\n")]
    named = [i for i, line in enumerate(wanted) if line]
    if not named or not lines:
        return None
    starts = {at - i for i in named[:8] for at, line in enumerate(lines) if line == wanted[i]}
    first = max(starts, default=None, key=lambda start: _alike(raw, wanted, named, start))
    if len(named) == 1 and first is None:
        first = next((at - named[0] for at, line in enumerate(lines) if wanted[named[0]] in line), None)
        return None if first is None else first + 1
    if first is None or _alike(raw, wanted, named, first) <= _ENOUGH * len(named):
        return None
    return first + 1


def _line_of_all(text: str, path: str | None) -> int | None:
    """The line of the file in which all of the text stands, with its ends of lines as \\n."""
    written = text.strip().replace("\\", "\\\\").replace("\n", "\\n")
    if not path or "\n" not in text.strip() or "\\\n" in text:
        return None
    return next((i for i, line in enumerate(linecache.getlines(path), 1) if written in line), None)


def _alike(lines: list[str], wanted: list[str], named: list[int], start: int) -> int:
    return sum(0 <= start + i < len(lines) and _is_like(lines[start + i], wanted[i]) for i in named)


def written(text: str, name: str) -> pathlib.Path:
    """A file of that text, the same one each time: what is compiled is found again by its path, too."""
    folder = cache_folder() / "sources" / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        unfinished = folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    return path


def line_mark(line: int, file: str) -> str:
    """The next line counts as that one."""
    escaped = file.replace("\\", "\\\\").replace('"', '\\"')
    return f'#line {line} "{escaped}"\n'


def marked(text: str, path: str | None, name: str) -> str:
    """The text with the line mark that the compiler and the findings go by: in the Python file, or where it is not
    found there in a file of that name."""
    on_one = _line_of_all(text, path)
    if path and on_one:
        return "".join(f"{line_mark(on_one, path)}{line}\n" for line in text.split("\n"))
    at = find(text, path)
    mark = line_mark(at, path) if path and at is not None and at >= 1 else line_mark(1, name)
    return f"{mark}{text}\n"
