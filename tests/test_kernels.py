"""Each kernel of kernels/ against numpy in float64, on every device.

First all of them on what tests/support/launches.py gives them, against the numpy of docs/kernels/; then each at its
edges. Outputs hold NaN before a run, buffers lie between sentinels (tests/support/device.py), inputs are fresh
random numbers without cancellation, so that errors can be measured against the result itself. A
kernel for another weight format is one more line in FORMATS.
"""

import dataclasses
import inspect

import gguf
import numpy
import pytest

import device as device_module
import families
import launches
import models
import pages
import reference
from device import InOut, Out, simdgroups, threadgroups, threads
from library import BUILD, Parameter, kernel_table
from toolchain import constants

TOLERANCE = 1e-5
HALF_TOLERANCE = 6e-4  # of a result that is rounded to half: 2⁻¹¹
MATRIX_TOLERANCE = 3e-5  # of sums that matrix units make: NVIDIA's cut off what does not fit
SHARED = constants()
NO_TOKEN = SHARED["ARGMAX_NO_TOKEN"]
FLASH_QUERIES = SHARED["FLASH_ATTENTION_SHARED_QUERIES"]
PAGE = SHARED["PAGES_PAGE"]
PROMPT_QUERIES = SHARED["FLASH_ATTENTION_PROMPT_QUERIES"]
TILE_QUERIES = {hs: SHARED["FLASH_ATTENTION_TILES_QUERIES"] for hs in (64, 128)}
TILE_QUERIES[256] = SHARED["FLASH_ATTENTION_TILES_WIDE_QUERIES"]
THREADS = [0, 1, 2, 31, 32, 33, 64, 65, 255, 256, 257, 1000, 1024]  # of a threadgroup; 0: any
if BUILD.name == "asan":  # which looks at memory, not at results
    THREADS = [0, 1, 33, 256, 1024]
SIZED = [64, 128, 256]  # heads with kernels of their own
ALL = 2**32 - 1  # a window without an end
SIZES = [1, 2, 31, 32, 33, 63, 64, 65, 255, 256, 257]

each_thread_count = pytest.mark.parametrize("thread_count", THREADS)

# In test_sampling.py.
TESTED = {"top_k_top_p_sample", "keep_typical", "penalise_repeats", "add_logit_bias", "mask_tokens", "top_logprobs"}
TESTED |= {"group_maxima", "shortlist_sample"}  # there, too


def covers(*kernels):
    """Marks a test as the one of these kernels."""
    TESTED.update(kernels)
    return lambda function: function


def check_rows(actual, expected, tolerance=TOLERANCE):
    """Each row of the last axis: ‖error‖ to ‖row‖ and the largest error to the largest element. One
    tolerance, or one per row."""
    assert actual.shape == expected.shape
    actual, expected = (x.astype(numpy.float64) for x in (actual, expected))
    error = numpy.abs(actual - expected)
    norm = numpy.linalg.norm
    assert numpy.all(norm(error, axis=-1) <= tolerance * norm(expected, axis=-1))
    assert numpy.all(error.max(-1) <= tolerance * numpy.abs(expected).max(-1))


def to_the_terms(size, expected):
    """A tolerance to the size of what is added up, where that can cancel out."""
    norm = numpy.linalg.norm
    return TOLERANCE * numpy.maximum(1, norm(size, axis=-1) / norm(expected, axis=-1))


def normal(random, *shape, mean=0.0, std=1.0):
    return random.normal(mean, std, shape).astype(numpy.float32)


def uniform(random, *shape, low, high):
    return random.uniform(low, high, shape).astype(numpy.float32)


def in_pages(random, *kept):
    """Keys and values [B,nkv,capacity,hs] in pages of any order, and the table; NaN is what no row has."""
    B, nkv, capacity, hs = kept[0].shape
    pages = -(-capacity // PAGE)
    table = random.permutation(B * pages + 2)[: B * pages].reshape(B, pages).astype(numpy.uint32)
    caches = [numpy.full((B * pages + 2, nkv, PAGE, hs), numpy.nan, array.dtype) for array in kept]
    for cache, array in zip(caches, kept):
        tail = numpy.full((B, nkv, pages * PAGE - capacity, hs), numpy.nan, array.dtype)
        whole = numpy.concatenate([array, tail], 2).reshape(B, nkv, pages, PAGE, hs)
        cache[table] = whole.transpose(0, 2, 1, 3, 4)
    return *caches, table


def out_of_pages(cache, table, capacity):
    """The same as in_pages was given."""
    B, (_, nkv, _, hs) = len(table), cache.shape
    return cache[table].transpose(0, 2, 1, 3, 4).reshape(B, nkv, -1, hs)[:, :, :capacity]


def uints(*values):
    return numpy.array(values, numpy.uint32)


@pytest.mark.parametrize("damage", [numpy.nan, numpy.inf, -numpy.inf, 3.0, None])
def test_the_comparison_sees_damage(damage, random):
    expected = random.normal(0, 1, (5, 40))
    actual = expected.astype(numpy.float32)
    check_rows(actual, expected)
    if damage is None:
        actual[3, 7] += 2e-5 * numpy.abs(expected[3]).max()
    else:
        actual[3, 7] = damage
    with pytest.raises(AssertionError):
        check_rows(actual, expected)


# --- all of them ---

KERNELS = list(launches.kernel_files())


def run(device, kernel, grid, values, parameters, thread_count):
    """What the kernel writes, as a list."""
    assert list(values) == [{"in": "in_"}.get(name, name) for name, _ in parameters]
    arguments = []
    for value, (_, kind) in zip(values.values(), parameters):
        if isinstance(value, launches.Empty):
            value = Out(value.shape, value.dtype)
        elif kind == Parameter.WRITE:
            value = InOut(value)
        arguments.append(value.data if isinstance(value, launches.Meaning) else value)
    if thread_count:
        thread_count = max(thread_count, min(grid.counts))
    grid = getattr(device_module, grid.item)(grid.x, grid.y, grid.z)
    written = device.run(kernel, grid, *arguments, threads=thread_count)
    return list(written) if isinstance(written, tuple) else [written]


def widened(name, value):
    """For numpy. Halves as well, but for the KV cache: what is written there is rounded."""
    value = value.exact if isinstance(value, launches.Meaning) else value
    types = [numpy.float32] if name in ("keys", "values") else [numpy.float32, numpy.float16]
    is_float = isinstance(value, numpy.ndarray) and value.dtype in types
    return value.astype(numpy.float64) if is_float else value


def by_the_page(kernel, values):
    """What the numpy of docs/kernels/ returns, as a list."""
    name = launches.longest_beginning(kernel, pages.NUMPY)
    assert name, f"{kernel}: no numpy in docs/kernels/"
    if name.startswith("dequantise"):
        size, _, _ = pages.FORMATS[kernel.removeprefix("dequantise_")]
        return [pages.NUMPY[name](values["in_"].data.view(numpy.uint8).reshape(-1, size)).reshape(-1)]
    wanted = inspect.signature(pages.NUMPY[name]).parameters
    result = pages.NUMPY[name](**{name: widened(name, values[name]) for name in wanted if name in values})
    return list(result) if isinstance(result, tuple) else [result]


def check_like(actual, expected, tolerance):
    """Errors to the largest element of all."""
    assert actual.shape == expected.shape
    finite = numpy.isfinite(expected)
    assert numpy.array_equal(actual[~finite], expected[~finite], equal_nan=True)  # −∞ of masks; not written
    error = numpy.abs(actual[finite].astype(numpy.float64) - expected[finite])
    if expected.dtype in launches.ROUNDED:  # what lies half-way may go either way
        assert (
            error.max(initial=0) <= launches.ROUNDED[expected.dtype] and numpy.sum(error > 0) <= 1 + 0.01 * error.size
        )
    elif numpy.issubdtype(expected.dtype, numpy.floating):
        assert numpy.all(error <= tolerance * numpy.abs(expected[finite]).max(initial=0) + 2e-7)
    else:
        assert numpy.all(error == 0)


@pytest.mark.parametrize("repetition", range(5))
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_numpy_of_the_pages(kernel, repetition, device, library, random):
    entry = kernel_table(library)[kernel]
    parameters = [(p.name.decode(), p.kind) for p in entry.parameters[: entry.parameter_count]]
    grid, values = launches.inputs(kernel, launches.Plain(random))
    expected = by_the_page(kernel, values)
    written = run(device, kernel, grid, values, parameters, int(random.choice(THREADS)))
    assert len(written) == len(expected)
    for actual, result in zip(written, expected):
        if result is None:
            continue  # of no use behind the kernel
        check_like(actual, result, launches.tolerance(kernel, actual.dtype))


# --- weight formats ---

# Weights that are stored together, by GGUF's name of a format.
FORMATS = {"F32": 1, "F16": 1, "BF16": 1, **models.BLOCKS}


def name_of(kind, format):
    """The kernel of a kind for a format: linear_q4_K."""
    name = format.lower().replace("_k", "_K")
    return kind if (kind, format) == ("embedding_forward", "F32") else f"{kind}_{name}"


PACKED = [format for format in FORMATS if format != "F32"]

each_format = pytest.mark.parametrize("format", FORMATS)


def covers_formats(kind, formats=FORMATS):
    return covers(*(name_of(kind, format) for format in formats))


def packed(random, format, rows, columns):
    """A random matrix as the kernels read it, and what it stands for."""
    data = models.quantise(normal(random, rows, columns, mean=0.5), format)
    return data, models.dequantise(data, format).reshape(rows, columns)


def whole_blocks(size, format):
    block = FORMATS[format]
    return -(-size // block) * block


def product_out(random, T, N):
    """N columns of a matrix that may be wider, and its columns."""
    stride = N + int(random.choice([0, 0, 1, 5, 40]))
    return Out((T, stride)), stride


def check_product(out, expected, tolerance=TOLERANCE):
    """Columns behind the product's are left alone."""
    N = expected.shape[1]
    check_rows(out[:, :N], expected, tolerance)
    assert numpy.isnan(out[:, N:]).all()


@covers_formats("linear")
@each_format
@each_thread_count
def test_linear(thread_count, format, device, random):
    def check(T, K, N):
        K = whole_blocks(K, format)
        x, bias = normal(random, T, K, mean=2), normal(random, N, mean=3)
        data, weight = packed(random, format, N, K)
        out, stride = product_out(random, T, N)
        arguments = [x, data, bias, out, T, K, N, stride]
        out = device.run(name_of("linear", format), simdgroups(N), *arguments, threads=thread_count)
        check_product(out, x.astype(numpy.float64) @ weight.T.astype(numpy.float64) + bias)

    for T in (1, 2, 3, 4, 7, 8, 9, 15):
        check(T, 70, 33)
    for K in SIZES:
        check(int(random.integers(1, 9)), K, 9)
    for N in SIZES:
        check(2, 100, N)


# --- integer products ---


@covers("quantise_activations")
@each_thread_count
def test_quantise_activations(thread_count, device, random):
    def rounded(x):
        blocks = len(x)
        outputs = [Out((blocks, 32), numpy.int8), Out((blocks, 8), numpy.int32), Out((blocks,))]
        arguments = [x, *outputs, Out((blocks, 1), numpy.int32), 32 * blocks]
        kernel, grid = "quantise_activations", simdgroups(blocks)
        values, offset, scale, block_offset = device.run(kernel, grid, *arguments, threads=thread_count)
        assert numpy.array_equal(offset, reference.offsets(values))
        assert numpy.array_equal(block_offset, reference.block_offsets(values))
        return values, scale

    for blocks in (1, 2, 7, 33):
        x = normal(random, blocks, 32) * numpy.exp(normal(random, blocks, 1, std=5))
        values, scale = rounded(x)
        step = numpy.abs(x).max(1) / 127
        check_rows(scale, step)
        assert numpy.all(numpy.abs(values.astype(numpy.float64)).max(1) == 127)
        assert numpy.all(numpy.abs(values * step[:, None] - x) <= 0.501 * step[:, None])

    x = normal(random, 6, 32)
    x[0], x[2] = 0, 1e-38
    x[3, 7], x[4, 31] = numpy.nan, -numpy.inf
    values, scale = rounded(x)
    assert numpy.all(values[0] == 0) and scale[0] == 0
    assert numpy.all(numpy.abs(values[2] * scale[2].astype(numpy.float64)) <= 1e-30)
    assert numpy.array_equal(numpy.isnan(scale), [False, False, False, True, True, False])


@covers_formats("integer_linear", models.BLOCKS)
@pytest.mark.parametrize("format", models.BLOCKS)
@each_thread_count
def test_integer_linear(thread_count, format, device, random):
    def check(T, K, N):
        K = whole_blocks(K, format)
        x = random.integers(-40, 128, (T, K)).astype(numpy.int8)  # sums do not cancel out
        x_scale = uniform(random, T, K // 32, low=2e-3, high=4e-3)
        bias = normal(random, N, mean=3)
        data, weight = packed(random, format, N, K)
        kernel = name_of("integer_linear", format)
        out, stride = product_out(random, T, N)
        offsets = [reference.offsets(x), reference.block_offsets(x)]
        arguments = [x, *offsets, x_scale, data, bias, out, T, K, N, stride]
        out = device.run(kernel, simdgroups(N), *arguments, threads=thread_count)
        exact = x * numpy.repeat(x_scale, 32, axis=1).astype(numpy.float64)
        check_integers(out, exact, weight, bias)

    for T in (1, 2, 3, 4, 7, 8, 9, 15):
        check(T, 70, 33)
    for K in SIZES:
        check(int(random.integers(1, 9)), K, 9)
    for N in SIZES:
        check(2, 100, N)


def check_integers(out, x, weight, bias=0.0):
    """A least value is multiplied by itself: to the size of what is added up, not of the sum."""
    weight = weight.T.astype(numpy.float64)
    expected = x @ weight + bias
    check_product(out, expected, to_the_terms(numpy.abs(x) @ numpy.abs(weight), expected))


@covers_formats("integer_matmul", models.BLOCKS)
@pytest.mark.parametrize("format", models.BLOCKS)
@each_thread_count
def test_integer_matmul(thread_count, format, device, random):
    columns = SHARED["INTEGER_MATMUL_COLUMNS"]
    # More than one tile of tokens and of columns, and more blocks than one part has.
    sizes = [(1, 32, 1), (5, 64, 33), (6, 96, 32), (8, 32, 31), (9, 256, 7), (14, 23 * 32, 65), (33, 24 * 32, 3)]
    for T, K, N in [*sizes, (11, 25 * 32, 40), (4, 50 * 32, 5)]:
        K = whole_blocks(K, format)
        x = random.integers(-40, 128, (T, K)).astype(numpy.int8)  # sums do not cancel out
        x_scale = uniform(random, T, K // 32, low=2e-3, high=4e-3)
        data, weight = packed(random, format, N, K)
        kernel, grid = name_of("integer_matmul", format), threadgroups(-(-N // columns))
        out, stride = product_out(random, T, N)
        arguments = [x, reference.offsets(x), reference.block_offsets(x), x_scale, data, out, T, K, N, stride]
        out = device.run(kernel, grid, *arguments, threads=thread_count)
        exact = x * numpy.repeat(x_scale, 32, axis=1).astype(numpy.float64)
        check_integers(out, exact, weight)


@pytest.mark.parametrize("value", [-127, 127])
def test_the_largest_integer_products(value, device):
    """Of the largest weights that a block can hold: no sum overflows."""
    one, two, full = bytes([0, 0x3C]), bytes([0, 0x3C] * 2), lambda count: bytes([0xFF] * count)
    blocks = {  # all weights equal: −128 and 127, −8, −128 · −32 and −128 · 31 …
        "q8_0": [
            (32, bytes([0, 0x3C]) + bytes([0x80] * 32), -128),
            (32, bytes([0, 0x3C]) + bytes([0x7F] * 32), 127),
        ],
        "q4_0": [(32, bytes([0, 0x3C]) + bytes(16), -8)],
        "q4_1": [(32, two + full(16), 16)],
        "q5_0": [(32, one + bytes(20), -16), (32, one + full(20), 15)],
        "q5_1": [(32, two + full(20), 32)],
        "iq4_nl": [(32, one + bytes(16), -127), (32, one + full(16), 113)],
        "q2_K": [(256, full(80) + two, 15 * 3 - 15)],
        "q3_K": [(256, bytes(108) + one, 128), (256, full(108) + one, 31 * 3)],
        "q4_K": [(256, two + full(140), 63 * 15 - 63)],
        "q5_K": [(256, two + full(172), 63 * 31 - 63)],
        "q6_K": [
            (256, bytes(192) + bytes([0x80] * 16) + bytes([0, 0x3C]), 4096),
            (256, bytes([0xFF] * 192) + bytes([0x80] * 16) + bytes([0, 0x3C]), -3968),
        ],
    }
    for format, K, data, weight in [(f, *block) for f, all in blocks.items() for block in all]:
        x, scale = numpy.full((1, K), value, numpy.int8), numpy.ones((1, K // 32), numpy.float32)
        data, bias = numpy.frombuffer(data, numpy.uint8).copy(), numpy.zeros(1, numpy.float32)
        offsets = [reference.offsets(x), reference.block_offsets(x)]
        arguments = [x, *offsets, scale, data, bias, Out((1, 1)), 1, K, 1, 1]
        out = device.run(f"integer_linear_{format}", simdgroups(1), *arguments)
        check_rows(out, numpy.array([[float(K) * value * weight]]))
        arguments = [x, *offsets, scale, data, Out((1, 1)), 1, K, 1, 1]
        out = device.run(f"integer_matmul_{format}", threadgroups(1), *arguments)
        check_rows(out, numpy.array([[float(K) * value * weight]]))


@covers("linear_tile_f32", "linear_tile_f16", "linear_tile_bf16")
@pytest.mark.parametrize("format", ["F32", "F16", "BF16"])
@each_thread_count
def test_linear_tile(thread_count, format, device, random):
    rows = SHARED["LINEAR_TILE_ROWS"]
    sizes = [(1, 1, 9), (1, 100, 1), (2, 70, 33), (3, 133, 3), (4, 64, 8), (7, 100, 5), (15, 31, 9)]
    for T, K, N in sizes:
        x, bias = normal(random, T, K, mean=2), normal(random, N, mean=3)
        data, weight = packed(random, format, N, K)
        kernel, grid = f"linear_tile_{format.lower()}", simdgroups(-(-N // rows))
        out, stride = product_out(random, T, N)
        out = device.run(kernel, grid, x, data, bias, out, T, K, N, stride, threads=thread_count)
        check_product(out, x.astype(numpy.float64) @ weight.T.astype(numpy.float64) + bias)


def test_dequantise_every_half(device):
    halves = numpy.arange(2**16, dtype=numpy.uint16).view(numpy.float16)
    out = device.run("dequantise_f16", threads(2**16), halves, Out(2**16), 2**16)
    assert numpy.array_equal(out, halves.astype(numpy.float32), equal_nan=True)


@covers("convert_f16")
@each_thread_count
def test_convert(thread_count, device, random):
    for N in SIZES:
        x = normal(random, N, std=10.0 ** random.integers(-7, 6))
        with numpy.errstate(over="ignore"):
            expected = x.astype(numpy.float16)
        out = device.run("convert_f16", threads(N + 9), x, Out(N, numpy.float16), N, threads=thread_count)
        assert numpy.array_equal(out, expected)


@covers_formats("dequantise", PACKED)
@pytest.mark.parametrize("format", PACKED)
@each_thread_count
def test_dequantise(thread_count, format, device, random):
    """Any bits are what the gguf package says they are; only scales must be numbers."""
    type = gguf.GGMLQuantizationType[format]
    block, size = gguf.GGML_QUANT_SIZES[type]
    for blocks in (1, 7, 33):
        data = random.integers(0, 256, (9 * blocks, size), numpy.uint8)
        with numpy.errstate(invalid="ignore"):
            expected = models.dequantise(data, format).reshape(-1, block)
        good = numpy.flatnonzero(numpy.isfinite(expected).all(1))[:blocks]
        data, expected = data[good], expected[good].reshape(-1)
        N = expected.size
        grid = threads(N + 5) if block == 1 else simdgroups(blocks + 1)
        out = device.run(name_of("dequantise", format), grid, data, Out(N), N, threads=thread_count)
        assert numpy.array_equal(out, expected)


@covers_formats("embedding_forward")
@each_format
@each_thread_count
def test_embedding(thread_count, format, device, random):
    """Ids and positions outside the tables read the last row."""
    for B, T, C in [(1, 1, 1), (3, 2, 33), (1, 9, 64), (2, 3, 257)]:
        C, V, context = whole_blocks(C, format), int(random.integers(1, 50)), 12
        data, table = packed(random, format, V, C)
        positions = normal(random, context, C, mean=1)
        ids = random.integers(0, V, (B, T)).astype(numpy.uint32)
        lengths = random.integers(0, context + 2, B).astype(numpy.uint32)
        ids[-1, -1] = NO_TOKEN
        at = numpy.minimum(lengths[:, None] + numpy.arange(T), context - 1)
        scale = float(numpy.float32(random.choice([1.0, 24.0])))
        out = device.run(
            name_of("embedding_forward", format), threads(C + 2, T + 1, B), ids, lengths, data, positions,
            Out((B, T, C)), T, C, V, context, scale, threads=thread_count,
        )  # fmt: skip
        tokens, added = scale * table[numpy.minimum(ids, V - 1)].astype(numpy.float64), positions[at]
        expected = tokens + added
        check_rows(out, expected, to_the_terms(numpy.abs(tokens) + numpy.abs(added), expected))


# --- layernorm ---


def layernorm_tolerance(x, expected, epsilon):
    """A float32 mean allows no better where it is large to the deviation; and what comes out near 0, since its x are
    nearly equal or the bias takes it there, has the rounding of numbers near 1."""
    deviation = numpy.sqrt(x.var(-1) + epsilon)
    size = numpy.sqrt(numpy.square(expected).mean(-1))
    return TOLERANCE * (1 + numpy.abs(x.mean(-1)) / (50 * deviation)) * numpy.maximum(1, 1 / numpy.maximum(size, 1e-30))


# What the kernels that feed the matrix library write: suffix of their name, type, rounding.
OUTPUTS = [("", numpy.float32, 0), ("_f16", numpy.float16, HALF_TOLERANCE)]


def check_layernorm(device, random, x, y, thread_count, epsilon=1e-5, bias_deviation=1.0):
    """All kernels: layernorm of x, and of x + y + its bias, as floats and as halves."""
    N, C = x.shape
    weight, bias = uniform(random, C, low=0.5, high=1.5), uniform(random, C, low=-0.2, high=0.2)
    y_bias = normal(random, C, std=bias_deviation)
    narrow = float(numpy.float32(epsilon))
    for suffix, dtype, rounding in OUTPUTS:
        out = device.run(
            f"layernorm_forward{suffix}", threadgroups(N), x, weight, bias, Out((N, C), dtype), C,
            epsilon, threads=thread_count,
        )  # fmt: skip
        wide = x.astype(numpy.float64)
        expected = reference.layernorm(wide, weight, bias, narrow)
        check_rows(out, expected, layernorm_tolerance(wide, expected, narrow) + rounding)

        res, out = device.run(
            f"residual_layernorm{suffix}", threadgroups(N), x, y, y_bias, weight, bias, Out((N, C)),
            Out((N, C), dtype), C, epsilon, threads=thread_count,
        )  # fmt: skip
        exact = x.astype(numpy.float64) + y + y_bias
        largest = numpy.abs(x) + numpy.abs(y) + numpy.abs(y_bias)
        assert numpy.all(numpy.abs(res - exact) <= 2e-7 * largest)
        wide = res.astype(numpy.float64)
        expected = reference.layernorm(wide, weight, bias, narrow)
        check_rows(out, expected, layernorm_tolerance(wide, expected, narrow) + rounding)


@covers("layernorm_forward", "layernorm_forward_f16", "residual_layernorm", "residual_layernorm_f16")
@each_thread_count
def test_layernorm(thread_count, device, random):
    for C in [*SIZES, int(random.integers(3, 1000))]:
        x, y = normal(random, 3, C), normal(random, 3, C)
        epsilon = float(random.choice([1e-12, 1e-5, 0.1]))
        check_layernorm(device, random, x, y, thread_count, epsilon)


@each_thread_count
def test_layernorm_of_large_means(thread_count, device, random):
    for C in (33, 768):
        means = numpy.array([1e3, -3e3, 1e4, 1e4])[:, None]
        deviations = numpy.array([1, 0.2, 1, 0.1])[:, None]
        x = (normal(random, 4, C) * deviations + means).astype(numpy.float32)
        check_layernorm(device, random, x, normal(random, 4, C), thread_count)


@each_thread_count
def test_layernorm_of_constant_rows(thread_count, device, random):
    """Nothing is left but the bias: exactly, where the sum is exact."""
    C = 300
    x = numpy.repeat(numpy.array([[0.0], [3.0], [-7.5], [1024.0]], numpy.float32), C, 1)
    weight, bias = normal(random, C), normal(random, C)
    arguments = (weight, bias, Out(x.shape), C, 1e-5)
    out = device.run("layernorm_forward", threadgroups(4), x, *arguments, threads=thread_count)
    assert numpy.array_equal(out, numpy.broadcast_to(bias, x.shape))
    x = numpy.repeat(numpy.array([[0.1], [-5.3], [1e6 / 7]], numpy.float32), C, 1)
    check_layernorm(device, random, x, numpy.zeros_like(x), thread_count, bias_deviation=0)


def test_layernorm_keeps_nan_to_its_row(device, random):
    x = normal(random, 3, 50)
    x[1, 20] = numpy.nan
    ones = numpy.ones(50, numpy.float32)
    out = device.run("layernorm_forward", threadgroups(3), x, ones, ones, Out((3, 50)), 50, 1e-5)
    assert numpy.isnan(out).all(1).tolist() == [False, True, False]
    assert numpy.isnan(out).any(1).tolist() == [False, True, False]


# --- RMSNorm ---


def check_rmsnorm(device, random, x, y, thread_count, epsilon=1e-5):
    """All kernels: RMSNorm of x, of x + y + its bias and of x + RMSNorm of y, as floats and as halves."""
    N, C = x.shape
    weight, after = (uniform(random, C, low=0.5, high=1.5) for _ in range(2))
    y_bias = normal(random, C)
    narrow = float(numpy.float32(epsilon))
    norm = lambda x, weight: families.rmsnorm(x.astype(numpy.float64), weight, narrow)
    for suffix, dtype, rounding in OUTPUTS:
        run = lambda name, *arguments: device.run(
            f"{name}{suffix}", threadgroups(N), *arguments, Out((N, C), dtype), C, epsilon, threads=thread_count
        )
        out = run("rmsnorm_forward", x, weight)
        check_rows(out, norm(x, weight), TOLERANCE + rounding)
        added = y.astype(numpy.float64) + y_bias, norm(y, after)
        kernels = [("residual_rmsnorm", y_bias), ("sandwich_rmsnorm", after)]
        for (kernel, vector), y_added in zip(kernels, added):
            res, out = run(kernel, x, y, vector, weight, Out((N, C)))
            largest = numpy.abs(x) + numpy.abs(y_added) + numpy.abs(y)
            assert numpy.all(numpy.abs(res - (x + y_added)) <= TOLERANCE * largest)
            check_rows(out, norm(res, weight), TOLERANCE + rounding)


@covers("rmsnorm_forward", "rmsnorm_forward_f16", "residual_rmsnorm", "residual_rmsnorm_f16")
@covers("sandwich_rmsnorm", "sandwich_rmsnorm_f16")
@each_thread_count
def test_rmsnorm(thread_count, device, random):
    for C in [*SIZES, int(random.integers(3, 1000)), 8192]:
        mean = random.choice([0, 3, -100])
        x, y = normal(random, 3, C, mean=mean), normal(random, 3, C)
        epsilon = float(random.choice([1e-12, 1e-5, 0.1]))
        check_rmsnorm(device, random, x, y, thread_count, epsilon)


def test_rmsnorm_of_zeros(device, random):
    """epsilon keeps the scale finite."""
    x, weight = numpy.zeros((2, 70), numpy.float32), normal(random, 70)
    out = device.run("rmsnorm_forward", threadgroups(2), x, weight, Out((2, 70)), 70, 1e-6)
    assert not out.any()


def test_rmsnorm_keeps_nan_to_its_row(device, random):
    x = normal(random, 3, 50)
    x[1, 20] = numpy.nan
    ones = numpy.ones(50, numpy.float32)
    norm, row = lambda *arguments: device.run(*arguments, Out((3, 50)), 50, 1e-5), [False, True, False]
    outs = [norm("rmsnorm_forward", threadgroups(3), x, ones)]
    outs += norm("residual_rmsnorm", threadgroups(3), ones * x, x, 0 * ones, ones, Out((3, 50)))[1:]
    outs += norm("sandwich_rmsnorm", threadgroups(3), normal(random, 3, 50), x, ones, ones, Out((3, 50)))
    for out in outs:
        assert numpy.isnan(out).all(1).tolist() == numpy.isnan(out).any(1).tolist() == row


# --- fused for decoding ---

# Types of the KV cache.
CACHE_TYPES = {"f32": numpy.float32, "f16": numpy.float16}
each_cache_type = pytest.mark.parametrize("type", CACHE_TYPES)

RESIDUAL_ROWS = SHARED["FUSED_LINEAR_RESIDUAL_ROWS"]
NORM_LINEAR = {  # each kernel, and the most columns that it takes
    "norm_linear_f32": 1024,
    "norm_linear_f16": 1024,
    "norm_linear_wide_f32": 1664,
    "norm_linear_wide_f16": 1664,
    "norm_linear_pair_f32": 1024,
    "norm_linear_pair_wide_f32": 1664,
}
LINEAR_RESIDUAL = [f"linear_residual_{instance}" for instance in ("f32", "f16", "eights_f16", "pair_f32")]


def wide(random, kernel, rows, columns):
    """Weights as a fused kernel reads them, and what they stand for."""
    data = normal(random, rows, columns).astype(CACHE_TYPES[kernel[-3:]])
    return data, data.astype(numpy.float64)


@covers(*NORM_LINEAR)
@pytest.mark.parametrize("kernel", NORM_LINEAR)
@pytest.mark.parametrize("thread_count", [n for n in THREADS if n == 0 or n >= 32])
def test_norm_linear(thread_count, kernel, device, random):
    sizes = [(1, 4, 1, 0), (2, 100, 7, 0), (3, 132, 2, 1), (9, 36, 3, 0), (15, 8, 9, 1)]
    for T, K, N, gelu in [*sizes, (1, NORM_LINEAR[kernel], 5, 1), (2, NORM_LINEAR[kernel] - 28, 9, 0)]:
        x, (weight, exact) = normal(random, T, K, mean=0.5), wide(random, kernel, N, K)
        norm_weight, norm_bias = normal(random, K), normal(random, K)
        bias = normal(random, N, mean=20 * K**0.5)  # so that nothing cancels
        out = device.run(
            kernel, simdgroups(-(-N // 3)), x, norm_weight, norm_bias, weight,
            bias, Out((T, N)), T, K, N, gelu, 1e-5, threads=thread_count,
        )  # fmt: skip
        wide_x, wide_weight, wide_bias = (a.astype(numpy.float64) for a in (x, norm_weight, norm_bias))
        expected = reference.layernorm(wide_x, wide_weight, wide_bias, 1e-5) @ exact.T + bias
        check_rows(out, reference.gelu(expected) if gelu else expected)


RMSNORM_LINEAR = [f"rmsnorm_linear_{instance}" for instance in ("f32", "f16", "narrow_f16", "fours_f32", "fours_f16")]
RMSNORM_GATED = [name.replace("linear", "gated") for name in RMSNORM_LINEAR]


def in_vectors(kernel, K):
    """Some read eight halves at once."""
    eights = "eights" in kernel or ("rmsnorm" in kernel and "f16" in kernel)
    return K + K % 8 if eights else K


@covers(*RMSNORM_LINEAR)
@pytest.mark.parametrize("kernel", RMSNORM_LINEAR)
@each_thread_count
def test_rmsnorm_linear(thread_count, kernel, device, random):
    sizes = [(1, 4, (1, 0, 0)), (2, 100, (7, 2, 0)), (3, 132, (2, 1, 3)), (9, 36, (5, 2, 2)), (15, 8, (3, 0, 0))]
    for T, K, N in [*sizes, (1, 8192, (3, 2, 1)), (4, 576, (9, 3, 3))]:
        K = in_vectors(kernel, K)
        x, norm = normal(random, T, K, mean=0.5), uniform(random, K, low=0.5, high=1.5)
        parts = [wide(random, kernel, max(n, 1), K) for n in N]
        biases = [normal(random, max(n, 1), mean=20 * K**0.5) for n in N]  # so that nothing cancels
        out = device.run(
            kernel, simdgroups(-(-sum(N) // 2)), x, norm, *(data for data, _ in parts), *biases,
            Out((T, sum(N))), T, K, *N, 1e-5, threads=thread_count,
        )  # fmt: skip
        weight = numpy.concatenate([exact[:n] for (_, exact), n in zip(parts, N)])
        bias = numpy.concatenate([bias[:n] for bias, n in zip(biases, N)])
        normed = families.rmsnorm(x.astype(numpy.float64), norm, float(numpy.float32(1e-5)))
        check_rows(out, normed @ weight.T + bias)


@covers(*RMSNORM_GATED)
@pytest.mark.parametrize("kernel", RMSNORM_GATED)
@each_thread_count
def test_rmsnorm_gated(thread_count, kernel, device, random):
    sizes = [(1, 4, 1, 0), (2, 100, 7, 0), (3, 132, 2, 1), (9, 36, 3, 0), (15, 8, 9, 1), (1, 8192, 3, 1)]
    for T, K, N, gelu in sizes:
        K = in_vectors(kernel, K)
        x, norm = normal(random, T, K, mean=0.5), uniform(random, K, low=0.5, high=1.5)
        (gate, exact_gate), (up, exact_up) = (wide(random, kernel, N, K) for _ in range(2))
        gate_bias, up_bias = (normal(random, N, mean=20 * K**0.5) for _ in range(2))
        out = device.run(
            kernel, simdgroups(N), x, norm, gate, up, gate_bias, up_bias, Out((T, N)), T, K, N, gelu, 1e-5,
            threads=thread_count,
        )  # fmt: skip
        normed = families.rmsnorm(x.astype(numpy.float64), norm, float(numpy.float32(1e-5)))
        activation = reference.gelu if gelu else families.silu
        check_rows(out, activation(normed @ exact_gate.T + gate_bias) * (normed @ exact_up.T + up_bias))


def test_norm_linear_of_a_large_mean(device, random):
    """Mean and variance are layernorm.metal's, in two passes."""
    x = normal(random, 1, 768) + numpy.float32(1e3)
    weight, ones, zeros = numpy.eye(768, dtype=numpy.float32), *numpy.float32([[1] * 768, [0] * 768])
    arguments = (x, ones, zeros, weight, zeros, Out((1, 768)), 1, 768, 768, 0, 1e-5)
    out = device.run("norm_linear_f32", simdgroups(768), *arguments)
    expected = reference.layernorm(x.astype(numpy.float64), 1.0, 0.0, 1e-5)
    check_rows(out, expected, TOLERANCE * 11)


@covers(*LINEAR_RESIDUAL)
@pytest.mark.parametrize("kernel", LINEAR_RESIDUAL)
@each_thread_count
def test_linear_residual(thread_count, kernel, device, random):
    for T, K, N in [(1, 4, 1), (1, 768, 5), (2, 1000, 7), (3, 132, 2), (9, 36, 3), (15, 8, 9)]:
        K = in_vectors(kernel, K)
        x, (weight, exact) = uniform(random, T, K, low=0.5, high=1.5), wide(random, kernel, N, K)
        weight, exact = numpy.abs(weight), numpy.abs(exact)
        bias, stream = uniform(random, N, low=0, high=1), uniform(random, T, N, low=0, high=9)
        out = device.run(
            kernel, threadgroups(-(-N // RESIDUAL_ROWS)), x, weight, bias, InOut(stream), T, K, N,
            threads=thread_count,
        )  # fmt: skip
        check_rows(out, stream + x.astype(numpy.float64) @ exact.T + bias)


# --- decoding from blocks ---

IN_PIECES = ["Q4_K", "Q5_K", "Q6_K", "Q8_0"]
each_in_pieces = pytest.mark.parametrize("format", IN_PIECES)
each_whole_count = pytest.mark.parametrize("thread_count", [n for n in THREADS if n == 0 or n >= 32])


def in_pieces(random, format, rows, columns):
    """Weights as they are read in pieces, and what they stand for."""
    data, exact = packed(random, format, rows, columns)
    return launches.planes(launches.Meaning(data, exact), name_of("", format)[1:]).data, exact.astype(numpy.float64)


def two_byte_row(random, K):
    """Values of two bytes times a power of two for each 32, which rounding leaves as they are."""
    values = random.integers(-10000, 127 * 256 + 1, (K // 32, 32))
    values[:, random.integers(32)] = 127 * 256
    return (values * 2.0 ** random.integers(-12, -7, (K // 32, 1))).reshape(K).astype(numpy.float32)


def check_terms(out, x, weight, bias=0.0, function=lambda y: y):
    """A row of sums, whose terms may cancel out."""
    y = x @ weight.T + bias
    check_rows(
        out[None], function(y)[None], to_the_terms((numpy.abs(x) @ numpy.abs(weight).T)[None], function(y)[None])
    )


@covers("block_planes")
@each_thread_count
def test_block_planes(thread_count, device, random):
    for size, scale, blocks in [(17, 0, 1), (17, 0, 99), (105, 104, 33), (2, 1, 7)]:
        data = random.integers(0, 2**16, (blocks, size)).astype(numpy.uint16)
        arguments = [data, Out(data.size, numpy.uint16), data.size, size, scale]
        out = device.run("block_planes", threads(data.size + 3), *arguments, threads=thread_count)
        assert numpy.array_equal(out.view(numpy.uint8), reference.planes(data, scale))


@covers_formats("integer_read", IN_PIECES)
@each_in_pieces
@each_whole_count
def test_integer_read(thread_count, format, device, random):
    sizes = [(32, (1, 0, 0), 0), (96, (7, 2, 0), 1), (1024, (2, 1, 3), 0), (1600, (3, 2, 2), 0), (2112, (5, 0, 0), 0)]
    for K, N, gelu in sizes:
        K = whole_blocks(K, format)
        norm = 2.0 ** random.integers(-2, 3, K).astype(numpy.float32)
        x = two_byte_row(random, K) / norm
        parts = [in_pieces(random, format, max(n, 1), K) for n in N]
        biases = [normal(random, max(n, 1)) for n in N]
        values = [x, norm, norm, *(data for data, _ in parts), *biases, Out(sum(N)), K, *N, 0, gelu, 1e-5]
        out = device.run(name_of("integer_read", format), threadgroups(2), *values, threads=thread_count)
        weight = numpy.concatenate([exact[:n] for (_, exact), n in zip(parts, N)])
        bias = numpy.concatenate([bias[:n] for bias, n in zip(biases, N)])
        normed = families.rmsnorm(x.astype(numpy.float64), norm, float(numpy.float32(1e-5)))
        check_terms(out, normed, weight, bias, reference.gelu if gelu else lambda y: y)


@each_in_pieces
def test_integer_read_behind_layernorm(format, device, random):
    """Rounding to 16 bits is what is apart."""
    for K, N in [(64, 9), (1600, 40)]:
        K = whole_blocks(K, format)
        x, norm, shift, bias = normal(random, K, mean=7), normal(random, K), normal(random, K), normal(random, N)
        weight, exact = in_pieces(random, format, N, K)
        arguments = [x, norm, shift, weight, weight, weight, bias, bias, bias, Out(N), K, N, 0, 0, 1, 0, 1e-5]
        out = device.run(name_of("integer_read", format), threadgroups(2), *arguments)
        normed = reference.layernorm(x[None].astype(numpy.float64), norm, shift, 1e-5)[0]
        expected = normed @ exact.T + bias
        size = numpy.abs(normed) @ numpy.abs(exact).T
        assert numpy.abs(out - expected).max() <= 3e-5 * size.max()


@covers_formats("integer_gated", IN_PIECES)
@each_in_pieces
@each_whole_count
def test_integer_gated(thread_count, format, device, random):
    for K, N, gelu in [(32, 1, 0), (96, 7, 1), (1024, 2, 0), (2112, 33, 1)]:
        K = whole_blocks(K, format)
        norm = 2.0 ** random.integers(-2, 3, K).astype(numpy.float32)
        x = two_byte_row(random, K) / norm
        (gate, exact_gate), (up, exact_up) = (in_pieces(random, format, N, K) for _ in range(2))
        gate_bias, up_bias = (normal(random, N, mean=20 * K**0.5) for _ in range(2))  # so that nothing cancels
        arguments = [x, norm, gate, up, gate_bias, up_bias, Out(N), K, N, gelu, 1e-5]
        out = device.run(name_of("integer_gated", format), threadgroups(3), *arguments, threads=thread_count)
        normed = families.rmsnorm(x.astype(numpy.float64), norm, float(numpy.float32(1e-5)))
        open = normed @ exact_gate.T + gate_bias
        open = reference.gelu(open) if gelu else families.silu(open)
        check_rows(out[None], (open * (normed @ exact_up.T + up_bias))[None])


@covers_formats("integer_write", IN_PIECES)
@each_in_pieces
@each_whole_count
def test_integer_write(thread_count, format, device, random):
    for K, N in [(32, 1), (768, 5), (1024, 7), (3072, 2), (8192, 3), (14336, 2)]:
        K = whole_blocks(K, format)
        x, bias, stream = two_byte_row(random, K), normal(random, N), normal(random, N, std=9)
        weight, exact = in_pieces(random, format, N, K)
        kernel, arguments = name_of("integer_write", format), [x, weight, bias, InOut(stream), K, N]
        out = device.run(kernel, threadgroups(2), *arguments, threads=thread_count)
        check_terms(out, x.astype(numpy.float64), exact, bias + stream.astype(numpy.float64))


@each_in_pieces
def test_what_is_no_number_stays_visible(format, device, random):
    K = whole_blocks(64, format)
    for value in (numpy.nan, numpy.inf):
        x, (weight, _) = normal(random, K), in_pieces(random, format, 3, K)
        x[random.integers(K)] = value
        zeros = numpy.zeros(3, numpy.float32)
        out = device.run(name_of("integer_write", format), threadgroups(1), x, weight, zeros, InOut(zeros), K, 3)
        assert numpy.isnan(out).all()


BATCH_ROWS = SHARED["BATCH_PRODUCTS_ROWS"]
each_batch_tokens = pytest.mark.parametrize("tokens", [8, 16, 32])  # of a threadgroup
each_batch_shape = pytest.mark.parametrize(
    "T, K, N", [(1, 32, 16), (2, 96, 17), (8, 768, 33), (9, 416, 31), (17, 3072, 16), (33, 64, 100)]
)


def in_tiles(x):
    """As halves, with rows behind the last up to a whole tile, which hold NaN."""
    rows = -(-len(x) // 8) * 8
    tiles = numpy.full((rows, x.shape[1]), numpy.nan, numpy.float16)
    tiles[: len(x)] = x
    return tiles


@covers(*(f"linear_batch{what}_{tokens}" for what in ("", "_gelu") for tokens in (8, 16, 32)))
@covers("linear_batch_residual_8", "linear_batch_residual_16")
@each_batch_shape
@each_batch_tokens
@pytest.mark.parametrize("thread_count", [32, 33, 64, 96, 160, 256, 512, 544])
def test_linear_batch(thread_count, tokens, T, K, N, device, random):
    x = in_tiles(uniform(random, T, K, low=0.5, high=1.5))
    weight, exact = wide(random, "f16", N, K)
    bias = uniform(random, N, low=0, high=9)
    stream = uniform(random, T, N, low=0, high=9)
    blocks = random.integers(1, -(-N // BATCH_ROWS) + 1)  # that are taken at a time
    sizes, grid = (T, K, N), threadgroups(blocks, -(-T // tokens))
    run = lambda kernel, weight, out: device.run(
        f"linear_batch{kernel}_{tokens}", grid, x, weight, bias, out, *sizes, threads=thread_count
    )
    positive = x[:T].astype(numpy.float64) @ numpy.abs(exact).T + bias  # nothing cancels
    check_rows(run("", numpy.abs(weight), Out((T, N))), positive, MATRIX_TOLERANCE)
    if tokens < 32:
        check_rows(run("_residual", numpy.abs(weight), InOut(stream)), stream + positive, MATRIX_TOLERANCE)
    gelu = run("_gelu", weight / 64, Out((T, N), numpy.float16))
    expected = reference.gelu(x[:T].astype(numpy.float64) @ (weight / 64).astype(numpy.float64).T + bias)
    check_rows(gelu, expected, HALF_TOLERANCE)


@covers(*(f"linear_batch_parts_{tokens}" for tokens in (8, 16, 32)))
@pytest.mark.parametrize(
    "T, K, N",
    [(1, 32, (16, 0, 0)), (3, 96, (8, 8, 8)), (8, 768, (40, 8, 16)), (9, 416, (16, 24, 0)), (33, 64, (64, 24, 24))],
)
@each_batch_tokens
@pytest.mark.parametrize("thread_count", [32, 33, 64, 96, 256, 512, 544])
def test_linear_batch_parts(thread_count, tokens, T, K, N, device, random):
    """Blocks of sixteen rows begin in one matrix and end in another."""
    x = in_tiles(uniform(random, T, K, low=0.5, high=1.5))
    parts = [wide(random, "f16", max(n, 8), K) for n in N]
    biases = [uniform(random, max(n, 8), low=0, high=9) for n in N]
    blocks = random.integers(1, -(-sum(N) // BATCH_ROWS) + 1)  # that are taken at a time
    out = device.run(
        f"linear_batch_parts_{tokens}", threadgroups(blocks, -(-T // tokens)), x, *(numpy.abs(data) for data, _ in parts),
        *biases, Out((T, sum(N))), T, K, *N, threads=thread_count,
    )  # fmt: skip
    weight = numpy.concatenate([numpy.abs(exact[:n]) for (_, exact), n in zip(parts, N)])
    bias = numpy.concatenate([bias[:n] for bias, n in zip(biases, N)])
    check_rows(out, x[:T].astype(numpy.float64) @ weight.T + bias, MATRIX_TOLERANCE)


@covers(*(f"linear_batch_gated_{tokens}" for tokens in (8, 16, 32)))
@pytest.mark.parametrize(
    "T, K, N, gelu",
    [(1, 32, 8, 0), (3, 96, 17, 1), (8, 768, 33, 0), (9, 416, 15, 1), (17, 2048, 8, 0), (33, 64, 50, 1)],
)
@each_batch_tokens
@pytest.mark.parametrize("thread_count", [32, 33, 64, 96, 256, 512, 544])
def test_linear_batch_gated(thread_count, tokens, T, K, N, gelu, device, random):
    x = in_tiles(uniform(random, T, K, low=0.5, high=1.5))
    (gate, exact_gate), (up, exact_up) = (wide(random, "f16", N, K) for _ in range(2))
    gate_bias, up_bias = (normal(random, N, mean=20 * K**0.5) for _ in range(2))  # so that nothing cancels
    gate_bias /= 32  # a product of both is a half, whatever was drawn
    blocks = random.integers(1, -(-N // 8) + 1)  # that are taken at a time
    out = device.run(
        f"linear_batch_gated_{tokens}", threadgroups(blocks, -(-T // tokens)), x, gate / 32, up, gate_bias, up_bias,
        Out((T, N), numpy.float16), T, K, N, gelu, threads=thread_count,
    )  # fmt: skip
    exact_x, activation = x[:T].astype(numpy.float64), reference.gelu if gelu else families.silu
    opened = activation(exact_x @ (gate / 32).astype(numpy.float64).T + gate_bias)
    check_rows(out, opened * (exact_x @ exact_up.T + up_bias), HALF_TOLERANCE)


@covers("norm_linear_batch", "norm_linear_batch_gelu")
@pytest.mark.parametrize("T, K, N", [(1, 32, 16), (2, 96, 17), (8, 768, 33), (5, 416, 31), (7, 1024, 100)])
@pytest.mark.parametrize("thread_count", [32, 33, 64, 96, 160, 256, 320])
def test_norm_linear_batch(thread_count, T, K, N, device, random):
    x, (weight, exact) = normal(random, T, K, mean=0.5), wide(random, "f16", N, K)
    norm_weight, norm_bias = normal(random, K), normal(random, K)
    bias = normal(random, N, mean=20 * K**0.5)  # so that nothing cancels
    blocks = random.integers(1, -(-N // BATCH_ROWS) + 1)  # that are taken at a time
    wide_x, wide_weight, wide_bias = (a.astype(numpy.float64) for a in (x, norm_weight, norm_bias))
    expected = reference.layernorm(wide_x, wide_weight, wide_bias, 1e-5) @ exact.T + bias
    for kernel, type, value in (("", numpy.float32, expected), ("_gelu", numpy.float16, reference.gelu(expected))):
        out = device.run(
            f"norm_linear_batch{kernel}", threadgroups(blocks), x, norm_weight, norm_bias, weight, bias, Out((T, N), type),
            T, K, N, 1e-5, threads=thread_count,
        )  # fmt: skip
        check_rows(out, value, HALF_TOLERANCE if kernel else HALF_TOLERANCE / 3)  # the bias is exact


@dataclasses.dataclass
class Decoded:
    """One new token of each row; the first of several rows is done, the last fills its cache. Nobody looks behind the
    window. Heads are taken as they are unless the kernel `turns` them."""

    random: numpy.random.Generator
    type: str
    B: int
    nh: int
    nkv: int
    capacity: int
    hs: int
    turns: bool = True

    def __post_init__(self):
        random, B, nkv, capacity, hs = self.random, self.B, self.nkv, self.capacity, self.hs
        self.qkv = normal(random, B, self.nh + 2 * nkv, hs)
        self.qkv[:, self.nh + nkv :] += 3  # values without cancellation
        self.lengths = random.integers(0, capacity, B).astype(numpy.uint32)
        self.lengths[-1] = capacity - 1
        self.counts = numpy.ones(B, numpy.uint32)
        if B > 1:
            self.counts[0], self.lengths[0] = 0, capacity
        self.keys = normal(random, B, nkv, capacity, hs).astype(CACHE_TYPES[self.type])
        self.values = normal(random, B, nkv, capacity, hs, mean=3).astype(CACHE_TYPES[self.type])
        self.window, self.scale = int(random.choice([1, 7, 64, ALL])), float(hs**-0.5)
        self.norms, self.rotary = int(random.integers(2)), int(random.choice([0, hs, 2 * random.integers(1, hs // 2)]))
        if not self.turns:
            self.norms = self.rotary = 0
        self.halves, self.magnitude = int(random.integers(2)), float(random.choice([1, 1.25]))
        self.weights = normal(random, 2, hs, mean=1)
        self.frequencies = numpy.abs(normal(random, max(1, self.rotary // 2)))
        self.first = numpy.maximum(0, self.lengths.astype(int) + self.counts - self.window)
        for b in range(B):
            self.keys[b, :, : self.first[b]] = self.values[b, :, : self.first[b]] = numpy.nan
        self.paged_keys, self.paged_values, self.table = in_pages(random, self.keys, self.values)

    def given(self):
        cache = InOut(self.paged_keys), InOut(self.paged_values)
        return self.qkv, self.lengths, self.counts, *cache, self.table

    def turning(self):
        return (*self.weights, self.frequencies, self.norms, 1e-5, self.rotary, self.halves, self.magnitude)

    def turned(self, part):
        """Q or K, normalised and turned, in float64."""
        heads = (slice(0, self.nh), slice(self.nh, self.nh + self.nkv))[part]
        x = self.qkv[:, heads].astype(numpy.float64)
        if self.norms:
            x = x / numpy.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * self.weights[part]
        frequencies = self.frequencies[: self.rotary // 2]
        return turned(x, self.lengths, frequencies, self.magnitude, self.halves == 1)

    def check(self, new_keys, new_values, out, tolerance):
        """The new keys and values end in the cache, for rows that take part; nothing else changes."""
        nh, nkv = self.nh, self.nkv
        queries, keys, new_keys = self.turned(0), self.turned(1), out_of_pages(new_keys, self.table, self.capacity)
        for b in range(self.B):
            if self.counts[b]:
                key = new_keys[b, :, self.lengths[b]]
                if self.turns:
                    check_rows(key, keys[b], 6e-4 if self.type == "f16" else 2e-6)
                else:
                    assert numpy.array_equal(key, keys[b].astype(CACHE_TYPES[self.type]))
                self.keys[b, :, self.lengths[b]] = key
                self.values[b, :, self.lengths[b]] = self.qkv[b, nh + nkv :]
            seen = slice(self.first[b], self.lengths[b] + self.counts[b])
            k, v = (x[b, :, seen].astype(numpy.float64).repeat(nh // nkv, 0) for x in (self.keys, self.values))
            check_rows(out[b], reference.attention(queries[b, :, None], k, v, self.scale)[:, 0], tolerance)
        new_values = out_of_pages(new_values, self.table, self.capacity)
        for new, expected in ((new_keys, self.keys), (new_values, self.values)):
            assert numpy.array_equal(new, expected, equal_nan=True)


@covers(*(
    f"{name}_attention_hs{hs}_{to}{type}"
    for name in ("decode", "turned") for hs in SIZED for to in ("", "halves_") for type in ("f32", "f16")
))  # fmt: skip
@each_cache_type
@each_thread_count
@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("name", ["decode", "turned"])
def test_decode_attention(name, halves, thread_count, type, device, random):
    shapes = [(1, 1, 1, 1, 64), (1, 2, 2, 33, 64), (3, 6, 2, 70, 64), (2, 1, 1, 300, 64), (2, 4, 2, 50, 128)]
    for B, nh, nkv, capacity, hs in [*shapes, (1, 2, 1, 41, 256)]:
        case = Decoded(random, type, B, nh, nkv, capacity, hs, turns=name == "turned")
        written = device.run(
            f"{name}_attention_hs{hs}_{'halves_' if halves else ''}{type}", threadgroups(nh, B), *case.given(),
            Out((B, nh, hs), numpy.float16 if halves else numpy.float32), nkv, capacity, case.window, case.scale,
            *(case.turning() if case.turns else ()), threads=thread_count,
        )  # fmt: skip
        case.check(*written, HALF_TOLERANCE if halves else TOLERANCE)


SPLIT = [(hs, count) for hs in SIZED for count in (1, 2, 4) if hs < 256 or count < 4]  # heads at once
AT_ONCE = {1: "", 2: "pair_", 4: "fours_"}


@covers(*(f"split_attention_hs{hs}_{AT_ONCE[count]}{type}" for hs, count in SPLIT for type in ("f32", "f16")))
@covers("merge_splits", "merge_splits_f16")
@each_cache_type
@pytest.mark.parametrize("thread_count", [1, 33, 96, 256, 288])
@pytest.mark.parametrize("hs, count", SPLIT)
def test_split_attention(hs, count, thread_count, type, device, random):
    """Of as many heads as a threadgroup takes, of fewer and of more; of more splits than keys."""
    for B, sharing, nkv, capacity, splits in [(1, 1, 1, 1, 3), (2, 3, 2, 45, 5), (1, 5, 1, 9000 // hs, 2)]:
        nh, halves = sharing * nkv, bool(random.integers(2))
        case = Decoded(random, type, B, nh, nkv, capacity, hs)
        keys, values, sums, softmax = device.run(
            f"split_attention_hs{hs}_{AT_ONCE[count]}{type}", threadgroups(nkv * -(-sharing // count), splits, B),
            *case.given(), Out((B, nh, splits, hs)), Out((B, nh, splits, 2)), nh, nkv, capacity, case.window, case.scale,
            *case.turning(), threads=thread_count,
        )  # fmt: skip
        out = device.run(
            f"merge_splits{'_f16' if halves else ''}", threadgroups(nh, B), sums, softmax,
            Out((B, nh, hs), numpy.float16 if halves else numpy.float32), splits, hs // 4, threads=thread_count,
        )  # fmt: skip
        case.check(keys, values, out, HALF_TOLERANCE if halves else TOLERANCE)


@pytest.mark.parametrize("thread_count", [1, 31, 96, 256, 549])
def test_merge_splits(thread_count, device, random):
    """Of more splits than a simdgroup has lanes; scores that no exponential holds; splits without keys."""
    splits, vectors = 64, 16
    sums, softmax = normal(random, 2, 3, splits, 4 * vectors, mean=3), uniform(random, 2, 3, splits, 2, low=0.5, high=9)
    softmax[0, ..., 0] += 300
    softmax[1, :, 1:, 0] -= 300
    softmax[0, :, 5::7] = -numpy.finfo(numpy.float32).max, 0
    sums[0, :, 5::7] = 0
    shape = Out((2, 3, 4 * vectors))
    out = device.run("merge_splits", threadgroups(3, 2), sums, softmax, shape, splits, vectors, threads=thread_count)
    m, l = numpy.moveaxis(softmax.astype(numpy.float64), -1, 0)
    weights = 2 ** (m - m.max(-1, keepdims=True))
    check_rows(out, (sums * weights[..., None]).sum(2) / (l * weights).sum(2)[..., None])


# --- GELU ---


@covers("gelu_forward")
@each_thread_count
def test_gelu(thread_count, device, random):
    for N in [*SIZES, int(random.integers(3, 3000))]:
        x = normal(random, N, std=3)
        x[0] = 4  # negative numbers come out small, but not by the same factor accurate
        out = device.run("gelu_forward", threads(N + 7), x, Out(N), N, threads=thread_count)
        check_rows(out, reference.gelu(x.astype(numpy.float64)))


@covers("bias_gelu", "bias_gelu_f16")
@pytest.mark.parametrize("suffix, dtype, rounding", OUTPUTS)
@each_thread_count
def test_bias_gelu(thread_count, suffix, dtype, rounding, device, random):
    for T, N in [(1, 32), (1, 257), (3, 64), (8, 31), (9, 33)]:
        x, bias = normal(random, T, N), normal(random, N)
        x[:, 0], bias[0] = 4, 1
        out = device.run(
            f"bias_gelu{suffix}", threads(N + 3, T + 1), x, bias, Out((T, N), dtype), T, N,
            threads=thread_count,
        )  # fmt: skip
        check_rows(out, reference.gelu(x.astype(numpy.float64) + bias), TOLERANCE + rounding)


def test_gelu_at_the_edges(device):
    gelu = lambda *x: device.run("gelu_forward", threads(len(x)), numpy.array(x, numpy.float32), Out(len(x)), len(x))
    large = [10, 13, 50, 1e4, 1e13, 1e30, 3e38, numpy.inf]
    assert gelu(*large).tolist() == numpy.float32(large).tolist()
    assert gelu(*(-x for x in large[:-1])).tolist() == [0] * 7
    for x in (-numpy.inf, numpy.nan):  # the formula says −∞ · 0
        assert numpy.isnan(gelu(x))
    assert gelu(0.0, -0.0).tolist() == [0, 0]
    for exponent in range(-37, 0):  # each alone, so that it is measured against itself
        tiny = numpy.array([[1], [-1.7]]) * 10.0**exponent
        check_rows(gelu(*tiny[:, 0])[:, None], reference.gelu(numpy.float32(tiny).astype(float)))
    steps = numpy.linspace(-6, 6, 4001, dtype=numpy.float32)
    error = gelu(*steps) - reference.gelu(steps.astype(numpy.float64))
    assert numpy.all(numpy.abs(error) <= 1e-6 * numpy.maximum(1, numpy.abs(steps)))


# --- gated activations ---

GATED = {"silu_gated": families.silu, "gelu_gated": reference.gelu}


@covers("silu_gated", "silu_gated_f16", "gelu_gated", "gelu_gated_f16")
@pytest.mark.parametrize("kernel", GATED)
@pytest.mark.parametrize("suffix, dtype, rounding", OUTPUTS)
@each_thread_count
def test_gated_activation(thread_count, suffix, dtype, rounding, kernel, device, random):
    for T, I in [(1, 1), (1, 257), (3, 64), (8, 31), (9, 33)]:
        both = normal(random, T, 2 * I, std=2)
        both[:, 0], both[:, I] = 4, 2  # negative gates come out small, but not by the same factor accurate
        biases = normal(random, I), normal(random, I)
        biases[0][0] = biases[1][0] = 1
        out = device.run(
            f"{kernel}{suffix}", threads(I + 3, T + 1), both, *biases, Out((T, I), dtype), T, I,
            threads=thread_count,
        )  # fmt: skip
        gate, up = (half + bias for half, bias in zip(numpy.split(both.astype(numpy.float64), 2, axis=1), biases))
        check_rows(out, GATED[kernel](gate) * up, TOLERANCE + rounding)


@pytest.mark.parametrize("kernel", GATED)
def test_gates_at_the_edges(kernel, device):
    def gate(*x):
        both = numpy.stack([numpy.float32(x), numpy.ones(len(x), numpy.float32)], axis=1)
        zero = numpy.zeros(1, numpy.float32)
        return device.run(kernel, threads(1, len(x)), both, zero, zero, Out((len(x), 1)), len(x), 1)[:, 0]

    large = [20, 50, 100, 1e4, 1e13, 1e30, 3e38, numpy.inf]
    assert gate(*large).tolist() == numpy.float32(large).tolist()
    assert numpy.all(numpy.abs(gate(*(-x for x in large[2:-1]))) <= 1e-35)
    for x in (-numpy.inf, numpy.nan):  # the formula says −∞ · 0
        assert numpy.isnan(gate(x))
    assert gate(0.0, -0.0).tolist() == [0, 0]
    steps = numpy.linspace(-20, 20, 4001, dtype=numpy.float32)
    error = gate(*steps) - GATED[kernel](steps.astype(numpy.float64))
    assert numpy.all(numpy.abs(error) <= 1e-6 * numpy.maximum(1, numpy.abs(steps)))


# --- heads ---


@covers("split_heads_f32", "split_heads_f16")
@each_cache_type
@each_thread_count
def test_split_heads(thread_count, type, device, random):
    """What is behind a row's new tokens, and what does not fit, stays out of the cache."""
    for B, T, nh, nkv, hs in [(1, 1, 1, 1, 1), (2, 1, 3, 1, 5), (3, 4, 2, 2, 64), (1, 7, 6, 2, 33)]:
        capacity = 9
        qkv, biases = normal(random, B, T, nh + 2 * nkv, hs), normal(random, nh + 2 * nkv, hs)
        parts = numpy.split(biases, [nh, nh + nkv])
        lengths = random.integers(0, capacity + 1, B).astype(numpy.uint32)
        counts = random.integers(0, T + 1, B).astype(numpy.uint32)
        keys, values = normal(random, 2, B, nkv, capacity, hs).astype(CACHE_TYPES[type])
        paged_keys, paged_values, table = in_pages(random, keys, values)
        q, new_keys, new_values = device.run(
            f"split_heads_{type}", threads(hs + 3, T + 1, B * nh), qkv, *parts, lengths, counts,
            Out((B, nh, T, hs)), InOut(paged_keys), InOut(paged_values), table, T, nh, nkv, hs, capacity,
            threads=thread_count,
        )  # fmt: skip
        for new, before, kept in [(new_keys, paged_keys, keys), (new_values, paged_values, values)]:
            untouched = numpy.delete(numpy.arange(len(before)), table)
            assert numpy.array_equal(new[untouched], before[untouched], equal_nan=True)
        qkv += biases
        assert numpy.array_equal(q, qkv[:, :, :nh].transpose(0, 2, 1, 3))
        for b in range(B):
            for t in range(counts[b]):
                if lengths[b] + t < capacity:
                    keys[b, :, lengths[b] + t] = qkv[b, t, nh : nh + nkv]
                    values[b, :, lengths[b] + t] = qkv[b, t, nh + nkv :]
        assert numpy.array_equal(out_of_pages(new_keys, table, capacity), keys)
        assert numpy.array_equal(out_of_pages(new_values, table, capacity), values)


# On both sides of what rounds to a half, and to ∞.
NEAR_HALVES = numpy.array(
    [65504, 65519, 65520, 1e5, -65519, -65520, -1e38, numpy.inf, -numpy.inf, numpy.nan], "float32"
)


def kept_as_halves(x):
    with numpy.errstate(over="ignore"):
        halves = x.astype(numpy.float16)
    return numpy.where(numpy.isinf(halves), numpy.float16(numpy.nan), halves)


@each_thread_count
@pytest.mark.parametrize("name", ["decode", "turned"])
def test_what_no_half_holds_is_nan_in_the_cache(name, thread_count, device):
    """As ∞ it could give a score of −∞, which is no more than a mask."""
    hs, one, none = 64, numpy.ones(1, numpy.uint32), numpy.zeros(1, numpy.uint32)
    zeros, first_page = numpy.zeros(hs, numpy.float32), none
    qkv = numpy.resize(NEAR_HALVES, (1, 3, hs))
    qkv[:, 0] = 0
    cache = lambda: InOut(numpy.zeros((1, 1, 32, hs), numpy.float16))
    _, keys, values = device.run(
        "split_heads_f16", threads(hs, 1, 1), qkv, zeros, zeros, zeros, none, one, Out((1, 1, 1, hs)), cache(), cache(),
        first_page, 1, 1, 1, hs, 2, threads=thread_count,
    )  # fmt: skip
    decoded_keys, decoded_values, out = device.run(
        f"{name}_attention_hs64_f16", threadgroups(1, 1), qkv, none, one, cache(), cache(), first_page, Out((1, 1, hs)),
        1, 2, ALL, 1.0, *((zeros, zeros, zeros, 0, 0.0, 0, 0, 1.0) if name == "turned" else ()), threads=thread_count,
    )  # fmt: skip
    for new, x in [(keys, 1), (decoded_keys, 1), (values, 2), (decoded_values, 2)]:
        assert numpy.array_equal(new[0, 0, 0], kept_as_halves(qkv[0, x]), equal_nan=True)
        assert numpy.all(new[0, 0, 1:] == 0)
    assert numpy.all(numpy.isnan(out))


def turned(heads, positions, frequencies, magnitude, halves):
    """[T,heads,hs] in float64, by the float32 angles that the kernel has."""
    pairs, x = len(frequencies), heads.astype(numpy.float64)
    angles = positions.astype(numpy.float32)[:, None] * frequencies
    turn = magnitude * numpy.exp(1j * angles.astype(numpy.float64))[:, None]
    first = slice(0, pairs) if halves else slice(0, 2 * pairs, 2)
    second = slice(pairs, 2 * pairs) if halves else slice(1, 2 * pairs, 2)
    result = (x[..., first] + 1j * x[..., second]) * turn
    x[..., first], x[..., second] = result.real, result.imag
    return x


@covers("rope_adjacent", "rope_halves")
@pytest.mark.parametrize("order", ["adjacent", "halves"])
@each_thread_count
def test_rope(thread_count, order, device, random):
    """Whole heads and parts of one are turned, Q and K with their biases; V stays as it is."""
    shapes = [(1, 1, 1, 1, 2, 2), (2, 5, 4, 2, 64, 64), (3, 2, 3, 1, 33, 6), (1, 9, 2, 2, 128, 32)]
    for B, T, nh, nkv, hs, rotary in shapes:
        qkv = normal(random, B, T, nh + 2 * nkv, hs)
        q_bias, k_bias = normal(random, nh, hs), normal(random, nkv, hs)
        lengths = random.integers(0, 131072 - T, B).astype(numpy.uint32)
        lengths[0] = 131072 - T
        frequencies = (10000.0 ** -(numpy.arange(0, rotary, 2) / rotary)).astype(numpy.float32)
        magnitude = float(numpy.float32(random.choice([1.0, 1.2772])))
        out = device.run(
            f"rope_{order}", threads((hs + 1) // 2 + 3, nh + nkv, B * T), InOut(qkv), q_bias, k_bias, lengths,
            frequencies, T, nh, nkv, hs, rotary, magnitude, threads=thread_count,
        )  # fmt: skip
        qkv[:, :, :nh] += q_bias
        qkv[:, :, nh : nh + nkv] += k_bias
        for b in range(B):
            positions = lengths[b] + numpy.arange(T)
            expected = turned(qkv[b, :, : nh + nkv], positions, frequencies, magnitude, order == "halves")
            error = numpy.abs(out[b, :, : nh + nkv] - expected)
            assert numpy.all(error <= 2e-6 * numpy.abs(qkv[b]).max())
            assert numpy.array_equal(out[b, :, nh + nkv :], qkv[b, :, nh + nkv :])


@pytest.mark.parametrize("base", [10000.0, 500000.0, 1e6])
def test_rope_at_every_position(base, device, random):
    """cos and sin, of all positions to 131,071, within 1e-6 of those of the same float32 angle; the angle itself
    is the exact one, but for two roundings."""
    hs, T = 64, 4096
    exact = base ** -(numpy.arange(0, hs, 2) / hs)
    frequencies = exact.astype(numpy.float32)
    x, zeros = numpy.zeros((T, 3, hs), numpy.float32), numpy.zeros(hs, numpy.float32)
    x[:, :, : hs // 2] = 1
    for first in range(0, 131072, T):
        out = device.run(
            "rope_halves", threads(hs // 2, 2, T), InOut(x), zeros, zeros, uints(first), frequencies, T, 1, 1, hs,
            hs, 1.0,
        )  # fmt: skip
        positions = numpy.arange(first, first + T)[:, None]
        angles = (positions.astype(numpy.float32) * frequencies).astype(numpy.float64)
        allowed = 1e-4 if first < 1024 else 1.5e-2
        for turn, function in [(out[:, 0, : hs // 2], numpy.cos), (out[:, 0, hs // 2 :], numpy.sin)]:
            assert numpy.abs(turn - function(angles)).max() <= 1e-6
            near = slice(0, 1025) if first < 1024 else slice(0, T)
            assert numpy.abs(turn - function(positions * exact))[near].max() <= allowed


@covers("head_norm")
@each_thread_count
def test_head_norm(thread_count, device, random):
    for rows, nh, nkv, hs in [(1, 1, 1, 1), (3, 4, 2, 33), (5, 3, 1, 64), (2, 2, 2, 256)]:
        qkv = normal(random, rows, nh + 2 * nkv, hs, mean=1)
        qkv[0, 0] *= 1e-3  # so that epsilon counts
        q_weight, k_weight = normal(random, 2, hs)
        out = device.run(
            "head_norm", simdgroups(rows * (nh + nkv)), InOut(qkv), q_weight, k_weight, rows, nh, nkv, hs, 1e-5,
            threads=thread_count,
        )  # fmt: skip
        weight = numpy.repeat([q_weight, k_weight], [nh, nkv], axis=0).astype(numpy.float64)
        x = qkv[:, : nh + nkv].astype(numpy.float64)
        check_rows(out[:, : nh + nkv], x / numpy.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weight)
        assert numpy.array_equal(out[:, nh + nkv :], qkv[:, nh + nkv :])


@covers("merge_heads")
@each_thread_count
def test_merge_heads(thread_count, device, random):
    for B, T, nh, hs in [(1, 1, 1, 1), (2, 1, 3, 5), (3, 4, 2, 64), (1, 7, 5, 33)]:
        x, C = normal(random, B, nh, T, hs), nh * hs
        out = device.run(
            "merge_heads", threads(hs + 3, T + 1, B * nh), x, Out((B, T, C)), T, nh, hs,
            threads=thread_count,
        )  # fmt: skip
        assert numpy.array_equal(out, x.transpose(0, 2, 1, 3).reshape(B, T, C))


# --- attention ---


class Cache:
    """Queries against a KV cache: rows of different lengths, everything that must not be seen is
    NaN or huge."""

    def __init__(
        self, random, B, T, nh, hs, capacity, type="f32", lengths=None, counts=None, poison=numpy.nan, nkv=None,
        window=None,
    ):  # fmt: skip
        self.random, self.type, self.nkv, self.window = random, type, nkv or nh, window or ALL
        self.B, self.T, self.nh, self.hs, self.capacity = B, T, nh, hs, capacity
        self.q = normal(random, B, nh, T, hs)
        self.keys = normal(random, B, self.nkv, capacity, hs).astype(CACHE_TYPES[type])
        self.values = normal(random, B, self.nkv, capacity, hs, mean=5).astype(
            CACHE_TYPES[type]
        )  # none cancels another
        random_counts = numpy.append(random.integers(1, T + 1, B - 1), T)
        self.counts = uints(*(random_counts if counts is None else counts))
        room = capacity - self.counts
        random_lengths = [int(random.integers(0, most + 1)) for most in room]
        self.lengths = uints(*(random_lengths if lengths is None else lengths))
        self.scale = float(hs**-0.5)
        for b in range(B):
            end = self.lengths[b] + self.counts[b]
            behind = self.visible(b, 0).start  # the window of all queries
            with numpy.errstate(over="ignore"):
                for hidden in (slice(end, None), slice(0, behind)):
                    self.keys[b, :, hidden] = poison
                    self.values[b, :, hidden] = poison

    def visible(self, b, t):
        """The keys that query t of row b sees; padding sees what the last real query sees."""
        end = int(self.lengths[b] + min(t + 1, self.counts[b]))
        return slice(max(0, end - self.window), end)

    def in_pages(self):
        """Keys, values and the table, whose entries for pages that nobody may look at lead to NaN."""
        keys, values, table = in_pages(self.random, self.keys, self.values)
        nowhere = numpy.setdiff1d(numpy.arange(len(keys)), table)[0]
        for b in range(self.B):
            table[b, -(-int(self.lengths[b] + self.counts[b]) // PAGE) :] = nowhere
            table[b, : self.visible(b, 0).start // PAGE] = nowhere
        return keys, values, table

    def expected(self):
        out = numpy.empty((self.B, self.nh, self.T, self.hs))
        for b in range(self.B):
            for t in range(self.T):
                seen, group = self.visible(b, t), self.nh // self.nkv
                q = self.q[b, :, t : t + 1].astype(numpy.float64)
                k, v = (x[b, :, seen].astype(numpy.float64).repeat(group, 0) for x in (self.keys, self.values))
                out[b, :, t] = reference.attention(q, k, v, self.scale)[:, 0]
        return out

    def naive(self, device, thread_count=0):
        """The three kernels in turn."""
        B, T, nh, hs, S = self.B, self.T, self.nh, self.hs, self.capacity
        att = device.run(
            f"attention_scores_{self.type}", threads(S, T, B * nh), self.q, self.keys, self.lengths,
            self.counts, Out((B, nh, T, S)), T, S, nh, self.nkv, hs, S, self.window, self.scale, threads=thread_count,
        )  # fmt: skip
        rows = threadgroups(B * nh * T)
        att = device.run("softmax_inplace", rows, InOut(att), S, threads=thread_count)
        return device.run(
            f"attention_mix_{self.type}", threads(hs, T, B * nh), att, self.values, self.lengths, self.counts,
            Out((B, nh, T, hs)), T, S, nh, self.nkv, hs, S, self.window, threads=thread_count,
        )  # fmt: skip

    def flash(self, device, thread_count=0):
        B, T, nh, hs = self.B, self.T, self.nh, self.hs
        return device.run(
            f"flash_attention_{self.type}", threadgroups(T, nh, B), self.q, *self.in_pages(), self.lengths,
            self.counts, Out((B, T, nh, hs)), hs, self.nkv, self.capacity, self.window,
            self.scale, threads=thread_count,
        ).transpose(0, 2, 1, 3)  # fmt: skip

    def sized(self, device, thread_count, kernel, queries, type=numpy.float32):
        """By a kernel for heads of that size, several queries to a threadgroup."""
        B, T, nh, nkv, hs = self.B, self.T, self.nh, self.nkv, self.hs
        return device.run(
            f"flash_attention_{kernel}_{self.type}", threadgroups(-(-T * nh // nkv // queries), nkv, B), self.q,
            *self.in_pages(), self.lengths, self.counts, Out((B, T, nh, hs), type), T, nh, self.capacity,
            self.window, self.scale, threads=thread_count,
        ).transpose(0, 2, 1, 3)  # fmt: skip

    def flash_shared(self, device, thread_count=0):
        return self.sized(device, thread_count, f"hs{self.hs}", FLASH_QUERIES)

    def flash_prompt(self, device, thread_count=0):
        return self.sized(device, thread_count, f"prompt_hs{self.hs}", PROMPT_QUERIES)

    def tiles(self, device, thread_count=0):
        """In halves."""
        kernel = f"tiles_hs{self.hs}_halves"
        return self.sized(device, thread_count or 128, kernel, TILE_QUERIES[self.hs], numpy.float16)


CACHES = [(1, 1, 1, 1, 1), (2, 3, 2, 33, 40), (3, 1, 1, 64, 33), (1, 9, 3, 16, 70)]
GROUPS = [(1, 1), (2, 1), (6, 2), (3, 3)]  # heads of Q to heads of K and V
WINDOWS = [1, 3, 31, 33, 64, 1000, ALL]

# Each computes attention of a cache; shared and prompt only for their head sizes.
ANY_HEAD_SIZE = [Cache.naive, Cache.flash]
each_attention = pytest.mark.parametrize("attention", [*ANY_HEAD_SIZE, Cache.flash_shared, Cache.flash_prompt])


@covers("gather_pages_f32", "gather_pages_f16")
@each_cache_type
@each_thread_count
def test_gather_pages(thread_count, type, device, random):
    """What the queries see, and nothing else, comes out of pages that lie in any order."""
    for B, T, nkv, hs, capacity in CACHES:
        cache = Cache(random, B, T, nkv, hs, capacity, type, window=int(random.choice(WINDOWS)))
        keys, _, table = cache.in_pages()
        before = normal(random, *cache.keys.shape).astype(CACHE_TYPES[type])
        after = device.run(
            f"gather_pages_{type}", threads(hs + 3, capacity + 1, B * nkv), keys, table, cache.lengths, cache.counts,
            InOut(before), nkv, hs, capacity, cache.window, threads=thread_count,
        )  # fmt: skip
        for b in range(B):
            seen = slice(cache.visible(b, 0).start, int(cache.lengths[b] + cache.counts[b]))
            before[b, :, seen] = cache.keys[b, :, seen]
        assert numpy.array_equal(after, before)


@covers("copy_pages", "copy_page")
@each_thread_count
def test_copies(thread_count, device, random):
    """Word by word, whatever they mean: NaN and infinities too."""
    for N in SIZES:
        words = random.integers(0, 2**32, (5, N)).astype(numpy.uint32)
        copied = device.run("copy_pages", threads(words.size), words, Out(words.shape, numpy.uint32), words.size,
                            threads=thread_count)  # fmt: skip
        assert numpy.array_equal(copied, words)
        changed = device.run("copy_page", threads(N), InOut(words), 3, 1, N, threads=thread_count)
        words[1] = words[3]
        assert numpy.array_equal(changed, words)


@covers("attention_scores_f32", "attention_scores_f16")
@each_cache_type
@each_thread_count
def test_attention_scores(thread_count, type, device, random):
    for B, T, nkv, hs, capacity in CACHES:
        nh, window = 2 * nkv, int(random.choice(WINDOWS))
        cache = Cache(random, B, T, nh, hs, capacity, type, nkv=nkv, window=window)
        q, keys = numpy.abs(cache.q), numpy.abs(cache.keys)
        S = int(max(cache.lengths + cache.counts))
        att = device.run(
            f"attention_scores_{type}", threads(S + 3, T + 1, B * nh), q, keys, cache.lengths,
            cache.counts, Out((B, nh, T, S)), T, S, nh, nkv, hs, capacity, window, cache.scale,
            threads=thread_count,
        )  # fmt: skip
        for b in range(B):
            for t in range(T):
                seen = cache.visible(b, t)
                wide = keys[b, :, seen].astype(numpy.float64).repeat(2, 0) @ q[b, :, t, :, None].astype(float)
                check_rows(att[b, :, t, seen], wide[..., 0] * cache.scale)
                assert numpy.all(numpy.delete(att[b, :, t], seen, -1) == -numpy.inf)


@covers("softmax_inplace")
@each_thread_count
def test_softmax(thread_count, device, random):
    for S in [*SIZES, int(random.integers(3, 1000))]:
        x = normal(random, 5, S, std=3)
        x[1] += 1e4  # exp alone would overflow
        x[2, S // 2 + 1 :] = -numpy.inf
        x[3] = -numpy.inf
        x[3, S - 1] = -5
        out = device.run("softmax_inplace", threadgroups(5), InOut(x), S, threads=thread_count)
        check_rows(out, reference.softmax(x.astype(numpy.float64)))
        assert out[3].tolist() == [0] * (S - 1) + [1]
        assert numpy.all(out[2, S // 2 + 1 :] == 0)


def test_softmax_keeps_nan_to_its_row(device, random):
    x = normal(random, 3, 40)
    x[1, 7] = numpy.nan
    out = device.run("softmax_inplace", threadgroups(3), InOut(x), 40)
    assert numpy.isnan(out).all(1).tolist() == [False, True, False]
    assert numpy.isnan(out).any(1).tolist() == [False, True, False]


@covers("attention_mix_f32", "attention_mix_f16")
@each_cache_type
@each_thread_count
def test_attention_mix(thread_count, type, device, random):
    """Neither weights nor values of keys that a query may not see are touched."""
    for B, T, nkv, hs, capacity in CACHES:
        nh, window = 3 * nkv, int(random.choice(WINDOWS))
        cache = Cache(random, B, T, nh, hs, capacity, type, nkv=nkv, window=window)
        S = int(max(cache.lengths + cache.counts))
        att = random.uniform(0, 1, (B, nh, T, S)).astype(numpy.float32)
        expected = numpy.empty((B, nh, T, hs))
        for b in range(B):
            for t in range(T):
                seen = cache.visible(b, t)
                weights = att[b, :, t, None, seen].astype(numpy.float64)
                expected[b, :, t] = (weights @ cache.values[b, :, seen].astype(float).repeat(3, 0))[:, 0]
                att[b, :, t, : seen.start] = att[b, :, t, seen.stop :] = numpy.nan
        out = device.run(
            f"attention_mix_{type}", threads(hs + 3, T + 1, B * nh), att, cache.values, cache.lengths,
            cache.counts, Out((B, nh, T, hs)), T, S, nh, nkv, hs, capacity, window, threads=thread_count,
        )  # fmt: skip
        check_rows(out, expected)


@covers("flash_attention_f32", "flash_attention_f16")
@covers(*(f"flash_attention_hs{hs}_{type}" for hs in SIZED for type in CACHE_TYPES))
@each_cache_type
@each_thread_count
def test_flash_attention(thread_count, type, device, random):
    for B, T, nh, hs, capacity in CACHES:
        cache = Cache(random, B, T, nh, hs, capacity, type)
        check_rows(cache.flash(device, thread_count), cache.expected())
    for B, T, nh, capacity in [(1, 1, 1, 1), (1, 6, 1, 300), (2, 4, 2, 31), (1, 9, 3, 70)]:
        cache = Cache(random, B, T, nh, 64, capacity, type)
        check_rows(cache.flash(device, thread_count), cache.expected())
        check_rows(cache.flash_shared(device, thread_count), cache.expected())


@covers(*(f"flash_attention_prompt_hs{hs}_{type}" for hs in SIZED for type in CACHE_TYPES))
@each_cache_type
@each_thread_count
def test_flash_attention_prompt(thread_count, type, device, random):
    """Blocks of queries that are full and one that is not, whole tiles of keys and parts of one."""
    for B, T, nh, capacity in [(1, 1, 1, 1), (1, 6, 1, 75), (2, 32, 2, 32), (1, 33, 1, 70), (2, 65, 1, 96)]:
        cache = Cache(random, B, T, nh, 64, capacity, type)
        check_rows(cache.flash_prompt(device, thread_count), cache.expected())


@covers(*(f"flash_attention_tiles_hs{hs}_halves_{type}" for hs in SIZED for type in CACHE_TYPES))
@each_cache_type
@pytest.mark.parametrize("thread_count", [32, 33, 64, 96, 127, 128, 160, 256, 288])
def test_flash_attention_tiles(thread_count, type, device, random):
    for B, T, nh, capacity in [(1, 1, 1, 1), (1, 6, 1, 300), (2, 70, 2, 131), (1, 129, 1, 140)]:
        cache = Cache(random, B, T, nh, 64, capacity, type)
        check_rows(cache.tiles(device, thread_count), cache.expected(), 2 * HALF_TOLERANCE)
    for hs in (128, 256):
        cache = Cache(random, 1, 50, 2, hs, 80, type)
        check_rows(cache.tiles(device, thread_count), cache.expected(), 2 * HALF_TOLERANCE)


@each_cache_type
@pytest.mark.parametrize("hs", SIZED)
@pytest.mark.parametrize("nh, nkv", GROUPS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("thread_count", [32, 64, 256])
def test_groups_and_windows_of_tiles(thread_count, window, nh, nkv, hs, type, device, random):
    for B, T, capacity in [(1, 1, 90), (2, 5, 70), (1, 50, 140)]:
        cache = Cache(random, B, T, nh, hs, capacity, type, nkv=nkv, window=window, poison=100)
        check_rows(cache.tiles(device, thread_count), cache.expected(), 2 * HALF_TOLERANCE)


@pytest.mark.parametrize("attention", [Cache.flash_shared, Cache.flash_prompt])
@pytest.mark.parametrize("hs", SIZED)
@each_cache_type
def test_sized_heads(type, hs, attention, device, random):
    for T, nh, nkv, window in [(1, 2, 2, ALL), (5, 6, 2, 3), (40, 3, 1, 20)]:
        cache = Cache(random, 2, T, nh, hs, 75, type, nkv=nkv, window=window)
        check_rows(attention(cache, device), cache.expected())


@pytest.mark.parametrize("attention", ANY_HEAD_SIZE)
@pytest.mark.parametrize("hs", [1, 2, 16, 31, 32, 33, 40, 63, 64, 65, 80, 96, 127, 128, 160, 255, 256])
def test_head_sizes(hs, attention, device, random):
    for T in (1, 5, 8):
        cache = Cache(random, 2, T, 2, hs, 45, random.choice(list(CACHE_TYPES)))
        check_rows(attention(cache, device), cache.expected())


@each_attention
@each_cache_type
@pytest.mark.parametrize("S", [1, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1025])
def test_cache_lengths(S, type, attention, device, random):
    """A decode step with S keys, in a cache that is full and one that is not; a prompt's end."""
    for capacity in (S, S + 20):
        cache = Cache(random, 1, 1, 2, 64, capacity, type, lengths=[S - 1], counts=[1])
        check_rows(attention(cache, device), cache.expected())
    T = min(S, 6)
    cache = Cache(random, 1, T, 1, 64, S, type, lengths=[S - T], counts=[T])
    check_rows(attention(cache, device), cache.expected())


@each_attention
@each_cache_type
@pytest.mark.parametrize("poison", [numpy.nan, numpy.inf, 3e38, -3e38])
def test_a_poisoned_tail_is_not_seen(poison, type, attention, device, random):
    """Rows that bring no, some and T new tokens; padding behind a row's tokens is defined, too."""
    lengths, counts = [0, 40, 17, 4], [1, 3, 5, 0]
    cache = Cache(random, 4, 5, 2, 64, 50, type, lengths, counts, poison)
    check_rows(attention(cache, device), cache.expected())


@each_attention
@each_cache_type
@pytest.mark.parametrize("nh, nkv", GROUPS)
@pytest.mark.parametrize("window", WINDOWS)
def test_groups_and_windows(window, nh, nkv, type, attention, device, random):
    """Windows shorter and longer than the prompt and what is before it, which is poisoned where nobody looks."""
    for B, T, capacity in [(1, 1, 90), (2, 5, 70), (1, 70, 140)]:
        cache = Cache(random, B, T, nh, 64, capacity, type, nkv=nkv, window=window)
        check_rows(attention(cache, device), cache.expected())
    cache = Cache(random, 1, 40, nh, 64, 75, type, [35], [40], nkv=nkv, window=window)
    check_rows(attention(cache, device), cache.expected())


@each_attention
@pytest.mark.parametrize("thread_count", [0, 1, 33, 256])
def test_one_hot_attention(thread_count, attention, device, random):
    """Query t has 1,000 where key s(t) has its only 1: the answer is value s(t), bit by bit."""
    T, hs, before = 20, 64, 40
    cache = Cache(random, 1, T, 1, hs, hs, lengths=[before], counts=[T])
    chosen = [int(random.integers(0, before + t + 1)) for t in range(T)]
    cache.keys[0, 0, : before + T] = numpy.eye(hs, dtype=numpy.float32)[: before + T]
    cache.q[0, 0] = 0
    cache.q[0, 0, numpy.arange(T), chosen] = 1000
    cache.scale = 1.0
    out = attention(cache, device, thread_count)
    assert numpy.array_equal(out[0, 0], cache.values[0, 0, chosen])


@each_attention
def test_attention_to_everything_alike(attention, device, random):
    """Queries of 0 average the values they see."""
    cache = Cache(random, 1, 40, 1, 64, 64, lengths=[20], counts=[40])
    cache.q[:] = 0
    values = cache.values[0, 0, :60].astype(numpy.float64)
    means = numpy.cumsum(values, 0) / numpy.arange(1, 61)[:, None]
    check_rows(attention(cache, device)[0, 0], means[20:])


@each_attention
def test_attention_with_large_scores(attention, device, random):
    """Scores of thousands, rising and falling along the keys: exp alone would overflow."""
    for sign in (1, -1):
        cache = Cache(random, 1, 4, 1, 64, 200, lengths=[196], counts=[4])
        cache.q[:] = 1
        cache.keys[:] = sign * numpy.arange(200, dtype=numpy.float32)[:, None]
        cache.scale = 1.0
        check_rows(attention(cache, device), cache.expected())


# --- a row of logits to one number ---


def argmax(device, kernel, logits, thread_count=0):
    B, V = logits.shape
    largest = [reference.group_maxima(logits, 1, SHARED["VOCABULARY_GROUPS"])[0].astype(numpy.float32)]
    by_groups = kernel == "group_argmax"
    method = launches.METHODS["LIKELIEST_OF_GROUPS" if by_groups else "LIKELIEST"]
    return device.run(
        kernel, threadgroups(B), logits, launches.row_sampling(B, V, method=method).data, *(largest if by_groups else []),
        Out(B, numpy.uint32), V, threads=thread_count,
    )  # fmt: skip


each_argmax = pytest.mark.parametrize("kernel", ["argmax_sample", "group_argmax"])


@covers("argmax_sample", "group_argmax")
@each_argmax
@each_thread_count
def test_argmax(thread_count, kernel, device, random):
    for V in [*SIZES, int(random.integers(3, 1000)), 9000]:
        logits = normal(random, 7, V)
        first, second = sorted(random.integers(0, V, 2))
        logits[1, [first, second]] = 9  # a tie
        logits[2] = 5  # nothing but ties
        logits[3] = -numpy.inf
        logits[4, [first, second]] = numpy.inf
        logits[5, second] = numpy.nan
        logits[6] = numpy.nan
        ids = argmax(device, kernel, logits, thread_count)
        best = int(logits[0].argmax())
        assert ids.tolist() == [best, first, 0, 0, first, NO_TOKEN, NO_TOKEN]


@each_argmax
@pytest.mark.parametrize("column", [0, 1, 31, 32, 98, 99])
def test_argmax_reports_nan_beside_infinity(column, kernel, device, random):
    logits = normal(random, 2, 100)
    logits[1, 50] = numpy.inf
    logits[:, column] = numpy.nan
    ids = argmax(device, kernel, logits)
    assert ids.tolist() == [NO_TOKEN, NO_TOKEN]


@covers("cross_entropy_forward")
@each_thread_count
def test_cross_entropy(thread_count, device, random):
    for V in [*SIZES, int(random.integers(3, 1000))]:
        logits = normal(random, 6, V, std=3)
        logits[1] += 1e3
        logits[2, : V // 2] = -numpy.inf
        targets = random.integers(0, V, 6).astype(numpy.uint32)
        targets[[2, 3, 4]] = V - 1, V - 1, 0
        nats = device.run(
            "cross_entropy_forward", threadgroups(6), logits, targets, Out(6), V,
            threads=thread_count,
        )  # fmt: skip
        p = reference.softmax(logits.astype(numpy.float64))
        expected = -numpy.log(p[numpy.arange(6), targets])
        tolerance = TOLERANCE * numpy.maximum(1, expected)
        tolerance[1] *= 100  # logits of 1e3 have no more digits behind the point
        assert numpy.all(numpy.abs(nats - expected) <= tolerance)


# --- steps ---


@covers("last_token_rows")
@each_thread_count
def test_last_token_rows(thread_count, device, random):
    """A row without new tokens gives its first, which nobody looks at."""
    for B, T, C in [(1, 1, 1), (4, 5, 33), (3, 2, 257)]:
        x = normal(random, B, T, C)
        counts = random.integers(0, T + 1, B).astype(numpy.uint32)
        out = device.run(
            "last_token_rows", threads(C + 3, B + 2), x, counts, Out((B, C)), B, T, C,
            threads=thread_count,
        )  # fmt: skip
        last = numpy.maximum(counts.astype(int), 1) - 1
        assert numpy.array_equal(out, x[numpy.arange(B), last])


@covers("advance_step")
@each_thread_count
def test_advance_step(thread_count, device):
    """A row without new tokens stays as it is; one that is full brings none from then on."""
    capacity, B = 10, 5
    history = numpy.arange(B * (capacity + 1), dtype=numpy.uint32).reshape(B, capacity + 1) + 900
    arguments = uints(70, 71, 72, NO_TOKEN, 74), uints(0, 3, 9, 4, 6), uints(3, 1, 1, 0, 4)
    lengths, counts, new_history, drawn = device.run(
        "advance_step", threads(B + 3), arguments[0], InOut(arguments[1]), InOut(arguments[2]),
        InOut(history), Out((B, 8), numpy.uint32), B, capacity, threads=thread_count,
    )  # fmt: skip
    assert lengths.tolist() == [3, 4, 10, 4, 10]
    assert counts.tolist() == [1, 1, 0, 0, 0]
    for b, position, id in [(0, 3, 70), (1, 4, 71), (2, 10, 72), (4, 10, 74)]:
        history[b, position] = id
        assert drawn[b, position % 8] == id and numpy.sum(drawn[b] == NO_TOKEN) == 7
    assert numpy.array_equal(new_history, history)


# --- nothing forgotten ---


def test_every_kernel_has_its_test(library):
    assert set(kernel_table(library)) == set(KERNELS) == TESTED
