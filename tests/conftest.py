"""Shared by all tests: the library, fresh random numbers with a printed seed, the closing line."""

import os
import pathlib
import secrets
import signal
import sys

import numpy
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

import device as device_module
import library as library_module
from library import METAL_STANDS_IN
from stand_in import StandIn

SEED = int(os.environ.setdefault("SEED", str(secrets.randbits(32))))  # also that of xdist's workers


def choose_devices():
    """Those that DEVICE names, or the CPU's and on a Mac its GPU, with the reason if that is left out."""
    if "DEVICE" in os.environ:
        return os.environ["DEVICE"].split(","), None
    if METAL_STANDS_IN:
        return ["cpu", "simt", "metal"], None
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


def pytest_configure(config):
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what runs under nohup ignores it, and so would our commands
    config.addinivalue_line("markers", "stand_in: of whole models, runs against tests/apple/stand_in/ as well")


def is_on_stand_in(item, fixture):
    """Whether a test gets the device "metal" by this fixture, where that is not an Apple GPU."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return METAL_STANDS_IN and parameters.get(fixture) == "metal"


def is_left_to_simt(item):
    """The stand-in for Metal runs the kernels as simt does, and is as slow: unless DEVICE asks for it, a
    few tests of whole models are enough."""
    on_stand_in = "DEVICE" not in os.environ and is_on_stand_in(item, "device_name")
    return on_stand_in and not item.get_closest_marker("stand_in")


def share_of(items):
    """With SHARE=n one case in n of each test, by the seed, and at least one."""
    tests = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    random = numpy.random.default_rng(SEED)
    taken = set()
    for cases in tests.values():
        count = max(1, round(len(cases) / int(os.environ["SHARE"])))
        taken.update(cases[i].nodeid for i in random.permutation(len(cases))[:count])
    return [item for item in items if item.nodeid in taken]


def pytest_collection_modifyitems(config, items):
    kept = [item for item in items if not is_left_to_simt(item)]
    if "SHARE" in os.environ:
        kept = share_of(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


@pytest.fixture(scope="session")
def library():
    """The internal library, as ctypes sees it."""
    return library_module.load()


@pytest.fixture(params=DEVICES)
def device_name(request):
    """Each device that DEVICE names ("cpu,simt,metal"), for whole models."""
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
    if "metal" in devices and METAL_STANDS_IN:
        assert StandIn().objects() == ""


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


@pytest.fixture(autouse=True)
def no_complaints(request):
    """Against the stand-in for Metal: everything was right, and a model leaves no object behind."""
    models = is_on_stand_in(request.node, "device_name")
    if not models and not is_on_stand_in(request.node, "device"):
        yield
        return
    stand_in = StandIn()
    before = stand_in.objects()
    yield
    assert stand_in.complaints() == []
    assert not models or stand_in.objects() == before


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
