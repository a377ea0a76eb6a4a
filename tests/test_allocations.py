"""Every allocation of the command fails in turn: it gives the right result all the same, or says that memory
ran out. LONG=1 tries all of them, else a share, evenly from a random first one."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import numpy
import pytest
import tokenizers

import families
import models
from library import COMMAND, ROOT
from models import Config

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the allocator that fails is preloaded into glibc"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="the sanitizers have an allocator of their own"),
    pytest.mark.skipif("COVERAGE" in os.environ, reason="what counts lines allocates, too"),
]

CASES = None if "LONG" in os.environ else 60  # of a verb, a format and a way to fail
CONFIG = Config(layers=1, heads=2, channels=32, context=64, vocabulary=264)
TEXT = b"the cat sat on the mat " * 5

VERBS = {
    "run": ["run", "-m", "{model}", "a cat", "-n", "3", "--seed", "1", "--temp", "0.8"],
    "shift": ["run", "-m", "{model}", "the cat sat", "-n", "40", "--seed", "1", "--shift", "--context", "32"],
    "info": ["info", "{model}"],
    "tokenize": ["tokenize", "-m", "{model}", "the cat<|endoftext|> sat"],
    "perplexity": ["perplexity", "-m", "{model}", "{text}"],
    "explain": ["explain", "{model}", "-p", "20"],
    "logits": ["logits", "-m", "{model}", "--tokens", "1 2 3", "-o", "{folder}/out"],
    "inspect": ["inspect", "-m", "{model}", "the cat", "--lens", "--kernels"],
    "convert": ["convert", "{model}", "{folder}/out", "--type", "q8_0"],
    "detokenize": ["detokenize", "-m", "{model}"],
    "bench": ["bench", "{model}", "-p", "5", "-n", "2", "-r", "1", "--json", "--device", "simt"],
    "get": ["get", "smollm2", "{model}"],
}
INPUT = {"detokenize": b"1 2 3 258 104\n"}
LONE = ["--threads", "1"]  # of verbs that run the model, for when the system gives no second one
RUNS = {"run", "shift", "perplexity", "logits", "inspect"}
# `get` starts Python to unpack a wheel, which is not what is tried here.
PYTHON = """#!/bin/sh
cp "$3" "$6"
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    path = tmp_path_factory.mktemp("shim") / "failing_allocations.so"
    source = ROOT / "tests/failing_allocations.c"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-shared", "-fPIC",
                    source, "-o", path, "-ldl"], check=True)  # fmt: skip
    return path


def write_tokenizer_json(path, tokenizer):
    """The same tokenizer in the one file that folders have today."""
    ids = {token: id for id, token in enumerate(tokenizer.tokens)}
    full = tokenizers.Tokenizer(tokenizers.models.BPE(ids, [tuple(merge) for merge in tokenizer.merges]))
    full.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    full.decoder = tokenizers.decoders.ByteLevel()
    full.add_special_tokens(["<|endoftext|>"])
    full.save(str(path))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A model in each format, and a text."""
    folder = tmp_path_factory.mktemp("material")
    tensors = models.random_gpt2(CONFIG, numpy.random.default_rng(0))
    tokenizer = models.small_tokenizer(CONFIG.vocabulary)
    models.write_gguf(folder / "model.gguf", CONFIG, tensors, type="Q4_0", tokenizer=tokenizer)
    models.write_huggingface(folder / "old", CONFIG, tensors, tokenizer=tokenizer)
    new = models.write_huggingface(folder / "new", CONFIG, tensors, shards=2)
    write_tokenizer_json(new / "tokenizer.json", tokenizer)
    (new / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2TokenizerFast"}))
    (new / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
    llama = families.Config(layers=1, vocabulary=264)
    weights = families.random_model(llama, numpy.random.default_rng(0))
    families.write_huggingface(folder / "llama", llama, weights, tokenizer=tokenizer)
    models.write_llmc(folder / "model.bin", CONFIG, tensors, tokenizer=tokenizer)
    (folder / "text").write_bytes(TEXT)
    (folder / "bin").mkdir()
    (folder / "bin/python3").write_text(PYTHON)
    (folder / "bin/python3").chmod(0o755)
    return folder


def says_memory(line):
    return line.startswith("metal-llm: ") and "memory" in line.lower()


def figures_left_out(out):
    """What `bench` and `inspect` measure differs each time."""
    out = re.sub(rb'("(?:tokens_per_second|slowest|fastest|\w+_per_\w+)":\t)[^,\n]+', rb"\1#", out)
    told, begins, table = out.partition(b"\nthe kernels of the next token")
    return told + begins + b"\n".join(line.rsplit(b" ", 1)[-1] for line in table.splitlines())


def files_in(folder):
    """{path: contents} of the files, however deep."""
    paths = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class Case:
    """A verb on a model."""

    def __init__(self, verb, model, material, shim):
        self.verb, self.model, self.material, self.shim = verb, model, material, shim
        self.expected = []  # (standard output, files written) of undisturbed runs, with all threads and with one

    def run(self, *options, **environment):
        """(exit code, standard output, the files written, standard error)"""
        path = f"{self.material / 'bin'}:{os.environ['PATH']}"
        with tempfile.TemporaryDirectory() as folder:
            fill = {"model": self.material / self.model, "text": self.material / "text", "folder": folder}
            preload = {"LD_PRELOAD": str(self.shim), "FAIL_IN": COMMAND.name}
            done = subprocess.run(
                [COMMAND, *(word.format(**fill) for word in VERBS[self.verb]), *options],
                env=os.environ | preload | {"XDG_DATA_HOME": folder, "PATH": path} | environment,
                input=INPUT.get(self.verb, b""),
                capture_output=True,
                timeout=600,
            )
            written = files_in(folder)
        out = figures_left_out(done.stdout.replace(folder.encode(), b""))
        return done.returncode, out, written, done.stderr.decode()

    def expect(self, *options, **environment):
        """What a run gives to which nothing happens."""
        code, *result, err = self.run(*options, **environment)
        assert code == 0, err
        self.expected.append(result)

    def fault(self, environment):
        """What is wrong where this allocation fails, or None."""
        [(variable, number)] = environment.items()
        code, out, written, err = self.run(**environment)
        # With fewer threads, products are split into other parts, whose sums are rounded in other places.
        alone = "cpu: 1 thread (" in err
        if code == 0 and [out, written] == self.expected[-1 if alone else 0]:
            return None
        last = err.rstrip().rsplit("\n", 1)[-1]
        if code == 1 and not written and says_memory(last):
            return None
        return f"{variable}={number}: exit code {code}, files {list(written)}, says: {last}"


def share(total, random):
    """Numbers 1 … total, or as many of them as there is time for."""
    stride = 1 if CASES is None else max(1, total // CASES)
    return range(1 + int(random.integers(stride)), total + 1, stride)


MODELS = ["model.gguf", "model.bin", "old", "new", "llama"]
LEFT_OUT = {("model.bin", verb) for verb in ("run", "tokenize", "perplexity", "inspect")}  # it only decodes
LEFT_OUT |= {(model, verb) for model in MODELS[1:] for verb in ("shift", "bench", "get", "inspect")}  # one is enough


@pytest.mark.parametrize("model, verb", [pair for pair in itertools.product(MODELS, VERBS) if pair not in LEFT_OUT])
def test_every_allocation_fails(model, verb, material, shim, tmp_path, random):
    case = Case(verb, model, material, shim)
    counted = tmp_path / "counted"
    case.expect(COUNT_TO=str(counted))
    if verb in RUNS:
        case.expect(*LONE)
    total = int(counted.read_text())
    tries = [{"FAIL_AT": str(i)} for i in share(total, random)]
    tries += [{"FAIL_FROM": str(i)} for i in share(total, random)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        faults = [fault for fault in pool.map(case.fault, tries) if fault]
    assert not faults, f"{len(faults)} of {len(tries)}, out of {total} allocations:\n" + "\n".join(faults[:100])


@pytest.mark.parametrize("threads", [1, 16])
def test_limits_of_memory(threads, material, random):
    """What the loader, threads and the matrix library take for themselves fails, too."""
    command = [COMMAND, "perplexity", "-m", material / "old", material / "text", "--device", "cpu"]
    command = shlex.join(map(str, [*command, "--threads", threads]))
    bash = lambda line: subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=600)
    expected = bash(command).stdout
    limits = numpy.geomspace(30e3, 800e3, 60 if CASES is None else 12) * random.uniform(0.9, 1.1)
    whole = 0
    for limit in limits:
        done = bash(f"ulimit -v {limit:.0f}; exec {command}")
        last = done.stderr.rstrip().rsplit("\n", 1)[-1]
        assert done.stdout == (expected if done.returncode == 0 else ""), limit
        assert done.returncode == 0 or (done.returncode == 1 and says_memory(last)), (limit, last)
        whole += done.returncode == 0
    assert 0 < whole < len(limits)
