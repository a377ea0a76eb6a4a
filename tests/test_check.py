"""metal-check: wrong kernels are caught in the right line, right ones pass, and the tool is a tool."""

import json
import os
import re
import resource
import shlex
import signal
import struct
import subprocess
import time

import numpy
import pytest

import checker
import language
import launches
import sanitize
from checker import METAL_CHECK
from library import BUILD, ROOT

WRONG = sorted(ROOT.glob("tests/check/wrong/*.metal"))
RIGHT = sorted(ROOT.glob("tests/check/right/*.metal"))
WARNED = sorted(ROOT.glob("tests/check/warned/*.metal"))
LAYERNORM = ROOT / "kernels/layernorm.metal"


def name(path):
    return path.stem


def runs(path):
    """The options in the lines `// run: …` of a file."""
    return [line.split() for line in re.findall(r"^// run: (.*)", path.read_text(), re.MULTILINE)]


# --- the corpus ---


def rename(line, word, other):
    """A word of the code, not of the comment."""
    code, slashes, comment = line.partition("//")
    return re.sub(rf"(?<!\.)\b{word}\b", other, code) + slashes + comment


def disguise(text, random):
    """The same kernel under other names and some lines further down: nothing can know it by either."""
    names = set(re.findall(r"kernel void (\w+)|(\w+) \[\[(?:buffer|threadgroup)\(", text))
    names |= {(variable,) for variable in re.findall(r"^ +threadgroup \w+(?: \w+)?? (\w+)[;\[]", text, re.M)}
    for word in {word for group in names for word in group if word}:
        other = f"{word}_{random.integers(10**6)}"
        text = re.sub(r"^(?!//).*$", lambda line: rename(line.group(), word, other), text, flags=re.M)
        text = text.replace(f"--kernel {word} ", f"--kernel {other} ")
    head, body = text.split("#include", 1)
    lines = ["", "// a comment", "/* another", "   one */"]
    shift = [line for _ in range(random.integers(1, 9)) for line in lines[: 2 + 2 * random.integers(2)]]
    return head + "\n".join(shift) + "\n#include" + body


def expectations(text):
    """What the comments want: {(kind, line)} that must all be found, and {kind: lines} of which one is
    enough."""
    every, one = set(), {}
    for number, line in enumerate(text.splitlines(), 1):
        found = re.search(r"// expect( one| next)?: (.*)", line)
        for kind in found.group(2).split(", ") if found else []:
            if found.group(1) == " one":
                one.setdefault(kind, set()).add(number)
            else:
                every.add((kind, number + (found.group(1) == " next")))
    return every, one


def found_in(findings):
    """{(kind, line)} of findings, both lines of a race."""
    return {
        (finding["kind"], finding[who]["line"]) for finding in findings for who in ("at", "other") if who in finding
    }


@pytest.mark.parametrize("path", WRONG, ids=name)
def test_is_caught(path, tmp_path, random):
    """Just what is expected, in just these lines; a race may also make the result depend on the order, and a
    wrong kernel may leave part of its output unwritten."""
    text = disguise(path.read_text(), random)
    copy = tmp_path / "kernel.metal"
    copy.write_text(text)
    every, one = expectations(text)
    assert every or one
    report = checker.run(copy, *runs(copy)[0], "--seed", random.integers(2**32))
    assert not [finding for finding in report["findings"] if finding["message"].startswith(f"{report['kernel']}:")]
    found = found_in(report["findings"])
    for kind, lines in one.items():
        some = {(kind, line) for line in lines} & found
        assert some, f"{kind} is not found in one of the lines {lines}, but {found}"
        found -= some
    for consequence in {"order", "never-written"} - {kind for kind, _ in every}:
        found = {(kind, line) for kind, line in found if kind != consequence}
    assert found == every


@pytest.mark.parametrize("path", RIGHT, ids=name)
def test_passes(path, random):
    for options in runs(path):
        report = checker.run(path, *options, "--seed", random.integers(2**32))
        assert report["findings"] == []


@pytest.mark.parametrize("path", WARNED, ids=name)
def test_is_a_warning(path, tmp_path, random):
    """What works on today's GPUs, or may be meant, is no error."""
    copy = tmp_path / "kernel.metal"
    copy.write_text(disguise(path.read_text(), random))
    every, _ = expectations(copy.read_text())
    findings = checker.run(copy, *runs(copy)[0], "--seed", random.integers(2**32))["findings"]
    assert found_in(findings) == every
    assert {finding["severity"] for finding in findings} == {"warning"}


def test_every_kind_has_wrong_kernels():
    kinds = {}
    for path in WRONG:
        every, one = expectations(path.read_text())
        for kind in {kind for kind, _ in every} | set(one):
            kinds[kind] = kinds.get(kind, 0) + 1
    expected = "race out-of-bounds unwritten const barrier inactive-lane order fault misaligned never-written".split()
    assert set(kinds) == set(expected)
    assert min(kinds.values()) >= 3


def test_a_vector_is_misaligned_once():
    """Its elements are, too, and the kernel uses two of them."""
    path = next(path for path in WRONG if path.stem == "misaligned_rows")
    (finding,) = checker.run(path, *runs(path)[0])["findings"]
    assert "for a half4, which must lie at a multiple of 8 bytes" in finding["message"]


@pytest.mark.skipif(BUILD.name == "asan", reason="once, without the sanitizers, is enough")
@pytest.mark.parametrize("kernel", launches.kernel_files())
def test_our_kernels_pass(kernel, random):
    assert sanitize.sanitize(kernel, 2, int(random.integers(2**32))) == []


# --- what a finding tells ---

MISSING_BARRIER = """#include <metal_stdlib>
using namespace metal;
kernel void shift(device const float *input [[buffer(3)]], device float *output [[buffer(5)]],
                  uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]])
{
    threadgroup float shared[64];
    shared[t] = input[i];
    output[i] = shared[(t + 1) % 64];
    output[i] = input[i + 1];
}
"""


@pytest.fixture
def shift(tmp_path):
    path = tmp_path / "shift.metal"
    path.write_text(MISSING_BARRIER)
    return path


SHIFT = "--kernel shift --grid 128 --threads 64 --buffer 3=random:f32:128 --buffer 5=empty:f32:128".split()


def test_a_finding_tells_all(shift):
    findings = checker.run(shift, *SHIFT)["findings"]
    race = next(finding for finding in findings if finding["kind"] == "race")
    assert {race["at"]["line"], race["other"]["line"]} == {7, 8}
    assert race["at"]["file"] == race["other"]["file"] == str(shift)
    assert race["memory"]["name"] == "shared" and race["memory"]["space"] == "threadgroup"
    writer, reader = sorted((race["at"], race["other"]), key=lambda who: who["line"])
    assert writer["writes"] and not reader["writes"]
    assert writer["threadgroup"] == reader["threadgroup"]
    assert writer["threadgroup"][1:] == [0, 0] and writer["threadgroup"][0] < 2
    assert writer["thread"] == (reader["thread"] + 1) % 64 == race["memory"]["offset"] // 4

    bounds = next(finding for finding in findings if finding["kind"] == "out-of-bounds")
    assert bounds["at"]["line"] == 9 and bounds["at"]["thread"] == 63
    assert bounds["at"]["threadgroup"] == [1, 0, 0]
    memory = {
        "name": "input",
        "space": "device",
        "index": 3,
        "size": 512,
        "offset": 512,
        "bytes": 4,
    }
    assert bounds["memory"] == memory


def test_one_line_for_each_finding(shift):
    result = subprocess.run([METAL_CHECK, shift, *SHIFT], capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr == ""
    kinds = set()
    for line in result.stdout.splitlines():
        match = re.fullmatch(rf"{re.escape(str(shift))}:(\d+): (?:error|warning): ([a-z-]+): shift: .{{20,}}", line)
        assert match, line
        kinds.add(match.group(2))
    assert {"race", "unwritten", "out-of-bounds"} <= kinds


@pytest.mark.parametrize(
    "content, parameter",
    [
        ("0=random:f16:8", "float *"),
        ("0=random:i32:8", "float *"),
        ("1=f32:300", "uint &"),
        ("1=u16:3", "uint &"),
        ("2=random:f16:16", "float4x4 *"),
        ("3=u32:1", "bool &"),
    ],
)
def test_content_suits_the_parameter(content, parameter, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text("""#include <metal_stdlib>
using namespace metal;
kernel void fill(device float *out [[buffer(0)]], constant uint &N [[buffer(1)]], constant float4x4 *turns [[buffer(2)]],
                 constant bool &all [[buffer(3)]], uint i [[thread_position_in_grid]])
{
    if (i < N && all) out[i] = turns[0][0][0];
}
""")
    buffers = {"0": "0=empty:f32:8", "1": "1=u32:8", "2": "2=zeros:f32:16", "3": "3=u8:1"} | {content[0]: content}
    options = [word for buffer in buffers.values() for word in ("--buffer", buffer)]
    with pytest.raises(checker.Failed, match=re.escape(parameter)):
        checker.run(path, "--kernel", "fill", "--grid", 8, "--threads", 8, *options)


def test_a_small_grid_is_noted(tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text("""#include <metal_stdlib>
using namespace metal;
kernel void fill(device float *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = 1.0f; }
""")
    report = checker.run(path, "--kernel", "fill", "--grid", 2, "--threads", 64, "--buffer", "0=empty:f32:2")
    assert [(finding["kind"], finding["severity"]) for finding in report["findings"]] == [("dispatch", "note")]


DISPATCHED = """#include <metal_stdlib>
using namespace metal;
kernel void before(device float *out [[buffer(0)]]) { if (out[0] > 1.0f) { out[0] = 0.0f; } }
[[max_total_threads_per_threadgroup(64)]] kernel void few(device float *out [[buffer(0)]],
    threadgroup float *shared [[threadgroup(0)]], uint i [[thread_position_in_grid]])
{
    out[i] = 1.0f;
}
"""


@pytest.mark.parametrize("threads, bytes, says", [
    (64, 16, []), (65, 16, ["allows no more than 64"]), (64, 36, ["multiple of 16"]),
    (128, 8, ["allows no more than 64", "multiple of 16"]),
])  # fmt: skip
def test_what_metal_refuses_at_dispatch(threads, bytes, says, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(DISPATCHED)
    sizes = ["--grid", threads, "--threads", threads, "--threadgroup-memory", f"0={bytes}"]
    findings = checker.run(path, "--kernel", "few", *sizes, "--buffer", f"0=empty:f32:{threads}")["findings"]
    assert [(finding["kind"], finding["severity"], finding["at"]["line"]) for finding in findings] == [
        ("dispatch", "error", 4)
    ] * len(says)
    assert all(word in finding["message"] for word, finding in zip(says, findings))
    sizes[-1] = "0=16"
    assert checker.run(path, "--kernel", "before", *sizes[:4], "--buffer", "0=zeros:f32:1")["findings"] == []


COVERED = """#include <metal_stdlib>
using namespace metal;
static float never(float x)
{
    return x + 1.0f;
}
static float twice(float x)
{
    if (x > 1e9f)
        return never(x);
    return 2.0f * x;
}
kernel void covered(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    out[i] = twice(x[i]);
    if (i >= 256) {
        out[i] = -out[i];
        out[i] += 3.0f;
    }
    for (uint k = 255; k < i; k++)
        out[i] *= 2.0f;
}
"""


@pytest.mark.parametrize("threads, missed", [(256, [4, 5, 10, 18, 19, 22]), (257, [4, 5, 10])])
def test_coverage(threads, missed, tmp_path):
    """The lines that no thread reached, as text, as JSON and for lcov; a flag per block does not overflow as a counter
    would after 256 threads."""
    path = tmp_path / "covered.metal"
    path.write_text(COVERED)
    size = f"f32:{threads}"
    options = f"--kernel covered --grid {threads} --threads 64 --buffer 0=random:{size} --buffer 1=empty:{size}"
    (file,) = checker.run(path, *options.split(), "--coverage")["coverage"]
    assert file == {"file": str(path), "lines": 15, "reached": 15 - len(missed), "not_reached": missed}
    command = [METAL_CHECK, path, *options.split(), f"--coverage={tmp_path}/covered.info"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.startswith(f"{path}: {15 - len(missed)} of 15 lines reached; no thread reached lines 4-5, 10")
    lines = (tmp_path / "covered.info").read_text().splitlines()
    assert [line for line in lines if line.endswith(",0")] == [f"DA:{line},0" for line in missed]
    assert lines[1] == f"SF:{path}" and lines[-3:] == ["LF:15", f"LH:{15 - len(missed)}", "end_of_record"]
    assert "coverage" not in checker.run(path, *options.split())


def test_suppressed(shift):
    kinds = lambda *options: {finding["kind"] for finding in checker.run(shift, *SHIFT, *options)["findings"]}
    assert "race" in kinds()
    assert kinds("--suppress", "race=shared") == kinds() - {"race"}
    assert "race" in kinds("--suppress", "race=other")
    with pytest.raises(checker.Failed, match="no such findings"):
        checker.run(shift, *SHIFT, "--suppress", "races")


@pytest.mark.parametrize("line, comment, hides", [
    (6, "// metal-check: suppress race", False), (7, "// metal-check: suppress race", True), (8, "// metal-check: suppress race: it is meant", True),
    (7, "    // metal-check: suppress order, race=shared", True), (8, "// metal-check: suppress race=other", False),
    (8, "// metal-check: suppress racey", False), (8, "// suppress race", False), (10, "// metal-check: suppress race", False),
])  # fmt: skip
def test_suppressed_by_a_comment(line, comment, hides, tmp_path):
    """In the line of either access, or alone in the one before."""
    path = tmp_path / "shift.metal"
    path.write_text(MISSING_BARRIER)
    lines = MISSING_BARRIER.splitlines()
    before = {finding["kind"] for finding in checker.run(path, *SHIFT)["findings"]}
    if comment.startswith(" "):
        lines.insert(line - 1, comment)
    else:
        lines[line - 1] += " " + comment
    path.write_text("\n".join(lines) + "\n")
    after = {finding["kind"] for finding in checker.run(path, *SHIFT)["findings"]}
    assert "race" in before and after == before - ({"race"} if hides else set())


ATTACK = """#include <metal_stdlib>
using namespace metal;
extern "C" int system(const char *);
extern "C" int open(const char *, int, ...);
extern "C" int socket(int, int, int);
extern "C" int connect(int, const void *, uint);
extern "C" int fork();
extern "C" int kill(int, int);
extern "C" int unlink(const char *);
static int results[6];
__attribute__((constructor)) static void attack()
{
    system("touch FOLDER/by_system");
    uint address[4] = {0x50000002, 0x0100007f, 0, 0};
    int attempts[6] = {open("FOLDER/by_open", 0101, 0600), socket(2, 1, 0), connect(0, address, 16),
                       fork(), kill(1, 0), unlink("FOLDER/victim")};
    for (int i = 0; i < 6; i++) results[i] = attempts[i];
}
kernel void attacks(device int *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = results[i]; }
"""


def test_a_kernel_can_do_no_harm(tmp_path):
    """A constructor runs before any check; it may neither write, nor start a process, nor reach the network."""
    (tmp_path / "kernel.metal").write_text(ATTACK.replace("FOLDER", str(tmp_path)))
    (tmp_path / "victim").write_text("still here")
    output = tmp_path / "out.npy"
    arguments = ["--kernel", "attacks", "--grid", 6, "--threads", 6, "--buffer", "0=empty:i32:6"]
    checker.run(tmp_path / "kernel.metal", *arguments, "-o", f"0={output}")
    assert numpy.load(output).tolist() == [-1] * 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kernel.metal", "out.npy", "victim"]


@pytest.mark.parametrize("call", ["_exit(0)", "_exit(7)", "abort()"])
def test_an_exit_is_a_finding(call, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(f"""#include <metal_stdlib>
using namespace metal;
extern "C" void _exit(int);
extern "C" void abort();
kernel void leaves(device int *out [[buffer(0)]], uint i [[thread_position_in_grid]])
{{
    if (i == 3) {call};
    out[i] = 1;
}}
""")
    report = checker.run(path, "--kernel", "leaves", "--grid", 8, "--threads", 8, "--buffer", "0=empty:i32:8")
    (finding,) = report["findings"]
    assert finding["kind"] == "fault" and "ended the process" in finding["message"]
    assert finding["at"]["line"] == 5


def test_a_foreign_cache_is_not_loaded(shift, tmp_path):
    """What others could have written, what was changed, and what was written under another name is compiled anew."""
    cache = tmp_path / "cache"
    checker.run(shift, *SHIFT, "--cache", cache)
    (library,) = cache.glob("*.so")
    assert cache.stat().st_mode & 0o077 == 0
    own = library.read_bytes()
    (tmp_path / "other.metal").write_text(MISSING_BARRIER.replace("shared[64]", "shared[65]"))
    checker.run(tmp_path / "other.metal", *SHIFT, "--cache", cache)
    (other,) = set(cache.glob("*.so")) - {library}
    changed = own[:-9] + bytes([own[-9] ^ 1]) + own[-8:]
    for content, mode in ((own, 0o666), (b"", 0o600), (changed, 0o600), (own[:-8], 0o600), (other.read_bytes(), 0o600)):
        library.write_bytes(content)
        library.chmod(mode)
        checker.run(shift, *SHIFT, "--cache", cache)
        found = library.read_bytes()
        assert found[:4] == own[:4] and found != content and library.stat().st_mode & 0o022 == 0


def test_the_cache_has_a_key_of_the_user(shift, tmp_path):
    """It lies elsewhere, for the user alone; what was written with another one is compiled anew, and so is all without any."""
    cache, home = tmp_path / "cache", tmp_path / "home"
    home.mkdir()

    def compiled(**environment):
        before = {path: path.stat().st_mtime_ns for path in cache.glob("*.so")}
        command = [METAL_CHECK, shift, *SHIFT, "--cache", cache]
        result = subprocess.run(command, env={"PATH": os.environ["PATH"]} | environment, capture_output=True, text=True)
        assert result.returncode == 1 and result.stderr == ""
        (library,) = cache.glob("*.so")
        return before.get(library) != library.stat().st_mtime_ns

    assert [compiled(HOME=home) for _ in range(3)] == [True, False, False]
    (key,) = (home / ".cache/metal-llm").iterdir()
    assert key.stat().st_mode & 0o177 == 0 and key.stat().st_size == 16
    key.unlink()
    assert [compiled(HOME=home) for _ in range(2)] == [True, False]
    key.chmod(0o644)  # others could have read it
    assert compiled(HOME=home) and compiled() and compiled()


@pytest.mark.parametrize("place", ["file", "link", "device", "parent"])
def test_a_cache_that_is_no_folder(place, shift, tmp_path):
    """One line says so, before anything is compiled."""
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("link")
    path = {"device": "/dev/full", "parent": tmp_path / "none/cache"}.get(place, tmp_path / place)
    result = subprocess.run([METAL_CHECK, shift, *SHIFT, "--cache", path], capture_output=True, text=True)
    says = "cannot be written" if place in ("link", "parent") else "is no folder, where compiled kernels could be kept"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"metal-check: {path} {says}\n")
    assert (tmp_path / "file").read_text() == "content"


@pytest.mark.skipif(BUILD.name == "asan", reason="the sanitizer's runtime opens files, too")
@pytest.mark.parametrize("files", [4, 5, 6, 8])
def test_few_files_may_be_open(files, shift, tmp_path):
    """That nothing can be compiled is said, and nothing stays behind."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for option in [], ["--json"]:
        result = subprocess.run(
            [METAL_CHECK, shift, *SHIFT, *option],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            preexec_fn=limit,
            capture_output=True,
        )
        assert result.returncode == 2 and b"metal-check" in result.stderr
        assert list(tmp_path.iterdir()) == [shift]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(number, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text("""#include <metal_stdlib>
using namespace metal;
kernel void spins(device int *out [[buffer(0)]]) { for (;;) out[0] += 1; }
""")
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [METAL_CHECK, path, "--kernel", "spins", "--grid", "1", "--threads", "1", "--buffer", "0=zeros:i32:1"]
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)})
    while not any(folder.glob("*/*.so")):  # it is compiled
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(60) == -number
    assert list(folder.iterdir()) == []


HOSTILE_LINES = """#include <metal_stdlib>
using namespace metal;
#line 5 "PATH"
kernel void shift(device const float *input [[buffer(3)]], device float *output [[buffer(5)]],
                  uint i [[thread_position_in_grid]]) { output[i] = CODE; /* \x1b[2J \x9b */ }
"""


@pytest.mark.parametrize("code", ["input[i + 128]", "nonsense"])
@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "\\033[2J", "shift.metal"])
def test_a_line_of_any_file(path, code, tmp_path):
    """A kernel says itself of which file it is: that is shown if it is one, and reaches no terminal raw."""
    os.mkfifo(tmp_path / "pipe")
    text = HOSTILE_LINES.replace("PATH", path).replace("CODE", code)
    (tmp_path / "shift.metal").write_bytes(text.encode("latin-1"))
    command = [METAL_CHECK, "shift.metal", *SHIFT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode in (1, 2) and b"error" in said and not {0x1B, 0x9B} & {*said}, said
    (tmp_path / "pipe").unlink()


def test_a_signal_while_it_compiles(shift, tmp_path):
    """Neither clang's files nor those of what it has started stay behind; nothing is said."""
    processes = []
    for delay in (0.0, 0.1, 0.3):
        folder = tmp_path / f"temporary {delay}"
        folder.mkdir()
        process = subprocess.Popen(
            [METAL_CHECK, shift, *SHIFT], env=os.environ | {"TMPDIR": str(folder)}, stderr=subprocess.PIPE
        )
        while not any(folder.glob("*/kernel.cpp")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        processes.append((process, folder))
    for process, folder in processes:
        assert process.communicate(timeout=60)[1] == b"" and process.returncode == -signal.SIGTERM
    time.sleep(1)  # clang itself is not waited for
    assert [list(folder.iterdir()) for _, folder in processes] == [[]] * 3


def left_by(folder, line):
    """Exit code and messages of a line of bash; nothing may stay in its temporary folder."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", line], env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True
    )
    assert list(folder.iterdir()) == []
    return done.returncode, done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_report_that_is_not_read_to_its_end(shift, tmp_path):
    """A full disk and a closed stream are errors, a reader that has gone is the end; nothing is left behind."""
    check, folder = shlex.join(map(str, [METAL_CHECK, shift, *SHIFT])), tmp_path / "temporary"
    for end in (">/dev/full", "--json >/dev/full", ">&-"):
        code, said = left_by(folder, f"{check} {end}")
        assert code == 2 and said.startswith("metal-check: the report cannot be written: ") and said.count("\n") == 1
    code, _ = left_by(folder, f"{check} | :; exit ${{PIPESTATUS[0]}}")
    assert code == 128 + signal.SIGPIPE
    code, said = left_by(folder, f"ulimit -f 1; exec {check}")
    assert code == 2 and "cannot be written" in said
    code, _ = left_by(folder, f"{check} -o 5={tmp_path}/out.npy 2>&-")
    assert code == 1 and numpy.load(tmp_path / "out.npy").shape == (128,)


def test_outputs_are_opened_before_the_work(tmp_path):
    """What is in their way is said before a kernel is compiled; of a run that comes to nothing there is none."""
    (tmp_path / "wrong.metal").write_text("kernel void shift() { nonsense }")
    for folder, words in ((tmp_path / "no", "cannot be written"), (tmp_path, "does not compile")):
        for option in (["-o", f"5={folder}/out.npy"], [f"--coverage={folder}/lines.info"]):
            with pytest.raises(checker.Failed, match=words):
                checker.run(tmp_path / "wrong.metal", *SHIFT, *option)
    assert os.listdir(tmp_path) == ["wrong.metal"]


def test_one_seed_is_one_order(shift):
    reports = [checker.run(shift, *SHIFT, "--seed", seed)["findings"] for seed in (7, 7, 8)]
    assert reports[0] == reports[1] != reports[2]


# --- what a kernel computes ---

ELEMENTWISE = """#include <metal_stdlib>
using namespace metal;
kernel void twice(device const T *x [[buffer(0)]], device T *out [[buffer(1)]], constant T &plus [[buffer(2)]],
                  uint i [[thread_position_in_grid]])
{
    out[i] = T(x[i] + x[i] + plus);
}
"""
METAL_TYPES = {
    "f32": "float", "f16": "half", "i8": "char", "u8": "uchar", "i16": "short", "u16": "ushort",
    "i32": "int", "u32": "uint", "i64": "long", "u64": "ulong",
}  # fmt: skip


@pytest.mark.parametrize("dtype, short", checker.TYPES.items(), ids=str)
def test_arrays_of_every_type(dtype, short, tmp_path, random):
    path = tmp_path / "twice.metal"
    path.write_text(ELEMENTWISE.replace("T", METAL_TYPES[short]))
    x = random.integers(0, 40, (3, 5, 7)).astype(dtype)
    numpy.save(tmp_path / "x.npy", x)
    options = f"--kernel twice --grid 105 --threads 32 --bytes 2={short}:3 --buffer 1=empty:{short}:3x5x7"
    checker.run(path, *options.split(), "--buffer", f"0={tmp_path}/x.npy", "-o", f"1={tmp_path}/out.npy")
    out = numpy.load(tmp_path / "out.npy")
    assert out.dtype == dtype and numpy.array_equal(out, x + x + dtype.type(3))


@pytest.mark.parametrize("content, expected", [
    ("zeros:f32:2x3", [[0, 0, 0], [0, 0, 0]]),
    ("ones:i16:3", [1, 1, 1]),
    ("range:u8:4", [0, 1, 2, 3]),
    ("u32:7,0x10,4294967295", [7, 16, 4294967295]),
    ("i64:-9223372036854775808,-1", [-9223372036854775808, -1]),
    ("f16:1.5,-inf", [1.5, -numpy.inf]),
])  # fmt: skip
def test_contents(content, expected, tmp_path):
    path = tmp_path / "nothing.metal"
    path.write_text("kernel void nothing(device char *x [[buffer(0)]]) {}\n")
    options = ["--kernel", "nothing", "--grid", 1, "--threads", 1, "--buffer", f"0={content}"]
    checker.run(path, *options, "-o", f"0={tmp_path}/out.npy")
    assert numpy.load(tmp_path / "out.npy").tolist() == expected


def test_random_contents_follow_the_seed(tmp_path):
    path = tmp_path / "nothing.metal"
    path.write_text("kernel void nothing(device char *x [[buffer(0)]]) {}\n")
    loaded = []
    for seed in (1, 1, 2):
        options = f"--kernel nothing --grid 1 --threads 1 --buffer 0=random:f32:4000 --seed {seed}"
        checker.run(path, *options.split(), "-o", f"0={tmp_path}/out.npy")
        loaded.append(numpy.load(tmp_path / "out.npy"))
    assert numpy.array_equal(loaded[0], loaded[1]) and not numpy.array_equal(loaded[0], loaded[2])
    assert abs(loaded[0].mean()) < 0.1 and abs(loaded[0].std() - 1) < 0.1


def test_layernorm_is_right(tmp_path, random):
    x, weight, bias = (random.normal(0, 1, shape).astype(numpy.float32) for shape in [(5, 77), 77, 77])
    for i, array in enumerate((x, weight, bias)):
        numpy.save(tmp_path / f"{i}.npy", array)
    options = "--kernel layernorm_forward --grid 480 --threads 96 --bytes 4=u32:77 --bytes 5=f32:1e-5"
    buffers = [f"{i}={tmp_path}/{i}.npy" for i in range(3)] + ["3=empty:f32:5x77"]
    checker.run(
        LAYERNORM, *options.split(), *(word for b in buffers for word in ("--buffer", b)),
        "-o", f"3={tmp_path}/out.npy",
    )  # fmt: skip
    wide = x.astype(numpy.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / numpy.sqrt(wide.var(1, keepdims=True) + 1e-5)
    assert numpy.abs(numpy.load(tmp_path / "out.npy") - (expected * weight + bias)).max() <= 1e-5


def test_layernorm_is_checked_in_half_a_second():
    """64 rows of 768 with 256 threads and one seed, once compiled; the best of three runs."""
    options = "--kernel layernorm_forward --grid 16384 --threads 256 --seeds 1 --bytes 4=u32:768 --bytes 5=f32:1e-5"
    sizes = ["random:f32:64x768", "random:f32:768", "random:f32:768", "empty:f32:64x768"]
    buffers = [word for i, size in enumerate(sizes) for word in ("--buffer", f"{i}={size}")]
    seconds = [checker.run(LAYERNORM, *options.split(), *buffers)["run_seconds"] for _ in range(3)]
    assert min(seconds) <= 0.5


# --- what it refuses ---

TINY = "#include <metal_stdlib>\nkernel void tiny(device float *x [[buffer(0)]], constant uint &n [[buffer(1)]]) {}\n"
GOOD = [
    "--kernel",
    "tiny",
    "--grid",
    "1",
    "--threads",
    "1",
    "--buffer",
    "0=zeros:f32:1",
    "--bytes",
    "1=u32:1",
]


def without(option):
    at = GOOD.index(option)
    return GOOD[:at] + GOOD[at + 2 :]


@pytest.mark.parametrize("options, message", [
    (without("--kernel"), "--kernel NAME is needed"),
    (without("--grid"), "--grid X,Y,Z is needed"),
    (without("--threads"), "--threads X,Y,Z is needed"),
    (without("--buffer"), "'x' needs a buffer: --buffer 0=CONTENT"),
    (without("--bytes"), "'n' needs a value: --bytes 1=TYPE:VALUE"),
    ([*GOOD, "--buffer", "7=zeros:f32:1"], "the kernel has no [[buffer(7)]]"),
    ([*GOOD, "--buffer", "0=zeros:f32:1"], "buffer 0 is given twice"),
    ([*GOOD, "-o", "6=x.npy"], "no [[buffer(6)]]"),
    ([*GOOD, "--kernel", "big"], "no kernel 'big'; it has tiny"),
    ([*GOOD, "--grid", "0"], "each at least 1"),
    ([*GOOD, "--grid", "1,2,3,4"], "write it as X or X,Y or X,Y,Z"),
    ([*GOOD, "--threads", "1025"], "at most 1024"),
    ([*GOOD, "--simd-width", "65"], "a number from 1 to 64"),
    ([*GOOD, "--seeds", "0"], "a number from 1"),
    ([*GOOD, "--wrong"], "see metal-check --help"),
    ([*without("--buffer"), "--buffer", "0=zeros:f33:1"], "types are f32"),
    ([*without("--buffer"), "--buffer", "0=zeros:f32:x"], "no number of elements"),
    ([*without("--buffer"), "--buffer", "0=missing.npy"], "missing.npy cannot be read"),
    ([*without("--buffer"), "--buffer", "zeros"], "INDEX="),
    ([*without("--bytes"), "--bytes", "1=u32:-1"], "is no u32"),
    ([*without("--bytes"), "--bytes", "1=u8:256"], "is no u8"),
])  # fmt: skip
def test_usage_errors_are_one_line(options, message, tmp_path):
    path = tmp_path / "tiny.metal"
    path.write_text(TINY)
    result = subprocess.run([METAL_CHECK, path, *options], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert message in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "name", ["it's.metal", 'two "words".metal', "new\nline.metal", "-D.metal", "back\\slash.metal", "ü%s.metal"]
)
def test_file_names(name, tmp_path):
    """Every name works, also with an include beside the file; one that begins with a dash stands behind --."""
    folder = tmp_path / "a 'folder' of \"mine\""
    folder.mkdir()
    (folder / "one.h").write_text("#define ONE 1.0f\n")
    (folder / name).write_text("""#include <metal_stdlib>
#include "one.h"
kernel void f(device float *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i + 1] = ONE; }
""")
    launch = [
        "--json",
        "--kernel",
        "f",
        "--grid",
        "4",
        "--threads",
        "4",
        "--buffer",
        "0=zeros:f32:4",
        "--cache",
        "a 'cache'",
    ]
    result = subprocess.run([METAL_CHECK, *launch, "--", name], capture_output=True, text=True, cwd=folder)
    assert result.returncode == 1, result.stderr
    assert [finding["at"]["line"] for finding in json.loads(result.stdout)["findings"]] == [3]


def test_what_is_missing_has_the_line_of_its_parameter(tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text("""#include <metal_stdlib>
using namespace metal;
kernel void f(
    device float *x [[buffer(0)]],
    constant uint &n [[buffer(1)]],
    threadgroup float *shared [[threadgroup(0)]],
    texture2d<float> image [[texture(0)]],
    sampler s [[sampler(0)]]) {}
""")
    given = []
    for line, name, option, content in [
        (4, "x", "--buffer", "0=zeros:f32:4"), (5, "n", "--bytes", "1=u32:4"), (6, "shared", "--threadgroup-memory", "0=16"),
        (7, "image", "--texture", "0=zeros:f32:2x2"), (8, "s", "--sampler", "0=linear"),
    ]:  # fmt: skip
        with pytest.raises(checker.Failed, match=f"^{re.escape(str(path))}:{line}: '{name}' needs .*{option} "):
            checker.run(path, "--kernel", "f", "--grid", 1, "--threads", 1, *given)
        given += [option, content]
    assert checker.run(path, "--kernel", "f", "--grid", 1, "--threads", 1, *given)["findings"] == []


@pytest.mark.parametrize("damage", ["", "\x93NUMPY", "text"])
def test_a_file_that_is_no_array(damage, tmp_path):
    (tmp_path / "x.npy").write_bytes(damage.encode("latin-1"))
    (tmp_path / "tiny.metal").write_text(TINY)
    options = [*without("--buffer"), "--buffer", f"0={tmp_path}/x.npy"]
    with pytest.raises(checker.Failed, match="not a .npy file"):
        checker.run(tmp_path / "tiny.metal", *options)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_file_that_is_cut_off(cut, tmp_path):
    numpy.save(tmp_path / "whole.npy", numpy.zeros(3, numpy.float32))
    whole = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[: len(whole) * cut // 12])
    (tmp_path / "tiny.metal").write_text(TINY)
    with pytest.raises(checker.Failed):
        checker.run(tmp_path / "tiny.metal", *without("--buffer"), "--buffer", f"0={tmp_path}/x.npy")


NPY = "{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}"


@pytest.mark.parametrize("type, shape, message", [
    ("<f8", "3,", "elements of type '<f8'"),
    ("\n\x1b[", "3,", "elements of type ''; convert"),
    ("<f4", "1000000, 1000000", "ends before its 4000000000000 bytes"),
    ("<f4", "-1,", "its shape cannot be read"),
])  # fmt: skip
def test_a_header_that_is_wrong(type, shape, message, tmp_path):
    """Named in one line, and no memory is taken for what is not there."""
    header = NPY.format(type, shape).encode()
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
    (tmp_path / "tiny.metal").write_text(TINY)
    command = [METAL_CHECK, tmp_path / "tiny.metal", *without("--buffer"), "--buffer", f"0={tmp_path}/x.npy"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and message in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("line, message", [
    ("kernel void f(texture2d_ms_array<float> t [[texture(0)]]) {}", "texture2d_ms_array<float> is not supported"),
    ("kernel void f(uint i) {}", "no [[attribute]]"),
    ("kernel int f() { return 0; }", "a kernel returns void"),
    ("kernel void f() { unknown_function(); }", "unknown_function"),
    ("kernel void f() { float4 v = 0.0f; v.xq = 1.0f; }", "xq"),
    ('template [[host_name("f")]] kernel void g<float>();', "no kernel template"),
    ('#include "missing.h"\nkernel void f() {}', "missing.h"),
])  # fmt: skip
def test_what_is_not_supported_is_named_with_its_line(line, message, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text("#include <metal_stdlib>\nusing namespace metal;\n\n" + line + "\n")
    with pytest.raises(checker.Failed) as failure:
        checker.run(path, "--kernel", "f", "--grid", 1, "--threads", 1)
    lines = [text for text in str(failure.value).splitlines() if message in text]
    assert any(f"{path}:4" in text for text in lines), failure.value


def test_constants_that_the_kernel_uses_need_values(tmp_path):
    """Those of other kernels of the file do not."""
    path = tmp_path / "kernel.metal"
    path.write_text("""#include <metal_stdlib>
using namespace metal;
constant uint mine [[function_constant(0)]];
constant uint other [[function_constant(1)]];
kernel void f(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = mine; }
kernel void g(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = other; }
""")
    options = "--kernel f --grid 4 --threads 4 --buffer 0=empty:u32:4".split()
    assert checker.run(path, *options, "--constant", "0=7")["findings"] == []
    with pytest.raises(checker.Failed, match="'mine' in line 3 needs a value"):
        checker.run(path, *options)


def test_leaves_nothing_behind(tmp_path, shift):
    folder = tmp_path / "temporary"
    folder.mkdir()
    for options in (SHIFT, ["--kernel", "none", *SHIFT[2:]]):
        environment = {"TMPDIR": str(folder), "PATH": "/usr/bin:/bin"}
        subprocess.run([METAL_CHECK, shift, *options], capture_output=True, env=environment)
        assert list(folder.iterdir()) == []


# --- the language ---

ALL_PARTS = [part for parts in language.PARTS.values() for part in parts]


def test_expressions_have_their_values():
    assert language.differences(ALL_PARTS) == []


@pytest.mark.parametrize("part", [part for part in ALL_PARTS if part.refused], ids=lambda part: part.name)
def test_the_rest_is_refused_with_its_line(part):
    assert language.refusal(part)


def test_the_table_says_so():
    """docs/msl.md lists every part; what the tests above show decides between yes and no."""
    rows = language.PAGE.read_text().splitlines()
    for part in ALL_PARTS:
        assert f"| {part.name} | {'no' if part.refused else 'yes'} |" in rows
    assert sum(row.endswith(("| yes |", "| no |")) for row in rows) == len(ALL_PARTS)


# --- the language check ---


def test_strict(tmp_path):
    path = tmp_path / "strict.metal"
    line = "kernel void f(device float *x [[buffer(0)]]) { float *p = x; p[0] = 1.0f; }"
    path.write_text(f"#include <metal_stdlib>\nusing namespace metal;\n\n{line}\n")
    command = [METAL_CHECK, path, *"--kernel f --grid 1 --threads 1 --buffer 0=zeros:f32:1".split()]
    assert subprocess.run(command).returncode == 0
    result = subprocess.run([*command, "--strict"], capture_output=True, text=True)
    assert result.returncode == 1 and f"{path}:4" in result.stderr
    path.write_text(path.read_text().replace("{ float", "{ device float"))
    result = subprocess.run([*command, "--strict"], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == ""


TAKEN = """#include <metal_stdlib>
using namespace metal;
struct Pair { float a; uint b; };
kernel void f(device float *x [[buffer(0)]], device const Pair *pairs [[buffer(1)]], uint i [[thread_position_in_grid]])
{
    float v = 1.0 / 3 + (x[i] > 0.1 ? 1.0 : 1e-5);
    {
        threadgroup float tile[32];
        tile[i % 32] = v * 0.5;
        x[i] = tile[i % 32];
    }
    Pair chosen = i % 2 ? pairs[i] : Pair{1.0f, 2u};
    x[i] += chosen.a;
    MORE
}
"""


@pytest.mark.parametrize("more, refused", [("", False), ("float *p = x; *p = 1.0;", True),
                                           ("int wrong = i ? chosen : 1.0;", True)])  # fmt: skip
def test_strict_takes_what_metal_takes(more, refused, tmp_path):
    """Literals without a suffix, threadgroup variables of an inner block, structures out of two address spaces; what
    else is wrong in such a kernel is still seen."""
    path = tmp_path / "taken.metal"
    path.write_text(TAKEN.replace("MORE", more))
    options = "--strict --kernel f --grid 32 --threads 32 --buffer 0=zeros:f32:32 --buffer 1=zeros:u32:64"
    result = subprocess.run([METAL_CHECK, path, *options.split()], capture_output=True, text=True)
    assert (result.returncode != 0) == refused and bool(result.stderr) == refused
    assert not refused or f"{path}:14" in result.stderr


TEMPLATE = """#include <metal_stdlib>
using namespace metal;
#include "half.h"
#define INSTANCE(name, T) template [[host_name(name)]] kernel decltype(halve<T>) halve<T>;
template <typename T> kernel void halve(device T *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    device T *p = x + i;
    *p = half_of(*p);
}
INSTANCE("halve_f32", float)
INSTANCE("halve_f16", half)
"""
HELPER = "template <typename T>\nT half_of(T x)\n{\n    return x / T(2);\n}\n"


def test_strict_in_a_template(tmp_path):
    """What is wrong is told once, in its line; also in a file's own headers."""

    def check(template, helper):
        path = tmp_path / "template.metal"
        path.write_text(template)
        (tmp_path / "half.h").write_text(helper)
        options = "--strict --kernel halve_f16 --grid 1 --threads 1 --buffer 0=zeros:f16:1"
        result = subprocess.run([METAL_CHECK, path, *options.split()], capture_output=True, text=True)
        return result.returncode, re.findall(r"(\w+\.\w+:\d+):\d+: error", result.stderr)

    assert check(TEMPLATE, HELPER) == (0, [])
    assert check(TEMPLATE.replace("device T *p", "T *p"), HELPER) == (1, ["template.metal:7"])
    assert check(TEMPLATE, HELPER.replace("return", "device T *two = &x;\n    return")) == (1, ["half.h:4"])
    of_thread = HELPER.replace("T x", "thread T *x").replace("x /", "*x /")
    assert check(TEMPLATE.replace("(*p)", "(p)"), of_thread) == (1, ["template.metal:8"])


def test_strict_in_the_instances_of_the_corpus():
    path = ROOT / "tests/check/right/template_instances.metal"
    for run in runs(path):
        result = subprocess.run([METAL_CHECK, "--strict", path, *run], capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")


def test_strict_knows_the_headers(tmp_path):
    path = tmp_path / "matrices.metal"
    text = (ROOT / "tests/check/right/simdgroup_matrices.metal").read_text()
    path.write_text(text)
    run = next(line[8:].split() for line in text.splitlines() if line.startswith("// run: "))
    result = subprocess.run([METAL_CHECK, path, *run, "--strict"], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


# --- the page ---


def test_the_page_shows_what_happens(tmp_path):
    """The kernel of docs/metal-check.md gives the output that is printed there; the repaired one none."""
    page = (ROOT / "docs/metal-check.md").read_text()
    kernel, repair = re.findall(r"^```metal\n(.*?)^```", page, re.M | re.S)
    command, printed = re.search(r"^```console\n\$ (.*?)\n(.*?)^```", page, re.M | re.S).groups()

    def output(text):
        (tmp_path / "sum_rows.metal").write_text(text)
        command_here = command.replace("metal-check", str(METAL_CHECK.resolve()), 1)
        return subprocess.run(command_here.split(), capture_output=True, text=True, cwd=tmp_path).stdout

    digits = lambda text: re.sub(r"-?\d+\.\d+", "#", text)  # the last ones are the C library's
    assert digits(output(kernel)) == digits(printed)
    loop = next(line for line in kernel.splitlines() if "half_way /= 2" in line)
    body = kernel[kernel.index(loop) :].split("\n", 2)[1]
    fixed = kernel.replace(f"{loop}\n{body}\n", repair).replace("c <= C", "c < C")
    assert output(fixed) == ""
