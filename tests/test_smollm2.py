"""SmolLM2-135M-Instruct itself, from its wheel, against what llama.cpp was recorded to make of it (tests/llama_cpp)."""

import json
import math
import pathlib
import subprocess

import numpy
import pytest

import vocabularies
from library import COMMAND
from llm import LLM

DATA = pathlib.Path(__file__).parent / "data"
RECORD = json.loads((DATA / "smollm2.json").read_text())


@pytest.fixture(scope="module")
def stored():
    """The model as the wheel has it, mostly q4_1."""
    return vocabularies.smollm2()[0]


@pytest.fixture(scope="module")
def floats(stored, tmp_path_factory):
    """The same, expanded to f32."""
    path = tmp_path_factory.mktemp("smollm2") / "f32.gguf"
    subprocess.run([COMMAND, "convert", stored, path, "--type", "f32"], check=True, capture_output=True)
    yield path
    path.unlink()


def nats(model, ids):
    """Of every token but the first of its window, in the mean."""
    windows = [ids[begin : begin + RECORD["window"]] for begin in range(0, len(ids), RECORD["window"])]
    return float(numpy.concatenate([model.losses(window) for window in windows]).mean())


def test_ids(stored):
    with LLM(stored, "cpu", context=64) as model:
        for prompt in RECORD["prompts"]:
            assert model.encode(prompt["text"]) == prompt["ids"]


def test_floats(floats):
    """With its weights expanded: the same text, as long as it is clear which token is likeliest, and the same
    perplexity."""
    text = (DATA / "tales_story.txt").read_text()
    with LLM(floats, "cpu", context=256) as model:
        for prompt in RECORD["prompts"]:
            new = model.generate(prompt["ids"], len(prompt["new"]), ignore_end=True)
            assert prompt["clear"] > 5
            assert new[: prompt["clear"]] == prompt["new"][: prompt["clear"]], prompt["text"]
        ids = model.encode(text)
        assert len(ids) == RECORD["tokens"]
        assert nats(model, ids) == pytest.approx(RECORD["nats_f32"], rel=1e-4)


def test_perplexity(stored):
    """As it is run: blocks times rounded activations, halves in the cache."""
    with LLM(stored, "cpu", context=256, cache=None, integer_products=None) as model:
        ids = model.encode((DATA / "tales_story.txt").read_text())
        ratio = math.exp(nats(model, ids) - RECORD["nats"])
    assert abs(ratio - 1) < 0.005
