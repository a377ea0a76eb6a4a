"""`pytest --metal-check` on a package of our own, with PyPI's CPU build of MLX."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("mlx.core")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")

PACKAGE = {
    "conftest.py": """
import mlx.core as mx

ON_GPU = mx.default_device() == mx.gpu
""",
    "scale.py": '''
import mlx.core as mx

_kernel = None
if mx.metal.is_available():
    _kernel = mx.fast.metal_kernel(
        name="scale",
        input_names=["x", "by"],
        output_names=["out"],
        source="""
            uint i = thread_position_in_grid.x;
            if (i < x_shape[0]) out[i] = T(float(x[i]) * by);
        """,
    )
    _wrong = mx.fast.metal_kernel(
        name="wrong",
        input_names=["x"],
        output_names=["out"],
        source="""
            uint i = thread_position_in_grid.x;
            out[i] = x[i + 1]; // past the end
        """,
    )


def scale(x, by):
    (out,) = _kernel(
        inputs=[x, by], template=[("T", x.dtype)], grid=(32 * (x.size // 32 + 1), 1, 1), threadgroup=(32, 1, 1),
        output_shapes=[x.shape], output_dtypes=[x.dtype], stream=mx.gpu,
    )
    return out


def wrong(x):
    return _wrong(
        inputs=[x], grid=(x.size, 1, 1), threadgroup=(4, 1, 1), output_shapes=[x.shape], output_dtypes=[x.dtype]
    )[0]


@mx.custom_function
def scale_twice(x):
    return scale(x, 2.0)


@scale_twice.vjp
def scale_twice_vjp(x, cotangent, out):
    return 2 * cotangent
''',
    "test_scale.py": """
import mlx.core as mx
import pytest

import conftest
from scale import scale, scale_twice, wrong


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
def test_scale(dtype):
    x = mx.random.normal((100,)).astype(dtype)
    out = scale(x, 0.5)
    assert out.dtype == dtype and mx.array_equal(out, x * 0.5)


def test_it_looks_like_a_gpu():
    assert conftest.ON_GPU and mx.default_device() != mx.cpu and mx.gpu != mx.cpu
    assert mx.default_device().type == mx.DeviceType.gpu
    assert "gpu" in str(mx.default_device())
    with mx.stream(mx.gpu):
        assert mx.add(1, 2, stream=mx.gpu).item() == 3
    mx.synchronize(mx.new_stream(mx.gpu))
    with mx.stream(mx.cpu):
        assert mx.default_device() == mx.cpu
        with mx.stream(mx.new_stream(mx.gpu)):
            assert mx.default_device() == mx.gpu
    with mx.stream(mx.new_stream(mx.cpu)):
        assert mx.default_device() == mx.cpu
    assert mx.default_device() == mx.gpu
    mx.set_default_device(mx.cpu)
    assert mx.default_device() == mx.cpu and mx.default_device() != mx.gpu
    mx.set_default_device(mx.gpu)
    assert mx.default_device() == mx.gpu
    assert mx.device_info()["max_recommended_working_set_size"] > 0
    assert mx.eval(mx.zeros(3)) is None


def test_inside_of_a_compiled_function():
    @mx.compile
    def twice(x):
        return scale(x, 2.0)

    x = mx.arange(5, dtype=mx.float32)
    assert mx.array_equal(twice(x), 2 * x)


def test_a_vjp_of_its_own():
    x = mx.arange(5, dtype=mx.float32)
    assert mx.array_equal(mx.grad(lambda x: scale_twice(x).sum())(x), mx.full((5,), 2.0))


def test_no_vjp_is_refused():
    with pytest.raises(Exception, match="the kernel 'scale' has no vjp"):
        mx.grad(lambda x: scale(x, 2.0).sum())(mx.arange(5, dtype=mx.float32))


def test_no_vmap_is_refused():
    with pytest.raises(Exception, match="vmap"):
        mx.vmap(lambda x: scale(x, 2.0))(mx.zeros((2, 5)))


def test_only_the_gpu_runs_kernels():
    x = mx.zeros(8)
    launch = dict(inputs=[x], grid=(8, 1, 1), threadgroup=(8, 1, 1), output_shapes=[x.shape], output_dtypes=[x.dtype])
    copy = mx.fast.metal_kernel("copy", ["x"], ["out"], "out[0] = x[0];", compile_options={"math_mode": "fast"})
    for stream in (mx.cpu, mx.new_stream(mx.cpu)):
        with pytest.raises(ValueError, match="Only supports the GPU"):
            copy(**launch, stream=stream)
    with pytest.raises(TypeError, match="math_mode"):
        mx.fast.metal_kernel("copy", ["x"], ["out"], "out[0] = x[0];", math_mode="fast")


def test_wrong():
    assert mx.array_equal(wrong(mx.zeros(8)), mx.zeros(8)) in (True, False)


def test_wrong_and_failing():
    assert wrong(mx.zeros(8)) is None
""",
}


@pytest.fixture
def package(tmp_path):
    for name, text in PACKAGE.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder, *options):
    variables = os.environ | {
        "PYTHONPATH": str(ROOT / "python"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NO_COLOR": "1",
        "METAL_CHECK": str((BUILD / "metal-check").resolve()), "METAL_CHECK_CACHE": str((BUILD / "check").resolve()),
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "metal_check.pytest_plugin",
        "-q",
        "-p",
        "no:cacheprovider",
        *options,
    ]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)


def test_a_package(package):
    result = run(package, "--metal-check", "-rf")
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(r"2 failed, 9 passed", result.stdout), result.stdout
    line = PACKAGE["scale.py"].splitlines().index("            out[i] = x[i + 1]; // past the end") + 1
    finding = f"scale.py:{line}: error: out-of-bounds: custom_kernel_wrong: thread 3 of threadgroup (1,0,0) reads"
    assert result.stdout.count(finding) == 2, result.stdout
    assert re.search(r"^ +\d+ launches of scale$", result.stdout, re.M)
    assert re.search(r"^ +2 launches of wrong$", result.stdout, re.M)
    assert re.search(r"launches of 2 kernels: 1 out-of-bounds$", result.stdout, re.M)


def test_workers_of_xdist(package):
    result = run(package, "--metal-check", "-p", "xdist", "-n", "2", "-k", "wrong or dtype")
    assert re.search(r"2 failed, \d+ passed", result.stdout), result.stdout + result.stderr
    assert re.search(r"^ +3 launches of scale$", result.stdout, re.M), result.stdout
    assert re.search(r"^5 launches of 2 kernels: 1 out-of-bounds$", result.stdout, re.M), result.stdout
    (package / "conftest.py").write_text("import mlx.core as mx\nfrom scale import wrong\nwrong(mx.zeros(8))\n")
    (package / "test_scale.py").write_text("def test_nothing(): pass\n")
    result = run(package, "--metal-check", "-p", "xdist", "-n", "2")
    assert result.returncode == 1 and result.stdout.count("out-of-bounds: custom_kernel_wrong") == 1, result.stdout


def test_what_is_suppressed(package):
    result = run(package, "--metal-check", "--metal-check-suppress", "out-of-bounds=x", "-k", "wrong and not failing")
    assert result.returncode == 0, result.stdout + result.stderr


def test_without_the_option_nothing_changes(package):
    result = run(package)
    assert result.returncode != 0 and "launches of" not in result.stdout


def test_findings_outside_of_tests_count(package):
    (package / "conftest.py").write_text("import mlx.core as mx\nfrom scale import wrong\nwrong(mx.zeros(8))\n")
    (package / "test_scale.py").write_text("def test_nothing(): pass\n")
    result = run(package, "--metal-check")
    assert result.returncode == 1 and "out-of-bounds" in result.stdout
