"""python/metal_llm/: the same as the library by another binding (tests/support/llm.py)."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest.mock

import numpy
import pytest

import models
from library import BUILD, ROOT
from llm import LLM
from test_chat import TOKENIZER, path, write_long  # noqa: F401

os.environ["METAL_LLM_LIBRARY"] = str(BUILD / "libmetal-llm.so")
sys.path.insert(0, str(ROOT / "python/metal_llm"))

import metal_llm  # noqa: E402


@pytest.fixture
def model(path):  # noqa: F811
    with metal_llm.Model(path, device="cpu", cache="f32", integer_products="off") as model:
        yield model


@pytest.fixture
def other(path):  # noqa: F811
    with LLM(path, device="cpu") as model:
        yield model


def test_texts(model, other):
    ids = model.encode("Once upon a time")
    assert ids == other.encode("Once upon a time") and model.decode(ids) == "Once upon a time"
    assert model.encode("<|endoftext|>", begin=False, special=False) == other.encode("<|endoftext|>", 3)
    texts = models.token_bytes(TOKENIZER)
    expected = b"".join(texts[id] for id in other.generate(ids, 20)).decode(errors="replace")
    assert model.generate("Once upon a time", 20) == expected == "".join(model.stream(ids, 20))
    assert model.generate(ids, 20, temperature=1.0, seed=5) == "".join(model.stream(ids, 20, temperature=1.0, seed=5))


def test_numbers(model, other):
    ids = model.encode("Once upon a time")
    assert numpy.array_equal(model.logits(ids), other.logits(ids))
    assert numpy.array_equal(model.losses(ids), other.losses(ids))
    assert model.info["vocabulary"] == 300 and model.info["format"] == "GGUF"


def test_inspect(model, other):
    ids = model.encode("Once upon a time")
    off = dict(heads_off=[(0, 1)], mlps_off=[0])
    seen = model.inspect(ids, top=4, lens=2, **off)
    expected = other.inspect(ids, top=4, lens=2, token=0, token_count=len(ids), **off)
    assert seen.keys() == expected.keys()
    for name, array in expected.items():
        assert numpy.array_equal(seen[name], array), name


def test_notebook(monkeypatch):
    """examples/inside.ipynb runs; what it draws is left to a painter that does not."""
    pyplot = unittest.mock.Mock()
    pyplot.subplots.side_effect = lambda rows, columns, **_: (pyplot, numpy.full((rows, columns), pyplot, object))
    monkeypatch.setitem(sys.modules, "matplotlib", unittest.mock.MagicMock(pyplot=pyplot))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    monkeypatch.setenv("MODEL", str(ROOT / "models/tales.gguf"))
    names = {}
    for cell in json.loads((ROOT / "examples/inside.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert pyplot.imshow.call_args[0][0].shape == (6, 5) and names["moved"].min() > 0
    names["model"].close()


def test_logits_example(path, model):  # noqa: F811
    """The likeliest tokens and the perplexity, as the library's own losses have it."""
    text = "Once upon a time there was"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python/metal_llm")}
    example = [sys.executable, ROOT / "examples/logits.py", path, text]
    shown = subprocess.run(example, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    ids = model.encode(text)
    with metal_llm.Model(path) as same:
        expected = numpy.exp(same.losses(ids).mean(dtype=float))
    perplexity, tokens = re.fullmatch(r"perplexity ([\d.]+) over (\d+) tokens", shown[5]).groups()
    assert int(tokens) == len(ids) - 1
    assert abs(float(perplexity) / expected - 1) <= 1e-3
    chances = [float(line.split("%")[0]) for line in shown[:5]]
    assert chances == sorted(chances, reverse=True) and 0 < sum(chances) <= 100.1


def test_options(model):
    forced = {id: -numpy.inf for id in range(300) if id != 70}
    assert model.generate([1], 9, logit_bias=forced) == model.decode([70] * 9)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9, "minimum": 0}}, "required": ["n"]}
    assert 0 <= json.loads(model.generate([1], json_schema=schema))["n"] <= 9
    whole = model.generate([1], 40, ignore_end=True)
    stop = next((letter for letter in whole if letter not in "\0\ufffd"), "x")
    assert model.generate([1], 40, ignore_end=True, stops=[stop]) == whole.partition(stop)[0]


def test_who_stops_to_listen(model):
    stream = model.stream([1], ignore_end=True)
    assert next(stream)
    stream.close()
    assert model.generate([1], 3, ignore_end=True)


def test_who_is_interrupted(random, tmp_path):
    """By Ctrl-C while a long prompt is taken: it is not taken to its end."""
    program = (
        "import sys, metal_llm\n"
        "model = metal_llm.Model(sys.argv[1], device='cpu', context=200_000)\n"
        "print('begins', flush=True)\n"
        "try: model.generate([5] * 90_000, 5)\n"
        "except KeyboardInterrupt: print('ends', flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python/metal_llm")}
    process = subprocess.Popen(
        [sys.executable, "-c", program, write_long(tmp_path / "long.gguf", random)],
        env=environment,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begins\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=100)[0] == b"ends\n"


def test_chat(model):
    chat = model.chat("Be brief.")
    first = chat.say("hello", 12, ignore_end=True)
    assert first and chat.end == "count" and chat.say("again", 5, ignore_end=True)
    chat.close()


def test_failures(model, tmp_path):
    with pytest.raises(metal_llm.Failure, match="not in the vocabulary") as failure:
        model.logits([9999])
    assert failure.value.status == metal_llm.Status.ARGUMENT
    with pytest.raises(metal_llm.Failure, match="temperature"):
        model.generate([1], 3, temperature=-1.0)
    with pytest.raises(metal_llm.Failure) as failure:
        metal_llm.Model(tmp_path / "none.gguf")
    assert failure.value.status == metal_llm.Status.FILE


def test_texts_that_would_end_at_a_nul(model, path):
    for what, call in {
        "a stop text": lambda: model.generate([1], 3, stops=["a\0b"]),
        "json_schema": lambda: model.generate([1], 3, json_schema='{"type": "null"}\0'),
        "the message": lambda: model.chat().say("a\0b"),
        "the path": lambda: metal_llm.Model(f"{path}\0.bak"),
        "chat_template": lambda: metal_llm.Model(path, chat_template="chatml\0"),
    }.items():
        with pytest.raises(ValueError, match=f"{what} has a NUL character: leave it out"):
            call()


def test_names_that_are_no_fields(model, path):
    with pytest.raises(TypeError, match="LLMGeneration has no field temperatur: see metal_llm.h"):
        model.generate([1], 3, temperatur=1.0)
    with pytest.raises(TypeError, match="LLMOptions has no field contxt"):
        metal_llm.Model(path, contxt=5)


def test_the_library_of_the_command(tmp_path):
    """An installation whose command is found has the library, too."""
    for place, file in [("bin", "metal-llm"), ("lib", "libmetal-llm.so")]:
        (tmp_path / place).mkdir()
        shutil.copy(BUILD / file, tmp_path / place)
    environment = os.environ | {"PATH": f"{tmp_path}/bin", "PYTHONPATH": str(ROOT / "python/metal_llm")}
    environment.pop("METAL_LLM_LIBRARY")
    program = "from metal_llm import library; print(library.library()._name)"
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == f"{tmp_path}/lib/libmetal-llm.so\n"


def test_without_the_library(tmp_path):
    environment = os.environ | {
        "METAL_LLM_LIBRARY": str(tmp_path / "none.so"),
        "PYTHONPATH": str(ROOT / "python/metal_llm"),
    }
    program = "import metal_llm; metal_llm.Model('x')"
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "libmetal-llm is not installed" in result.stderr
