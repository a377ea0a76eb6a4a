"""src/model/rope.c: the frequencies of every scaling, against those of tests/support/families.py, which are transformers'."""

import ctypes

import numpy
import pytest

import families
from checkpoints import SCALINGS, RopeConfig
from families import Config

LINEAR, LLAMA3, YARN = (SCALINGS.index(name) for name in ("linear", "llama3", "yarn"))
ULPS = 2.4e-7  # two roundings
POINTER = ctypes.POINTER(ctypes.c_float)


def filled(function, config, *arguments):
    """The floats [dims / 2] that a function writes."""
    out = numpy.full(config.dims // 2 + 1, numpy.nan, numpy.float32)
    function(ctypes.byref(config), *arguments, out.ctypes.data_as(POINTER))
    assert numpy.isnan(out[-1])
    return out[:-1]


def frequencies(library, factors=None, **settings):
    config = RopeConfig(**settings)
    library.rope_magnitude.restype = ctypes.c_float
    given = None if factors is None else factors.ctypes.data_as(POINTER)
    return filled(library.rope_frequencies, config, given), library.rope_magnitude(ctypes.byref(config))


def close(actual, expected):
    return numpy.all(numpy.abs(actual / expected.astype(numpy.float64) - 1) <= ULPS)


DIMS_AND_BASES = [(64, 10000.0), (128, 500000.0), (256, 1e6), (2, 10000.0), (96, 5e6)]
each_size = pytest.mark.parametrize("dims, base", DIMS_AND_BASES)


def check(library, dims, base, reference, factors=None, **settings):
    """Against what numpy has for the same of transformers."""
    config = Config(head_size=dims, rope_base=base, scaling=reference, context=131072)
    expected, magnitude = families.frequencies(config, 0)
    actual, factor = frequencies(library, dims=dims, base=base, factors=factors, **settings)
    assert close(actual, expected)
    assert abs(factor - magnitude) <= ULPS * magnitude


@each_size
def test_unscaled(dims, base, library):
    check(library, dims, base, None)


@each_size
@pytest.mark.parametrize("factor", [2.0, 8.0, 3.3])
def test_linear(factor, dims, base, library):
    check(library, dims, base, {"rope_type": "linear", "factor": factor}, scaling=LINEAR, factor=factor)


LLAMA3_SCALING = {"rope_type": "llama3", "factor": 32.0, "original_max_position_embeddings": 8192}
LLAMA3_SCALING |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}


@each_size
def test_llama3(dims, base, library):
    """Its factors, which a GGUF file has as rope_freqs.weight."""
    settings = {"factor": 32, "original_context": 8192, "low_frequency": 1, "high_frequency": 4}
    config = RopeConfig(dims=dims, base=base, scaling=LLAMA3, **settings)
    factors = filled(library.rope_llama3_factors, config)
    expected = families.llama3_factors(families.default_frequencies(dims, base), LLAMA3_SCALING)
    assert close(factors, expected) and (dims == 2 or len(set(factors)) > 2)
    check(library, dims, base, LLAMA3_SCALING, factors=factors)


@each_size
@pytest.mark.parametrize("truncate", [True, False])
def test_yarn(truncate, dims, base, library):
    settings = {"dims": dims, "base": base, "scaling": YARN, "factor": 4, "original_context": 32768}
    settings |= {"beta_fast": 32, "beta_slow": 1, "truncate": truncate}
    actual, magnitude = frequencies(library, **settings)
    if truncate:
        scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
        config = Config(head_size=dims, rope_base=base, scaling=scaling)
        expected, _ = families.frequencies(config, 0)
    else:  # the borders lie between two pairs
        low, high = (dims * numpy.log(32768 / (n * 2 * numpy.pi)) / (2 * numpy.log(base)) for n in (32, 1))
        low, high = max(low, 0), min(high, dims - 1)
        slowed = ((numpy.arange(dims // 2) - low) / (high - low)).clip(0, 1)
        expected = base ** -(numpy.arange(0, dims, 2) / dims) * (slowed / 4 + 1 - slowed)
    assert close(actual, expected)
    assert abs(magnitude - (0.1 * numpy.log(4) + 1)) <= ULPS
    _, larger = frequencies(library, **settings, attention_factor=1.5)
    assert abs(larger - 1.5 * magnitude) <= 2 * ULPS


def test_local_layers_are_not_scaled(library):
    config = RopeConfig(dims=64, base=1e6, local_base=10000.0, scaling=LINEAR, factor=8)
    assert close(filled(library.rope_local_frequencies, config), families.default_frequencies(64, 10000.0))
