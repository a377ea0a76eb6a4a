"""The command metal-check of the Python package: launch files, and reports for CI. Everything else is given to the
command inside, which checks one launch."""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys

from . import __version__, command, launch_file, reports
from .findings import CannotRun

CANNOT = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="metal-check",
        description="Run the launches of a TOML file, side by side, and say what their kernels do wrong.",
        epilog="Exit status: 0 nothing found, 1 something found, 2 a kernel could not be run.",
    )
    parser.add_argument("files", nargs="+", metavar="LAUNCHES.toml")
    parser.add_argument("--jobs", type=int, metavar="N", help="launches at a time: as many as there are cores")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sarif", metavar="FILE", help="also write SARIF, for code scanning")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit's XML, for reports of tests")
    parser.add_argument("--github", action="store_true", help="print annotations of a pull request")
    return parser


def _write(path: str | None, text: str) -> None:
    if path:
        pathlib.Path(path).write_text(text)


def run_files(arguments: list[str]) -> int:
    """Launch files."""
    options = _parser().parse_args(arguments)
    try:
        launches = [launch for path in options.files for launch in launch_file.read(path)]
        command.binary()
    except (launch_file.LaunchFileError, CannotRun) as error:
        print(f"metal-check: {error}", file=sys.stderr)
        return CANNOT
    results = launch_file.run_all(launches, options.jobs)
    try:
        _write(options.sarif, reports.as_sarif(results, __version__))
        _write(options.junit, reports.as_junit(results))
    except OSError as error:
        print(f"metal-check: {error}", file=sys.stderr)
        return CANNOT
    if options.json:
        print(reports.as_json(results))
    else:
        for line in reports.lines(results):
            print(line)
    if options.github:
        print(reports.as_annotations(results), end="")
    if not options.json:
        print(reports.summary(results))
    return max(result.status for result in results)


def main() -> int:
    """The console script."""
    arguments = sys.argv[1:]
    if any(argument.endswith(".toml") for argument in arguments):
        return run_files(arguments)
    try:
        binary, environment = command.binary(), command.environment()
    except CannotRun as error:
        print(f"metal-check: {error}", file=sys.stderr)
        return CANNOT
    if "--help" in arguments:  # what this package adds
        subprocess.run([binary, "--help"], check=False)
        print("\nLaunch files:\n")
        _parser().print_help()
        return 0
    os.execve(binary, [binary, *arguments], environment)


if __name__ == "__main__":
    sys.exit(main())
