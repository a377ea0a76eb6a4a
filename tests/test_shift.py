"""Texts that go on where the context is full, without their middle: LLMGeneration.shift."""

import ctypes
import json

import pytest

import llm
import models
import reference
from json_schemas import is_valid, parse
from library import load
from llm import LLM
from test_cli import run, succeed
from test_generate import CONFIG, is_likeliest, random_prompt, write_model


ALL = 2**64 - 1  # of the first tokens as many as may stay


@pytest.fixture
def checkpoint(random, tmp_path):
    return write_model(tmp_path, random)


def left_out(count, context):
    """Halves of a context, until there is room for a token."""
    left_out = 0
    while context > 1 and count - left_out >= context:
        left_out += context // 2
    return left_out


def check_greedy(tensors, prompt, added, kept=CONFIG.context // 4):
    """Every token is the likeliest by the numpy model of what is seen of those before it."""
    text, begun = prompt + added, len(prompt)
    while begun < len(text):
        middle = left_out(begun, CONFIG.context)
        end = next((n for n in range(begun, len(text)) if left_out(n, CONFIG.context) != middle), len(text))
        logits = reference.logits(CONFIG, tensors, text[:kept] + text[kept + middle : end - 1])
        for n in range(begun, end):
            assert is_likeliest(logits[n - middle - 1], text[n]), f"token {n} of {text}"
        begun = end


def test_what_is_left_out(random):
    function = load(None).shift_left_out
    function.restype, function.argtypes = ctypes.c_size_t, [ctypes.c_size_t, ctypes.c_uint32]
    for context in [1, 2, 3, 4, 5, 64, 2**32 - 1, *random.integers(1, 1000, 20).tolist()]:
        for count in [0, 1, context - 1, context, context + 1, 2 * context, *random.integers(0, 5000, 20).tolist()]:
            assert function(count, context) == left_out(count, context), (count, context)
    assert function(2**64 - 1, 2**32 - 1) >= 2**64 - 2**32


@pytest.mark.parametrize("length", [1, 50, 63, 64, 65, 150])
def test_as_the_numpy_model(length, device_name, checkpoint, random):
    path, tensors = checkpoint
    count = 45 if device_name == "simt" else 110
    prompt, tokens = random_prompt(random, length), []
    with LLM(path, device=device_name) as model:
        options = dict(ignore_end=True, on_token=lambda row, token: tokens.append(token) or True)
        added = model.generate(prompt, count, shift=ALL, **options)
        assert model.ends == ["count"] and len(added) == count and tokens == added
        check_greedy(tensors, prompt, added)
        if length < CONFIG.context:  # up to its end a text is what it is without
            alone = model.generate(prompt, count, ignore_end=True)
            assert added[: len(alone)] == alone


@pytest.mark.parametrize("kept", [1, 7, 16, 17])
def test_what_is_kept(kept, checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, 70)
    with LLM(path, device="cpu") as model:
        check_greedy(tensors, prompt, model.generate(prompt, 90, shift=kept, ignore_end=True), min(kept, 16))


def test_rows(checkpoint, random):
    """Each shifts when it has to, and ends where it would alone: by its own number, by a callback, by a token."""
    path, tensors = checkpoint
    prompts = [random_prompt(random, length) for length in (5, 60, 140)]
    with LLM(path, device="cpu", batch=3) as model:
        alone = [model.generate(prompt, 90, shift=ALL, ignore_end=True) for prompt in prompts]
        assert model.generate_batch(prompts, 90, shift=ALL, ignore_end=True) == alone
        for prompt, added in zip(prompts, alone):
            check_greedy(tensors, prompt, added)
        counts = [0, 0, 0]

        def until(row, token):
            counts[row] += 1
            return row != 1 or counts[1] < 30

        rows = model.generate_batch(prompts, 90, shift=ALL, ignore_end=True, on_token=until)
        assert rows == [alone[0], alone[1][:30], alone[2]] and model.ends == ["count", "callback", "count"]


def test_draws_are_not_repeated(checkpoint, random):
    """The same seed gives the same text; a position that comes again draws another number."""
    path, _ = checkpoint
    prompt = random_prompt(random, 40)
    with LLM(path, device="cpu") as model:
        draw = lambda **options: model.generate(prompt, 300, shift=ALL, ignore_end=True, seed=5, **options)
        assert draw(temperature=1.0) == draw(temperature=1.0)
        flat = (prompt + draw(temperature=1e4))[64:]  # as if all tokens were alike: the draw alone decides
        same = sum(a == b for a, b in zip(flat, flat[32:]))
        assert same < len(flat) // 4


def test_a_stop_across_a_shift(checkpoint, random):
    path, _ = checkpoint
    texts = models.token_bytes(models.small_tokenizer(CONFIG.vocabulary))
    prompt = random_prompt(random, 50)
    with LLM(path, device="cpu") as model:
        whole = model.generate(prompt, 60, shift=ALL, ignore_end=True)
        for first in (12, 13, 14, 45, 46):  # the context is full behind 14 tokens, and again behind 46
            stop, pieces = b"".join(texts[token] for token in whole[first : first + 3]), []
            text = b"".join(texts[token] for token in whole)
            added = model.generate(
                prompt, 60, shift=ALL, ignore_end=True, stops=[stop], on_text=lambda row, t: pieces.append(t) or True
            )
            assert model.ends == ["stop"] and whole[: len(added)] == added
            assert b"".join(pieces) == text[: text.find(stop)]


def test_json_across_a_shift(random, tmp_path):
    config = models.Config(layers=1, heads=2, channels=32, context=400, vocabulary=300)
    tokenizer = models.small_tokenizer(300)
    path = models.write_gguf(tmp_path / "json.gguf", config, models.random_gpt2(config, random), tokenizer=tokenizer)
    schema = {"type": "array", "items": {"enum": ["red", "reddish", "blue"]}, "minItems": 12, "maxItems": 12}
    with LLM(path, device="cpu", context=24, batch=2) as model:
        options = dict(shift=ALL, json_schema=json.dumps(schema).encode(), temperature=1.0, seed=2)
        rows = model.generate_batch([[1, 2, 3], [4] * 30], 400, **options)
        assert model.ends == ["json", "json"]
        for ids in rows:
            assert len(ids) > 24 and is_valid(parse(model.decode(ids)), schema, schema)


def test_sessions(checkpoint, random):
    """A turn takes what an earlier one has computed, as long as the same is left out."""
    path, tensors = checkpoint
    prompt = random_prompt(random, 40)
    with LLM(path, device="cpu") as model:
        session = model.session(prompt)
        added = session.generate(30, shift=ALL, ignore_end=True)
        check_greedy(tensors, prompt, added)
        assert session.info.left_out == 32 and len(session.ids) == 70
        session.add([3, 4])
        text = session.ids
        added = session.generate(10, shift=ALL, ignore_end=True)
        check_greedy(tensors, text, added)
        assert session.counted == (70 - 32 - 1, 3)
        with pytest.raises(llm.Failure, match="82 tokens, more than the context of 64"):
            session.generate(1)
        session.rewind(50)
        assert len(session.generate(5, ignore_end=True)) == 5 and session.info.left_out == 0
        session.close()


@pytest.mark.parametrize("context", [1, 2, 3, 5])
def test_small_contexts(context, checkpoint):
    with LLM(checkpoint[0], device="cpu", context=context) as model:
        added = model.generate([1], 20, shift=ALL, ignore_end=True)
        assert (len(added), model.ends) == ((20, ["count"]) if context > 1 else (0, ["context"]))


def test_run(checkpoint):
    path, _ = checkpoint
    options = ["run", path, "ab", "--temp", 0, "--ignore-eos", "--device", "cpu", "-n", 200]
    assert "the context of 64 tokens is full" in run(*options).err
    result = run(*options, "--shift")
    assert "after 200 tokens" in result.err and "200 generated" in result.err
    assert "tokens, of which the context has the first and the last" in result.err
    assert result.out.startswith(succeed(*options)[:-1])


def test_no_end_but_ctrl_c(checkpoint):
    """Where a text may go on for ever, it does until its reader stops it."""
    with LLM(checkpoint[0], device="cpu") as model:
        tokens = []
        model.generate(
            [1], 2**64 - 1, shift=ALL, ignore_end=True, on_token=lambda _, t: tokens.append(t) or len(tokens) < 500
        )
        assert model.ends == ["callback"] and len(tokens) == 500
