"""`pytest --metal-check`: kernels of mx.fast.metal_kernel run on this machine, and what is found fails the test."""

from __future__ import annotations

import collections
from collections.abc import Generator
from typing import Any

import pytest

from . import launch
from .findings import Report

_PLUGIN = "metal-check-run"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("metal-check", "Metal kernels without a Mac")
    group.addoption("--metal-check", action="store_true", help="run mx.fast.metal_kernel here, under metal-check")
    group.addoption("--metal-check-seeds", type=int, default=2, metavar="N", help="orders of the threads to try (2)")
    group.addoption(
        "--metal-check-suppress", action="append", default=[], metavar="KIND[=NAME]", help="leave out such findings"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before any conftest.py could import MLX."""
    options = early_config.known_args_namespace
    if options.metal_check:
        _start(early_config, options)


def pytest_configure(config: pytest.Config) -> None:
    """Where the plug-in was loaded by -p, after the above."""
    if config.option.metal_check:
        _start(config, config.option)


def _start(config: pytest.Config, options: Any) -> None:
    if config.pluginmanager.has_plugin(_PLUGIN):
        return
    from . import mlx_patch

    mlx_patch.settings.update(seeds=options.metal_check_seeds, suppress=options.metal_check_suppress)
    try:
        mlx_patch.install()
    except ImportError:
        raise pytest.UsageError("--metal-check needs MLX: pip install 'mlx[cpu]'") from None
    config.pluginmanager.register(_Run(), _PLUGIN)


class _Run:
    """Collects the reports of a run of the tests; with pytest-xdist each worker's own, and then all of them."""

    def __init__(self) -> None:
        self.fresh: list[Report] = []
        self.launches: collections.Counter[str] = collections.Counter()
        self.places: set[tuple[str, int, str]] = set()
        """of findings: file, line, kind"""
        self.outside: dict[str, None] = {}
        """what was found outside of tests"""
        launch.listeners.append(self.fresh.append)

    def _take(self) -> list[str]:
        """What was found since the last time, each once."""
        reports = self.fresh[:]
        del self.fresh[: len(reports)]
        self.launches.update(report.kernel.removeprefix("custom_kernel_") for report in reports)
        findings = [finding for report in reports for finding in report.counted]
        self.places.update((finding.file, finding.line, finding.kind) for finding in findings)
        return list(dict.fromkeys(map(str, findings)))

    def _take_outside(self) -> None:
        self.outside.update(dict.fromkeys(self._take()))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        outcome = yield
        report = outcome.get_result()
        lines = self._take()
        if not lines:
            return
        text = "\n".join(lines)
        if report.passed or (report.skipped and hasattr(report, "wasxfail")):
            report.outcome, report.longrepr = "failed", text
        else:
            report.sections.append(("metal-check", text))

    def pytest_collection_finish(self) -> None:
        self._take_outside()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist has ended."""
        launches, places, outside = getattr(node, "workeroutput", {}).get(_PLUGIN, ({}, [], []))
        self.launches.update(launches)
        self.places.update(map(tuple, places))
        self.outside.update(dict.fromkeys(outside))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._take_outside()
        if self.outside and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        worker = getattr(session.config, "workeroutput", None)
        if worker is not None:
            worker[_PLUGIN] = dict(self.launches), list(self.places), list(self.outside)
        launch.listeners.remove(self.fresh.append)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        write = terminalreporter.write_line
        terminalreporter.section("metal-check")
        for line in self.outside:
            write(line)
        for kernel, launches in sorted(self.launches.items()):
            write(f"{launches:6} launches of {kernel}")
        kinds = collections.Counter(kind for _, _, kind in self.places)
        found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing found"
        write(f"{sum(self.launches.values())} launches of {len(self.launches)} kernels: {found}")
