"""What each kernel of kernels/ is given: shapes, values and sizes that it must be right for, described once.

    given = launches.inputs("gelu_forward", launches.Plain(random))       # to compare results: tests/test_kernels.py
    launch = launches.random_launch("gelu_forward", random)               # for metal-check, CUDA's sanitizer, mutants
    findings = checker.check(launch)

A kernel is described by a function of its name, or of the beginning of its name where it has instances
(linear_f32, linear_q8_0 …); the rest of the name is its second argument. It returns a grid and the values
by the kernel's names of them (`in_` for `in`), in the kernel's order. Buffers are as large as their shapes
say and not a byte larger; outputs start as memory that nothing wrote.
"""

import dataclasses
import inspect
import pathlib
import re

import gguf
import numpy

import models
import reference
import toolchain
from toolchain import KERNELS, constants, kernels_of

NO_TOKEN = constants()["ARGMAX_NO_TOKEN"]
PAGE = constants()["PAGES_PAGE"]
SLOTS = constants()["SAMPLING_SLOTS"]
TOLD_MOST = constants()["SAMPLING_TOLD_MOST"]
GROUPS = constants()["VOCABULARY_GROUPS"]
METHODS = {
    name: constants()[f"SAMPLING_{name}"] for name in ("LIKELIEST", "LIKELIEST_OF_GROUPS", "DRAWN", "SHORTLISTED")
}
# RowSampling of kernels/parts/sampling.h.
ROW_SAMPLING = numpy.dtype(
    [("seed", "u8"), ("method", "u4"), ("flags", "u4"), ("temperature", "f4"), ("top_k", "u4"), ("top_p", "f4")]
    + [("min_p", "f4"), ("typical", "f4"), ("window", "u4"), ("repetition", "f4"), ("presence", "f4")]
    + [("frequency", "f4"), ("told", "u4")]
)
LANES = 32
THREADS = [1, 1, 2, 31, 32, 32, 33, 48, 64, 65, 96, 130, 256]  # of a threadgroup
WHOLE = [count for count in THREADS if count >= LANES]  # with at least one whole simdgroup


@dataclasses.dataclass
class Empty:
    """A buffer that nothing wrote."""

    shape: tuple
    dtype: type = numpy.float32


@dataclasses.dataclass
class Meaning:
    """What the kernel reads, and the numbers that it stands for."""

    data: numpy.ndarray
    exact: numpy.ndarray


def row_sampling(B, V, **fields):
    """How B rows are drawn: numbers, or one of each row; rows without a method are idle."""
    rows = numpy.zeros(B, ROW_SAMPLING)
    for name, value in ({"temperature": 1, "top_k": V, "top_p": 1, "repetition": 1} | fields).items():
        rows[name] = value
    return Meaning(rows.view(numpy.uint32).reshape(B, -1), rows)


@dataclasses.dataclass
class Packed:
    """Weights that whoever runs the kernel draws by himself."""

    format: str
    rows: int
    columns: int
    in_planes: bool = False


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


# --- grids, as device.h counts them ---


@dataclasses.dataclass
class Grid:
    """So many items, each of them a thread, a simdgroup or a threadgroup; the sizes of a threadgroup."""

    item: str
    x: int
    y: int = 1
    z: int = 1
    counts: list = dataclasses.field(default_factory=lambda: THREADS)

    def in_threads(self, random):
        """Grid and threadgroup. A grid of threads may be larger than the data, the last threadgroup have
        more simdgroups than items are left."""
        count = int(random.choice(self.counts))
        if self.item == "threadgroups":
            return (self.x * count, self.y, self.z), (count, 1, 1)
        if self.item == "simdgroups":
            return (-(-self.x // -(-count // LANES)) * count, 1, 1), (count, 1, 1)
        grid = self.x + int(random.integers(0, 40)), self.y + int(self.y > 1 and random.integers(0, 2)), self.z
        return grid, (min(count, grid[0]), 1, 1)


def threads(*size):
    return Grid("threads", *size)


def simdgroups(x, **options):
    return Grid("simdgroups", x, **options)


def threadgroups(*size, **options):
    return Grid("threadgroups", *size, **options)


# --- values ---

# What the instances of a kernel template read or write, by the ends of their names.
TYPES = {"": numpy.float32, "f32": numpy.float32, "f16": numpy.float16, "bf16": numpy.uint16}


def block(format):
    """Weights that are stored together."""
    return 1 if format in TYPES else gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[format.upper()]][0]


class Plain:
    """Values whose results can be compared: numbers, of which float32 says enough."""

    few = 8  # the least channels of a norm, and results among which one is not cancelled out

    def __init__(self, random):
        self.random = random

    def size(self, most, least=1):
        """Small ones as often as large ones."""
        return int(numpy.exp(self.random.uniform(numpy.log(least), numpy.log(most + 0.99))))

    def columns(self, format, most):
        """Of a matrix: whole blocks, at most about that many."""
        return block(format) * self.size(max(2, most // block(format)))

    def normal(self, *shape):
        return self.random.normal(0.5, 1, shape).astype(numpy.float32)

    def below(self, limit, *shape):
        return self.random.integers(0, limit, shape).astype(numpy.uint32)

    def ids(self, V, *shape):
        """Some are the sentinel of a failed sample."""
        values = self.below(V, *shape)
        values[self.random.uniform(size=shape) < 0.1] = NO_TOKEN
        return values

    def methods(self, B, *names):
        """The kernel's own, most of the time."""
        own = self.random.choice([METHODS[name] for name in names], B)
        return numpy.where(self.random.uniform(size=B) < 0.8, own, self.below(1 + max(METHODS.values()), B))

    def quantised(self, *shape):
        """Activations of 8 bits."""
        return self.random.integers(-127, 128, shape).astype(numpy.int8)

    def weights(self, format, rows, columns):
        data = models.quantise(self.normal(rows, columns), format.upper() or "F32")
        return Meaning(data, models.dequantise(data, format.upper() or "F32").reshape(rows, columns))

    def wider(self):
        """Numbers of a row that belong to other products."""
        return 0

    def logits(self, *shape):
        return self.normal(*shape)

    def activations(self, *shape):
        """Of which blocks of 32 are rounded together."""
        return self.normal(*shape)


class Wild(Plain):
    """Values that a kernel must survive: any bits for weights, NaN and −∞ for logits."""

    few = 1

    def wider(self):
        return int(self.random.choice([0, 1, 9]))

    def weights(self, format, rows, columns):
        if block(format) == 1:
            return models.quantise(self.normal(rows, columns), format.upper() or "F32")
        size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[format.upper()]][1]
        return self.below(256, rows, columns // block(format) * size).astype(numpy.uint8)

    def logits(self, *shape):
        """Some rows with one NaN, some that are −∞ but for one element."""
        rows = self.normal(*shape)
        for row in rows:
            at = self.random.integers(len(row))
            kind = self.random.integers(4)
            if kind == 0:
                row[at] = numpy.nan
            elif kind == 1:
                row[:at] = row[at + 1 :] = -numpy.inf
        return rows

    def activations(self, *shape):
        x = self.normal(*shape)
        x.flat[self.random.integers(x.size)] = self.random.choice([0, numpy.nan, -numpy.inf])
        return x


class Outline(Plain):
    """The same without weights: for `metal-llm selftest`, which has the shapes and draws values by itself."""

    def weights(self, format, rows, columns):
        return Packed(format or "f32", rows, columns)


# --- how far a result may be from numpy's, to the largest element ---

TOLERANCE = 1e-5
HALF_TOLERANCE = 1.1e-3  # the other's numbers may be rounded to halves, too: one place apart
TOLERANCES = {"flash_attention_tiles": 6e-3, "norm_linear_batch": 1.1e-3}  # products of halves
# Rounded to 16 bits.
TOLERANCES |= {name: 3e-4 for name in ("integer_read", "integer_gated", "integer_write")}
SPLIT = {"q8_0": 0, "q6_K": 104}  # formats that block_planes takes apart: where the scale is, in halves
# How far a value that is rounded the other way moves what quantise_activations writes besides scales.
ROUNDED = {numpy.dtype(numpy.int8): 1, numpy.dtype(numpy.int32): 128}


def tolerance(kernel, dtype):
    own = longest_beginning(kernel, TOLERANCES)
    turns = re.fullmatch(r"(turned|split)_attention_\w+_f16", kernel)  # keys that a cache of halves then rounds
    return TOLERANCES[own] if own else HALF_TOLERANCE if turns or dtype == numpy.float16 else TOLERANCE


# --- kernels ---

DESCRIBED = {}


def kernel(function):
    """Marks what a kernel of this name is given, or the instances whose names begin so."""
    DESCRIBED[function.__name__] = function
    return function


@kernel
def gelu_forward(draw):
    N = draw.size(300)
    return threads(N), {"in_": draw.normal(N), "out": Empty((N,)), "N": N}


@kernel
def bias_gelu(draw, type):
    T, N = draw.size(6), draw.size(100)
    return threads(N, T), {
        "in_": draw.normal(T, N), "bias": draw.normal(N), "out": Empty((T, N), TYPES[type]), "T": T, "N": N,
    }  # fmt: skip


@kernel
def argmax_sample(draw):
    B, V = draw.size(4), draw.size(400)
    sampling = row_sampling(B, V, method=draw.methods(B, "LIKELIEST"))
    return threadgroups(B), {
        "logits": draw.logits(B, V),
        "sampling": sampling,
        "ids": Empty((B,), numpy.uint32),
        "V": V,
    }


@kernel
def cross_entropy_forward(draw):
    N, V = draw.size(4), draw.size(400, draw.few)
    return threadgroups(N), {"logits": draw.normal(N, V), "targets": draw.ids(V, N), "nats": Empty((N,)), "V": V}


@kernel
def top_k_top_p_sample(draw):
    B, V = draw.size(3), draw.size(200)
    return threadgroups(B), {
        "logits": draw.logits(B, V),
        "sampling": row_sampling(
            B, V, method=draw.methods(B, "DRAWN"), seed=draw.random.integers(2**63, size=B),
            temperature=draw.random.uniform(0.1, 2, B), top_k=draw.random.integers(1, V + 1, B),
            top_p=draw.random.choice([0.3, 0.9, 1.0], B), min_p=draw.random.choice([0.0, 0.1, 1.0], B),
        ),
        "lengths": draw.below(100, B), "counts": draw.below(9, B), "scratch": Empty((B, V)),
        "ids": Empty((B,), numpy.uint32), "V": V,
    }  # fmt: skip


@kernel
def group_maxima(draw):
    B, V = draw.size(3), draw.size(9000)
    return simdgroups(B * GROUPS), {
        "logits": draw.logits(B, V),
        "sampling": row_sampling(
            B, V, method=draw.methods(B, "LIKELIEST_OF_GROUPS", "SHORTLISTED"), temperature=draw.random.uniform(0.1, 2, B)
        ),
        "largest": Empty((B, GROUPS)), "sums": Empty((B, GROUPS)), "B": B, "V": V,
    }  # fmt: skip


@kernel
def group_argmax(draw):
    B, V = draw.size(4), draw.size(9000)
    logits = draw.logits(B, V)
    return threadgroups(B), {
        "logits": logits, "sampling": row_sampling(B, V, method=draw.methods(B, "LIKELIEST_OF_GROUPS")),
        "largest": reference.group_maxima(logits, 1, GROUPS)[0].astype(numpy.float32),
        "ids": Empty((B,), numpy.uint32), "V": V,
    }  # fmt: skip


@kernel
def shortlist_sample(draw):
    """As of top_k_top_p_sample, with what group_maxima has found; also where too many tokens may be drawn for a list."""
    B, V = draw.size(3), draw.size(9000, draw.random.choice([1, 2500]))
    logits, temperature = draw.logits(B, V), float(draw.random.uniform(0.3, 2))
    largest, sums = reference.group_maxima(logits, temperature, GROUPS)
    cuts = [
        (1, 1.0, 0.0),
        (min(V, 40), 0.9, 0.0),
        (min(V, 300), 1.0, 0.0),
        (V, 0.3, 0.0),
        (V, 0.9, 0.1),
        (V, 1.0, 1e-3),
    ]
    top_k, top_p, min_p = cuts[draw.random.integers(len(cuts))]
    return threadgroups(B), {
        "logits": logits,
        "sampling": row_sampling(
            B, V, method=draw.methods(B, "SHORTLISTED"), seed=draw.random.integers(2**63, size=B),
            temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        ),
        "largest": largest.astype(numpy.float32), "sums": sums.astype(numpy.float32),
        "lengths": draw.below(100, B), "counts": draw.below(9, B), "scratch": Empty((B, V)),
        "ids": Empty((B,), numpy.uint32), "V": V,
    }  # fmt: skip


@kernel
def add_logit_bias(draw):
    B, V = draw.size(4), draw.size(300)
    return threads(V, B), {
        "logits": draw.logits(B, V), "sampling": row_sampling(B, V, flags=draw.below(4, B)), "bias": draw.normal(B, V),
        "out": Empty((B, V)), "B": B, "V": V,
    }  # fmt: skip


@kernel
def mask_tokens(draw):
    B, V = draw.size(4), draw.size(300)
    allowed = draw.random.integers(0, 2**32, (B, (V + 31) // 32), dtype=numpy.uint32)
    sampling = row_sampling(B, V, flags=draw.below(4, B))
    return threads(V, B), {"sampling": sampling, "allowed": allowed, "logits": draw.logits(B, V), "B": B, "V": V}


@kernel
def penalise_repeats(draw):
    B, V, capacity = draw.size(4), draw.size(60), draw.size(100)
    window, fill = draw.size(100), 1 + capacity // 2  # full, too
    return threads(window, B), {
        "history": draw.ids(V, B, capacity + 1),
        "sampling": row_sampling(
            B, V, window=draw.random.integers(0, window + 1, B), repetition=draw.random.uniform(0.5, 2, B),
            presence=draw.random.uniform(-1, 1, B), frequency=draw.random.uniform(-1, 1, B),
        ),
        "lengths": draw.below(fill, B), "counts": draw.below(fill, B), "logits": draw.logits(B, V), "B": B, "V": V,
        "capacity": capacity,
    }  # fmt: skip


@kernel
def top_logprobs(draw):
    B, V = draw.size(3), draw.size(300)
    shape = (B, SLOTS, TOLD_MOST)
    return threadgroups(B), {
        "logits": draw.logits(B, V), "sampling": row_sampling(B, V, told=draw.random.integers(0, min(V, 20) + 2, B)),
        "lengths": draw.below(100, B), "counts": draw.below(9, B), "ids": draw.ids(V, B),
        "tokens": Empty(shape, numpy.uint32), "logprobs": Empty(shape), "V": V,
    }  # fmt: skip


@kernel
def keep_typical(draw):
    B, V = draw.size(3), draw.size(200)
    return threadgroups(B), {
        "logits": draw.logits(B, V),
        "sampling": row_sampling(
            B, V, temperature=draw.random.uniform(0.1, 2, B), top_k=draw.random.integers(1, V + 1, B),
            typical=draw.random.choice([0, 1], B) * draw.random.uniform(0.05, 0.95, B),
        ),
        "scratch": Empty((B, V)), "V": V,
    }  # fmt: skip


@kernel
def softmax_inplace(draw):
    N, S = draw.size(4), draw.size(300)
    return threadgroups(N), {"att": draw.normal(N, S), "S": S}


@kernel
def layernorm_forward(draw, type):
    N, C = draw.size(4), draw.size(400, draw.few)
    return threadgroups(N), {
        "x": draw.normal(N, C), "weight": draw.normal(C), "bias": draw.normal(C),
        "out": Empty((N, C), TYPES[type]), "C": C, "epsilon": 1e-5,
    }  # fmt: skip


@kernel
def residual_layernorm(draw, type):
    N, C = draw.size(4), draw.size(400, draw.few)
    return threadgroups(N), {
        "x": draw.normal(N, C), "y": draw.normal(N, C), "y_bias": draw.normal(C), "weight": draw.normal(C),
        "bias": draw.normal(C), "res": Empty((N, C)), "out": Empty((N, C), TYPES[type]), "C": C, "epsilon": 1e-5,
    }  # fmt: skip


@kernel
def rmsnorm_forward(draw, type):
    N, C = draw.size(4), draw.size(400, draw.few)
    return threadgroups(N), {
        "x": draw.normal(N, C), "weight": draw.normal(C), "out": Empty((N, C), TYPES[type]), "C": C, "epsilon": 1e-5,
    }  # fmt: skip


def residual_of(draw, type, vector):
    N, C = draw.size(4), draw.size(400, draw.few)
    return threadgroups(N), {
        "x": draw.normal(N, C), "y": draw.normal(N, C), vector: draw.normal(C), "weight": draw.normal(C),
        "res": Empty((N, C)), "out": Empty((N, C), TYPES[type]), "C": C, "epsilon": 1e-5,
    }  # fmt: skip


@kernel
def residual_rmsnorm(draw, type):
    return residual_of(draw, type, "y_bias")


@kernel
def sandwich_rmsnorm(draw, type):
    return residual_of(draw, type, "after")


def gated_activation(draw, type):
    T, I = draw.size(6), draw.size(100)
    return threads(I, T), {
        "in_": draw.normal(T, 2 * I), "gate_bias": draw.normal(I), "up_bias": draw.normal(I),
        "out": Empty((T, I), TYPES[type]), "T": T, "I": I,
    }  # fmt: skip


@kernel
def silu_gated(draw, type):
    return gated_activation(draw, type)


@kernel
def gelu_gated(draw, type):
    return gated_activation(draw, type)


@kernel
def embedding_forward(draw, format):
    B, T, V, context = draw.size(3), draw.size(3), draw.size(30), draw.size(12)
    C = draw.columns(format, 100)
    return threads(C, T, B), {
        "ids": draw.ids(V, B, T), "lengths": draw.below(context + 3, B), "token_table": draw.weights(format, V, C),
        "position_table": draw.normal(context, C), "out": Empty((B, T, C)), "T": T, "C": C, "V": V, "context": context,
        "scale": 2.5,
    }  # fmt: skip


def product(draw, format, K):
    """x, weight, bias, out and sizes, whose order is most products'."""
    T, N = draw.size(12), draw.size(20, draw.few)
    return {
        "x": draw.normal(T, K), "weight": draw.weights(format, N, K), "bias": draw.normal(N),
        "out": Empty((T, N)), "T": T, "K": K, "N": N,
    }  # fmt: skip


def side_by_side(draw, values):
    """A product whose place is in rows of `stride` numbers, behind the last of which memory need not go on."""
    T, N = values["out"].shape
    stride = N + draw.wider()
    values["out"] = Empty((T, N) if stride == N else ((T - 1) * stride + N,))
    return values | {"stride": stride}


@kernel
def linear(draw, format):
    values = side_by_side(draw, product(draw, format, draw.columns(format, 150)))
    return simdgroups(values["N"]), values


@kernel
def linear_tile(draw, format):
    """Four rows of the weight for each simdgroup."""
    grid, values = linear(draw, format)
    return simdgroups(-(-grid.x // 4)), values


def normed(values, draw):
    """A product with layernorm in front: its weight and bias behind x."""
    K = values["K"]
    return {"x": values.pop("x"), "norm_weight": draw.normal(K), "norm_bias": draw.normal(K), **values}


@kernel
def norm_linear(draw, instance):
    """`instance` is f32, wide_f16, pair_f32 …"""
    values = normed(product(draw, instance[-3:], 4 * draw.size(50, draw.few)), draw)
    grid = threadgroups(draw.size(3), counts=WHOLE)
    return grid, values | {"gelu": int(draw.random.integers(2)), "epsilon": 1e-5}


def rmsnormed(draw, names, format, N, most=9):
    """x, the norm's weight, matrices of N rows each, and what is added to their products."""
    T, K = draw.size(most), (8 if format == "f16" else 4) * draw.size(150)
    values = {"x": draw.normal(T, K), "norm_weight": draw.normal(K)}
    values |= {f"{name}": draw.weights(format, n, K) for name, n in zip(names, N)}
    return T, K, values


@kernel
def rmsnorm_linear(draw, instance):
    """`instance` is f32, fours_f16 …; the second and the third product may have no rows."""
    sizes = [draw.size(9, draw.few), *(int(draw.random.integers(0, 7)) for _ in range(2))]
    names = [f"weight_{part}" for part in "abc"]
    T, K, values = rmsnormed(draw, names, instance[-3:], [max(size, 1) for size in sizes])
    values |= {f"bias_{part}": draw.normal(max(size, 1)) for part, size in zip("abc", sizes)}
    values |= {"out": Empty((T, sum(sizes))), "T": T, "K": K, **dict(zip("ABC", sizes)), "epsilon": 1e-5}
    return simdgroups(-(-sum(sizes) // 2)), values


@kernel
def rmsnorm_gated(draw, instance):
    N = draw.size(20, draw.few)
    T, K, values = rmsnormed(draw, ["gate", "up"], instance[-3:], [N, N])
    values |= {"gate_bias": draw.normal(N), "up_bias": draw.normal(N), "out": Empty((T, N))}
    return simdgroups(N), values | {"T": T, "K": K, "N": N, "gelu": int(draw.random.integers(2)), "epsilon": 1e-5}


@kernel
def linear_residual(draw, instance):
    values = product(draw, instance[-3:], (8 if instance.startswith("eights") else 4) * draw.size(50))
    values["out"] = draw.normal(*values["out"].shape)
    names = [name if name != "out" else "stream" for name in values]
    return threadgroups(-(-values["N"] // 2)), dict(zip(names, values.values()))


@kernel
def linear_batch(draw, what):
    """`what` ends in the tokens of a threadgroup. x has whole tiles, of which the last rows may hold anything."""
    tokens = int(what.split("_")[-1])
    T, N, K = draw.size(40), 15 + draw.size(40), 32 * draw.size(12)
    weight = draw.normal(N, K).astype(numpy.float16)
    out = draw.normal(T, N) if what.startswith("residual") else Empty((T, N))
    if what.startswith("gelu"):
        out = Empty((T, N), numpy.float16)
    values = {"x": in_tiles(draw, T, K), "weight": weight, "bias": draw.normal(N), "out": out}
    return batch_grid(draw, N, 16, T, tokens), values | {"T": T, "K": K, "N": N}


def batch_grid(draw, rows, at_once, T, tokens):
    """Blocks of so many rows, of which any number are taken at a time."""
    return threadgroups(int(draw.random.integers(1, -(-rows // at_once) + 1)), -(-T // int(tokens)), counts=WHOLE)


def in_tiles(draw, T, K):
    return Meaning(x := draw.normal(-(-T // 8) * 8, K).astype(numpy.float16), x[:T])


@kernel
def linear_batch_parts(draw, tokens):
    """The second and the third product may have no rows."""
    sizes = [16 + 8 * draw.size(3), *(8 * int(draw.random.integers(0, 4)) for _ in range(2))]
    T, K = draw.size(40), 32 * draw.size(12)
    values = {"x": in_tiles(draw, T, K)}
    values |= {f"weight_{part}": draw.normal(max(n, 8), K).astype(numpy.float16) for part, n in zip("abc", sizes)}
    values |= {f"bias_{part}": draw.normal(max(n, 8)) for part, n in zip("abc", sizes)}
    values |= {"out": Empty((T, sum(sizes))), "T": T, "K": K, **dict(zip("ABC", sizes))}
    return batch_grid(draw, sum(sizes), 16, T, tokens), values


@kernel
def linear_batch_gated(draw, tokens):
    T, K, N = draw.size(40), 32 * draw.size(12), 7 + draw.size(40)
    values = {"x": in_tiles(draw, T, K)}
    values |= {name: draw.normal(N, K).astype(numpy.float16) for name in ("gate", "up")}
    values |= {name: draw.normal(N) for name in ("gate_bias", "up_bias")}
    values |= {"out": Empty((T, N), numpy.float16), "T": T, "K": K, "N": N, "gelu": int(draw.random.integers(2))}
    return batch_grid(draw, N, 8, T, tokens), values


@kernel
def norm_linear_batch(draw, what):
    T, N, K = draw.size(8), 15 + draw.size(40), 32 * draw.size(32)
    values = {
        "x": draw.normal(T, K), "weight": draw.normal(N, K).astype(numpy.float16), "bias": draw.normal(N),
        "out": Empty((T, N), numpy.float16 if what == "gelu" else numpy.float32), "T": T, "K": K, "N": N,
    }  # fmt: skip
    grid = threadgroups(int(draw.random.integers(1, -(-N // 16) + 1)), counts=[*WHOLE, 288])
    return grid, normed(values, draw) | {"epsilon": 1e-5}


@kernel
def quantise_activations(draw):
    blocks = draw.size(20)
    N = blocks * 32
    return simdgroups(blocks), {
        "x": draw.activations(N), "values": Empty((N,), numpy.int8), "offset": Empty((N // 4,), numpy.int32),
        "scale": Empty((blocks,)), "block_offset": Empty((blocks,), numpy.int32), "N": N,
    }  # fmt: skip


@kernel
def integer_linear(draw, format):
    values = product(draw, format, draw.columns(format, 750))
    x = draw.quantised(*values.pop("x").shape)
    scale = draw.normal(len(x), x.shape[1] // 32)
    offsets = {"x_offset": reference.offsets(x), "x_block_offset": reference.block_offsets(x)}
    values = {"x": x, **offsets, "x_scale": scale, **values}
    return simdgroups(values["N"]), side_by_side(draw, values)


def planes(values, format):
    """Weights as block_planes leaves them, in whole vectors."""
    if isinstance(values, Packed):
        return dataclasses.replace(values, in_planes=format in SPLIT)
    data = values.data if isinstance(values, Meaning) else values
    data = data.view(numpy.uint8).reshape(-1, block_bytes(format))
    data = reference.planes(data, SPLIT[format]) if format in SPLIT else data.reshape(-1)
    data = numpy.concatenate([data, numpy.zeros(-len(data) % 16, numpy.uint8)]).view(numpy.uint32)
    return Meaning(data, values.exact) if isinstance(values, Meaning) else data


def block_bytes(format):
    return gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[format.upper()]][1]


@kernel
def block_planes(draw):
    size, blocks = draw.size(120, 2), draw.size(20)
    count = size * blocks
    return threads(count), {
        "in_": draw.quantised(blocks, 2 * size), "out": Empty((2 * count,), numpy.int8), "count": count,
        "size": size, "scale": int(draw.random.choice([0, size - 1])),
    }  # fmt: skip


def rounded(draw, format):
    """A row of activations, some of whose values may be no numbers."""
    K = max(block(format), 32) * draw.size(max(2, 700 // block(format)))
    return draw.activations(K), K


@kernel
def integer_read(draw, format):
    """The second and the third product may have no rows."""
    sizes = [draw.size(9, draw.few), *(int(draw.random.integers(0, 7)) for _ in range(2))]
    x, K = rounded(draw, format)
    values = {"x": x, "norm_weight": draw.normal(K), "norm_bias": draw.normal(K)}
    values |= {f"weight_{part}": planes(draw.weights(format, max(n, 1), K), format) for part, n in zip("abc", sizes)}
    values |= {f"bias_{part}": draw.normal(max(n, 1)) for part, n in zip("abc", sizes)}
    values |= {"out": Empty((sum(sizes),)), "K": K, **dict(zip("ABC", sizes))}
    flags = {name: int(draw.random.integers(2)) for name in ("centred", "gelu")}
    return threadgroups(draw.size(3), counts=WHOLE), values | flags | {"epsilon": 1e-5}


@kernel
def integer_gated(draw, format):
    (x, K), N = rounded(draw, format), draw.size(20, draw.few)
    values = {"x": x, "norm_weight": draw.normal(K)}
    values |= {name: planes(draw.weights(format, N, K), format) for name in ("gate", "up")}
    values |= {"gate_bias": draw.normal(N), "up_bias": draw.normal(N), "out": Empty((N,)), "K": K, "N": N}
    return threadgroups(draw.size(3), counts=WHOLE), values | {"gelu": int(draw.random.integers(2)), "epsilon": 1e-5}


@kernel
def integer_write(draw, format):
    (x, K), N = rounded(draw, format), draw.size(20, draw.few)
    return threadgroups(draw.size(3), counts=WHOLE), {
        "x": x, "weight": planes(draw.weights(format, N, K), format), "bias": draw.normal(N), "stream": draw.normal(N),
        "K": K, "N": N,
    }  # fmt: skip


@kernel
def integer_matmul(draw, format):
    T, N, K = draw.size(20), draw.size(70, draw.few), draw.columns(format, 960)
    x = draw.quantised(T, K)
    values = {
        "x": x, "x_offset": reference.offsets(x), "x_block_offset": reference.block_offsets(x),
        "x_scale": draw.normal(T, K // 32),
        "weight": draw.weights(format, N, K), "out": Empty((T, N)), "T": T, "K": K, "N": N,
    }  # fmt: skip
    return threadgroups(-(-N // 32)), side_by_side(draw, values)


@kernel
def dequantise(draw, format):
    blocks = draw.size(20)
    N = blocks * block(format)
    grid = threads(N) if block(format) == 1 else simdgroups(blocks)
    return grid, {"in_": draw.weights(format, 1, N), "out": Empty((N,)), "N": N}


@kernel
def convert_f16(draw):
    N = draw.size(300)
    return threads(N), {"in_": draw.normal(N), "out": Empty((N,), numpy.float16), "N": N}


def cache(draw, hs=None, most_tokens=6):
    """Sizes of a KV cache; rows of different lengths."""
    random = draw.random
    B, T, nh = draw.size(2), draw.size(most_tokens), draw.size(3)
    capacity = T + int(random.choice([0, draw.size(40), random.integers(40, 140)]))
    hs = hs or int(random.choice([1, 3, 16, 33, 64, 80]))
    counts = random.integers(1, T + 1, B).astype(numpy.uint32)
    lengths = random.integers(0, capacity - counts + 1).astype(numpy.uint32)
    if random.integers(2):
        lengths = capacity - counts
    return B, T, nh, hs, capacity, lengths, counts


def plain(draw, type, B, nkv, capacity, hs):
    """Keys or values, token beside token."""
    return draw.normal(B, nkv, capacity, hs).astype(TYPES[type])


def page_table(draw, B, capacity):
    """Each row has pages of its own, in any order, of some that nobody has as well."""
    row_pages = -(-capacity // PAGE)
    count = B * row_pages + int(draw.random.integers(3))
    return draw.random.permutation(count)[: B * row_pages].reshape(B, row_pages).astype(numpy.uint32)


def in_pages(draw, type, B, nkv, capacity, hs, *names):
    """Keys, values or both, and where their pages are."""
    pages = page_table(draw, B, capacity)
    return {name: draw.normal(int(pages.max()) + 1, nkv, PAGE, hs).astype(TYPES[type]) for name in names} | {
        "pages": pages
    }


def keys_and_values(draw, type, B, nkv, capacity, hs):
    return in_pages(draw, type, B, nkv, capacity, hs, "keys", "values")


def more_heads(draw, nkv):
    """Of queries: as many as of keys and values, or a multiple."""
    return nkv * int(draw.random.choice([1, 1, 2, 3]))


def window(draw):
    return int(draw.random.choice([1, draw.size(60), 2**32 - 1]))


@kernel
def split_heads(draw, type):
    B, T, nkv, hs, capacity, *_ = cache(draw)
    nh = more_heads(draw, nkv)
    return threads(hs, T, B * nh), {
        "qkv": draw.normal(B, T, (nh + 2 * nkv) * hs), "q_bias": draw.normal(nh * hs), "k_bias": draw.normal(nkv * hs),
        "v_bias": draw.normal(nkv * hs), "lengths": draw.below(capacity + 1, B), "counts": draw.below(T + 1, B),
        "q": Empty((B, nh, T, hs)), **keys_and_values(draw, type, B, nkv, capacity, hs),
        "T": T, "nh": nh, "nkv": nkv, "hs": hs, "capacity": capacity,
    }  # fmt: skip


@kernel
def gather_pages(draw, type):
    """There may be more new tokens than room; a page that no query sees may be nowhere."""
    B, T, nkv, hs, capacity, *_ = cache(draw)
    lengths, counts, seen = draw.below(capacity + 1, B), draw.below(T + 1, B), window(draw)
    caches = in_pages(draw, type, B, nkv, capacity, hs, "cache")
    for row, length, count in zip(caches["pages"] if isinstance(draw, Wild) else [], lengths, counts):
        row[-(-int(length + count) // PAGE) :] = row[: max(0, int(length + min(1, count)) - seen) // PAGE] = NO_TOKEN
    return threads(hs, capacity, B * nkv), {
        **caches, "lengths": lengths, "counts": counts, "out": plain(draw, type, B, nkv, capacity, hs), "nkv": nkv,
        "hs": hs, "capacity": capacity, "window": seen,
    }  # fmt: skip


@kernel
def copy_pages(draw):
    N = draw.size(300)
    return threads(N), {"in_": draw.below(2**32, N), "out": Empty((N,), numpy.uint32), "N": N}


@kernel
def copy_page(draw):
    N, pages = draw.size(100), 2 + draw.size(3)
    shared, own = (int(page) for page in draw.random.permutation(pages)[:2])
    return threads(N), {"cache": draw.below(2**32, pages, N), "shared": shared, "own": own, "N": N}


@kernel
def rope(draw, order):
    """Near the beginning, where float64 has the same angles."""
    B, T, nkv, hs, *_ = cache(draw)
    nh, hs = more_heads(draw, nkv), max(2, hs)
    rotary = 2 * int(draw.random.integers(1, hs // 2 + 1))
    return threads((hs + 1) // 2, nh + nkv, B * T), {
        "qkv": draw.normal(B, T, (nh + 2 * nkv) * hs), "q_bias": draw.normal(nh * hs), "k_bias": draw.normal(nkv * hs),
        "lengths": draw.below(20, B), "frequencies": numpy.abs(draw.normal(rotary // 2)), "T": T, "nh": nh, "nkv": nkv,
        "hs": hs, "rotary": rotary, "magnitude": float(draw.random.choice([1, 1.25])),
    }  # fmt: skip


@kernel
def head_norm(draw):
    rows, nkv, hs = draw.size(5), draw.size(3), int(draw.random.choice([1, 3, 33, 64, 256]))
    nh = more_heads(draw, nkv)
    return simdgroups(rows * (nh + nkv)), {
        "qkv": draw.normal(rows, (nh + 2 * nkv) * hs), "q_weight": draw.normal(hs), "k_weight": draw.normal(hs),
        "rows": rows, "nh": nh, "nkv": nkv, "hs": hs, "epsilon": 1e-6,
    }  # fmt: skip


@kernel
def merge_heads(draw):
    B, T, nh, hs = cache(draw)[:4]
    return threads(hs, T, B * nh), {
        "in_": draw.normal(B, nh, T, hs), "out": Empty((B, T, nh * hs)), "T": T, "nh": nh, "hs": hs,
    }  # fmt: skip


@kernel
def attention_scores(draw, type):
    B, T, nkv, hs, capacity, lengths, counts = cache(draw)
    nh, S = more_heads(draw, nkv), int(max(lengths + counts))
    return threads(S, T, B * nh), {
        "q": draw.normal(B, nh, T, hs), "keys": plain(draw, type, B, nkv, capacity, hs), "lengths": lengths,
        "counts": counts, "att": Empty((B, nh, T, S)), "T": T, "S": S, "nh": nh, "nkv": nkv, "hs": hs,
        "capacity": capacity, "window": window(draw), "scale": float(hs**-0.5),
    }  # fmt: skip


@kernel
def attention_mix(draw, type):
    B, T, nkv, hs, capacity, lengths, counts = cache(draw)
    nh, S = more_heads(draw, nkv), int(max(lengths + counts))
    return threads(hs, T, B * nh), {
        "att": draw.normal(B, nh, T, S), "values": plain(draw, type, B, nkv, capacity, hs), "lengths": lengths,
        "counts": counts, "out": Empty((B, nh, T, hs)), "T": T, "S": S, "nh": nh, "nkv": nkv, "hs": hs,
        "capacity": capacity, "window": window(draw),
    }  # fmt: skip


def attended(draw, type, nh, B, T, nkv, hs, capacity, lengths, counts):
    return {
        "q": draw.normal(B, nh, T, hs), **keys_and_values(draw, type, B, nkv, capacity, hs), "lengths": lengths,
        "counts": counts, "out": Empty((B, T, nh, hs)),
    }  # fmt: skip


def window_and_scale(draw, capacity, hs):
    return {"capacity": capacity, "window": window(draw), "scale": float(hs**-0.5)}


MORE_THAN_TAKE_PART = 17 * LANES + 5  # of the threads of a threadgroup


@kernel
def flash_attention(draw, instance):
    """For any head size, or one of its own: hs64_f32 …"""
    *hs, type = instance.removeprefix("hs").split("_")
    if hs:
        return sized(draw, type, int(hs[0]), 4, 6)
    B, T, nkv, hs, capacity, *_ = sizes = cache(draw)
    nh = more_heads(draw, nkv)
    rest = {"hs": hs, "nkv": nkv, **window_and_scale(draw, capacity, hs)}
    return threadgroups(T, nh, B, counts=[*THREADS, MORE_THAN_TAKE_PART]), attended(draw, type, nh, *sizes) | rest


def sized(draw, type, hs, queries, most_tokens, counts=THREADS):
    """So many queries to a threadgroup, of all heads that share keys."""
    B, T, nkv, _, capacity, *_ = sizes = cache(draw, hs, most_tokens)
    nh = more_heads(draw, nkv)
    rest = {"T": T, "nh": nh, **window_and_scale(draw, capacity, hs)}
    return threadgroups(-(-T * nh // nkv // queries), nkv, B, counts=counts), attended(draw, type, nh, *sizes) | rest


@kernel
def flash_attention_prompt(draw, instance):
    hs, type = instance.removeprefix("hs").split("_")
    return sized(draw, type, int(hs), 32, 70 * 64 // int(hs))


@kernel
def flash_attention_tiles(draw, instance):
    """hs64_halves_f16, hs128_halves_f32 …"""
    hs, _, type = instance.removeprefix("hs").split("_")
    queries = constants()["FLASH_ATTENTION_TILES_" + ("WIDE_QUERIES" if int(hs) > 128 else "QUERIES")]
    grid, values = sized(draw, type, int(hs), queries, 150 * 64 // int(hs), WHOLE)
    values["out"].dtype = numpy.float16
    return grid, values


def turning(draw, hs):
    """Heads normalised or not, turned whole, in part or not at all. Positions are small: see rope."""
    rotary = int(draw.random.choice([0, hs, 2 * draw.random.integers(1, hs // 2)]))
    frequencies = numpy.abs(draw.normal(max(1, rotary // 2))) / 8
    return {
        "q_norm": draw.normal(hs), "k_norm": draw.normal(hs), "frequencies": frequencies.astype(numpy.float32),
        "norms": int(draw.random.integers(2)), "epsilon": 1e-6, "rotary": rotary,
        "halves": int(draw.random.integers(2)), "magnitude": float(draw.random.choice([1, 1.25])),
    }  # fmt: skip


@kernel
def decode_attention(draw, instance):
    """hs64_f16, hs128_halves_f32 …"""
    hs, *to, type = instance.removeprefix("hs").split("_")
    hs, B, nkv, capacity = int(hs), draw.size(3), draw.size(3), draw.size(140)
    nh = more_heads(draw, nkv)
    lengths, counts = draw.below(capacity, B), draw.below(2, B)
    counts[lengths == 0] = 1  # nothing to attend to otherwise
    return threadgroups(nh, B, counts=[*THREADS, MORE_THAN_TAKE_PART]), {
        "qkv": draw.normal(B, nh + 2 * nkv, hs), "lengths": lengths, "counts": counts,
        **keys_and_values(draw, type, B, nkv, capacity, hs),
        "out": Empty((B, nh, hs), numpy.float16 if to else numpy.float32), "nkv": nkv,
        **window_and_scale(draw, capacity, hs),
    }  # fmt: skip


@kernel
def turned_attention(draw, instance):
    grid, values = decode_attention(draw, instance)
    return grid, values | turning(draw, values["qkv"].shape[-1])


@kernel
def split_attention(draw, instance):
    """hs64_f16, hs128_fours_f32 …: of one head, two or four at once."""
    hs, *several, type = instance.removeprefix("hs").split("_")
    hs, B, nkv, capacity, splits = int(hs), draw.size(3), draw.size(2), draw.size(200), draw.size(5)
    sharing, count = int(draw.random.integers(1, 6)), {"": 1, "pair": 2, "fours": 4}["".join(several)]
    nh, lengths = nkv * sharing, draw.below(capacity, B)
    return threadgroups(nkv * -(-sharing // count), splits, B, counts=[*THREADS, MORE_THAN_TAKE_PART]), {
        "qkv": draw.normal(B, nh + 2 * nkv, hs), "lengths": lengths, "counts": draw.below(2, B),
        **keys_and_values(draw, type, B, nkv, capacity, hs), "split_sums": Empty((B, nh, splits, hs)),
        "split_softmax": Empty((B, nh, splits, 2)), "nh": nh, "nkv": nkv, **window_and_scale(draw, capacity, hs),
        **turning(draw, hs),
    }  # fmt: skip


@kernel
def merge_splits(draw, type):
    """Any split but the first may have no keys."""
    B, nh, splits, vectors = draw.size(3), draw.size(4), draw.size(64), int(draw.random.choice([1, 16, 32, 64]))
    softmax = numpy.abs(draw.normal(B, nh, splits, 2))
    empty = draw.random.uniform(size=(B, nh, splits)) < 0.2
    empty[:, :, 0] = False
    softmax[empty] = numpy.float32([-numpy.finfo(numpy.float32).max, 0])
    sums = draw.normal(B, nh, splits, 4 * vectors)
    sums[empty] = 0
    return threadgroups(nh, B, counts=[*THREADS, MORE_THAN_TAKE_PART]), {
        "sums": sums, "softmax": softmax, "out": Empty((B, nh, 4 * vectors), TYPES[type]), "splits": splits,
        "vectors": vectors,
    }  # fmt: skip


@kernel
def last_token_rows(draw):
    B, T, C = draw.size(4), draw.size(5), draw.size(100)
    return threads(C, B), {
        "x": draw.normal(B, T, C), "counts": draw.below(T + 1, B), "out": Empty((B, C)), "B": B, "T": T, "C": C,
    }  # fmt: skip


@kernel
def advance_step(draw):
    B, capacity = draw.size(40), draw.size(20)
    lengths = draw.below(capacity, B)
    counts = numpy.minimum(draw.below(4, B), capacity - lengths).astype(numpy.uint32)
    return threads(B), {
        "ids": draw.ids(99, B), "lengths": lengths, "counts": counts,
        "history": draw.below(99, B, capacity + 1), "drawn": Empty((B, SLOTS), numpy.uint32), "B": B,
        "capacity": capacity,
    }  # fmt: skip


# --- by a kernel's name ---


def kernel_files():
    """The file of each kernel, by the kernel's name."""
    return {name: KERNELS / file for name, file, _ in kernels_of(*toolchain.kernel_files())}


def longest_beginning(kernel, names):
    """That of `names` of which the kernel is an instance: norm_linear for norm_linear_wide_f16."""
    fitting = [name for name in names if kernel == name or kernel.startswith(name + "_")]
    return max(fitting, key=len, default=None)


def inputs(kernel, draw):
    """A grid, and the kernel's values by name."""
    name = longest_beginning(kernel, DESCRIBED)
    assert name, f"{kernel}: say in tests/support/launches.py what it is given"
    instance = [kernel[len(name) + 1 :]] if len(inspect.signature(DESCRIBED[name]).parameters) > 1 else []
    return DESCRIBED[name](draw, *instance)


def random_launch(kernel, random, path=None):
    """A random launch of a kernel, of the file `path` if given instead of the one in kernels/."""
    grid, values = inputs(kernel, Wild(random))
    arguments = [value.data if isinstance(value, Meaning) else value for value in values.values()]
    return Launch(path or kernel_files()[kernel], kernel, *grid.in_threads(random), arguments)
