"""Random launches of every kernel of kernels/: shapes, values and sizes that it must be right for.

    launch = launches.random_launch("gelu_forward", random)
    findings = checker.check(launch)

Buffers are as large as their shapes say and not a byte larger; outputs start as memory that nothing
wrote. Ids, lengths and counts take their extreme values, too.
"""

import dataclasses
import pathlib

import gguf
import numpy

import reference
import toolchain
from toolchain import KERNELS, constants, kernels_of

NO_TOKEN = constants()["ARGMAX_NO_TOKEN"]
LANES = 32
THREADS = [1, 1, 2, 31, 32, 32, 33, 48, 64, 65, 96, 130, 256]


@dataclasses.dataclass
class Empty:
    """A buffer that nothing wrote."""

    shape: tuple
    dtype: type = numpy.float32


@dataclasses.dataclass
class Launch:
    """One dispatch: `grid` and `threads` are of threads in x, y and z; `arguments` are in the order of
    the kernel's buffers: arrays, Empty, ints (uint), floats (float) or numpy scalars."""

    path: pathlib.Path
    kernel: str
    grid: tuple
    threads: tuple
    arguments: list
    options: tuple = ()


def kernel_files():
    """The file of each kernel, by the kernel's name."""
    return {name: KERNELS / file for name, file, _ in kernels_of(*toolchain.kernel_files())}


# --- grids, as device.h counts them ---


def threads(random, x, y=None, z=1):
    """A thread per item; the grid may be larger than the data in x, and in y if the kernel has one."""
    grid = x + int(random.integers(0, 40)), y + int(random.integers(0, 2)) if y else 1, z
    return grid, (int(random.choice(THREADS)), 1, 1)


def threadgroups(random, x, y=1, z=1):
    count = int(random.choice(THREADS))
    return (x * count, y, z), (count, 1, 1)


def simdgroups(random, x):
    """A simdgroup per item; the last threadgroup may have more of them than items are left."""
    count = int(random.choice(THREADS))
    return (-(-x // -(-count // LANES)) * count, 1, 1), (count, 1, 1)


# --- values ---


def normal(random, *shape):
    return random.normal(0.5, 1, shape).astype(numpy.float32)


def with_nan(random, rows):
    """Some rows with one NaN, some that are −∞ but for one element."""
    for row in rows:
        at = random.integers(len(row))
        kind = random.integers(4)
        if kind == 0:
            row[at] = numpy.nan
        elif kind == 1:
            row[:at] = row[at + 1 :] = -numpy.inf
    return rows


def size(random, most):
    """From 1, small ones as often as large ones."""
    return int(numpy.exp(random.uniform(0, numpy.log(most + 0.99))))


def below(random, limit, *shape):
    return random.integers(0, limit, shape).astype(numpy.uint32)


def ids(random, V, *shape):
    """Some are the sentinel of a failed sample."""
    values = below(random, V, *shape)
    values[random.uniform(size=shape) < 0.1] = NO_TOKEN
    return values


# What the instances of a kernel template read or write, by the ends of their names.
TYPES = {"": numpy.float32, "f32": numpy.float32, "f16": numpy.float16}

FORMATS = {
    "": 1,
    "f32": 1,
    "f16": 1,
    "q8_0": 32,
    "q6_K": 256,
    "q5_1": 32,
    "q5_0": 32,
    "q4_1": 32,
    "q4_0": 32,
}


def packed(random, format, rows, columns):
    """Any bits: `columns` is a multiple of the block."""
    if format in ("", "f32"):
        return normal(random, rows, columns)
    if format == "f16":
        return normal(random, rows, columns).astype(numpy.float16)
    block, bytes_each = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[format.upper()]]
    return below(random, 256, rows, columns // block * bytes_each).astype(numpy.uint8)


# --- kernels ---


def gelu_forward(random):
    N = size(random, 300)
    return threads(random, N), [normal(random, N), Empty((N,)), N]


def bias_gelu(random, type):
    T, N = size(random, 6), size(random, 100)
    out = Empty((T, N), TYPES[type])
    return threads(random, N, T), [normal(random, T, N), normal(random, N), out, T, N]


def argmax_sample(random):
    B, V = size(random, 4), size(random, 400)
    return threadgroups(random, B), [
        with_nan(random, normal(random, B, V)),
        Empty((B,), numpy.uint32),
        V,
    ]


def cross_entropy_forward(random):
    N, V = size(random, 4), size(random, 400)
    return threadgroups(random, N), [normal(random, N, V), ids(random, V, N), Empty((N,)), V]


def top_k_top_p_sample(random):
    B, V = size(random, 3), size(random, 200)
    top_k = int(random.integers(1, V + 1))
    top_p = float(random.choice([0.3, 0.9, 1.0]))
    logits = with_nan(random, normal(random, B, V))
    arguments = [logits, below(random, 100, B), below(random, 9, B), Empty((B, V))]
    arguments += [Empty((B,), numpy.uint32), V, float(random.uniform(0.1, 2)), top_k, top_p]
    return threadgroups(random, B), [*arguments, numpy.uint64(random.integers(2**63))]


def softmax_inplace(random):
    N, S = size(random, 4), size(random, 300)
    return threadgroups(random, N), [normal(random, N, S), S]


def layernorm_forward(random, type):
    N, C = size(random, 4), size(random, 400)
    x, weight, bias = normal(random, N, C), normal(random, C), normal(random, C)
    return threadgroups(random, N), [x, weight, bias, Empty((N, C), TYPES[type]), C, 1e-5]


def residual_layernorm(random, type):
    N, C = size(random, 4), size(random, 400)
    x, y = normal(random, N, C), normal(random, N, C)
    y_bias, weight, bias = normal(random, C), normal(random, C), normal(random, C)
    results = Empty((N, C)), Empty((N, C), TYPES[type])
    return threadgroups(random, N), [x, y, y_bias, weight, bias, *results, C, 1e-5]


def embedding(random, format):
    B, T, V, context = size(random, 3), size(random, 3), size(random, 30), size(random, 12)
    C = size(random, 100) if FORMATS[format] == 1 else FORMATS[format] * size(random, 2)
    arguments = [ids(random, V, B, T), below(random, context + 3, B), packed(random, format, V, C)]
    arguments += [normal(random, context, C), Empty((B, T, C)), T, C, V, context]
    return threads(random, C, T, B), arguments


def linear(random, format, rows=1):
    """`rows` of the weight for each simdgroup."""
    T, N = size(random, 12), size(random, 20)
    K = size(random, 150) if FORMATS[format] == 1 else FORMATS[format] * size(random, 3)
    x, weight, bias = normal(random, T, K), packed(random, format, N, K), normal(random, N)
    return simdgroups(random, -(-N // rows)), [x, weight, bias, Empty((T, N)), T, K, N]


def norm_linear(random, instance):
    """By at least one whole simdgroup; `instance` is f32, wide_f16, pair_f32 …"""
    T, N, K = size(random, 12), size(random, 20), 4 * size(random, 50)
    x, weight, bias = normal(random, T, K), packed(random, instance[-3:], N, K), normal(random, N)
    arguments = [x, normal(random, K), normal(random, K), weight, bias, Empty((T, N)), T, K, N]
    count = LANES * int(random.integers(1, 9))
    return ((int(random.integers(1, 4)) * count, 1, 1), (count, 1, 1)), [*arguments, int(random.integers(2)), 1e-5]


def linear_residual(random, instance):
    T, N, K = size(random, 12), size(random, 20), 4 * size(random, 50)
    x, weight, bias = normal(random, T, K), packed(random, instance[-3:], N, K), normal(random, N)
    return threadgroups(random, -(-N // 2)), [x, weight, bias, normal(random, T, N), T, K, N]


def linear_batch(random, what):
    """`what` ends in the tokens of a threadgroup; there is at least one whole simdgroup."""
    tokens = int(what.split("_")[-1])
    T, N, K = size(random, 40), 15 + size(random, 40), 32 * size(random, 12)
    x, weight = (normal(random, rows, K).astype(numpy.float16) for rows in (-(-T // 8) * 8, N))
    out = normal(random, T, N) if what.startswith("residual") else Empty((T, N))
    if what.startswith("gelu"):
        out = Empty((T, N), numpy.float16)
    count = LANES * int(random.integers(1, 9))
    grid = int(random.integers(1, -(-N // 16) + 1)) * count, -(-T // tokens), 1
    return (grid, (count, 1, 1)), [x, weight, normal(random, N), out, T, K, N]


def norm_linear_batch(random, what):
    T, N, K = int(random.integers(1, 9)), 15 + size(random, 40), 32 * size(random, 32)
    out = Empty((T, N), numpy.float16 if what == "gelu" else numpy.float32)
    arguments = [normal(random, T, K), normal(random, K), normal(random, K)]
    arguments += [normal(random, N, K).astype(numpy.float16), normal(random, N), out, T, K, N, 1e-5]
    count = LANES * int(random.integers(1, 10))
    return ((int(random.integers(1, -(-N // 16) + 1)) * count, 1, 1), (count, 1, 1)), arguments


def linear_tile(random, format):
    return linear(random, format, rows=4)


def quantise_activations(random):
    blocks = size(random, 20)
    N = blocks * 32
    x = normal(random, blocks, 32)
    x[random.integers(blocks), random.integers(32)] = random.choice([0, numpy.nan, -numpy.inf])
    out = [Empty((N,), numpy.int8), Empty((N // 4,), numpy.int32), Empty((blocks,))]
    return simdgroups(random, blocks), [x, *out, Empty((blocks,), numpy.int32), N]


def integer_linear(random, format):
    T, N, K = size(random, 12), size(random, 20), FORMATS[format] * size(random, 3)
    x = random.integers(-127, 128, (T, K)).astype(numpy.int8)
    arguments = [x, reference.offsets(x), normal(random, T, K // 32), packed(random, format, N, K)]
    return simdgroups(random, N), [*arguments, normal(random, N), Empty((T, N)), T, K, N]


def integer_matmul(random, format):
    T, N, K = size(random, 20), size(random, 70), FORMATS[format] * size(random, 30)
    x = random.integers(-127, 128, (T, K)).astype(numpy.int8)
    arguments = [x, reference.block_offsets(x), normal(random, T, K // 32), packed(random, format, N, K)]
    return threadgroups(random, -(-N // 32)), [*arguments, Empty((T, N)), T, K, N]


def dequantise(random, format):
    blocks = size(random, 20)
    N = blocks * FORMATS[format]
    grid = threads(random, N) if FORMATS[format] == 1 else simdgroups(random, blocks)
    return grid, [packed(random, format, 1, N), Empty((N,)), N]


def convert_f16(random):
    N = size(random, 300)
    return threads(random, N), [normal(random, N), Empty((N,), numpy.float16), N]


def cache(random, hs=None, most_tokens=6):
    """Shapes of a KV cache; rows of different lengths."""
    B, T, nh = size(random, 2), size(random, most_tokens), size(random, 3)
    capacity = T + int(random.choice([0, size(random, 40), random.integers(40, 140)]))
    hs = hs or int(random.choice([1, 3, 16, 33, 64, 80]))
    counts = random.integers(1, T + 1, B).astype(numpy.uint32)
    lengths = random.integers(0, capacity - counts + 1).astype(numpy.uint32)
    if random.integers(2):
        lengths = capacity - counts
    return B, T, nh, hs, capacity, lengths, counts


def cached(random, type, B, nh, capacity, hs):
    """Keys or values."""
    return normal(random, B, nh, capacity, hs).astype(TYPES[type])


def split_heads(random, type):
    B, T, nh, hs, capacity, lengths, counts = cache(random)
    counts = below(random, T + 1, B)
    lengths = below(random, capacity + 1, B)
    kept = [cached(random, type, B, nh, capacity, hs) for _ in ("keys", "values")]
    qkv, bias = normal(random, B, T, 3 * nh * hs), normal(random, 3 * nh * hs)
    arguments = [qkv, bias, lengths, counts, Empty((B, nh, T, hs)), *kept, T, nh, hs, capacity]
    return threads(random, hs, T, B * nh), arguments


def merge_heads(random):
    B, T, nh, hs = cache(random)[:4]
    arguments = [normal(random, B, nh, T, hs), Empty((B, T, nh * hs)), T, nh, hs]
    return threads(random, hs, T, B * nh), arguments


def attention_scores(random, type):
    B, T, nh, hs, capacity, lengths, counts = cache(random)
    S = int(max(lengths + counts))
    keys = cached(random, type, B, nh, capacity, hs)
    arguments = [normal(random, B, nh, T, hs), keys, lengths, counts, Empty((B, nh, T, S))]
    arguments += [T, S, nh, hs, capacity, float(hs**-0.5)]
    return threads(random, S, T, B * nh), arguments


def attention_mix(random, type):
    B, T, nh, hs, capacity, lengths, counts = cache(random)
    S = int(max(lengths + counts))
    values = cached(random, type, B, nh, capacity, hs)
    arguments = [normal(random, B, nh, T, S), values, lengths, counts, Empty((B, nh, T, hs))]
    return threads(random, hs, T, B * nh), [*arguments, T, S, nh, hs, capacity]


def flash_arguments(random, type, B, T, nh, hs, capacity, lengths, counts):
    kept = [cached(random, type, B, nh, capacity, hs) for _ in ("keys", "values")]
    return [normal(random, B, nh, T, hs), *kept, lengths, counts, Empty((B, T, nh, hs))]


def flash_attention(random, type):
    B, T, nh, hs, capacity, *_ = sizes = cache(random)
    arguments = flash_arguments(random, type, *sizes)
    return threadgroups(random, T, nh, B), [*arguments, hs, capacity, float(hs**-0.5)]


def flash_attention_hs64(random, type):
    B, T, nh, _, capacity, *_ = sizes = cache(random, 64)
    arguments = flash_arguments(random, type, *sizes)
    return threadgroups(random, -(-T // 4), nh, B), [*arguments, T, capacity, 0.125]


def flash_attention_prompt(random, type):
    B, T, nh, _, capacity, *_ = sizes = cache(random, 64, most_tokens=70)
    arguments = flash_arguments(random, type, *sizes)
    return threadgroups(random, -(-T // 32), nh, B), [*arguments, T, capacity, 0.125]


def flash_attention_tiles(random, type):
    """Of several tiles of 64 queries, by at least one whole simdgroup."""
    B, T, nh, _, capacity, *_ = sizes = cache(random, 64, most_tokens=150)
    arguments = flash_arguments(random, type[-3:], *sizes)
    if type.startswith("halves"):
        arguments[-1] = Empty((B, T, nh, 64), numpy.float16)
    count = LANES * int(random.integers(1, 9))
    return ((-(-T // 64) * count, nh, B), (count, 1, 1)), [*arguments, T, capacity, 0.125]


def decode_attention_hs64(random, type, out=numpy.float32):
    B, nh, capacity = size(random, 3), size(random, 3), size(random, 140)
    lengths = below(random, capacity, B)
    counts = below(random, 2, B)
    counts[lengths == 0] = 1  # nothing to attend to otherwise
    kept = [cached(random, type, B, nh, capacity, 64) for _ in ("keys", "values")]
    arguments = [normal(random, B, 3, nh, 64), lengths, counts, *kept, Empty((B, nh, 64), out)]
    more_than_take_part = random.integers(8) == 0  # of the simdgroups
    count = 17 * LANES + 5 if more_than_take_part else int(random.choice(THREADS))
    return ((nh * count, B, 1), (count, 1, 1)), [*arguments, capacity, 0.125]


def decode_attention_hs64_halves(random, type):
    return decode_attention_hs64(random, type, numpy.float16)


def last_token_rows(random):
    B, T, C = size(random, 4), size(random, 5), size(random, 100)
    return threads(random, C, B), [
        normal(random, B, T, C),
        below(random, T + 1, B),
        Empty((B, C)),
        B,
        T,
        C,
    ]


def advance_step(random):
    B, capacity = size(random, 40), size(random, 20)
    lengths = below(random, capacity, B)
    counts = numpy.minimum(below(random, 4, B), capacity - lengths).astype(numpy.uint32)
    history = Empty((B, capacity + 1), numpy.uint32)
    return threads(random, B), [ids(random, 99, B), lengths, counts, history, B, capacity]


# Of a weight format or a type each: linear_f32, linear_q8_0, embedding_forward, bias_gelu_f16 …
FAMILIES = {
    "bias_gelu": bias_gelu,
    "layernorm_forward": layernorm_forward,
    "residual_layernorm": residual_layernorm,
    "split_heads": split_heads,
    "attention_scores": attention_scores,
    "attention_mix": attention_mix,
    "flash_attention_hs64": flash_attention_hs64,
    "flash_attention_prompt": flash_attention_prompt,
    "flash_attention_tiles": flash_attention_tiles,
    "flash_attention": flash_attention,
    "decode_attention_hs64_halves": decode_attention_hs64_halves,
    "decode_attention_hs64": decode_attention_hs64,
    "integer_linear": integer_linear,
    "integer_matmul": integer_matmul,
    "linear_tile": linear_tile,
    "linear_batch": linear_batch,
    "linear_residual": linear_residual,
    "norm_linear_batch": norm_linear_batch,
    "norm_linear": norm_linear,
    "linear": linear,
    "embedding_forward": embedding,
    "dequantise": dequantise,
}


def random_launch(kernel, random, path=None):
    """A random launch of a kernel, of the file `path` if given instead of the one in kernels/."""
    for name, function in FAMILIES.items():
        if kernel == name or kernel.startswith(name + "_"):
            (grid, group), arguments = function(random, kernel[len(name) + 1 :])
            break
    else:
        (grid, group), arguments = globals()[kernel](random)
    group = tuple(min(g, n) for g, n in zip(group, grid))
    return Launch(path or kernel_files()[kernel], kernel, grid, group, arguments)
