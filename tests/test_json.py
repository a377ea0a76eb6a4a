"""JSON by a schema (src/grammar/): what a matcher lets through is valid, what is valid in its form is let through, and
its masks are the same as those of a matcher that is asked token by token."""

import ctypes
import json
import os
import threading

import numpy
import pytest

import llm
import models
from json_schemas import NoValue, is_valid, parse, random_root, value_of, write
from library import SLOW_DEVICES, Error, load
from llm import LLM
from models import Config
from test_cli import fail, run

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
PIECES += [
    "the",
    " and",
    "\\n",
    '\\"',
    "\\u00",
    "1",
    "12",
    "-1",
    "0.",
    "e5",
    "name",
    'name":',
    "é",
    "日",
    "🙂",
    "\n",
    "a" * 40,
]
VOCABULARY = [bytes([byte]) for byte in range(256)] + [piece.encode() for piece in PIECES if len(piece.encode()) > 1]


class Trie:
    def __init__(self, texts):
        self.buffers = [ctypes.create_string_buffer(text, len(text)) for text in texts]  # a NUL is a byte, too
        list = (Text * len(texts))(
            *(
                Text(ctypes.cast(buffer, ctypes.c_char_p), len(text), i)
                for i, (buffer, text) in enumerate(zip(self.buffers, texts))
            )
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


# --- refused ---

NESTED = {"type": "null"}
for _ in range(300):
    NESTED = {"items": NESTED}
LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}}}
ENDLESS_PART = {"$ref": "#/$defs/endless"}
ENDLESS_DEFS = {"endless": {"properties": {"next": ENDLESS_PART}, "required": ["next"]}}
ENDLESS = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}


@pytest.mark.parametrize(
    "schema, reason",
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"{} {}", "is no JSON"),
        (b'{"title": "\xff"}', "is not UTF-8"),
        (b'{"const": "a\\u0000b"}', "has a NUL"),
        (b'{"type": "string", "type": "null"}', '"type" is there twice'),
        (b'{"properties": {"a": {}, "a": {}}}', '"a" is there twice'),
        (b'{"const": 1e999}', "beyond 2^53"),
        (b"[" * 60000, "is no JSON"),
        (b'{"title": "' + b"x" * 70000 + b'"}', "more than 65536 bytes"),
        ({"anyOf": [{"type": "null"}] * 5000}, "more than 65536 bytes"),
        ({"prefixItems": [{}] * 5000}, "more than 4096 parts"),
        (
            {"anyOf": [{"minLength": n} for n in range(65)]},
            '"anyOf" can have at most 64 alternatives here, and one has 65',
        ),
        (NESTED, '"items" is within more than 256 other schemas'),
        (False, "is no schema"),
        (3, "is no schema"),
        ({"pattern": "a*"}, '"pattern" is not known here'),
        ({"items": {"oneOf": []}}, '"oneOf" is not known here'),
        ({"properties": {"a": {"format": "date"}}}, '"format" is not known here'),
        ({"type": "text"}, '"type" is object, array'),
        ({"type": []}, '"type" is object, array'),
        ({"anyOf": [], "title": "none"}, '"anyOf" is a list of schemas'),
        ({"anyOf": [{}], "type": "string"}, '"anyOf" cannot stand beside other keywords'),
        ({"$ref": "#", "minItems": 1}, '"$ref" cannot stand beside other keywords'),
        ({"allOf": [{}, {}]}, '"allOf" can have one schema here'),
        ({"enum": [1], "minimum": 0}, '"enum" can stand beside "type" alone'),
        ({"enum": ["a"], "type": "integer"}, '"enum" has no value of the type'),
        ({"enum": []}, '"enum" has no value'),
        ({"$ref": "other.json"}, "can only be within the schema"),
        ({"$ref": "#/$defs/none"}, '"#/$defs/none" is nowhere in it'),
        ({"anyOf": [{}, {"$ref": "#/anyOf/none"}]}, '"#/anyOf/none" is nowhere in it'),
        ({"enum": [1e300], "type": "integer"}, "beyond 2^53"),
        ({"minLength": -1}, '"minLength" is a whole number'),
        ({"minLength": 5000}, '"minLength" is more than 4096'),
        ({"minItems": 3, "maxItems": 2}, '"minItems" is more than the most'),
        ({"prefixItems": [{}], "items": False, "minItems": 2}, '"minItems" is more than there are items'),
        ({"items": [{}]}, "prefixItems"),
        ({"type": "integer", "minimum": 3.1, "maximum": 3.9}, "leave no integer"),
        ({"type": "number", "exclusiveMinimum": 2, "maximum": 2}, "leave no number"),
        ({"properties": {}, "required": ["a"]}, '"a" is required, but'),
        ({"required": [1]}, '"required" is a list of names'),
        ({"properties": {"a": False}, "additionalProperties": True}, "is no schema"),
        (LOOP, "leads back to itself"),
        (ENDLESS, "no value that ends"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(schema, reason):
    with pytest.raises(llm.Failure) as failure:
        Grammar(schema)
    assert failure.value.status == llm.ARGUMENT and reason in str(failure.value)


@pytest.mark.parametrize(
    "schema, allowed, refused",
    [
        ({"type": "integer", "minimum": -5, "maximum": 12}, "-5 -1 0 9 10 12", "-6 -0 00 13 1.0 1e1 - 100"),
        ({"type": "integer", "exclusiveMinimum": 99, "maximum": 1000}, "100 999 1000", "99 1001 12"),
        (
            {"type": "number", "minimum": 0.5, "maximum": 1},
            "0.5 0.75 1 1.0 0.999999",
            "0.4 0.499999 1.1 1.000001 0.5e0 2",
        ),
        ({"type": "number", "maximum": -0.1}, "-0.1 -0.100 -7", "0 -0.09 1"),
        ({"type": "number"}, "0 -0 1e5 -1.5E-10 12.0", "01 .5 1. +1 1e 1e123"),
        ({"enum": [1, 12, "a", None, 1.0]}, '1 12 "a" null', '2 123 "b" nul'),
        ({"const": 0.1 + 0.2}, "0.30000000000000004", "0.3"),
        ({"type": ["boolean", "null"]}, "true false null", '1 ""'),
        ({"type": "string", "maxLength": 2}, '"" "é🙂" "\\u00e9\\n"', '"abc" "\\ud800" "\\x" "\n"'),
        ({"items": {"type": "integer"}, "maxItems": 2}, "[] [1] [1,2]", "[1,2,3] [,] [1,]"),
        ({"prefixItems": [True, {"type": "null"}]}, "[] [{}] [7,null]", "[7,8] [7,null,1]"),
        ({"properties": {"a": ENDLESS_PART, "b": True}, "$defs": ENDLESS_DEFS}, '{} {"b":1}', '{"a":1} {"a":{}}'),
        ({"required": ["a"]}, '{"a":1} {"a":[],"b":{}}', '{} {"b":1} {"a":1,"a":2} {"a":1,"b":2,"b":3}'),
        (
            {"properties": {"a": {"type": "null"}, "ab": True}},
            '{} {"a":null} {"ab":3} {"a":null,"ab":3}',
            '{"b":1} {"ab":3,"a":null} {"a":1}',
        ),
        (
            {"properties": {"a": True}, "additionalProperties": {"type": "null"}},
            '{"b":null} {"a":1,"b":null} {"aa":null}',
            '{"a":1,"b":2} {"b":null,"a":null}',
        ),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_by_hand(schema, allowed, refused):
    grammar = Grammar(schema)
    for text in allowed.split(" "):
        matcher = allows(grammar, text.encode())
        assert matcher and matcher.may_end, text
    for text in refused.split(" "):
        matcher = allows(grammar, text.encode())
        assert not (matcher and matcher.may_end), text


def test_what_has_no_value_is_left_out():
    """Its key does not begin, either."""
    schema = {"properties": {"a": ENDLESS_PART}, "$defs": ENDLESS_DEFS}
    assert not allows(Grammar(schema), b'{"') and allows(Grammar(schema), b"{}").must_end


def test_alternatives_of_alternatives():
    """Forty times twice the same are one."""
    twice = lambda n: {"anyOf": [{"$ref": f"#/$defs/{n}"}] * 2}
    grammar = Grammar({**twice(0), "$defs": {**{str(n): twice(n + 1) for n in range(40)}, "40": {"type": "null"}}})
    assert allows(grammar, b"null").must_end


@pytest.mark.parametrize("text", ["", "a", "é日", "abcdefgh" * 5])
def test_lengths(text, random):
    """Of strings that have room for some tokens alone, by one schema or several, and of keys beside them."""
    for _ in range(5):
        lengths = [{"minLength": int(n), "maxLength": int(n + more)} for n, more in random.integers(0, 60, (3, 2))]
        grammar = Grammar({"items": {"anyOf": [{"type": "string", **length} for length in lengths]}})
        begun = ('["' + text).encode()
        if allows(grammar, begun):
            expected = [allows(grammar, begun + token) is not None for token in VOCABULARY]
            assert Matcher(grammar, begun).mask().tolist() == expected, lengths


def test_items_by_several_schemas():
    """Each number is by both: the ways to read them do not become more with each."""
    grammar = Grammar(
        {"items": {"anyOf": [{"type": "integer"}, {"type": "number"}, {"enum": [1, 2]}, {"type": "string"}]}}
    )
    text = b"[" + b"1," * 500
    assert allows(grammar, text + b'"a",1]').must_end and not allows(grammar, text + b"null")


def test_levels():
    """Nothing is deeper than what parsers take."""
    grammar = Grammar({"items": {"$ref": "#"}})
    assert allows(grammar, b"[" * 64 + b"]" * 64).must_end
    assert not allows(grammar, b"[" * 65)


# --- by a model ---

CONFIG = Config(layers=1, heads=2, channels=32, context=400, vocabulary=300)
TOKENIZER = models.small_tokenizer(300)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
                   "tags": {"type": "array", "items": {"enum": ["red", "reddish", "blue"]}, "maxItems": 3}},
    "required": ["name", "age", "tags"],
}  # fmt: skip


@pytest.fixture
def path(random, tmp_path):
    return models.write_gguf(tmp_path / "json.gguf", CONFIG, models.random_gpt2(CONFIG, random), tokenizer=TOKENIZER)


def check_text(model, ids, schema=PERSON):
    value = parse(model.decode(ids))
    assert is_valid(value, schema, schema)
    return value


@pytest.mark.stand_in
def test_a_model_writes_json(device_name, path):
    """Greedy and at random, rows of unlike lengths; each ends when its object does."""
    schema = json.dumps(PERSON).encode()
    samplers = [{}, {"temperature": 1.5, "seed": 3}, {"temperature": 5.0, "top_k": 7, "typical_p": 0.9}]
    with LLM(path, device=device_name, batch=3) as model:
        for options in samplers[:1] if device_name in SLOW_DEVICES else samplers:
            rows = model.generate_batch([[1], [1, 2, 3], [4, 5]], 200, json_schema=schema, **options)
            assert model.ends == ["json"] * 3
            for ids in rows:
                check_text(model, ids)


def test_beside_others(path):
    """Texts that are free are what they are without it, in other threads."""
    with LLM(path, device="cpu", sessions=4) as model:
        expected = model.generate([7, 8], 90, ignore_end=True)
        found = {}

        def work(n):
            if n % 2:
                found[n] = model.generate([7, 8], 90, ignore_end=True)
            else:
                session = model.session([1 + n])
                found[n] = session.generate(200, json_schema=json.dumps(PERSON).encode(), temperature=1.0, seed=n)
                session.close()

        threads = [threading.Thread(target=work, args=[n]) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n in range(6):
            if n % 2:
                assert found[n] == expected
            else:
                check_text(model, found[n])


def test_the_end(path):
    """Of a number the model decides, unless it can have no more digits, or there is no such token."""
    END = TOKENIZER.end_of_text
    with LLM(path, device="cpu") as model:
        one = lambda schema, count=50, **options: model.generate(
            [1], count, json_schema=json.dumps(schema).encode(), **options
        )
        likely = {"logit_bias": [(END, 1000.0)]}
        assert len(model.decode(one({"type": "integer", "minimum": 1}, **likely))) == 1 and model.ends == ["token"]
        assert len(model.decode(one({"type": "integer", "minimum": 10**14}, **likely))) == 15
        assert model.ends == ["json"]
        one({"type": "integer", "minimum": 1}, ignore_end=True)
        assert model.ends == ["json"]
        assert one({"const": "a long text that is cut"}, 3) and model.ends == ["count"]
        assert one({"const": True}, stops=[b"u"]) and model.ends == ["stop"]
        with pytest.raises(llm.Failure, match="without those that logit_bias forbids, has no token that the JSON"):
            braces = [id for id, text in enumerate(models.token_bytes(TOKENIZER)) if text.startswith(b"{")]
            one({"type": "object"}, logit_bias=[(id, -numpy.inf) for id in braces])
        with pytest.raises(llm.Failure, match='"pattern" is not known here'):
            one({"pattern": "a"})


def test_without_a_tokenizer(random, tmp_path):
    tensors = models.random_gpt2(CONFIG, random)
    with LLM(models.write_gguf(tmp_path / "bare.gguf", CONFIG, tensors), device="cpu") as model:
        with pytest.raises(llm.Failure, match="no tokenizer, which JSON needs"):
            model.generate([1], 5, json_schema=b"{}")


def test_run(path, tmp_path):
    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON))
    result = run("run", path, "a", "--json-schema", file, "--device", "cpu", "-n", 300)
    assert is_valid(parse(result.out[1:-1]), PERSON, PERSON) and "ended    the JSON is whole" in result.err
    result = run("run", path, "a", "--json-object", "--device", "cpu", "-n", 4)
    assert result.out.startswith(b"a{")
    assert ("the JSON is whole" if result.out == b"a{}\n" else "after 4 tokens") in result.err
    file.write_text('{"oneOf": []}')
    assert '"oneOf" is not known here' in fail("run", path, "a", "--json-schema", file, code=2)
    assert "none.json: cannot be read" in fail("run", path, "a", "--json-schema", tmp_path / "none.json")
