"""The model files that the loaders hand out, as ctypes sees them (src/model/model_file.h)."""

import contextlib
import ctypes
import os

import numpy

import models
from library import Error, Tokens


class Tensor(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("rows", ctypes.c_uint32),
        ("columns", ctypes.c_uint32),
        ("transposed", ctypes.c_bool),
        ("data", ctypes.c_void_p),
    ]


MOST_LAYERS = 1024
ORDERS = ["adjacent", "halves"]
SCALINGS = [None, "none", "linear", "llama3", "yarn"]


class RopeConfig(ctypes.Structure):
    _fields_ = [
        ("order", ctypes.c_int),
        ("dims", ctypes.c_uint32),
        ("base", ctypes.c_float),
        ("local_base", ctypes.c_float),
        ("scaling", ctypes.c_uint32),
        ("factor", ctypes.c_float),
        ("original_context", ctypes.c_uint32),
        ("low_frequency", ctypes.c_float),
        ("high_frequency", ctypes.c_float),
        ("beta_fast", ctypes.c_float),
        ("beta_slow", ctypes.c_float),
        ("attention_factor", ctypes.c_float),
        ("magnitude", ctypes.c_float),
        ("mscale", ctypes.c_float),
        ("mscale_all", ctypes.c_float),
        ("truncate", ctypes.c_bool),
    ]


class ModelConfig(ctypes.Structure):
    _fields_ = [
        ("layers", ctypes.c_uint32),
        ("heads", ctypes.c_uint32),
        ("kv_heads", ctypes.c_uint32),
        ("head_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("inner", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("vocabulary", ctypes.c_uint32),
        ("epsilon", ctypes.c_float),
        ("rope", RopeConfig),
        ("window", ctypes.c_uint32),
        ("window_from", ctypes.c_uint32),
        ("windowed", ctypes.c_bool * MOST_LAYERS),
        ("says_windowed", ctypes.c_bool),
        ("uses_window", ctypes.c_bool),
        ("attention_bias", ctypes.c_bool),
        ("mlp_bias", ctypes.c_bool),
        ("score_scalar", ctypes.c_float),
        ("embedding_scale", ctypes.c_float),
        ("scale_attention", ctypes.c_bool),
        ("scale_by_layer", ctypes.c_bool),
        ("tied", ctypes.c_bool),
    ]


class TensorRow(ctypes.Structure):
    _fields_ = [
        ("what", ctypes.c_char_p),
        ("gguf", ctypes.c_char_p),
        ("huggingface", ctypes.c_char_p),
        ("shape", ctypes.c_char_p),
        ("form", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("into", ctypes.c_size_t),
        ("part", ctypes.c_uint32),
        ("step", ctypes.c_char_p),
    ]


class ModelTensor(ctypes.Structure):
    _fields_ = [
        ("row", ctypes.POINTER(TensorRow)),
        ("layer", ctypes.c_uint32),
        ("tensor", Tensor),
    ]


class ModelFile(ctypes.Structure):
    _fields_ = [
        ("architecture", ctypes.c_void_p),
        ("config", ModelConfig),
        ("tensors", ctypes.POINTER(ModelTensor)),
        ("tensor_count", ctypes.c_size_t),
        ("rope_factors", ctypes.POINTER(ctypes.c_float)),
        ("end_of_text", ctypes.c_uint32),
        ("ends", Tokens),
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("tokenizer", ctypes.c_void_p),
        ("tokenizer_problem", ctypes.POINTER(Error)),
        ("checkpoint", ctypes.c_void_p),
    ]


def declare(library):
    """Tell ctypes the signatures of the functions used here and in the tests."""
    library.model_file_open.restype = ctypes.POINTER(ModelFile)
    library.model_file_close.argtypes = [ctypes.POINTER(ModelFile)]
    library.tensor_row_bytes.restype = ctypes.c_size_t
    library.tensor_bytes.restype = ctypes.c_size_t
    library.tensor_count.restype = ctypes.c_size_t
    library.tensor_type_name.restype = ctypes.c_char_p
    library.tokenizer_encodes.restype = ctypes.c_bool
    library.tokenizer_encodes.argtypes = [ctypes.c_void_p]
    library.tokenizer_bytes.restype = ctypes.c_void_p
    library.tokenizer_bytes.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
    return library


@contextlib.contextmanager
def opened(library, path):
    """The model at `path`; closed on leaving."""
    error = Error()
    model = library.model_file_open(os.fsencode(path), ctypes.byref(error))
    assert model, error.message.decode()
    assert error.status == 0 and error.message == b""
    try:
        yield model.contents
    finally:
        library.model_file_close(model)


def one_line(error, path):
    """The message of an error: one line that begins with the path."""
    message = error.message.decode(errors="replace")
    assert error.status != 0 and "\n" not in message
    assert message.startswith(str(path)), message
    return message


def refusal(library, path):
    """The message with which `path` is refused."""
    error = Error()
    assert not library.model_file_open(os.fsencode(path), ctypes.byref(error)), f"{path} was opened"
    return one_line(error, path)


def tokenizer_refusal(library, path):
    """Why the tokenizer of a model that can be opened cannot be used."""
    with opened(library, path) as model:
        assert not model.tokenizer
        return one_line(model.tokenizer_problem.contents, path)


def values(library, tensor):
    """A tensor's elements as float32 [rows, columns], read from where the loader points."""
    data = ctypes.string_at(tensor.data, library.tensor_bytes(ctypes.byref(tensor)))
    type = library.tensor_type_name(tensor.type).decode().upper()
    shape = (tensor.rows, tensor.columns)
    stored = shape[::-1] if tensor.transposed else shape
    raw = numpy.frombuffer(data, numpy.uint8).reshape(stored[0], -1)
    array = models.dequantise(raw, type).reshape(stored)
    return array.T if tensor.transposed else array


def fields(model):
    """Every tensor of a model by the name that Hugging Face's GPT2Model has for it."""
    result = {}
    for placed in model.tensors[: model.tensor_count]:
        name = placed.row.contents.huggingface.decode()
        name = name.removeprefix("transformer.").replace("{layer}", str(placed.layer))
        result[name] = placed.tensor
    return result


def check(library, model, config, tensors):
    """The model file says what `config` says and holds exactly `tensors`."""
    found = model.config
    assert (found.layers, found.heads, found.channels) == (
        config.layers,
        config.heads,
        config.channels,
    )
    assert (found.context, found.vocabulary) == (config.context, config.vocabulary)
    assert found.inner == config.feed_forward
    assert found.epsilon == numpy.float32(config.epsilon)
    assert found.scale_attention == config.scale_attention
    assert found.scale_by_layer == config.scale_by_layer
    held = fields(model)
    assert held.keys() == tensors.keys()
    for name, tensor in held.items():
        expected = models.out_in(name, tensors[name])
        expected = expected.reshape(tensor.rows, -1)
        numpy.testing.assert_array_equal(values(library, tensor), expected, err_msg=name)
        assert library.tensor_count(ctypes.byref(tensor)) == expected.size
