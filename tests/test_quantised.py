"""Models in GGUF's block formats, and `metal-llm convert`: what it writes is, byte for byte, what
the gguf package's quantisers make of the same tensors. (The kernels: test_kernels.py.)"""

import ctypes
import dataclasses
import os
import struct
import subprocess

import gguf
import numpy
import pytest

import families
import k_quants
import models
import reference
from library import COMMAND
from llm import LLM
from models import Config

TOLERANCE = 1e-4  # of reference.logit_error
BLOCK_TYPES = list(models.BLOCKS)

# Rows of 256 and 1024: whole blocks of every type.
CONFIG = Config(layers=2, heads=4, channels=256, context=24, vocabulary=301)


def random_ids(random, config, count):
    return random.integers(0, config.vocabulary, count).tolist()


def as_halves(array):
    return array.astype(numpy.float16).astype(array.dtype)


def check_logits(path, config, tensors, ids, **options):
    """The logits of the model at `path` are those of `tensors` in numpy."""
    with LLM(path, **options) as model:
        actual = model.logits(ids)
    error = reference.logit_error(actual, reference.logits(config, tensors, ids))
    assert error <= TOLERANCE


# --- models ---


def check_model(device_name, random, tmp_path, type, types={}, tied=True):
    config = Config(**{**vars(CONFIG), "tied": tied})
    tensors = models.random_gpt2(config, random, std=0.1)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, type=type, types=types)
    stored = models.gguf_rounded(tensors, type, types)
    for count in (1, 5, config.context):  # weights × vector, and the matrix library
        check_logits(path, config, stored, random_ids(random, config, count), device=device_name)


@pytest.mark.parametrize("type", BLOCK_TYPES)
def test_every_block_type(type, device_name, random, tmp_path):
    check_model(device_name, random, tmp_path, type)


def test_q4_0_with_the_embedding_that_llama_cpp_gives_it(device_name, random, tmp_path):
    check_model(device_name, random, tmp_path, "Q4_0", {"token_embd.weight": "Q6_K"})


def test_an_output_of_another_type_than_the_embedding(device_name, random, tmp_path):
    types = {"token_embd.weight": "Q5_1", "output.weight": "Q6_K"}
    check_model(device_name, random, tmp_path, "Q4_1", types, tied=False)


def test_every_matrix_of_another_type(device_name, random, tmp_path):
    types = {
        "token_embd.weight": "Q5_K",
        "blk.0.attn_qkv.weight": "Q4_0",
        "blk.0.attn_output.weight": "Q4_1",
        "blk.0.ffn_up.weight": "Q5_0",
        "blk.0.ffn_down.weight": "Q5_1",
        "blk.1.attn_qkv.weight": "Q6_K",
        "blk.1.attn_output.weight": "F16",
        "blk.1.ffn_up.weight": "BF16",
        "blk.1.ffn_down.weight": "Q4_K",
        "position_embd.weight": "F16",
    }
    check_model(device_name, random, tmp_path, "Q8_0", types)


@pytest.mark.parametrize("type", ["F32", "F16", "Q8_0"])
def test_rows_that_share_their_inputs(type, device_name, random, tmp_path):
    """Eight tokens and more of 1024 inputs: linear_tile in f32 and f16."""
    tensors = models.random_gpt2(CONFIG, random, std=0.1)
    path = models.write_gguf(tmp_path / "model.gguf", CONFIG, tensors, type=type)
    stored = models.gguf_rounded(tensors, type)
    for count in (8, 11, 16):
        check_logits(path, CONFIG, stored, random_ids(random, CONFIG, count), device=device_name)


@pytest.mark.parametrize("type", [*BLOCK_TYPES, "F16"])
def test_integer_products(type, device_name, random, tmp_path):
    """On by default for a CPU; the rounding of activations shows, and is small. F16 has none."""
    tensors = models.random_gpt2(CONFIG, random, std=0.1)
    types = {"token_embd.weight": EMBEDDING.get(type, type)}
    path = models.write_gguf(tmp_path / "model.gguf", CONFIG, tensors, type=type, types=types)
    exact = models.gguf_rounded(tensors, type, types)
    for count in (1, 9, 23):  # integer_linear, and integer_matmul in one tile and in several
        ids = random_ids(random, CONFIG, count)
        for choice in ("on", None):
            with LLM(path, device=device_name, integer_products=choice) as model:
                error = reference.logit_error(model.logits(ids), reference.logits(CONFIG, exact, ids))
            rounded = type != "F16" and (choice == "on" or device_name == "cpu")
            assert (2e-3 <= error <= 6e-2) if rounded else error <= TOLERANCE


def decoded_logprobs(model, ids):
    """ln p of each token but the first, behind those before it, by steps of one token."""
    logprobs, session = [], model.session(ids[:1])
    for id in ids[1:]:
        session.generate(1, logit_bias=[(id, 1e4)], on_logprobs=lambda row, pairs: logprobs.append(pairs[0][1]))
    assert session.ids == ids
    session.close()
    return numpy.array(logprobs)


def check_decoding(path, expected, ids, pieces, tolerance):
    """Of blocks that decoding reads the bytes are `pieces`; no token's ln p is off by more than `tolerance`."""
    bytes = {}
    for choice in ("off", "on"):
        with LLM(path, device="cuda", weights=None, integer_products=choice, cache="f32") as model:
            bytes[choice] = model.info.weight_bytes
            logprobs = decoded_logprobs(model, ids)
    assert bytes["on"] - bytes["off"] == pieces
    expected = expected - numpy.logaddexp.reduce(expected, axis=1, keepdims=True)
    assert numpy.abs(logprobs - expected[numpy.arange(len(ids) - 1), ids[1:]]).max() <= tolerance


def block_bytes(arrays, stored):
    """Of matrices by GGUF name that are stored in these types."""
    return sum(models.quantise(arrays[name], type).nbytes for name, type in stored.items())


@pytest.mark.parametrize("type", ["Q4_K", "Q5_K", "Q6_K", "Q8_0"])
def test_decoding_from_blocks(type, device_name, random, tmp_path):
    """A GPU that keeps both multiplies one token by blocks, and several by halves. With an embedding of halves, which
    stay as they are, all that rounds is x, to 16 bits."""
    if device_name != "cuda":
        pytest.skip("keeps blocks alone")
    config, types = dataclasses.replace(CONFIG, tied=False), {"token_embd.weight": "F16"}
    tensors = models.random_gpt2(config, random, std=0.1)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, type=type, types=types)
    exact = models.gguf_rounded(tensors, type, types)
    matrices = [a for name, a in tensors.items() if a.ndim == 2 and "wpe" not in name and "wte" not in name]
    ids = random_ids(random, config, 9)
    logits = reference.logits(config, exact, ids)
    check_decoding(path, logits, ids, sum(models.quantise(a, type).nbytes for a in matrices), 2e-3)
    with LLM(path, device="cuda", weights=None, integer_products="on") as model:
        assert reference.logit_error(model.logits(ids), logits) <= 5e-3


FAMILIES = {
    # v is a product of its own; a format without these kernels beside it leaves all three to halves
    "q, k and v": (
        "llama",
        {"blk.0.attn_v.weight": "Q8_0", "blk.1.attn_k.weight": "Q5_0"},
        ["blk.1.attn_q.", "blk.1.attn_k.", "blk.1.attn_v."],
    ),
    "gate and up": ("qwen2", {"blk.0.ffn_up.weight": "Q8_0"}, ["blk.0.ffn_gate", "blk.0.ffn_up"]),
    "added behind a norm": ("gemma3", {}, ["attn_output", "ffn_down"]),
    "untied": ("llama", {"output.weight": "Q8_0"}, ["token_embd"]),
}


@pytest.mark.parametrize("case", FAMILIES)
def test_families_decoded_from_blocks(case, device_name, random, tmp_path):
    """With what is read as halves all the same; of those matrices no blocks are kept."""
    if device_name != "cuda":
        pytest.skip("keeps blocks alone")
    family, types, from_halves = FAMILIES[case]
    sizes = {"heads": 4, "kv_heads": 2, "head_size": 64, "channels": 256, "inner": 512, "context": 20}
    config = families.Config(family=family, tied=case != "untied", **sizes)
    tensors = families.random_model(config, random, std=0.1)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, type="Q6_K", types=types)
    names = {name: families.gguf_name(config, name) for name, array in tensors.items() if array.ndim == 2}
    stored = {name: types.get(name, "Q6_K") for name in names.values()}
    arrays = {names[name]: tensors[name] for name in names}
    ids = random_ids(random, config, 9)
    expected = families.logits(config, families.gguf_rounded(config, tensors, "Q6_K", types), ids)
    from_blocks = {n: t for n, t in stored.items() if not any(part in n for part in from_halves)}
    check_decoding(path, expected, ids, block_bytes(arrays, from_blocks), 1e-2)


@pytest.mark.parametrize("type", BLOCK_TYPES)
def test_weights_as_halves(type, device_name, random, tmp_path):
    """Blocks are expanded to f16 at load, by default on an NVIDIA GPU alone; all else stays as it is."""
    tensors = models.random_gpt2(CONFIG, random, std=0.1)
    types = {"blk.0.attn_output.weight": "F32"}
    path = models.write_gguf(tmp_path / "model.gguf", CONFIG, tensors, type=type, types=types)
    stored = models.gguf_rounded(tensors, type, types)
    kept = lambda name, array: array.ndim < 2 or types.get(models.gguf_name(name)) or "wpe" in name
    halves = {n: a if kept(n, a) else as_halves(a) for n, a in stored.items()}
    ids = random_ids(random, CONFIG, 5)
    expected = {name: reference.logits(CONFIG, of, ids) for name, of in (("stored", stored), ("f16", halves))}
    bytes = {}
    for choice in ("stored", "f16", None):
        with LLM(path, device=device_name, weights=choice) as model:
            logits, bytes[choice] = model.logits(ids), model.info.weight_bytes
        default = "f16" if device_name == "cuda" else "stored"
        assert reference.logit_error(logits, expected[choice or default]) <= TOLERANCE
    assert bytes["f16"] > 1.5 * bytes["stored"] and bytes[None] == bytes[default]
    # What the rounding to halves does is more than the tolerance allows, so that the two can be told apart.
    assert reference.logit_error(expected["f16"], expected["stored"]) > TOLERANCE or type == "Q8_0"


@pytest.mark.parametrize("type", BLOCK_TYPES)
def test_weights_that_no_half_holds(type, device_name, random, tmp_path):
    """Blocks of values beyond 65519 stay blocks, those of this matrix alone."""
    tensors = models.random_gpt2(CONFIG, random, std=0.1)
    tensors["h.0.mlp.c_proj.weight"][3, 5] = 1e5
    path = models.write_gguf(tmp_path / "model.gguf", CONFIG, tensors, type=type)
    stored = models.gguf_rounded(tensors, type)
    halves = {
        name: array if array.ndim < 2 or "wpe" in name or name == "h.0.mlp.c_proj.weight"
        else as_halves(array)
        for name, array in stored.items()
    }  # fmt: skip
    for count in (1, 5, CONFIG.context):
        ids = random_ids(random, CONFIG, count)
        with LLM(path, device=device_name, weights="f16") as model:
            error = reference.logit_error(model.logits(ids), reference.logits(CONFIG, halves, ids))
        assert error <= 10 * TOLERANCE  # next to so large a weight the others lose digits
    cropped = numpy.isinf(stored["h.0.mlp.c_proj.weight"].astype(numpy.float16)).any()
    assert cropped  # else this test would say nothing


def sparse_embedding(path, rows, random, halves=False):
    """A model with a q4_0 embedding of [rows, 288] that is zeros but for its last row, in a sparse file; and the
    logit of that row after its own token, of the weights as stored or as halves, with the size of such logits."""
    config = Config(layers=1, heads=4, channels=288, inner=288, context=4, vocabulary=1)
    tensors = models.random_gpt2(config, random)
    tensors["wte.weight"] = tensors.pop("wte.weight")  # now the last in the file
    data = models.write_gguf(path, config, tensors, "Q4_0").read_bytes()
    row = models.quantise(tensors["wte.weight"], "Q4_0").tobytes()
    name = b"token_embd.weight"
    shape = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    place = data.rindex(row)
    with open(path, "r+b") as file:
        file.seek(shape + 8)
        file.write(struct.pack("<Q", rows))
        file.seek(place)
        file.write(bytes(len(row)))
        file.seek(place + (rows - 1) * len(row))
        file.write(row)
    stored = models.gguf_rounded(tensors, "Q4_0")
    if halves:
        stored = {
            name: as_halves(array) if array.ndim == 2 and "wpe" not in name else array for name, array in stored.items()
        }
    return reference.logits(config, stored, [0])[0, 0], numpy.linalg.norm(stored["wte.weight"])


def check_last_row(path, rows, expected, size, **options):
    with LLM(path, device="cpu", **options) as model:
        logits = model.logits([rows - 1])[0]
    assert abs(logits[-1] - expected) <= TOLERANCE * size and not logits[:-1].any()


def test_weights_as_halves_in_slices(random, tmp_path):
    """A matrix of more weights than are turned at a time."""
    rows = 2**26 // 288 + 1001
    path = tmp_path / "model.gguf"
    check_last_row(path, rows, *sparse_embedding(path, rows, random, halves=True), weights="f16")


@pytest.mark.skipif("LONG" not in os.environ, reason="reads 2.4 GB of zeros: make test-long")
def test_more_than_2_to_the_32_weights(random, tmp_path):
    rows = 14913481
    assert rows * 288 > 2**32
    path = tmp_path / "model.gguf"
    check_last_row(path, rows, *sparse_embedding(path, rows, random))
    halves = f"{COMMAND} logits {path} --tokens 1 -o {tmp_path}/x.npy --weights f16"
    command = ["bash", "-c", f"ulimit -v {6 << 20}; exec {halves}"]  # those alone need 8.6 GB
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "out of memory" in result.stderr


# --- convert ---


def convert(*arguments):
    return subprocess.run([COMMAND, "convert", *arguments], capture_output=True, text=True)


def stored_tensors(path):
    """Type and bytes of every tensor of a GGUF file, by name."""
    return {tensor.name: (tensor.tensor_type.name, tensor.data.tobytes()) for tensor in gguf.GGUFReader(path).tensors}


def check_converted(source, tmp_path, type, tensors, embedding=None):
    """Convert `source`, which holds `tensors`: types and bytes are those of the gguf package, but
    for the values of formats whose scales are sought, which it does not quantise to."""
    path = tmp_path / "converted.gguf"
    done = convert(source, path, "--type", type.lower())
    assert done.returncode == 0, done.stderr
    written = stored_tensors(path)
    assert written.keys() == {models.gguf_name(name) for name in tensors}
    types = {"token_embd.weight": embedding or type, "output.weight": embedding or type}
    for name, array in tensors.items():
        array = models.out_in(name, array)
        stored, data = written[models.gguf_name(name)]
        assert stored == models.gguf_type(name, array, type, types)
        if stored in k_quants.QUANTISERS:
            check_sought(stored, array, numpy.frombuffer(data, numpy.uint8).reshape(len(array), -1))
        else:
            assert data == models.quantise(array, stored).tobytes(), name
    return path


def check_sought(type, array, data):
    """Most blocks are closer to the values than plain rounding is, and none is far from it: errors
    are weighed by the values, so a block may be worse by plain measure."""
    norm = lambda x: numpy.linalg.norm(x.reshape(-1, 256), axis=1)
    least = 1e-4 * norm(array) + 1e-30
    error = lambda stored: norm(models.dequantise(stored, type) - array) + least
    ratio = error(data) / error(k_quants.quantise(array, type))
    assert numpy.median(ratio) <= 0.97
    assert ratio.max() <= 4


def huggingface_of(dtype):
    def write(folder, tensors):
        path = models.write_huggingface(folder / "model", CONFIG, tensors, dtype=dtype)
        return path, {name: models.rounded(array, dtype) for name, array in tensors.items()}

    return write


def llmc_of(version):
    def write(folder, tensors):
        path = models.write_llmc(folder / "model.bin", CONFIG, tensors, version=version)
        type = {3: "F32", 5: "BF16"}[version]
        return path, {name: models.rounded(array, type) for name, array in tensors.items()}

    return write


def gguf_of(type):
    def write(folder, tensors):
        path = models.write_gguf(folder / "model.gguf", CONFIG, tensors, type=type)
        return path, models.gguf_rounded(tensors, type)

    return write


# Each writes a model and returns its path and what its tensors are after rounding.
SOURCES = {
    "huggingface-f32": huggingface_of("F32"),
    "huggingface-f16": huggingface_of("F16"),
    "huggingface-bf16": huggingface_of("BF16"),
    "llmc-f32": llmc_of(3),
    "llmc-bf16": llmc_of(5),
    **{f"gguf-{type.lower()}": gguf_of(type) for type in ["F32", "F16", "BF16", *BLOCK_TYPES]},
}
EMBEDDING = {"Q4_0": "Q6_K", "Q4_K": "Q6_K", "Q5_K": "Q6_K"}  # where it is another type than the matrices


def random_tensors(random):
    """A tensor's blocks differ in size, one is zero, and some values lie between two roundings."""
    tensors = models.random_gpt2(CONFIG, random)
    sizes = numpy.exp(random.normal(0, 2, (CONFIG.vocabulary, CONFIG.channels // 32, 1)))
    table = random.normal(0, 1, (CONFIG.vocabulary, CONFIG.channels // 32, 32)) * sizes
    table[0, 0] = 0
    table[1] = numpy.arange(-16, 16) / 2
    table[2, 0] = 1e-30
    tensors["wte.weight"] = table.reshape(CONFIG.vocabulary, -1).astype(numpy.float32)
    return tensors


ALL = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q4_0"]
FEW = ["F32", "Q8_0"]  # how tensors are read and how they are stored have nothing to do with each other


@pytest.mark.parametrize(
    "source, type",
    [
        (source, type)
        for source in SOURCES
        for type in (FEW if source not in ("huggingface-f32", "gguf-q8_0") else ALL)
        if source not in (f"gguf-{type.lower()}", f"gguf-{EMBEDDING.get(type, '').lower()}")
    ],
)
def test_convert(source, type, random, tmp_path):
    """From every format; what has its type already is copied, which another test checks."""
    path, tensors = SOURCES[source](tmp_path, random_tensors(random))
    check_converted(path, tmp_path, type, tensors, EMBEDDING.get(type))


@pytest.mark.parametrize("type", ALL)
def test_a_tensor_of_the_wanted_type_is_copied(type, random, tmp_path):
    types = {"token_embd.weight": EMBEDDING.get(type, type)}
    tensors = models.random_gpt2(CONFIG, random)
    source = models.write_gguf(tmp_path / "source.gguf", CONFIG, tensors, type=type, types=types)
    done = convert(source, tmp_path / "copy.gguf", "--type", type.lower())
    assert (done.returncode, done.stderr) == (0, "")
    assert stored_tensors(tmp_path / "copy.gguf") == stored_tensors(source)


@pytest.mark.parametrize("type", ["BF16", "Q4_K", "Q4_K_M", "Q5_K", "Q4_0"])
def test_a_converted_model_runs(type, device_name, random, tmp_path):
    tensors = models.random_gpt2(CONFIG, random, std=0.1)
    source = models.write_huggingface(tmp_path / "model", CONFIG, tensors)
    path = tmp_path / "converted.gguf"
    assert convert(source, path, "--type", type.lower()).returncode == 0
    values = {
        tensor.name: models.dequantise(tensor.data, tensor.tensor_type.name) for tensor in gguf.GGUFReader(path).tensors
    }
    rounded = {name: models.out_in(name, values[models.gguf_name(name)]) for name in tensors}
    check_logits(path, CONFIG, rounded, random_ids(random, CONFIG, 9), device=device_name)


@pytest.mark.parametrize(
    "type, channels, embedding, down, said",
    [
        ("q4_0", 96, "Q8_0", "Q4_0", ["96 weights are no whole blocks of q6_K: 1 matrix becomes q8_0"]),
        ("q4_0", 40, "F16", "F16", ["of q4_0: 8 matrices become f16", "of q6_K: 1 matrix becomes f16"]),
        ("q4_K", 96, "Q8_0", "Q5_0", ["of q4_K: 8 matrices become q5_0", "of q6_K: 1 matrix becomes q8_0"]),
        ("q5_K", 96, "Q8_0", "Q5_1", ["of q5_K: 8 matrices become q5_1", "of q6_K: 1 matrix becomes q8_0"]),
        ("q6_K", 96, "Q8_0", "Q8_0", ["of q6_K: 9 matrices become q8_0"]),
        ("q6_K", 40, "F16", "F16", ["of q6_K: 9 matrices become f16"]),
    ],
)
def test_rows_that_are_no_whole_blocks(type, channels, embedding, down, said, random, tmp_path):
    config = Config(channels=channels, heads=1, inner=2 * channels, context=8)
    tensors = models.random_gpt2(config, random)
    path = models.write_huggingface(tmp_path / "model", config, tensors)
    done = convert(path, tmp_path / "small.gguf", "--type", type)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == len(said)
    assert all(part in done.stderr for part in said)
    written = stored_tensors(tmp_path / "small.gguf")
    assert written["token_embd.weight"][0] == embedding
    assert written["blk.0.ffn_down.weight"][0] == down
    down = models.out_in("mlp.c_proj.weight", tensors["h.0.mlp.c_proj.weight"])
    stored, data = written["blk.0.ffn_down.weight"]
    assert data == models.quantise(down, stored).tobytes()


def test_llama_cpps_mixture(random, tmp_path):
    """q4_K_M: which matrices get more bits, as llama.cpp has it for GPT-2 of eight layers."""
    config = Config(**{**vars(CONFIG), "layers": 8, "tied": False, "inner": 256})
    path = models.write_huggingface(tmp_path / "model", config, models.random_gpt2(config, random))
    assert convert(path, tmp_path / "mixed.gguf", "--type", "Q4_K_M").stderr == ""
    written = stored_tensors(tmp_path / "mixed.gguf")
    assert gguf.GGUFReader(tmp_path / "mixed.gguf").get_field("general.file_type").contents() == 15
    finer = {"output.weight": "Q6_K"} | {f"blk.{i}.ffn_down.weight": "Q6_K" for i in (0, 3, 6, 7)}
    finer |= {f"blk.{i}.attn_qkv.weight": "Q5_K" for i in range(8)}
    for name, (stored, _) in written.items():
        plain = name.endswith(".bias") or "norm" in name or name == "position_embd.weight"
        assert stored == ("F32" if plain else finer.get(name, "Q4_K")), name


# What llama.cpp's quantisers leave of the squares of k_quants.samples: tests/peers/quantisers.py.
LLAMA_CPP_ERRORS = {
    "Q4_K": [5.0465e-03, 1.7786e-03, 8.7538e-04, 8.9685e-03, 7.0139e-03, 8.4450e-03],
    "Q5_K": [1.3027e-03, 4.2848e-04, 2.1708e-04, 2.4195e-03, 1.7981e-03, 2.1673e-03],
    "Q6_K": [3.1877e-04, 3.1811e-04, 1.6124e-04, 9.2499e-04, 4.7360e-04, 5.8321e-04],
}


@pytest.mark.parametrize("type", LLAMA_CPP_ERRORS)
def test_errors_are_those_of_llama_cpp(type, library):
    """Within 2 %, and never zeros."""
    library.values_store.restype = ctypes.c_size_t
    number = {"Q4_K": 10, "Q5_K": 11, "Q6_K": 12}[type]  # of TensorType
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type]]
    for (kind, values), theirs in zip(k_quants.samples().items(), LLAMA_CPP_ERRORS[type], strict=True):
        out = numpy.zeros((values.size // block, size), numpy.uint8)
        assert library.values_store(number, values.ctypes, values.size, out.ctypes) == values.size
        rounded = models.dequantise(out, type).reshape(values.shape)
        assert k_quants.relative_error(values, rounded) <= 1.02 * theirs, kind


def test_an_untied_output_is_written_too(random, tmp_path):
    config = Config(**{**vars(CONFIG), "tied": False})
    tensors = models.random_gpt2(config, random)
    path = models.write_huggingface(tmp_path / "model", config, tensors)
    check_converted(path, tmp_path, "Q4_0", tensors, "Q6_K")


# --- the tokenizer goes along ---

TEXT = "The river's  cold;\tthey said 7 things\n<|endoftext|>and “more” \x00\x7f\xad ÿ."


def ids_of(model, text):
    done = subprocess.run([COMMAND, "tokenize", model], input=text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("source", ["huggingface", "gguf", "gpt2"])
def test_tokenizer(source, random, tmp_path):
    """Texts, kinds and merges are what the gguf package would have written, and encode alike."""
    tokenizer = models.small_tokenizer(300)
    tensors = models.random_gpt2(CONFIG, random)
    if source == "gguf":
        path = models.write_gguf(tmp_path / "m.gguf", CONFIG, tensors, tokenizer=tokenizer)
    else:
        settings = {"eos_token_id": tokenizer.end_of_text}
        path = models.write_huggingface(tmp_path / "m", CONFIG, tensors, tokenizer=tokenizer, settings=settings)
    converted = tmp_path / "converted.gguf"
    assert convert(path, converted).returncode == 0
    reader = gguf.GGUFReader(converted)
    field = lambda name: reader.get_field(f"tokenizer.ggml.{name}").contents()
    assert field("tokens") == [*tokenizer.tokens, "[PAD300]"]
    assert field("token_type") == [1] * 299 + [3, 5]
    assert field("merges") == [f"{left} {right}" for left, right in tokenizer.merges]
    assert field("eos_token_id") == tokenizer.end_of_text
    assert ids_of(converted, TEXT) == ids_of(path, TEXT)
    again = tmp_path / "again.gguf"
    assert convert(converted, again).returncode == 0
    assert again.read_bytes() == converted.read_bytes()


def test_a_model_without_tokenizer(random, tmp_path):
    path = models.write_gguf(tmp_path / "m.gguf", CONFIG, models.random_gpt2(CONFIG, random))
    assert convert(path, tmp_path / "out.gguf").returncode == 0
    assert "tokenizer.ggml.tokens" not in gguf.GGUFReader(tmp_path / "out.gguf").fields


# --- messages ---


@pytest.fixture
def model(random, tmp_path):
    return models.write_gguf(tmp_path / "model.gguf", CONFIG, models.random_gpt2(CONFIG, random))


def check_message(done, status, *parts):
    assert done.returncode == status
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


def test_usage(model, tmp_path):
    out = tmp_path / "out.gguf"
    check_message(convert(), 2, "IN and OUT.gguf are needed")
    check_message(convert(model), 2, "IN and OUT.gguf are needed")
    check_message(convert(model, out, "--type", "q5_0"), 2, "q4_K, q4_K_M or q4_0", "'q5_0'")
    check_message(convert(model, out, out), 2, "no use for")
    assert not out.exists()


def test_files(model, tmp_path):
    check_message(convert(tmp_path / "none.gguf", tmp_path / "out.gguf"), 1, "none.gguf")
    check_message(convert(model, tmp_path / "no" / "out.gguf"), 1, "cannot be written")


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf])
@pytest.mark.parametrize("type", ["q8_0", "q4_0", "q4_K"])
def test_weights_that_are_no_numbers(value, type, random, tmp_path):
    """Block formats cannot hold them: refused, and nothing is left behind. Floats keep them."""
    tensors = models.random_gpt2(CONFIG, random)
    tensors["h.1.mlp.c_fc.weight"][5, 7] = value
    path = models.write_huggingface(tmp_path / "model", CONFIG, tensors)
    out = tmp_path / "out.gguf"
    check_message(convert(path, out, "--type", type), 1, "blk.1.ffn_up.weight, row 7", type, "damaged")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model"]
    assert convert(path, out, "--type", "f16").returncode == 0
    stored = numpy.frombuffer(stored_tensors(out)["blk.1.ffn_up.weight"][1], numpy.float16)
    assert numpy.array_equal(stored.reshape(-1, 256)[7, 5], numpy.float16(value), equal_nan=True)


MOST = {
    "f16": 65519.9,
    "bf16": 3.394e38,
    "q8_0": 127 * 65519.9,
    "q4_0": 8 * 65519.9,
    "q6_K": 30 * 128 * 65504,
    "q5_K": 60 * 65504,
    "q4_K": 60 * 65504,
}


def weights_with(tensor, value, folder, random):
    """A model that has a value in row 7, column 5 of a tensor."""
    tensors = models.random_gpt2(CONFIG, random)
    tensors[tensor][(5, 7) if models.is_conv1d(tensor) else (7, 5)] = value
    return models.write_huggingface(folder, CONFIG, tensors)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("stored", MOST)
def test_weights_that_are_too_large(stored, sign, random, tmp_path):
    """What no half holds, of a value or of a block's scale, is refused by name; what is just small
    enough becomes a number again."""
    tensor, name = "h.1.mlp.c_fc.weight", "blk.1.ffn_up.weight"
    type = stored
    if stored == "q6_K":
        tensor, name, type = "wte.weight", "token_embd.weight", "q4_0"
    out = tmp_path / "out.gguf"
    value = sign * MOST[stored]
    path = weights_with(tensor, 1.001 * value, tmp_path / "too_large", random)
    large = f"{name}, row 7: the weight {1.001 * value:g} is too large for {stored}"
    check_message(convert(path, out, "--type", type), 1, large, "--type f32")
    assert not out.exists()
    assert convert(path, out, "--type", "f32").returncode == 0
    path = weights_with(tensor, 0.999 * value, tmp_path / "large", random)
    assert convert(path, out, "--type", type).returncode == 0
    (written,) = [tensor for tensor in gguf.GGUFReader(out).tensors if tensor.name == name]
    value_again = models.dequantise(written.data, stored.upper())[7, 5]
    assert abs(value_again / (0.999 * value) - 1) <= 0.05


def test_rounding_again_is_remarked_on(random, tmp_path):
    tensors = models.random_gpt2(CONFIG, random)
    path = models.write_gguf(tmp_path / "q4.gguf", CONFIG, tensors, type="Q4_1")
    check_message(convert(path, tmp_path / "out.gguf", "--type", "q4_0"), 0, "q4_1 already")
    done = convert(path, tmp_path / "out.gguf", "--type", "f32")
    assert (done.returncode, done.stderr) == (0, "")


# --- half precision ---


def test_every_float_near_a_half(library):
    """To nearest, ties to even, as numpy: all halves, what lies midway and next to that. A finite
    value that becomes an infinity is told of."""
    halves = numpy.arange(0x7C00, dtype=numpy.uint16).view(numpy.float16).astype(numpy.float32)
    infinity = numpy.float32(numpy.inf)
    midway = numpy.append((halves[1:] + halves[:-1]) / 2, numpy.float32(65520))
    values = numpy.concatenate(
        [halves, midway, numpy.nextafter(midway, 0), numpy.nextafter(midway, infinity)]
        + [numpy.array([infinity, 3e38, 1e-45, 1e-8], numpy.float32)]
    ).astype(numpy.float32)
    values = numpy.concatenate([values, -values])
    out = numpy.empty(len(values), numpy.uint16)
    library.values_store.restype = ctypes.c_size_t
    store = lambda values: library.values_store(1, values.ctypes, len(values), out.ctypes)
    with numpy.errstate(over="ignore"):
        expected = values.astype(numpy.float16)
    lost = numpy.isinf(expected) & numpy.isfinite(values)
    assert store(values[~lost]) == numpy.sum(~lost)
    assert numpy.array_equal(out[: numpy.sum(~lost)], expected[~lost].view(numpy.uint16))
    for value in values[lost]:
        assert store(numpy.array([1, value, 1], numpy.float32)) == 1
