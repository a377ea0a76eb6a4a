"""Which kernels are chosen, and why: the table of src/ops/choose.c, asked about machines by name, and what
`metal-llm explain` makes of it."""

import ctypes
import re
import subprocess

import numpy
import pytest

import dispatches
import families
import library as library_module
import llm
import models
from library import COMMAND, ROOT
from llm import Plan
from models import Config


def explain(path, machine, tokens, batch=1, **options):
    """The steps of a pass as (step, shape, kernel, file, why, calls), in order."""
    library = library_module.load()
    library.llm_explain.restype = ctypes.POINTER(Plan)
    choices = {name: llm.CHOICES[value] for name, value in options.items()}
    choices = llm.Options(size=ctypes.sizeof(llm.Options), batch=batch, **choices)
    machine = machine and machine.encode()
    plan = llm.checked(library.llm_explain, bytes(path), ctypes.byref(choices), machine, tokens)
    assert plan.contents.size == ctypes.sizeof(Plan)
    steps = plan.contents.steps[: plan.contents.count]
    texts = [
        (*(getattr(step, name).decode() for name in ("step", "shape", "kernel", "file", "why")), step.calls)
        for step in steps
    ]
    library.llm_plan_free(plan)
    return texts


CONFIG = Config(layers=3, heads=2, channels=128, context=700, vocabulary=300)
WIDE = Config(layers=1, heads=18, channels=1152, inner=256, context=20, vocabulary=32)
OTHER_HEADS = Config(layers=1, heads=2, channels=96, context=100, vocabulary=300)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """model(type, config) → the path of such a model; its weights are zeros."""
    folder = tmp_path_factory.mktemp("models")

    def write(type, config=CONFIG):
        path = folder / f"{type}-{config.channels}.gguf"
        shapes = models.shapes(config).items()
        if not path.exists():
            tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in shapes}
            models.write_gguf(path, config, tensors, type=type)
        return path

    return write


# machine, type, tokens, options, step, kernel
TABLE = [
    # products: few rows, and from how many on another way is taken
    ("cpu", "F32", 1, {}, "QKV", "linear_tile_f32"),
    ("cpu", "F32", 16, {}, "QKV", "linear_tile_f32"),
    ("cpu", "F32", 17, {}, "QKV", "matmul"),
    ("cpu", "F16", 96, {}, "QKV", "linear_tile_f16"),
    ("cpu", "F16", 97, {}, "QKV", "dequantise_f16"),
    ("cpu", "Q8_0", 1, {}, "QKV", "integer_linear_q8_0"),
    ("cpu", "Q8_0", 96, {}, "QKV", "integer_linear_q8_0"),
    ("cpu", "Q8_0", 97, {}, "QKV", "dequantise_q8_0"),
    ("cpu-vnni", "Q8_0", 8, {}, "QKV", "integer_linear_q8_0"),
    ("cpu-vnni", "Q8_0", 9, {}, "QKV", "integer_matmul_q8_0"),
    ("cpu-vnni", "Q8_0", 200, {}, "QKV", "integer_matmul_q8_0"),
    ("cpu-vnni", "Q8_0", 200, {"integer_products": "off"}, "QKV", "dequantise_q8_0"),
    ("cpu-vnni", "Q5_1", 9, {}, "QKV", "integer_matmul_q5_1"),
    ("m1", "Q8_0", 1, {}, "QKV", "linear_q8_0"),
    ("m1", "Q8_0", 33, {}, "QKV", "dequantise_q8_0"),
    ("m1", "F16", 32, {}, "down", "linear_f16"),
    ("m1", "F16", 33, {}, "QKV", "matmul"),
    # the output is never unpacked as a whole
    ("cpu", "Q5_1", 200, {}, "logits", "integer_linear_q5_1"),
    # blocks are expanded to f16 where that is faster
    ("h200", "Q8_0", 1, {}, "QKV", "norm_linear_f16"),
    ("h200", "Q8_0", 1, {"weights": "stored"}, "QKV", "linear_q8_0"),
    # and are decoded from where it is asked for, one row at a time
    ("h200", "Q8_0", 1, {"integer_products": "on"}, "QKV", "integer_read_q8_0"),
    ("h200", "Q8_0", 1, {"integer_products": "on"}, "projection", "integer_write_q8_0"),
    ("h200", "Q8_0", 1, {"integer_products": "on", "weights": "f16"}, "QKV", "norm_linear_f16"),
    ("h200", "Q8_0", 1, {"integer_products": "on", "fusion": "off"}, "QKV", "linear_f16"),
    ("h200", "Q8_0", 64, {"integer_products": "on"}, "QKV", "matmul"),
    ("h200", "Q4_0", 1, {"integer_products": "on"}, "QKV", "norm_linear_f16"),
    ("m1", "Q8_0", 1, {"integer_products": "on"}, "QKV", "integer_linear_q8_0"),
    # fused decoding
    ("h200", "F32", 1, {}, "projection", "linear_residual_f32"),
    ("h200", "F16", 1, {}, "projection", "linear_residual_f16"),
    ("h200", "F32", 1, {"fusion": "off"}, "projection", "linear_f32"),
    ("cpu", "F32", 1, {"fusion": "on"}, "attention", "decode_attention_hs64_f32"),
    ("h200", "F16", 1, {"cache": "f16"}, "attention", "decode_attention_hs64_f16"),
    # attention of a prompt
    ("cpu", "F32", 63, {}, "attention", "flash_attention_hs64_f32"),
    ("cpu", "F32", 64, {}, "attention", "flash_attention_prompt_hs64_f32"),
    ("m1", "F32", 64, {}, "attention", "flash_attention_hs64_f32"),
    ("h200", "F16", 64, {}, "attention", "flash_attention_tiles_hs64_halves_f32"),
    ("h200", "F16", 64, {"attention": "naive"}, "scores", "attention_scores_f32"),
    ("h200", "F16", 64, {"attention": "naive"}, "gather", "gather_pages_f32"),
    ("h200", "F16", 64, {}, "addition, norm", "residual_layernorm_f16"),
    ("cpu", "F32", 20, {}, "gelu", "bias_gelu"),
    ("cpu", "F32", 10, {}, "gelu", "gelu_forward"),
]


@pytest.mark.parametrize("machine, type, tokens, options, step, kernel", TABLE)
def test_choices(machine, type, tokens, options, step, kernel, model):
    steps = explain(model(type), machine, tokens, **options)
    assert kernel in [line[2] for line in steps if line[0] == step]


@pytest.mark.parametrize(
    "batch, kernels",
    [
        (2, {"norm_linear_batch", "linear_batch_residual_8", "norm_linear_batch_gelu"}),
        (8, {"norm_linear_batch", "linear_batch_residual_8"}),
        (9, {"layernorm_forward_f16", "linear_batch_16", "linear_batch_gelu_16"}),
        (17, {"linear_batch_32", "linear_batch_residual_16", "decode_attention_hs64_halves_f32"}),
        (257, {"matmul", "residual_layernorm_f16"}),
    ],
)
def test_batches(batch, kernels, model):
    """Tokens of several rows, all weights in halves."""
    assert kernels <= {line[2] for line in explain(model("F16"), "h200", 1, batch)}


LLAMA = families.Config(heads=6, kv_heads=2, head_size=64, channels=256, inner=512, context=700)
QWEN3 = families.Config(family="qwen3", heads=4, kv_heads=2, head_size=128, channels=256, inner=512, context=700)
WIDE_HEADS = families.Config(family="gemma3", heads=2, kv_heads=1, head_size=256, window=90, channels=256, context=700)
GEMMA = families.Config(family="gemma3", window=90, channels=256, inner=512, context=700)

# The same of other families: the model, machine, type, tokens, options, step, kernel
FAMILIES = [
    (LLAMA, "cpu", "F32", 9, {}, "norm", "rmsnorm_forward"),
    (LLAMA, "cpu", "F32", 9, {}, "addition, norm", "residual_rmsnorm"),
    (LLAMA, "h200", "F16", 64, {}, "addition, norm", "residual_rmsnorm_f16"),
    (LLAMA, "h200", "F16", 64, {}, "gate", "silu_gated_f16"),
    (LLAMA, "cpu", "F32", 9, {}, "gate", "silu_gated"),
    (LLAMA, "cpu", "F32", 1, {}, "gate, up", "linear_tile_f32"),
    (LLAMA, "cpu-vnni", "Q4_1", 1, {}, "gate, up", "integer_linear_q4_1"),
    (LLAMA, "cpu-vnni", "Q5_0", 9, {}, "QKV", "integer_matmul_q5_0"),
    (QWEN3, "cpu-vnni", "Q6_K", 9, {}, "QKV", "integer_matmul_q6_K"),
    (LLAMA, "m1", "F32", 1, {}, "QKV", "rmsnorm_linear_f32"),
    (LLAMA, "h200", "F16", 1, {}, "QKV", "rmsnorm_linear_narrow_f16"),
    (LLAMA, "h200", "F16", 1, {}, "gate, up", "rmsnorm_gated_narrow_f16"),
    (LLAMA, "h200", "F16", 1, {}, "down", "linear_residual_eights_f16"),
    (LLAMA, "h200", "Q8_0", 1, {}, "logits", "rmsnorm_linear_narrow_f16"),
    (LLAMA, "h200", "F16", 1, {"fusion": "off"}, "gate", "silu_gated"),
    # attention
    (LLAMA, "cpu", "F32", 1, {}, "rope", "rope_adjacent"),
    (LLAMA, "cpu", "F32", 1, {}, "attention", "flash_attention_hs64_f16"),
    (LLAMA, "h200", "F16", 1, {"fusion": "off"}, "rope", "rope_adjacent"),
    (LLAMA, "h200", "F16", 1, {}, "attention", "turned_attention_hs64_f16"),
    (LLAMA, "h200", "F16", 64, {"cache": "f16"}, "attention", "flash_attention_tiles_hs64_halves_f16"),
    (QWEN3, "cpu", "F32", 64, {}, "head norms", "head_norm"),
    (QWEN3, "cpu", "F32", 64, {}, "rope", "rope_halves"),
    (QWEN3, "cpu", "F32", 64, {}, "attention", "flash_attention_prompt_hs128_f16"),
    (QWEN3, "h200", "F16", 1, {}, "attention", "turned_attention_hs128_f16"),
    (QWEN3, "h200", "F16", 64, {}, "attention", "flash_attention_tiles_hs128_halves_f16"),
    (WIDE_HEADS, "h200", "F16", 64, {}, "attention", "flash_attention_tiles_hs256_halves_f16"),
    (WIDE_HEADS, "h200", "F16", 1, {"fusion": "off"}, "attention", "flash_attention_hs256_f16"),
    (GEMMA, "cpu", "F32", 1, {"attention": "plain"}, "attention", "flash_attention_f16"),
    (GEMMA, "h200", "F16", 1, {}, "QKV", "rmsnorm_linear_narrow_f16"),
    (GEMMA, "h200", "F16", 1, {}, "gate, up", "rmsnorm_gated_narrow_f16"),
    # what is normalised before it is added cannot add itself
    (GEMMA, "h200", "F16", 1, {}, "down", "linear_f16"),
    (GEMMA, "h200", "F16", 1, {}, "addition, norm", "sandwich_rmsnorm"),
    (GEMMA, "h200", "F16", 64, {}, "addition, norm", "sandwich_rmsnorm_f16"),
    (GEMMA, "h200", "F16", 64, {}, "gate", "gelu_gated_f16"),
]


@pytest.mark.parametrize("config, machine, type, tokens, options, step, kernel", FAMILIES)
def test_choices_of_families(config, machine, type, tokens, options, step, kernel, tmp_path):
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(config).items()}
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type=type)
    steps = explain(path, machine, tokens, **options)
    assert kernel in [line[2] for line in steps if line[0] == step]


ROWS = [
    (1, "rmsnorm_gated_narrow_f16"), (2, "linear_batch_gated_8"), (9, "linear_batch_gated_16"),
    (32, "linear_batch_gated_32"), (33, "silu_gated_f16"),
]  # fmt: skip


@pytest.mark.parametrize("rows, kernel", ROWS)
def test_how_many_rows_of_many_are_fused(rows, kernel, tmp_path):
    """Whatever the pipeline has room for: it counts how many there are."""
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(LLAMA).items()}
    path = families.write_gguf(tmp_path / "model.gguf", LLAMA, tensors, type="F16")
    recorder = dispatches.Recorder()
    recorder.run("", path, "h200", {}, 70, [("", lambda model: model.generate_batch([[0] * 3] * rows, 2))])
    kernels = {line.split()[0] for line in recorder.lines}
    assert kernels & {kernel for _, kernel in ROWS} <= {kernel, "silu_gated_f16"}  # the second of a prompt
    assert kernel in kernels


@pytest.mark.parametrize(
    "config, type, batch, kernels",
    [
        (LLAMA, "F32", 3, {"rmsnorm_linear_fours_f32", "rmsnorm_gated_fours_f32", "linear_residual_pair_f32"}),
        (LLAMA, "F32", 9, {"residual_rmsnorm", "silu_gated"}),
        (LLAMA, "F16", 3, {"rmsnorm_forward_f16", "linear_batch_parts_8", "linear_batch_gated_8", "linear_batch_8"}),
        (LLAMA, "F16", 17, {"linear_batch_parts_32", "linear_batch_residual_16", "turned_attention_hs64_halves_f16"}),
        (QWEN3, "F16", 12, {"linear_batch_parts_16", "turned_attention_hs128_halves_f16"}),
        (GEMMA, "F16", 3, {"sandwich_rmsnorm_f16", "linear_batch_parts_8", "linear_batch_gated_8", "matmul"}),
    ],
)
def test_batches_of_families(config, type, batch, kernels, tmp_path):
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(config).items()}
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type=type)
    assert kernels <= {line[2] for line in explain(path, "h200", 1, batch)}


LONG_ROWS = families.Config(channels=1024, inner=776, heads=16, kv_heads=4, head_size=64, layers=1)


def test_rows_of_many_channels(tmp_path):
    """768 halves of a row are on their way at once; of a longer one fewer, by finer shares of the rows."""
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(LONG_ROWS).items()}
    path = families.write_gguf(tmp_path / "model.gguf", LONG_ROWS, tensors, type="F16")
    recorder = dispatches.Recorder()
    recorder.run("", path, "h200", {}, 1, [("", lambda model: model.generate([1], 2))])
    used = {(line.split()[0], line.split(":")[0].partition("of ")[2]) for line in recorder.lines if ":" in line}
    assert {("rmsnorm_linear_f16", "64"), ("rmsnorm_gated_f16", "64"), ("linear_residual_eights_f16", "32")} <= used
    assert not any("narrow" in kernel for kernel, _ in used)


LONG = dict(channels=256, inner=512, context=2000)
LONG_LLAMA = families.Config(heads=6, kv_heads=2, head_size=64, **LONG)
LONG_QWEN3 = families.Config(family="qwen3", heads=4, kv_heads=2, head_size=128, **LONG)
LONG_GEMMA = families.Config(family="gemma3", heads=2, kv_heads=1, head_size=256, window=300, layers=6, **LONG)


@pytest.mark.parametrize(
    "config, machine, rows, tokens, kernels",
    [
        (LONG_LLAMA, "h200", 1, 1279, {"turned_attention_hs64_f16"}),
        (LONG_LLAMA, "h200", 1, 1280, {"split_attention_hs64_fours_f16", "merge_splits"}),
        (LONG_LLAMA, "h200", 16, 1280, {"split_attention_hs64_fours_f16", "merge_splits_f16"}),
        (LONG_LLAMA, "h200", 67, 1280, set()),  # by the matrix library
        (LONG_QWEN3, "m1", 1, 383, {"turned_attention_hs128_f16"}),
        (LONG_QWEN3, "m1", 1, 384, {"split_attention_hs128_pair_f16", "merge_splits"}),
        (LONG_QWEN3, "m1", 20, 1500, {"turned_attention_hs128_halves_f16"}),  # rows enough to fill it
        (LONG_GEMMA, "h200", 1, 1500, {"turned_attention_hs256_f16", "split_attention_hs256_pair_f16", "merge_splits"}),
    ],
)
def test_long_contexts(config, machine, rows, tokens, kernels, tmp_path):
    """Of a step behind a prompt; of Gemma's layers some see a window."""
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(config).items()}
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type="F16")
    recorder = dispatches.Recorder()
    prompts = [[0] * (tokens - 1), *[[0]] * (rows - 1)]
    recorder.run("", path, machine, {"cache": "f16"}, rows, [("", lambda model: model.generate_batch(prompts, 2))])
    used = {line.split()[0] for line in recorder.lines}
    assert {
        name for name in used if name.startswith(("turned_attention", "split_attention", "merge_splits"))
    } == kernels


LARGE = families.Config(heads=16, kv_heads=8, head_size=64, channels=1024, inner=1024, context=70)


def test_large_blocks_are_decoded_from(tmp_path):
    """Q, K and V of two types are two products."""
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(LARGE).items()}
    types = {"blk.0.attn_v.weight": "Q8_0"}
    path = families.write_gguf(tmp_path / "model.gguf", LARGE, tensors, type="Q6_K", types=types)
    steps = lambda *case, **options: [line[:1] + line[2:3] for line in explain(path, "h200", *case, **options)]
    decoding = steps(1)
    assert {("QKV", "integer_read_q6_K"), ("QKV", "integer_read_q8_0"), ("gate, up", "integer_gated_q6_K")} <= {
        *decoding
    }
    assert {("down", "integer_write_q6_K"), ("logits", "integer_read_q6_K")} <= {*decoding}
    halves = {("QKV", "rmsnorm_linear_f16"), ("down", "linear_residual_eights_f16")}
    assert halves <= {*steps(1, integer_products="off")} and halves <= {*steps(1, weights="f16")}
    assert ("QKV", "linear_batch_parts_8") in steps(1, 2)
    assert ("QKV", "matmul") in steps(64)


def test_shapes_of_models(model):
    kernels = lambda *case: {line[2] for line in explain(*case)}
    assert "norm_linear_wide_f16" in kernels(model("F16", WIDE), "h200", 1)
    assert "flash_attention_f32" in kernels(model("F16", OTHER_HEADS), "h200", 64)
    assert "norm_linear_f16" not in kernels(model("F16", OTHER_HEADS), "h200", 1)


@pytest.mark.parametrize("tokens", [1, 7, 200])
@pytest.mark.parametrize("machine", ["cpu", "cpu-vnni", "simt", "m1", "h200"])
def test_every_step_is_explained(machine, tokens, model):
    """By a sentence, and by a kernel that is there, in its file."""
    table = library_module.kernel_table(library_module.load())
    for type in ("F32", "F16", "Q4_0"):
        for step, shape, kernel, file, why, calls in explain(model(type), machine, tokens):
            assert step and shape and why[0].isalnum() and len(why) > 10
            if kernel != "matmul":
                assert table[kernel].file.decode() == file
            assert calls >= 1


def test_the_layers_are_counted(model):
    calls = {line[0]: line[5] for line in explain(model("F32"), "h200", 1)}
    assert calls["QKV"] == calls["attention"] == calls["down"] == CONFIG.layers
    assert calls["embedding"] == calls["logits"] == calls["sampling"] == calls["step"] == 1


# --- the command ---


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)


def test_the_table(model):
    done = run("explain", model("Q8_0"), "-p", 200, "--facts", "cpu-vnni")
    assert done.returncode == 0 and done.stderr == ""
    prompt, decode = done.stdout.split("A token that is decoded")
    assert prompt.startswith("A prompt of 200 tokens: ")
    line = next(line for line in prompt.splitlines() if " QKV " in line)
    assert re.match(r" +3  QKV +T=200 K=128 N=384 stride=384 +integer_matmul_q8_0 +fast/integer_matmul.metal +\w", line)
    assert "integer_linear_q8_0" in decode and "integer_matmul_q8_0" not in decode


def test_a_prompt_of_several_passes(model):
    out = run("explain", model("F32"), "-p", 600, "--facts", "cpu").stdout
    assert out.startswith("A prompt of 600 tokens, in passes of 300: ")


def test_the_profile_names_the_same_kernels(device_name):
    """Of a short prompt and some decoding."""
    path, options = ROOT / "models" / "tales.gguf", ["--device", device_name, "--weights", "stored"]
    ran = run("run", "-m", path, "Once upon a time", "-n", 3, "--temp", 0, "--profile", *options)
    rows = ran.stderr[ran.stderr.index("kernel ") :].splitlines()[1:-1]
    count = len(run("tokenize", "-m", path, "Once upon a time").stdout.split())
    plans = run("explain", path, "-p", count, *options).stdout
    explained = {
        line.split("  ")[-3].strip() for line in re.sub(" {2,}", "  ", plans).splitlines() if line[:5].strip().isdigit()
    }
    assert {row.split()[0] for row in rows} == explained


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--facts", "z80"], "unknown machine 'z80'; use one of cpu, cpu-vnni, simt, m1, h200"),
        (["--facts", "m1", "--device", "cpu"], "--facts are of a machine, leave out --device"),
        (["--facts", "m1", "-p", 701], "701 tokens"),
        (["--facts", "m1", "--batch", 1025], "1024"),
        (["--facts", "cpu", "--fusion", "on"], "fused kernels are for"),
    ],
)
def test_refused(arguments, message, model):
    done = run("explain", model("Q8_0"), *arguments)
    assert done.returncode != 0 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
