"""Sizes that no model has, in every setting that is a number: refused in a line, without a crash and without
memory for what the file does not hold."""

import concurrent.futures
import json
import os
import resource
import subprocess
import sys

import gguf
import numpy
import pytest

import families
import llm
import models
from library import COMMAND
from llm import LLM

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer needs more address space than the limit"),
]

FAMILIES = ["gpt2", *families.ARCHITECTURES]
SIZES = [0, 1, 2**16, 2**20, 2**22, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
NUMBERS = [*SIZES, -1, 1.5, 2**32, 2**53, 2**63, 2**64, 10**300]
SAID = ("device ", "model ", "context ")  # what was chosen
MEMORY = 4 << 30  # what the command may take


def write_model(family, folder, random):
    """A model of a family as GGUF and as a Hugging Face folder."""
    if family == "gpt2":
        config, module = models.Config(), models
        tensors = models.random_gpt2(config, random)
    else:
        config, module = families.Config(family=family), families
        tensors = families.random_model(config, random)
    path = folder / "model.gguf"
    module.write_gguf(path, config, tensors)
    return path, module.write_huggingface(folder / "folder", config, tensors)


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def fault(what, *arguments):
    """What is wrong with a run of the command on an absurd model, or None."""
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}
    done = subprocess.run(
        list(map(str, [COMMAND, *arguments])),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=environment, preexec_fn=limit_memory,
    )  # fmt: skip
    said = [line for line in done.stderr.decode().splitlines() if not line.startswith(SAID)]
    if done.returncode == 0:
        return None
    one_line = len(said) == 1 and said[0].startswith("metal-llm: ")
    memory = any("memory" in line and "--context" not in line for line in said)
    return None if done.returncode == 1 and one_line and not memory else f"{what}: {done.returncode}, {said[-2:]}"


def verbs_on(path):
    """Those that may see a size in ways of their own: one runs the model, the other only describes it."""
    run = (path.name, "logits", "-m", path, "--device", "cpu", "--tokens", "0", "-o", os.devnull)
    return [run, (path.name, "info", path)] if "LONG" in os.environ else [run]


def check_all(cases, random):
    """A third of them, or with LONG=1 all."""
    if "LONG" not in os.environ:
        cases = [cases[i] for i in random.permutation(len(cases))[: len(cases) // 3]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        faults = [found for found in pool.map(lambda case: fault(*case), cases) if found]
    assert not faults, f"{len(faults)} of {len(cases)}:\n" + "\n".join(faults[:40])


def integers_of(path):
    """(key, offset in the file) of every number of 32 bits that says something of the model."""
    fields = gguf.GGUFReader(path).fields.values()
    kind = gguf.GGUFValueType.UINT32
    return [
        (field.name, field.offset + sum(part.nbytes for part in field.parts[:-1]))
        for field in fields
        if field.types == [kind] and not field.name.startswith(("tokenizer.", "GGUF."))
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_of_gguf(family, random, tmp_path):
    path, _ = write_model(family, tmp_path, random)
    data, cases = path.read_bytes(), []
    keys = integers_of(path)
    assert len(keys) >= 5
    for key, offset in keys:
        for size in SIZES:
            absurd = tmp_path / f"{key}-{size}.gguf"
            absurd.write_bytes(data[:offset] + size.to_bytes(4, "little") + data[offset + 4 :])
            cases += verbs_on(absurd)
    check_all(cases, random)


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_of_config_json(family, random, tmp_path):
    _, folder = write_model(family, tmp_path, random)
    config, cases = json.loads((folder / "config.json").read_text()), []
    keys = [key for key, value in config.items() if type(value) in (int, float)]
    assert len(keys) >= 5
    for key in keys:
        for number in NUMBERS:
            absurd = tmp_path / f"{key}-{str(number)[:12]}-{len(str(number))}"
            absurd.mkdir()
            for file in folder.iterdir():
                (absurd / file.name).symlink_to(file)
            (absurd / "config.json").unlink()
            (absurd / "config.json").write_text(json.dumps(config | {key: number}))
            cases += verbs_on(absurd)
    check_all(cases, random)


def test_batch_of_the_widest_model(random, tmp_path):
    """Of 1024 rows a product of sizes would have more than 32 bits."""
    config = models.Config(layers=1, heads=1, channels=1, inner=2**22, context=2, vocabulary=3)
    tensors = models.random_gpt2(config, random)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors)
    with LLM(path, device="cpu", threads=1) as model:
        assert numpy.isfinite(model.logits([0, 1])).all()
    with pytest.raises(llm.Failure, match="a batch of 1024 rows is too large .* at most 1023") as failure:
        LLM(path, device="cpu", threads=1, batch=1024)
    assert failure.value.status == llm.ARGUMENT
