"""Every file that the programs write appears whole under its name, or not at all."""

import ctypes
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

import numpy
import pytest

import models
from checker import METAL_CHECK
from library import COMMAND, Error
from models import Config

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}

COPY = """#include <metal_stdlib>
kernel void copy(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 uint i [[thread_position_in_grid]]) { out[i] = x[i]; }
"""


def run(*command, **options):
    """Exit code, and what was said."""
    done = subprocess.run(
        [str(word) for word in command],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **options,
    )
    return done.returncode, done.stderr


def convert(source, out, *options):
    return run(COMMAND, "convert", source, out, "--type", "f16", *options)


@pytest.fixture
def source(tmp_path, random):
    folder = tmp_path / "source"
    folder.mkdir()
    tensors = models.random_gpt2(Config(), random)
    return models.write_gguf(folder / "model.gguf", Config(), tensors)


def check_command(source, out):
    kernel = source.parent / "copy.metal"
    kernel.write_text(COPY)
    return [METAL_CHECK, kernel, "--kernel", "copy", "--grid", "64", "--threads", "32", "--seeds", "1",
            "--buffer", "0=random:f32:64", "--buffer", "1=empty:f32:64", "-o", f"1={out}"]  # fmt: skip


WRITERS = {
    "convert": lambda source, out: [COMMAND, "convert", source, out, "--type", "f16"],
    "logits": lambda source, out: [COMMAND, "logits", source, "--tokens", "1 2 3", "-o", out],
}
if sys.platform == "linux":
    WRITERS["metal-check"] = check_command


@pytest.fixture(params=WRITERS)
def write(request, source, tmp_path):
    """A function that lets a program write a file and returns what it said, None if it succeeded;
    nothing else may appear beside that file."""

    def write(out, **options):
        beside = {path for path in (tmp_path / "out").iterdir()}
        code, said = run(*WRITERS[request.param](source, out), **options)
        assert {path for path in (tmp_path / "out").iterdir()} - beside <= {pathlib.Path(out)}
        assert code in (0, 1, 2)
        return said if code else None

    (tmp_path / "out").mkdir()
    write.compiles = request.param == "metal-check"
    return write


@pytest.fixture
def whole(write, tmp_path):
    """The bytes that the program should write."""
    path = tmp_path / "out" / "whole"
    assert write(path) is None
    data = path.read_bytes()
    path.unlink()
    assert data[:4] == b"GGUF" or data[:6] == b"\x93NUMPY"
    return data


def test_permissions(write, whole, tmp_path):
    path = tmp_path / "out" / "file"
    assert write(path, umask=0o027) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_text("older")
    path.chmod(0o604)
    assert write(path) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o604 and path.read_bytes() == whole


@pytest.mark.parametrize("exists", [True, False])
def test_through_links(write, whole, tmp_path, exists):
    """A link stays a link, and what it leads to is written, wherever that is."""
    target, link = tmp_path / "elsewhere", tmp_path / "out" / "link"
    (tmp_path / "out" / "second").symlink_to("../elsewhere")
    link.symlink_to("second")
    if exists:
        target.write_text("older")
    assert write(link) is None
    assert link.is_symlink() and target.read_bytes() == whole
    assert not list(tmp_path.glob(".metal-llm-*"))


def test_circle_of_links(write, tmp_path):
    (tmp_path / "out" / "a").symlink_to("b")
    (tmp_path / "out" / "b").symlink_to("a")
    assert "symbolic links" in write(tmp_path / "out" / "a")


def test_names_that_lie_in_wait(write, whole, tmp_path):
    """What may lie under a name that is easily guessed is none of our business."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out" / "file.part").symlink_to(victim)
    (tmp_path / "out" / "file.tmp").symlink_to(victim)
    assert write(tmp_path / "out" / "file") is None
    assert victim.read_text() == "precious"


def test_pipes_and_devices_are_written_into(write, whole, tmp_path):
    pipe, received = tmp_path / "out" / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    assert write(pipe) is None
    reader.join()
    assert received == [whole] and stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "out" / "null").symlink_to("/dev/null")
    assert write(tmp_path / "out" / "null") is None
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_folders_and_sockets_are_refused(write, tmp_path, monkeypatch):
    folder, place = tmp_path / "out" / "folder", tmp_path / "out" / "socket"
    folder.mkdir()
    assert "it is a folder" in write(folder)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        server.bind("out/socket")
        assert "it is a socket" in write(place)


def too_small(size):
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_disk(write, whole, tmp_path):
    """Nothing is left where a file does not fit, and what was there stays."""
    assert "No space left" in write("/dev/full")
    path = tmp_path / "out" / "file"
    for older in () if write.compiles else (None, "older"):  # a compiler writes more than that
        if older:
            path.write_text(older)
        room = {"preexec_fn": lambda: too_small(len(whole) - 1), "restore_signals": False}
        assert "File too large" in write(path, **room)
        assert path.exists() == bool(older) and (not older or path.read_text() == older)


def test_folder_that_is_missing(write, tmp_path):
    said = write(tmp_path / "out" / "no" / "file")
    assert "No such file or directory" in said and str(tmp_path / "out" / "no" / "file") in said


# --- before the work ---


@pytest.fixture
def nobody():
    """Root may write everywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def opened(library, path):
    """What output_file_open says; None if it opened, and what it wrote is thrown away."""
    library.output_file_open.restype = ctypes.c_void_p
    error = Error()
    file = library.output_file_open(os.fsencode(path), ctypes.byref(error))
    if not file:
        return error.message.decode()
    error.status = 1
    library.output_file_close(ctypes.c_void_p(file), ctypes.byref(error))
    return None


def test_folder_that_is_not_writable(library, nobody):
    with tempfile.TemporaryDirectory() as folder:
        assert opened(library, f"{folder}/file") is None and not os.listdir(folder)
        os.chmod(folder, 0o555)
        said = opened(library, f"{folder}/file")
        assert said == f"{folder}/file: cannot be written: its folder {folder}/: Permission denied"
        os.chmod(folder, 0o755)


def test_output_is_opened_before_the_work(source, tmp_path):
    """Before a model that is no model is looked at."""
    source.write_bytes(b"no model")
    code, said = run(*WRITERS["logits"](source, tmp_path / "no" / "x"))
    assert code == 1 and "no/x: cannot be written" in said


# --- convert ---


def test_the_model_itself_is_no_output(tmp_path, random):
    """By any of its names; a GGUF file in a model's folder is none of the model's."""
    tensors = models.random_gpt2(Config(), random)
    file = models.write_gguf(tmp_path / "model.gguf", Config(), tensors)
    folder = models.write_huggingface(tmp_path / "folder", Config(), tensors, tokenizer=models.small_tokenizer(300))
    (tmp_path / "link.gguf").symlink_to("model.gguf")
    os.link(file, tmp_path / "hard.gguf")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    inputs = [(file, tmp_path / name) for name in ("model.gguf", "link.gguf", "hard.gguf")]
    inputs += [(tmp_path / "link.gguf", file)]
    inputs += [(folder, path) for path in folder.iterdir()]
    for model, out in inputs:
        code, said = convert(model, out)
        assert code == 2 and "would be replaced" in said, (model, out, said)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for _ in range(2):
        assert convert(folder, folder / "model.gguf") == (0, "")


def test_conversions_to_one_file(source, tmp_path):
    """One of them wins, and its file is whole."""
    types, out, hashes = ("f32", "q8_0", "f16"), tmp_path / "out.gguf", set()
    for type in types:
        assert run(COMMAND, "convert", source, out, "--type", type) == (0, "")
        hashes.add(hashlib.sha256(out.read_bytes()).hexdigest())
    for _ in range(5):
        out.unlink()
        commands = [[COMMAND, "convert", source, out, "--type", type] for type in types]
        running = [subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL) for command in commands]
        assert [process.wait(60) for process in running] == [0, 0, 0]
        assert hashlib.sha256(out.read_bytes()).hexdigest() in hashes
    assert sorted(os.listdir(tmp_path)) == ["out.gguf", "source"]


def test_to_standard_output(source, tmp_path):
    """Nothing but the file goes into a pipe."""
    assert convert(source, tmp_path / "file") == (0, "")
    command = [COMMAND, "convert", source, "/dev/stdout", "--type", "f16"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=120)
    assert done.returncode == 0 and done.stdout == (tmp_path / "file").read_bytes()


# --- signals ---


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A model that takes a while to convert: the scales of q6_K are sought."""
    config = Config(layers=1, heads=4, channels=256, context=8, vocabulary=30000)
    tensors = models.random_gpt2(config, numpy.random.default_rng(1))
    return models.write_gguf(tmp_path_factory.mktemp("slow") / "model.gguf", config, tensors)


def begun(slow, out, **options):
    """A conversion whose output has been begun."""
    out.write_text("older")
    command = [COMMAND, "convert", slow, out, "--type", "q4_0"]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
    process = subprocess.Popen(command, env=ENVIRONMENT, **options)
    while process.poll() is None and not list(out.parent.glob(".metal-llm-*")):
        time.sleep(0.001)
    return process


ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU]


@pytest.mark.parametrize("number", ENDS)
def test_signals_remove_what_is_unfinished(slow, tmp_path, number):
    default = lambda: signal.signal(number, signal.SIG_DFL)  # it may be ignored here: nohup, a shell's background
    process = begun(slow, tmp_path / "out.gguf", preexec_fn=default)
    process.send_signal(number)
    assert process.wait(60) == -number
    assert os.listdir(tmp_path) == ["out.gguf"]
    assert (tmp_path / "out.gguf").read_text() == "older"


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="the sanitizers have a handler of their own")
def test_input_cut_short(slow, tmp_path):
    """While it is converted: nothing is left of the output, and the signal is explained."""
    source, out = tmp_path / "source.gguf", tmp_path / "folder"
    shutil.copy(slow, source)
    out.mkdir()
    process = begun(source, out / "out.gguf", stderr=subprocess.PIPE)
    os.truncate(source, 4096)
    assert process.wait(60) == -signal.SIGBUS
    assert b"metal-llm: a file was cut short while it was read" in process.stderr.read()
    assert os.listdir(out) == ["out.gguf"]


def test_limit_of_a_files_size(source, tmp_path):
    """Of the shell: an error as a full disk is, not a signal that leaves half a file."""
    line = f"ulimit -f 1; exec {COMMAND} convert {source} {tmp_path}/out.gguf --type f32"
    result = subprocess.run(["bash", "-c", line], env=ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode == 1 and "out.gguf: cannot be written: File too large" in result.stderr
    assert not list(tmp_path.glob(".metal-llm-*")) and not (tmp_path / "out.gguf").exists()


def test_ignored_signals_stay_ignored(slow, tmp_path):
    """As nohup has it."""
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    process = begun(slow, tmp_path / "out.gguf", **ignored)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert (tmp_path / "out.gguf").read_bytes()[:4] == b"GGUF"
