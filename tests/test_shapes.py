"""Models without a file, for measuring: `bench --shape`."""

import json
import os
import re
import subprocess

import numpy
import pytest

from library import COMMAND

SMOLLM2 = 134515008  # parameters, as the model itself has


def bench(*arguments, timeout=None):
    command = [COMMAND, "bench", "--device", "cpu", "-p", "4", "-n", "2", "-r", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@pytest.mark.parametrize("type, bits", [("f16", 16), ("bf16", 16), ("q8_0", 8.5), ("q4_0", 4.5)])
def test_shape(type, bits):
    result = bench("--shape", "smollm2", "--type", type, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["name"], found["weights"], found["parameters"]) == ("smollm2", type, SMOLLM2)
    assert found["weight_bytes"] == pytest.approx(SMOLLM2 * bits / 8, rel=3e-3)  # norms are floats
    assert numpy.isfinite(found["decode"]["tokens_per_second"]) and found["decode"]["tokens_per_second"] > 0
    assert "the model has 131072" in result.stderr


def test_rows_that_are_no_whole_blocks():
    """What convert writes, and llama.cpp: rows of 576 become q5_0 and q8_0, those of 1,536 q4_K and q6_K."""
    found = json.loads(bench("--shape", "smollm2", "--type", "q4_K_M", "--json").stdout)
    channels, inner, layers = 576, 1536, 30
    embeddings = 49152 * channels * 8.5
    attention = 2 * channels * channels * 5.5 + 192 * channels * 5.5  # Q, output, K
    matters = sum(l < 3 or l >= 26 or (l - 3) % 3 == 2 for l in range(layers))
    finer, others = 192 * channels * 8.5 + channels * inner * 6.5625, 192 * channels * 5.5 + channels * inner * 4.5
    mlp = 2 * channels * inner * 5.5
    norms = (2 * layers + 1) * channels * 32
    bits = embeddings + layers * (attention + mlp) + matters * finer + (layers - matters) * others + norms
    assert found["weight_bytes"] == bits / 8


HOLDS_IT = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 264 * 2**30


@pytest.mark.skipif(HOLDS_IT, reason="this machine has room for it")
@pytest.mark.parametrize("device", ["cpu", "simt"])
def test_no_room(device):
    """70 billion floats: refused before any of them is made."""
    result = bench("--shape", "llama-70b", "--type", "f32", "--device", device, timeout=20)
    assert result.returncode == 1
    assert re.search(
        r"the weights take 26\d\.\d GiB, and there are \d+\.\d GiB of memory; use a smaller", result.stderr
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--shape", "llama-9b"], ["llama-9b", "llama-8b"]),
        (["--shape", "smollm2", "--type", "q4_1"], ["q4_1", "q8_0"]),
        (["--shape", "smollm2", "--type", "x"], ["'x'"]),
    ],
)
def test_refused(arguments, words):
    result = bench(*arguments)
    assert result.returncode == 2 and all(word in result.stderr for word in words)
