"""Model files: what the loaders hand out is what was written, and what they refuse, and how."""

import ctypes
import json
import os
import struct
import subprocess

import gguf
import numpy
import pytest

import models
from checkpoints import check, declare, fields, opened, refusal, tokenizer_refusal
from library import COMMAND, Error, Tokens
from llm import LLM
from models import Config

TYPES = models.TYPES
FORMATS = ["gguf", "huggingface", "llmc"]


@pytest.fixture(scope="module")
def library(library):
    return declare(library)


def random_config(random, **settings):
    """Unusual sizes; channels and inner are multiples of 256 where a test quantises to q6_K."""
    heads = int(random.integers(1, 6))
    sizes = {
        "layers": int(random.integers(1, 4)),
        "heads": heads,
        "channels": heads * int(random.integers(3, 20)),
        "context": int(random.integers(2, 40)),
        "vocabulary": int(random.integers(257, 330)),
        "inner": int(random.integers(5, 90)),
        "epsilon": float(random.uniform(1e-6, 1e-3)),
    }
    return Config(**(sizes | settings))


# --- what is written is what is handed out ---


def test_row_bytes(library):
    for number, type in enumerate(TYPES):
        assert library.tensor_type_name(number) == type.lower().replace("_k", "_K").encode()
        elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type]]
        assert library.tensor_row_bytes(number, 3 * elements) == 3 * size
        if elements > 1:
            assert library.tensor_row_bytes(number, 3 * elements + elements // 2) == 0


@pytest.mark.parametrize("type", TYPES)
def test_gguf(library, random, tmp_path, type):
    block = 256 if type.endswith("_K") else 32
    config = random_config(random, heads=4, channels=block, inner=2 * block, layers=2)
    tensors = models.random_gpt2(config, random)
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, type)
    with opened(library, path) as checkpoint:
        assert checkpoint.format == b"GGUF" and checkpoint.name == b"random gpt2"
        check(library, checkpoint, config, models.gguf_rounded(tensors, type))
        assert checkpoint.tokenizer is None and checkpoint.end_of_text == 2**32 - 1


@pytest.mark.parametrize("version, alignment", [(2, 32), (3, 8), (3, 256)])
def test_gguf_versions(library, random, tmp_path, version, alignment):
    config = random_config(random)
    tensors = models.random_gpt2(config, random)
    path = tmp_path / "model.gguf"
    models.write_gguf(path, config, tensors, version=version, alignment=alignment)
    with opened(library, path) as checkpoint:
        check(library, checkpoint, config, tensors)


def test_gguf_without_name(library, random, tmp_path):
    drop = lambda writer: writer.kv_data[0].pop("general.name")
    tensors = models.random_gpt2(Config(), random)
    path = models.write_gguf(tmp_path / "my-gpt2.gguf", Config(), tensors, keys=drop)
    with opened(library, path) as checkpoint:
        assert checkpoint.name == b"my-gpt2"


def test_gguf_mixed_types(library, random, tmp_path):
    """llama-quantize stores the embedding of a q4_0 file as q6_K; floats may be halves anywhere."""
    config = random_config(random, heads=2, channels=256, inner=256, tied=False)
    tensors = models.random_gpt2(config, random)
    types = {
        "token_embd.weight": "Q6_K",
        "output.weight": "Q8_0",
        "position_embd.weight": "F16",
        "blk.0.attn_norm.weight": "F16",
        "blk.0.ffn_up.bias": "BF16",
    }
    path = models.write_gguf(tmp_path / "model.gguf", config, tensors, "Q4_0", types=types)
    with opened(library, path) as checkpoint:
        check(library, checkpoint, config, models.gguf_rounded(tensors, "Q4_0", types))


def test_gguf_padded_vocabulary(library, random, tmp_path):
    """Rows beyond the vocabulary are left out."""
    config = random_config(random, vocabulary=300)
    tensors = models.random_gpt2(config, random)
    padded = tensors | {"wte.weight": numpy.pad(tensors["wte.weight"], ((0, 84), (0, 0)))}
    size = lambda writer: writer.add_vocab_size(300)
    path = models.write_gguf(tmp_path / "model.gguf", config, padded, keys=size)
    with opened(library, path) as checkpoint:
        check(library, checkpoint, config, tensors)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("prefix", [True, False])
def test_huggingface(library, random, tmp_path, dtype, shards, prefix):
    config = random_config(random, scale_by_layer=bool(random.integers(2)))
    tensors = models.random_gpt2(config, random)
    folder = tmp_path / "my-gpt2"
    models.write_huggingface(folder, config, tensors, dtype, shards, prefix)
    with opened(library, folder) as checkpoint:
        assert checkpoint.format == b"Hugging Face" and checkpoint.name == b"my-gpt2"
        rounded = {name: models.rounded(array, dtype) for name, array in tensors.items()}
        check(library, checkpoint, config, rounded)


@pytest.mark.parametrize("prefix", [True, False])
def test_huggingface_untied(library, random, tmp_path, prefix):
    config = random_config(random, tied=False, scale_attention=False)
    tensors = models.random_gpt2(config, random)
    models.write_huggingface(tmp_path / "model", config, tensors, prefix=prefix)
    with opened(library, tmp_path / "model" / "model.safetensors") as checkpoint:
        check(library, checkpoint, config, tensors)


def test_huggingface_extra_tensors(library, random, tmp_path):
    """Causal masks, a tied lm_head and the head of another task are no part of the text model."""
    config = random_config(random)
    tensors = models.random_gpt2(config, random)
    mask = numpy.tril(numpy.ones((1, 1, config.context, config.context), numpy.float32))
    extra = {
        "h.0.attn.bias": mask,
        "h.0.attn.masked_bias": numpy.float32([-1e4]),
        "lm_head.weight": tensors["wte.weight"],
    }
    folder = models.write_huggingface(tmp_path / "model", config, tensors | extra)
    with opened(library, folder) as checkpoint:
        check(library, checkpoint, config, tensors)


def test_huggingface_defaults(library, random, tmp_path):
    """An absent setting has the value that transformers' GPT2Config gives it."""
    config = Config(layers=12, heads=12, channels=12, context=1024, vocabulary=50257)
    tensors = models.random_gpt2(config, random)
    folder = models.write_huggingface(tmp_path / "model", config, tensors)
    (folder / "config.json").write_text('{"model_type": "gpt2", "n_embd": 12}')
    with opened(library, folder) as checkpoint:
        check(library, checkpoint, config, tensors)


def test_huggingface_old_config(library, random, tmp_path):
    """Other names of the same settings; no model_type but a class; null for "the default"."""
    config = random_config(random, inner=0, epsilon=1e-5)
    tensors = models.random_gpt2(config, random)
    folder = models.write_huggingface(tmp_path / "model", config, tensors)
    old = {
        "architectures": ["GPT2LMHeadModel"],
        "hidden_size": config.channels,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "n_ctx": config.context,
        "vocab_size": config.vocabulary,
        "n_inner": None,
        "activation_function": None,
        "quantization_config": None,
    }
    (folder / "config.json").write_text(json.dumps(old))
    with opened(library, folder) as checkpoint:
        check(library, checkpoint, config, tensors)


@pytest.mark.parametrize("version", [3, 5])
@pytest.mark.parametrize("padding", [128, 1])
def test_llmc(library, random, tmp_path, version, padding):
    config = random_config(random, inner=0, epsilon=1e-5)
    tensors = models.random_gpt2(config, random)
    path = tmp_path / "gpt2_tiny.bin"
    models.write_llmc(path, config, tensors, version, padding=padding)
    type = "F32" if version == 3 else "BF16"
    rounded = {name: models.rounded(array, type) for name, array in tensors.items()}
    with opened(library, path) as checkpoint:
        assert checkpoint.format == b"llm.c" and checkpoint.name == b"gpt2_tiny"
        check(library, checkpoint, config, rounded)


def write_model(tmp_path, format, config, tensors, tokenizer=None):
    """A model in one of the three formats; returns the path to open."""
    if format == "gguf":
        return models.write_gguf(tmp_path / "model.gguf", config, tensors, tokenizer=tokenizer)
    if format == "llmc":
        return models.write_llmc(tmp_path / "model.bin", config, tensors, tokenizer=tokenizer)
    return models.write_huggingface(tmp_path / "model", config, tensors, tokenizer=tokenizer)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("unused", [0, 9])
def test_tokenizer(library, random, tmp_path, format, unused):
    """Every token's bytes arrive, and the id that ends a text; ids may be left over."""
    config = random_config(random, vocabulary=280 + unused, inner=0, epsilon=1e-5)
    tokenizer = models.small_tokenizer(280)
    tensors = models.random_gpt2(config, random)
    path = write_model(tmp_path, format, config, tensors, tokenizer)
    if format == "huggingface":
        settings = {"eos_token_id": tokenizer.end_of_text}
        models.write_huggingface(path, config, tensors, tokenizer=tokenizer, settings=settings)
    with opened(library, path) as checkpoint:
        assert checkpoint.end_of_text == tokenizer.end_of_text
        assert checkpoint.config.vocabulary == 280 + unused
        assert library.tokenizer_encodes(checkpoint.tokenizer) == (format != "llmc")
        nothing = None if format == "llmc" else b""  # its tokenizer knows no more ids
        texts = models.token_bytes(tokenizer) + [nothing] * unused
        assert [token_text(library, checkpoint, id) for id in range(280 + unused)] == texts


def token_text(library, checkpoint, id):
    size = ctypes.c_size_t()
    data = library.tokenizer_bytes(checkpoint.tokenizer, id, ctypes.byref(size))
    return ctypes.string_at(data, size.value) if data is not None else None


def test_gguf_tokens_without_types(library, random, tmp_path):
    """Old files have no types: the token that ends a text is special all the same."""
    config = random_config(random, vocabulary=280)
    tokenizer = models.small_tokenizer(280)
    tensors = models.random_gpt2(config, random)
    drop = lambda writer: writer.kv_data[0].pop("tokenizer.ggml.token_type")
    path = tmp_path / "model.gguf"
    models.write_gguf(path, config, tensors, tokenizer=tokenizer, keys=drop)
    with opened(library, path) as checkpoint:
        assert checkpoint.end_of_text == 279
        text, tokens, error = b"<|endoftext|>", Tokens(), Error()
        tokenizer = ctypes.c_void_p(checkpoint.tokenizer)
        size = ctypes.c_size_t(len(text))
        library.tokenizer_encode(tokenizer, text, size, 0, ctypes.byref(tokens), ctypes.byref(error))
        assert tokens.ids[: tokens.count] == [279]
        library.llm_tokens_free(ctypes.byref(tokens))


# --- refused by name ---


def replace_key(key, value, type):
    """For write_gguf's `keys`: put another value in the place of a key's own."""

    def change(writer):
        writer.kv_data[0].pop(key, None)
        writer.add_key_value(key, value, type)

    return change


UINT32, FLOAT32 = gguf.GGUFValueType.UINT32, gguf.GGUFValueType.FLOAT32
STRING, BOOL = gguf.GGUFValueType.STRING, gguf.GGUFValueType.BOOL


@pytest.mark.parametrize(
    "key, value, type, words",
    [
        ("general.architecture", "mamba", STRING, ["mamba", "gpt2"]),
        ("general.alignment", 24, UINT32, ["general.alignment", "power of two"]),
        ("general.alignment", 0, UINT32, ["general.alignment"]),
        ("split.count", 3, gguf.GGUFValueType.UINT16, ["3", "gguf-split"]),
        ("gpt2.block_count", 0, UINT32, ["0 layers"]),
        ("gpt2.block_count", 1, UINT32, ["blk.1.", "not part"]),
        ("gpt2.block_count", 3, UINT32, ["blk.2.attn_norm.weight", "missing"]),
        ("gpt2.block_count", 2**31, UINT32, ["2147483648 layers"]),
        ("gpt2.block_count", 2.0, FLOAT32, ["gpt2.block_count", "whole number"]),
        ("gpt2.block_count", -2, gguf.GGUFValueType.INT32, ["gpt2.block_count"]),
        ("gpt2.block_count", 2**40, gguf.GGUFValueType.UINT64, ["gpt2.block_count"]),
        ("gpt2.attention.head_count", 0, UINT32, ["0 attention heads"]),
        ("gpt2.attention.head_count", 5, UINT32, ["5 attention heads", "64"]),
        ("gpt2.attention.head_count_kv", 1, UINT32, ["1 heads"]),
        ("gpt2.attention.layer_norm_epsilon", 0.0, FLOAT32, ["epsilon"]),
        ("gpt2.attention.layer_norm_epsilon", float("nan"), FLOAT32, ["epsilon"]),
        ("gpt2.attention.layer_norm_epsilon", float("inf"), FLOAT32, ["epsilon"]),
        ("gpt2.attention.layer_norm_epsilon", "1e-5", STRING, ["epsilon", "number"]),
        ("gpt2.context_length", 0, UINT32, ["0 positions"]),
        ("gpt2.context_length", 31, UINT32, ["position_embd.weight", "[32, 64]", "[31, 64]"]),
        ("gpt2.embedding_length", 2**32 - 1, UINT32, ["4294967295 channels"]),
        ("gpt2.feed_forward_length", 255, UINT32, ["blk.0.ffn_up.weight", "[256, 64]"]),
        ("gpt2.vocab_size", 301, UINT32, ["token_embd.weight", "[300, 64]", "[301, 64]"]),
        ("gpt2.attention.causal", False, BOOL, ["gpt2.attention.causal", "false"]),
        ("gpt2.rope.freq_base", 1e4, FLOAT32, ["gpt2.rope.freq_base", "10000", "not known"]),
        ("tokenizer.ggml.tokens", 7, UINT32, ["tokenizer.ggml.tokens", "texts"]),
        ("general.name", 7, UINT32, ["general.name", "text"]),
    ],
)
def test_gguf_keys_refused(library, random, tmp_path, key, value, type, words):
    config = Config()
    tensors = models.random_gpt2(config, random)
    path, tokenizer = tmp_path / "model.gguf", models.small_tokenizer(300)
    keys = replace_key(key, value, type)
    models.write_gguf(path, config, tensors, tokenizer=tokenizer, keys=keys)
    message = refusal(library, path)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    "key, value, type, words",
    [
        ("tokenizer.ggml.model", "bert", STRING, ["tokenizer", "bert"]),
        ("tokenizer.ggml.model", "llama", STRING, ["tokenizer.ggml.scores"]),
        ("tokenizer.ggml.pre", "bloom", STRING, ["bloom", "gpt-2"]),
        ("tokenizer.ggml.add_sep_token", True, BOOL, ["tokenizer.ggml.add_sep_token"]),
        ("tokenizer.ggml.add_space_prefix", True, BOOL, ["tokenizer.ggml.add_space_prefix"]),
    ],
)
def test_gguf_tokenizer_refused(library, random, tmp_path, key, value, type, words):
    """The model can still be run, on token ids."""
    tensors = models.random_gpt2(Config(), random)
    path, tokenizer = tmp_path / "model.gguf", models.small_tokenizer(300)
    keys = replace_key(key, value, type)
    models.write_gguf(path, Config(), tensors, tokenizer=tokenizer, keys=keys)
    message = tokenizer_refusal(library, path)
    assert all(word in message for word in words), message


REQUIRED_KEYS = [
    "gpt2.block_count",
    "gpt2.attention.head_count",
    "gpt2.embedding_length",
    "gpt2.feed_forward_length",
    "gpt2.context_length",
    "gpt2.attention.layer_norm_epsilon",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
]


@pytest.mark.parametrize("key", REQUIRED_KEYS)
def test_gguf_key_missing(library, random, tmp_path, key):
    config = Config(vocabulary=258)
    tensors = models.random_gpt2(config, random)
    path, tokenizer = tmp_path / "model.gguf", models.small_tokenizer(258)
    drop = lambda writer: writer.kv_data[0].pop(key)
    models.write_gguf(path, config, tensors, tokenizer=tokenizer, keys=drop)
    refused = tokenizer_refusal if key.startswith("tokenizer.") else refusal
    message = refused(library, path)
    assert key in message and "missing" in message


def test_gguf_pre_accepted(library, random, tmp_path):
    """ "default" is what a converter writes that did not recognise the tokenizer."""
    config = Config()
    tensors = models.random_gpt2(config, random)
    path, tokenizer = tmp_path / "model.gguf", models.small_tokenizer(300)
    keys = replace_key("tokenizer.ggml.pre", "default", STRING)
    models.write_gguf(path, config, tensors, tokenizer=tokenizer, keys=keys)
    with opened(library, path) as checkpoint:
        assert checkpoint.tokenizer


@pytest.mark.parametrize("format", ["gguf", "huggingface"])
def test_each_tensor_is_needed(library, random, tmp_path, format):
    config = Config(layers=1)
    tensors = models.random_gpt2(config, random)
    for name in tensors:
        rest = {other: array for other, array in tensors.items() if other != name}
        path = write_model(tmp_path, format, config, rest)
        message = refusal(library, path)
        if format == "gguf" and name == "wte.weight":
            assert "vocabulary" in message
        else:
            missing = models.gguf_name(name) if format == "gguf" else f"transformer.{name}"
            assert f"{missing} is missing" in message


@pytest.mark.parametrize("format", ["gguf", "huggingface"])
def test_each_shape_is_checked(library, random, tmp_path, format):
    config = Config(layers=1, channels=48)
    tensors = models.random_gpt2(config, random)
    for name, array in tensors.items():
        wrong = array[:-1] if random.integers(2) else array[..., :-1]
        path = write_model(tmp_path, format, config, tensors | {name: numpy.ascontiguousarray(wrong)})
        if format == "gguf" and name == "wte.weight" and wrong.shape[1] == 48:
            with opened(library, path) as checkpoint:  # a smaller vocabulary, no contradiction
                assert checkpoint.config.vocabulary == 299
        else:
            message = refusal(library, path)
            shown = models.gguf_name(name) if format == "gguf" else f"transformer.{name}"
            assert f"{shown} has the shape [" in message


@pytest.mark.parametrize("format", ["gguf", "huggingface"])
def test_dimensions_are_checked(library, random, tmp_path, format):
    """A vector is not a matrix of one column, nor a matrix a vector."""
    tensors = models.random_gpt2(Config(), random)
    for name in ["ln_f.bias", "wpe.weight"]:
        shape = (-1, 1) if tensors[name].ndim == 1 else -1
        wrong = tensors | {name: tensors[name].reshape(shape)}
        assert "has the shape [" in refusal(library, write_model(tmp_path, format, Config(), wrong))


def test_gguf_extra_tensor_refused(library, random, tmp_path):
    config = Config(layers=1)
    tensors = models.random_gpt2(config, random)
    path = tmp_path / "model.gguf"
    models.write_gguf(path, config, tensors | {"h.1.ln_1.weight": tensors["ln_f.weight"]})
    assert "blk.1.attn_norm.weight is not part of the GPT-2 model" in refusal(library, path)


def test_huggingface_adapter_refused(library, random, tmp_path):
    config = Config(layers=1)
    tensors = models.random_gpt2(config, random)
    extra = {"h.0.attn.c_attn.lora_A.weight": tensors["wpe.weight"]}
    folder = models.write_huggingface(tmp_path / "model", config, tensors | extra)
    assert "transformer.h.0.attn.c_attn.lora_A.weight" in refusal(library, folder)


def tensor_info(data, name):
    """Offsets, in the bytes of a GGUF file, of a tensor's n_dims, first size, type and offset."""
    start = data.index(struct.pack("<Q", len(name)) + name.encode()) + 8 + len(name)
    (dimensions,) = struct.unpack_from("<I", data, start)
    return start, start + 4, start + 4 + 8 * dimensions, start + 8 + 8 * dimensions


def patched(path, offset, format, value):
    """Overwrite a number in a file."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<" + format, value))


@pytest.mark.parametrize(
    "number, words",
    [
        (22, "is stored as iq2_s, which is not supported; convert it to f16 or q8_0"),
        (26, "is stored as i32, which is not supported"),
        (4, "unknown type 4"),
        (2**32 - 1, "unknown type 4294967295"),
    ],
)
def test_gguf_type_refused(library, random, tmp_path, number, words):
    path = models.write_gguf(tmp_path / "model.gguf", Config(), models.random_gpt2(Config(), random))
    patched(path, tensor_info(path.read_bytes(), "blk.0.ffn_up.weight")[2], "I", number)
    assert f"blk.0.ffn_up.weight {words}" in refusal(library, path).replace("is stored as the ", "")


def test_gguf_quantised_vector_refused(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    for name in ["blk.0.attn_norm.weight", "position_embd.weight"]:
        path = tmp_path / "model.gguf"
        models.write_gguf(path, Config(), tensors, types={name: "Q8_0"})
        assert f"{name} is stored as q8_0" in refusal(library, path)


def test_head_size(library, random, tmp_path):
    for heads, accepted in [(2, True), (1, False)]:
        config = Config(heads=heads, channels=512, layers=1)
        path = write_model(tmp_path, "gguf", config, models.random_gpt2(config, random))
        if accepted:
            with opened(library, path) as checkpoint:
                assert checkpoint.config.channels == 512
        else:
            assert "head size is 512" in refusal(library, path)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"model_type": "mamba"}, ["model_type", "mamba"]),
        ({"model_type": None, "architectures": ["BertModel"]}, ["model_type"]),
        ({"model_type": 3}, ["model_type", "text"]),
        ({"activation_function": "gelu"}, ["activation_function", "gelu"]),
        ({"activation_function": "relu"}, ["activation_function", "relu"]),
        ({"add_cross_attention": True}, ["add_cross_attention"]),
        ({"quantization_config": {"bits": 4}}, ["quantization_config"]),
        ({"tie_word_embeddings": False}, ["tie_word_embeddings", "lm_head.weight"]),
        ({"scale_attn_weights": 1}, ["scale_attn_weights", "true or false"]),
        ({"n_layer": 1}, ["h.1.", "not part"]),
        ({"n_layer": 2.5}, ["n_layer", "whole number"]),
        ({"n_layer": -1}, ["n_layer", "whole number"]),
        ({"n_layer": 1e300}, ["n_layer", "whole number"]),
        ({"n_layer": "2"}, ["n_layer", "whole number"]),
        ({"n_head": 3}, ["3 attention heads", "64 channels"]),
        ({"n_embd": 0}, ["0 channels"]),
        ({"n_inner": 128}, ["h.0.mlp.c_fc.weight", "[64, 256]", "[64, 128]"]),
        ({"n_positions": 64}, ["wpe.weight", "[32, 64]", "[64, 64]"]),
        ({"layer_norm_epsilon": 0}, ["epsilon"]),
        ({"layer_norm_epsilon": "small"}, ["layer_norm_epsilon", "number"]),
    ],
)
def test_config_refused(library, random, tmp_path, settings, words):
    tensors = models.random_gpt2(Config(), random)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, settings=settings)
    message = refusal(library, folder)
    assert all(word in message for word in words), message


def test_activation_accepted(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    settings = {"activation_function": "gelu_pytorch_tanh", "reorder_and_upcast_attn": True}
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, settings=settings)
    with opened(library, folder) as checkpoint:
        check(library, checkpoint, Config(), tensors)


@pytest.mark.parametrize("number, words", [(4, "version 4"), (1, "version 1"), (0, "version 0")])
def test_llmc_version_refused(library, random, tmp_path, number, words):
    path = tmp_path / "model.bin"
    models.write_llmc(path, Config(), models.random_gpt2(Config(), random))
    patched(path, 4, "i", number)
    assert words in refusal(library, path)


# --- files that are missing, of another kind, or damaged ---


def test_missing_files(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    assert "No such file" in refusal(library, tmp_path / "absent.gguf")
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "save_pretrained" in refusal(library, folder)
    (folder / "pytorch_model.bin").unlink()
    assert "no model.safetensors" in refusal(library, folder)
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(library, folder)
    os.mkfifo(tmp_path / "pipe")
    assert "regular file" in refusal(library, tmp_path / "pipe")


@pytest.mark.parametrize("content", [b"", b"G", b"GGU", b"GGUX" * 9, b"PK\3\4" + bytes(99), bytes(999)])
def test_wrong_magic(library, tmp_path, content):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    message = refusal(library, path)
    assert "GGUF" in message and "Hugging Face" in message and "llm.c" in message


def test_big_endian_and_old_gguf(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    for version, words in [(1, "version 1"), (4, "version 4"), (3 << 24, "big-endian")]:
        path = models.write_gguf(tmp_path / "model.gguf", Config(), tensors, version=version)
        assert words in refusal(library, path)


def test_shard_outside_the_folder(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, shards=2)
    index = folder / "model.safetensors.index.json"
    text, shard = index.read_text(), "model-00001-of-00002.safetensors"
    (folder / shard).rename(tmp_path / shard)
    assert shard in refusal(library, folder)
    for outside in [f"../{shard}", f"{tmp_path}/{shard}", "..", "", "config.json"]:
        index.write_text(text.replace(shard, outside))
        assert "same folder" in refusal(library, folder)
    index.write_text("{}")
    assert "weight_map" in refusal(library, folder)


def test_renamed_safetensors(library, random, tmp_path):
    """Opening another file than the named one would be a surprise."""
    folder = models.write_huggingface(tmp_path / "m", Config(), models.random_gpt2(Config(), random))
    (folder / "model.safetensors").rename(folder / "mine.safetensors")
    assert "model.safetensors" in refusal(library, folder / "mine.safetensors")


def test_duplicates(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    path = models.write_gguf(tmp_path / "model.gguf", Config(), tensors)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"blk.0.ffn_up.bias", b"blk.1.ffn_up.bias"))
    assert "two tensors named blk.1.ffn_up.bias" in refusal(library, path)
    path.write_bytes(
        data.replace(b"gpt2.block_count", b"gpt2.context_len").replace(
            b"gpt2.context_length", b"gpt2.context_len\0\0\0"
        )
    )
    assert "missing" in refusal(library, path)
    path.write_bytes(data.replace(b"general.name", b"general.type"))
    duplicated = lambda writer: writer.add_key_value("general.typf", "model", STRING)
    models.write_gguf(path, Config(), tensors, keys=duplicated)
    path.write_bytes(path.read_bytes().replace(b"general.typf", b"general.name"))
    assert "general.name is there twice" in refusal(library, path)

    folder = models.write_huggingface(tmp_path / "model", Config(), tensors)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"n_layer"', '"n_head"'))
    assert '"n_head" is there twice' in refusal(library, folder)
    (folder / "config.json").write_text(config)
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data.replace(b"h.0.mlp.c_fc.bias", b"h.1.mlp.c_fc.bias"))
    assert '"transformer.h.1.mlp.c_fc.bias" is there twice' in refusal(library, folder)


HUGE = [2**63, 2**64 - 1, 2**62, 2**32, 2**31]


@pytest.mark.parametrize("value", HUGE)
def test_gguf_overflow(library, random, tmp_path, value):
    """Counts, lengths, sizes and offsets that overflow, or go far beyond the file."""
    tensors = models.random_gpt2(Config(), random)
    path, tokenizer = tmp_path / "model.gguf", models.small_tokenizer(300)
    data = models.write_gguf(path, Config(), tensors, tokenizer=tokenizer).read_bytes()
    _, size, _, offset = tensor_info(data, "blk.1.ffn_up.weight")
    name = data.index(b"blk.1.ffn_up.weight") - 8
    key = data.index(b"general.name") - 8
    tokens = data.index(b"tokenizer.ggml.tokens") + 21 + 8
    types = data.index(b"tokenizer.ggml.token_type") + 25 + 8
    places = [8, 16, name, key, key + 8 + 12 + 4, tokens, tokens + 8, types, size, size + 8, offset]
    for place in places:
        path.write_bytes(data)
        patched(path, place, "Q", value)
        refusal(library, path)


def test_gguf_wrapping(library, random, tmp_path):
    """Sizes whose product, or sum, is right again after it overflows."""
    tensors = models.random_gpt2(Config(), random)
    tensors["wte.weight"] = tensors.pop("wte.weight")  # now the last in the file
    path, tokenizer = tmp_path / "model.gguf", models.small_tokenizer(300)
    data = models.write_gguf(path, Config(), tensors, tokenizer=tokenizer).read_bytes()
    columns = tensor_info(data, "token_embd.weight")[1]
    types = data.index(b"tokenizer.ggml.token_type") + 25 + 8
    changes = [
        (columns, 64 + 2**32, "does not fit its type"),
        (columns + 8, 300 + 2**56, "does not fit its type"),
        (columns + 8, 2**56 - 1, "does not fit this file"),
        (types, 300 + 2**62, "ends inside its header"),
    ]
    for place, value, words in changes:
        path.write_bytes(data)
        patched(path, place, "Q", value)
        assert words in refusal(library, path)


@pytest.mark.parametrize("value", HUGE)
def test_safetensors_overflow(library, random, tmp_path, value):
    tensors = models.random_gpt2(Config(), random)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors)
    path = folder / "model.safetensors"
    data = path.read_bytes()
    patched(path, 0, "Q", value)
    assert str(value) in refusal(library, folder)
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + size])
    name = "transformer.h.1.mlp.c_fc.weight"
    begin, end = header[name]["data_offsets"]
    for change in [
        {"shape": [value, 64]},
        {"shape": [64, value]},
        {"shape": [value, value, value, value]},
        {"shape": [64, 256] + [1] * 9},
        {"data_offsets": [begin, value]},
        {"data_offsets": [value, end]},
        {"data_offsets": [value, value]},
        {"data_offsets": [end, begin]},
        {"data_offsets": [-begin, end]},
        {"data_offsets": [begin, end - 4]},
        {"data_offsets": [end, end]},
        {"data_offsets": [begin]},
        {"data_offsets": "all"},
        {"shape": 64},
        {"shape": ["64", "256"]},
        {"dtype": "F64"},
        {"dtype": 7},
    ]:
        text = json.dumps(header | {name: header[name] | change}).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
        assert name in refusal(library, folder)


@pytest.mark.parametrize("field", range(2, 8))
def test_llmc_overflow(library, random, tmp_path, field):
    """Sizes that are zero, negative, huge, or another model's."""
    path = tmp_path / "model.bin"
    data = models.write_llmc(path, Config(), models.random_gpt2(Config(), random)).read_bytes()
    (size,) = struct.unpack_from("<i", data, 4 * field)
    for value in [0, -1, 2**31 - 1, -(2**31), 2**24, size + 99]:
        path.write_bytes(data)
        patched(path, 4 * field, "i", value)
        refusal(library, path)


def weights_and_header(path, format, config):
    """The file that holds the weights, and the number of its bytes before the tensors' data."""
    file = path / "model.safetensors" if format == "huggingface" else path
    data = file.read_bytes()
    if format == "llmc":
        return file, 1024
    if format == "huggingface":
        return file, 8 + struct.unpack_from("<Q", data)[0]
    last = models.gguf_name(list(models.shapes(config))[-1])
    return file, tensor_info(data, last)[3] + 8


@pytest.mark.parametrize("format", FORMATS)
def test_truncated(library, random, tmp_path, format):
    """Cut anywhere in the header, and at many places behind it."""
    config = Config(layers=1, vocabulary=260)
    tokenizer = models.small_tokenizer(260) if format == "gguf" else None
    tensors = models.random_gpt2(config, random)
    path = write_model(tmp_path, format, config, tensors, tokenizer)
    file, header = weights_and_header(path, format, config)
    with opened(library, path) as checkpoint:
        check(library, checkpoint, config, tensors)
    size = file.stat().st_size
    cuts = [*range(header), *random.integers(header, size, 100), size - 1]
    for cut in sorted(map(int, cuts), reverse=True):
        os.truncate(file, cut)
        refusal(library, path)


@pytest.mark.parametrize("format", FORMATS)
def test_flipped_bytes(library, random, tmp_path, format):
    """A damaged header is refused, or what is handed out lies inside the file."""
    config = Config(layers=1)
    tokenizer = models.small_tokenizer(300) if format == "gguf" else None
    tensors = models.random_gpt2(config, random)
    path = write_model(tmp_path, format, config, tensors, tokenizer)
    file, header = weights_and_header(path, format, config)
    with opened(library, path) as checkpoint:
        check(library, checkpoint, config, tensors)
    data = file.read_bytes()
    for place in random.integers(0, min(header, 4096), 1500):
        patched(file, int(place), "B", int(random.integers(256)))
        error = Error()
        checkpoint = library.model_file_open(os.fsencode(path), ctypes.byref(error))
        patched(file, int(place), "B", data[place])
        if not checkpoint:
            assert error.status and error.message and b"\n" not in error.message
            continue
        for tensor in fields(checkpoint.contents).values():
            size = library.tensor_bytes(ctypes.byref(tensor))
            ctypes.string_at(tensor.data, 1), ctypes.string_at(tensor.data + size - 1, 1)
        library.model_file_close(checkpoint)


def test_longer_llmc(library, random, tmp_path):
    path = models.write_llmc(tmp_path / "model.bin", Config(), models.random_gpt2(Config(), random))
    with open(path, "ab") as file:
        file.write(b"\0")
    assert "longer" in refusal(library, path)


MALFORMED = {
    "empty": "",
    "open": "{",
    "array": "[]",
    "number": "7",
    "no keys": "{}",
    "NUL": "\0",
    "deep arrays": "[" * 100000,
    "deep objects": '{"a":' * 100000,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_json(library, random, tmp_path, text):
    tensors = models.random_gpt2(Config(), random)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text)
    refusal(library, folder)
    (folder / "config.json").write_text(config + "x")
    assert "not a JSON object" in refusal(library, folder)
    (folder / "config.json").write_text(config + " \n")
    weights = (folder / "model.safetensors").read_bytes()[8:]
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text.encode() + weights)
    refusal(library, folder)


# --- what a verb does not use need not be there ---


def command(*arguments, text=""):
    """The standard output of metal-llm, which must succeed."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)], input=text, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("config", [True, False])
def test_tokenize_without_weights(library, random, tmp_path, config):
    tokenizer = models.small_tokenizer(300)
    tensors = models.random_gpt2(Config(), random)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, tokenizer=tokenizer)
    ids = command("tokenize", folder, text="the people<|endoftext|>").split()
    assert ids[-1] == "299"
    (folder / "model.safetensors").unlink()
    if not config:
        (folder / "config.json").unlink()
    assert command("tokenize", folder, text="the people<|endoftext|>").split() == ids
    assert command("detokenize", folder, text=" ".join(ids)) == "the people<|endoftext|>"
    assert "in this folder" in refusal(library, folder)


def test_gguf_with_a_vocabulary_only(library, tmp_path):
    """As llama.cpp's ggml-vocab-gpt-2.gguf: keys and tokens, but no tensors."""
    tokenizer, config = models.small_tokenizer(300), Config()
    embedding = {"wte.weight": numpy.zeros((300, 64), numpy.float32)}
    path = models.write_gguf(tmp_path / "vocab.gguf", config, embedding, tokenizer=tokenizer)
    data = path.read_bytes()
    start = data.index(struct.pack("<Q", 17) + b"token_embd.weight")
    path.write_bytes(data[:8] + struct.pack("<Q", 0) + data[16:start])
    ids = command("tokenize", path, text="the people").split()
    assert command("detokenize", path, text=" ".join(ids)) == "the people"
    assert "no weights" in refusal(library, path)


def test_unusable_tokenizer(library, random, tmp_path):
    """A model runs on token ids, and says what it is, whatever its tokenizer is."""
    tokenizer, config = models.small_tokenizer(300), Config()
    path = tmp_path / "model.gguf"
    keys = replace_key("tokenizer.ggml.pre", "no-such-split", STRING)
    tensors = models.random_gpt2(config, random)
    models.write_gguf(path, config, tensors, tokenizer=tokenizer, keys=keys)
    assert "no-such-split" in tokenizer_refusal(library, path)
    assert "no-such-split" in command("info", path)
    command("logits", path, "--tokens", "1 2 3", "-o", tmp_path / "out.npy")
    for arguments in [("run", path, "the"), ("convert", path, tmp_path / "out.gguf")]:
        result = subprocess.run([COMMAND, *arguments], capture_output=True, text=True)
        assert result.returncode and "no-such-split" in result.stderr


# --- tokens that end a text ---


def ends(model):
    return model.ends.ids[: model.ends.count]


@pytest.mark.parametrize(
    "config, generation, expected",
    [
        ([7, 5], None, [7, 5]),
        (7, {"eos_token_id": [5, 7, 9]}, [7, 5, 9]),
        (None, {"eos_token_id": 5}, [5]),
        ([7, 300, -1, 7], {"eos_token_id": None}, [7]),
        (None, None, [299]),
        (4000, {"eos_token_id": []}, [299]),
    ],
)
def test_huggingface_end_tokens(library, random, tmp_path, config, generation, expected):
    """Those of config.json, then those of generation_config.json; else the tokenizer's."""
    tensors, tokenizer = models.random_gpt2(Config(), random), models.small_tokenizer(300)
    settings = {"eos_token_id": config}
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, tokenizer=tokenizer, settings=settings)
    if generation:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    with opened(library, folder) as model:
        assert ends(model) == expected and model.end_of_text == expected[0]


def test_gguf_end_tokens(library, random, tmp_path):
    """End of text, of a turn, of a message; a conversion keeps any number of them."""
    tensors, tokenizer = models.random_gpt2(Config(), random), models.small_tokenizer(300)

    def keys(writer):
        writer.add_uint32("tokenizer.ggml.eot_token_id", 33)
        writer.add_uint32("tokenizer.ggml.eom_token_id", 299)

    path = tmp_path / "model.gguf"
    models.write_gguf(path, Config(), tensors, tokenizer=tokenizer, keys=keys)
    with opened(library, path) as model:
        assert ends(model) == [299, 33]
    for count in [1, 3, 5]:
        settings = {"eos_token_id": list(range(40, 40 + count))}
        folder = models.write_huggingface(tmp_path / "model", Config(), tensors, tokenizer=tokenizer, settings=settings)
        command("convert", folder, path, "--type", "f32")
        with opened(library, path) as model:
            assert ends(model) == list(range(40, 40 + count))


@pytest.mark.parametrize("place", ["config", "generation"])
def test_every_end_token_ends_a_text(random, tmp_path, place):
    """A model that says 33 for ever, the second of its end tokens."""
    tensors = {name: 0 * array for name, array in models.random_gpt2(Config(), random).items()}
    tensors["ln_f.bias"][0] = 1
    tensors["wte.weight"][33, 0] = 5
    both = {"eos_token_id": [299, 33]}
    settings = both if place == "config" else {"eos_token_id": 299}
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, settings=settings)
    if place == "generation":
        (folder / "generation_config.json").write_text(json.dumps(both))
    with LLM(folder, device="cpu") as model:
        assert model.generate([1, 2], 8) == []
        assert model.generate([1, 2], 8, ignore_end=True) == [33] * 8


# --- folders that Hugging Face opens ---


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("prefix", [True, False])
def test_wrapped_models(library, random, tmp_path, wrapper, prefix):
    """DistributedDataParallel and torch.compile put a prefix before every name."""
    tensors = models.random_gpt2(Config(tied=False), random)
    config = Config(tied=False)
    folder = models.write_huggingface(tmp_path / "model", config, {}, prefix=prefix)
    long = lambda name: name if not prefix or name == "lm_head.weight" else f"transformer.{name}"
    wrapped = {wrapper + long(name): array for name, array in tensors.items()}
    models.write_safetensors(folder / "model.safetensors", wrapped)
    with opened(library, folder) as model:
        check(library, model, config, tensors)


def test_tied_model_with_an_output_only(library, random, tmp_path):
    """safetensors keeps one name of two tensors that are one."""
    tensors = models.random_gpt2(Config(), random)
    renamed = dict(tensors)
    renamed["lm_head.weight"] = renamed.pop("wte.weight")
    folder = models.write_huggingface(tmp_path / "model", Config(), renamed)
    with opened(library, folder) as model:
        check(library, model, Config(), tensors)
    folder = models.write_huggingface(tmp_path / "model", Config(tied=False), renamed)
    assert "transformer.wte.weight is missing" in refusal(library, folder)


def test_unknown_settings(library, random, tmp_path):
    """What may change the model is refused by name; notes and what is off are none of that."""
    tensors = models.random_gpt2(Config(), random)
    harmless = {
        "_name_or_path": "x",
        "transformers_version": "5.0.0",
        "task_specific_params": {"text-generation": {"max_length": 50}},
        "n_ctx": 32,
        "dtype": "float32",
        "some_new_switch": False,
        "pruned_heads": {},
        "another": None,
        "labels": [],
    }
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, settings=harmless)
    with opened(library, folder) as model:
        check(library, model, Config(), tensors)
    for key, value in [
        ("sliding_window", 16),
        ("rope_parameters", {"rope_theta": 1e4}),
        ("pruned_heads", {"0": [1]}),
        ("quantization", {"bits": 4}),
        ("is_encoder_decoder", True),
    ]:
        models.write_huggingface(folder, Config(), tensors, settings={key: value})
        message = refusal(library, folder)
        assert key in message and "config.json" in message


# --- safetensors: every byte belongs to one tensor ---


def rewrite_header(path, change):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    header, rest = change(header, rest)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + rest)


def test_safetensors_extents(library, random, tmp_path):
    tensors = models.random_gpt2(Config(), random)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors)
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    spare = {"dtype": "F32", "shape": [64, 256]}

    def overlapping(header, data):
        one = header["transformer.h.1.mlp.c_fc.weight"]["data_offsets"]
        return header | {"spare": spare | {"data_offsets": one}}, data

    def partly(header, data):
        begin, end = header["transformer.h.1.mlp.c_fc.weight"]["data_offsets"]
        return header | {"spare": spare | {"data_offsets": [begin + 4, end + 4]}}, data

    def trailing(header, data):
        return header, data + b"\0"

    def hole(header, data):
        begin, end = len(data) + 4, len(data) + 4 + 4 * 64 * 256
        return header | {"spare": spare | {"data_offsets": [begin, end]}}, data + bytes(end - begin + 4)

    for change, words in [
        (overlapping, "overlap"),
        (partly, "overlap"),
        (trailing, "1 bytes follow"),
        (hole, "leave holes"),
    ]:
        path.write_bytes(whole)
        rewrite_header(path, change)
        assert words in refusal(library, folder), change
    path.write_bytes(whole)
    end = lambda header, data: (
        header | {"spare": {"dtype": "I64", "shape": [2], "data_offsets": [len(data), len(data) + 16]}},
        data + bytes(16),
    )
    rewrite_header(path, end)
    with opened(library, folder) as model:  # a type that we do not read, of a tensor that is not used
        check(library, model, Config(), tensors)


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors", "generation_config.json", "tokenizer.json", "merges.txt"],
)
def test_pipe_in_a_folder(random, tmp_path, name):
    """A FIFO is refused; opening it for reading would wait for a writer."""
    tensors, tokenizer = models.random_gpt2(Config(), random), models.small_tokenizer(300)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, tokenizer=tokenizer)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    result = subprocess.run([COMMAND, "run", folder, "the"], capture_output=True, text=True, timeout=120)
    assert result.returncode and name in result.stderr and "regular file" in result.stderr


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "model.safetensors.index.json", "tokenizer.json", "merges.txt"]
)
def test_huge_file_in_a_folder(random, tmp_path, name):
    """Is refused by its size, before it is read into memory."""
    tensors, tokenizer = models.random_gpt2(Config(), random), models.small_tokenizer(300)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, tokenizer=tokenizer, shards=2)
    (folder / name).touch()
    os.truncate(folder / name, 100 << 30)
    result = subprocess.run([COMMAND, "run", folder, "the"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1 and f"{name}: 107374182400 bytes, where at most" in result.stderr


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "generation_config.json", "tokenizer_config.json", "vocab.json"]
)
def test_link_to_nothing_in_a_folder(random, tmp_path, name):
    """As a download that was interrupted leaves it: not as if the file were not wanted."""
    tensors, tokenizer = models.random_gpt2(Config(), random), models.small_tokenizer(300)
    folder = models.write_huggingface(tmp_path / "model", Config(), tensors, tokenizer=tokenizer)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("../../blobs/missing")
    result = subprocess.run([COMMAND, "run", folder, "the"], capture_output=True, text=True, timeout=120)
    assert result.returncode and f"{name}: cannot be opened: the link leads to nothing" in result.stderr


@pytest.mark.parametrize("name", ["gone", "circle", "gone.gguf", "circle.gguf"])
@pytest.mark.parametrize(
    "words", [["run", "-m", "NAME", "the"], ["info", "NAME"], ["convert", "NAME", "out.gguf"], ["run", "NAME"]]
)
def test_a_link_that_leads_to_no_model(tmp_path, name, words):
    """Also by a name that could be that of a fetched model, or a text."""
    (tmp_path / "gone").symlink_to("nothing")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nothing.gguf")
    (tmp_path / "circle.gguf").symlink_to("circle")
    command = [COMMAND.resolve(), *(name if word == "NAME" else word for word in words)]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    where = "in a circle" if name.startswith("circle") else "to nothing"
    last = result.stderr.rstrip().splitlines()[-1]
    assert result.returncode == 1 and last == f"metal-llm: {name}: cannot be opened: the link leads {where}"


@pytest.mark.parametrize("size", [0, 7])
def test_safetensors_without_header(library, random, tmp_path, size):
    folder = models.write_huggingface(tmp_path / "model", Config(), models.random_gpt2(Config(), random))
    os.truncate(folder / "model.safetensors", size)
    assert f"a file of {size} bytes, which has no header" in refusal(library, folder)
