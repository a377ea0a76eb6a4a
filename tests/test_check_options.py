"""What metal-check's options take: structures by their members, shared memory, groups, lists of kernels; and what it
says when something is missing."""

import json
import re
import shlex
import subprocess

import numpy
import pytest

import checker
from checker import CACHE, METAL_CHECK
from library import ROOT

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
STRUCTURE = (
    HEAD
    + """
struct Box { packed_float3 low; float3 high; };
enum class Mode : uint { OFF, ON };
struct Args { int ne00; float eps; uint size[3]; half2 scale; bool on; ulong rows; Box box[2]; short last; };
kernel void show(constant Args &args [[buffer(0)]], device float *out [[buffer(1)]]) {
    out[0] = args.ne00, out[1] = args.eps;
    for (uint i = 0; i < 3; i++) out[2 + i] = args.size[i];
    out[5] = args.scale.x, out[6] = args.scale.y, out[7] = args.on, out[8] = args.rows;
    for (uint b = 0; b < 2; b++)
        for (uint i = 0; i < 3; i++) out[9 + 6 * b + i] = args.box[b].low[i], out[12 + 6 * b + i] = args.box[b].high[i];
    out[21] = args.last;
}
"""
)


def write(tmp_path, text, name="kernel.metal"):
    path = tmp_path / name
    path.write_text(text)
    return path


def call(*arguments):
    command = [METAL_CHECK, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def show(tmp_path, values):
    path = write(tmp_path, STRUCTURE)
    report = checker.run(
        path, "--kernel", "show", "--grid", 1, "--threads", 1, "--bytes", f"0={values}", "--buffer", "1=empty:f32:22",
        "-o", f"1={tmp_path}/out.npy",
    )  # fmt: skip
    assert not report["findings"]
    return numpy.load(tmp_path / "out.npy")


def test_members_by_name(tmp_path):
    out = show(tmp_path, "eps=1e-5,ne00=-200,size=4,5,6,on=true,box[1].high=1,2,3,scale=0.5,-2,rows=0x10")
    wanted = numpy.zeros(22, "f4")
    wanted[[0, 1, 7, 8]] = [-200, 1e-5, 1, 16]
    wanted[2:5], wanted[5:7], wanted[18:21] = [4, 5, 6], [0.5, -2], [1, 2, 3]
    assert (out == wanted).all()


def test_an_element_of_a_member(tmp_path):
    out = show(tmp_path, "size[1]=3,box[0].low=7,8,last=-1")
    assert out[3] == 3 and list(out[9:12]) == [7, 8, 0] and out[21] == -1
    assert numpy.count_nonzero(out) == 4


def test_matrices_by_name(tmp_path):
    """Column by column; those of three are as far apart as those of four."""
    path = write(
        tmp_path,
        HEAD
        + """
struct Args { float4x4 view; half3x3 turns[2]; float2x3 last; };
kernel void show(constant Args &args [[buffer(0)]], device float *out [[buffer(1)]]) {
    for (uint i = 0; i < 16; i++) out[i] = args.view[i / 4][i % 4];
    for (uint i = 0; i < 18; i++) out[16 + i] = args.turns[i / 9][i / 3 % 3][i % 3];
    for (uint i = 0; i < 6; i++) out[34 + i] = args.last[i / 3][i % 3];
}
""",
    )
    numbers = numpy.arange(1, 41)
    parts = [",".join(map(str, part)) for part in numpy.split(numbers, [16, 34])]
    checker.run(
        path, "--kernel", "show", "--grid", 1, "--threads", 1, "--bytes", f"0=last={parts[2]},view={parts[0]},turns={parts[1]}",
        "--buffer", "1=empty:f32:40", "-o", f"1={tmp_path}/out.npy",
    )  # fmt: skip
    assert (numpy.load(tmp_path / "out.npy") == numbers).all()


@pytest.mark.parametrize("values, message", [
    ("ne0=1", "a Args has no member 'ne0'"),
    ("ne00=x", "'x' is no i32"),
    ("ne00=1,2", "'2' is one value too many: there is room for 1"),
    ("size[3]=1", "has no 'size[3]'"),
    ("box=1", "name its members"),
    ("box[0].mid=1", "has no 'box[0].mid'"),
    ("on=2x", "'2x' is no bool"),
    ("last=40000", "'40000' is no i16"),
])  # fmt: skip
def test_members_that_are_not_there(tmp_path, values, message):
    with pytest.raises(checker.Failed, match=re.escape(message)):
        show(tmp_path, values)


COPY = (
    HEAD
    + """
kernel void copy(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 uint id [[thread_position_in_grid]]) {
    out[id] = x[id];
}
"""
)


def copy(path, *options):
    return checker.run(path, "--kernel", "copy", "--threads", 32, *options)


def test_groups_are_counted_in_threadgroups(tmp_path):
    path = write(tmp_path, COPY)
    buffers = ["--buffer", "0=range:f32:96", "--buffer", "1=empty:f32:96"]
    assert not copy(path, "--groups", 3, *buffers)["findings"]
    kinds = {finding["kind"] for finding in copy(path, "--groups", 4, *buffers)["findings"]}
    assert kinds == {"out-of-bounds"}
    for options, message in [
        (["--groups", 3, "--grid", 96], "one of the two"),
        (["--groups", 4294967295], "no more than 4294967295 threads"),
    ]:
        with pytest.raises(checker.Failed, match=message):
            copy(path, *options, *buffers)


def test_two_buffers_in_one_memory(tmp_path):
    path = write(tmp_path, COPY)
    options = ["--grid", 32, "--buffer", "0=range:f32:64", "-o", f"0={tmp_path}/x.npy"]
    assert not copy(path, *options, "--buffer", "1=@0+128")["findings"]
    assert (numpy.load(tmp_path / "x.npy") == numpy.tile(numpy.arange(32), 2)).all()
    overlapping = copy(path, *options, "--buffer", "1=@0+4")["findings"]
    assert "race" in {finding["kind"] for finding in overlapping}
    behind = copy(path, *options, "--buffer", "1=@0+132")["findings"]
    assert {(finding["kind"], finding["memory"]["name"]) for finding in behind} == {("out-of-bounds", "x")}
    for content, message in [("@3", "no memory of its own"), ("@0+257", "has only 256 bytes"), ("@1", "no memory")]:
        with pytest.raises(checker.Failed, match=message):
            copy(path, *options, "--buffer", f"1={content}")


def test_all_that_is_missing_is_said_at_once(tmp_path):
    path = write(
        tmp_path,
        HEAD
        + """
kernel void f(device float *x [[buffer(0)]], constant uint &n [[buffer(1)]], texture2d<float> image [[texture(0)]],
              threadgroup float *scratch [[threadgroup(0)]]) {}
""",
    )
    result = call(path, "--kernel", "f", "--cache", CACHE)
    assert result.returncode == 2
    for option in ["--grid", "--threads", "--buffer 0=", "--bytes 1=", "--texture 0=", "--threadgroup-memory 0="]:
        assert option in result.stderr, option
    result = call(path)
    assert result.returncode == 2
    assert all(option in result.stderr for option in ["--kernel", "--grid", "--threads"])


LISTED = (
    HEAD
    + """
struct Args { uint n; float eps; };
struct Leads { device float *out; uint n; };
typedef struct { uint n; float eps; } Args2;
typedef struct tagged { device float *out; uint n; } Leads3;
constant bool twice [[function_constant(0)]];
kernel void add(device const float *x [[buffer(0)]], device float *out [[buffer(1)]], constant Args &args [[buffer(2)]],
                uint id [[thread_position_in_grid]]) {
    if (id < args.n) out[id] = x[id] * (twice ? 2 : 1) + args.eps;
}
kernel void invert(texture2d<float> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]],
                   uint2 id [[thread_position_in_grid]]) {
    out.write(1 - in.read(id), id);
}
kernel void lead(constant Leads &to [[buffer(0)]], uint id [[thread_position_in_grid]]) {
    if (id < to.n) to.out[id] = id;
}
kernel void scale(constant Args2 &args [[buffer(0)]], device float *out [[buffer(1)]], uint id [[thread_position_in_grid]]) {
    if (id < args.n) out[id] = args.eps;
}
kernel void lead_again(constant Leads3 &to [[buffer(0)]], uint id [[thread_position_in_grid]]) {
    if (id < to.n) to.out[id] = id;
}
kernel void tree(device const half4 *x [[buffer(0)]], device half4 *out [[buffer(1)]],
                 threadgroup half4 *shared [[threadgroup(0)]], uint3 id [[thread_position_in_grid]],
                 uint3 size [[threads_per_grid]], uint t [[thread_index_in_threadgroup]]) {
    uint at = (id.z * size.y + id.y) * size.x + id.x;
    shared[t] = x[at];
    out[at] = shared[t];
}
"""
)


def test_a_list_has_launches_that_run_as_they_are_copied(tmp_path):
    path = write(tmp_path, LISTED)
    listed = call(path, "--list")
    assert listed.returncode == 0
    launches = [shlex.split(line)[1:] for line in listed.stdout.splitlines() if line.startswith("  metal-check ")]
    kernels = json.loads(call(path, "--list", "--json").stdout)["kernels"]
    assert [launch[2] for launch in launches] == [kernel["name"] for kernel in kernels]
    for launch in launches:
        report = checker.run(*launch)
        assert not report["findings"], (launch, report["findings"])
    assert "[[buffer(2)]] constant Args &args" in listed.stdout


def test_why_it_could_not_be_run_as_json(tmp_path):
    path = write(tmp_path, HEAD + "kernel void f(device float *x [[buffer(0)]]) {\n    x[0] = missing;\n}\n")
    result = call(path, "--kernel", "f", "--grid", 1, "--threads", 1, "--buffer", "0=zeros:f32:1", "--json")
    report = json.loads(result.stdout)
    assert result.returncode == 2 and report["file"] == str(path) and report["kernel"] == "f"
    error = report["errors"][0]
    assert error["file"] == str(path) and error["line"] == 4 and "missing" in error["message"]
    assert "missing" in result.stderr
    result = call("--json", "--grid", "x")
    assert result.returncode == 2 and "--grid x" in json.loads(result.stdout)["errors"][0]["message"]


def test_the_page_names_every_option():
    usage = call("--help").stdout
    page = (ROOT / "docs/metal-check.md").read_text()
    for option in set(re.findall(r"--[a-z]+[a-z-]*", usage)) - {"--help"}:
        assert option in page, option
