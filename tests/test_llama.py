"""Whole models of the Llama family against numpy in float64, on every device: prompts, and tokens one by one."""

import pathlib
import sys

import numpy
import pytest

import families
import models
import reference
from families import LINEAR, LLAMA3, YARN, Config
from llm import LLM

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/transformers"))
import golden

TOLERANCE = 1e-4  # of reference.logit_error
TIE = 1e-3  # logits that rounding could put in another order
HALF_TIE = 5e-2  # the same where activations are rounded to halves

CASES = {
    "llama": Config(),
    "llama, one key-value head, untied, biased": Config(
        kv_heads=1, tied=False, bias=True, heads=3, channels=54, inner=77
    ),
    "llama, biased": Config(tied=False, bias=True),
    "llama, as many key-value heads": Config(kv_heads=3, heads=3, channels=42, inner=101, vocabulary=259, layers=3),
    "llama3 scaling": Config(kv_heads=4, scaling=LLAMA3, rope_base=500000.0, head_size=24),
    "linear scaling": Config(scaling=LINEAR),
    "yarn": Config(scaling=YARN),
    "heads of 64": Config(head_size=64, heads=6, kv_heads=2),
    "heads of 128": Config(head_size=128, heads=2, kv_heads=1),
    "heads of 256": Config(family="qwen3", head_size=256, heads=2, kv_heads=1),
    "mistral, window": Config(family="mistral", window=11),
    "qwen2": Config(family="qwen2", heads=6, channels=96, rope_base=1e6),
    "qwen3": Config(family="qwen3", head_size=32, kv_heads=1, rope_base=1e6, scaling=YARN),
    "gemma3": Config(family="gemma3", layers=7, head_size=24, window=9, rope_base=1e6, kv_heads=1),
    "gemma3, scaled": Config(family="gemma3", head_size=16, window=5, rope_base=1e6, scaling=LINEAR),
}
each_case = pytest.mark.parametrize("case", CASES)


def random_ids(random, config, count):
    return random.integers(0, config.vocabulary, count).tolist()


def write(folder, config, tensors, source):
    if source == "huggingface":
        return families.write_huggingface(folder / "model", config, tensors)
    window = lambda writer: config.family == "mistral" and writer.add_sliding_window(config.window)
    return families.write_gguf(folder / "model.gguf", config, tensors, keys=window)


@pytest.mark.stand_in
@pytest.mark.parametrize("source", ["gguf", "huggingface"])
@each_case
def test_logits(case, source, device_name, random, tmp_path):
    config = CASES[case]
    tensors = families.random_model(config, random, std=0.2)
    path = write(tmp_path, config, tensors, source)
    for attention in ("flash", "naive"):
        with LLM(path, device=device_name, attention=attention, cache="f32") as model:
            for count in (7, config.context) if attention == "flash" else (7,):  # by vectors, by the matrix library
                ids = random_ids(random, config, count)
                error = reference.logit_error(model.logits(ids), families.logits(config, tensors, ids))
                assert error <= TOLERANCE


def greedy(config, tensors, ids, count):
    """The likeliest continuation in numpy, and by how much each logit leads."""
    leads = []
    for _ in range(count):
        logits = families.logits(config, tensors, ids)[-1]
        best, second = numpy.sort(logits)[:-3:-1]
        leads.append(best - second)
        ids = [*ids, int(logits.argmax())]
    return ids[-count:], leads


def certain_tokens(leads, tie=TIE):
    """How many come before the first that rounding could change."""
    return next((i for i, lead in enumerate(leads) if lead < tie), len(leads))


def ids_with_a_certain_token(random, config, tensors, count, tie=TIE):
    """A prompt after which the likeliest token leads."""
    while True:
        ids = random_ids(random, config, count)
        if certain_tokens(greedy(config, tensors, ids, 1)[1], tie):
            return ids


@pytest.mark.stand_in
@each_case
def test_decoding(case, device_name, random, tmp_path):
    """Token by token, out of the cache: as numpy, which has the whole text each time; fused kernels or not."""
    config = CASES[case]
    tensors = families.random_model(config, random, std=0.2)
    path = write(tmp_path, config, tensors, "gguf")
    ids = ids_with_a_certain_token(random, config, tensors, 9)
    expected, leads = greedy(config, tensors, ids, 9)
    certain = certain_tokens(leads)
    in_fours = not any(n % 4 for n in (config.channels, config.heads * config.hs, config.inner))
    for fusion in ("on", "off") if in_fours else ("off",):
        with LLM(path, device=device_name, cache="f32", fusion=fusion) as model:
            actual = model.generate(ids, 9, ignore_end=True)
        assert actual[:certain] == expected[:certain]


@pytest.mark.parametrize("type", ["F16", "Q8_0", "Q4_1", "Q5_0"])
@pytest.mark.parametrize("batch", [1, 3])
def test_decoding_of_weight_types(batch, type, device_name, random, tmp_path):
    """Rows of a batch side by side, of the weights that the file has after rounding."""
    tie = HALF_TIE if batch > 1 and device_name != "cpu" else TIE
    config = Config(heads=4, kv_heads=2, channels=64, inner=96, tied=False)
    tensors = families.random_model(config, random, std=0.2)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type=type)
    rounded = families.gguf_rounded(config, tensors, type)
    prompts = [ids_with_a_certain_token(random, config, rounded, count, tie) for count in (9, 4, 7)[:batch]]
    with LLM(path, device=device_name, cache="f32", batch=batch) as model:
        rows = model.generate_batch(prompts, 6, ignore_end=True)
    for ids, actual in zip(prompts, rows):
        expected, leads = greedy(config, rounded, ids, 6)
        certain = certain_tokens(leads, tie)
        assert actual[:certain] == expected[:certain]


IN_PARTS = dict(channels=64, inner=96, tied=False, bias=True)
BATCHED = {
    "heads of 64": Config(head_size=64, heads=4, kv_heads=2, **IN_PARTS),
    "heads of 24": Config(head_size=24, heads=3, kv_heads=1, **IN_PARTS),
    "heads of 128, normalised": Config(family="qwen3", head_size=128, heads=2, kv_heads=1, channels=64, inner=96),
    "sandwich": Config(family="gemma3", head_size=64, window=5, heads=2, kv_heads=1, channels=64, inner=96),
}


@pytest.mark.parametrize("rows", [2, 11])
@pytest.mark.parametrize("case", BATCHED)
def test_rows_on_the_matrix_units(case, rows, device_name, random, tmp_path):
    """On GPUs, of f16 weights: as many texts as fit to tiles of eight and more, of unlike lengths."""
    config = BATCHED[case]
    tensors = families.random_model(config, random, std=0.2)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type="F16")
    rounded = families.gguf_rounded(config, tensors, "F16")
    prompts = [ids_with_a_certain_token(random, config, rounded, 3 + row % 4, HALF_TIE) for row in range(rows)]
    with LLM(path, device=device_name, batch=rows) as model:
        texts = model.generate_batch(prompts, 4, ignore_end=True)
    compared = 0
    for ids, actual in zip(prompts, texts):
        expected, leads = greedy(config, rounded, ids, 4)
        certain = certain_tokens(leads, HALF_TIE)
        assert actual[:certain] == expected[:certain]
        compared += max(0, certain - 1)  # the first is the prompt's
    assert compared or rows == 2


LONG = {  # of prompts that are long a few tokens later
    1276: Config(head_size=64, heads=3, kv_heads=1, channels=64, inner=96, layers=2, context=1300),
    380: Config(family="qwen3", head_size=128, heads=2, kv_heads=1, channels=64, inner=96, layers=1, context=400),
}


@pytest.mark.parametrize("tokens", LONG)
def test_a_context_that_becomes_long(tokens, device_name, random, tmp_path):
    """From 1,280 tokens on, of wide heads from 384, attention is split over threadgroups, on devices that have more of them
    than heads; another row is short."""
    if device_name == "simt":
        pytest.skip("the emulator has too few simdgroups for splits, and would take its time")
    config = LONG[tokens]
    tensors = families.random_model(config, random, std=0.2)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors)
    prompts = [random_ids(random, config, tokens), random_ids(random, config, 3)]
    with LLM(path, device=device_name, cache="f32", fusion="on", batch=2) as model:
        texts = model.generate_batch(prompts, 12, ignore_end=True)
    for ids, actual in zip(prompts, texts):
        logits = families.logits(config, tensors, [*ids, *actual[:-1]])[len(ids) - 1 :]
        assert len(logits) == len(actual)
        for row, token in zip(logits, actual):
            assert row[token] >= row.max() - TIE


MIXED = {
    "token_embd.weight": "Q8_0",
    "blk.0.attn_v.weight": "Q6_K",
    "blk.1.attn_q.weight": "F16",
    "blk.1.attn_k.weight": "F32",
    "blk.0.ffn_up.weight": "Q5_0",
    "blk.1.ffn_gate.weight": "Q8_0",
    "blk.1.ffn_down.weight": "Q5_1",
}


@pytest.mark.parametrize("count", [1, 7, 120])
def test_parts_of_many_types(count, device_name, random, tmp_path):
    """Q, k and v, or gate and up, of a type each: by vectors, by the matrix library; activations of 8 bits, too."""
    config = Config(heads=8, kv_heads=4, channels=256, inner=256, context=128)
    tensors = families.random_model(config, random, std=0.1)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type="Q4_1", types=MIXED)
    rounded = families.gguf_rounded(config, tensors, "Q4_1", MIXED)
    ids = random_ids(random, config, count)
    expected = families.logits(config, rounded, ids)
    for integers, tolerance in [("off", TOLERANCE), ("on", 0.15)]:
        with LLM(path, device=device_name, cache="f32", integer_products=integers) as model:
            assert reference.logit_error(model.logits(ids), expected) <= tolerance


UNTIED = Config(tied=False, bias=True, head_size=24)
SEEN = {
    "llama": UNTIED,
    "qwen2": Config(family="qwen2", tied=False),
    "qwen3": Config(family="qwen3", tied=False),
    "gemma3": Config(family="gemma3", window=9, layers=2, global_every=2),
}
EACH = [(family, name) for family, config in SEEN.items() for name in families.shapes(config)]


@pytest.mark.parametrize("family, name", EACH)
def test_each_tensor_counts(family, name, random, tmp_path):
    """A file with one tensor zeroed does not pass for the model."""
    config = SEEN[family]
    tensors = families.random_model(config, random)
    zeroed = tensors | {name: numpy.zeros_like(tensors[name])}
    path = families.write_gguf(tmp_path / "model.gguf", config, zeroed)
    ids = random_ids(random, config, 30)
    with LLM(path, device="cpu", cache="f32") as model:
        actual = model.logits(ids)
    assert reference.logit_error(actual, families.logits(config, tensors, ids)) > 100 * TOLERANCE


@pytest.mark.parametrize("name", golden.CASES)
def test_logits_of_transformers(tmp_path, name):
    """The recorded logits of transformers 5, of a checkpoint that a seed rebuilds."""
    recorded = numpy.load(ROOT / "tests/data/families.npz")
    tensors, ids = golden.checkpoint(name)
    assert golden.checksum(tensors) == recorded[f"{name}: checksum"]
    folder = families.write_huggingface(tmp_path / "model", golden.CASES[name], tensors)
    with LLM(folder, "cpu") as model:
        logits = model.logits(ids)
    assert reference.logit_error(logits[golden.ROWS], recorded[name].astype(numpy.float64)) <= TOLERANCE


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gemma3"])
def test_mixed_formats(device_name, random, tmp_path, family):
    """Parts of a product in types of their own, as in a Q4_K_M file."""
    config = Config(family=family, layers=2, heads=4, kv_heads=2, head_size=32, channels=128, inner=160, window=0)
    tensors, ids = families.random_model(config, random), random_ids(random, config, 40)
    types = {
        "token_embd.weight": "Q8_0",
        "blk.0.attn_v.weight": "Q8_0",
        "blk.1.attn_k.weight": "F16",
        "blk.1.attn_q.weight": "Q5_1",
        "blk.0.ffn_gate.weight": "BF16",
        "blk.1.ffn_up.weight": "F32",
        "blk.1.ffn_down.weight": "Q5_0",
    }
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type="Q4_1", types=types)
    rounded = families.gguf_rounded(config, tensors, "Q4_1", types)
    with LLM(path, device_name) as model:
        error = reference.logit_error(model.logits(ids), families.logits(config, rounded, ids))
    assert error <= TOLERANCE


def test_late_positions(random, tmp_path):
    """Position 10,000 and beyond. Two layers that see 8 tokens each hear nothing of what was long before."""
    config = Config(family="mistral", heads=2, kv_heads=1, channels=32, inner=32, context=12000, window=8, scaling=YARN)
    tensors, ids = families.random_model(config, random), random_ids(random, config, 10300)
    folder = families.write_huggingface(tmp_path / "model", config, tensors)
    with LLM(folder, "cpu", context=config.context) as model:
        logits = model.logits(ids)[-20:]
    expected = families.logits(config, tensors, ids[-40:], len(ids) - 40)[-20:]
    assert reference.logit_error(logits, expected) <= TOLERANCE


@pytest.mark.parametrize("head_size", [24, 64])
@pytest.mark.parametrize("attention", ["naive", "flash"])
def test_long_texts_through_windows(attention, head_size, random, tmp_path):
    """Rows that decode far beyond the window: what it has left behind is used again, by themselves and each other."""
    config = Config(
        family="gemma3", layers=3, head_size=head_size, heads=2, kv_heads=1, channels=32, inner=32, context=700,
        window=40, global_every=3,
    )  # fmt: skip
    tensors = families.random_model(config, random, std=0.2)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors)
    prompts = [random_ids(random, config, count) for count in (130, 3)]
    with LLM(path, device="cpu", attention=attention, cache="f32", batch=2) as model:
        rows = model.generate_batch(prompts, 270, ignore_end=True)
    for ids, added in zip(prompts, rows):
        logits = families.logits(config, tensors, ids + added)[len(ids) - 1 : -1]
        behind = logits.max(-1) - logits[numpy.arange(270), added]
        assert numpy.all(behind <= 1e-3)


def test_defaults(random, tmp_path):
    """A context of 8,192 at most, and half the cache that floats would take."""
    config = Config(context=20000)
    folder = families.write_huggingface(tmp_path / "model", config, families.random_model(config, random))
    with LLM(folder, "cpu", cache=None) as model:
        assert (model.info.context, model.info.model_context) == (8192, 20000)
        halves = model.info.cache_bytes
    with LLM(folder, "cpu", cache="f32") as model:
        assert model.info.cache_bytes == 2 * halves


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_files_aligned_to_eight_bytes(device_name, random, tmp_path, dtype):
    """As safetensors are: numbers of two bytes are read where they lie, floats from a copy."""
    config = Config()
    tensors, ids = families.random_model(config, random), random_ids(random, config, 20)
    rounded = {name: models.rounded(array, dtype) for name, array in tensors.items()}
    path = families.write_huggingface(tmp_path / "model", config, tensors, dtype) / "model.safetensors"
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header, data = path.read_bytes()[8 : 8 + size].rstrip(), path.read_bytes()[8 + size :]
    for behind in (0, 8):
        padded = header.ljust((len(header) + 15) // 16 * 16 + behind)
        path.write_bytes(len(padded).to_bytes(8, "little") + padded + data)
        with LLM(path.parent, device_name) as model:
            error = reference.logit_error(model.logits(ids), families.logits(config, rounded, ids))
        assert error <= TOLERANCE
