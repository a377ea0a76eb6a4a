"""SmolLM2-135M-Instruct and Gemma 3 270M themselves, from their wheels, against what llama.cpp was recorded to make
of them (tests/llama_cpp)."""

import json
import math
import os
import pathlib
import subprocess

import numpy
import pytest

import vocabularies
from library import COMMAND, SLOW_DEVICES
from llm import LLM

DATA = pathlib.Path(__file__).parent / "data"
MODELS = {"smollm2": lambda: vocabularies.smollm2()[0], "gemma3": vocabularies.gemma3_gguf}


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    if request.param == "gemma3" and "LONG" not in os.environ:
        pytest.skip("NOT TESTED: `make test-long` fetches Gemma 3, 240 MB")
    return request.param


@pytest.fixture(scope="module")
def stored(name):
    """The model as its wheel has it: SmolLM2 mostly q4_1, Gemma q4_K_M."""
    return MODELS[name]()


@pytest.fixture(scope="module")
def record(name):
    return json.loads((DATA / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def floats(stored, tmp_path_factory):
    """The same, expanded to f32."""
    path = tmp_path_factory.mktemp("real") / "f32.gguf"
    subprocess.run([COMMAND, "convert", stored, path, "--type", "f32"], check=True, capture_output=True)
    yield path
    path.unlink()


def nats(model, record):
    """As record.py has them: of every token in the mean, in windows."""
    front, ids = model.encode(""), model.encode((DATA / "tales_story.txt").read_text())
    assert len(ids) == record["tokens"]
    windows = [ids[begin : begin + record["window"]] for begin in range(len(front), len(ids), record["window"])]
    return float(numpy.concatenate([model.losses(front + window) for window in windows]).mean())


def test_ids(stored, record):
    with LLM(stored, "cpu", context=64) as model:
        for prompt in record["prompts"]:
            assert model.encode(prompt["text"]) == prompt["ids"]


@pytest.mark.stand_in
def test_floats(floats, record, device_name):
    """With its weights expanded: the same text on every device, as long as it is clear which token is likeliest, and
    the same perplexity."""
    emulated = device_name in SLOW_DEVICES
    prompts = record["prompts"]
    assert all(prompt["clear"] > 5 for prompt in prompts)
    if emulated:  # seconds a token
        prompts = [{**min(prompts, key=lambda prompt: len(prompt["ids"])), "clear": 5}]
    with LLM(floats, device_name, context=256) as model:
        for prompt in prompts:
            new = model.generate(prompt["ids"], prompt["clear"], ignore_end=True)
            assert new == prompt["new"][: prompt["clear"]], prompt["text"]
        if not emulated:
            assert nats(model, record) == pytest.approx(record["nats_f32"], rel=1e-4)


def test_perplexity(stored, record):
    """As it is run: blocks times rounded activations, halves in the cache."""
    with LLM(stored, "cpu", context=256, cache=None, integer_products=None) as model:
        ratio = math.exp(nats(model, record) - record["nats"])
    assert abs(ratio - 1) < 0.005
