"""The command metal-check of the Python package: launch files, and reports for CI. Everything else is given to the
command inside, which checks one launch."""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

from . import __version__, command, launch_file, reports
from .findings import CannotRun, report_of
from .launch_file import Launch, Result

CANNOT = 2
INTERRUPTED = 130


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of launches")
    return int(text)


def _report_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="metal-check", add_help=False, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sarif", metavar="FILE", help="also write SARIF, for code scanning")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit's XML, for reports of tests")
    parser.add_argument("--github", action="store_true", help="print annotations of a pull request")
    return parser


def _file_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="metal-check",
        description="Run the launches of a TOML file in parallel, and say what their kernels do wrong.",
        epilog="--sarif, --junit and --github are for a single launch, too. "
        "Exit status: 0 nothing found, 1 something found, 2 a kernel could not be run.",
        parents=[_report_options()],
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", metavar="LAUNCHES.toml")
    parser.add_argument(
        "--jobs", type=_positive, metavar="N", help="launches at a time: by default as many as there are cores"
    )
    return parser


def _report(results: Sequence[Result], options: argparse.Namespace) -> int:
    """All that is asked for; the exit status."""
    if options.sarif:
        pathlib.Path(options.sarif).write_text(reports.as_sarif(results, __version__), encoding="utf-8")
    if options.junit:
        pathlib.Path(options.junit).write_text(reports.as_junit(results), encoding="utf-8")
    if options.json:
        print(reports.as_json(results))
    else:
        for line in reports.lines(results):
            print(line)
    if options.github:
        print(reports.as_annotations(results), end="")
    return max(result.status for result in results)


def run_files(arguments: list[str]) -> int:
    """Launch files."""
    options = _file_options().parse_args(arguments)
    launches = [launch for path in options.files for launch in launch_file.read(path)]
    command.check_environment()
    results = launch_file.run_all(launches, options.jobs)
    status = _report(results, options)
    if not options.json:
        print(reports.summary(results))
    return status


def run_one(arguments: list[str], options: argparse.Namespace) -> int:
    """One launch by the command's own options, with reports of it."""
    status, answer, log = command.ask(arguments)
    launch = Launch(answer.get("kernel") or "launch", pathlib.Path(answer.get("file") or "-"), {}, {})
    if status in (0, 1):
        result = Result(launch, report_of(answer, log, {}))
    else:
        result = Result(launch, failure=CannotRun(answer.get("errors", [])))
    return _report([result], options)


def _run(arguments: list[str]) -> int:
    if any(argument.endswith(".toml") for argument in arguments):
        return run_files(arguments)
    options, rest = _report_options().parse_known_args(arguments)
    if "--list" not in arguments and (options.sarif or options.junit or options.github):
        return run_one(rest, options)
    if "--help" in arguments:  # what this package adds
        subprocess.run([command.binary(), "--help"], check=False)
        print("\nLaunch files:\n")
        _file_options().print_help()
        return 0
    binary = command.binary()
    os.execve(binary, [binary, *arguments], command.environment())


def main() -> int:
    """The console script."""
    try:
        return _run(sys.argv[1:])
    except (launch_file.LaunchFileError, CannotRun, OSError) as error:
        print(f"metal-check: {error}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
