"""GPT-2 in numpy, float64: the independent second opinion on kernels and whole models.

Formulas: Radford et al. 2019 (GPT-2), Ba et al. 2016 (layernorm), Hendrycks & Gimpel 2016 (GELU),
Vaswani et al. 2017 (attention). Tensors come under Hugging Face's names, Conv1D weights [in, out].
"""

import dataclasses

import numpy


def layernorm(x, weight, bias, epsilon):
    """x[..., C] normalised over its last axis, scaled and shifted."""
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / numpy.sqrt(variance + epsilon) * weight + bias


def gelu(x):
    """The tanh approximation."""
    return 0.5 * x * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    """Over the last axis; −inf becomes 0."""
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention_weights(q, k, scale):
    """Causal, of one sequence: [nh,T,S] from q[nh,T,hs] and k[nh,S,hs] with S ≥ T; the queries are the last T
    positions."""
    T, S = q.shape[1], k.shape[1]
    scores = q @ k.transpose(0, 2, 1) * scale
    hidden = numpy.arange(S)[None, :] > numpy.arange(S - T, S)[:, None]
    return softmax(numpy.where(hidden, -numpy.inf, scores))


def attention(q, k, v, scale):
    """What attention_weights make of v[nh,S,hs]."""
    return attention_weights(q, k, scale) @ v


@dataclasses.dataclass
class Inside:
    """What a model is to do without, and what is to be seen inside it, layer by layer."""

    heads_off: list = ()  # of (layer, head)
    mlps_off: list = ()
    attention: list = dataclasses.field(default_factory=list)  # [nh,T,T] of each layer
    lens: list = dataclasses.field(default_factory=list)  # [T,V] of each: the logits if it were the last
    states: numpy.ndarray = None  # [T,C] behind the last norm

    def without_heads(self, layer, mixed):
        """mixed[nh,T,hs], those of heads that are off 0."""
        off = [head for l, head in self.heads_off if l == layer]
        return numpy.where(numpy.isin(numpy.arange(len(mixed)), off)[:, None, None], 0, mixed)


def logits(config, tensors, ids, inside=None):
    """The logits[T, V] of one sequence of ids, everything in float64."""
    inside = inside or Inside()
    w = {name: array.astype(numpy.float64) for name, array in tensors.items()}
    T, C, nh = len(ids), config.channels, config.heads
    norm = lambda x, name: layernorm(x, w[f"{name}.weight"], w[f"{name}.bias"], config.epsilon)
    linear = lambda x, name: x @ w[f"{name}.weight"] + w[f"{name}.bias"]
    heads = lambda x: x.reshape(T, nh, C // nh).transpose(1, 0, 2)

    x = w["wte.weight"][ids] + w["wpe.weight"][:T]
    for l in range(config.layers):
        scale = (C // nh) ** -0.5 if config.scale_attention else 1.0
        scale /= l + 1 if config.scale_by_layer else 1
        q, k, v = numpy.split(linear(norm(x, f"h.{l}.ln_1"), f"h.{l}.attn.c_attn"), 3, axis=-1)
        inside.attention.append(attention_weights(heads(q), heads(k), scale))
        mixed = inside.without_heads(l, inside.attention[l] @ heads(v))
        x = x + linear(mixed.transpose(1, 0, 2).reshape(T, C), f"h.{l}.attn.c_proj")
        up = gelu(linear(norm(x, f"h.{l}.ln_2"), f"h.{l}.mlp.c_fc"))
        if l not in inside.mlps_off:
            x = x + linear(up, f"h.{l}.mlp.c_proj")
        inside.states = norm(x, "ln_f")
        inside.lens.append(inside.states @ w.get("lm_head.weight", w["wte.weight"]).T)
    return inside.lens[-1]


def hidden_states(config, tensors, ids):
    """The states[T, C] of one sequence of ids behind the last norm, everything in float64."""
    inside = Inside()
    logits(config, tensors, ids, inside)
    return inside.states


def logit_error(actual, expected):
    """The largest relative error of any row, after subtracting each row's mean: ‖a − e‖ / ‖e‖. NaN if
    there is one."""
    actual = actual.astype(numpy.float64)
    actual = actual - actual.mean(-1, keepdims=True)
    expected = expected - expected.mean(-1, keepdims=True)
    norm = lambda x: numpy.linalg.norm(x, axis=-1)
    return numpy.max(norm(actual - expected) / norm(expected))


# --- activations rounded to 8 bits ---


def offsets(values):
    """−8 · the sum of four neighbours."""
    return -8 * values.reshape(len(values), -1, 4).sum(2, numpy.int32)


def block_offsets(values):
    """−128 · the sum of 32 neighbours."""
    return -128 * values.reshape(len(values), -1, 32).sum(2, numpy.int32)


def planes(blocks, scale):
    """Bytes of blocks [blocks, bytes], but for halves number `scale` of each, and behind all of them these."""
    halves = blocks.view(numpy.uint16)
    return numpy.concatenate([numpy.delete(halves, scale, 1).reshape(-1), halves[:, scale]]).view(numpy.uint8)


def group_maxima(logits, temperature, groups, block=32):
    """What kernels/fast/shortlist.metal knows of each group of tokens, blocks of which are dealt out in turn: the
    largest logit, and the sum of the probabilities, as parts of its likeliest token's."""
    B, V = logits.shape
    padded = numpy.full((B, -(-V // (groups * block)) * groups * block), -numpy.inf)
    padded[:, :V] = logits
    dealt = padded.reshape(B, -1, groups, block).transpose(0, 2, 1, 3).reshape(B, groups, -1)
    largest = dealt.max(-1)
    with numpy.errstate(invalid="ignore"):
        p = numpy.exp((dealt - largest[..., None]) / temperature)
    return largest, numpy.where(largest == -numpy.inf, 0, p.sum(-1))
