"""llm_measure: the kernels of a step against what llm_explain says of it, and streams beside it."""

import collections
import ctypes
import os
import threading

import pytest

import families
import library as library_module
import llm
import models
from families import Config
from llm import LLM

GPT2 = models.Config(layers=3, heads=3, channels=48, context=70, vocabulary=307)
GEMMA = Config(family="gemma3", layers=7, head_size=24, window=9, rope_base=1e6, kv_heads=1, context=70)
NAMES = ("step", "shape", "kernel", "file", "why", "calls", "bytes")


@pytest.fixture(params=["gpt2", "gemma3"])
def path(request, random, tmp_path):
    if request.param == "gpt2":
        return models.write_gguf(tmp_path / "model.gguf", GPT2, models.random_gpt2(GPT2, random))
    return families.write_gguf(tmp_path / "model.gguf", GEMMA, families.random_model(GEMMA, random))


def explained(path, device):
    """What llm_explain says of a token that is decoded, the first of its text."""
    options = llm.Options(size=ctypes.sizeof(llm.Options))
    for name, value in dict(device=device, cache="f32", integer_products="off", weights="stored").items():
        setattr(options, name, llm.CHOICES[value])
    library = library_module.load(device)
    library.llm_explain.restype = ctypes.POINTER(llm.Plan)
    plan = llm.checked(library.llm_explain, os.fsencode(path), ctypes.byref(options), None, 1)
    steps = [{name: getattr(step, name) for name in NAMES} for step in plan.contents.steps[: plan.contents.count]]
    order = plan.contents.order[: plan.contents.calls]
    library.llm_plan_free(plan)
    return steps, order


@pytest.mark.stand_in
def test_as_explained(device_name, path):
    """The same kernels in the same order, each of which has taken some time."""
    with LLM(path, device=device_name) as model:
        steps, calls = model.measure([5])
    expected, order = explained(path, device_name)
    assert [{name: step[name] for name in NAMES} for step in steps] == expected
    assert [step for step, _ in calls] == order
    assert all(seconds > 0 for _, seconds in calls)
    sums = collections.Counter()
    for step, seconds in calls:
        sums[step] += seconds
    assert [step["seconds"] for step in steps] == pytest.approx([sums[i] for i in range(len(steps))])


def test_length_of_the_text(path):
    """Attention reads more of a longer text; a whole context is the longest that there is."""
    with LLM(path, device="cpu") as model:
        read = lambda ids: {step["step"]: step["bytes"] for step in model.measure(ids)[0]}
        short, long = read([1]), read([1] * 70)
        assert long.pop(b"attention") > short.pop(b"attention")
        assert long == short


def test_streams_beside_it(random, tmp_path):
    """Others go on while a step is measured, with the same tokens; and what is computed later is as ever."""
    path = models.write_gguf(tmp_path / "model.gguf", GPT2, models.random_gpt2(GPT2, random))
    prompt = random.integers(0, 307, 9).tolist()
    with LLM(path, device="cpu", sessions=3) as model:
        expected = model.generate(prompt, 60, ignore_end=True)
        started, answers = threading.Event(), []
        on_token = lambda row, token: started.set() or True
        stream = lambda: answers.append(model.generate(prompt, 60, ignore_end=True, on_token=on_token))
        threads = [threading.Thread(target=stream) for _ in range(2)]
        for thread in threads:
            thread.start()
        started.wait()
        plans = [model.measure(random.integers(0, 307, 1 + 23 * n).tolist()) for n in range(4)]
        for thread in threads:
            thread.join()
        assert answers == [expected] * 2 and model.generate(prompt, 60, ignore_end=True) == expected
    assert len({tuple(step for step, _ in calls) for _, calls in plans}) == 1


def test_what_is_refused(path):
    with LLM(path, device="cpu") as model:
        for ids, status, message in [
            ([], llm.ARGUMENT, "the text is empty"),
            ([1] * 71, llm.CONTEXT, "71 tokens, more than the context of 70"),
            ([1, 1 << 20], llm.ARGUMENT, "is not in the vocabulary"),
        ]:
            with pytest.raises(llm.Failure, match=message) as failure:
                model.measure(ids)
            assert failure.value.status == status
        assert model.measure([1])[0]


def test_profile_counts_on(random, tmp_path):
    """What is measured apart does not count for llm_timings."""
    path = models.write_gguf(tmp_path / "model.gguf", GPT2, models.random_gpt2(GPT2, random))
    library = llm.prototypes(library_module.load("cpu"))
    options = llm.Options(size=ctypes.sizeof(llm.Options), device=llm.CHOICES["cpu"], profile=True)
    handle = llm.checked(library.llm_pipeline_open, os.fsencode(path), ctypes.byref(options))
    timings, ids = ctypes.POINTER(Timing)(), (ctypes.c_uint32 * 9)(*range(9))
    library.llm_timings.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.POINTER(Timing))]
    library.llm_timings.restype = ctypes.c_size_t
    tokens = llm.Tokens(ids=ctypes.cast(ids, ctypes.POINTER(ctypes.c_uint32)), count=9)
    calls = lambda: {timings[i].kernel: timings[i].calls for i in range(library.llm_timings(handle, timings))}
    llm.checked(library.llm_logits, handle, ctypes.byref(tokens), llm.numpy.zeros((9, 307), llm.numpy.float32))
    before = calls()
    plan = llm.checked(library.llm_measure, handle, ctypes.byref(tokens))
    step = {bytes(plan.contents.steps[i].kernel) for i in range(plan.contents.count)}
    library.llm_plan_free(plan)
    once = calls()
    library.llm_pipeline_close(handle)
    assert before[b"layernorm_forward"] == 1 and b"layernorm_forward" in step
    # the text's own pass, and the step that only warms up: of five more nothing is told
    assert once[b"layernorm_forward"] == 3


class Timing(ctypes.Structure):
    """LLMTiming of include/metal_llm.h."""

    _fields_ = [("size", ctypes.c_size_t), ("kernel", ctypes.c_char_p), ("calls", ctypes.c_uint64)]
    _fields_ += [("seconds", ctypes.c_double), ("bytes", ctypes.c_double)]
