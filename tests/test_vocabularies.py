"""The vocabularies of Llama 3, Qwen, SmolLM2 and Mistral against tokenizers and sentencepiece: 300 texts
each, 10,000 with LONG=1. They are fetched once; a test whose data cannot be had is skipped."""

import ctypes
import functools
import json
import os
import subprocess
import time

import pytest
import tokenizers

import library
import models
import vocabularies
from library import Error
from test_tokenizer import (
    Tokenizer,
    TokenizerError,
    call,
    functions,
    printable,
    random_text,
    small_json,
)

COUNT = 10_000 if os.environ.get("LONG") else 300
NO_BEGIN, PLAIN_TEXT = 1, 2  # LLMEncodeFlags

# A few lines of each of many scripts, as people write them.
SENTENCES = [
    "The quick brown fox can't jump over 12345 lazy dogs; they'll've WON'T 3.14159!\n\n",
    "def f(x):\n    return {'a': [1, 2, 3][x], \"b\": x**2}  # \ttab\r\n\r\n\r\n",
    "Größe, naïve café, Ünïcödé; e\u0301a\u0308 o\u0302\u0323; \u1e9b\u0323 ﬁ ſs K's 'ſ ",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. ",
    "Γαζέες καὶ μυρτιὲς δὲν θὰ βρῶ πιὰ στὸ χρυσαφὶ ξέφωτο ",
    "نص عربي مع تشكيلٌ وأرقام ٠١٢٣٤٥ و١٢٣٬٤٥٦ ",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה ",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा १२३४५ ",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า ๑๒๓๔ ",
    "我能吞下玻璃而不伤身体。１２３４５，測試文字。",
    "いろはにほへと ちりぬるを、カタカナ。",
    "키스의 고유조건은 입술끼리 만나야 하고 \u1112\u1161\u11ab\u1100\u1173\u11af ",
    "Tiếng Việt có dấu: Nguyễn Thị Hồng Hạnh ở Đà Nẵng ",
    "ქართული ანბანი, Հայերեն այբուբեն, አማርኛ ፩፪፫ ",
    "👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ∑∫√ ½ⅷ Ⅻ 𝕳𝖊𝖑𝖑𝖔 𐍈 \U0001f9ff ",
    "\u2581under\u2581 \u2581\u2581 space \u00a0\u2003\u3000\u180e\u200b\ufeff ",
]


def random_sentence(random):
    """Parts of sentences, spaces and newlines between them, some of them several times over."""
    parts = []
    for _ in range(int(random.integers(1, 6))):
        text = SENTENCES[random.integers(len(SENTENCES))]
        start = int(random.integers(len(text)))
        parts.append(text[start : start + int(random.integers(1, 60))])
        parts.append(str(random.choice(["", "", " ", "  ", "\n", "\n\n", "\t", " \n "])))
    return "".join(parts)


def texts(random, count=COUNT):
    for i in range(count):
        yield random_sentence(random) if i % 2 else random_text(random, 60)


def reference_of(content):
    return tokenizers.Tokenizer.from_str(json.dumps(content))


def compare(tokenizer, encode, random, round_trip=True, missing=frozenset()):
    """Equal ids for every text; one with a byte that has no token is refused, and says so."""
    for text in texts(random):
        if missing & {*text.encode()}:
            with pytest.raises(TokenizerError, match="no token for byte 0x"):
                tokenizer.encode(text)
            continue
        ids = tokenizer.encode(text)
        assert ids == encode(text), repr(text)
        if round_trip:
            assert decode(tokenizer, ids) == text.encode(), repr(text)


def decode(tokenizer, ids):
    """tokenizer_decode: without what begins a text."""
    decode, free = functions().tokenizer_decode, functions().llm_free
    decode.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    size, array = ctypes.c_size_t(), (ctypes.c_uint32 * len(ids))(*ids)
    decode.argtypes = [ctypes.c_void_p, type(array), ctypes.c_size_t, *[ctypes.c_void_p] * 2]
    text = call("tokenizer_decode", tokenizer.handle, array, len(ids), ctypes.byref(size))
    try:
        return ctypes.string_at(text, size.value)
    finally:
        free(text)


def parse(content):
    size = 1 + max(content["model"]["vocab"].values())
    return Tokenizer.parse({"tokenizer.json": content}, size)


class FileMap(ctypes.Structure):
    """Of src/checkpoint/file_map.h."""

    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


def open_gguf(path):
    """The tokenizer of a GGUF file."""
    data = path.read_bytes()
    file, error = ctypes.create_string_buffer(4096), Error()  # more than a GGUFFile
    functions().gguf_open.argtypes = [ctypes.c_void_p, FileMap, ctypes.c_char_p, ctypes.c_void_p]
    functions().gguf_open.restype = ctypes.c_bool
    functions().tokenizer_from_gguf.restype = ctypes.c_void_p
    name = os.fsencode(path)
    opened = functions().gguf_open(file, FileMap(data, len(data)), name, ctypes.byref(error))
    assert opened, error.message
    tokenizer = Tokenizer(call("tokenizer_from_gguf", file))
    functions().gguf_close(file)
    return tokenizer


BYTE_LEVEL = {
    "llama3": vocabularies.llama3,
    "qwen": vocabularies.qwen,
    "tekken": vocabularies.tekken,
    "smollm2": lambda letters: vocabularies.smollm2()[1],
}


@functools.cache
def byte_level(name):
    content = BYTE_LEVEL[name](printable)
    return content, parse(content), reference_of(content)


def missing_bytes(content):
    return {byte for byte in range(256) if printable(bytes([byte])) not in content["model"]["vocab"]}


@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_byte_level(name, random):
    content, tokenizer, reference = byte_level(name)
    missing = missing_bytes(content)
    assert (name == "smollm2") == (len(missing) > 0)
    encode = lambda text: reference.encode(text).ids
    compare(tokenizer, encode, random, name != "qwen", missing)


def test_smollm2_gguf(random):
    path, content = vocabularies.smollm2()
    tokenizer, reference = open_gguf(path), reference_of(content)
    encode = lambda text: reference.encode(text).ids
    compare(tokenizer, encode, random, missing=missing_bytes(content))


MODELS = ["tokenizer.model.v1", "mistral_instruct_tokenizer_240323.model.v3"]


@functools.cache
def processor_of(name):
    return vocabularies.sentencepiece_model(name)


@pytest.mark.parametrize("name", MODELS)
def test_sentencepiece(name, random, tmp_path):
    """Control tokens are plain text there, and a text does not begin with one by itself."""
    processor = processor_of(name)
    path = vocabularies.write_sentencepiece_gguf(tmp_path / "model.gguf", processor)
    tokenizer = open_gguf(path)
    for text in texts(random):
        ids = tokenizer.encode(text, PLAIN_TEXT)
        assert ids == [processor.bos_id(), *processor.encode(text)], repr(text)
        assert tokenizer.encode(text, NO_BEGIN | PLAIN_TEXT) == ids[1:]


SPACES = {
    "normalizer": {},
    "always": {"normalizer": None, "pre_tokenizer": vocabularies.metaspace("always", False)},
    "first": {"normalizer": None, "pre_tokenizer": vocabularies.metaspace("first", False)},
    "never": {"normalizer": None, "pre_tokenizer": vocabularies.metaspace("never", False)},
    "split": {"normalizer": None, "pre_tokenizer": vocabularies.metaspace("first", True)},
}


@pytest.mark.parametrize("spaces", SPACES)
def test_byte_fallback(spaces, random):
    content = vocabularies.byte_fallback_json(processor_of(MODELS[0]), **SPACES[spaces])
    tokenizer, reference = parse(content), reference_of(content)
    compare(tokenizer, lambda text: reference.encode(text).ids, random, False)
    for text in ["a</s> b</s>c", "</s>", " </s> <s>", "<unk> <unk>x", ""]:
        assert tokenizer.encode(text) == reference.encode(text).ids, repr(text)


LONG_TEXTS = [
    "a",
    " ",
    "\n",
    "\u0301",
    "\u0315\u0300\u0300",
    "ab",
    "é",
    "世",
    "\u2581",
    "1",
    "A",
    "'",
    "!",
    "\U0001f600",
]


@pytest.mark.parametrize("name", [*BYTE_LEVEL, "sentencepiece"])
def test_a_megabyte_takes_time_in_proportion(name, random, tmp_path):
    """Whatever the bytes: of one character, of words, of random bytes. A tenth of a second, or a few
    under a sanitizer; with the square of the length it would be hours."""
    if name == "sentencepiece":
        path = tmp_path / "model.gguf"
        tokenizer = open_gguf(vocabularies.write_sentencepiece_gguf(path, processor_of(MODELS[0])))
    else:
        _, tokenizer, _ = byte_level(name)
    size, sentence = 1 << 20, "".join(SENTENCES)
    words = sentence * (size // len(sentence.encode()))
    marks = "".join(map(chr, random.integers(0x300, 0x370, size // 2)))
    samples = [unit * (size // len(unit.encode())) for unit in LONG_TEXTS]
    if name != "smollm2":  # which has no token for some bytes
        samples.append(random.bytes(size))
    for text in [*samples, words, "a" + marks, random.bytes(size // 2).hex()]:
        start = time.process_time()
        ids = tokenizer.encode(text)
        seconds = time.process_time() - start
        assert seconds < 20, (text[:4], seconds)
        assert ids


# --- through convert ---


def pieces_json(**changes):
    """A small SentencePiece vocabulary with all bytes."""
    pieces = [vocabularies.MARK, *"abc", "ab", vocabularies.MARK + "a", vocabularies.MARK + "ab"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    merges = [["a", "b"], [vocabularies.MARK, "a"], [vocabularies.MARK + "a", "b"]]
    merges.append([vocabularies.MARK, "ab"])
    vocabulary = {token: id for id, token in enumerate(tokens)}
    specials = [vocabularies.added(name, id) for id, name in enumerate(tokens[:3])]
    options = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    return vocabularies.tokenizer_json(vocabulary, merges, None, specials, **options, **changes)


def with_flags():
    content = small_json()
    for name, flags in {"<m>": {"lstrip": True}, "<e>": {"rstrip": True}, "a<": {}, "b<": {}}.items():
        record = vocabularies.added(name, 267 + len(content["added_tokens"]), **flags)
        record.update(normalized=name == "a<", special=name != "b<")
        content["added_tokens"].append(record)
    return content


def changed(**changes):
    content = small_json()
    model = {name: changes.pop(name) for name in ["ignore_merges"] if name in changes}
    content.update(changes)
    content["model"].update(model)
    return content


def steps(*parts):
    return {"type": "Sequence", "pretokenizers": [*parts]}


NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": vocabularies.MARK},
        {"type": "Replace", "pattern": {"String": " "}, "content": vocabularies.MARK},
    ],
}
CONVERTED = {
    "gpt2": small_json,
    "flags": with_flags,
    "llama3": lambda: changed(
        ignore_merges=True,
        pre_tokenizer=steps(*vocabularies.split(vocabularies.LLAMA3_PATTERN)),
        post_processor=vocabularies.template("<|endoftext|>", 266),
    ),
    "qwen2": lambda: changed(
        normalizer={"type": "NFC"},
        pre_tokenizer=steps(*vocabularies.split(vocabularies.QWEN2_PATTERN)),
    ),
    "pieces": lambda: pieces_json(normalizer=NORMALIZER),
    "metaspace": lambda: pieces_json(
        pre_tokenizer=vocabularies.metaspace("always", False),
        post_processor=vocabularies.template("<s>", 1),
    ),
    "metaspace first": lambda: pieces_json(pre_tokenizer=vocabularies.metaspace("first", False)),
    "never": lambda: pieces_json(pre_tokenizer=vocabularies.metaspace("never", False)),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_convert_keeps_the_tokenizer(name, random, tmp_path):
    """A text has the same ids before and after."""
    content = CONVERTED[name]()
    ids = [*content["model"]["vocab"].values(), *(token["id"] for token in content["added_tokens"])]
    config = models.Config(layers=1, heads=1, channels=32, context=8, vocabulary=max(ids) + 1)
    folder = models.write_huggingface(tmp_path / "model", config, models.random_gpt2(config, random))
    (folder / "tokenizer.json").write_text(json.dumps(content))
    command = [library.COMMAND, "convert", folder, tmp_path / "out.gguf"]
    subprocess.run(command, check=True, capture_output=True)
    before = Tokenizer.parse({"tokenizer.json": content}, config.vocabulary)
    after = open_gguf(tmp_path / "out.gguf")
    parts = ["<m>", "<e>", "a<", "b<", " ", "  ", "a", "b", "the", "12", "\n", "é", "e\u0301", "</s>"]
    for _ in range(200):
        text = "".join(random.choice(parts, 10))
        for flags in [0, NO_BEGIN, PLAIN_TEXT]:
            assert before.encode(text, flags) == after.encode(text, flags), repr(text)
