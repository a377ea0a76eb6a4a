"""llm_inspect: what is seen inside a pass against the numpy models, parts switched off, and streams beside it; and
the verb `inspect`."""

import ctypes
import dataclasses
import json
import os
import re
import subprocess
import threading
import zipfile

import numpy
import pytest

import families
import llm
import models
import reference
from families import Config
from library import COMMAND
from llm import LLM

TOLERANCE = 1e-4  # of reference.logit_error
CLOSE = 1e-5  # of attention weights

GPT2 = models.Config(layers=3, heads=3, channels=48, context=200, vocabulary=307)
CASES = {
    "gpt2": GPT2,
    "gpt2, untied": models.Config(layers=2, heads=2, channels=32, context=200, tied=False, scale_by_layer=True),
    "llama": Config(layers=3, context=200),
    "llama, biased": Config(kv_heads=1, tied=False, bias=True, heads=3, channels=54, inner=77, context=200),
    "qwen2": Config(family="qwen2", heads=6, channels=96, rope_base=1e6, context=200),
    "qwen3": Config(family="qwen3", head_size=32, kv_heads=1, rope_base=1e6, context=200),
    "mistral, window": Config(family="mistral", window=40, context=200),
    "gemma3": Config(family="gemma3", layers=7, head_size=24, window=9, rope_base=1e6, kv_heads=1, context=200),
}
each_case = pytest.mark.parametrize("case", CASES)


def write(folder, config, random):
    """A random model's path, and a function of its numpy: logits(ids, inside)."""
    if isinstance(config, models.Config):
        tensors = models.random_gpt2(config, random)
        if not config.scale_by_layer:
            path = models.write_gguf(folder / "model.gguf", config, tensors)
        else:
            settings = {"scale_attn_by_inverse_layer_idx": True}
            path = models.write_huggingface(folder / "model", config, tensors, settings=settings)
        return path, lambda ids, inside=None: reference.logits(config, tensors, ids, inside)
    tensors = families.random_model(config, random, std=0.15)  # of more, floats are not within CLOSE
    window = lambda writer: config.family == "mistral" and writer.add_sliding_window(config.window)
    path = families.write_gguf(folder / "model.gguf", config, tensors, keys=window)
    return path, lambda ids, inside=None: families.logits(config, tensors, ids, inside=inside)


def random_ids(random, config, count):
    return random.integers(0, config.vocabulary, count).tolist()


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(-1, keepdims=True))


def check_likeliest(pairs, logits):
    """Likeliest first, each with its own ln p, and none left out that is likelier."""
    expected = log_softmax(logits)
    tolerance = TOLERANCE * numpy.linalg.norm(logits - logits.mean(-1, keepdims=True), axis=-1)[..., None]
    told = numpy.take_along_axis(expected, pairs["token"].astype(numpy.int64), -1)
    assert numpy.all(abs(told - pairs["logprob"]) <= tolerance)
    assert numpy.all(numpy.diff(pairs["logprob"], axis=-1) <= 0)
    best = -numpy.sort(-expected, axis=-1)[..., : pairs.shape[-1]]
    assert numpy.all(abs(best - pairs["logprob"]) <= tolerance)
    assert all(len(set(row)) == len(row) for row in pairs["token"].reshape(-1, pairs.shape[-1]).tolist())


def check_attention(attention, expected):
    assert not (abs(attention.sum(-1) - 1).max() > CLOSE)
    assert abs(attention - expected).max() <= CLOSE


@pytest.mark.stand_in
@each_case
def test_all_of_it(case, device_name, random, tmp_path):
    """Of a text in pieces: 64 tokens are one."""
    config = CASES[case]
    path, numpy_logits = write(tmp_path, config, random)
    ids = random_ids(random, config, 150 if device_name == "cpu" else 9)
    n, first = len(ids), int(random.integers(0, len(ids)))
    tokens = int(random.integers(1, n + 1))
    token = int(random.integers(0, n - tokens + 1))
    head = (config.layers - 1, int(random.integers(0, config.heads)))
    inside = reference.Inside()
    expected = numpy_logits(ids, inside)
    with LLM(path, device=device_name) as model:
        seen = model.inspect(ids, first=first, top=10, lens=3, token=token, token_count=tokens, head=head)
        last = model.inspect(ids, first=n - 1)
    assert reference.logit_error(seen["logits"], expected[first:]) <= TOLERANCE
    check_likeliest(seen["top"], expected[first:])
    for layer in range(config.layers):
        check_likeliest(seen["lens"][layer], inside.lens[layer][first:])
        check_attention(seen["attention"][layer], inside.attention[layer][:, token : token + tokens])
        check_attention(last["attention"][layer], inside.attention[layer][:, -1:])
    check_attention(seen["head_attention"], inside.attention[head[0]][head[1]])
    assert numpy.array_equal(seen["lens"][-1], seen["top"][:, :3])
    own = numpy.take_along_axis(log_softmax(expected), numpy.append(ids[1:], 0)[:, None], -1)[first:-1, 0]
    assert numpy.allclose(seen["logprobs"], own, rtol=1e-4, atol=1e-4)
    assert numpy.allclose(seen["log_sums"], numpy.log(numpy.exp(expected).sum(-1))[first:], rtol=1e-4, atol=1e-4)


@each_case
def test_parts_switched_off(case, random, tmp_path):
    """A head off is a slice of the projection's input that is 0, an MLP off a block that adds nothing."""
    config = CASES[case]
    path, numpy_logits = write(tmp_path, config, random)
    ids = random_ids(random, config, 70)
    heads = [(l, h) for l in range(config.layers) for h in range(config.heads) if random.random() < 0.3] or [(0, 0)]
    mlps = [l for l in range(config.layers) if random.random() < 0.5] or [0]
    whole = numpy_logits(ids)
    with LLM(path, device="cpu") as model:
        for inside in [reference.Inside(heads_off=heads), reference.Inside(mlps_off=mlps),
                       reference.Inside(heads_off=heads, mlps_off=mlps)]:  # fmt: skip
            expected = numpy_logits(ids, inside)
            seen = model.inspect(ids, heads_off=inside.heads_off, mlps_off=inside.mlps_off)
            assert reference.logit_error(seen["logits"], expected) <= TOLERANCE
            assert reference.logit_error(seen["logits"], whole) > 10 * TOLERANCE
            check_attention(seen["attention"], numpy.stack(inside.attention)[:, :, -1:])
        assert reference.logit_error(model.inspect(ids)["logits"], whole) <= TOLERANCE
        assert reference.logit_error(model.logits(ids), whole) <= TOLERANCE


@pytest.mark.parametrize("options", [
    dict(attention="naive"), dict(attention="plain"), dict(cache="f16"), dict(batch=3), dict(threads=2),
], ids=str)  # fmt: skip
def test_options(options, random, tmp_path):
    path, numpy_logits = write(tmp_path, GPT2, random)
    ids = random_ids(random, GPT2, 100)
    tolerance = 1e-2 if "cache" in options else TOLERANCE
    with LLM(path, device="cpu", **options) as model:
        before = model.generate(ids[:60], 20, ignore_end=True)
        seen = model.inspect(ids, top=1)
        assert model.generate(ids[:60], 20, ignore_end=True) == before
    assert reference.logit_error(seen["logits"], numpy_logits(ids)) <= tolerance


def test_quantised_weights(random, tmp_path):
    """As the model computes with them: the logits are near those of llm_logits, and the lens ends with them."""
    config = Config(channels=64, inner=96, context=200)
    tensors = families.random_model(config, random, std=0.2)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type="Q8_0")
    ids = random_ids(random, config, 90)
    with LLM(path, device="cpu", integer_products="on") as model:
        seen = model.inspect(ids, top=4, lens=4)
        assert reference.logit_error(seen["logits"], model.logits(ids)) <= 2e-2
    assert numpy.array_equal(seen["lens"][-1], seen["top"])


def test_streams_beside_it(random, tmp_path):
    """Others go on while a text is looked into, with the same tokens; and what is seen is the same."""
    path, _ = write(tmp_path, GPT2, random)
    prompt, text = random_ids(random, GPT2, 20), random_ids(random, GPT2, 190)
    with LLM(path, device="cpu", sessions=2) as model:
        expected = model.generate(prompt, 170, ignore_end=True)
        quiet = model.inspect(text, top=5, lens=5)
        started, answers = threading.Event(), []
        on_token = lambda row, token: started.set() or True
        stream = lambda: answers.append(model.generate(prompt, 170, ignore_end=True, on_token=on_token))
        thread = threading.Thread(target=stream)
        thread.start()
        started.wait()
        seen = model.inspect(text, top=5, lens=5)
        thread.join()
    assert answers == [expected]
    for name, array in quiet.items():
        assert numpy.array_equal(array, seen[name]), name


def test_between_two_pieces(random, tmp_path):
    """Others' tokens come in between, and it is given up there: a long text is not waited for."""
    config = dataclasses.replace(GPT2, context=4000)
    path, _ = write(tmp_path, config, random)
    asked, enough, failures = threading.Event(), threading.Event(), []

    def inspect_all(model):
        with pytest.raises(llm.Failure, match="on_wait has said so") as failure:
            model.inspect(random_ids(random, config, 4000), lens=1, on_wait=lambda: asked.set() or not enough.is_set())
        failures.append(failure.value)

    with LLM(path, device="simt", sessions=2) as model:
        thread = threading.Thread(target=inspect_all, args=[model])
        thread.start()
        asked.wait()
        continued, over = model.generate([1, 2, 3], 9, ignore_end=True), not thread.is_alive()
        enough.set()
        thread.join()
        assert len(continued) == 9 and not over and [failure.status for failure in failures] == [llm.BUSY]
        assert model.inspect([1, 2, 3], on_wait=lambda: True)["logits"].shape == (3, 307)


@pytest.mark.parametrize("wrong, message", [
    (dict(first=5), "predictions are wanted from token 5 on, but there are 5, counted from 0"),
    (dict(token=3, token_count=3), "the attention of token 5 is wanted, but there are 5"),
    (dict(token=5), "the attention of token 5 is wanted, but there are 5, counted from 0"),
    (dict(head=(3, 0)), "the one that is wanted whole is head 0 of layer 3, but there are 3 layers of 3 heads"),
    (dict(heads_off=[(0, 3)]), "one that is to be off is head 3 of layer 0, but there are 3 layers of 3 heads"),
    (dict(mlps_off=[1, 3]), "the MLP of layer 3 is to be off, but there are 3 layers, counted from 0"),
    (dict(top=308), "308 of the likeliest tokens are wanted, and there are 307"),
    (dict(lens=400), "400 of the likeliest tokens are wanted, and there are 307"),
])  # fmt: skip
def test_what_is_refused(wrong, message, random, tmp_path):
    path, _ = write(tmp_path, GPT2, random)
    with LLM(path, device="cpu") as model:
        with pytest.raises(llm.Failure, match=message) as failure:
            model.inspect(random_ids(random, GPT2, 5), **wrong)
        assert failure.value.status == llm.ARGUMENT
        with pytest.raises(llm.Failure, match="201 tokens, more than the context of 200"):
            model.inspect(random_ids(random, GPT2, 201))
        assert model.inspect([], first=7)["logits"].size == 0


def test_lists_without_an_array(random, tmp_path):
    path, _ = write(tmp_path, GPT2, random)
    with LLM(path, device="cpu") as model:
        tokens = model._tokens([1, 2])
        for fields in (dict(heads_off_count=1), dict(mlps_off_count=1)):
            inspection = llm.Inspection(size=ctypes.sizeof(llm.Inspection), **fields)
            with pytest.raises(llm.Failure, match="heads or MLPs are to be off, but their list is NULL"):
                llm.checked(model.library.llm_inspect, model.handle, ctypes.byref(tokens), ctypes.byref(inspection))
        inspection = llm.Inspection(size=ctypes.sizeof(llm.Inspection))  # nothing is wanted, and nothing written
        llm.checked(model.library.llm_inspect, model.handle, ctypes.byref(tokens), ctypes.byref(inspection))
        model.library.llm_tokens_free(ctypes.byref(tokens))


def test_all_tokens_in_order(random, tmp_path):
    """As many as there are, of two alike the lower first."""
    config = models.Config(layers=1, heads=2, channels=32, context=40, vocabulary=311)
    tensors = models.random_gpt2(config, random)
    tensors["wte.weight"][100:200] = tensors["wte.weight"][:100]
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors)
    with LLM(path, device="cpu") as model:
        seen = model.inspect(random_ids(random, config, 3), top=311)
    for row, logits in zip(seen["top"], seen["logits"]):
        assert row["token"].tolist() == numpy.lexsort((numpy.arange(311), -logits)).tolist()


def test_damaged_weights(random, tmp_path):
    tensors = models.random_gpt2(GPT2, random)
    tensors["h.1.mlp.c_proj.weight"][0, 0] = numpy.nan
    path = models.write_gguf(tmp_path / "model.gguf", GPT2, tensors)
    with LLM(path, device="cpu") as model:
        with pytest.raises(llm.Failure, match="the model's weights are damaged") as failure:
            model.inspect(random_ids(random, GPT2, 5), top=1)
        assert failure.value.status == llm.NUMERIC


# --- the verb ---

TOKENIZER = models.small_tokenizer(307)
TEXT = "The river was cold.\nThe light"


@pytest.fixture
def with_words(random, tmp_path):
    """A model with a tokenizer."""
    return models.write_gguf(tmp_path / "words.gguf", GPT2, models.random_gpt2(GPT2, random), tokenizer=TOKENIZER)


def inspect(*arguments, environment={}):
    result = subprocess.run(
        [COMMAND, "inspect", *map(str, arguments), "--device", "cpu"], capture_output=True, timeout=120,
        env=os.environ | environment,
    )  # fmt: skip
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def test_npz(with_words, tmp_path):
    """What llm_inspect says, for numpy.load."""
    out = tmp_path / "seen.npz"
    assert inspect("-m", with_words, TEXT, "-o", out, "--head", "1.2", "--head-off", "0.1", "--mlp-off", "2")[0] == 0
    arrays = dict(numpy.load(out))
    with LLM(with_words, device="cpu") as model:
        ids = model.encode(TEXT)
        seen = model.inspect(
            ids, top=10, lens=10, token=0, token_count=len(ids), head=(1, 2), heads_off=[(0, 1)], mlps_off=[2]
        )
    assert arrays["tokens"].tolist() == ids
    for name in ("top", "lens"):
        assert numpy.array_equal(arrays.pop(f"{name}_tokens"), seen[name]["token"])
        assert numpy.allclose(arrays.pop(f"{name}_logprobs"), seen[name]["logprob"], atol=1e-5)
    for name in set(arrays) - {"tokens"}:
        assert arrays[name].dtype == numpy.float32 and numpy.allclose(arrays[name], seen[name], atol=1e-5), name
    assert zipfile.ZipFile(out).testzip() is None


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_html(with_words, tmp_path):
    """A page by itself: nothing is fetched, and what is seen is in it."""
    out = tmp_path / "seen.html"
    assert inspect("-m", with_words, TEXT + " </script><b>", "-o", out)[0] == 0
    page = out.read_text()
    assert "{{" not in page and not re.search(r"(src|href|url\()\s*=?\s*[\"']?(https?:)?//", page)
    data = data_of(page)
    with LLM(with_words, device="cpu") as model:
        ids = model.encode(TEXT + " </script><b>")
        seen = model.inspect(ids, top=10, lens=10, token=0, token_count=len(ids))
    assert [token["id"] for token in data["tokens"]] == ids
    assert "".join(token["text"] for token in data["tokens"]) == TEXT + " </script><b>"
    assert data["tokens"][0]["logprob"] is None
    assert numpy.allclose([token["logprob"] for token in data["tokens"][1:]], seen["logprobs"], rtol=1e-3)
    for name in ("top", "lens"):
        pick = lambda key, value: numpy.vectorize(lambda item: item[key])(numpy.array(value))
        assert numpy.array_equal(pick("id", data[name]), seen[name]["token"])
    assert abs(numpy.array(data["attention"]["weights"]) - seen["attention"]).max() <= 5.1e-4
    assert (data["layers"], data["heads"]) == (GPT2.layers, GPT2.heads)


def test_terminal(with_words):
    """One line for each token, with its likelihood; a row of the map for each layer. No escapes in a pipe."""
    status, out, messages = inspect("-m", with_words, TEXT, "--lens")
    with LLM(with_words, device="cpu") as model:
        ids = model.encode(TEXT)
        seen = model.inspect(ids, top=3)
    assert status == 0 and "\033" not in out
    head, attention, lens = out.split("\n\n")
    lines = head.splitlines()
    assert len(lines) == 1 + len(ids)
    for i, line in enumerate(lines[2:]):
        shares = [float(share) for share in re.findall(r"([0-9.]+) %", line)]
        expected = 100 * numpy.exp(numpy.append(seen["logprobs"][i], seen["top"][i + 1]["logprob"]))
        assert numpy.allclose(shares, expected, atol=0.051)
    assert len(re.findall(r"^layer \d+ +[·░▒▓█]+$", attention, re.M)) == GPT2.layers
    widths = {len(line.split()[-1]) for line in attention.splitlines()[2:]}
    assert widths == {2 * len(ids)}
    assert len(re.findall(r"^layer \d", lens, re.M)) == GPT2.layers
    assert "\\n" in head
    status, out, _ = inspect("-m", with_words, TEXT, "--head", "2.1")
    rows = re.findall(r"^ *(\d+)  ([·░▒▓█]+) ", out.split("\n\n")[1], re.M)
    assert [int(row) for row, _ in rows] == list(range(len(ids)))
    assert rows[0][1].startswith("██")  # the first token has nobody else


@pytest.mark.parametrize("arguments, status, message", [
    ([TEXT, "-o", "x.txt"], 2, "the name of the file has to end in .npz or .html"),
    ([TEXT, "--head", "1"], 2, "--head 1: a layer and a head are wanted, as 3.5"),
    ([TEXT, "--head", "1.9"], 2, "head 9 of layer 1, but there are 3 layers of 3 heads"),
    ([TEXT, "--head-off", "a.b"], 2, "--head-off a.b: a layer and a head are wanted"),
    ([TEXT, "--mlp-off", "-1"], 2, "--mlp-off -1: the number of a layer is wanted"),
    ([TEXT, "--mlp-off", "3"], 2, "the MLP of layer 3 is to be off, but there are 3 layers"),
    ([TEXT, "--token", "99"], 2, "the attention of token 99 is wanted"),
    ([""], 2, "the text is empty"),
    (["the " * 250], 1, "more than the context of 200"),
    ([TEXT, "-o", "/no/such/folder/x.npz"], 1, "/no/such/folder/x.npz"),
], ids=str)  # fmt: skip
def test_verb_refuses(arguments, status, message, with_words):
    result, out, messages = inspect("-m", with_words, *arguments)
    assert result == status and message in messages and out == ""


def test_kernels(with_words):
    """A line for each step as llm_measure has it, and one for all; only in a terminal."""
    status, out, messages = inspect("-m", with_words, TEXT, "--kernels", "--integer-products", "off", "--cache", "f32")
    assert status == 0, messages
    table = out.split("\n\n")[-1].splitlines()
    with LLM(with_words, device="cpu") as model:
        ids = model.encode(TEXT)
        steps, _ = model.measure(ids)
    assert table[0].startswith(f"the kernels of the next token, after {len(ids)}: ")
    bar = "[ ▏▎▍▌▋▊▉█]{16}"
    line = rf"(.*?) +(\d+) +([\d.]+) {bar} +([\d.]+ \w+) {bar} +([\d.]+)  (\w*)"
    rows = [re.fullmatch(line, row) for row in table[2:]]
    assert [(row[1], int(row[2]), row[6]) for row in rows[:-1]] == [
        (step["step"].decode(), step["calls"], step["kernel"].decode()) for step in steps
    ]
    assert rows[-1][1] == "all" and int(rows[-1][2]) == sum(step["calls"] for step in steps)
    assert sum(float(row[3]) for row in rows[:-1]) == pytest.approx(float(rows[-1][3]), rel=0.05)
    status, _, messages = inspect("-m", with_words, TEXT, "--kernels", "-o", "seen.npz")
    assert status == 2 and "--kernels are printed: leave out -o, or --kernels" in messages
