"""The whole model against a numpy GPT-2 in float64, on every device: logits and losses."""

import os
import signal
import subprocess
import sys

import numpy
import pytest

import llm
import models
import reference
from library import ROOT
from llm import LLM
from models import Config

TOLERANCE = 1e-4  # of reference.logit_error
HALF_TOLERANCE = 1e-2  # the same where activations are rounded to halves: 2⁻¹¹ at a time
TOKENS_PER_PASS, TOKENS_PER_PASS_GPU = 512, 1024  # of src/ops/choose.c


def random_ids(random, config, count):
    return random.integers(0, config.vocabulary, count).tolist()


def check_logits(path, config, tensors, ids, tolerance=TOLERANCE, **options):
    """The logits of the model at `path` are those of `tensors` in numpy."""
    with LLM(path, **options) as model:
        actual = model.logits(ids)
    assert actual.shape == (len(ids), config.vocabulary)
    error = reference.logit_error(actual, reference.logits(config, tensors, ids))
    assert error <= tolerance


# --- formats ---

SMALL = Config(layers=2, heads=2, channels=64, context=40, vocabulary=301)


def gguf_of(type):
    def write(folder, tensors):
        path = models.write_gguf(folder / "model.gguf", SMALL, tensors, type=type)
        return path, models.gguf_rounded(tensors, type)

    return write


def mixed_gguf(folder, tensors):
    """Every kind of matrix in a type of its own, also one that differs between the layers."""
    types = {
        "token_embd.weight": "Q8_0",
        "blk.0.attn_qkv.weight": "F32",
        "blk.1.attn_qkv.weight": "F16",
        "blk.0.ffn_up.weight": "F16",
        "blk.0.ffn_down.weight": "Q8_0",
        "position_embd.weight": "F16",
    }
    path = models.write_gguf(folder / "model.gguf", SMALL, tensors, types=types)
    return path, models.gguf_rounded(tensors, "F32", types)


def huggingface_of(dtype, **layout):
    def write(folder, tensors):
        path = models.write_huggingface(folder / "model", SMALL, tensors, dtype=dtype, **layout)
        return path, {name: models.rounded(array, dtype) for name, array in tensors.items()}

    return write


def llmc_of(version):
    def write(folder, tensors):
        path = models.write_llmc(folder / "model.bin", SMALL, tensors, version=version)
        type = {3: "F32", 5: "BF16"}[version]
        return path, {name: models.rounded(array, type) for name, array in tensors.items()}

    return write


# Each writes a model and returns its path and what its tensors are after rounding.
FORMATS = {
    "gguf-f32": gguf_of("F32"),
    "gguf-f16": gguf_of("F16"),
    "gguf-q8_0": gguf_of("Q8_0"),
    "gguf-q5_1": gguf_of("Q5_1"),
    "gguf-q5_0": gguf_of("Q5_0"),
    "gguf-q4_1": gguf_of("Q4_1"),
    "gguf-q4_0": gguf_of("Q4_0"),
    "gguf-mixed": mixed_gguf,
    "huggingface-f32": huggingface_of("F32"),
    "huggingface-f16": huggingface_of("F16"),
    "huggingface-bf16": huggingface_of("BF16"),
    "huggingface-sharded": huggingface_of("F32", shards=3),
    "huggingface-without-prefix": huggingface_of("F32", prefix=False),
    "llmc-f32": llmc_of(3),
    "llmc-bf16": llmc_of(5),
}


@pytest.mark.stand_in
@pytest.mark.parametrize("attention", ["naive", "flash"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format(format, attention, device_name, random, tmp_path):
    path, tensors = FORMATS[format](tmp_path, models.random_gpt2(SMALL, random))
    for count in (1, 7, SMALL.context):  # weights × vector, and the matrix library
        ids = random_ids(random, SMALL, count)
        in_halves = "f16" in format and device_name != "cpu" and count > 32
        check_logits(
            path, SMALL, tensors, ids, HALF_TOLERANCE if in_halves else TOLERANCE,
            device=device_name, attention=attention,
        )  # fmt: skip


HEADS_OF_64 = Config(layers=2, heads=3, channels=192, context=110, vocabulary=301)


@pytest.mark.parametrize("attention", ["naive", "flash"])
@pytest.mark.parametrize("cache", ["f32", "f16"])
@pytest.mark.parametrize("type", ["F32", "F16", "Q8_0"])
def test_half_precision(type, cache, attention, device_name, random, tmp_path):
    """A KV cache of halves, and GPUs' products and attention of halves, for GPT-2's head size."""
    tensors = models.random_gpt2(HEADS_OF_64, random, std=0.1)  # no scores in the hundreds
    path = models.write_gguf(tmp_path / "model.gguf", HEADS_OF_64, tensors, type=type)
    rounded = models.gguf_rounded(tensors, type)
    for count in (7, HEADS_OF_64.context):
        ids = random_ids(random, HEADS_OF_64, count)
        in_halves = cache == "f16" or (type == "F16" and device_name != "cpu" and count > 32)
        check_logits(
            path, HEADS_OF_64, rounded, ids, HALF_TOLERANCE if in_halves else TOLERANCE,
            device=device_name, attention=attention, cache=cache,
        )  # fmt: skip


WIDE = Config(layers=1, heads=4, channels=256, inner=512, context=20, vocabulary=61)


@pytest.mark.parametrize("type", ["Q4_0", "Q6_K"])
def test_super_blocks(type, device_name, random, tmp_path):
    """q6_K packs 256 weights: all matrices, or the embedding alone as in llama.cpp's q4_0."""
    types = {"token_embd.weight": "Q6_K"}
    tensors = models.random_gpt2(WIDE, random, std=0.2)
    path = models.write_gguf(tmp_path / "m.gguf", WIDE, tensors, type=type, types=types)
    tensors = models.gguf_rounded(tensors, type, types)
    for count in (1, WIDE.context):
        ids = random_ids(random, WIDE, count)
        check_logits(path, WIDE, tensors, ids, device=device_name)


# --- sizes ---

SIZES = {
    "hs 16": Config(heads=3, channels=48),
    "hs 40": Config(heads=3, channels=120),
    "hs 64": Config(heads=2, channels=128),
    "hs 80": Config(heads=1, channels=80),
    "hs 128": Config(heads=1, channels=128),
    "hs 1": Config(heads=5, channels=5),
    "hs 17, odd everything": Config(layers=3, heads=3, channels=51, inner=101, context=37, vocabulary=259),
    "one layer": Config(layers=1),
    "inner below channels": Config(inner=33),
    "inner of 9 channels": Config(channels=32, inner=288),
    "epsilon 0.1": Config(epsilon=0.1),
    "epsilon 1e-12": Config(epsilon=1e-12),
    "context 1": Config(context=1),
    "vocabulary 13": Config(vocabulary=13),
    "scores not scaled": Config(channels=32, scale_attention=False),
    "scores scaled by layer": Config(layers=3, scale_by_layer=True),
    "scores scaled by layer only": Config(layers=3, scale_attention=False, scale_by_layer=True),
    "untied output": Config(tied=False),
}


@pytest.mark.parametrize("attention", ["naive", "flash"])
@pytest.mark.parametrize("size", SIZES)
def test_unusual_sizes(size, attention, device_name, random, tmp_path):
    config = SIZES[size]
    tensors = models.random_gpt2(config, random, std=0.2)
    path = models.write_huggingface(tmp_path / "model", config, tensors)
    ids = random_ids(random, config, config.context)
    check_logits(path, config, tensors, ids, device=device_name, attention=attention)


@pytest.mark.parametrize("repetition", range(4))
def test_random_sizes(repetition, device_name, random, tmp_path):
    heads = random.integers(1, 6)
    head_size = random.integers(-(-4 // heads), 40)  # a norm of two values that are nearly equal has no digits
    config = Config(
        layers=int(random.integers(1, 4)),
        heads=int(heads),
        channels=int(heads * head_size),
        context=int(random.integers(1, 70)),
        vocabulary=int(random.integers(20, 600)),
        inner=int(random.integers(1, 300)),
        epsilon=float(10 ** random.uniform(-7, -1)),
        scale_attention=bool(random.integers(2)),
        scale_by_layer=bool(random.integers(2)),
        tied=bool(random.integers(2)),
    )
    print(config)
    tensors = models.random_gpt2(
        config, random, std=0.2 if config.scale_attention else 0.1
    )  # no scores in the hundreds
    path = models.write_huggingface(tmp_path / "model", config, tensors)
    ids = random_ids(random, config, random.integers(1, config.context + 1))
    attention = str(random.choice(["naive", "flash"]))
    check_logits(path, config, tensors, ids, device=device_name, attention=attention)


def test_a_vocabulary_of_one(device_name, random, tmp_path):
    """Nothing surprises: every probability is 1."""
    config = Config(vocabulary=1)
    path = models.write_gguf(tmp_path / "m.gguf", config, models.random_gpt2(config, random))
    with LLM(path, device=device_name) as model:
        assert model.losses([0] * 20).tolist() == [0] * 19
        assert model.generate([0] * 9, 4) == [0] * 4
        assert model.generate([0] * 9, 4, temperature=1, seed=7) == [0] * 4


def test_padded_vocabulary_is_cropped(device_name, random, tmp_path):
    """llm.c pads its vocabulary with zeros: logits of 0 that must not win, nor count."""
    tensors = models.random_gpt2(SMALL, random)
    tensors["ln_f.weight"][:] = 1
    tensors["ln_f.bias"][:] = 0
    tensors["wte.weight"][:, 0] -= tensors["wte.weight"].max() + 1  # logits below 0 where norm > 0
    path = models.write_llmc(tmp_path / "model.bin", SMALL, tensors, padding=4096)
    ids = random_ids(random, SMALL, 20)
    check_logits(path, SMALL, tensors, ids, device=device_name)
    expected = reference.logits(SMALL, tensors, ids)
    with LLM(path, device=device_name) as model:
        assert model.info.vocabulary == SMALL.vocabulary
        assert model.losses(ids) == pytest.approx(nats(expected, ids), rel=1e-4, abs=1e-4)
        assert model.generate(ids, 1)[0] < SMALL.vocabulary


# --- long texts ---

LONG = Config(layers=2, heads=2, channels=12, context=1201, vocabulary=97)


@pytest.mark.parametrize("attention", ["naive", "flash"])
@pytest.mark.parametrize("count", [TOKENS_PER_PASS, TOKENS_PER_PASS + 1, TOKENS_PER_PASS_GPU + 70, LONG.context])
def test_texts_longer_than_a_pass(count, attention, device_name, random, tmp_path):
    tensors = models.random_gpt2(LONG, random)
    path = models.write_gguf(tmp_path / "model.gguf", LONG, tensors)
    ids = random_ids(random, LONG, count)
    check_logits(path, LONG, tensors, ids, device=device_name, attention=attention)


def nats(logits, ids):
    """−ln p of every id but the first."""
    p = reference.softmax(logits[:-1])
    return -numpy.log(p[numpy.arange(len(ids) - 1), ids[1:]])


@pytest.mark.parametrize("count", [1, 2, 64, 65, 66, 128, 129, TOKENS_PER_PASS + 65, LONG.context])
def test_losses(count, device_name, random, tmp_path):
    tensors = models.random_gpt2(LONG, random)
    path = models.write_gguf(tmp_path / "model.gguf", LONG, tensors)
    ids = random_ids(random, LONG, count)
    with LLM(path, device=device_name) as model:
        actual = model.losses(ids)
    expected = nats(reference.logits(LONG, tensors, ids), ids)
    assert actual.shape == expected.shape
    assert numpy.all(numpy.abs(actual - expected) <= 1e-4 * numpy.maximum(1, expected))


@pytest.mark.stand_in
@pytest.mark.parametrize("type, count", [("F32", 1), ("F32", TOKENS_PER_PASS + 65), ("F16", 1), ("F16", 65)])
def test_hidden_states(type, count, device_name, random, tmp_path):
    """Of all tokens, whether the activations are floats or halves."""
    tensors = models.random_gpt2(LONG, random)
    path = models.write_gguf(tmp_path / "model.gguf", LONG, tensors, type=type)
    ids = random_ids(random, LONG, count)
    with LLM(path, device=device_name) as model:
        actual = model.hidden_states(ids)
    expected = reference.hidden_states(LONG, models.gguf_rounded(tensors, type), ids)
    assert actual.shape == expected.shape
    assert reference.logit_error(actual, expected) <= (TOLERANCE if type == "F32" else HALF_TOLERANCE)


def test_a_pipeline_scores_one_text_after_another(device_name, random, tmp_path):
    """What an earlier text left in the KV cache does not show."""
    tensors = models.random_gpt2(SMALL, random)
    path = models.write_gguf(tmp_path / "model.gguf", SMALL, tensors)
    with LLM(path, device=device_name) as model:
        for count in (SMALL.context, 3, 0, 20, 1, SMALL.context):
            ids = random_ids(random, SMALL, count)
            actual = model.logits(ids)
            if count:
                expected = reference.logits(SMALL, tensors, ids)
                assert reference.logit_error(actual, expected) <= TOLERANCE


# --- the tests themselves: each tensor is seen ---

UNTIED = Config(layers=2, heads=2, channels=32, context=16, vocabulary=61, tied=False)


@pytest.mark.parametrize("name", models.shapes(UNTIED))
def test_each_tensor_counts(name, random, tmp_path):
    """A file with one tensor zeroed does not pass for the model."""
    tensors = models.random_gpt2(UNTIED, random)
    zeroed = tensors | {name: numpy.zeros_like(tensors[name])}
    path = models.write_gguf(tmp_path / "model.gguf", UNTIED, zeroed)
    ids = random_ids(random, UNTIED, UNTIED.context)
    with LLM(path, device="cpu") as model:
        actual = model.logits(ids)
    expected = reference.logits(UNTIED, tensors, ids)
    assert reference.logit_error(actual, expected) > 100 * TOLERANCE


def test_the_comparison_sees_a_nan():
    expected = numpy.arange(12.0).reshape(3, 4) ** 2
    actual = expected.copy()
    assert reference.logit_error(actual, expected) <= TOLERANCE
    actual[1, 2] = numpy.nan
    assert not reference.logit_error(actual, expected) <= TOLERANCE


# --- damaged weights ---


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("name", ["wte.weight", "h.1.attn.c_attn.bias", "ln_f.weight"])
def test_nan_weights_are_an_error(name, temperature, device_name, random, tmp_path):
    tensors = models.random_gpt2(SMALL, random)
    tensors[name].flat[-1] = numpy.nan
    path = models.write_gguf(tmp_path / "model.gguf", SMALL, tensors)
    handed_out = []
    with LLM(path, device=device_name) as model:
        with pytest.raises(llm.Failure, match="NaN.*weights are damaged") as failure:
            model.generate(
                [1, 2, 3], 5, temperature=temperature,
                on_token=lambda row, token: handed_out.append(token) or True,
            )  # fmt: skip
    assert failure.value.status == llm.NUMERIC
    assert handed_out == []


@pytest.mark.stand_in
def test_nan_in_the_middle_of_a_text(device_name, random, tmp_path):
    """Tokens before the damage are good and are handed out; the error says how many there were."""
    tensors = models.random_gpt2(UNTIED, random)
    tensors["lm_head.weight"][1:3] = 0  # so that the prompt's own tokens don't come next
    path = models.write_gguf(tmp_path / "good.gguf", UNTIED, tensors)
    with LLM(path, device=device_name) as model:
        good = model.generate([1, 2], 1)
    tensors["wte.weight"][good[0]] = numpy.nan
    path = models.write_gguf(tmp_path / "damaged.gguf", UNTIED, tensors)
    handed_out = []
    with LLM(path, device=device_name) as model:
        with pytest.raises(llm.Failure, match="NaN.* after 3 tokens"):
            model.generate([1, 2], 5, on_token=lambda row, token: handed_out.append(token) or True)
    assert handed_out == good


# --- the same tokens, more or fewer of them side by side ---

PREFIX = 7
LENGTHS = [8, 9, 20, 33, 97, 130, 520]  # on both sides of every change of kernels, and of a pass
LONG_CONTEXT = Config(layers=3, heads=4, channels=128, context=530, vocabulary=300)


def prefix_differences(path, ids, **options):
    """logits of a prefix alone, and how far those within longer prompts are from them."""
    with LLM(path, device="cpu", **options) as model:
        alone = model.logits(ids[:PREFIX])
        longer = [model.logits(ids[:length])[:PREFIX] for length in LENGTHS]
    return alone, numpy.abs(numpy.array(longer) - alone).max()


@pytest.mark.parametrize("type", ["F32", "F16", "Q8_0", "Q4_0"])
def test_logits_of_a_prefix(type, random, tmp_path):
    """As the header says: in floats they differ in their last digits at most. With integers a last digit may
    turn the rounding of an activation over, so they differ by no more than that rounding does to them."""
    tensors = models.random_gpt2(LONG_CONTEXT, random)
    path = models.write_gguf(tmp_path / "model.gguf", LONG_CONTEXT, tensors, type=type)
    ids = random_ids(random, LONG_CONTEXT, max(LENGTHS))
    floats, difference = prefix_differences(path, ids, integer_products="off")
    assert difference <= 1e-5 * numpy.abs(floats).max()
    integers, difference = prefix_differences(path, ids, integer_products="on")
    rounding = numpy.abs(integers - floats).max()
    assert difference <= max(1e-5 * numpy.abs(floats).max(), rounding)
    assert type in ("F32", "F16") or rounding > 1e-4 * numpy.abs(floats).max()


@pytest.mark.parametrize("type", ["F32", "Q8_0"])
def test_greedy_text_in_a_batch(type, random, tmp_path):
    """In floats it is the text that is written alone, unless the two likeliest tokens are as good as equal."""
    tensors = models.random_gpt2(LONG_CONTEXT, random)
    path = models.write_gguf(tmp_path / "model.gguf", LONG_CONTEXT, tensors, type=type)
    prompts = [random_ids(random, LONG_CONTEXT, count) for count in (7, 20, 3)]
    with LLM(path, device="cpu", batch=3) as model:
        together = model.generate_batch(prompts, 30)
        for prompt, added in zip(prompts, together):
            alone = model.generate(prompt, 30)
            if alone == added:
                continue
            first = next(i for i, (a, b) in enumerate(zip(alone, added)) if a != b)
            logits = model.logits(prompt + alone[:first])[-1]
            assert abs(logits[alone[first]] - logits[added[first]]) <= 1e-5 * numpy.abs(logits).max()


# --- a file that changes under a model ---

CUT_SHORT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from llm import LLM
with LLM(sys.argv[2], device="cpu", no_mmap=sys.argv[3] == "no_mmap") as model:
    os.truncate(sys.argv[2], 0)
    print(model.generate([1, 2, 3], 5), model.info.weight_bytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may keep the pages")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="the sanitizers have a handler of their own")
def test_file_cut_short_under_a_model(random, tmp_path):
    """Mapped it ends the program; read into memory nothing happens."""
    tensors = models.random_gpt2(SMALL, random)
    path = models.write_gguf(tmp_path / "model.gguf", SMALL, tensors)
    with LLM(path, device="cpu") as model:
        expected = f"{model.generate([1, 2, 3], 5)} {model.info.weight_bytes}\n"
    contents = path.read_bytes()
    for how, code, out in [("no_mmap", 0, expected), ("mmap", -signal.SIGBUS, "")]:
        path.write_bytes(contents)
        command = [sys.executable, "-c", CUT_SHORT, ROOT / "tests/support", path, how]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (code, out), done.stderr


# --- options ---


@pytest.mark.parametrize(
    "options, message",
    [
        ({"attention": "on"}, "attention cannot be 33: use LLM_AUTO, LLM_FLASH"),
        ({"cache": "stored"}, "cache cannot be 51: use LLM_AUTO, LLM_F32 or LLM_F16"),
        ({"context": 41}, "context of 41 tokens .* model has 40"),
        ({"batch": 1025}, "batch of 1025 rows is more than 1024"),
        ({"device": "f16"}, "unknown device"),
    ],
)
def test_wrong_options_are_refused(options, message, random, tmp_path):
    path = models.write_gguf(tmp_path / "m.gguf", SMALL, models.random_gpt2(SMALL, random))
    with pytest.raises(llm.Failure, match=message):
        LLM(path, **options)


@pytest.mark.stand_in
def test_info(device_name, random, tmp_path):
    config = Config(layers=3, heads=2, channels=32, context=24, vocabulary=290, inner=50)
    tensors = models.random_gpt2(config, random)
    tokenizer = models.small_tokenizer(290)
    path = models.write_gguf(tmp_path / "m.gguf", config, tensors, "F16", tokenizer=tokenizer)
    with LLM(path, device=device_name, batch=3, context=20) as model:
        info = model.info
        sizes = (info.layers, info.heads, info.channels, info.inner, info.context, info.vocabulary)
        assert sizes == (3, 2, 32, 50, 20, 290)
        assert (info.format, info.name, info.weights) == (b"GGUF", b"random gpt2", b"f16")
        assert info.end_of_text == 289
        assert info.parameters == sum(array.size for array in tensors.values())
        halves = sum(array.size for array in tensors.values() if array.ndim == 2)
        halves -= tensors["wpe.weight"].size
        assert info.weight_bytes == 4 * info.parameters - 2 * halves
        assert info.cache_bytes == 2 * 3 * 3 * 20 * 32 * 4  # keys and values, layers, rows
        assert info.device.startswith(device_name.encode())
