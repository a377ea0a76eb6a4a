"""Every level of instructions that the CPU kernels are compiled for, on a CPU that has better ones: LLM_CPU caps it."""

import os
import platform
import subprocess
import sys

import pytest

import families
import models
import reference
import test_kernels
import test_quantised
from device import Device, Error
from library import ROOT
from llm import LLM

NAMES = {
    "v4-no-vnni": "AVX-512",
    "v3-vnni": "AVX2 with VNNI",
    "v3": "AVX2",
    "v2": "SSE4.2",
}

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="levels of x86")


@pytest.fixture(params=NAMES)
def level(request, monkeypatch):
    monkeypatch.setenv("LLM_CPU", request.param)
    device = Device("cpu")
    name = device.description.split(", ")[-1]
    device.close()
    if name != NAMES[request.param]:
        pytest.skip(f"this CPU has {name} at most")
    return request.param


@pytest.fixture
def device(level):
    device = Device("cpu")
    yield device
    device.close()


@pytest.mark.parametrize("format", models.BLOCKS)
def test_integer_kernels(format, device, random):
    test_kernels.test_integer_linear(0, format, device, random)
    test_kernels.test_integer_matmul(0, format, device, random)


@pytest.mark.parametrize("value", [-127, 127])
def test_the_largest_integer_products(value, device):
    test_kernels.test_the_largest_integer_products(value, device)


@pytest.mark.parametrize("type", ["F32", "F16", "BF16", "Q8_0", "Q5_1", "Q6_K"])
def test_models(type, level, random, tmp_path):
    test_quantised.check_model("cpu", random, tmp_path, type)


def test_llama(level, random, tmp_path):
    config = families.Config(kv_heads=1)
    tensors = families.random_model(config, random, std=0.2)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors)
    ids = random.integers(0, config.vocabulary, config.context).tolist()
    with LLM(path, device="cpu", cache="f32") as model:
        assert reference.logit_error(model.logits(ids), families.logits(config, tensors, ids)) <= 1e-4


@pytest.mark.skipif("LONG" not in os.environ, reason="LONG=1 only")
def test_every_kernel(level):
    """The tests of single kernels once more."""
    environment = os.environ | {"DEVICE": "cpu", "LLM_CPU": level}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests/test_kernels.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_level_that_there_is_not(monkeypatch):
    monkeypatch.setenv("LLM_CPU", "v5")
    with pytest.raises(Error, match="LLM_CPU is v4, v4-no-vnni, v3-vnni, v3 or v2, not 'v5'"):
        Device("cpu")
