"""JSON by a schema (src/grammar/): what a matcher lets through is valid, what is valid in its form is let through, and
its masks are the same as those of a matcher that is asked token by token."""

import ctypes
import json
import os
import subprocess

import numpy
import pytest

import llm
from json_schemas import NoValue, is_valid, parse, pick, random_root, value_of, write
from library import COMMAND, Error, load
from llm import LLM

LIBRARY = load()
MANY = 10_000 if os.environ.get("LONG") else 300


class Text(ctypes.Structure):
    """TrieText of src/grammar/token_trie.h."""

    _fields_ = [("bytes", ctypes.c_char_p), ("size", ctypes.c_size_t), ("token", ctypes.c_uint32)]


for name in ("token_trie_new", "grammar_new", "matcher_new"):
    getattr(LIBRARY, name).restype = ctypes.c_void_p
for name in ("matcher_mask", "matcher_accept", "matcher_may_end", "matcher_must_end"):
    getattr(LIBRARY, name).restype = ctypes.c_bool


def checked(function, *arguments):
    error = Error()
    result = function(*arguments, ctypes.byref(error))
    if error.status:
        raise llm.Failure(error)
    return result


PIECES = ['{"', '": ', '":', '", "', '"]', '"}', "}}", "]]", "[]", "{}", ' "', ", ", ",", "null", "tru", "e}", "false"]
PIECES += ["the", " and", "\\n", '\\"', "\\u00", "1", "12", "-1", "0.", "e5", "name", 'name":', "é", "日", "🙂", "\n", "a" * 40]
VOCABULARY = [bytes([byte]) for byte in range(256)] + [piece.encode() for piece in PIECES if len(piece.encode()) > 1]


class Trie:
    def __init__(self, texts):
        self.buffers = [ctypes.create_string_buffer(text, len(text)) for text in texts]  # a NUL is a byte, too
        list = (Text * len(texts))(
            *(Text(ctypes.cast(buffer, ctypes.c_char_p), len(text), i) for i, (buffer, text) in enumerate(zip(self.buffers, texts)))
        )
        self.words = (len(texts) + 31) // 32
        self.handle = ctypes.c_void_p(checked(LIBRARY.token_trie_new, list, ctypes.c_size_t(len(texts)), len(texts)))


TRIE = Trie(VOCABULARY)


class Grammar:
    def __init__(self, schema):
        text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
        self.schema = text
        self.handle = ctypes.c_void_p(checked(LIBRARY.grammar_new, text))

    def __del__(self):
        if hasattr(self, "handle"):
            LIBRARY.grammar_free(self.handle)


class Matcher:
    def __init__(self, grammar, text=b""):
        self.grammar = grammar
        self.handle = ctypes.c_void_p(checked(LIBRARY.matcher_new, grammar.handle, TRIE.handle))
        self.accept(text)

    def __del__(self):
        LIBRARY.matcher_free(self.handle)

    def mask(self):
        bits = numpy.zeros(TRIE.words, numpy.uint32)
        checked(LIBRARY.matcher_mask, self.handle, bits.ctypes.data_as(ctypes.c_void_p))
        return numpy.unpackbits(bits.view(numpy.uint8), bitorder="little")[: len(VOCABULARY)].astype(bool)

    def accept(self, text):
        checked(LIBRARY.matcher_accept, self.handle, text, ctypes.c_size_t(len(text)))

    may_end = property(lambda self: LIBRARY.matcher_may_end(self.handle))
    must_end = property(lambda self: LIBRARY.matcher_must_end(self.handle))


def allows(grammar, text):
    """All of a text, as far as it goes."""
    try:
        return Matcher(grammar, text)
    except llm.Failure as failure:
        assert "the schema forbids" in str(failure)
        return None


def random_schemas(random, count):
    """Those that have a value that ends; the others are refused."""
    found = 0
    while found < count:
        schema = random_root(random)
        try:
            yield schema, Grammar(schema)
            found += 1
        except llm.Failure as failure:
            reasons = ("no value that ends", "leads back to itself", "leave no", "minItems", "is required")
            assert any(reason in str(failure) for reason in reasons), failure


CLOSERS = numpy.array([text[:1] in b'"]}' or text in (b"e}", b"0") for text in VOCABULARY])


def walk(random, matcher, most=300):
    """A text by tokens drawn from the masks, more and more of them such as close something."""
    text = b""
    for step in range(most):
        if matcher.must_end or (matcher.may_end and random.random() < 0.5):
            return text, True
        mask = matcher.mask()
        assert mask.any(), f"no token goes on with {text} by {matcher.grammar.schema}"
        closers = mask & CLOSERS
        if closers.any() and random.random() < step / 40:
            mask = closers
        token = VOCABULARY[int(random.choice(numpy.flatnonzero(mask)))]
        matcher.accept(token)
        text += token
    return text, False


def test_what_is_written_is_valid(random):
    whole = 0
    for schema, grammar in random_schemas(random, MANY):
        text, ended = walk(random, Matcher(grammar))
        if ended:
            assert is_valid(parse(text), schema, schema), f"{text} by {json.dumps(schema)}"
        whole += ended
    assert whole > MANY / 2


def test_what_is_valid_is_let_through(random):
    tried = 0
    for schema, grammar in random_schemas(random, MANY):
        try:
            value = value_of(random, schema, schema)
        except NoValue:
            continue
        assert is_valid(value, schema, schema)
        listed = any(word in json.dumps(schema) for word in ("enum", "const"))  # such values are without spaces
        text = write(random, value, [""] if listed else ["", " "]).encode()
        matcher = allows(grammar, text)
        assert matcher and matcher.may_end, f"{text} by {json.dumps(schema)}"
        tried += 1
    assert tried > MANY / 4


def test_masks(random):
    """Against a matcher of its own for each token."""
    for schema, grammar in random_schemas(random, MANY // 10):
        text, _ = walk(random, Matcher(grammar), int(random.integers(1, 60)))
        cut = len(text) and int(random.integers(len(text)))
        mask = Matcher(grammar, text[:cut]).mask()
        expected = [allows(grammar, text[:cut] + token) is not None for token in VOCABULARY]
        assert mask.tolist() == expected, f"{text[:cut]} by {json.dumps(schema)}"
