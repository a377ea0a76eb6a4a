"""lm-eval's own program asks `metal-llm serve` a small task of multiple choice: each choice scores as llm_losses has it,
and so does the task. MODEL names another model than the bundled one."""

import json
import os
import pathlib

import numpy
import pytest

import llm
from library import BUILD, ROOT
from serve import Server

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(BUILD / "lm_eval")}  # before this is imported:
lm_eval = pytest.importorskip("lm_eval")
from lm_eval.tasks import TaskManager  # noqa: E402

HERE = pathlib.Path(__file__).parent
MODEL = os.environ.get("MODEL", ROOT / "models/tales.gguf")
QUESTIONS = [json.loads(line) for line in (HERE / "questions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def asked():
    """What lm-eval makes of the task."""
    server = Server(MODEL)
    arguments = {"model": "any", "base_url": f"{server.url}/v1/completions", "tokenizer_backend": "remote"}
    before = os.getcwd()
    os.chdir(HERE)  # the task's questions lie beside it
    try:
        tasks = TaskManager(include_path=str(HERE), include_defaults=False)
        yield lm_eval.simple_evaluate(
            "local-completions", model_args=arguments, tasks=["choices"], task_manager=tasks, bootstrap_iters=0
        )
    finally:
        os.chdir(before)
        server.stop()


@pytest.fixture(scope="module")
def scores():
    """Of each question its choices' logarithms of p."""
    with llm.LLM(MODEL, device="cpu") as model:

        def score(context, choice):
            start, ids = len(model.encode(context)), model.encode(context + choice)
            return -model.losses(ids)[start - 1 :].astype(numpy.float64).sum()

        yield [[score(q["question"], " " + choice) for choice in q["choices"]] for q in QUESTIONS]


def test_each_choice(asked, scores):
    samples = sorted(asked["samples"]["choices"], key=lambda sample: sample["doc_id"])
    for sample, expected in zip(samples, scores, strict=True):
        got = [float(answer[0][0]) for answer in sample["resps"]]
        assert len(got) == len(expected)
        assert (numpy.abs(numpy.array(got) - expected) <= 1e-3).all(), (sample["doc"], got, expected)


def test_the_score(asked, scores):
    right = [numpy.argmax(of_choices) == q["answer"] for q, of_choices in zip(QUESTIONS, scores, strict=True)]
    assert asked["results"]["choices"]["acc,none"] == pytest.approx(numpy.mean(right))
