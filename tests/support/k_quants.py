"""Plain rounding to the block formats that the gguf package only reads: no scale is sought, each is taken from
the values furthest from 0. What the bytes mean is left to gguf's own dequantisers."""

import numpy


def halves(values):
    return values.astype(numpy.float16)[:, None].view(numpy.uint8)


def multiples(values, most):
    """Of each row by one half: it, and the multiples, which round up."""
    d = (values.max(axis=1) / most).astype(numpy.float16)
    step = numpy.where(d == 0, 1, d).astype(numpy.float32)[:, None]
    return d, numpy.ceil(values / step).clip(0, most).astype(numpy.uint8)


def with_least(array, size, levels, most):
    """Rows of 256 values as d · scale · value − d_least · least, `size` to a scale: all five."""
    groups = array.reshape(-1, 256 // size, size)
    least = -numpy.minimum(groups.min(axis=2), 0)
    d, scale = multiples((groups.max(axis=2) + least) / levels, most)
    d_least, least = multiples(least, most)
    width = d.astype(numpy.float32)[:, None] * scale
    offset = d_least.astype(numpy.float32)[:, None] * least
    width[width == 0] = 1
    value = numpy.rint((groups + offset[:, :, None]) / width[:, :, None]).clip(0, levels)
    return d, scale, d_least, least, value.astype(numpy.uint8).reshape(-1, 256)


def without_least(array, lowest, most):
    """Rows of 256 values as d · scale · value, 16 to a scale, value from `lowest` on."""
    groups = array.reshape(-1, 16, 16)
    d, scale = multiples(numpy.abs(groups).max(axis=2) / (-lowest - 1), most)
    width = d.astype(numpy.float32)[:, None] * scale
    width[width == 0] = 1
    value = numpy.rint(groups / width[:, :, None]).clip(lowest, -lowest - 1) - lowest
    return d, scale, value.astype(numpy.uint8).reshape(-1, 256)


def twelve_bytes(scale, least):
    """Eight of each, of 6 bits."""
    first = numpy.concatenate([scale[:, :4], least[:, :4]], 1)
    last = numpy.concatenate([scale[:, 4:], least[:, 4:]], 1)
    return numpy.concatenate([first | last >> 4 << 6, (last[:, :4] & 15) | (last[:, 4:] & 15) << 4], 1)


def spread(values, count):
    """`count` parts of 32 side by side, the first in the lowest bits: [n, …, count, 32] → [n, …, 32]."""
    shifts = (8 // count * numpy.arange(count, dtype=numpy.uint8))[:, None]
    return numpy.bitwise_or.reduce(values << shifts, axis=-2)


def quantise_q2_k(array):
    d, scale, d_least, least, value = with_least(array, 16, 3, 15)
    values = spread(value.reshape(-1, 2, 4, 32), 4).reshape(-1, 64)
    return numpy.concatenate([scale | least << 4, values, halves(d), halves(d_least)], 1)


def quantise_q3_k(array):
    d, scale, value = without_least(array, -4, 31)
    scale += 32
    parts = value.reshape(-1, 2, 4, 32)
    low, high = spread(parts & 3, 4).reshape(-1, 64), spread(parts.reshape(-1, 8, 32) >> 2, 8)
    low_scales = (scale[:, :8] & 15) | (scale[:, 8:] & 15) << 4
    high_scales = numpy.bitwise_or.reduce(
        scale.reshape(-1, 4, 4) >> 4 << (2 * numpy.arange(4, dtype=numpy.uint8))[:, None], axis=1
    )
    return numpy.concatenate([high, low, low_scales, high_scales, halves(d)], 1)


def quantise_q4_k(array):
    d, scale, d_least, least, value = with_least(array, 32, 15, 63)
    nibbles = spread(value.reshape(-1, 4, 2, 32), 2).reshape(-1, 128)
    return numpy.concatenate([halves(d), halves(d_least), twelve_bytes(scale, least), nibbles], 1)


def quantise_q5_k(array):
    d, scale, d_least, least, value = with_least(array, 32, 31, 63)
    nibbles = spread(value.reshape(-1, 4, 2, 32) & 15, 2).reshape(-1, 128)
    fifth = spread(value.reshape(-1, 8, 32) >> 4, 8)
    return numpy.concatenate([halves(d), halves(d_least), twelve_bytes(scale, least), fifth, nibbles], 1)


def quantise_q6_k(array):
    d, scale, value = without_least(array, -32, 127)
    parts = value.reshape(-1, 2, 4, 32)
    low = ((parts[:, :, :2] & 15) | (parts[:, :, 2:] & 15) << 4).reshape(-1, 128)
    high = spread(parts >> 4, 4).reshape(-1, 64)
    return numpy.concatenate([low, high, scale, halves(d)], 1)


IQ4_NL_LEVELS = numpy.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])


def quantise_iq4_nl(array):
    blocks = array.reshape(-1, 32)
    scale = (numpy.abs(blocks).max(1) / 113).astype(numpy.float16)
    step = numpy.where(scale == 0, 1, scale).astype(numpy.float32)[:, None]
    level = numpy.abs((blocks / step)[:, :, None] - IQ4_NL_LEVELS).argmin(2).astype(numpy.uint8)
    return numpy.concatenate([halves(scale), level[:, :16] | level[:, 16:] << 4], 1)


QUANTISERS = {
    "Q2_K": quantise_q2_k,
    "Q3_K": quantise_q3_k,
    "Q4_K": quantise_q4_k,
    "Q5_K": quantise_q5_k,
    "Q6_K": quantise_q6_k,
    "IQ4_NL": quantise_iq4_nl,
}


def quantise(array, type):
    """The bytes of an array's rows."""
    return QUANTISERS[type](array).reshape(array.shape[0], -1)


def samples():
    """Weights of several kinds, always the same: 64 blocks of 256 each."""
    random = numpy.random.RandomState(15)  # whose numbers are promised never to change
    shape = (64, 256)
    spread = random.normal(0, 0.02, shape)
    kinds = {
        "normal": spread,
        "positive": numpy.abs(spread),
        "of another mean": spread + 0.05,
        "with outliers": spread * numpy.where(random.uniform(size=shape) < 0.005, 20, 1),
        "long tails": random.laplace(0, 0.02, shape),
        "sizes by channel": spread * numpy.exp(random.normal(0, 0.7, shape[1])),
    }
    return {kind: values.astype(numpy.float32) for kind, values in kinds.items()}


def relative_error(values, rounded):
    """What rounding leaves of the squares."""
    difference = rounded.astype(numpy.float64) - values
    return float((difference**2).sum() / (values.astype(numpy.float64) ** 2).sum())
