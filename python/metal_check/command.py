"""The command metal-check: where it is, and one call of it."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from typing import Any

from .findings import CannotRun

_PACKAGE = pathlib.Path(__file__).parent
_CLANGS = ["clang++-19", "clang++-18", "clang++-17", "clang++-16", "clang++-15"]
_OLDEST = 15
_OWN_CLANG = str(_PACKAGE / "compiler" / "clang++")


def binary() -> str:
    """The path of metal-check: $METAL_CHECK, the one inside this package, or the one in PATH."""
    own = _PACKAGE / "bin" / "metal-check"
    found = os.environ.get("METAL_CHECK") or (str(own) if own.exists() else shutil.which("metal-check"))
    if not found:
        raise CannotRun([{"message": "there is no metal-check here; install it, or set METAL_CHECK to its path"}])
    return found


def _system_clang() -> bool:
    if os.environ.get("CLANGXX") or any(shutil.which(name) for name in _CLANGS):
        return True
    clang = shutil.which("clang++")
    if not clang:
        return False
    version = subprocess.run([clang, "-dumpversion"], capture_output=True, text=True).stdout
    return int(version.partition(".")[0] or 0) >= _OLDEST


def _ziglang() -> pathlib.Path | None:
    """The folder of PyPI's ziglang."""
    found = importlib.util.find_spec("ziglang")
    return pathlib.Path(found.origin).parent if found and found.origin else None


def environment() -> dict[str, str]:
    """With a compiler: the system's clang, or else the one of the extra metal-check[compiler]."""
    variables = dict(os.environ)
    if not _system_clang():
        zig = _ziglang()
        if not zig:
            message = "no clang++ (15 or later) here: install one, or pip install ziglang"
            raise CannotRun([{"message": message}])
        variables["CLANGXX"] = _OWN_CLANG
        variables["METAL_CHECK_ZIG"] = str(zig)
    return variables


def check_environment() -> None:
    """CannotRun if there is no command here, or no compiler for it."""
    binary()
    environment()


def cache_folder() -> pathlib.Path:
    """Where compiled kernels are kept: $METAL_CHECK_CACHE, or metal-check in the user's cache, or, where that cannot be
    written, a folder that goes with this process."""
    chosen = os.environ.get("METAL_CHECK_CACHE")
    folder = pathlib.Path(chosen) if chosen else _user_cache()
    if folder and _is_writable(folder):
        return folder
    if chosen:
        raise CannotRun([{"message": f"METAL_CHECK_CACHE={chosen} cannot be written"}])
    return pathlib.Path(_temporary_folder().name)


def _user_cache() -> pathlib.Path | None:
    try:
        return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "metal-check"
    except RuntimeError:  # no home
        return None


def _is_writable(folder: pathlib.Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="metal-check-cache-")


_running: set[subprocess.Popen[str]] = set()


def stop() -> None:
    """End what other threads run."""
    for process in list(_running):
        process.terminate()


def ask(arguments: Iterable[Any], timeout: float | None = None) -> tuple[int, dict[str, Any], str]:
    """The exit status of `metal-check --json`, what it answers, and what it says beside that."""
    program, variables = binary(), environment()
    cache = cache_folder()
    if variables.get("CLANGXX") == _OWN_CLANG:  # another version of it has its own
        cache /= f"ziglang-{importlib.metadata.version('ziglang')}"
    command = [program, "--json", "--cache", str(cache), *map(str, arguments)]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **streams, encoding="utf-8", errors="replace", env=variables) as process:
        _running.add(process)
        try:
            output, log = process.communicate(timeout=timeout)
        except BaseException:
            process.terminate()  # it takes its files and its children with it
            raise
        finally:
            _running.discard(process)
    try:
        return process.returncode, json.loads(output), log
    except ValueError:
        raise CannotRun([{"message": log.strip() or f"metal-check ended with {process.returncode}"}]) from None


def call(arguments: Iterable[Any], timeout: float | None = None) -> tuple[dict[str, Any], str]:
    """What `metal-check --json` answers, and what it says beside that. CannotRun if it could not run the kernel."""
    status, answer, log = ask(arguments, timeout)
    if status not in (0, 1):
        raise CannotRun(answer.get("errors", []))
    return answer, log
