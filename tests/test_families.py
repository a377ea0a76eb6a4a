"""Llama, Mistral, Qwen2, Qwen3 and Gemma 3: their files, and what is refused."""

import ctypes
import json
import subprocess

import gguf
import numpy
import pytest

import families
import models
from checkpoints import ORDERS, SCALINGS, declare, opened, refusal, values
from families import LINEAR, LLAMA3, YARN, Config
from library import COMMAND

CASES = {
    "llama": Config(kv_heads=1, tied=False, bias=True),
    "llama3": Config(kv_heads=4, scaling=LLAMA3, rope_base=500000.0, head_size=24),
    "linear": Config(scaling=LINEAR),
    "yarn": Config(scaling=YARN),
    "mistral": Config(family="mistral", window=11),
    "qwen2": Config(family="qwen2", heads=6, channels=96, rope_base=1e6),
    "qwen3": Config(family="qwen3", head_size=32, kv_heads=1, rope_base=1e6, scaling=YARN),
    "gemma3": Config(family="gemma3", layers=7, head_size=24, window=9, rope_base=1e6, kv_heads=1),
    "gemma3 scaled": Config(family="gemma3", head_size=16, window=5, rope_base=1e6, scaling=LINEAR),
}
cases = pytest.mark.parametrize("case", CASES)


@pytest.fixture(scope="module")
def library(library):
    library.rope_magnitude.restype = ctypes.c_float
    return declare(library)


def check_config(found, config, order):
    """What the file says is what the model is."""
    assert (found.layers, found.heads, found.kv_heads) == (config.layers, config.heads, config.kv_heads)
    assert (found.channels, found.head_size, found.inner) == (config.channels, config.hs, config.inner)
    assert (found.context, found.vocabulary) == (config.context, config.vocabulary)
    assert found.epsilon == numpy.float32(config.epsilon) and found.tied == config.tied
    assert ORDERS[found.rope.order] == order
    windowed = [config.is_windowed(l) for l in range(config.layers)]
    assert list(found.windowed[: config.layers]) == windowed
    assert not any(windowed) or found.window == config.window
    embedding_scale = numpy.float32(config.channels**0.5) if config.is_gemma else 1
    assert found.embedding_scale == embedding_scale
    assert (found.score_scalar or found.head_size) == (config.score_scale or config.hs)


def check_rope(library, model, config):
    """The frequencies of global and of windowed layers."""
    rope = ctypes.byref(model.config.rope)
    frequencies = (ctypes.c_float * (config.rotary_size // 2))()
    for layer in range(config.layers):
        local = config.is_gemma and config.is_windowed(layer)
        if local:
            library.rope_local_frequencies(rope, frequencies)
        else:
            factors = held(library, model).get("rope_freqs.weight")
            factors = None if factors is None else factors.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            library.rope_frequencies(rope, factors, frequencies)
        expected, magnitude = families.frequencies(config, layer)
        assert len(expected) == len(frequencies)
        numpy.testing.assert_allclose(frequencies, expected, rtol=3e-7)
        assert local or library.rope_magnitude(rope) == pytest.approx(magnitude, rel=1e-6)


def held(library, model):
    """Every tensor of a model by its GGUF name."""
    return {
        placed.row.contents.gguf.decode().replace("{layer}", str(placed.layer)): values(library, placed.tensor)
        for placed in model.tensors[: model.tensor_count]
    }


def check_tensors(library, model, config, tensors, arrays):
    expected = {families.gguf_name(config, name): arrays(name, array) for name, array in tensors.items()}
    found = held(library, model)
    factors = found.pop("rope_freqs.weight", None)
    assert (factors is not None) == ((config.scaling or {}).get("rope_type") == "llama3")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        numpy.testing.assert_array_equal(found[name], array.reshape(found[name].shape), err_msg=name)


# --- what is written is what is handed out ---


@cases
def test_gguf(library, random, tmp_path, case):
    config = CASES[case]
    tensors = families.random_model(config, random)
    window = lambda writer: config.family == "mistral" and writer.add_sliding_window(config.window)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors, keys=window)
    with opened(library, path) as model:
        check_config(model.config, config, "adjacent" if config.family in ("llama", "mistral") else "halves")
        check_rope(library, model, config)
        check_tensors(library, model, config, tensors, lambda name, array: families.gguf_array(config, name, array))


@cases
@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("dtype, shards", [("F32", 1), ("BF16", 3)])
def test_huggingface(library, random, tmp_path, case, version, dtype, shards):
    config = CASES[case]
    tensors = families.random_model(config, random)
    folder = families.write_huggingface(tmp_path / "model", config, tensors, dtype, shards, version)
    with opened(library, folder) as model:
        check_config(model.config, config, "halves")
        check_rope(library, model, config)
        check_tensors(library, model, config, tensors, lambda name, array: models.rounded(array, dtype))


def test_huggingface_old_scaling(library, random, tmp_path):
    """Before transformers 4.43 the type of scaling was `type`; of version 4 is the pattern of Gemma's windows."""
    config = Config(scaling=LINEAR)
    settings = {"rope_scaling": {"type": "linear", "factor": 4.0}}
    tensors = families.random_model(config, random)
    folder = families.write_huggingface(tmp_path / "llama", config, tensors, version=4, settings=settings)
    with opened(library, folder) as model:
        check_rope(library, model, config)
    config = Config(family="gemma3", layers=5, head_size=16, window=4, global_every=3)
    settings = {"layer_types": None, "sliding_window_pattern": 3}
    folder = tmp_path / "gemma"
    families.write_huggingface(folder, config, families.random_model(config, random), version=4, settings=settings)
    with opened(library, folder) as model:
        check_config(model.config, config, "halves")


def test_qwen_windows(library, random, tmp_path):
    """Layers from max_window_layers on, if windows are used at all."""
    config = Config(family="qwen2", layers=3)
    tensors = families.random_model(config, random)
    uses = {"use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1}
    for settings, expected in [
        (uses, [False, True, True]),
        (uses | {"use_sliding_window": False}, [False] * 3),
        (uses | {"layer_types": ["sliding_attention"] + ["full_attention"] * 2}, [True, False, False]),
    ]:
        folder = families.write_huggingface(tmp_path / "model", config, tensors, settings=settings)
        with opened(library, folder) as model:
            assert list(model.config.windowed[:3]) == expected


def test_yarn_settings(library, random, tmp_path):
    """Each of YaRN's settings changes frequencies or magnitude, as in the reference."""
    more = [
        {"beta_fast": 4.0, "beta_slow": 2.0},
        {"attention_factor": 0.7},
        {"original_max_position_embeddings": None},
    ]
    for settings in more:
        config = Config(scaling=YARN | settings)
        folder = families.write_huggingface(tmp_path / "model", config, families.random_model(config, random))
        with opened(library, folder) as model:
            check_rope(library, model, config)


def test_defaults(library, random, tmp_path):
    """An absent setting has the value that transformers' configuration class gives it."""
    config = Config(
        family="qwen3", heads=32, kv_heads=32, head_size=128, layers=1, channels=8, epsilon=1e-6, tied=False
    )
    tensors = families.random_model(config, random)
    folder = families.write_huggingface(tmp_path / "model", config, tensors)
    given = {"model_type": "qwen3", "hidden_size": 8, "num_hidden_layers": 1}
    given |= {"intermediate_size": config.inner, "vocab_size": config.vocabulary}
    (folder / "config.json").write_text(json.dumps(given))
    with opened(library, folder) as model:
        assert (model.config.heads, model.config.kv_heads, model.config.head_size) == (32, 32, 128)
        assert model.config.rope.base == 10000 and not model.config.tied


# --- convert ---


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)


def gguf_contents(path):
    """The model's own keys, and the tensors as floats."""
    reader = gguf.GGUFReader(path)
    keys = {name: field.contents() for name, field in reader.fields.items()}
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1]) for t in reader.tensors}
    return keys, tensors


@cases
def test_convert(random, tmp_path, case):
    """A GGUF file of a folder has the keys and tensors that llama.cpp's conversion gives it."""
    config = CASES[case]
    tensors = families.random_model(config, random)
    expected_keys, expected = gguf_contents(families.write_gguf(tmp_path / "expected.gguf", config, tensors))
    folder = families.write_huggingface(tmp_path / "model", config, tensors)
    result = run("convert", folder, tmp_path / "model.gguf", "--type", "f32")
    assert result.returncode == 0, result.stderr
    keys, found = gguf_contents(tmp_path / "model.gguf")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        numpy.testing.assert_allclose(found[name], array, rtol=1e-6, err_msg=name)
    name = "llama" if config.family == "mistral" else config.family
    for key, value in expected_keys.items():
        if key.startswith(f"{name}."):
            assert keys[key] == pytest.approx(value), key
    more = {key for key in keys if key.startswith(f"{name}.")} - expected_keys.keys()
    allowed = (
        "key_length value_length sliding_window sliding_window_pattern freq_base_swa yarn_beta_fast yarn_beta_slow"
    )
    assert {key.rsplit(".", 1)[1] for key in more} <= set(allowed.split())


@cases
def test_convert_again(random, tmp_path, case):
    """What is written is read as what it was written from: a copy of the copy is the copy."""
    config = CASES[case]
    folder = families.write_huggingface(tmp_path / "model", config, families.random_model(config, random))
    first, second = tmp_path / "1.gguf", tmp_path / "2.gguf"
    for source, target in ((folder, first), (first, second)):
        result = run("convert", source, target, "--type", "f32")
        assert result.returncode == 0, result.stderr
    assert first.read_bytes() == second.read_bytes()


def test_convert_quantised_rows(random, tmp_path):
    """Rows of q and k change places as blocks do, too."""
    config = Config(channels=128, head_size=40, inner=128)
    tensors = families.random_model(config, random)
    folder = families.write_huggingface(tmp_path / "model", config, tensors)
    assert run("convert", folder, tmp_path / "model.gguf", "--type", "q8_0").returncode == 0
    _, found = gguf_contents(tmp_path / "model.gguf")
    for name in ("q_proj", "k_proj"):
        array = tensors[f"model.layers.1.self_attn.{name}.weight"]
        heads = config.heads if name == "q_proj" else config.kv_heads
        expected = families.adjacent_pairs(models.rounded(array, "Q8_0"), heads)
        numpy.testing.assert_array_equal(found[f"blk.1.attn_{name[0]}.weight"], expected)


@pytest.mark.parametrize(
    "config, settings, words",
    [
        (Config(family="gemma3", head_size=16, score_scale=40.0), {}, "query_pre_attn_scalar"),
        (Config(family="qwen2"), {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, "windows"),
        (Config(scaling=YARN | {"truncate": False}), {}, "truncate"),
    ],
)
def test_convert_refused(random, tmp_path, config, settings, words):
    """What no GGUF file can say."""
    tensors = families.random_model(config, random)
    folder = families.write_huggingface(tmp_path / "model", config, tensors, settings=settings)
    result = run("convert", folder, tmp_path / "model.gguf")
    assert result.returncode == 1 and words in result.stderr and not (tmp_path / "model.gguf").exists()


# --- what is refused, by name ---


@pytest.mark.parametrize(
    "family, settings, words",
    [
        ("llama", {"model_type": "smollm3"}, ["smollm3", "gpt2"]),
        ("gemma3", {"model_type": "gemma3"}, ['"gemma3"', "gpt2"]),
        ("mistral", {"model_type": "mixtral"}, ["mixtral"]),
        ("llama", {"hidden_act": "gelu"}, ["hidden_act", "gelu"]),
        ("llama", {"num_local_experts": 8}, ["num_local_experts"]),
        ("llama", {"sliding_window": 8}, ["sliding_window"]),
        ("llama", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, ["rope_type", "dynamic"]),
        ("llama", {"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}, ["longrope"]),
        ("llama", {"rope_scaling": {"factor": 2.0}}, ["rope_type"]),
        ("llama", {"rope_scaling": {"rope_type": "linear"}}, ["factor is missing"]),
        ("llama", {"rope_scaling": LLAMA3 | {"high_freq_factor": 1.0}}, ["high_freq_factor"]),
        ("llama", {"rope_scaling": LLAMA3 | {"low_freq_factor": None}}, ["low_freq_factor"]),
        ("llama", {"rope_scaling": YARN | {"long_factor": [1.0]}}, ["long_factor"]),
        ("llama", {"rope_scaling": 3}, ["rope_scaling"]),
        ("llama", {"partial_rotary_factor": 0.5}, ["partial_rotary_factor"]),
        ("llama", {"num_key_value_heads": 3}, ["3 heads of keys", "4 heads"]),
        ("llama", {"num_attention_heads": 5, "num_key_value_heads": 5}, ["5 attention heads", "64 channels"]),
        ("llama", {"head_dim": 1024}, ["1024"]),
        ("llama", {"head_dim": 15}, ["15"]),
        ("llama", {"num_attention_heads": 65536, "head_dim": 256}, ["65536", "256"]),
        ("llama", {"attention_bias": True}, ["self_attn.q_proj.bias", "missing"]),
        ("llama", {"mlp_bias": True}, ["mlp.gate_proj.bias", "missing"]),
        ("llama", {"num_hidden_layers": 1}, ["model.layers.1", "not part"]),
        ("llama", {"num_hidden_layers": 5000}, ["5000 layers"]),
        ("llama", {"tie_word_embeddings": False}, ["lm_head.weight"]),
        ("llama", {"rms_norm_eps": 0}, ["epsilon"]),
        ("qwen3", {"attention_bias": True}, ["attention_bias"]),
        ("qwen2", {"layer_types": ["full_attention"]}, ["layer_types"]),
        ("qwen2", {"layer_types": ["full_attention", "chunked_attention"]}, ["layer_types"]),
        ("qwen2", {"layer_types": [1.5, 2.5]}, ["layer_types"]),
        ("gemma3", {"final_logit_softcapping": 30.0}, ["final_logit_softcapping"]),
        ("gemma3", {"hidden_activation": "gelu"}, ["hidden_activation"]),
        ("gemma3", {"use_bidirectional_attention": True}, ["use_bidirectional_attention"]),
    ],
)
def test_config_refused(library, random, tmp_path, family, settings, words):
    config = Config(family=family)
    tensors = families.random_model(config, random)
    folder = families.write_huggingface(tmp_path / "model", config, tensors, version=4, settings=settings)
    message = refusal(library, folder)
    assert all(word in message for word in words), message


def test_unknown_biases_refused(library, random, tmp_path):
    """Biases that the configuration does not speak of are not left out in silence."""
    config = Config(bias=True)
    tensors = families.random_model(config, random)
    folder = tmp_path / "model"
    families.write_huggingface(folder, config, tensors, settings={"attention_bias": False})
    assert "bias is not part of" in refusal(library, folder)


@pytest.mark.parametrize(
    "family, keys, words",
    [
        ("llama", lambda w: w.add_expert_count(8), ["llama.expert_count", "8"]),
        ("llama", lambda w: w.add_value_length(8), ["16", "8"]),
        ("llama", lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE), ["longrope"]),
        ("llama", lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.YARN), ["factor is missing"]),
        ("llama", lambda w: w.add_logit_scale(2.0), ["llama.logit_scale"]),
        ("llama", lambda w: w.add_array("llama.attention.head_count_kv", [2, 1]), ["differ by layer"]),
        ("llama", lambda w: w.add_uint32("llama.rope.dimension_count", 7), ["7"]),
        ("llama", lambda w: w.add_uint32("llama.rope.dimension_count", 32), ["32"]),
        ("llama", lambda w: w.add_causal_attention(False), ["attention.causal"]),
        ("gemma3", lambda w: w.add_final_logit_softcapping(30.0), ["final_logit_softcapping"]),
        (
            "gemma3",
            lambda w: w.add_array("gemma3.attention.sliding_window_pattern", [True]),
            ["sliding_window_pattern"],
        ),
    ],
)
def test_keys_refused(library, random, tmp_path, family, keys, words):
    config = Config(family=family)

    def replace(writer):
        before = dict(writer.kv_data[0])
        writer.kv_data[0].clear()
        keys(writer)
        writer.kv_data[0].update({key: value for key, value in before.items() if key not in writer.kv_data[0]})

    path = families.write_gguf(tmp_path / "model.gguf", config, families.random_model(config, random), keys=replace)
    message = refusal(library, path)
    assert all(word in message for word in words), message


def test_keys_honoured(library, random, tmp_path):
    """A list whose values are all the same; a factor without a type, which is linear; patterns of windows."""
    config = Config(family="llama", kv_heads=2, scaling=LINEAR)
    tensors = families.random_model(config, random)

    def keys(writer):
        del writer.kv_data[0]["llama.rope.scaling.type"], writer.kv_data[0]["llama.attention.head_count_kv"]
        writer.add_array("llama.attention.head_count_kv", [2, 2])

    with opened(library, families.write_gguf(tmp_path / "llama.gguf", config, tensors, keys=keys)) as model:
        check_config(model.config, config, "adjacent")
        check_rope(library, model, config)
        assert SCALINGS[model.config.rope.scaling] == "linear"
    config = Config(family="gemma3", layers=3, window=5)
    for pattern, expected in [([True, False, True], [True, False, True]), (2, [True, False, True]), (0, [True] * 3)]:
        add = "add_array" if isinstance(pattern, list) else "add_uint32"
        keys = lambda writer: getattr(writer, add)("gemma3.attention.sliding_window_pattern", pattern)
        path = families.write_gguf(tmp_path / "gemma.gguf", config, families.random_model(config, random), keys=keys)
        with opened(library, path) as model:
            assert list(model.config.windowed[:3]) == expected
