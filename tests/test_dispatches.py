"""Which kernels a pass is made of, on every kind of machine: as recorded in tests/data/dispatches.xz.

A change that should change nothing leaves the record as it is. After one that should, tests/support/dispatches.py
records it anew."""

import ctypes
import difflib
import itertools
import os

import pytest

import dispatches
from device import Device
from library import BUILD, METAL_STANDS_IN

ONE_IN = 8 if BUILD.name == "asan" else 1  # pipelines
SHOWN = 3  # cases of which the difference is printed


def by_case(text):
    """The lines of each case by its title."""
    parts = text.split("=== ")[1:]
    return dict(part.split("\n", 1) for part in parts)


def difference(title, recorded, now):
    lines = difflib.unified_diff(recorded.splitlines(), now.splitlines(), "recorded", "now", lineterm="", n=1)
    return "\n".join([title, *itertools.islice(lines, 30)])


def test_dispatches_are_as_recorded():
    recorded, now = by_case(dispatches.recorded()), by_case(dispatches.record(ONE_IN))
    assert len(recorded) > 9000 and recorded.keys() >= now.keys() and len(now) >= 0.8 * len(recorded) / ONE_IN
    assert ONE_IN > 1 or recorded.keys() == now.keys()
    changed = [title for title in now if recorded[title] != now[title]]
    shown = [difference(title, recorded[title], now[title]) for title in changed[:SHOWN]]
    assert not changed, f"{len(changed)} of {len(recorded)} cases differ\n" + "\n\n".join(shown)


@pytest.mark.parametrize(
    "name, machines",
    [("cpu", ["cpu", "cpu-vnni"]), ("simt", ["simt"]), ("metal", ["m1"]), ("cuda", ["h200"])],
)
def test_machines_are_as_their_devices_say(name, machines):
    """What is recorded for a machine is what its device does."""
    if name == "metal" and not METAL_STANDS_IN:
        pytest.skip("for the stand-in, which is an M1")
    if name == "cuda" and not os.environ.get("CUDA_STAND_IN_MULTIPROCESSORS"):
        pytest.skip("for the stand-in, as test_cuda_stand_in.py runs it")
    device = Device(name)
    device.library.device_facts.restype = ctypes.POINTER(dispatches.Facts)
    facts = bytes(device.library.device_facts(ctypes.c_void_p(device.handle)).contents)
    assert facts in [bytes(dispatches.facts_named(machine)) for machine in machines]
    device.close()
