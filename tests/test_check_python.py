"""python/metal_check: kernels in the forms of MLX and PyTorch on numpy arrays, findings as objects, fuzzing, launch
files and their reports."""

import concurrent.futures
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

import numpy as np
import pytest

from library import BUILD, ROOT

if sys.version_info < (3, 11) or sys.platform != "linux" or BUILD.name == "asan":
    pytest.skip("once is enough, on Linux, with Python 3.11 or later", allow_module_level=True)
sys.path.insert(0, str(ROOT / "python"))

import metal_check
from metal_check import command, launch_file, reports, source
from metal_check.__main__ import main, run_files

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setenv("METAL_CHECK", str((BUILD / "metal-check").resolve()))
    monkeypatch.setenv("METAL_CHECK_CACHE", str((BUILD / "check").resolve()))


def write(tmp_path, text, name="kernel.metal"):
    path = tmp_path / name
    path.write_text(HEAD + text)
    return path


# --- check ---

SCALE = """struct Args { uint n; float by; };
kernel void scale(device const float *x [[buffer(0)]], device float *out [[buffer(1)]], constant Args &args [[buffer(2)]],
                  constant int &shift [[buffer(3)]], uint i [[thread_position_in_grid]]) {
    if (i <= args.n) out[i] = args.by * x[i] + shift;
}
"""


def test_check_computes_and_finds(tmp_path, random):
    path = write(tmp_path, SCALE)
    x = random.normal(size=(3, 5)).astype("f4")
    buffers = {0: x, 1: metal_check.empty((3, 5)), 2: {"by": 2.5, "n": 14}, 3: -3}
    report = metal_check.check(path, "scale", 16, (8, 1), buffers)
    assert report.ok and report.findings == [] and report.outputs[1].shape == (3, 5)
    assert np.allclose(report.outputs[1], 2.5 * x - 3, atol=1e-5) and (report.outputs[0] == x).all()
    report = metal_check.check(path, "scale", 16, 8, buffers | {2: {"by": 1, "n": 15}, 3: np.int32(7)})
    assert not report.ok
    finding = next(finding for finding in report.findings if finding.at.writes)
    assert (finding.kind, finding.severity, finding.file, finding.line) == ("out-of-bounds", "error", str(path), 6)
    assert (finding.at.thread, finding.at.threadgroup, finding.other) == (7, (1, 0, 0), None)
    assert (finding.memory.name, finding.memory.index, finding.memory.size, finding.memory.offset) == ("out", 1, 60, 60)
    assert str(finding).startswith(f"{path}:6: error: out-of-bounds: scale: thread 7 of threadgroup (1,0,0) writes")
    with pytest.raises(metal_check.FindingsError, match="out-of-bounds") as raised:
        metal_check.check(path, "scale", 16, 8, buffers | {2: {"n": 15}}, raise_findings=True)
    nested = write(
        tmp_path, "struct Box { float low[2]; }; struct Args { Box box[2]; uint n; Box one; };\n"
        "kernel void show(constant Args &a [[buffer(0)]], device float *out [[buffer(1)]]) {\n"
        "    out[0] = a.box[0].low[1], out[1] = a.box[1].low[0], out[2] = a.n, out[3] = a.one.low[1];\n}\n", "nested.metal"
    )  # fmt: skip
    members = {"box": [{"low": [1, 2]}, {"low": 3}], "n": 4, "one": {"low": (5, 6)}}
    shown = metal_check.check(nested, "show", 1, 1, {0: members, 1: metal_check.empty(4)})
    assert shown.ok and list(shown.outputs[1]) == [2, 3, 4, 6]
    again = pickle.loads(pickle.dumps(raised.value))
    assert again.findings == raised.value.findings and isinstance(again, AssertionError)


def test_one_rule_and_what_is_no_buffer(tmp_path):
    path = write(tmp_path, "kernel void f(device float *out [[buffer(0)]]) { out[1] = 1; }")
    launch = dict(path=path, kernel="f", grid=1, threads=1)
    buffers = {0: np.zeros(1, "f4")}
    assert not metal_check.check(**launch, buffers=buffers).ok
    assert metal_check.check(**launch, buffers=buffers, suppress="out-of-bounds").ok
    for wrong in ([1.0], None):
        with pytest.raises(TypeError, match=rf"buffers\[0\] is a {type(wrong).__name__}; give it as an array"):
            metal_check.check(**launch, buffers={0: wrong})


def test_a_race_has_both_accesses(tmp_path):
    path = write(
        tmp_path,
        """kernel void last(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    out[0] = i;
    out[1] = 1;
}
""",
    )
    report = metal_check.check(path, "last", 64, 64, {0: metal_check.empty(2, "uint32")}, suppress=["order"])
    found = {finding.line: finding for finding in report.findings}
    assert {line: finding.severity for line, finding in found.items()} == {4: "error", 5: "warning"}
    assert found[4].other.line == 4 and found[4].other.writes and found[4].other.thread != found[4].at.thread


def test_why_it_cannot_be_run(tmp_path):
    path = write(tmp_path, "kernel void f(device float *x [[buffer(0)]]) { x[0] = missing; }\n")
    with pytest.raises(metal_check.CannotRun, match="missing") as raised:
        metal_check.check(path, "f", 1, 1, {0: np.zeros(1, "f4")})
    assert raised.value.errors[0]["line"] == 3
    with pytest.raises(metal_check.CannotRun, match="no kernel 'g'"):
        metal_check.check(path, "g", 1, 1)
    with pytest.raises(TypeError, match="Metal has no float64, use float32"):
        metal_check.check(path, "f", 1, 1, {0: np.zeros(1)})


def test_without_the_command(monkeypatch, tmp_path):
    monkeypatch.delenv("METAL_CHECK")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(metal_check.CannotRun, match="METAL_CHECK"):
        metal_check.check(write(tmp_path, SCALE), "scale", 1, 1)


def test_where_compiled_kernels_are_kept(tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("METAL_CHECK_CACHE", str(tmp_path / "a file" / "cache"))
    with pytest.raises(metal_check.CannotRun, match="METAL_CHECK_CACHE=.*a file/cache cannot be written"):
        metal_check.metal_kernel("f", [], ["out"], "out[0] = 1;")(**ONE)
    monkeypatch.delenv("METAL_CHECK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    assert command.cache_folder() == tmp_path / "new/metal-check"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    folder = command.cache_folder()
    assert folder.is_dir() and tmp_path not in folder.parents and command.cache_folder() == folder
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(command.pathlib.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert command.cache_folder() == folder


# --- metal_kernel ---

ONE = dict(inputs=[], grid=(1, 1, 1), threadgroup=(1, 1, 1), output_shapes=[(1,)], output_dtypes=["f4"])


def test_the_example_of_mlx(random):
    kernel = metal_check.metal_kernel(
        name="myexp", input_names=["inp"], output_names=["out"],
        source="""
            uint elem = thread_position_in_grid.x;
            T tmp = inp[elem];
            out[elem] = metal::exp(tmp);
        """,
    )  # fmt: skip
    a = random.normal(size=(4, 16)).astype(np.float16)
    launch = dict(grid=(a.size, 1, 1), threadgroup=(256, 1, 1), output_shapes=[a.shape], output_dtypes=[a.dtype])
    (out,) = outputs = kernel(inputs=[a], template=[("T", np.float32)], **launch)
    assert outputs.findings == [] and out.dtype == np.float16
    assert np.allclose(out.astype("f4"), np.exp(a.astype("f4")), rtol=2e-3)


def test_strides_shapes_and_row_contiguity(random):
    body = """
        uint elem = thread_position_in_grid.x;
        uint loc = elem_to_loc(elem, inp_shape, inp_strides, inp_ndim);
        out[elem] = inp[loc];
    """
    a = random.normal(size=(6, 5, 4)).astype("f4")
    views = [a, a[::2], a.transpose(2, 0, 1), a[:, 1:3, ::2], a[::-1], np.broadcast_to(a[0], (3, 5, 4))]
    for contiguous in (True, False):
        kernel = metal_check.metal_kernel("copy", ["inp"], ["out"], body, ensure_row_contiguous=contiguous)
        for view in views:
            outputs = kernel(
                inputs=[view], grid=(view.size, 1, 1), threadgroup=(32, 1, 1), output_shapes=[view.shape],
                output_dtypes=[view.dtype],
            )  # fmt: skip
            assert (outputs[0] == view).all() and not outputs.findings


def test_scalars_small_arrays_and_templates(random, capsys):
    kernel = metal_check.metal_kernel(
        "mixed", ["x", "few", "by", "n", "flag"], ["out", "doubled"],
        "uint i = thread_position_in_grid.x; if (i < uint(n) && flag) { out[i] = x[i] * by + few[i % 3] + N;"
        " doubled[i] = D ? 2 * int(i) : 0; }",
        header="// nothing\n",
    )  # fmt: skip
    x, few = random.normal(size=9).astype("f4"), random.normal(size=3).astype("f4")
    outputs = kernel(
        inputs=[x, few, 0.5, 9, True], template=[("N", 3), ("D", True)], grid=(12, 1, 1), threadgroup=(4, 1, 1),
        output_shapes=[(3, 3), [9]], output_dtypes=[np.float32, "int32"], verbose=True, stream="gpu",
    )  # fmt: skip
    assert outputs.findings == [] and outputs[0].shape == (3, 3)
    assert np.allclose(outputs[0].ravel(), x * 0.5 + np.tile(few, 3) + 3, atol=1e-5)
    assert (outputs[1] == 2 * np.arange(9)).all()
    shown = capsys.readouterr().out
    assert "const constant float* few [[buffer(1)]]" in shown and "const constant int32_t& n [[buffer(3)]]" in shown
    assert "const device float* x [[buffer(0)]]" in shown and "template <int N, bool D>" in shown


def test_outputs_are_empty_unless_they_begin_with_a_value(random):
    source = "uint i = thread_position_in_grid.x; if (i % 2) out[i] += 1;"
    kernel = metal_check.metal_kernel("odd", [], ["out"], source)
    launch = dict(inputs=[], grid=(8, 1, 1), threadgroup=(8, 1, 1), output_shapes=[(8,)], output_dtypes=[np.float32])
    assert {finding.kind for finding in kernel(**launch).findings} == {"unwritten", "never-written"}
    outputs = kernel(**launch, init_value=0.5)
    assert not outputs.findings and (outputs[0] == np.where(np.arange(8) % 2, 1.5, 0.5)).all()


def test_atomic_outputs(random):
    kernel = metal_check.metal_kernel(
        "histogram", ["x"], ["out"], atomic_outputs=True,
        source="atomic_fetch_add_explicit(&out[x[thread_position_in_grid.x]], 1, memory_order_relaxed);",
    )  # fmt: skip
    x = random.integers(0, 10, 200).astype(np.uint32)
    outputs = kernel(
        inputs=[x],
        grid=(200, 1, 1),
        threadgroup=(64, 1, 1),
        output_shapes=[(10,)],
        output_dtypes=[np.int32],
        init_value=0,
    )
    assert not outputs.findings and (outputs[0] == np.bincount(x, minlength=10)).all()


def test_bfloat16(random):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kernel = metal_check.metal_kernel(
        "half_of", ["x"], ["out"], "uint i = thread_position_in_grid.x; out[i] = T(float(x[i]) / 2);"
    )
    x = random.normal(size=33).astype(ml_dtypes.bfloat16)
    outputs = kernel(
        inputs=[x], template=[("T", ml_dtypes.bfloat16)], grid=(33, 1, 1), threadgroup=(32, 1, 1), output_shapes=[(33,)],
        output_dtypes=[x.dtype],
    )  # fmt: skip
    assert not outputs.findings and outputs[0].dtype == x.dtype
    assert (outputs[0].astype("f4") == x.astype("f4") / 2).all()


def test_bfloat16_is_refused_by_name_without_ml_dtypes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(TypeError, match="bfloat16 needs ml_dtypes"):
        metal_check.empty(3, "bfloat16")


def test_a_kernel_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setenv("METAL_CHECK_CACHE", str(tmp_path / "cache"))
    for n in (3, 4):
        kernel = metal_check.metal_kernel("once", ["x"], ["out"], "out[thread_position_in_grid.x] = x;")
        outputs = kernel(
            inputs=[float(n)], grid=(n, 1, 1), threadgroup=(n, 1, 1), output_shapes=[(n,)], output_dtypes=["f4"]
        )
        assert (outputs[0] == n).all() and not outputs.findings
    assert len(list((tmp_path / "cache").glob("*.so"))) == 1


def test_wrong_counts_are_refused():
    kernel = metal_check.metal_kernel("two", ["a", "b"], ["out"], "out[0] = a[0] + b[0];")
    with pytest.raises(ValueError, match="two: 2 inputs are needed, 1 are given"):
        kernel(inputs=[1.0], grid=(1, 1, 1), threadgroup=(1, 1, 1), output_shapes=[(1,)], output_dtypes=["f4"])
    with pytest.raises(ValueError, match="at least one output"):
        metal_check.metal_kernel("none", ["a"], [], "")
    for name in ('a"b', "a b", "é", "a\nb", "a-b"):
        with pytest.raises(ValueError, match="part of a function's name"):
            metal_check.metal_kernel(name, [], ["out"], "out[0] = 1;")
    with pytest.raises(ValueError, match="init_value=nan is no int32"):
        metal_check.metal_kernel("f", [], ["out"], "")(**ONE | {"output_dtypes": ["i4"]}, init_value=float("nan"))


@pytest.mark.parametrize("arguments, message", [
    (dict(inputs=np.zeros(3, "f4")), "f: inputs is a list, with one for each of x"),
    (dict(inputs=[np.zeros(3)]), "f: input 'x': Metal has no float64, use float32"),
    (dict(output_dtypes="f4"), "f: output_dtypes is a list"),
    (dict(output_dtypes=["f8"]), "f: output 'out': Metal has no float64"),
    (dict(output_dtypes=["flaot"]), "f: output 'out': data type 'flaot' not understood"),
    (dict(output_shapes=[3]), "f: output_shapes: 3 is no shape for 'out'"),
    (dict(output_shapes=[(-3,)]), r"f: output_shapes: \(-3,\) is no shape for 'out'"),
    (dict(output_shapes=[(4.5, 2)]), r"f: output_shapes: \(4.5, 2\) is no shape"),
    (dict(grid=8), "f: grid=8: three whole numbers from 1 on are needed"),
    (dict(grid=(8, 1)), r"f: grid=\(8, 1\): three whole numbers"),
    (dict(grid=(8.0, 1, 1)), r"f: grid=\(8.0, 1, 1\): three whole numbers"),
    (dict(threadgroup=(0, 1, 1)), r"f: threadgroup=\(0, 1, 1\): three whole numbers"),
    (dict(template={"N": 3}), "f: template is a list of pairs, .*; 'N' is none"),
    (dict(template=[("N", 3.5)]), "f: template argument 'N': 3.5 is a float; a bool, an int or a dtype is possible"),
    (dict(template=[("T", "f8")]), "f: template argument 'T': Metal has no float64"),
])  # fmt: skip
def test_wrong_arguments_are_refused_by_name(arguments, message):
    kernel = metal_check.metal_kernel("f", ["x"], ["out"], "out[0] = x;")
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        kernel(**ONE | {"inputs": [1.0]} | arguments)


@pytest.mark.parametrize("inputs, outputs, message", [
    ("x", ["out"], r"f: input_names is a list: \['x'\]"),
    (["x", "x"], ["out"], "f: input_names: 'x' is there twice"),
    (["x"], ["out[3]"], "f: output_names: 'out\\[3\\]' is no name of a parameter"),
    ([3], ["out"], "f: input_names: 3 is no name"),
])  # fmt: skip
def test_wrong_names_of_parameters_are_refused(inputs, outputs, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        metal_check.metal_kernel("f", inputs, outputs, "")


def test_atomics_that_metal_has_not_are_refused():
    kernel = metal_check.metal_kernel("f", [], ["out"], "", atomic_outputs=True)
    with pytest.raises(TypeError, match="f: output 'out': Metal has no atomic float16, only bool, int32"):
        kernel(**ONE | {"output_dtypes": ["f2"]})


def test_a_source_that_has_its_signature():
    for text in ("kernel void f(device float *out) { out[0] = 1; }", "float one() { return 1; }\nout[0] = one();"):
        with pytest.raises(metal_check.CannotRun, match="source is the body of the kernel alone, .* stand in header"):
            metal_check.metal_kernel("f", [], ["out"], text)(**ONE)


@pytest.mark.parametrize("template", [None, [("N", 1)]])
def test_a_text_that_does_not_end(template):
    kernel = metal_check.metal_kernel("f", [], ["out"], "if (true) { out[0] = 1;")  # // the open brace
    with pytest.raises(metal_check.CannotRun, match="unbalanced braces") as raised:
        kernel(**ONE, template=template)
    assert (raised.value.errors[0]["file"], raised.value.errors[0]["line"]) == (__file__, line_of("the open brace"))


def test_a_long_name():
    outputs = metal_check.metal_kernel("n" * 300, [], ["out"], "out[0] = 1;")(**ONE)
    assert outputs[0] == 1 and not outputs.findings


# --- lines of Python files ---

THIS = (ROOT / "tests/test_check_python.py").read_text().splitlines()


def line_of(mark):
    return next(i for i, line in enumerate(THIS, 1) if line.endswith(f"// {mark}"))


def test_findings_name_the_line_of_this_file():
    factor, guard = 3, "i < 4"
    kernel = metal_check.metal_kernel(
        "past_end", [], ["out"],
        f"""
            uint i = thread_position_in_grid.x;
            // {{braces}} and {factor}
            if ({guard}) out[i] = 0;
            out[i + 4] = {factor}; // past the end
        """,
    )  # fmt: skip
    outputs = kernel(inputs=[], grid=(8, 1, 1), threadgroup=(8, 1, 1), output_shapes=[(8,)], output_dtypes=["f4"])
    finding = next(finding for finding in outputs.findings if finding.kind == "out-of-bounds")
    assert (finding.file, finding.line) == (__file__, line_of("past the end"))


@pytest.mark.parametrize("template", [None, [("N", 1)]])
def test_findings_about_the_whole_kernel_name_its_call(template):
    kernel = metal_check.metal_kernel("nothing", ["x"], ["out"], "if (x > 1) out[0] = 1;")  # // the call
    outputs = kernel(
        inputs=[0.5],
        template=template,
        grid=(1, 1, 1),
        threadgroup=(1, 1, 1),
        output_shapes=[(3,)],
        output_dtypes=["f4"],
    )
    (finding,) = outputs.findings
    assert (finding.kind, finding.file, finding.line) == ("never-written", __file__, line_of("the call"))


def test_a_text_of_one_string_a_line():
    text = (
        "uint i = thread_position_in_grid.x;\n"
        f"out[{0}] = 1;\n"
        "out[i + 1] = 0;\n"  # // behind it
    )
    outputs = metal_check.metal_kernel("pieces", [], ["out"], text)(**ONE)
    assert [(finding.file, finding.line) for finding in outputs.findings] == [(__file__, line_of("behind it"))]


def test_a_text_with_its_lines_on_one():
    text = "uint i = thread_position_in_grid.x;\nout[i] = 1;\n  out[i + 1] = 0;"  # // all on one
    outputs = metal_check.metal_kernel("one_line", [], ["out"], text)(**ONE)
    assert [(finding.file, finding.line) for finding in outputs.findings] == [(__file__, line_of("all on one"))]


def test_errors_name_the_line_of_this_file():
    kernel = metal_check.metal_kernel("wrong", [], ["out"], """
        out[0] = nothing_like_it; // does not compile
    """)  # fmt: skip
    with pytest.raises(metal_check.CannotRun, match="nothing_like_it") as raised:
        kernel(inputs=[], grid=(1, 1, 1), threadgroup=(1, 1, 1), output_shapes=[(1,)], output_dtypes=["f4"])
    assert raised.value.errors[0]["file"] == __file__
    assert raised.value.errors[0]["line"] == line_of("does not compile")


def test_a_text_that_is_not_in_the_file(tmp_path):
    assert source.find("a = 1;\nb = 2;\n", str(tmp_path / "none.py")) is None
    path = tmp_path / "one.py"
    path.write_text('x = 1\ns = """\n  first();\n  {{ second(); }}\n  {third}\n"""\n')
    assert source.find("\n  first();\n  { second(); }\n  x();\n", str(path)) == 2
    assert source.find("completely();\nother();\n", str(path)) is None
    assert source.find("first();\nother();\n", str(path)) is None  # another kernel may begin like this one


def test_a_file_with_quotes_and_blanks_in_its_name(tmp_path):
    path = tmp_path / 'a "file" of \\n.py'
    path.write_text('def kernel(make):\n    return make("past", [], ["out"], "out[0] = 1, out[1] = 2;")\n')
    there = {}
    exec(compile(path.read_text(), str(path), "exec"), there)
    outputs = there["kernel"](metal_check.metal_kernel)(**ONE)
    assert [(finding.file, finding.line) for finding in outputs.findings] == [(str(path), 2)]


# --- compile_shader ---


def test_compile_shader(random):
    library = metal_check.compile_shader(
        HEAD
        + """
kernel void full(device float *out, constant float &val, uint i [[thread_position_in_grid]]) { out[i] = val; }
kernel void shift(device const float2 *x, device float2 *y, constant float2 &by, constant int &times,
                  uint2 i [[thread_position_in_grid]], uint2 n [[threads_per_grid]]) {
    y[i.y * n.x + i.x] = x[i.y * n.x + i.x] + by * times;
}
"""
    )
    x = np.zeros(16, "f4")
    assert library.full(x, 3.14).ok and (x == np.float32(3.14)).all()
    a = random.normal(size=(6, 2)).astype("f4")
    b = np.zeros_like(a)
    report = library.shift(a, b, [1.0, -2.0], -3, threads=(3, 2), group_size=(3, 1))
    assert report.ok and np.allclose(b, a + np.array([-3, 6]), atol=1e-6)
    assert "full" in dir(library) and library.full.max_threads_per_threadgroup == 1024
    with pytest.raises(AttributeError, match="no kernel 'empty'; there are full, shift"):
        library.empty
    with pytest.raises(ValueError, match="'out' is not contiguous"):
        library.full(np.zeros(8, "f4")[::2], 1.0)
    with pytest.raises(ValueError, match="no .*buffer.2"):
        library.full(x, 1.0, 2)
    with pytest.raises(TypeError, match="'val' is a float, but PyTorch passes 3 as an integer"):
        library.full(x, 3)
    with pytest.raises(TypeError, match="'times' is a int, but PyTorch passes 0.5 as a float"):
        library.shift(a, b, [1.0, -2.0], 0.5)
    assert not library.full(x, 1.0, threads=17).ok


def test_lists_of_arrays():
    """Their addresses are a structure's pointers; PyTorch's own error buffer is refused by name."""
    library = metal_check.compile_shader(
        HEAD
        + """struct Inputs { metal::array<device const float *, 2> x; device float *out; };
kernel void add(constant Inputs &in, constant float &k, uint i [[thread_position_in_grid]]) { in.out[i] = in.x[0][i] + k * in.x[1][i]; }"""
    )
    a, b, out = np.arange(8, dtype="f4"), np.ones(8, "f4"), np.zeros(8, "f4")
    a.flags.writeable = False
    assert library.add([a, b, out], 2.0, threads=8).ok and np.array_equal(out, a + 2)
    assert [finding.kind for finding in library.add([a, b[:7], out], 2.0, threads=8).findings] == ["out-of-bounds"]
    with pytest.raises(TypeError, match="gets a list of 4 arrays: declare a structure .* it has 3"):
        library.add([a, b, out, out], 2.0, threads=8)
    with pytest.raises(TypeError, match="error_buf_idx is not supported: give an array of zeros"):
        library.add([a, b, out], 2.0, threads=8, error_buf_idx=2)


def test_what_compile_shader_is_not_given():
    library = metal_check.compile_shader(
        f"{HEAD}kernel void f(device float *out, constant float &by, constant uint &n) {{ out[0] = by * n; }}"
    )
    with pytest.raises(TypeError, match="^f: 'by', 'n' must be given, too"):
        library.f(np.zeros(1, "f4"))
    with pytest.raises(AttributeError, match="there is no kernel 'g'; there are f$"):
        library.g
    with pytest.raises(AttributeError, match="there are none$"):
        metal_check.compile_shader("void f() {}").f


def test_arg_casts():
    """Numbers are the bits that PyTorch passes: what a parameter would read wrongly is refused, with the cast."""
    library = metal_check.compile_shader(
        HEAD
        + """
kernel void all(device float *out, constant half &h, constant int3 &i, constant uchar &c,
                constant short &s, constant long2 &l) {
    out[0] = h; out[1] = i.x; out[2] = i.y; out[3] = i.z; out[4] = c; out[5] = s; out[6] = l.y;
}
""",
        seeds=1,
    )
    out = np.zeros(7, "f4")
    call = lambda *numbers, **casts: library.all(out, *numbers, threads=1, **casts)
    numbers, casts = [0.1, [1, -2, 3], 258, -70000, [1, 2**40]], {1: "fp16", 2: "int32"}
    assert call(*numbers, arg_casts=casts).ok
    # of an integer that is too long its low bytes are read
    assert out.tolist() == [np.float32(np.float16(0.1)), 1, -2, 3, 2, -4464, 2**40]
    assert call(*numbers, arg_casts=casts | {3: "uint8", 4: "int16"}).ok and out[4:6].tolist() == [2, -4464]
    for index, words in [
        (1, "'h' is a half, but PyTorch passes 0.1 as a float: arg_casts={1: \"fp16\"}"),
        (2, "'i' is a int3, but PyTorch passes [1, -2, 3] as an integer of 64 bits: arg_casts={2: \"int32\"}"),
    ]:
        with pytest.raises(TypeError, match=re.escape(words)):
            call(*numbers, arg_casts={i: cast for i, cast in casts.items() if i != index})
    with pytest.raises(TypeError, match="'s' is a short, but PyTorch passes -70000 as uint8"):
        call(*numbers, arg_casts=casts | {4: "uint8"})
    with pytest.raises(TypeError, match="'l' is a long2, but PyTorch passes .* as int32"):
        call(*numbers, arg_casts=casts | {5: "int32"})
    with pytest.raises(ValueError, match="'fp8' is none of fp16, bf16, int32, int16, int8, uint8"):
        call(*numbers, arg_casts="fp8")
    for wrong in ([], "text", [out, out], None):
        with pytest.raises(TypeError, match="'h' is a half; give it as an array"):
            call(wrong, *numbers[1:], arg_casts=casts)


def test_arg_casts_of_bfloat16():
    pytest.importorskip("ml_dtypes")
    library = metal_check.compile_shader(HEAD + "kernel void f(device float *out, constant bfloat &b) { out[0] = b; }")
    out = np.zeros(1, "f4")
    assert library.f(out, 1.01, arg_casts="bf16").ok and out[0] == 1.0078125
    with pytest.raises(TypeError, match='passes 1.01 as a float: arg_casts={1: "bf16"}'):
        library.f(out, 1.01)


# --- fuzz ---


def sums(barrier):
    kernel = metal_check.metal_kernel(
        "row_sums", ["x"], ["out"], seeds=1,
        source="""
            uint row = threadgroup_position_in_grid.x, t = thread_index_in_threadgroup;
            threadgroup float parts[32];
            float sum = 0;
            for (int c = t; c < x_shape[1]; c += 32) sum += x[row * x_shape[1] + c];
            parts[t] = sum;
            BARRIER
            for (uint i = 1; t == 0 && i < 32; i++) sum += parts[i];
            if (t == 0) out[row] = sum;
        """.replace("BARRIER", barrier),
    )  # fmt: skip
    return lambda x: kernel(
        inputs=[x], grid=(32 * len(x), 1, 1), threadgroup=(32, 1, 1), output_shapes=[(len(x),)], output_dtypes=[x.dtype]
    )


def row_sums(x):
    return x.astype(float).sum(1)


def bounded(x):
    """Sums of terms of one sign: their rounding is small beside them."""
    return np.abs(x)


def test_fuzz_passes_what_is_right():
    kernel = sums("threadgroup_barrier(mem_flags::mem_threadgroup);")
    passed = metal_check.fuzz(
        lambda x: kernel(bounded(x)),
        lambda x: row_sums(bounded(x)),
        [("B", "C")],
        sizes={"B": (1, 4), "C": (1, 99)},
        runs=4,
    )
    assert passed == 4


def test_fuzz_shrinks_to_the_smallest_launch():
    with pytest.raises(metal_check.FuzzFailure) as raised:
        metal_check.fuzz(sums(""), None, [("B", "C")], sizes={"B": (1, 9), "C": (1, 99)}, runs=4)
    assert raised.value.sizes == {"B": 1, "C": 1}
    assert "race" in {finding.kind for finding in raised.value.findings}
    with pytest.raises(metal_check.FuzzFailure) as raised:
        metal_check.fuzz(lambda x: x[: 2 * (len(x) // 2)], lambda x: x, [("N",)], sizes={"N": (7, 7)})
    assert "shape" in raised.value.problem
    with pytest.raises(metal_check.FuzzFailure) as raised:  # wrong from 5 on
        metal_check.fuzz(
            lambda x: x * (x < 5), lambda x: x, [("N",)], dtypes=["int32"], sizes={"N": (1, 300)}, runs=300, seed=1
        )
    assert raised.value.sizes["N"] <= 3 and "the reference says" in raised.value.problem
    with pytest.raises(metal_check.FuzzFailure):  # NaN is no agreement
        metal_check.fuzz(lambda x: x * np.float32("nan"), lambda x: x, [(3,)])


def test_fuzz_says_where_the_kernel_raises():
    def broken(x):
        raise IndexError("too far") if len(x) > 2 else AssertionError

    with pytest.raises(metal_check.FuzzFailure, match="IndexError: too far") as raised:
        metal_check.fuzz(broken, None, [("N",)], sizes={"N": (3, 40)})
    assert raised.value.sizes == {"N": 3} and isinstance(raised.value.__cause__, IndexError)


@pytest.mark.parametrize("arguments, message", [
    (dict(sizes={"M": (1, 2)}), "no shape has a size 'M'"),
    (dict(sizes={"N": (3, 2)}), "'N' is from 3 to 2"),
    (dict(dtypes=["float32"] * 2), "1 shapes, but 2 dtypes"),
    (dict(sizes={"N": 5}), "'N' is 5; the smallest and the largest are needed"),
    (dict(shapes=["rows"]), r"'rows' is no shape; one is \('rows',\)"),
    (dict(), "launched no kernel of this package"),
])  # fmt: skip
def test_what_fuzz_cannot_draw(arguments, message):
    with pytest.raises(ValueError, match=message):
        metal_check.fuzz(lambda x: x, None, **{"shapes": [("N",)]} | arguments)


def test_fuzz_in_two_threads():
    """A finding is told of the kernel that has it."""
    right = sums("threadgroup_barrier(mem_flags::mem_threadgroup);")
    both = dict(shapes=[("B", "C")], sizes={"B": (1, 4), "C": (1, 99)}, runs=4)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        passed = pool.submit(metal_check.fuzz, right, None, **both)
        failed = pool.submit(metal_check.fuzz, sums(""), None, **both)
        assert passed.result() == 4 and isinstance(failed.exception(), metal_check.FuzzFailure)


# --- launch files ---

LAUNCHES = """
[defaults]
file = "kernel.metal"
kernel = "scale"
threads = 8

[[launch]]
name = "fits"
sizes = { n = [8, 13] }
grid = "(n + 7) // 8 * 8"
buffers = { 0 = "range:f32:{n}", 1 = "empty:f32:{n}" }
bytes = { 2 = { n = "{n - 1}", by = [2] }, 3 = "i32:-1" }
expect = { 1 = { file = "expected-{n}.npy", atol = 0.001 } }

[[launch]]
name = "past the end"
groups = [2]
buffers = { 0 = "range:f32:8", 1 = "empty:f32:8" }
bytes = { 2 = "n=15,by=1", 3 = "i32:0" }

[[launch]]
name = "gone"
file = "gone.metal"
grid = 8
"""


def launches(tmp_path, text=LAUNCHES):
    write(tmp_path, SCALE)
    for n in (8, 13):
        np.save(tmp_path / f"expected-{n}.npy", np.arange(n, dtype="f4") * 2 - 1 + (n == 13) * (np.arange(n) == 11))
    path = tmp_path / "launches.toml"
    path.write_text(text)
    return path


def test_a_launch_file(tmp_path, capsys, monkeypatch):
    path = launches(tmp_path)
    monkeypatch.chdir(tmp_path)
    status = run_files([path.name, "--sarif", "out.sarif", "--junit", "out.xml", "--github"])
    shown = capsys.readouterr().out
    assert status == 2
    assert shown.rstrip().endswith("4 launches: 1 clean, 2 with findings, 1 could not be run")
    assert "kernel.metal:6: error: out-of-bounds: past the end: thread" in shown
    assert (
        "fits (n=13): buffer 1: 1 of 13 elements differ from expected-13.npy, first element 11: 21.0, expected 22.0"
        in shown
    )
    assert "gone.metal: error: cannot-run: gone: gone.metal cannot be read" in shown
    assert "::error file=kernel.metal,line=6,title=metal-check%3A out-of-bounds::past the end: thread" in shown
    sarif = json.loads((tmp_path / "out.sarif").read_text())
    assert sarif["version"] == "2.1.0"
    (run,) = sarif["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    told = {result["ruleId"] for result in run["results"]}
    assert {"out-of-bounds", "expected", "cannot-run"} <= told <= rules
    place = next(r for r in run["results"] if r["ruleId"] == "out-of-bounds")["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "kernel.metal"}, "region": {"startLine": 6}}
    suite = xml.etree.ElementTree.parse(tmp_path / "out.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "1")
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases == {"fits (n=8)": [], "fits (n=13)": ["failure"], "past the end": ["failure"], "gone": ["error"]}


def test_a_launch_file_as_json(tmp_path, capsys):
    status = run_files([str(launches(tmp_path)), "--json", "--jobs", "1"])
    told = json.loads(capsys.readouterr().out)["launches"]
    assert status == 2 and [launch["status"] for launch in told] == [0, 1, 1, 2]
    assert told[2]["findings"][0]["at"]["line"] == 6 and "cannot be read" in told[3]["errors"][0]["message"]


FITS = "[[launch]]\nfile = 'x'\nkernel = 'f'\nthreads = 1\ngrid = 1\n"


@pytest.mark.parametrize("text, message", [
    ("launch = 3", "there is no [[launch]]"),
    ("", "no [[launch]]"),
    ("[[launch]]\nkernel = 'f'\nthreads = 1\ngrid = 1", "launch 1: 'file' is missing"),
    ("[[launch]]\nfile = 'x'\nkernel = 'f'\nthreads = 1", "either 'grid' or 'groups'"),
    ("[[launch]]\nfile = 'x'\nkernel = 'f'\nthreads = 1\ngrid = 1\ngird = 2", "'gird' is not known"),
    ("[[launch]]\nfile = 'x'\nkernel = 'f'\nthreads = 1\ngrid = 'B'", "'B' is neither a number nor one of the sizes"),
    ("[[launch]]\nfile = 'x'\nkernel = 'f'\nthreads = 1\ngrid = '__import__(\"os\")'", "neither a number"),
    ("[[launch]]\nfile = 'x'\nkernel = 'f'\nthreads = 1\ngrid = '1 // 0'", "cannot be computed"),
    (FITS + "sizes = [1]", "'sizes' is not a table"),
    (FITS + "sizes = { B = ['x'] }", "size 'B' is not a number"),
    (FITS + "buffers = { 0 = 5 }", "'0' of 'buffers' is not a text"),
    (FITS + "bytes = { 0 = [5] }", "'0' of 'bytes' is not a text or a table"),
    (FITS + "seeds = '5'", "'seeds' is not a number"),
    (FITS + "expect = { 0 = { rtol = 1 } }", "'0' of 'expect' has no 'file'"),
    (FITS + "expect = { 0 = { file = 'x', tol = 1 } }", "'tol' is not known"),
    ("defaults = 1\n" + FITS, "[defaults] is not a table"),
    ("launch = [1]", "launch 1: it is not a table"),
    ("[other]", "no 'other' in a launch file"),
    ("= 3", "line 1"),
])  # fmt: skip
def test_launch_files_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(launch_file.LaunchFileError, match=re.escape(message)):
        launch_file.read(launches(tmp_path, text))


def test_the_command_passes_everything_else_on(tmp_path):
    path = write(tmp_path, SCALE)
    command = [sys.executable, "-m", "metal_check"]
    variables = {
        "PYTHONPATH": str(ROOT / "python"),
        "METAL_CHECK": str((BUILD / "metal-check").resolve()),
        "PATH": "/usr/bin:/bin",
    }
    result = subprocess.run([*command, str(path), "--list", "--json"], env=variables, capture_output=True, text=True)
    assert [kernel["name"] for kernel in json.loads(result.stdout)["kernels"]] == ["scale"]
    result = subprocess.run([*command, "--help"], env=variables, capture_output=True, text=True)
    assert result.returncode == 0 and "--groups" in result.stdout and "--sarif" in result.stdout
    result = subprocess.run([*command, str(tmp_path / "none.toml")], env=variables, capture_output=True, text=True)
    assert result.returncode == 2 and "none.toml" in result.stderr


def run_command(*arguments, **variables):
    variables = {"PYTHONPATH": str(ROOT / "python"), "PATH": os.environ["PATH"]} | variables
    command = [sys.executable, "-m", "metal_check", *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True)


def test_reports_of_a_single_launch(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, SCALE, "with blanks.metal").name
    launch = ["--kernel", "scale", "--grid", "16", "--threads", "8", "--buffer", "0=range:f32:15", "--bytes", "3=i32:0"]
    launch += [
        "--buffer",
        "1=empty:f32:15",
        "--bytes",
        "2=n=15,by=1",
        "--junit",
        "out.xml",
        "--sarif=out.sarif",
        "--github",
    ]
    monkeypatch.setattr(sys, "argv", ["metal-check", path, *launch])
    assert main() == 1
    shown = capsys.readouterr().out
    assert shown.startswith(f"{path}:6: error: out-of-bounds: scale: thread 7 of threadgroup (1,0,0)")
    assert "::error file=with blanks.metal,line=6," in shown
    result = json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "with%20blanks.metal"
    monkeypatch.setattr(sys, "argv", ["metal-check", path, *launch, "--buffer", "7=u32:1"])
    assert main() == 2
    (error,) = xml.etree.ElementTree.parse(tmp_path / "out.xml").iter("error")
    assert "buffer(7)" in error.get("message")
    assert "cannot-run" in capsys.readouterr().out


def test_an_interrupted_launch_file_ends_at_once(tmp_path):
    program, begun = tmp_path / "metal-check", tmp_path / "begun"
    program.write_text(f'#!/bin/sh\ntouch "{begun}"\nexec sleep 60\n')
    program.chmod(0o755)
    process = run_command(launches(tmp_path), METAL_CHECK=str(program))
    end = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130


def test_reports_have_no_characters_that_xml_has_not():
    assert reports._printable("a\x00b\udc80\uffff\x1b[0m\n") == "ab[0m\n"
