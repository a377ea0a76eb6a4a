"""tests/cuda/: what of the comparison with compute-sanitizer needs no GPU. A driver that only writes down
what it is asked to launch, and a sanitizer that says what it is told, stand in for NVIDIA's."""

import json
import os
import subprocess
import sys

import pytest

import nvrtc
from library import BUILD, ROOT

# What these tests run is Python; metal-check, which they ask, has tests of its own.
pytestmark = pytest.mark.skipif(BUILD.name == "asan", reason="once, without the sanitizers, is enough")

FOLDER = ROOT / "tests/cuda"
sys.path.insert(0, str(FOLDER))
import plan as plan_module

REPORTS = {
    "memcheck": """========= Invalid __global__ read of size 4 bytes
=========     at {function}+0xb0 in {file}:{line}
=========     by thread (36,0,0) in block (1,0,0)
=========     Access at 0x7f36e9000190 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f36e9000000 of size 400 bytes
========= """,
    "racecheck": """========= Error: Race reported between Read access at {function}+0x2f0 in {file}:{line}
=========     and Write access at {function}+0x310 in {file}:{line} [32 hazards]
========= """,
    "initcheck": """========= Uninitialized __global__ memory read of size 4 bytes
=========     at {function}+0x70 in {file}:{line}
=========     by thread (0,0,0) in block (0,0,0)
========= """,
    "synccheck": """========= Barrier error detected. Divergent thread(s) in block.
=========     at metal::threadgroup_barrier(metal::mem_flags)+0xf0 in metal_stdlib:155
=========     by thread (32,0,0) in block (0,0,0)
=========         Device Frame: {function}+0xe0 in {file}:{line}
========= """,
}


def report(launch, line=None):
    """What the tool would say of a wrong kernel."""
    if line is None:
        line = max(launch["findings"][{"memcheck": "out-of-bounds", "racecheck": "race",
                                       "initcheck": "unwritten", "synccheck": "barrier"}[launch["tool"]]])  # fmt: skip
    file = f"{launch['sample']}_{launch['state']}.metal"
    return REPORTS[launch["tool"]].format(function=launch["function"], file=file, line=line) + "\n"


@pytest.fixture(scope="session")
def plan(tmp_path_factory):
    """All samples, and two launches of one kernel."""
    if not nvrtc.load():
        pytest.skip("NVRTC is not installed")
    made = plan_module.make(90, 2, 1, ["gelu_forward"])
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    made.write(path)
    return path


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """A folder with libcuda.so.1."""
    folder = tmp_path_factory.mktemp("driver")
    command = [os.environ.get("CC", "cc").split()[0], "-shared", "-fPIC", "-O1", FOLDER / "fake_driver.c"]
    subprocess.run([*command, "-o", folder / "libcuda.so.1"], check=True)
    return folder


@pytest.fixture
def run(plan, driver, tmp_path):
    """run(reports, …) → the process, after cross_check.py; `reports` by tool, or None: no sanitizer."""

    def start(reports, *options, **environment):
        said = tmp_path / "reports.json"
        said.write_text(json.dumps(reports))
        sanitizer = FOLDER / "fake_sanitizer.py" if reports is not None else "/nowhere/compute-sanitizer"
        variables = {
            "LD_LIBRARY_PATH": str(driver), "FAKE_LOG": str(tmp_path / "launched"),
            "FAKE_REPORTS": str(said), "LD_PRELOAD": "",
        }  # fmt: skip
        command = [sys.executable, FOLDER / "cross_check.py", plan, tmp_path / "logs", "--sanitizer", sanitizer]
        return subprocess.run(
            list(map(str, [*command, *options])), capture_output=True, text=True, timeout=120,
            env=os.environ | variables | environment,
        )  # fmt: skip

    return start


def launches(plan):
    return json.loads(plan.read_text())["launches"]


def all_reports(plan, change=lambda launch: report(launch)):
    said = dict.fromkeys(REPORTS, "")
    for launch in launches(plan):
        if launch.get("state") == "wrong":
            said[launch["tool"]] += change(launch)
    return said


def test_metal_check_tells_wrong_from_right(plan):
    """The samples hold what their names say, and the tool is the one for it."""
    count = {"wrong": 0, "right": 0}
    for launch in launches(plan):
        if "sample" in launch:
            count[launch["state"]] += 1
            assert bool(launch["findings"]) == (launch["state"] == "wrong"), launch["name"]
    assert count["wrong"] == count["right"] >= 10


def test_agreement(run, plan, tmp_path):
    result = run(all_reports(plan))
    assert result.returncode == 0, result.stdout + result.stderr
    wrong = sum(launch.get("state") == "wrong" for launch in launches(plan))
    assert f"{wrong} of {wrong} wrong kernels: the same verdict" in result.stdout
    assert f"{wrong} of {wrong} right kernels: the same verdict" in result.stdout
    assert "| `gelu_forward` | 2 clean | 2 clean | 2 clean | 2 clean | 2 clean |" in result.stdout
    assert (tmp_path / "logs/summary.md").read_text() in result.stdout
    ran = (tmp_path / "launched").read_text().splitlines()
    assert len(ran) == 2 * wrong + 2 * 5
    sizes = {line.split()[0]: list(map(int, line.split()[1:])) for line in ran}
    assert sizes["metal_twice_bounds_no_guard_wrong"] == [2, 1, 1, 64, 0, 100]  # slot 2 holds N
    assert sizes["metal_shift_race_scratch_argument_wrong"][:5] == [1, 1, 1, 64, 256]


def test_a_wrong_kernel_that_passes(run, plan):
    result = run(all_reports(plan, lambda launch: "" if "loop" in launch["name"] else report(launch)))
    assert result.returncode == 1
    assert "| barrier_loop_count | wrong | synccheck | barrier in 11 | nothing | NO |" in result.stdout


def test_another_line(run, plan):
    result = run(all_reports(plan, lambda launch: report(launch, 2)))
    assert result.returncode == 1 and "0 of" in result.stdout


def test_a_right_kernel_that_is_found_wrong(run, plan):
    reports = all_reports(plan)
    right = next(launch for launch in launches(plan) if launch.get("state") == "right")
    reports[right["tool"]] += report(right, 7)
    result = run(reports)
    assert result.returncode == 1
    assert f"| {right['sample']} | right | memcheck | nothing | Invalid __global__ read in 7 | NO |" in result.stdout


def test_one_of_ours_is_found_wrong(run, plan):
    reports = all_reports(plan)
    reports["memcheck"] += REPORTS["memcheck"].format(function="metal_gelu_forward", file="activation.metal", line=17)
    result = run(reports)
    assert result.returncode == 1 and "| `gelu_forward` | 2 clean | 2: 1 found |" in result.stdout


def test_the_rest_runs_after_a_kernel_that_takes_the_context_along(run, plan):
    result = run(all_reports(plan), FAKE_FAULT="bounds_no_guard_wrong")
    assert result.returncode == 0, result.stdout


def test_the_rest_runs_after_a_kernel_that_fails_without_a_message(run, plan):
    change = lambda launch: "" if launch["sample"] == "bounds_struct" else report(launch)
    result = run(all_reports(plan, change), FAKE_FAULT="bounds_struct_wrong")
    assert result.returncode == 1
    assert "nothing, but: cuCtxSynchronize: an illegal memory access was encountered (700) | NO |" in result.stdout
    assert "11 of 12 wrong" in result.stdout


def test_the_rest_runs_after_a_kernel_that_never_ends(run, plan):
    result = run(all_reports(plan), FAKE_HANG="barrier_loop_count_wrong")
    assert result.returncode == 0, result.stdout


def test_without_the_sanitizer(run):
    result = run(None)
    assert result.returncode == 1 and "compute-sanitizer is missing" in result.stderr
    assert "| `gelu_forward` | 2 clean |" in result.stdout


def test_without_a_gpu(run, tmp_path):
    result = run({}, LD_LIBRARY_PATH=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("no GPU was reached: ") and "libcuda.so.1" in result.stderr
    assert len(result.stderr.splitlines()) == 1
