"""Shared by all tests: the library, fresh random numbers with a printed seed, the closing line."""

import os
import secrets
import sys

import numpy
import pytest

import device as device_module
import library as library_module

SEED = int(os.environ.setdefault("SEED", str(secrets.randbits(32))))  # also that of xdist's workers


def choose_devices():
    """Those that DEVICE names, or the CPU's and on a Mac its GPU, with the reason if that is left out."""
    if "DEVICE" in os.environ:
        return os.environ["DEVICE"].split(","), None
    if sys.platform != "darwin":
        return ["cpu", "simt"], None
    try:
        device_module.Device("metal").close()
    except device_module.Error as error:
        return ["cpu", "simt"], f"NOTHING WAS TESTED ON THE GPU of this Mac: {error}"
    return ["metal", "cpu", "simt"], None


DEVICES, LEFT_OUT = choose_devices()


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


@pytest.fixture(scope="session")
def open_device():
    """open_device(name) → the device, opened once."""
    devices = {}

    def open(name):
        if name not in devices:
            devices[name] = device_module.Device(name)
        return devices[name]

    yield open
    for device in devices.values():
        device.close()


@pytest.fixture(params=DEVICES)
def device(request, open_device):
    """Each device that DEVICE names, for single kernels. On simt the test's own name decides the order of
    the threads, whatever ran before."""
    if request.param != "simt":
        yield open_device(request.param)
        return
    device = device_module.Device("simt", seed=int(generator(request).integers(2**32)))
    yield device
    device.close()


def generator(request):
    """A numpy generator of this run's seed and the test's own name."""
    return numpy.random.default_rng([SEED, *request.node.nodeid.encode()])


@pytest.fixture
def random(request):
    return generator(request)


def pytest_terminal_summary(terminalreporter):
    count = lambda kind: len(terminalreporter.stats.get(kind, []))
    terminalreporter.write_line(f"seed {SEED}")
    if LEFT_OUT:
        terminalreporter.write_line(LEFT_OUT, red=True)
    line = f"{count('passed')} passed, {count('failed') + count('error')} failed"
    if count("skipped"):
        line += f", {count('skipped')} skipped"
    terminalreporter.write_line(line)
