"""docs/token.md: each number of the walk against the bundled model, computed in numpy."""

import re

import gguf
import numpy
import pytest

import launches
from library import ROOT
from llm import LLM
from reference import gelu, layernorm, softmax

TALES = ROOT / "models/tales.gguf"
PAGE = (ROOT / "docs/token.md").read_text()
PROMPT = re.search(r'metal-llm inspect "(.*?)"', PAGE)[1]
NEW = -1  # the row of the walk: the last token of the prompt


def read_tensors():
    """By their names, in float64, as [outputs, inputs]."""
    tensors = gguf.GGUFReader(TALES).tensors
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(numpy.float64) for t in tensors}


def walk(w, ids, heads):
    """The names of the page's rows → what the kernels write, of the last token."""
    T, seen = len(ids), {}
    norm = lambda x, name: layernorm(x, w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)
    linear = lambda x, name: x @ w[f"{name}.weight"].T + w[f"{name}.bias"]
    by_head = lambda x: x.reshape(T, heads, -1).transpose(1, 0, 2)
    seen["token row"], seen["position row"] = w["token_embd.weight"][ids], w["position_embd.weight"][:T]
    x = seen["x"] = seen["token row"] + seen["position row"]
    layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blk."))
    for l in range(layers):
        note = seen.setdefault if l == 0 else lambda name, value: value  # the page walks through the first layer
        normed = note("norm", norm(x, f"blk.{l}.attn_norm"))
        q, k, v = map(by_head, numpy.split(note("qkv", linear(normed, f"blk.{l}.attn_qkv")), 3, axis=-1))
        note("q", q[0]), note("k", k[0]), note("v", v[0])
        scores = note("scores", q @ k.transpose(0, 2, 1) / numpy.sqrt(q.shape[-1]))
        masked = numpy.where(numpy.triu(numpy.ones((T, T)), 1) > 0, -numpy.inf, scores)
        weights = note("weights", softmax(masked))
        mixed = note("mixed", (weights @ v).transpose(1, 0, 2).reshape(T, -1))
        x = note("after attention", x + note("projection", linear(mixed, f"blk.{l}.attn_output")))
        up = note("up", linear(note("norm 2", norm(x, f"blk.{l}.ffn_norm")), f"blk.{l}.ffn_up"))
        x = note("after MLP", x + note("down", linear(note("gelu", gelu(up)), f"blk.{l}.ffn_down")))
        seen[f"lens {l}"] = norm(x, "output_norm") @ w["token_embd.weight"].T
    seen["last norm"] = norm(x, "output_norm")
    seen["logits"] = seen[f"lens {layers - 1}"]
    return seen


@pytest.fixture(scope="module")
def model():
    with LLM(TALES, device="cpu") as model:
        yield model


@pytest.fixture(scope="module")
def seen(model):
    return walk(read_tensors(), model.encode(PROMPT), model.info.heads)


def row_of(name, seen):
    """[…] of the last token; of scores and weights those of the first head."""
    return (seen[name][0] if name in ("scores", "weights") else seen[name])[NEW]


def same(shown, value):
    """Rounded as the page has it: half a unit of its last digit."""
    unit = 10.0 ** -len(shown.partition(".")[2])
    return abs(float(shown.replace("−", "-")) - value) <= 0.51 * unit


ROWS = re.findall(r"^\| `([\w ]+)` \| (.*) \| (\[\d+\]) \| (.*) \|$", PAGE, re.M)


def test_the_walk_is_the_models(model, seen):
    """The library's logits, of activations in floats, so that the numbers are what the kernels compute."""
    ids = model.encode(PROMPT)
    assert numpy.abs(model.logits(ids) - seen["logits"]).max() <= 2e-3


@pytest.mark.parametrize("name, kernels, shape, numbers", ROWS, ids=[row[0] for row in ROWS])
def test_each_row(name, kernels, shape, numbers, seen):
    row = row_of(name, seen)
    assert shape == f"[{len(row)}]"
    first = re.findall(r"[−\d][\d.]*", numbers)
    assert len(first) == min(4, len(row)) and all(same(number, value) for number, value in zip(first, row))
    named = re.findall(r"`(\w+)`", kernels)
    assert named and set(named) <= set(launches.kernel_files())


def test_every_step_is_on_the_page(seen):
    assert {name for name in seen if not name.startswith("lens")} == {row[0] for row in ROWS}


def test_the_tokens(model):
    shown = re.findall(r"^\| (\d) \| `(.*?)` \| (\d+) \|$", PAGE, re.M)
    ids = model.encode(PROMPT)
    assert [int(id) for _, _, id in shown] == ids and [int(position) for position, _, _ in shown] == [*range(len(ids))]
    assert [text for _, text, _ in shown] == [model.decode([id]).decode() for id in ids]


def test_what_each_layer_would_say(model, seen):
    shown = re.findall(r"^\| layer (\d) \| `(.*?)` \| ([\d.]+) % \|$", PAGE, re.M)
    assert len(shown) == model.info.layers
    for layer, text, percent in shown:
        p = softmax(seen[f"lens {layer}"][NEW])
        assert model.decode([int(p.argmax())]).decode() == text and same(percent, 100 * p.max())


def test_sizes(model, seen):
    """Of the model, of a token in the cache, and how many tokens are left to draw from."""
    info = model.info
    sizes = re.search(r"(\d+) layers, (\d+) channels, (\d+) heads of (\d+)\nchannels, ([\d,]+) tokens", PAGE).groups()
    has = [info.layers, info.channels, info.heads, info.head_size, info.vocabulary]
    assert [int(size.replace(",", "")) for size in sizes] == has
    assert f"{2 * info.layers * info.channels * 4:,} bytes a token" in PAGE
    p = numpy.sort(softmax(seen["logits"][NEW] / 0.8))[:-41:-1]
    kept = int((numpy.cumsum(p / p.sum()) < 0.95).sum()) + 1
    assert f"0.95 of the probability, here {kept}," in PAGE


def test_the_likeliest(model, seen):
    """Their logits, and their probabilities at a temperature of 1 and of 0.8."""
    shown = re.findall(r"^\| `(.*?)` \| ([−\d.]+) \| ([\d.]+) % \| ([\d.]+) % \|$", PAGE, re.M)
    logits = seen["logits"][NEW]
    one, less = softmax(logits), softmax(logits / 0.8)
    order = numpy.argsort(-logits)[: len(shown)]
    assert len(shown) == 5
    for id, (text, logit, p, q) in zip(order, shown):
        assert model.decode([int(id)]).decode() == text
        assert same(logit, logits[id]) and same(p, 100 * one[id]) and same(q, 100 * less[id])
