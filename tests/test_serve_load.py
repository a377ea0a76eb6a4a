"""`metal-llm serve` under load: many clients, of which some vanish, stall or send rubbish. SERVER names
another program than the build's, as one with the thread sanitizer."""

import os
import pathlib
import re
import signal
import subprocess

import numpy
import pytest

import families
import models
from conftest import SEED
from library import COMMAND, ROOT
from serve import Server, post_bytes, read_all, wait_until

CLIENTS, SECONDS = 64, 60 if "LONG" in os.environ else 12
CONFIG = families.Config(layers=2, context=256, vocabulary=300)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    tensors = families.random_model(CONFIG, numpy.random.default_rng(SEED))
    folder = tmp_path_factory.mktemp("served")
    return families.write_gguf(folder / "model.gguf", CONFIG, tensors, tokenizer=models.small_tokenizer(300))


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    program = tmp_path_factory.mktemp("load") / "load"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, *flags, ROOT / "tests/serve/load.c", "-o", program], check=True)
    return program


def run_load(program, server, seconds, seed):
    """How often each kind of client has done what it does."""
    clean = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    host, port = server.address
    result = subprocess.run(
        [program, host, str(port), str(CLIENTS), str(seconds), str(seed)], env=clean, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", result.stdout)}


def has_asan():
    """ASan keeps what has been freed for a while, so memory grows."""
    return "LD_PRELOAD" in os.environ or b"__asan_init" in pathlib.Path(os.environ.get("SERVER", COMMAND)).read_bytes()


def resident(process):
    pages = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def test_good_and_bad_clients(path, load):
    server = Server(path, "--chat-template", "chatml", "--sessions", 8, "--queue", 64, "--timeout", 3)
    run_load(load, server, SECONDS / 3, SEED)  # memory grows to what so many clients need
    before = resident(server.process)
    done = run_load(load, server, SECONDS, SEED + 1)
    assert all(
        done[name] for name in ("answers", "streams", "chats", "tokens", "vanished", "stalled", "rubbish", "wrong")
    )
    wait_until(lambda: server.metrics()["requests_generating"] == 0)
    grown = resident(server.process) - before
    assert grown <= (32 << 20) + (256 << 20 if has_asan() else 0)
    metrics = server.metrics()
    assert metrics['replies_total{status="5xx"}'] == 0 and metrics["hang_ups_total"] > 0
    code, err = server.stop()
    assert code == 0 and "Sanitizer" not in err, err


def test_killed_and_started_again(path):
    server = Server(path)
    with server.connect() as connection:
        body = {"prompt": "a", "max_tokens": 200, "stream": True, "ignore_eos": True}
        connection.sendall(post_bytes("/v1/completions", body))
        connection.recv(1)
        server.stop(signal.SIGKILL)
        assert b"[DONE]" not in read_all(connection)
    again = Server(path, "--port", server.address[1])
    assert again.address == server.address
    assert again.post("/v1/completions", {"prompt": "a", "max_tokens": 2})["choices"]
    assert again.stop()[0] == 0
