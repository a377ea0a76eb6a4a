"""The integer kernels at each level of ARM, on processors that QEMU emulates: what NEON, dotprod and i8mm compute.
LONG=1: the program there as well."""

import os
import re
import subprocess

import pytest

import arm
from device import Error
from library import BUILD, COMMAND, ROOT
from test_cpu_levels import test_integer_kernels, test_the_largest_integer_products  # noqa: F401, on the device below

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
    arm.make("replay-arm")


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level[0])
def device(request, replay):
    cpu, cap, level = request.param
    with arm.Device(cpu, cap) as device:
        assert device.level == level
        yield device


@pytest.mark.parametrize("cpu, cap, level", CAPPED)
def test_caps(cpu, cap, level, replay):
    with arm.Device(cpu, cap) as device:
        assert device.level == level


def test_a_level_that_there_is_not(replay):
    with pytest.raises(Error, match="LLM_CPU is neon-i8mm, neon-dotprod or neon, not 'v3'"):
        arm.Device("max", "v3")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    path = tmp_path_factory.mktemp("arm") / "story.txt"
    path.write_text((ROOT / "tests/data/tales_story.txt").read_text()[:700])
    return path


def nats(*command):
    """Of a token in the mean, by the bundled model, whose weights are q8_0."""
    done = subprocess.run([*command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(re.search(r"^mean loss +([\d.]+)", done.stdout, re.M)[1])


@pytest.mark.skipif("LONG" not in os.environ, reason="LONG=1 only: it compiles all of the program")
@pytest.mark.parametrize("cpu, cap, level", LEVELS)
def test_the_program(cpu, cap, level, story):
    """Five known texts, side by side; a text that is taken as a prompt, in integers where
    there is dotprod: roundings turn over, a wrong product would cost whole nats."""
    command = arm.command(cpu)
    texts = [*command, "selftest", "--device", "cpu", "--only", "batch of 5", "-n", "8"]
    done = subprocess.run(texts, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^device +cpu: .*, {level}$", done.stdout, re.M)
    scored = ["perplexity", ROOT / "models/tales.gguf", story, "--device", "cpu"]
    assert abs(nats(*command, *scored) - nats(COMMAND, *scored)) <= 2e-2
