"""GGUF files that we write: opened by our own loader and by the gguf package."""

import ctypes
import os

import gguf
import numpy
import pytest

import models
from checkpoints import Tensor, check, declare, opened, values
from library import Error
from models import Config

TYPES = models.TYPES

Fill = ctypes.CFUNCTYPE(
    ctypes.c_bool,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.POINTER(Tensor),
    ctypes.c_int,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.POINTER(Error),
)


class Tokenizer(ctypes.Structure):
    """GGUFTokenizer of src/tokenizer/to_gguf.h."""

    _fields_ = [
        ("model", ctypes.c_char_p),
        ("pre", ctypes.c_char_p),
        ("tokens", ctypes.POINTER(ctypes.c_char_p)),
        ("types", ctypes.POINTER(ctypes.c_uint32)),
        ("token_count", ctypes.c_uint32),
        ("scores", ctypes.POINTER(ctypes.c_float)),
        ("merges", ctypes.POINTER(ctypes.c_char_p)),
        ("merge_count", ctypes.c_uint32),
        ("added", ctypes.POINTER(ctypes.c_uint32)),
        ("added_count", ctypes.c_uint32),
        ("adds_begin", ctypes.c_bool),
        ("adds_end", ctypes.c_bool),
        ("adds_space", ctypes.c_bool),
        ("prefix", ctypes.c_char_p),
        ("unknown", ctypes.c_uint32),
        ("text", ctypes.c_char_p),
    ]


class Options(ctypes.Structure):
    _fields_ = [
        ("matrices", ctypes.c_int),
        ("embeddings", ctypes.c_int),
        ("finer", ctypes.c_bool),
        ("tokenizer", ctypes.POINTER(Tokenizer)),
        ("fill", Fill),
        ("user", ctypes.c_void_p),
    ]


@pytest.fixture(scope="module")
def library(library):
    library.gguf_write.restype = ctypes.c_bool
    return declare(library)


def texts(strings):
    return (ctypes.c_char_p * len(strings))(*(string.encode() for string in strings))


def as_gguf(tokenizer):
    types = [1] * tokenizer.end_of_text + [3]  # normal, control
    return Tokenizer(
        model=b"gpt2",
        pre=b"gpt-2",
        tokens=texts(tokenizer.tokens),
        types=(ctypes.c_uint32 * len(types))(*types),
        token_count=len(types),
        merges=texts([f"{left} {right}" for left, right in tokenizer.merges]),
        merge_count=len(tokenizer.merges),
        unknown=2**32 - 1,
    )


def quantising(library):
    """A fill that stores rows as models.quantise does, and the shapes of the chunks it was asked
    for."""
    chunks = []

    def fill(user, name, source, type, first, rows, out, error):
        array = numpy.ascontiguousarray(values(library, source.contents)[first : first + rows])
        data = models.quantise(array, TYPES[type]).tobytes()
        ctypes.memmove(out, data, len(data))
        chunks.append(array.shape)
        return True

    return Fill(fill), chunks


def write(library, checkpoint, path, matrices, embeddings, fill, tokenizer=None):
    """gguf_write; returns its error, None if it succeeded."""
    words = ctypes.pointer(as_gguf(tokenizer)) if tokenizer else None
    options = Options(TYPES.index(matrices), TYPES.index(embeddings), False, words, fill, None)
    error = Error()
    done = library.gguf_write(os.fsencode(path), ctypes.byref(checkpoint), ctypes.byref(options), ctypes.byref(error))
    assert done == (error.status == 0)
    return None if done else error.message.decode()


@pytest.mark.parametrize("type", ["F32", "F16", "BF16", "Q4_0", "Q8_0"])
@pytest.mark.parametrize("tied", [True, False])
def test_written_model(library, random, tmp_path, type, tied):
    """Ours reads back what was written, and so does the gguf package, byte for byte."""
    config = Config(channels=96, heads=3, inner=160, vocabulary=305, epsilon=2e-5, tied=tied)
    tensors, tokenizer = models.random_gpt2(config, random), models.small_tokenizer(300)
    settings = {"eos_token_id": tokenizer.end_of_text}
    folder = models.write_huggingface(tmp_path / "source", config, tensors, settings=settings)
    path, (fill, _) = tmp_path / "written.gguf", quantising(library)
    with opened(library, folder) as checkpoint:
        assert write(library, checkpoint, path, type, type, fill, tokenizer) is None
    with opened(library, path) as checkpoint:
        assert checkpoint.name == b"source" and checkpoint.end_of_text == tokenizer.end_of_text
        assert library.tokenizer_encodes(checkpoint.tokenizer)
        check(library, checkpoint, config, models.gguf_rounded(tensors, type))
    reader = gguf.GGUFReader(path)
    assert reader.get_field("tokenizer.ggml.tokens").contents()[:300] == tokenizer.tokens
    assert reader.get_field("tokenizer.ggml.token_type").contents() == [1] * 299 + [3] + [5] * 5
    named = {tensor.name: tensor for tensor in reader.tensors}
    assert named.keys() == {models.gguf_name(name) for name in tensors}
    for name, array in tensors.items():
        tensor = named[models.gguf_name(name)]
        stored = models.gguf_type(name, array, type)
        assert tensor.tensor_type.name == stored
        expected = models.quantise(models.out_in(name, array), stored)
        assert tensor.data.tobytes() == expected.tobytes(), name


def test_embeddings_of_another_type(library, random, tmp_path):
    """The embeddings may be finer than the rest; a row that is no whole blocks becomes f16."""
    config = Config(channels=64, inner=80, vocabulary=300)
    tensors = models.random_gpt2(config, random)
    folder = models.write_huggingface(tmp_path / "source", config, tensors)
    path, (fill, _) = tmp_path / "written.gguf", quantising(library)
    with opened(library, folder) as checkpoint:
        assert write(library, checkpoint, path, "Q4_0", "Q8_0", fill) is None
    types = {"token_embd.weight": "Q8_0"}
    types |= {f"blk.{i}.ffn_down.weight": "F16" for i in range(config.layers)}
    with opened(library, path) as checkpoint:
        assert checkpoint.tokenizer is None
        check(library, checkpoint, config, models.gguf_rounded(tensors, "Q4_0", types))


def test_large_tensors_come_in_chunks(library, random, tmp_path):
    config = Config(layers=1, channels=256, heads=2, vocabulary=3001)
    tensors = models.random_gpt2(config, random)
    folder = models.write_huggingface(tmp_path / "source", config, tensors)
    path, (fill, chunks) = tmp_path / "written.gguf", quantising(library)
    with opened(library, folder) as checkpoint:
        assert write(library, checkpoint, path, "F32", "F32", fill) is None
    assert max(rows * columns for rows, columns in chunks) * 4 <= 2 << 20
    assert sum(rows for rows, _ in chunks[:3]) == 3001
    with opened(library, path) as checkpoint:
        check(library, checkpoint, config, tensors)


def test_failures(library, random, tmp_path):
    """A scale that GGUF cannot express, a folder that is missing, a fill that fails: nothing is
    left behind, and an older file stays as it was."""
    plain, scaled = Config(), Config(scale_by_layer=True)
    tensors = models.random_gpt2(plain, random)
    fill, _ = quantising(library)
    path = tmp_path / "written.gguf"
    path.write_text("older")
    folder = models.write_huggingface(tmp_path / "scaled", scaled, tensors)
    with opened(library, folder) as checkpoint:
        message = write(library, checkpoint, path, "F32", "F32", fill)
        assert "scale_attn_by_inverse_layer_idx" in message

    def failing(user, name, source, type, first, rows, out, error):
        error.contents.status, error.contents.message = 4, b"no more"
        return False

    folder = models.write_huggingface(tmp_path / "plain", plain, tensors)
    with opened(library, folder) as checkpoint:
        message = write(library, checkpoint, tmp_path / "no" / "x.gguf", "F32", "F32", fill)
        assert "cannot be written" in message and str(tmp_path / "no") in message
        assert write(library, checkpoint, path, "F32", "F32", Fill(failing)) == "no more"
    assert path.read_text() == "older"
    assert sorted(os.listdir(tmp_path)) == ["plain", "scaled", "written.gguf"]
