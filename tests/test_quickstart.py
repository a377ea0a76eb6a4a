"""make install, and the programs of examples/ built against what it has installed."""

import json
import os
import re
import shlex
import subprocess

import pytest

import models
from library import BUILD, COMMAND, ROOT
from test_chat import path  # noqa: F401

HEADER = (ROOT / "include/metal_llm.h").read_text()
VERSION = re.search(r'^#define LLM_VERSION "(.*)"', HEADER, re.M)[1]
SERIES = VERSION.rsplit(".", 1)[0]  # within which programs go on working
SANITIZE = BUILD.name == "asan"
SANITIZER = ["-fsanitize=address,undefined"] if SANITIZE else []
# A make above us has its own flags; the sanitizers' runtime is preloaded into Python only.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS", "MAKEFLAGS")}


def run(*command, **environment):
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env=ENVIRONMENT | {k: str(v) for k, v in environment.items()},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def make(target, prefix, destination=""):
    variables = [f"BUILD={BUILD.relative_to(ROOT)}", f"PREFIX={prefix}", f"DESTDIR={destination}"]
    run("make", target, *variables, *(["SANITIZE=1"] if SANITIZE else []))


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed")
    make("install", prefix)
    return prefix


def pkg_config(prefix, *arguments):
    path = prefix / "lib" / "pkgconfig"
    return shlex.split(run("pkg-config", *arguments, "metal-llm", PKG_CONFIG_PATH=path))


def build(prefix, program, *libraries):
    """Compile the example of this name as its first lines say."""
    (source,) = (ROOT / "examples").glob(f"{program.name}.c*")
    is_c = source.suffix == ".c"
    compiler = shlex.split(os.environ.get("CC", "cc") if is_c else os.environ.get("CXX", "c++"))
    warnings = ["-std=c11" if is_c else "-std=c++17", "-Wall", "-Wextra", "-Werror", *SANITIZER]
    run(*compiler, *warnings, source, *pkg_config(prefix, "--cflags"), *libraries, "-o", program)


def check(program, tmp_path, **environment):
    """The quick start continues its prompt by the model's next 50 tokens."""
    prompt, script = "The meaning of life is", "0123456789" * 6
    tokenizer = models.small_tokenizer(300)
    script_ids = [tokenizer.tokens.index(letter) for letter in script]
    model = tmp_path / "reciter.gguf"
    command = [COMMAND, "tokenize", models.write_reciter(model, [], tokenizer)]
    ids = subprocess.run(command, input=prompt.encode(), capture_output=True, env=ENVIRONMENT)
    models.write_reciter(model, script_ids, tokenizer, start=len(ids.stdout.split()) - 1)
    assert run(program, model, **environment) == prompt + script[:50] + "\n"


def test_shared(prefix, tmp_path):
    build(prefix, tmp_path / "quickstart", *pkg_config(prefix, "--libs"))
    needed = run("readelf", "-d", tmp_path / "quickstart")
    assert f"[libmetal-llm.so.{SERIES}]" in needed and "openblas" not in needed
    check(tmp_path / "quickstart", tmp_path)  # it finds the library where it was installed


def test_static(prefix, tmp_path):
    build(prefix, tmp_path / "quickstart", *pkg_config(prefix, "--static", "--libs"))
    assert "libmetal-llm" not in run("readelf", "-d", tmp_path / "quickstart")
    check(tmp_path / "quickstart", tmp_path)


def test_chat(prefix, path, tmp_path):  # noqa: F811
    """Six calls answer as the command does."""
    build(prefix, tmp_path / "chat", *pkg_config(prefix, "--libs"))
    one, more = "Where is the river?\n", "And the bear?\n"
    command = [COMMAND, "chat", "-m", path, "--temp", "0"]
    expected = subprocess.run(command, input=one.encode(), capture_output=True, env=ENVIRONMENT, check=True).stdout
    talk = [tmp_path / "chat", path]
    first = subprocess.run(talk, input=one.encode(), capture_output=True, env=ENVIRONMENT, check=True).stdout
    both = subprocess.run(talk, input=(one + more).encode(), capture_output=True, env=ENVIRONMENT)
    assert first.rstrip(b"\n") == expected.rstrip(b"\n") and both.stdout.startswith(first)
    assert len(both.stdout) > len(first) or b"more than the context" in both.stderr


def example(prefix, tmp_path, name, *arguments):
    """What the example of this name prints."""
    build(prefix, tmp_path / name, *pkg_config(prefix, "--libs"))
    return run(tmp_path / name, *arguments)


def command(*words):
    return run(COMMAND, "run", *words)


TALES = ROOT / "models/tales.gguf"
DRAWN = ["--temp", "0.8", "--top-p", "0.95", "--top-k", "0", "--min-p", "0", "--seed", "7"]


def test_stream(prefix, tmp_path):
    """It draws what the command draws from the same seed, and prints no prompt."""
    prompt = "Once upon a time"
    shown = example(prefix, tmp_path, "stream", TALES, prompt, 7)
    assert len(shown) > 100
    assert prompt + shown.rstrip("\n") == command("-m", TALES, prompt, "-n", "100", *DRAWN).rstrip("\n")


def test_batch(prefix, tmp_path):
    """Each text goes on as it does alone."""
    tokenizer = models.small_tokenizer(300)
    script = [tokenizer.tokens.index(letter) for letter in "0123456789" * 12]
    model = models.write_reciter(tmp_path / "reciter.gguf", script, tokenizer)
    prompts = ["The sun", "A", "Where is the river?"]
    shown = example(prefix, tmp_path, "batch", model, *prompts).splitlines()
    assert shown == [command("-m", model, prompt, "-n", "20", "--temp", "0").rstrip("\n") for prompt in prompts]
    assert len(set(shown)) == 3 and all(re.search(r"\d{20}$", line) for line in shown)


def test_json(prefix, tmp_path):
    person = json.loads(example(prefix, tmp_path, "json", TALES, "A baker, as JSON: "))
    assert isinstance(person["name"], str) and len(person["name"]) <= 20
    assert type(person["age"]) is int and 0 <= person["age"] <= 120 and len(person) == 2


def test_raii(prefix, tmp_path):
    prompt = "Once upon a time"
    shown = example(prefix, tmp_path, "raii", TALES, prompt)
    assert shown == command("-m", TALES, prompt, "-n", "50", "--temp", "0").rstrip("\n") + "\n"
    done = subprocess.run([tmp_path / "raii", "absent.gguf", "x"], env=ENVIRONMENT, capture_output=True)
    assert done.returncode == 1 and b"absent.gguf" in done.stderr and done.stderr.count(b"\n") == 1


def test_every_example_is_on_the_page():
    page = (ROOT / "examples/README.md").read_text()
    listed = re.findall(r"^\| \[([^]]+)\]\(([^)]+)\) \|", page, re.M)
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "examples").iterdir()} - {"README.md", "__pycache__/"}
    assert {name for name, _ in listed} == there and all(name.rstrip("/") == link for name, link in listed)


@pytest.mark.parametrize("library, options", [("libmetal-llm.so", ["-D"]), ("libmetal-llm.a", ["--extern-only"])])
def test_only_the_interface_is_exported(prefix, library, options):
    symbols = run("nm", *options, "--defined-only", prefix / "lib" / library).splitlines()
    names = {line.split()[2] for line in symbols if len(line.split()) == 3} - {"___asan_globals_registered"}
    header = re.sub(r"static inline.*?\n}", "", HEADER, flags=re.DOTALL)
    assert names == set(re.findall(r"\b(llm_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL))) - {
        "llm_options",
        "llm_generation",
        "llm_inspection",
    }


ENDS_OR_PRINTS = (
    "exit _exit _Exit quick_exit abort __assert_fail perror puts putchar printf vprintf __printf_chk __vprintf_chk"
)


@pytest.mark.skipif("COVERAGE" in os.environ, reason="what counts lines prints")
def test_the_library_neither_ends_a_program_nor_prints(prefix):
    """Of C's library it wants nothing that does, and no standard stream."""
    wanted = run("nm", "-D", "--undefined-only", prefix / "lib" / "libmetal-llm.so").splitlines()
    names = {line.split()[1].partition("@")[0] for line in wanted}
    assert "malloc" in names and not names & {*ENDS_OR_PRINTS.split(), "stdout", "stderr", "stdin"}


def test_wrong_use(prefix, tmp_path):
    build(prefix, tmp_path / "quickstart", *pkg_config(prefix, "--libs"))
    for arguments, code, words in [([], 2, "usage"), (["absent.gguf"], 1, "absent.gguf")]:
        command = [tmp_path / "quickstart", *arguments]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True)
        assert done.returncode == code and not done.stdout
        assert words in done.stderr.decode() and done.stderr.count(b"\n") == 1


# What the command writes of itself.
OF_THE_COMMAND = {
    "share/man/man1/metal-llm.1": ["help", "--man"],
    "share/bash-completion/completions/metal-llm": ["completion", "bash"],
    "share/zsh/site-functions/_metal-llm": ["completion", "zsh"],
    "share/fish/vendor_completions.d/metal-llm.fish": ["completion", "fish"],
}


def test_install_and_uninstall(tmp_path):
    make("install", "/opt/llm", tmp_path)
    installed = files(tmp_path / "opt" / "llm")
    model = {"share/metal-llm/tales.gguf"} if (ROOT / "models" / "tales.gguf").exists() else set()
    assert installed == model | {
        "bin/metal-check",
        "bin/metal-llm",
        "include/metal_llm.h",
        "lib/libmetal-llm.a",
        "lib/libmetal-llm.so",
        f"lib/libmetal-llm.so.{SERIES}",
        "lib/pkgconfig/metal-llm-shared.pc",
        "lib/pkgconfig/metal-llm.pc",
        *OF_THE_COMMAND,
    }
    for file, words in OF_THE_COMMAND.items():
        written = subprocess.run([COMMAND, *words], capture_output=True, check=True, env=ENVIRONMENT).stdout
        assert written and (tmp_path / "opt/llm" / file).read_bytes() == written
    description = (tmp_path / "opt/llm/lib/pkgconfig/metal-llm.pc").read_text()
    assert "prefix=/opt/llm\n" in description and str(tmp_path) not in description
    assert "-rpath,${libdir}" in (tmp_path / "opt/llm/lib/pkgconfig/metal-llm-shared.pc").read_text()
    make("uninstall", "/opt/llm", tmp_path)
    assert not files(tmp_path)
