"""The model that the project ships, against PyTorch in float32 on the same dequantised weights
(tests/data/tales_expected.json, written by training/expected.py)."""

import hashlib
import json
import os
import subprocess

import numpy
import pytest

from library import BUILD, COMMAND, METAL_STANDS_IN, ROOT, SLOW_DEVICES
from llm import LLM

MODEL = ROOT / "models" / "tales.gguf"
DATA = ROOT / "tests" / "data"
EXPECTED = json.loads((DATA / "tales_expected.json").read_text())
GREEDY = EXPECTED["greedy"]
STORY = EXPECTED["perplexity"]["tales_story.txt"]


def test_is_the_file_that_was_measured():
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() == EXPECTED["sha256"]


@pytest.mark.stand_in
@pytest.mark.parametrize("attention", ["flash", "naive", "plain"])
@pytest.mark.parametrize("case", GREEDY, ids=lambda case: case["prompt"][:16])
def test_greedy_text(device_name, attention, case):
    if device_name in SLOW_DEVICES and (attention != "flash" or case is not GREEDY[0]):
        pytest.skip("one prompt is enough for a device that is slow")
    with LLM(MODEL, device=device_name, attention=attention) as llm:
        prompt = llm.encode(case["prompt"])
        assert prompt == case["prompt_ids"]
        short = {"simt": 64, "metal": 32 if METAL_STANDS_IN else 200}  # into the third page of the KV cache, the second
        length = 20 if BUILD.name == "asan" else 200 if "LONG" in os.environ else short.get(device_name, 200)
        expected = case["ids"][:length]
        ids = llm.generate(prompt, len(expected))
        assert ids == expected
        assert case["text"].startswith(llm.decode(ids).decode())


def test_greedy_texts_side_by_side(device_name):
    if device_name in SLOW_DEVICES:
        pytest.skip("one prompt is enough for a device that is slow")
    with LLM(MODEL, device=device_name, batch=len(GREEDY)) as llm:
        texts = llm.generate_batch([case["prompt_ids"] for case in GREEDY], 200)
    assert texts == [case["ids"] for case in GREEDY]


@pytest.mark.parametrize("case", STORY, ids=lambda case: f"window {case['window']}")
def test_perplexity(case):
    """Within 0.1 % of PyTorch's bits per byte."""
    command = [COMMAND, "perplexity", MODEL, DATA / "tales_story.txt", "--context", case["window"]]
    command += ["--integer-products", "off"]
    out = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout
    bits = [line.split() for line in out.splitlines() if line.startswith("bits/byte")]
    figure = float(bits[0][-1])
    assert abs(figure / case["bits_per_byte"] - 1) <= 1e-3


def test_is_the_default():
    """Without a model, `run` finds the one beside the program."""
    case = GREEDY[0]
    options = ["--temp", "0", "-n", "50", "--device", "cpu", "--integer-products", "off"]
    command = [str(COMMAND), "run", case["prompt"], *options]
    out = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert out.startswith(case["prompt"])
    assert (case["prompt"] + case["text"]).startswith(out.rstrip("\n"))
    assert len(out) > len(case["prompt"]) + 100


def test_losses_are_finite(random):
    with LLM(MODEL) as llm:
        losses = llm.losses(random.integers(0, llm.info.vocabulary, 300).tolist())
    assert numpy.isfinite(losses).all()
