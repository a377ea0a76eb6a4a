"""Random models of the Llama family (llama, qwen2, qwen3, gemma3), and what they compute, in numpy.

Tensors are float32 arrays under Hugging Face's names, matrices [out, in], the rotary order that of
halves; norm weights of Gemma are stored as w − 1. Every parameter is drawn at random.

    config = Config(family="llama", heads=4, kv_heads=2)
    tensors = random_model(config, random)
    write_gguf("model.gguf", config, tensors, type="Q8_0")
    expected = logits(config, tensors, ids)

Formulas: Zhang & Sennrich 2019 (RMSNorm), Su et al. 2021 (rotary positions), Shazeer 2020 (gated
activations), Ainslie et al. 2023 (grouped-query attention), Peng et al. 2023 (YaRN); scaling of
frequencies as transformers 5 has it (modeling_rope_utils.py).
"""

import dataclasses
import json
import math
import pathlib

import gguf
import numpy

import models
import reference

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "gemma3": "Gemma3ForCausalLM",
}


# transformers' rope_scaling, each for a context of 64.
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LINEAR = {"rope_type": "linear", "factor": 4.0}


@dataclasses.dataclass(frozen=True)
class Config:
    """The sizes and switches of a model."""

    family: str = "llama"
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    channels: int = 64
    head_size: int = 0  # 0: channels / heads
    inner: int = 96
    vocabulary: int = 300
    context: int = 64
    epsilon: float = 1e-5
    tied: bool = True
    bias: bool = False  # of q, k, v and the projection, in Llama; Qwen2 always has those of q, k, v
    rope_base: float = 10000.0
    rotary: int = 0  # channels of a head that are turned; 0: all
    scaling: dict | None = None  # transformers' rope_scaling
    window: int = 0  # tokens that a windowed layer sees, the token itself among them; 0: all
    local_base: float = 10000.0  # rope base of windowed layers
    global_every: int = 6  # each such layer is global
    score_scale: float = 0.0  # Gemma's query_pre_attn_scalar; 0: head_size

    @property
    def hs(self):
        return self.head_size or self.channels // self.heads

    @property
    def rotary_size(self):
        return self.rotary or self.hs

    @property
    def is_gemma(self):
        return self.family == "gemma3"

    @property
    def norms_heads(self):
        return self.family in ("qwen3", "gemma3")

    def is_windowed(self, layer):
        return self.window > 0 and not (self.is_gemma and (layer + 1) % self.global_every == 0)


def shapes(config):
    """The shape of every tensor, by name."""
    C, hs, inner = config.channels, config.hs, config.inner
    q, kv = config.heads * hs, config.kv_heads * hs
    layer = {
        "input_layernorm.weight": (C,),
        "self_attn.q_proj.weight": (q, C),
        "self_attn.k_proj.weight": (kv, C),
        "self_attn.v_proj.weight": (kv, C),
        "self_attn.o_proj.weight": (C, q),
        "post_attention_layernorm.weight": (C,),
        "mlp.gate_proj.weight": (inner, C),
        "mlp.up_proj.weight": (inner, C),
        "mlp.down_proj.weight": (C, inner),
    }
    if config.bias or config.family == "qwen2":
        layer |= {"self_attn.q_proj.bias": (q,), "self_attn.k_proj.bias": (kv,), "self_attn.v_proj.bias": (kv,)}
    if config.bias:
        layer |= {"self_attn.o_proj.bias": (C,)}
    if config.norms_heads:
        layer |= {"self_attn.q_norm.weight": (hs,), "self_attn.k_norm.weight": (hs,)}
    if config.is_gemma:
        layer |= {"pre_feedforward_layernorm.weight": (C,), "post_feedforward_layernorm.weight": (C,)}
    result = {"model.embed_tokens.weight": (config.vocabulary, C)}
    for l in range(config.layers):
        result |= {f"model.layers.{l}.{name}": shape for name, shape in layer.items()}
    result["model.norm.weight"] = (C,)
    if not config.tied:
        result["lm_head.weight"] = (config.vocabulary, C)
    return result


def is_norm(name):
    return name.endswith("norm.weight")


def random_model(config, random, std=0.3):
    """Every parameter drawn at random: norm weights round 1 (Gemma stores them less 1), the rest round 0."""
    tensors = {}
    for name, shape in shapes(config).items():
        mean = 1.0 if is_norm(name) and not config.is_gemma else 0.0
        tensors[name] = random.normal(mean, std, shape).astype(numpy.float32)
    return tensors


# --- rotary positions ---


def default_frequencies(rotary, base):
    """[rotary / 2], from float64, rounded once."""
    return (1.0 / base ** (numpy.arange(0, rotary, 2) / rotary)).astype(numpy.float32)


def llama3_factors(frequencies, scaling):
    """What a frequency is divided by: rope_freqs.weight of a GGUF file."""
    factor, context = scaling["factor"], scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    wavelength = 2 * numpy.pi / frequencies.astype(numpy.float64)
    smooth = (context / wavelength - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    factors = numpy.where(wavelength > context / low, factor, between)
    return numpy.where(wavelength < context / high, 1.0, factors).astype(numpy.float32)


def yarn(frequencies, rotary, base, scaling, context):
    """Scaled frequencies, and what cos and sin are multiplied by."""
    factor = scaling["factor"]
    original = scaling.get("original_max_position_embeddings") or context

    def turning(rotations):  # the pair that turns so often within the original context
        return rotary * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

    low = max(math.floor(turning(scaling.get("beta_fast") or 32)), 0)
    high = min(math.ceil(turning(scaling.get("beta_slow") or 1)), rotary - 1)
    ramp = ((numpy.arange(rotary // 2) - low) / (high - low if high > low else 0.001)).clip(0, 1)
    exact = frequencies.astype(numpy.float64)
    scaled = exact / factor * ramp + exact * (1 - ramp)
    magnitude = scaling.get("attention_factor") or (0.1 * math.log(factor) + 1 if factor > 1 else 1)
    return scaled.astype(numpy.float32), magnitude


def frequencies(config, layer):
    """float32 [rotary / 2] of a layer, and the magnitude of its cos and sin."""
    local = config.is_gemma and config.is_windowed(layer)
    base = config.local_base if local else config.rope_base
    plain = default_frequencies(config.rotary_size, base)
    scaling = config.scaling
    if not scaling or local:
        return plain, 1.0
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind == "linear":
        return (plain / numpy.float32(scaling["factor"])).astype(numpy.float32), 1.0
    if kind == "llama3":
        return plain / llama3_factors(plain, scaling), 1.0
    assert kind == "yarn"
    return yarn(plain, config.rotary_size, base, scaling, config.context)


def rope(x, positions, frequencies, magnitude=1.0):
    """x[heads,T,hs]: of each head's first channels, the halves are turned. The angle is a float32 product."""
    half = len(frequencies)
    angle = positions.astype(numpy.float32)[:, None] * frequencies[None, :]
    cos, sin = (magnitude * f(angle.astype(numpy.float64)) for f in (numpy.cos, numpy.sin))
    a, b = x[..., :half], x[..., half : 2 * half]
    return numpy.concatenate([a * cos - b * sin, b * cos + a * sin, x[..., 2 * half :]], axis=-1)


# --- the model ---


def rmsnorm(x, weight, epsilon):
    return x / numpy.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight


def silu(x):
    return x / (1 + numpy.exp(-x))


def attention_weights(q, k, scale, window):
    """As reference.attention_weights, for nh query heads in groups that share a key-value head."""
    T, S = q.shape[1], k.shape[1]
    k = numpy.repeat(k, len(q) // len(k), axis=0)
    query, key = numpy.arange(S - T, S)[:, None], numpy.arange(S)[None, :]
    hidden = (key > query) | (key <= query - window if window else False)
    scores = q @ k.transpose(0, 2, 1) * scale
    return reference.softmax(numpy.where(hidden, -numpy.inf, scores))


def attention(q, k, v, scale, window):
    """What attention_weights make of v."""
    return attention_weights(q, k, scale, window) @ numpy.repeat(v, len(q) // len(v), axis=0)


def logits(config, tensors, ids, first_position=0, inside=None):
    """The logits[T, V] of one sequence of ids at positions from `first_position` on, in float64; `inside` is
    reference.Inside."""
    inside = inside or reference.Inside()
    w = {name: array.astype(numpy.float64) for name, array in tensors.items()}
    T, hs = len(ids), config.hs
    positions = numpy.arange(first_position, first_position + T)
    activation = reference.gelu if config.is_gemma else silu
    heads = lambda x: x.reshape(T, -1, hs).transpose(1, 0, 2)
    linear = lambda x, name: x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)
    norm = lambda x, name: rmsnorm(x, w[f"{name}.weight"] + config.is_gemma, config.epsilon)
    scale = (config.score_scale or hs) ** -0.5

    x = w["model.embed_tokens.weight"][ids]
    if config.is_gemma:
        x = x * float(numpy.float32(config.channels**0.5))
    for l in range(config.layers):
        at = f"model.layers.{l}"
        normed = norm(x, f"{at}.input_layernorm")
        q, k, v = (heads(linear(normed, f"{at}.self_attn.{part}_proj")) for part in "qkv")
        if config.norms_heads:
            q, k = norm(q, f"{at}.self_attn.q_norm"), norm(k, f"{at}.self_attn.k_norm")
        turn = frequencies(config, l)
        q, k = rope(q, positions, *turn), rope(k, positions, *turn)
        inside.attention.append(attention_weights(q, k, scale, config.window if config.is_windowed(l) else 0))
        mixed = inside.without_heads(l, inside.attention[l] @ numpy.repeat(v, len(q) // len(v), axis=0))
        attended = linear(mixed.transpose(1, 0, 2).reshape(T, -1), f"{at}.self_attn.o_proj")
        if config.is_gemma:
            attended = norm(attended, f"{at}.post_attention_layernorm")
        x = x + attended
        before = "pre_feedforward_layernorm" if config.is_gemma else "post_attention_layernorm"
        normed = norm(x, f"{at}.{before}")
        gated = activation(linear(normed, f"{at}.mlp.gate_proj")) * linear(normed, f"{at}.mlp.up_proj")
        inner = linear(gated, f"{at}.mlp.down_proj")
        if config.is_gemma:
            inner = norm(inner, f"{at}.post_feedforward_layernorm")
        if l not in inside.mlps_off:
            x = x + inner
        inside.lens.append(norm(x, "model.norm") @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T)
    return inside.lens[-1]


# --- Hugging Face ---


def layer_types(config):
    return ["sliding_attention" if config.is_windowed(l) else "full_attention" for l in range(config.layers)]


def rope_settings(config, version):
    """The rotary settings as transformers 4 or 5 spells them."""
    if version == 4:
        local = {"rope_local_base_freq": config.local_base} if config.is_gemma else {}
        return {"rope_theta": config.rope_base, "rope_scaling": config.scaling} | local
    scaled = (config.scaling or {"rope_type": "default"}) | {"rope_theta": config.rope_base}
    if not config.is_gemma:
        return {"rope_parameters": scaled}
    local = {"rope_type": "default", "rope_theta": config.local_base}
    return {"rope_parameters": {"full_attention": scaled, "sliding_attention": local}}


def config_json(config, version=5):
    """config.json as transformers `version` writes it."""
    result = {
        "architectures": [ARCHITECTURES[config.family]],
        "model_type": "gemma3_text" if config.is_gemma else config.family,
        "hidden_size": config.channels,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.inner,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.epsilon,
        "vocab_size": config.vocabulary,
        "tie_word_embeddings": config.tied,
        "attention_dropout": 0.0,
        "use_cache": True,
        "initializer_range": 0.02,
        "bos_token_id": config.vocabulary - 1,
        "eos_token_id": config.vocabulary - 1,
        "dtype" if version == 5 else "torch_dtype": "float32",
    } | rope_settings(config, version)
    if config.head_size:
        result["head_dim"] = config.head_size
    if config.is_gemma:
        result |= {
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": int(config.score_scale or config.hs),
            "sliding_window": config.window,
            "layer_types": layer_types(config),
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        }
    else:
        result |= {"hidden_act": "silu", "attention_bias": config.bias, "mlp_bias": False}
    if config.family == "mistral":
        result |= {"sliding_window": config.window or None}
    if config.family in ("qwen2", "qwen3"):
        result |= {"use_sliding_window": False, "sliding_window": None, "max_window_layers": config.layers}
    return result


def write_huggingface(folder, config, tensors, dtype="F32", shards=1, version=5, tokenizer=None, settings={}):
    """A folder as save_pretrained of transformers `version` writes it. `settings` replaces entries of config.json."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(config, version) | settings, indent=2))
    if shards == 1:
        models.write_safetensors(folder / "model.safetensors", tensors, dtype)
    else:
        models.write_shards(folder, tensors, dtype, shards)
    if tokenizer:
        models.write_vocabulary(folder, tokenizer)
    return folder


# --- GGUF ---

GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GEMMA_NAMES = GGUF_NAMES | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def gguf_name(config, name):
    """ "model.layers.0.self_attn.q_proj.weight" → "blk.0.attn_q.weight" """
    module, kind = name.rsplit(".", 1)
    names = GEMMA_NAMES if config.is_gemma else GGUF_NAMES
    if module in names:
        return f"{names[module]}.{kind}"
    _, _, layer, module = module.split(".", 3)
    return f"blk.{layer}.{names[module]}.{kind}"


def adjacent_pairs(array, heads):
    """Rows of q or k, from halves of a head to neighbours, as llama.cpp stores those of Llama."""
    return array.reshape(heads, 2, -1, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def gguf_array(config, name, array):
    """A tensor as llama.cpp's conversion stores it."""
    if config.is_gemma and is_norm(name):
        return array + 1
    if config.family in ("llama", "mistral") and ("q_proj" in name or "k_proj" in name):
        assert not config.rotary, "the order of partly turned heads is not defined"
        return adjacent_pairs(array, config.heads if "q_proj" in name else config.kv_heads)
    return array


def gguf_type(config, name, array, type, types):
    return types.get(gguf_name(config, name), "F32" if array.ndim == 1 else type)


def gguf_rounded(config, tensors, type, types={}):
    """What is left of the tensors of a model after write_gguf with the same types (rows keep their order:
    rounding takes each row by itself)."""
    return {
        name: models.rounded(array, gguf_type(config, name, array, type, types)) if array.ndim > 1 else array
        for name, array in tensors.items()
    }


def write_gguf(path, config, tensors, type="F32", types={}, tokenizer=None, keys=None):
    """A GGUF file with the keys of llama.cpp's conversion. `types` stores some tensors in types of their own, by
    GGUF name; `keys`, a function, adds to or changes the writer's key-value pairs."""
    architecture = "llama" if config.family == "mistral" else config.family
    writer = gguf.GGUFWriter(None, architecture)
    writer.add_name(f"random {config.family}")
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.channels)
    writer.add_feed_forward_length(config.inner)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_layer_norm_rms_eps(config.epsilon)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_rope_dimension_count(config.rotary_size)
    writer.add_vocab_size(config.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if config.head_size:
        writer.add_key_length(config.head_size)
        writer.add_value_length(config.head_size)
    if config.is_gemma:
        writer.add_sliding_window(config.window)
    if config.is_gemma and config.global_every != 6:
        writer.add_uint32("gemma3.attention.sliding_window_pattern", config.global_every)
    add_scaling(writer, config)
    if tokenizer:
        models.add_gguf_tokenizer(writer, tokenizer, config.vocabulary)
    if keys:
        keys(writer)
    arrays = {name: gguf_array(config, name, array) for name, array in tensors.items()}
    for name, array in arrays.items():
        stored = gguf_type(config, name, array, type, types)
        data = models.quantise(numpy.ascontiguousarray(array), stored)
        writer.add_tensor(gguf_name(config, name), data, raw_dtype=gguf.GGMLQuantizationType[stored])
    if config.scaling and config.scaling["rope_type"] == "llama3":
        plain = default_frequencies(config.rotary_size, config.rope_base)
        writer.add_tensor("rope_freqs.weight", llama3_factors(plain, config.scaling))
    return models.finish_gguf(writer, path)


def add_scaling(writer, config):
    scaling = config.scaling or {}
    kind = scaling.get("rope_type")
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(scaling["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
