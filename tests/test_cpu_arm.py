"""The integer kernels at each level of ARM, on processors that QEMU emulates: what NEON, dotprod and i8mm compute."""

import pytest

import arm
import models
import test_kernels
from device import Error
from library import BUILD

# The processor, LLM_CPU, and the level that it comes to.
LEVELS = [
    ("max", "", "NEON with i8mm"),
    ("neoverse-n1", "", "NEON with dotprod"),
    ("cortex-a72", "", "NEON"),
]
CAPPED = [
    ("max", "neon-dotprod", "NEON with dotprod"),
    ("max", "neon", "NEON"),
    ("neoverse-n1", "neon-i8mm", "NEON with dotprod"),
    ("cortex-a72", "neon-i8mm", "NEON"),
]

pytestmark = [
    pytest.mark.skipif(bool(arm.MISSING), reason=f"to emulate ARM: apt-get install {' '.join(arm.MISSING)}"),
    pytest.mark.skipif(BUILD.name == "asan", reason="the emulated program has no sanitizers"),
]


@pytest.fixture(scope="module")
def replay():
    arm.build()


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level[0])
def device(request, replay):
    cpu, cap, level = request.param
    with arm.Device(cpu, cap) as device:
        assert device.level == level
        yield device


@pytest.mark.parametrize("format", models.BLOCKS)
def test_integer_kernels(format, device, random):
    test_kernels.test_integer_linear(0, format, device, random)
    test_kernels.test_integer_matmul(0, format, device, random)


@pytest.mark.parametrize("value", [-127, 127])
def test_the_largest_integer_products(value, device):
    test_kernels.test_the_largest_integer_products(value, device)


@pytest.mark.parametrize("cpu, cap, level", CAPPED)
def test_caps(cpu, cap, level, replay):
    with arm.Device(cpu, cap) as device:
        assert device.level == level


def test_a_level_that_there_is_not(replay):
    with pytest.raises(Error, match="LLM_CPU is neon-i8mm, neon-dotprod or neon, not 'v3'"):
        arm.Device("max", "v3")
