"""Generation: cached decoding against the numpy model run anew for every token, batches,
where a text ends, and what is refused."""

import concurrent.futures
import threading
from ctypes import byref

import numpy
import pytest

import dispatches
import llm
import models
import reference
import test_sampling
from library import SLOW_DEVICES, Error, Tokens
from llm import LLM
from models import Config

CONFIG = Config(layers=2, heads=2, channels=32, context=64, vocabulary=300)
LONG = Config(layers=2, heads=2, channels=12, context=1100, vocabulary=97)
HALF_TIE = 5e-3  # the same where activations are rounded to halves
TIE = 1e-5  # logits closer than this share of their row's norm may be swapped by rounding


def write_model(folder, random, config=CONFIG):
    tensors = models.random_gpt2(config, random)
    tensors["wpe.weight"] *= 10  # so that the greedy text does not fall into a loop
    tensors["ln_f.bias"] *= 0.2
    tokenizer = models.small_tokenizer(config.vocabulary) if config.vocabulary > 256 else None
    path = models.write_gguf(folder / "model.gguf", config, tensors, tokenizer=tokenizer)
    return path, tensors


@pytest.fixture
def checkpoint(random, tmp_path):
    """A random model of CONFIG with a tokenizer: its path and tensors."""
    return write_model(tmp_path, random)


def random_prompt(random, length, config=CONFIG):
    return random.integers(0, config.vocabulary - 1, length).tolist()  # but the end-of-text token


def is_likeliest(logits, token, tie=TIE):
    centered = logits - logits.mean()
    return logits.max() - logits[token] <= tie * numpy.linalg.norm(centered)


def check_greedy(tensors, prompt, added, config=CONFIG, tie=TIE):
    """Every added token is the likeliest one after those before it, by the numpy model."""
    logits = reference.logits(config, tensors, prompt + added)
    for i, token in enumerate(added):
        assert is_likeliest(logits[len(prompt) + i - 1], token, tie), f"token {i} of {added}"


# --- one text ---


@pytest.mark.parametrize("attention", ["naive", "flash"])
@pytest.mark.parametrize("length", [1, 2, 8, 9, 31, 32, 33])
def test_cached_decoding_is_the_full_model(length, attention, device_name, checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, length)
    with LLM(path, device=device_name, attention=attention) as model:
        added = model.generate(prompt, 30, ignore_end=True)
        logits = model.logits(prompt + added)
    assert len(added) == 30
    assert len(set(added)) >= 5  # a text that repeats itself would prove little
    check_greedy(tensors, prompt, added)
    for i, token in enumerate(added):
        assert is_likeliest(logits[length + i - 1], token)


@pytest.mark.stand_in
@pytest.mark.parametrize("type", ["F16", "Q8_0", "Q4_0"])
def test_cached_decoding_of_packed_weights(type, device_name, random, tmp_path):
    tensors = models.random_gpt2(CONFIG, random)
    path = models.write_gguf(tmp_path / "model.gguf", CONFIG, tensors, type=type)
    prompt = random_prompt(random, 11)
    with LLM(path, device=device_name) as model:
        added = model.generate(prompt, 20)
    assert len(added) == 20
    check_greedy(models.gguf_rounded(tensors, type), prompt, added)


FUSED = Config(layers=2, heads=3, channels=192, context=50, vocabulary=300)


@pytest.mark.parametrize("type", ["F32", "F16"])
@pytest.mark.parametrize("fusion", ["on", "off"])
def test_fused_decoding(fusion, type, device_name, random, tmp_path):
    """Rows of different lengths, to the end of their context, by the fused kernels and the plain ones."""
    tensors = models.random_gpt2(FUSED, random)
    tensors["wpe.weight"] *= 10
    path = models.write_gguf(tmp_path / "model.gguf", FUSED, tensors, type=type)
    exact = models.gguf_rounded(tensors, type)
    tie = HALF_TIE if type == "F16" and device_name != "cpu" else TIE  # of the prompts' products
    for rows in (1, 3) if device_name in SLOW_DEVICES else (1, 3, 8):
        prompts = [random_prompt(random, 5 + 4 * row, FUSED) for row in range(rows)]
        with LLM(path, device=device_name, batch=rows, fusion=fusion) as model:
            texts = model.generate_batch(prompts, 30, ignore_end=True)
        for prompt, added in zip(prompts, texts):
            assert len(added) == min(30, FUSED.context - len(prompt))
            check_greedy(exact, prompt, added, FUSED, tie)


@pytest.mark.parametrize("fusion", [None, "off"])
@pytest.mark.parametrize("cache", ["f32", "f16"])
def test_large_batches(cache, fusion, device_name, random, tmp_path):
    """On GPUs halves are multiplied by the matrix units, without fusion by the matrix library."""
    tensors = models.random_gpt2(FUSED, random)
    path = models.write_gguf(tmp_path / "model.gguf", FUSED, tensors, type="F16")
    exact = models.gguf_rounded(tensors, "F16")
    for rows in (11,) if device_name in SLOW_DEVICES else (2, 11, 32, 33):
        prompts = [random_prompt(random, 1 + 3 * (row % 11), FUSED) for row in range(rows)]
        with LLM(path, device=device_name, batch=rows, cache=cache, fusion=fusion) as model:
            texts = model.generate_batch(prompts, 6, ignore_end=True)
        for prompt, added in zip(prompts, texts):
            assert len(added) == 6
            check_greedy(exact, prompt, added, FUSED, HALF_TIE)


@pytest.mark.parametrize("attention, fusion", [("naive", None), ("flash", "off"), ("flash", None)])
@pytest.mark.parametrize("length", [1, 5, 40])
def test_a_key_that_no_half_holds(length, attention, fusion, device_name, random, tmp_path):
    """From the fourth token on keys are ∞ as halves, and their scores −∞: as if these tokens were not there. It must
    not go unnoticed, whether they are of the prompt or come one by one."""
    tensors, C = models.random_gpt2(FUSED, random), FUSED.channels
    weight, bias = (tensors[f"h.0.attn.c_attn.{name}"] for name in ("weight", "bias"))
    tensors["wpe.weight"][:, 3] = numpy.where(numpy.arange(FUSED.context) < 3, -50, 50)
    tensors["h.0.ln_1.weight"][3], tensors["h.0.ln_1.bias"][3] = 1, 0
    weight[:, [0, C]] = 0
    bias[0], bias[C], weight[3, C] = -1e-4, 1e5, 0.9e5 / (C - 1) ** 0.5  # of a query, of its key: 1e4 or 1.9e5
    path = models.write_gguf(tmp_path / "model.gguf", FUSED, tensors)
    prompt, options = (
        random_prompt(random, length, FUSED),
        {"device": device_name, "attention": attention, "fusion": fusion},
    )
    with LLM(path, **options) as model:
        assert len(model.generate(prompt, 5, ignore_end=True)) == 5
    with LLM(path, cache="f16", **options) as model:
        with pytest.raises(llm.Failure, match="NaN.*too large for the option cache f16; use f32"):
            model.generate(prompt, 5, ignore_end=True)


def test_fusion_is_refused_where_it_does_not_suit(random, tmp_path):
    tensors = models.random_gpt2(FUSED, random)
    plain = models.write_gguf(tmp_path / "plain.gguf", FUSED, tensors)
    packed = models.write_gguf(tmp_path / "packed.gguf", FUSED, tensors, type="Q8_0")
    small = write_model(tmp_path, random)[0]
    for path, options in [(packed, {}), (small, {}), (plain, {"batch": 9}), (plain, {"attention": "naive"})]:
        with pytest.raises(llm.Failure, match="fused kernels are for flash attention, f32 or f16"):
            LLM(path, device="cpu", fusion="on", **options)
    with pytest.raises(llm.Failure, match="fusion cannot be 17: use LLM_AUTO, LLM_ON or LLM_OFF"):
        LLM(path, device="cpu", fusion="flash")


@pytest.mark.parametrize("length", [512, 513, 1050])
def test_prompts_longer_than_a_pass(length, device_name, random, tmp_path):
    path, tensors = write_model(tmp_path, random, LONG)
    prompt = random_prompt(random, length, LONG)
    with LLM(path, device=device_name) as model:
        added = model.generate(prompt, 12)
    assert len(added) == 12
    check_greedy(tensors, prompt, added, LONG)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_cpu_threads(threads, checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, 20)
    with LLM(path, device="cpu", threads=threads) as model:
        added = model.generate(prompt, 20, ignore_end=True)
    assert len(added) == 20
    check_greedy(tensors, prompt, added)


def test_text_in_text_out(device_name, checkpoint):
    path, tensors = checkpoint
    with LLM(path, device=device_name) as model:
        prompt = model.encode("The meaning of life")
        assert model.decode(prompt) == b"The meaning of life"
        added = model.generate(prompt, 10, ignore_end=True)
        texts = models.token_bytes(models.small_tokenizer(CONFIG.vocabulary))
        bytes = b"".join(texts[token] for token in added)
        assert model.decode(added) == bytes.partition(b"\0")[0]  # a string of C ends there
    check_greedy(tensors, prompt, added)


def test_an_empty_prompt_begins_with_end_of_text(device_name, checkpoint):
    path, _ = checkpoint
    end = CONFIG.vocabulary - 1
    with LLM(path, device=device_name) as model:
        assert model.generate([], 10) == [end, *model.generate([end], 10)]


def test_a_model_without_tokenizer_has_the_end_that_its_configuration_names(device_name, random, tmp_path):
    path = models.write_huggingface(
        tmp_path / "model", CONFIG, models.random_gpt2(CONFIG, random), settings={"eos_token_id": 7}
    )
    with LLM(path, device=device_name) as model:
        assert model.info.end_of_text == 7
        assert model.generate([], 1)[0] == 7


def test_no_tokens_wanted(device_name, checkpoint):
    with LLM(checkpoint[0], device=device_name) as model:
        assert model.generate([1, 2, 3], 0) == []


# --- where a text ends ---


def test_the_end_of_the_context_ends_a_text(device_name, checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, CONFIG.context - 5)
    with LLM(path, device=device_name) as model:
        added = model.generate(prompt, 100, ignore_end=True)
        assert len(added) == 5
        check_greedy(tensors, prompt, added)
        assert model.generate(prompt + added, 100) == []
    with LLM(path, device=device_name, context=20) as model:
        added = model.generate(prompt[:10], 100, ignore_end=True)
        assert len(added) == 10
        check_greedy(tensors, prompt[:10], added)


def with_end_at(model_path, tensors, prompt, index, device_name):
    """Exchange two token ids of the model, so that its greedy text after `prompt` is the same but
    for the end-of-text token in the place of the first token not seen before, from `index` on.
    Returns the text up to there."""
    end = CONFIG.vocabulary - 1
    assert end not in prompt
    with LLM(model_path, device=device_name) as model:
        text = model.generate(prompt, 40, ignore_end=True)
    while text[index] in prompt + text[:index]:
        index += 1
    exchanged = [text[index], end]
    tensors["wte.weight"][exchanged] = tensors["wte.weight"][exchanged[::-1]]
    tokenizer = models.small_tokenizer(CONFIG.vocabulary)
    models.write_gguf(model_path, CONFIG, tensors, tokenizer=tokenizer)
    return [text[index] if token == end else token for token in text[:index]]


def test_end_of_text_ends_a_text(device_name, checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, 6)
    until_end = with_end_at(path, tensors, prompt, 3, device_name)
    with LLM(path, device=device_name) as model:
        assert model.generate(prompt, 40) == until_end  # the end itself is not appended
        on = model.generate(prompt, 40, ignore_end=True)
    assert len(on) == 40
    assert on[: len(until_end) + 1] == [*until_end, CONFIG.vocabulary - 1]


def test_callbacks_see_every_token_and_stop_the_text(device_name, checkpoint, random):
    path, _ = checkpoint
    prompt = random_prompt(random, 6)
    seen = []
    with LLM(path, device=device_name) as model:
        whole = model.generate(prompt, 20, ignore_end=True)
        stopped = model.generate(
            prompt, 20, ignore_end=True,
            on_token=lambda row, token: seen.append((row, token)) or len(seen) < 7,
        )  # fmt: skip
        assert stopped == whole[:7]
        assert seen == [(0, token) for token in stopped]
        assert model.generate(prompt, 20, ignore_end=True) == whole


# --- batches ---


def test_who_waits_may_leave(checkpoint, random):
    path, tensors = checkpoint
    first, second = random_prompt(random, 5), random_prompt(random, 6)
    begun, done, calls = threading.Event(), threading.Event(), []
    hold = lambda row, token: begun.set() or done.wait(60)
    leave = lambda: calls.append("asked") or len(calls) < 3
    with LLM(path, device="cpu", sessions=1) as model:
        options = {"ignore_end": True, "on_token": hold, "on_wait": lambda: True}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            text = pool.submit(model.generate, first, 4, **options)
            assert begun.wait(60)  # it has the only row
            assert model.generate(second, 4, on_wait=leave) == []
            assert model.ends == ["callback"] and len(calls) == 3
            done.set()
        check_greedy(tensors, first, text.result())
        check_greedy(tensors, second, model.generate(second, 4, ignore_end=True))


@pytest.mark.stand_in
@pytest.mark.parametrize("attention", ["naive", "flash"])
def test_rows_are_independent(attention, device_name, checkpoint, random):
    """Prompts of different lengths, down to one token; the last row is full and gets nothing."""
    path, tensors = checkpoint
    lengths = [5, 1, 60, 33, CONFIG.context]
    prompts = [random_prompt(random, length) for length in lengths]
    with LLM(path, device=device_name, attention=attention, batch=6) as model:
        added = model.generate_batch(prompts, 30, ignore_end=True)
    assert [len(row) for row in added] == [min(30, CONFIG.context - length) for length in lengths]
    for prompt, row in zip(prompts, added):
        check_greedy(tensors, prompt, row)


def test_every_number_of_rows(device_name, checkpoint, random):
    """Up to 8 tokens go through the kernels that multiply weights with vectors, more elsewhere."""
    path, tensors = checkpoint
    with LLM(path, device=device_name, batch=10) as model:
        for rows in range(1, 11):
            prompts = [random_prompt(random, int(random.integers(1, 9))) for _ in range(rows)]
            added = model.generate_batch(prompts, 5, ignore_end=True)
            for prompt, row in zip(prompts, added):
                assert len(row) == 5
                check_greedy(tensors, prompt, row)


def test_rows_longer_than_a_pass(device_name, random, tmp_path):
    """Three rows share a pass of 512 tokens, 170 each: prompts come in up to seven pieces."""
    path, tensors = write_model(tmp_path, random, LONG)
    lengths = [1050, 1, 170, 171, 500]
    prompts = [random_prompt(random, length, LONG) for length in lengths]
    for batch in (prompts[:3], prompts[2:]):
        with LLM(path, device=device_name, batch=3) as model:
            added = model.generate_batch(batch, 10)
        for prompt, row in zip(batch, added):
            assert len(row) == 10
            check_greedy(tensors, prompt, row, LONG)


def test_rows_that_outgrow_the_cache(random, tmp_path):
    """Hundreds of tokens, for which the KV cache moves while a recorded step is replayed. One row stops early and has
    no more pages; one is full from the beginning."""
    path, tensors = write_model(tmp_path, random, LONG)
    prompts = [random_prompt(random, length, LONG) for length in (3, 40, 20, LONG.context)]
    counts = [0] * 4

    def on_token(row, token):
        counts[row] += 1
        return row != 1 or counts[1] < 5

    with LLM(path, device="cpu", batch=4) as model:
        added = model.generate_batch(prompts, 800, on_token=on_token, ignore_end=True)
    assert [len(row) for row in added] == [800, 5, 800, 0]
    for prompt, row in zip(prompts[:3], added):
        check_greedy(tensors, prompt, row, LONG)


def test_rows_end_on_their_own(device_name, checkpoint, random):
    """By callback, by end-of-text, by the number of tokens: the others go on undisturbed."""
    path, tensors = checkpoint
    prompts = [random_prompt(random, length) for length in (6, 9, 4)]
    until_end = with_end_at(path, tensors, prompts[0], 3, device_name)
    counts = [0, 0, 0]

    def on_token(row, token):
        counts[row] += 1
        return row != 1 or counts[1] < 2

    with LLM(path, device=device_name, batch=3) as model:
        added = model.generate_batch(prompts, 25, on_token=on_token)
    assert added[0] == until_end
    assert len(added[1]) <= 2
    assert counts == [len(row) for row in added]
    for prompt, row in zip(prompts, added):
        check_greedy(tensors, prompt, row)
    if len(added[2]) < 25:  # then it is the end-of-text token that comes next
        check_greedy(tensors, prompts[2], [*added[2], CONFIG.vocabulary - 1])


@pytest.mark.stand_in
@pytest.mark.parametrize("cache", ["f32", "f16"])
@pytest.mark.parametrize("length", [33, 34, 64, 65, 70])
def test_answers_to_one_prompt(length, cache, device_name, random, tmp_path):
    """Each is the likeliest text, whatever the rows draw that have the same pages; so are texts that go on differently."""
    path, tensors = write_model(tmp_path, random, LONG)
    prompt = random_prompt(random, length, LONG)
    tie = TIE if cache == "f32" else HALF_TIE
    with LLM(path, device=device_name, batch=4, cache=cache) as model:
        for prompts in ([prompt] * 4, [prompt + random_prompt(random, tail, LONG) for tail in (3, 1, 40)]):
            for row, added in zip(prompts, model.generate_batch(prompts, 40)):
                assert len(added) == 40
                check_greedy(tensors, row, added, LONG, tie)
        rows = model.generate_batch([prompt] * 4, 20, seed=5, temperature=2.0)
        assert len({tuple(row) for row in rows}) == 4
        if cache == "f32":
            assert rows == [model.generate(prompt, 20, seed=5 + r, temperature=2.0) for r in range(4)]


def test_one_prompt_is_computed_once(random, tmp_path):
    """By the passes: tokens of each row, and rows."""
    path, _ = write_model(tmp_path, random, LONG)
    prompt = random_prompt(random, 100, LONG)

    def passes(prompts):
        recorder = dispatches.Recorder()
        generate = [("", lambda model: model.generate_batch(prompts, 1))]
        recorder.run("", path, "cpu", {}, len(prompts), generate)
        grids = [line.split()[1].split("×") for line in recorder.lines if line.startswith("embedding_forward")]
        return [(int(tokens), int(rows)) for _, tokens, rows in grids]

    assert passes([prompt] * 4) == [(99, 1), (1, 4)]
    assert passes([prompt + [1], prompt + [2, 3]]) == [(100, 1), (2, 2)]
    assert passes([prompt]) == [(100, 1)]
    assert passes([prompt[:32]] * 4) == [(32, 4)]  # less than a page is not worth a pass
    assert passes([prompt, prompt[1:]]) == [(100, 2)]


# --- seeds ---

SAMPLING = {"temperature": 1.5, "top_k": 50, "top_p": 0.95, "ignore_end": True}


def test_one_seed_gives_one_text(device_name, checkpoint, random):
    path, _ = checkpoint
    prompt = random_prompt(random, 6)
    with LLM(path, device=device_name) as model:
        text = model.generate(prompt, 40, seed=11, **SAMPLING)
        assert model.generate(prompt, 40, seed=11, **SAMPLING) == text
    with LLM(path, device=device_name) as model:
        assert model.generate(prompt, 40, seed=11, **SAMPLING) == text
        others = [model.generate(prompt, 40, seed=11 + 2**i, **SAMPLING) for i in (0, 20, 40, 63)]
    assert len({tuple(other) for other in [text, *others]}) == 5


def test_a_text_made_token_by_token_is_the_same_text(device_name, checkpoint, random):
    """The random numbers belong to positions, not to calls."""
    path, _ = checkpoint
    prompt = random_prompt(random, 6)
    with LLM(path, device=device_name) as model:
        whole = model.generate(prompt, 20, seed=5, **SAMPLING)
        text = list(prompt)
        for _ in range(20):
            text += model.generate(text, 1, seed=5, **SAMPLING)
    assert text == prompt + whole


def test_row_r_has_the_seed_plus_r(device_name, random, tmp_path):
    """Whatever the other rows, and however many pieces the prompts come in."""
    path, _ = write_model(tmp_path, random, LONG)
    prompts = [random_prompt(random, length, LONG) for length in (300, 5, 40)]
    with LLM(path, device=device_name, batch=3) as model:
        rows = model.generate_batch(prompts, 10, seed=77, **SAMPLING)
    with LLM(path, device=device_name) as model:
        for r, prompt in enumerate(prompts):
            assert model.generate(prompt, 10, seed=77 + r, **SAMPLING) == rows[r]


def test_sampled_texts_stay_among_the_likeliest(device_name, checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, 6)
    with LLM(path, device=device_name) as model:
        added = model.generate(prompt, 40, temperature=5, top_k=3, seed=1, ignore_end=True)
        greedy = model.generate(prompt, 40, ignore_end=True)
        assert model.generate(prompt, 40, temperature=5, top_k=1, ignore_end=True) == greedy
    logits = reference.logits(CONFIG, tensors, prompt + added)
    ranks = []
    for row, token in zip(logits[len(prompt) - 1 :], added):
        ranks.append(int(numpy.sum(row > row[token] + TIE * numpy.linalg.norm(row))))
    assert max(ranks) == 2 and min(ranks) == 0


# --- the other samplers ---


@pytest.mark.stand_in
@pytest.mark.parametrize(
    "options",
    [
        {"repetition_penalty": 1.5},
        {"presence_penalty": 3.0, "penalty_window": 5},
        {"frequency_penalty": 1.5, "penalty_window": 2**32 - 1},
        {"repetition_penalty": 0.9, "frequency_penalty": -0.1, "penalty_window": 40},
        {"logit_bias": [(3, 6.0), (7, -numpy.inf), (9, 2.0), (9, 2.5)], "presence_penalty": 4.0},
    ],
    ids=str,
)
def test_penalties_and_bias_against_numpy(options, device_name, checkpoint, random):
    """The likeliest token by changed logits, of rows of several lengths, from the prompt's own tokens on."""
    path, tensors = checkpoint
    prompts = [random_prompt(random, length) for length in (20, 3, 1)]
    with LLM(path, device=device_name, batch=3) as model:
        added = model.generate_batch(prompts, 40, ignore_end=True, **options)
        plain = model.generate_batch(prompts, 40, ignore_end=True)
    assert added != plain
    window = options.get("penalty_window", 64)
    values = [options.get(name, neutral) for name, neutral in
              (("repetition_penalty", 1), ("presence_penalty", 0), ("frequency_penalty", 0))]  # fmt: skip
    for prompt, row in zip(prompts, added):
        assert len(row) == 40
        text, logits = prompt + row, reference.logits(CONFIG, tensors, prompt + row)
        for token, bias in options.get("logit_bias", []):
            logits[:, token] += bias
        for at in range(len(prompt), len(text)):
            changed = test_sampling.penalised(logits[at - 1 : at], [text[:at]], window, *values)[0]
            size = numpy.linalg.norm(changed[numpy.isfinite(changed)])
            assert changed.max() - changed[text[at]] <= 2e-5 * size, f"token {at} of {text}"


def test_cuts_of_whole_models(device_name, checkpoint, random):
    """What is drawn at a high temperature is what min-p and typical leave over, with what stands before them."""
    path, tensors = checkpoint
    prompt = random_prompt(random, 6)
    for options in ({"min_p": 0.97}, {"typical_p": 0.05}, {"typical_p": 0.3, "top_k": 20, "min_p": 0.95, "top_p": 0.9}):
        with LLM(path, device=device_name) as model:
            added = model.generate(prompt, 40, temperature=30, ignore_end=True, seed=3, **options)
        logits = reference.logits(CONFIG, tensors, prompt + added)
        names = {"typical_p": "typical"}
        options = {names.get(name, name): value for name, value in options.items()}
        outside = 0
        for row, token in zip(logits[len(prompt) - 1 :], added):
            p = test_sampling.distribution(row, temperature=30, **options)
            assert numpy.sum(p > 0) < len(p) / 2
            outside += p[token] == 0
        assert outside <= 1  # at a cut rounding may decide


def test_a_forbidden_token_is_never_drawn(device_name, checkpoint, random):
    path, _ = checkpoint
    prompt = random_prompt(random, 6)
    allowed = [3, 5, 250]
    bias = [(id, -numpy.inf) for id in range(CONFIG.vocabulary) if id not in allowed]
    with LLM(path, device=device_name) as model:
        text = model.generate(prompt, 40, temperature=1e4, seed=1, logit_bias=bias)
        assert set(text) == set(allowed)
        assert set(model.generate(prompt, 5, logit_bias=bias)) <= set(allowed)
        assert model.generate(prompt, 5, logit_bias=[(5, 10000.0)]) == [5] * 5


# --- stop texts ---


def recited(path, script, device="cpu", **options):
    """What comes of a script of byte tokens: the added tokens as text, what on_text and on_token were told, why it
    ended."""
    tokenizer = models.small_tokenizer(300)
    texts = models.token_bytes(tokenizer)
    ids = [texts.index(bytes([byte])) for byte in script] if isinstance(script, bytes) else script
    models.write_reciter(path, ids, tokenizer)
    pieces, tokens = [], []
    with LLM(path, device=device) as model:
        added = model.generate(
            [299], len(ids), stops=options.pop("stops", None), on_text=lambda _, text: pieces.append(text) or True,
            on_token=lambda _, token: tokens.append(token) or True, **options,
        )  # fmt: skip
        (end,) = model.ends
    assert tokens == added
    return b"".join(texts[id] for id in added), pieces, end


@pytest.mark.parametrize(
    "script, stops, expected",
    [
        (b"abcSTOPxyz", [b"STOP"], b"abc"),
        (b"abSTxSTOSTOPq", [b"STOP"], b"abSTxSTO"),
        (b"aaaaab", [b"aab"], b"aaa"),
        (b"STOP", [b"STOP"], b""),
        (b"one two three", [b"three", b"two"], b"one "),
        (b"one two three", [b"wo t", b"two three"], b"one t"),
        (b"one two three", [b"o three", b"two th"], b"one "),
        (b"abcSTO", [b"STOP"], b"abcSTO"),
        ("naïve 日本".encode(), ["日".encode()], "naïve ".encode()),
        ("naïve 日本".encode(), ["日".encode()[1:]], "naïve ".encode() + "日".encode()[:1]),
        (b"abc", [b"d", b"STOP"], b"abc"),
        (b"abc", [b"c"], b"ab"),
    ],
)
def test_stops(script, stops, expected, tmp_path):
    """The text ends before the first, and so do the tokens; nobody is shown a part of it."""
    text, pieces, end = recited(tmp_path / "reciter.gguf", script, stops=stops)
    assert text == b"".join(pieces) == expected
    assert end == ("stop" if any(stop in script for stop in stops) else "count")


def test_a_stop_inside_a_token(tmp_path):
    """What is before it in its own token is text, the token is none."""
    texts = models.token_bytes(models.small_tokenizer(300))
    token = max(range(299), key=lambda id: len(texts[id]))
    before = texts.index(b"x")
    text, pieces, end = recited(tmp_path / "reciter.gguf", [before, token, before], stops=[texts[token][1:3]])
    assert (text, b"".join(pieces), end) == (b"x", b"x" + texts[token][:1], "stop")


def test_random_stops(random, tmp_path):
    """Of few letters, so that many begin and do not come: as bytes.find tells."""
    for _ in range(30):
        letters = lambda most: bytes(random.choice([97, 98], int(random.integers(1, most))).astype(numpy.uint8))
        script, stops = letters(40), [letters(6) for _ in range(random.integers(1, 4))]
        # the first that is complete ends the text; of those that are complete at once, the first to begin
        complete = min((script.find(stop) + len(stop) for stop in stops if stop in script), default=None)
        starts = [complete - len(stop) for stop in stops if complete and script[:complete].endswith(stop)]
        expected = script[: min(starts)] if starts else script
        text, pieces, end = recited(tmp_path / "reciter.gguf", script, stops=stops)
        assert text == b"".join(pieces) == expected, (script, stops)
        assert end == ("stop" if starts else "count")


def test_pieces_are_whole_characters(tmp_path):
    script = "naïve €5 😀 日".encode()
    text, pieces, _ = recited(tmp_path / "reciter.gguf", script)
    assert [piece.decode() for piece in pieces] == list(script.decode())
    for tail in (b"\xe2\x82", b"\xff\xfe", b"\x80\x80\x80\x80"):
        text, pieces, _ = recited(tmp_path / "reciter.gguf", b"ab" + tail)
        assert text == b"".join(pieces) == b"ab" + tail


def test_stops_in_rows(device_name, checkpoint, random):
    """Each row has its own text; the others go on."""
    path, _ = checkpoint
    texts = models.token_bytes(models.small_tokenizer(CONFIG.vocabulary))
    prompts = [random_prompt(random, length) for length in (6, 9, 4)]
    with LLM(path, device=device_name, batch=3) as model:
        whole = model.generate_batch(prompts, 20, ignore_end=True)
        pairs = [b"".join(texts[token] for token in whole[1][i : i + 2]) for i in (7, 9, 11, 13, 15, 17)]
        stop = next(pair for pair in pairs if pair and b"\0" not in pair)  # it is a string of C
        added = model.generate_batch(prompts, 20, ignore_end=True, stops=[stop])
        ends = model.ends
    for row, before, end in zip(added, whole, ends):
        text = b"".join(texts[token] for token in before)
        cut = text.find(stop)
        assert before[: len(row)] == row and end == ("count" if cut < 0 else "stop")
        kept = b"".join(texts[token] for token in row)
        assert text.startswith(kept) and (cut < 0 or len(kept) <= cut < len(kept + texts[before[len(row)]]))
    assert ends[1] == "stop"


def test_why_rows_end(device_name, checkpoint, random):
    path, tensors = checkpoint
    prompts = [random_prompt(random, length) for length in (6, 60, CONFIG.context, 5)]
    with_end_at(path, tensors, prompts[0], 3, device_name)
    with LLM(path, device=device_name, batch=4) as model:
        model.generate(prompts[0], 40)
        assert model.ends == ["token"]
        model.generate_batch(prompts, 25, on_token=lambda row, token: row != 3, ignore_end=True)
        assert model.ends == ["count", "context", "context", "callback"]
        model.generate(prompts[0], 0)
        assert model.ends == ["count"]
        model.generate(prompts[0], 5, on_text=lambda row, text: False, ignore_end=True)
        assert model.ends == ["callback"]


# --- logprobs ---


@pytest.mark.stand_in
@pytest.mark.parametrize("count", [0, 1, 20])
def test_logprobs(count, device_name, checkpoint, random):
    """Of each token, and of the likeliest in its place, by the numpy model's own logits: whatever else is asked for."""
    path, tensors = checkpoint
    prompts = [random_prompt(random, length) for length in (7, 20)]
    told = {0: [], 1: []}
    options = {"temperature": 2.0, "top_k": 50, "typical_p": 0.9, "presence_penalty": 1.0, "seed": 3}
    with LLM(path, device=device_name, batch=2) as model:
        plain = model.generate_batch(prompts, 30, ignore_end=True, **options)
        added = model.generate_batch(
            prompts,
            30,
            ignore_end=True,
            logprobs=count,
            on_logprobs=lambda row, pairs: told[row].append(pairs),
            **options,
        )
    assert added == plain
    for row, (prompt, text) in enumerate(zip(prompts, added)):
        logits = reference.logits(CONFIG, tensors, prompt + text)[len(prompt) - 1 : -1]
        expected = logits - logits.max(1, keepdims=True)
        expected -= numpy.log(numpy.exp(expected).sum(1, keepdims=True))
        assert [pairs[0][0] for pairs in told[row]] == text and len(text) == 30
        for pairs, line in zip(told[row], expected):
            assert len(pairs) == 1 + count
            tokens, logprobs = zip(*pairs)
            assert numpy.abs(logprobs - line[list(tokens)]).max() <= 1e-4
            assert sorted(logprobs[1:], reverse=True) == list(logprobs[1:]) and len(set(tokens[1:])) == count
            assert count == 0 or numpy.sort(line)[-count] - min(logprobs[1:]) <= 1e-4


def test_logprobs_of_the_end(device_name, checkpoint, random):
    """They are told, and the end is none of the tokens."""
    path, tensors = checkpoint
    prompt, told, tokens = random_prompt(random, 7), [], []
    with LLM(path, device=device_name) as model:
        end = model.info.end_of_text
        added = model.generate(
            prompt,
            5,
            logit_bias=[(end, 1000)],
            on_logprobs=lambda row, pairs: told.append(pairs),
            on_token=lambda row, token: tokens.append(token) or True,
        )
        assert model.ends == ["token"]
    (((token, logprob),),) = told
    logits = reference.logits(CONFIG, tensors, prompt)[-1]
    expected = logits - logits.max()
    expected -= numpy.log(numpy.exp(expected).sum())
    assert added == tokens == [] and token == end and abs(logprob - expected[end]) <= 1e-4


def test_logprobs_wait_with_their_tokens(tmp_path):
    """Of tokens that may belong to a stop text, and are none of the text."""
    told = []
    text, _, _ = recited(
        tmp_path / "reciter.gguf", b"abSTxSTOP", stops=[b"STOP"], on_logprobs=lambda _, pairs: told.append(pairs[0][0])
    )
    texts = models.token_bytes(models.small_tokenizer(300))
    assert text == b"".join(texts[token] for token in told) == b"abSTx"


# --- what is refused ---


@pytest.mark.parametrize(
    "prompt, options, status, message",
    [
        ([1] * 65, {}, llm.CONTEXT, "prompt has 65 tokens, more than the context of 64"),
        ([1, 300], {}, llm.ARGUMENT, "token 300 is not in the vocabulary of 300"),
        ([2**32 - 1], {}, llm.ARGUMENT, "token 4294967295 is not in the vocabulary of 300"),
        ([1], {"temperature": -1}, llm.ARGUMENT, "temperature must be"),
        ([1], {"temperature": numpy.nan}, llm.ARGUMENT, "temperature must be"),
        ([1], {"temperature": numpy.inf}, llm.ARGUMENT, "temperature must be"),
        ([1], {"top_p": -0.1}, llm.ARGUMENT, "top_p"),
        ([1], {"top_p": 1.1}, llm.ARGUMENT, "top_p"),
        ([1], {"top_p": numpy.nan}, llm.ARGUMENT, "top_p"),
        ([1], {"min_p": 1.1}, llm.ARGUMENT, "min_p must be 0 to 1, not 1.1"),
        ([1], {"typical_p": -1}, llm.ARGUMENT, "typical_p must be 0 to 1"),
        ([1], {"repetition_penalty": 0.001}, llm.ARGUMENT, "repetition_penalty must be 0.01 to 100"),
        ([1], {"presence_penalty": numpy.nan}, llm.ARGUMENT, "presence_penalty must be -100 to 100"),
        ([1], {"frequency_penalty": -numpy.inf}, llm.ARGUMENT, "frequency_penalty must be -100 to 100, not -inf"),
        ([1], {"logit_bias": [(300, 1)]}, llm.ARGUMENT, "logit_bias: token 300 is not in the vocabulary of 300"),
        ([1], {"logit_bias": [(2, numpy.inf)]}, llm.ARGUMENT, "logit_bias of token 2 must be -10000 to 10000"),
        ([1], {"logit_bias": [(2, numpy.nan)]}, llm.ARGUMENT, "logit_bias of token 2 must be"),
        ([1], {"stops": [b"a", b""]}, llm.ARGUMENT, "stop text 1 is empty"),
        ([1], {"stop_count": 1}, llm.ARGUMENT, "no stops: they are NULL"),
        ([1], {"logprobs": 21}, llm.ARGUMENT, "logprobs must be 0 to 20, not 21"),
        ([1], {"logit_bias_count": 1}, llm.ARGUMENT, "no logit_bias: it is NULL"),
        ([1], {"logit_bias": [(id, -numpy.inf) for id in range(300)]}, llm.ARGUMENT, "forbids every token"),
    ],
)
def test_wrong_requests_are_refused(prompt, options, status, message, checkpoint):
    with LLM(checkpoint[0], device="cpu") as model:
        with pytest.raises(llm.Failure, match=message) as failure:
            model.generate(prompt, 1, **options)
        assert failure.value.status == status
        assert len(model.generate([1], 2, ignore_end=True)) == 2  # as good as before


def test_texts_that_cannot_be_scored_are_refused(checkpoint):
    with LLM(checkpoint[0], device="cpu", context=20) as model:
        for score in (model.logits, model.losses):
            with pytest.raises(llm.Failure, match="21 tokens, more than the context of 20"):
                score([1] * 21)
            with pytest.raises(llm.Failure, match="token 300 is not in the vocabulary"):
                score([1, 300])


def test_too_many_rows_are_refused(checkpoint):
    with LLM(checkpoint[0], device="cpu", batch=2) as model:
        with pytest.raises(llm.Failure, match="3 rows .* opened for a batch of 2"):
            model.generate_batch([[1], [2], [3]], 1)
        with pytest.raises(llm.Failure, match="0 rows"):
            model.generate_batch([], 1)


def test_an_empty_prompt_needs_an_end_of_text_token(random, tmp_path):
    path, _ = write_model(tmp_path, random, LONG)
    with LLM(path, device="cpu") as model:
        with pytest.raises(llm.Failure, match="prompt is empty .* no end-of-text"):
            model.generate([], 1)
        with pytest.raises(llm.Failure, match="brings no tokenizer"):
            model.encode("text")
        with pytest.raises(llm.Failure, match="brings no tokenizer"):
            model.decode([1])


def test_ids_outside_the_vocabulary_have_no_text(checkpoint):
    with LLM(checkpoint[0], device="cpu") as model:
        with pytest.raises(llm.Failure, match="token 300 is not in the vocabulary of 300"):
            model.decode([1, 300])


def test_nothing_happens_after_an_error(checkpoint, library):
    """A chain of calls needs one check at its end."""
    with LLM(checkpoint[0], device="cpu") as model:
        error, tokens = Error(status=llm.FILE, message=b"the first error"), Tokens()
        assert not library.llm_generate(model.handle, byref(tokens), 3, None, byref(error))
        assert tokens.count == 0
        assert (error.status, error.message) == (llm.FILE, b"the first error")
