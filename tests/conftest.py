"""Shared by all tests: the library, fresh random numbers with a printed seed, the closing line."""

import os
import secrets

import numpy
import pytest

import device as device_module
import library as library_module

SEED = int(os.environ.get("SEED", secrets.randbits(32)))
DEVICES = os.environ.get("DEVICE", "cpu,simt").split(",")


def pytest_report_header():
    return f"SEED={SEED} (set it in the environment to repeat this run)"


@pytest.fixture(scope="session")
def library():
    """The internal library, as ctypes sees it."""
    return library_module.load()


@pytest.fixture(params=DEVICES)
def device_name(request):
    """Each device that DEVICE names ("cpu,simt"), for whole models."""
    return request.param


@pytest.fixture(scope="session", params=DEVICES)
def device(request):
    """Each device that DEVICE names, opened once, for single kernels."""
    device = device_module.Device(request.param, seed=SEED)
    yield device
    device.close()


@pytest.fixture
def random(request):
    """A numpy generator of this run's seed and the test's own name."""
    return numpy.random.default_rng([SEED, *request.node.nodeid.encode()])


def pytest_terminal_summary(terminalreporter):
    count = lambda kind: len(terminalreporter.stats.get(kind, []))
    terminalreporter.write_line(f"seed {SEED}")
    line = f"{count('passed')} passed, {count('failed') + count('error')} failed"
    if count("skipped"):
        line += f", {count('skipped')} skipped"
    terminalreporter.write_line(line)
