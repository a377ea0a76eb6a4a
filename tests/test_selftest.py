"""`metal-llm selftest`: what it says of devices that are right, and in which row it says what is wrong."""

import os
import platform
import re
import shutil
import subprocess

import pytest
import yaml

import selftest_launches
from library import BUILD, COMMAND, METAL_STANDS_IN, ROOT
from toolchain import kernel_files, kernels_of

STAND_IN = BUILD / "stand_in" / "metal-llm"
KERNELS = [name for name, *_ in kernels_of(*kernel_files())]
SANITIZED = BUILD.name == "asan"
TOKENS = 1  # of each text, for devices that are slow
on_stand_in = pytest.mark.skipif(not METAL_STANDS_IN, reason="the stand-in for Metal is for Linux")


def test_the_table_is_that_of_the_tests():
    """A kernel, its arguments or a known text has changed: run tests/support/selftest_launches.py."""
    assert selftest_launches.TARGET.read_text() == selftest_launches.table()


def selftest(device, *arguments, **environment):
    """Exit code, rows by their names, and the whole text."""
    command = STAND_IN if device == "metal" and METAL_STANDS_IN else COMMAND
    line = [command, "selftest", "--device", device, "-n", TOKENS, *arguments]
    environment = os.environ | environment
    done = subprocess.run(list(map(str, line)), env=environment, capture_output=True, text=True, timeout=600)
    rows = {}
    for verdict, name, text in re.findall(r"^(ok  |FAIL)  (\S.*?)  +(\S.*)$", done.stdout, re.MULTILINE):
        assert name not in rows
        rows[name] = verdict.strip(), text
    return done.returncode, rows, done.stdout


def failed(rows):
    return {name: text for name, (verdict, text) in rows.items() if verdict == "FAIL"}


@pytest.mark.stand_in
def test_a_device_that_is_right(device_name, tmp_path):
    path = tmp_path / "report.txt"
    # The model takes long under a sanitizer, and on the emulator, which the stand-in runs it on, too.
    part = ["--only", "kernels"] if SANITIZED or device_name == "simt" else []
    code, rows, text = selftest(device_name, "-o", path, *part)
    assert code == 0 and failed(rows) == {}, text
    assert set(KERNELS) <= set(rows)
    references = [name for name in ("cpu", "simt") if name != device_name]
    for kernel in KERNELS:
        shares = dict(re.findall(r", (cpu|simt) (\d\.\d\d)", rows[kernel][1]))
        assert sorted(shares) == references and all(float(share) <= 1 for share in shares.values())
    if not part:
        assert {"prompt", "decode, a kernel for each idea", "batch of 5, weights of halves", "sampling"} < set(rows)
    assert re.search(rf"^PASSED: {len(rows)} tests; \d", text, re.MULTILINE)
    assert path.read_text() == text


def test_a_report_names_no_place(tmp_path):
    """Neither a path nor the machine."""
    text = selftest("cpu", "-o", tmp_path / "report.txt", "--only", "products")[2]
    assert platform.node() not in text and str(ROOT) not in text and "tales.gguf" not in text
    assert not re.search(r"(^|\s)\.{0,2}/\w", text)


# --- faults ---


@on_stand_in
@pytest.mark.parametrize("kernel", ["rmsnorm_forward", "linear_q4_K", "attention_scores_f16", "argmax_sample"])
def test_a_device_that_compiles_wrongly(kernel):
    """Its row says where, and no other kernel is blamed; the model may be wrong with it."""
    code, rows, text = selftest("metal", "--only", "kernels", STAND_IN_BREAK=f"result of {kernel}")
    wrong = failed(rows)
    assert code == 1 and f"FAILED: 1 of {len(KERNELS)} tests" in text
    assert re.match(r"launch 1: '\w+' at \d+ is \S+, on cpu \S+$", wrong.pop(kernel))
    assert not wrong


@on_stand_in
@pytest.mark.skipif(SANITIZED, reason="it takes long there")
@pytest.mark.parametrize(
    "row, is_wrong", {"prompt": False, "decode, plain attention": True, "batch of 5": True, "sampling": False}.items()
)
def test_a_model_on_a_device_that_compiles_wrongly(row, is_wrong):
    """Its texts are not the known ones; a prompt's logits need no choice of a token, and a random one is another kernel's."""
    code, rows, text = selftest("metal", "--only", row, STAND_IN_BREAK="result of argmax_sample")
    assert list(rows) == [row] and code == is_wrong and list(failed(rows)) == [row] * is_wrong
    assert all(len(line) < 400 for line in text.splitlines())


@on_stand_in
def test_a_kernel_that_does_not_compile():
    """Of the first pipeline; the tests go on with the next."""
    code, rows, _ = selftest("metal", "--only", "kernels", STAND_IN_BREAK="pipeline")
    assert code == 1
    first = KERNELS[0]
    message = f"metal: this GPU cannot run {first}: Compiler encountered an internal error"
    assert failed(rows) == {first: message}


@on_stand_in
def test_a_gpu_without_matrix_units():
    """What it is never given is left out, and said; the rest passes."""
    code, rows, text = selftest("metal", "--only", "kernels", STAND_IN_BREAK="matrix units")
    skipped = re.findall(r"^skip  (\S+) +this GPU has no matrix units", text, re.MULTILINE)
    assert code == 0 and failed(rows) == {}
    assert {"linear_batch_8", "norm_linear_batch", "flash_attention_tiles_hs64_halves_f16"} < set(skipped)
    assert set(skipped) | set(rows) == set(KERNELS) and not set(skipped) & set(rows)
    assert f"PASSED: {len(rows)} tests, {len(skipped)} left out, see the rows that begin with skip; " in text
    assert "GiB, without matrix units\n" in text


@on_stand_in
def test_a_folder_with_a_wrong_kernel(tmp_path):
    """The stand-in refuses what it does not know. The message keeps the file's name, and no folder."""
    folder = tmp_path / "other"
    shutil.copytree(ROOT / "kernels", folder)
    path = folder / "activation.metal"
    path.write_text(path.read_text().replace("N) return", "N - 1) return"))
    code, rows, text = selftest("metal", "--kernels", folder, "--only", "kernels")
    wrong = failed(rows)
    assert code == 1 and str(tmp_path) not in text
    assert wrong.pop("gelu_forward").startswith("Metal cannot compile activation.metal:1:1: error: ")
    assert not wrong


@on_stand_in
@pytest.mark.parametrize("broken, said", [("device", "there is no Metal device here"), ("MPS", "does not support")])
def test_a_device_that_does_not_open(broken, said):
    code, rows, text = selftest("metal", "--only", "kernels", STAND_IN_BREAK=broken)
    assert code == 1 and list(rows) == ["metal"] and said in rows["metal"][1]
    assert "FAILED: 1 of 1 tests" in text


def test_a_report_that_cannot_be_written(tmp_path):
    """Is said before anything is tried."""
    line = [COMMAND, "selftest", "--device", "cpu", "--only", "products", "-o", tmp_path / "no" / "report.txt"]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    assert done.returncode == 1 and "report.txt: cannot be written" in done.stderr and not done.stdout


def test_a_part_that_there_is_not():
    done = subprocess.run([COMMAND, "selftest", "--only", "kernel"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "metal-llm selftest: there is no 'kernel'; use kernels, products or model, or the name"
    )


@pytest.mark.parametrize("row", ["linear_q4_K", "prompt"])
def test_one_row(row):
    code, rows, text = selftest("cpu", "--only", row)
    assert code == 0 and list(rows) == [row] and "PASSED: 1 tests; " in text


# --- what tells people to run it ---


def script(name):
    """A step of the Macs' job, as GitHub would give it to bash."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    (step,) = [step for step in workflow["jobs"]["mac"]["steps"] if step.get("name") == name]
    return step["run"]


def run_script(name, folder):
    environment = os.environ | {"GITHUB_STEP_SUMMARY": str(folder / "summary")}
    line = ["bash", "--noprofile", "--norc", "-e", "-c", script(name)]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_the_workflow_says_what_was_left_out(tmp_path):
    (tmp_path / "test.log").write_text(
        "NOTHING WAS TESTED ON THE GPU of this Mac: why\n...\n7 passed, 1 skipped in 2s\n"
    )
    done = run_script("what was left out", tmp_path)
    warning = "::warning title=GPU left out::NOTHING WAS TESTED ON THE GPU of this Mac: why"
    assert done.returncode == 0 and done.stdout.splitlines() == [warning, "7 passed, 1 skipped in 2s"]


@on_stand_in
@pytest.mark.parametrize(
    "broken, verdict, status",
    [
        ("", "", 0),
        ("device", "FAILED: 1 of 1", 0),
        ("matrix units", "PASSED: 0 tests, 1 left out", 0),
        ("result of linear_batch_8", "FAILED: 1 of 1", 1),
    ],
)
def test_the_workflow_tells_of_a_failure(broken, verdict, status, tmp_path):
    """With one kernel: a GPU that does not open, or cannot run it, is a warning; wrong results end the job. The report is kept."""
    command = tmp_path / "build" / "metal-llm"
    command.parent.mkdir()
    command.write_text(
        f"#!/bin/sh\nSTAND_IN_BREAK='{broken}' exec {STAND_IN} \"$@\" --device metal --only linear_batch_8\n"
    )
    command.chmod(0o755)
    done = run_script("the self-test on the GPU", tmp_path)
    assert done.returncode == status
    assert ("::warning title=GPU left out::" + verdict in done.stdout) == bool(verdict), done.stdout
    assert (tmp_path / "summary").read_text() == (tmp_path / "report.txt").read_text()


@pytest.mark.parametrize("path", [".github/workflows/tests.yml", ".github/ISSUE_TEMPLATE/selftest.yml", "README.md"])
def test_what_is_told_can_be_done(path):
    """Each verb, script and target of make that the workflow, the form and the first page name is there."""
    text = (ROOT / path).read_text()
    verbs = set(re.findall(r"build/metal-llm (\w+)", text))
    help = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    assert "selftest" in verbs and all(re.search(rf"^  {verb} ", help, re.MULTILINE) for verb in verbs)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:run: |^|&& |`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    assert all((ROOT / script).exists() for script in re.findall(r"run: (\./?\S+)", text))
