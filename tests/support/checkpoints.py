"""The checkpoints that the loaders hand out, as ctypes sees them (src/checkpoint/checkpoint.h)."""

import contextlib
import ctypes
import os

import numpy

import models
from library import Error


class Tensor(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("rows", ctypes.c_uint32),
        ("columns", ctypes.c_uint32),
        ("transposed", ctypes.c_bool),
        ("data", ctypes.c_void_p),
    ]


class ModelConfig(ctypes.Structure):
    _fields_ = [
        ("layers", ctypes.c_uint32),
        ("heads", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("inner", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("vocabulary", ctypes.c_uint32),
        ("epsilon", ctypes.c_float),
        ("scale_attention", ctypes.c_bool),
        ("scale_by_layer", ctypes.c_bool),
    ]


# The fields of LayerTensors and Checkpoint that are tensors, by Hugging Face's names.
LAYER = {
    "ln_1.weight": "attention_norm_weight",
    "ln_1.bias": "attention_norm_bias",
    "attn.c_attn.weight": "qkv_weight",
    "attn.c_attn.bias": "qkv_bias",
    "attn.c_proj.weight": "projection_weight",
    "attn.c_proj.bias": "projection_bias",
    "ln_2.weight": "mlp_norm_weight",
    "ln_2.bias": "mlp_norm_bias",
    "mlp.c_fc.weight": "up_weight",
    "mlp.c_fc.bias": "up_bias",
    "mlp.c_proj.weight": "down_weight",
    "mlp.c_proj.bias": "down_bias",
}
MODEL = {
    "wte.weight": "token_embedding",
    "wpe.weight": "position_embedding",
    "ln_f.weight": "output_norm_weight",
    "ln_f.bias": "output_norm_bias",
    "lm_head.weight": "output",
}


class LayerTensors(ctypes.Structure):
    _fields_ = [(field, Tensor) for field in LAYER.values()]


class Checkpoint(ctypes.Structure):
    _fields_ = [
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("config", ModelConfig),
        ("token_embedding", Tensor),
        ("position_embedding", Tensor),
        ("layer", ctypes.POINTER(LayerTensors)),
        ("output_norm_weight", Tensor),
        ("output_norm_bias", Tensor),
        ("output", Tensor),
        ("tokenizer", ctypes.c_void_p),
        ("end_of_text", ctypes.c_uint32),
        ("end_tokens", ctypes.c_uint32 * 16),
        ("end_count", ctypes.c_uint32),
        ("maps", ctypes.c_void_p),
        ("map_count", ctypes.c_size_t),
    ]


def declare(library):
    """Tell ctypes the signatures of the functions used here and in the tests."""
    library.checkpoint_open.restype = ctypes.POINTER(Checkpoint)
    library.checkpoint_close.argtypes = [ctypes.POINTER(Checkpoint)]
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
    """The checkpoint at `path`; closed on leaving."""
    error = Error()
    checkpoint = library.checkpoint_open(os.fsencode(path), ctypes.byref(error))
    assert checkpoint, error.message.decode()
    assert error.status == 0 and error.message == b""
    try:
        yield checkpoint.contents
    finally:
        library.checkpoint_close(checkpoint)


def refusal(library, path):
    """The message with which `path` is refused: one line that begins with the path."""
    error = Error()
    checkpoint = library.checkpoint_open(os.fsencode(path), ctypes.byref(error))
    assert not checkpoint, f"{path} was opened"
    message = error.message.decode(errors="replace")
    assert error.status != 0 and "\n" not in message
    assert message.startswith(str(path)), message
    return message


def values(library, tensor):
    """A tensor's elements as float32 [rows, columns], read from where the loader points."""
    data = ctypes.string_at(tensor.data, library.tensor_bytes(ctypes.byref(tensor)))
    type = library.tensor_type_name(tensor.type).decode().upper()
    shape = (tensor.rows, tensor.columns)
    stored = shape[::-1] if tensor.transposed else shape
    raw = numpy.frombuffer(data, numpy.uint8).reshape(stored[0], -1)
    array = models.dequantise(raw, type).reshape(stored)
    return array.T if tensor.transposed else array


def fields(checkpoint):
    """Every tensor of a checkpoint by Hugging Face's name; without lm_head where it is tied."""
    tensors = {name: getattr(checkpoint, field) for name, field in MODEL.items()}
    if not checkpoint.output.data:
        del tensors["lm_head.weight"]
    for i in range(checkpoint.config.layers):
        layer = checkpoint.layer[i]
        tensors |= {f"h.{i}.{name}": getattr(layer, field) for name, field in LAYER.items()}
    return tensors


def check(library, checkpoint, config, tensors):
    """The checkpoint says what `config` says and holds exactly `tensors`."""
    found = checkpoint.config
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
    held = fields(checkpoint)
    assert held.keys() == tensors.keys()
    for name, tensor in held.items():
        expected = models.out_in(name, tensors[name])
        expected = expected.reshape(tensor.rows, -1)
        numpy.testing.assert_array_equal(values(library, tensor), expected, err_msg=name)
        assert library.tensor_count(ctypes.byref(tensor)) == expected.size
