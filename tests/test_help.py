"""Help on verbs and topics, the manual page, and completion in real shells: all from the command's own tables."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from library import COMMAND, ROOT

USAGE = 2
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}


def shown(*arguments):
    """What the command prints."""
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout


OVERVIEW = shown("help")
VERBS = re.findall(r"^  (\w+) ", OVERVIEW.split("metal-llm VERB --help")[0], re.M)
TOPICS = re.findall(r"^    ([\w-]+) ", OVERVIEW, re.M)


def options_of(verb):
    """As --help lists them."""
    return re.findall(r"^  (?:-h, )?(--?[\w-]+)", shown(verb, "--help"), re.M)


# --- topics ---


def test_the_overview_has_verbs_and_topics():
    assert {"run", "serve", "completion"} <= set(VERBS) and {"models", "environment"} <= set(TOPICS)
    assert len(VERBS) > 12 and len(TOPICS) > 4


@pytest.mark.parametrize("topic", TOPICS)
def test_help_on_a_topic(topic):
    text = shown("help", topic)
    assert len(text.splitlines()) > 4 and max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("words, said", [
    (["devcies"], "no help on 'devcies'; did you mean devices?"),
    (["zzzz"], "no help on 'zzzz' (see metal-llm --help)"),
    (["run", "chat"], "help takes one topic, not also 'chat'"),
])  # fmt: skip
def test_no_help(words, said):
    done = subprocess.run([COMMAND, "help", *words], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == USAGE and said in done.stderr and done.stdout == ""


def test_every_variable_that_is_read_is_told():
    """But those that all programs read."""
    sources = [path.read_text() for folder in ("src", "cli") for path in (ROOT / folder).rglob("*.c")]
    read = {name for text in sources for name in re.findall(r'getenv\("(\w+)"\)', text)} - {"HOME", "TERM"}
    assert read == set(re.findall(r"^  ([A-Z_]+) ", shown("help", "environment"), re.M))


# --- the manual page ---


def test_the_manual_page_has_everything():
    page = shown("help", "--man").replace("\\-", "-")
    sections = dict(re.findall(r"^\.SS \"(\w+).*?\n(.*?)(?=^\.S[SH] )", page, re.M | re.S))
    shared = page[page.index(".SH OPTIONS OF VERBS") :]
    assert list(sections) == VERBS
    for verb, text in sections.items():
        known = text + (shared if "It runs a model" in text else "\\fB--help\\fR")
        missing = [option for option in options_of(verb) if f"\\fB{option}\\fR" not in known]
        assert missing == [], verb
    for topic in TOPICS:
        assert f".SH {topic.upper().replace('-', ' ')}\n" in page


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff")
def test_the_manual_page_is_set_without_warnings():
    done = subprocess.run(
        ["groff", "-man", "-Kutf8", "-Tutf8", "-ww"],
        input=shown("help", "--man"), env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    plain = re.sub(r".\x08|\x1b\[\d*m", "", done.stdout)
    assert "run language models with Metal compute kernels" in plain
    assert max(map(len, plain.splitlines())) <= 80


# --- completion ---

# What is typed, and the line after the tabulator.
TYPED = [
    ("metal-llm selft", "metal-llm selftest"),
    ("metal-llm run --devi", "metal-llm run --device"),
    ("metal-llm run --device sim", "metal-llm run --device simt"),
    ("metal-llm run --device=sim", "metal-llm run --device=simt"),
    ("metal-llm chat -m qwe", "metal-llm chat -m qwen3-0.6b"),
    ("metal-llm chat qwe", "metal-llm chat qwen3-0.6b"),
    ("metal-llm bench --shape llama-7", "metal-llm bench --shape llama-70b"),
    ("metal-llm convert --type q4_K_", "metal-llm convert --type q4_K_M"),
    ("metal-llm explain --facts h2", "metal-llm explain --facts h200"),
    ("metal-llm chat --chat-template chatm", "metal-llm chat --chat-template chatml"),
    ("metal-llm chat --chat-template wor", "metal-llm chat --chat-template words.jinja"),
    ("metal-llm run --json-schema wor", "metal-llm run --json-schema words.jinja"),
    ("metal-llm run --kernels fold", "metal-llm run --kernels folder"),
    ("metal-llm get smol", "metal-llm get smollm2"),
    ("metal-llm kernels layernorm_forward_f1", "metal-llm kernels layernorm_forward_f16"),
    ("metal-llm help env", "metal-llm help environment"),
    ("metal-llm completion fi", "metal-llm completion fish"),
    ("metal-llm run --temp 0.", "metal-llm run --temp 0."),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a file and a folder in it, models beside it, and the command in PATH."""
    home = tmp_path_factory.mktemp("home")
    for folder in ("here/folder", "data/metal-llm/models", "bin", "zsh"):
        (home / folder).mkdir(parents=True)
    (home / "here/words.jinja").touch()
    (home / "data/metal-llm/models/qwen3-0.6b.gguf").touch()
    (home / "bin/metal-llm").symlink_to(COMMAND)
    (home / "script.bash").write_text(shown("completion", "bash"))
    (home / "zsh/_metal-llm").write_text(shown("completion", "zsh"))
    (home / "script.fish").write_text(shown("completion", "fish"))
    return home


def variables(home):
    """For a shell that lives in this folder alone."""
    own = {
        "HOME": home,
        "XDG_DATA_HOME": home / "data",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
    }
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    return ENVIRONMENT | {name: str(value) for name, value in own.items()} | {"PATH": path, "TERM": "dumb", "PS1": "$ "}


class Terminal:
    """A shell at a terminal, to which keys are typed."""

    def __init__(self, command, home, first):
        self.home = home
        self.keyboard, shell = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=shell,
            stdout=shell,
            stderr=shell,
            cwd=home / "here",
            env=variables(home),
            start_new_session=True,
        )
        os.close(shell)
        self.type(f"{first}; echo begi''ns\r", "begins")

    def type(self, keys, until):
        """What comes up to and with a text."""
        os.write(self.keyboard, keys.encode())
        seen, end = "", time.monotonic() + 100
        while not re.search(until, seen):
            assert select.select([self.keyboard], [], [], end - time.monotonic())[0], seen
            seen += os.read(self.keyboard, 4096).decode(errors="replace")
        return re.search(until, seen)

    def complete(self, typed):
        """The line after the tabulator: it becomes the arguments of an echo."""
        found = self.type(f"{typed}\t\x01echo '<'\x05'>'\r", r"\n<(.*?)>\s")
        return found[1].strip().rstrip("/=").replace("\\", "")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.keyboard)


def check_terminal(terminal):
    try:
        assert [terminal.complete(typed) for typed, _ in TYPED] == [line for _, line in TYPED]
    finally:
        terminal.close()


def test_bash_at_a_terminal(place):
    check_terminal(Terminal(["bash", "--norc", "--noprofile", "-i"], place, f"source {place}/script.bash"))


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
@pytest.mark.parametrize("way", ["fpath", "source"])
def test_zsh_at_a_terminal(place, way):
    found = f"fpath=({place}/zsh $fpath); autoload -Uz compinit; compinit -u -D"
    read = f"autoload -Uz compinit; compinit -u -D; source {place}/zsh/_metal-llm"
    check_terminal(Terminal(["zsh", "-f", "-i"], place, found if way == "fpath" else read))


def fish(place, line):
    """Candidates for a line's last word."""
    script = f"source {place}/script.fish; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], cwd=place / "here", env=variables(place), capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == ""
    return [candidate.split("\t")[0] for candidate in done.stdout.splitlines()]


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish(place):
    for typed, line in TYPED[:-1]:
        before, word = line.rsplit(" ", 1)
        assert [candidate.rstrip("/=") for candidate in fish(place, typed)] == [word], typed
    assert fish(place, TYPED[-1][0]) == []


def test_bash_offers_every_option(place):
    """What --help lists, and nothing else."""
    lines = [f"COMP_WORDS=(metal-llm {verb} -) COMP_CWORD=2; _metal_llm; echo ${{COMPREPLY[*]}}" for verb in VERBS]
    script = "\n".join([f"source {place}/script.bash", *lines])
    done = subprocess.run(["bash", "-c", script], env=variables(place), capture_output=True, text=True, check=True)
    offered = dict(zip(VERBS, map(str.split, done.stdout.splitlines()), strict=True))
    assert offered == {verb: options_of(verb) for verb in VERBS}


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_offers_every_option(place):
    for verb in ("run", "serve", "convert"):
        assert sorted({*fish(place, f"metal-llm {verb} -")} - {"-h"}) == sorted(options_of(verb)), verb


def test_completion_of_no_shell():
    done = subprocess.run([COMMAND, "completion", "tcsh"], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == USAGE and "bash, zsh or fish, not 'tcsh'" in done.stderr
