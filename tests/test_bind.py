"""The binder: what is included, the constants that host and kernels share, and the build around it."""

import re
import shutil
import subprocess

import pytest

from library import ROOT
from toolchain import BIND, constants, kernel_files

KERNEL = """#include <metal_stdlib>
using namespace metal;
{}
kernel void fill(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) {{ out[i] = i; }}
"""


@pytest.fixture
def run(tmp_path):
    """run(verb, files, *options) writes {name: text} and returns the binder's status, output and messages
    for the first one."""

    def run(verb, files, *options, folders=("one", "two")):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        include = [option for folder in folders for option in ("-I", tmp_path / folder)]
        first = tmp_path / next(iter(files))
        result = subprocess.run([BIND, *include, *options, verb, first], capture_output=True, text=True)
        return result.returncode, result.stdout, result.stderr.replace(f"{tmp_path}/", "")

    return run


def lines_of(text):
    """(file, line, text) of each line, as its #line says."""
    file = number = None
    for line in text.splitlines():
        mark = re.fullmatch(r'#line (\d+) "(.*)"', line)
        if mark:
            file, number = mark[2].rsplit("/", 1)[-1], int(mark[1])
        else:
            yield file, number, line
            number += 1


# --- includes ---


def test_includes_are_expanded_once_with_their_lines(run):
    files = {
        "one/main.metal": KERNEL.format('#include "parts/sum.h"\n  #  include "formats/pair.h" // two'),
        "one/parts/sum.h": '#include "formats/pair.h"\nconstant constexpr uint SUM = 1;',
        "two/formats/pair.h": "#pragma once\nconstant constexpr uint PAIR = 2;\n\n",
    }
    status, out, errors = run("source", files)
    assert (status, errors) == (0, "")
    lines = list(lines_of(out))
    assert lines.count(("pair.h", 2, "constant constexpr uint PAIR = 2;")) == 1
    assert lines.count(("sum.h", 2, "constant constexpr uint SUM = 1;")) == 1
    (fill,) = (line for line in lines if line[2].startswith("kernel void fill"))
    assert fill[:2] == ("main.metal", 5)
    assert '#include "' not in out and "#pragma" not in out and "#include <metal_stdlib>" in out


def test_includes_in_comments_and_strings_stay(run):
    text = '/* what is in a comment\n#include "none.h"\n*/ // "/*"\nconstant char mark = \'"\';\n// "\n'
    files = {"one/main.metal": KERNEL.format(text + '#include "some.h"'), "one/some.h": "// some\n"}
    status, out, errors = run("source", files)
    assert (status, errors) == (0, "")
    assert '#include "none.h"' in out and "// some" in out


def test_a_target_includes_what_it_replaces(run):
    """The folder in front has a part of its own, which falls back on the one behind it."""
    files = {
        "two/main.metal": KERNEL.format('#include "parts/sum.h"'),
        "one/parts/sum.h": '#ifndef FAST\n#include "parts/sum.h"\n#endif',
        "two/parts/sum.h": "constant constexpr uint SUM = 1;",
    }
    status, out, errors = run("source", files)
    assert (status, errors) == (0, "")
    assert re.search(r"#ifndef FAST\n#line.*\nconstant.*\n#line.*\n#endif", out)


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, 'one/main.metal:3: "a.h" is not there'),
        ({"one/a.h": '\n#include "b.h"'}, 'one/a.h:2: "b.h" is not there'),
        ({"one/a.h": '#include "a.h"'}, 'one/a.h:1: "a.h" includes itself'),
        ({"one/a.h": '#include "b.h"', "two/b.h": '//\n#include "a.h"'}, 'two/b.h:2: "a.h" includes itself'),
        ({"one/a.h": "kernel void f(device float **x [[buffer(0)]]) {}"}, "one/a.h:1: pointers to pointers"),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["source", "strict"])
def test_what_cannot_be_included_is_named(run, verb, files, message):
    status, _, errors = run(verb, {"one/main.metal": KERNEL.format('#include "a.h"'), **files})
    assert status == 1 and errors.startswith(message) and errors.count("\n") == 1


def test_dependencies(run, tmp_path):
    files = {"one/main.metal": KERNEL.format('#include "a.h"'), "one/a.h": "//"}
    assert run("source", files, "-M", tmp_path / "target")[0] == 0
    written = (tmp_path / "target.d").read_text()
    for name in files:
        assert f"{tmp_path}/target: {tmp_path}/{name}\n{tmp_path}/{name}:\n" in written


@pytest.mark.parametrize("kind", ["", "template <uint N>\n"])
@pytest.mark.parametrize("call", ["", "wait_for_previous_kernel();"])
def test_a_kernel_that_waits_itself(run, call, kind):
    """The binder sees the call, in the kernel alone."""
    text = f"static void help() {{ wait_for_previous_kernel(); }}\n{kind}kernel void f(device int *x [[buffer(0)]]) "
    text += f"{{ if (true) {{ help(); {call} }} }}\nstatic void other() {{ wait_for_previous_kernel(); }}\n"
    if kind:
        text += 'template [[host_name("f_1")]] kernel decltype(f<1>) f<1>;'
    out = run("source", {"one/a.metal": text})[1]
    entry = "MSL_INSTANCE(f_1, (MSL_ANY_BUFFER(0)), {}, f<1>)" if kind else "MSL_ENTRY(f, (MSL_BUFFER(0, int)), {})"
    assert entry.format("true" if call else "false") in out


# --- constants ---


def values(out):
    return {name: value for name, value in re.findall(r"^#define (\w+) (\w+)$", out, re.MULTILINE)}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("constant constexpr uint ROWS = 4; // host: rows", {"A_ROWS": "4"}),
        ("constant constexpr uint A = 2, B = (A + 0x10u) * 3 - 8 / A % 3; // host: both", {"A_A": "2", "A_B": "53"}),
        ("constant constexpr uint A = 1 << 5 | 6 >> 1; // host: both", {"A_A": "35"}),
        ("constant constexpr uint NONE = 0xFFFFFFFF;\t//\thost: none", {"A_NONE": "4294967295u"}),
        ("constant constexpr uint A = 2;\nconstant constexpr int B = A * A; // host: a square", {"A_B": "4"}),
        ("constant constexpr uint A = 2; // rows", {}),
        ("constant constexpr float A = 2.5f;\nconstant constexpr uint B = sizeof(float);", {}),
        ("kernel void f() { constexpr uint ROWS = 4; } // host: rows", {}),
    ],
)
def test_constants(run, text, expected):
    status, out, errors = run("constants", {"one/fast/a.metal": text})
    assert (status, errors, values(out)) == (0, "", expected)


def test_constants_of_included_files(run):
    files = {"one/main.metal": '#include "parts/b.h"', "one/parts/b.h": "constant constexpr uint X = 1; // host: x"}
    assert values(run("constants", files)[1]) == {"B_X": "1"}


@pytest.mark.parametrize(
    "value",
    ["WIDTH", "1 / 0", "-1", "4294967296", "sizeof(int)", "2 * (3", "1 << 40", "1 < 2", "", "(" * 40 + "1" + ")" * 40],
)
def test_what_the_host_cannot_know_is_refused(run, value):
    text = f"\nconstant constexpr uint A = 1, B = {value}; // host: both\n"
    status, _, errors = run("constants", {"one/a.metal": text})
    assert status == 1 and errors.startswith("one/a.metal:2: "), errors


@pytest.mark.parametrize(
    "text",
    [
        ":",
        ": ;",
        "extern:",
        "a :",
        "void f() { a:",
        "threadgroup int a[4];",
        " threadgroup x",
        'template [[host_name("',
    ],
)
def test_the_edges_of_a_file(run, text):
    """Nothing before or behind it is looked at; a sanitizer tells."""
    status, _, errors = run("table", {"one/a.metal": text})
    assert status in (0, 1) and "Sanitizer" not in errors


def test_a_message_is_one_line(run):
    """Though a name in it, of a texture that nobody can read, goes over two."""
    _, _, errors = run("table", {"one/a.metal": '[[kernel]] void g(texture "\nof two lines") {}\n'})
    assert errors.count("\n") <= 1


def test_two_constants_of_one_name(run, tmp_path):
    text = "constant constexpr uint ROWS = 4; // host: rows"
    run("constants", {"one/x.metal": text, "one/fast/x.metal": text})
    paths = [tmp_path / "one/x.metal", tmp_path / "one/fast/x.metal"]
    result = subprocess.run([BIND, "constants", *paths], capture_output=True, text=True)
    assert result.returncode == 1 and "x.metal:1: the host has a constant X_ROWS already" in result.stderr


def test_every_shared_constant_is_used():
    """By the host; what only the tests know, no one needs."""
    source = "".join(path.read_text() for path in ROOT.glob("src/**/*.[ch]"))
    unused = {name for name in constants() if not re.search(rf"\b{name}\b", source)}
    assert not unused


# --- the build ---


def test_a_kernel_that_goes_leaves_nothing(tmp_path):
    """A file is renamed, another one removed, a part changed: make builds what a new checkout would have."""
    for name in ["Makefile", "msl", "src", "include", "cli"]:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "kernels/parts").mkdir(parents=True)
    alone = [path for path in kernel_files() if '#include "' not in path.read_text()]
    for path in alone[:3]:
        shutil.copy(path, tmp_path / "kernels" / path.name)
    first, second, third = sorted((tmp_path / "kernels").glob("*.metal"))
    part = tmp_path / "kernels/parts/part.h"
    part.write_text("constant constexpr uint PART = 1; // host: x\n")
    second.write_text('#include "parts/part.h"\n' + second.read_text())
    targets = ["build/kernel_table.c", "build/simt_entries.c", "build/kernel_constants.h"]
    objects = lambda: [f"build/kernels/simt/{path.stem}.cpp" for path in (tmp_path / "kernels").glob("*.metal")]

    def made():
        command = ["make", "-s", "BUILD=build", *targets, *objects()]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        texts = [(tmp_path / name).read_text() for name in targets + objects()]
        return "\n".join(texts)

    assert f'"{first.name}"' in made() and "PART_PART 1" in made()
    first.rename(first.with_name("renamed.metal"))
    third.unlink()
    text = made()
    assert '"renamed.metal"' in text and f'"{first.name}"' not in text and f'"{third.name}"' not in text
    part.write_text("constant constexpr uint PART = 2; // host: x\n")
    assert "PART_PART 2" in made() and "PART = 2" in (tmp_path / f"build/kernels/simt/{second.stem}.cpp").read_text()
    part.unlink()
    second.write_text(second.read_text().replace('#include "parts/part.h"\n', ""))
    assert "PART_PART" not in made()
