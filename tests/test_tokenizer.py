"""The tokenizer against Hugging Face tokenizers, and against every damaged file we can think of."""

import concurrent.futures
import ctypes
import functools
import json
import pathlib
import struct
import subprocess
import time

import pytest
import tokenizers

import library as library_module

GPT2 = pathlib.Path(__file__).parent / "data" / "gpt2_tokenizer"
VOCABULARY = 50257
END_OF_TEXT = 50256
NONE = 2**32 - 1
ARGUMENT, FILE, FORMAT = 1, 2, 3  # LLMStatus
PRINTABLE, BYTES, PIECE, BYTE, SPECIAL = range(5)  # TokenText
FILES = [  # the order of the enum in from_folder.h
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
]


# --- the library, as Python ---


class File(ctypes.Structure):
    """TokenizerFile of src/tokenizer/from_folder.h."""

    _fields_ = [("present", ctypes.c_bool), ("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class SplitStep(ctypes.Structure):
    """Of src/tokenizer/split.h."""

    _fields_ = [
        ("pattern", ctypes.c_char_p),
        ("literal", ctypes.c_bool),
        ("behaviour", ctypes.c_int),
        ("invert", ctypes.c_bool),
    ]


class TokenizerError(Exception):
    def __init__(self, error):
        self.status, self.message = error.status, error.message.decode(errors="replace")
        super().__init__(self.message)


@functools.cache
def functions():
    """The library's functions with their types; each raises TokenizerError where it sets one."""
    library = library_module.load()
    pointer, size, u32, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_char_p
    tokens = ctypes.POINTER(library_module.Tokens)
    error = ctypes.POINTER(library_module.Error)
    signatures = {
        "tokenizer_new": (pointer, [u32, error]),
        "tokenizer_add_token": (ctypes.c_bool, [pointer, u32, text, size, ctypes.c_int, error]),
        "tokenizer_add_merge": (ctypes.c_bool, [pointer, text, size, error]),
        "tokenizer_derive_merges": (ctypes.c_bool, [pointer, u32, error]),
        "tokenizer_set_end_of_text": (ctypes.c_bool, [pointer, u32, error]),
        "tokenizer_finish": (ctypes.c_bool, [pointer, error]),
        "tokenizer_free": (None, [pointer]),
        "tokenizer_open_folder": (pointer, [text, u32, error]),
        "tokenizer_open_llmc": (pointer, [text, error]),
        "tokenizer_parse_folder": (pointer, [ctypes.POINTER(File), u32, error]),
        "tokenizer_parse_llmc": (pointer, [text, size, error]),
        "tokenizer_encodes": (ctypes.c_bool, [pointer]),
        "tokenizer_vocabulary": (u32, [pointer]),
        "tokenizer_end_of_text": (u32, [pointer]),
        "tokenizer_encode": (ctypes.c_bool, [pointer, text, size, u32, tokens, error]),
        "tokenizer_bytes": (pointer, [pointer, u32, ctypes.POINTER(size)]),
        "split_new": (pointer, [ctypes.POINTER(SplitStep), u32, error]),
        "split_free": (None, [pointer]),
        "split_text": (ctypes.c_bool, [pointer, text, size, pointer, pointer, error]),
        "llm_tokens_free": (None, [tokens]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def call(name, *arguments):
    """Call a function whose last parameter is an LLMError, which is checked."""
    error = library_module.Error()
    result = getattr(functions(), name)(*arguments, ctypes.byref(error))
    if error.status:
        assert not result
        assert error.message and b"\n" not in error.message
        raise TokenizerError(error)
    assert result
    return result


class Tokenizer:
    def __init__(self, handle):
        self.handle, self.free = handle, functions().tokenizer_free
        self.encodes = functions().tokenizer_encodes(handle)
        self.vocabulary = functions().tokenizer_vocabulary(handle)
        self.end_of_text = functions().tokenizer_end_of_text(handle)

    @classmethod
    def open(cls, folder, vocabulary=VOCABULARY):
        return cls(call("tokenizer_open_folder", str(folder).encode(), vocabulary))

    @classmethod
    def parse(cls, files, vocabulary=VOCABULARY):
        """A Hugging Face folder as a dict of file contents (bytes, or what JSON is made of)."""
        array = (File * len(FILES))()
        for i, name in enumerate(FILES):
            if name in files:
                data = files[name]
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                array[i] = File(True, data, len(data))
        return cls(call("tokenizer_parse_folder", array, vocabulary))

    @classmethod
    def parse_llmc(cls, data):
        return cls(call("tokenizer_parse_llmc", data, len(data)))

    def __del__(self):
        self.free(self.handle)

    def encode(self, text, flags=0):
        text = text.encode() if isinstance(text, str) else text
        tokens = library_module.Tokens()
        try:
            call("tokenizer_encode", self.handle, text, len(text), flags, ctypes.byref(tokens))
            return tokens.ids[: tokens.count]
        finally:
            functions().llm_tokens_free(ctypes.byref(tokens))

    def token(self, id):
        size = ctypes.c_size_t()
        pointer = functions().tokenizer_bytes(self.handle, id, ctypes.byref(size))
        return None if pointer is None else ctypes.string_at(pointer, size.value)

    def decode(self, ids):
        return b"".join(map(self.token, ids))


GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
ISOLATED, REMOVED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS = range(5)


def split(text, *steps):
    """The pieces of a text, each as bytes; `steps` are GPT-2's unless they are given as (pattern,
    whether it is literal, behaviour, invert)."""
    steps = steps or [(GPT2_PATTERN, False, ISOLATED, False)]
    array = (SplitStep * len(steps))(*((step[0].encode(), *step[1:]) for step in steps))
    pieces = []
    callback_type = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    callback = callback_type(lambda user, piece, size: pieces.append(ctypes.string_at(piece, size)) or True)
    handle = call("split_new", array, len(steps))
    call("split_text", handle, text, len(text), ctypes.cast(callback, ctypes.c_void_p), None)
    functions().split_free(handle)
    return pieces


# --- vocabularies ---


@functools.cache
def letters():
    """GPT-2's printable letter of each byte (openai/gpt-2, src/encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable}
    table.update({byte: chr(256 + i) for i, byte in enumerate(rest)})
    return table


def printable(data):
    return "".join(letters()[byte] for byte in data)


@functools.cache
def gpt2():
    return Tokenizer.open(GPT2)


@functools.cache
def gpt2_reference():
    reference = tokenizers.Tokenizer(
        tokenizers.models.BPE.from_file(str(GPT2 / "vocab.json"), str(GPT2 / "merges.txt"))
    )
    reference.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    reference.add_special_tokens(["<|endoftext|>"])
    return reference


@functools.cache
def gpt2_tokens():
    """The bytes of GPT-2's tokens by id."""
    byte_of = {letter: byte for byte, letter in letters().items()}
    vocabulary = json.loads((GPT2 / "vocab.json").read_text(encoding="utf-8"))
    return [bytes(map(byte_of.get, token)) for token in sorted(vocabulary, key=vocabulary.get)]


def llmc_file(tokens, version=2, end_of_text=END_OF_TEXT, magic=20240328, count=None):
    count = len(tokens) if count is None else count
    header = struct.pack("<4I", magic, version, count, end_of_text if version > 1 else 0)
    return header.ljust(1024, b"\0") + b"".join(bytes([len(t)]) + t for t in tokens)


MERGES = ["t h", "th e", "Ġ the", "i n", "in g", "Ġ Ġ", "ĠĠ ĠĠ", "a a", "aa aa", "Ã ©"]


def small_model(merges=MERGES):
    """(token → id, merges) of the 256 bytes and what the merges make of them."""
    tokens = [*letters().values(), *(merge.replace(" ", "") for merge in merges)]
    return {token: id for id, token in enumerate(tokens)}, merges


def small_folder():
    """vocab.json and merges.txt with <|endoftext|>."""
    vocabulary, merges = small_model()
    vocabulary["<|endoftext|>"] = len(vocabulary)
    return {
        "vocab.json": vocabulary,
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]).encode(),
    }


def small_json():
    """A tokenizer.json with <|endoftext|>."""
    vocabulary, merges = small_model()
    end_of_text = len(vocabulary)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    added = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": end_of_text, "content": "<|endoftext|>", **added, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "post_processor": {**byte_level, "use_regex": True},
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def parse_small_json(change=lambda json: None, **files):
    content = small_json()
    change(content)
    return Tokenizer.parse({"tokenizer.json": content, **files}, 1000)


# --- texts ---

WHITE_SPACE = [
    9,
    10,
    11,
    12,
    13,
    32,
    32,
    32,
    32,
    0x85,
    0xA0,
    0x1680,
    0x2003,
    0x2028,
    0x202F,
    0x3000,
]
ALMOST_WHITE_SPACE = [0x1C, 0x1D, 0x1E, 0x1F, 0x180E, 0x200B, 0x200C, 0x2060, 0xFEFF, 0, 8, 0x7F]
WORDS = [
    "the",
    " The",
    "ing",
    "'s",
    "'t",
    "'re",
    "'ve",
    "'m",
    "'ll",
    "'d",
    "'S",
    "''",
    " 's",
    "!!",
    "=====",
    "\r\n",
    "é",
    "e\u0301",
    "ﬁ",
    "ß",
    "İ",
    "ⅷ",
    "½",
    "٣",
    "世界",
    "한국어",
    "กำ",
    "नमस्ते",
    "👩‍👩‍👧",
    "🇩🇪",
    "👍🏽",
    "\u202e",
    "<|endoftext|>",
    "<|endoftext",
    "|>",
    "<|",
    "SolidGoldMagikarp",
    "\ufffd",
]


def random_character(random):
    kind = random.integers(8)
    if kind == 0:
        return chr(random.choice(WHITE_SPACE))
    if kind == 1:
        return chr(random.choice(ALMOST_WHITE_SPACE))
    if kind == 2:
        return str(random.choice(WORDS))
    if kind == 3:
        return chr(random.integers(0x30, 0x3A))
    if kind == 4:
        code = int(random.integers(0x110000))
    elif kind == 5:
        code = int(random.integers(0x3000))
    else:
        code = int(random.integers(0x20, 0x7F))
    return "?" if 0xD800 <= code < 0xE000 else chr(code)


def random_text(random, longest=300):
    """Characters of all kinds, some of them several times over."""
    count = int(random.integers(longest))
    runs = random.geometric(0.7, count)
    return "".join(random_character(random) * int(run) for run in runs)


# --- exactness ---


def test_gpt2_folder():
    tokenizer = gpt2()
    assert tokenizer.encodes
    assert tokenizer.vocabulary == VOCABULARY
    assert tokenizer.end_of_text == END_OF_TEXT
    assert tokenizer.token(END_OF_TEXT) == b"<|endoftext|>"
    assert tokenizer.encode("The meaning of life is") == [464, 3616, 286, 1204, 318]
    assert [tokenizer.token(id) for id in range(VOCABULARY)] == gpt2_tokens()
    assert tokenizer.token(VOCABULARY) is None
    assert tokenizer.token(NONE) is None


def test_every_character_splits_as_the_reference():
    """Next to a letter, a digit, a symbol and a space, each character shows its class."""
    reference = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    assigned = [*range(0xD800), *range(0xE000, 0x33480), *range(0xE0000, 0xE0200), 0x10FFFF]
    for start in range(0, len(assigned), 5000):
        characters = map(chr, assigned[start : start + 5000])
        text = "".join(f"a{c}1{c}#{c} {c}\n" for c in characters)
        expected = [text[begin:end].encode() for _, (begin, end) in reference.pre_tokenize_str(text)]
        assert split(text.encode()) == expected


def test_random_text(random):
    for _ in range(300):
        text = random_text(random)
        ids = gpt2().encode(text)
        assert ids == gpt2_reference().encode(text).ids, repr(text)
        assert gpt2().decode(ids) == text.encode()


@pytest.mark.parametrize("unit", [*WORDS, "a", " ", "\n", "\t ", " a", "A1", "\u3000", "\u180e", "'"])
def test_long_runs(unit):
    """One piece of 100,000 characters would take minutes if merging were quadratic."""
    for tail in ["", "x", " x"]:
        text = unit * (100_000 // len(unit)) + tail
        ids = gpt2().encode(text)
        assert ids == gpt2_reference().encode(text).ids
        assert gpt2().decode(ids) == text.encode()


def test_long_random_word(random):
    for low, high in [(97, 123), (48, 58), (0x4E00, 0x9FA5)]:
        text = "".join(map(chr, random.integers(low, high, 50_000)))
        assert gpt2().encode(text) == gpt2_reference().encode(text).ids


def test_random_bytes_come_back(random):
    for size in [0, 1, 2, 3, 10, 100, 1000, 100_000]:
        data = random.bytes(size)
        assert gpt2().decode(gpt2().encode(data)) == data
    for byte in range(256):
        assert gpt2().decode(gpt2().encode(bytes([byte]))) == bytes([byte])


INVALID = [
    b"\x80",
    b"\xbf\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc3",
    b"\xe2\x80",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x91",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff\xff\xff",
]


@pytest.mark.parametrize("invalid", INVALID)
def test_invalid_utf8_is_a_piece_of_its_own(invalid, random):
    """What is before and after it is encoded as two texts."""
    with pytest.raises(UnicodeDecodeError):
        invalid.decode()
    assert split(b"!" + invalid + b"!") == [b"!", invalid, b"!"]
    for _ in range(5):
        before = random_text(random, 20) + str(random.choice(["", "a ", "  ", "1"]))
        after = str(random.choice(["", " a", "  ", "1"])) + random_text(random, 20)
        encode = lambda text: gpt2_reference().encode(text).ids
        expected = encode(before) + gpt2().encode(invalid) + encode(after)
        data = before.encode() + invalid + after.encode()
        assert gpt2().encode(data) == expected
        assert gpt2().decode(expected) == data


def test_utf8_is_what_python_decodes(random):
    """Around the limits of UTF-8, a piece is either valid or a run of bytes none of which is."""
    edges = [
        0x00,
        0x41,
        0x7F,
        0x80,
        0x8F,
        0x90,
        0x9F,
        0xA0,
        0xBF,
        0xC0,
        0xC2,
        0xDF,
        0xE0,
        0xE1,
        0xED,
        0xEE,
        0xEF,
        0xF0,
        0xF1,
        0xF4,
        0xF5,
        0xFF,
    ]
    for _ in range(3000):
        data = bytes(random.choice(edges, int(random.integers(1, 12))).tolist())
        pieces = split(data)
        assert b"".join(pieces) == data
        valid = [piece for piece in pieces if piece.decode(errors="ignore")]
        assert "".join(piece.decode() for piece in valid) == data.decode(errors="ignore")


def test_nul_bytes():
    text = "a\0b \0\0 c\0"
    assert gpt2().encode(text) == gpt2_reference().encode(text).ids


def test_empty_text():
    assert gpt2().encode("") == []


def test_encoding_appends():
    tokens = library_module.Tokens()
    for text in [b"The meaning", b" of life"]:
        call("tokenizer_encode", gpt2().handle, text, len(text), 0, ctypes.byref(tokens))
    assert tokens.ids[: tokens.count] == [464, 3616, 286, 1204]
    functions().llm_tokens_free(ctypes.byref(tokens))


def test_threads_share_a_tokenizer(random):
    texts = [random_text(random, 3000) for _ in range(32)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(gpt2().encode, texts))
    assert results == [gpt2_reference().encode(text).ids for text in texts]


def train(random, special):
    """A tokenizer of a random vocabulary, by the reference."""
    alphabet = [random_character(random) for _ in range(12)]
    texts = ["".join(random.choice(alphabet, 200)) for _ in range(20)]
    reference = tokenizers.Tokenizer(tokenizers.models.BPE())
    reference.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    reference.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=int(random.integers(270, 1200)),  # some merges beside 256 bytes and the special
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    reference.train_from_iterator(texts, trainer)
    return reference, alphabet


@pytest.mark.parametrize("trial", range(10))
def test_trained_tokenizer_json(trial, random, tmp_path):
    reference, alphabet = train(random, ["<|endoftext|>", "<日本>", "[two words]"])
    reference.save(str(tmp_path / "tokenizer.json"))
    count = reference.get_vocab_size()
    tokenizer = Tokenizer.open(tmp_path, count)
    assert tokenizer.end_of_text == 0
    alphabet += ["<|endoftext|>", "<日本>", "[two words]", " [two words] "]
    for _ in range(50):
        text = "".join(random.choice(alphabet, 60))
        ids = tokenizer.encode(text)
        assert ids == reference.encode(text).ids, repr(text)
        assert tokenizer.decode(ids) == text.encode()

    content = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in content["model"]["merges"]]
    for merges in [pairs, [" ".join(pair) for pair in pairs]]:
        content["model"]["merges"] = merges
        same = Tokenizer.parse({"tokenizer.json": content}, count)
        assert same.encode(text) == ids

    vocabulary = content["model"]["vocab"]
    merges = "".join(" ".join(pair) + "\r\n" for pair in pairs).encode()
    if pairs:
        files = {"vocab.json": vocabulary, "merges.txt": merges}
        names = {"additional_special_tokens": ["<日本>", "[two words]"]}
        same = Tokenizer.parse({**files, "special_tokens_map.json": names}, count)
        assert same.encode(text) == ids


# --- special tokens ---


def test_special_tokens_in_text():
    text = "a<|endoftext|><|endoftext|> b<|endoftext"
    ids = gpt2().encode(text)
    assert ids == gpt2_reference().encode(text).ids
    assert ids[:3] == [64, END_OF_TEXT, END_OF_TEXT]


ADDED = ["<x>", "<x><y>", "<y>", "<x", "x><", "y", "the", "the end", "日é", "<mask>"]


def add_tokens(content, tokens):
    """Tokens as {text: flags}. The reference numbers them itself: let it find the same ids."""
    vocabulary = content["model"]["vocab"]
    vocabulary.setdefault("<|endoftext|>", len(vocabulary))
    for text, flags in tokens.items():
        id = vocabulary.setdefault(text, len(vocabulary))
        content["added_tokens"].append({"id": id, "content": text, "single_word": False, **flags})


def check_added_tokens(random, tokens):
    content = small_json()
    add_tokens(content, tokens)
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 1000)
    reference = tokenizers.Tokenizer.from_str(json.dumps(content))
    pieces = [
        *ADDED,
        " ",
        "  ",
        "\u3000",
        "\u2003 ",
        "a",
        "x",
        "<",
        ">",
        "t",
        "he",
        "\t",
        "\n",
        "é",
    ]
    for _ in range(100):
        text = "".join(random.choice(pieces, 30))
        assert tokenizer.encode(text) == reference.encode(text).ids, repr(text)


@pytest.mark.parametrize("trial", range(20))
def test_added_tokens_and_their_flags(trial, random):
    """Tokens that are prefixes of each other, overlap, and take white space along."""
    names = ["lstrip", "rstrip", "normalized", "special"]
    flags = lambda: {name: bool(random.integers(2)) for name in names}
    check_added_tokens(random, {text: flags() for text in ADDED if random.integers(2)})


@pytest.mark.parametrize("special", [False, True])
def test_added_white_space(special, random):
    """A token of the same bytes as one of the vocabulary's."""
    flags = {"lstrip": False, "rstrip": False, "normalized": not special, "special": special}
    check_added_tokens(random, dict.fromkeys(["\n", "  ", "<x>"], flags))


def test_every_white_space_is_taken_along():
    """Unicode's White_Space, and nothing else of the basic plane."""
    content = small_json()
    flags = {"lstrip": True, "rstrip": True, "normalized": False, "special": True}
    add_tokens(content, {"<x>": flags})
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 300)
    reference = tokenizers.Tokenizer.from_str(json.dumps(content))
    for code in [*range(0x3100), 0xFEFF, 0xFFFD]:
        text = f"a{chr(code)}<x>{chr(code)}b"
        assert tokenizer.encode(text) == reference.encode(text).ids, hex(code)


def test_white_space_taken_along_is_taken_once():
    """Where the reference counts it twice, or panics."""
    content = small_json()
    flags = {"lstrip": False, "normalized": False, "special": False}
    add_tokens(content, {"<x>": {**flags, "rstrip": True}, "\n": {**flags, "rstrip": False}})
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 300)
    added = content["model"]["vocab"]["<x>"]
    assert tokenizer.encode("<x> \n<x>\n\n") == [added, added]


def test_added_token_that_is_a_byte_letter():
    """As text it is two bytes, in the vocabulary one: no id can be both."""

    def change(content):
        id = content["model"]["vocab"]["é"]
        content["added_tokens"].append({"id": id, "content": "é"})

    tokenizer = parse_small_json(change)
    assert tokenizer.decode(tokenizer.encode("aé")) == "aé".encode()
    with pytest.raises(TokenizerError, match="byte 0xE9"):
        tokenizer.encode(b"\xe9")


def test_added_token_without_text():
    parse_small_json(lambda content: content["added_tokens"].append({"id": 900, "content": ""}))


def test_end_of_text_by_name():
    """eos_token names it; a folder without one has <|endoftext|>."""
    files = small_folder()
    end = files["vocab.json"]["<|endoftext|>"]
    assert Tokenizer.parse(files, 300).end_of_text == end
    assert parse_small_json().end_of_text == end
    record = {"content": "<end>", "lstrip": False, "rstrip": False, "single_word": False}
    for name in ["<end>", record]:
        for file in ["special_tokens_map.json", "tokenizer_config.json"]:
            more = {"added_tokens.json": {"<end>": 299}, file: {"eos_token": name}}
            tokenizer = Tokenizer.parse({**files, **more}, 300)
            assert tokenizer.end_of_text == 299
            assert tokenizer.encode("a<end>") == [files["vocab.json"]["a"], 299]
    del files["vocab.json"]["<|endoftext|>"]
    assert Tokenizer.parse(files, 300).end_of_text == NONE


@pytest.mark.parametrize("begins", [None, False, True])
@pytest.mark.parametrize("ends", [None, False, True])
@pytest.mark.parametrize("named", [False, True])
def test_what_a_text_is_framed_with(begins, ends, named):
    """As transformers 5.24 does it: without tokenizer.json the options decide, with it its post-processor
    does, whatever they say."""
    options = {"add_bos_token": begins, "add_eos_token": ends}
    options = {name: value for name, value in options.items() if value is not None}
    if named:
        options |= {"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "Qwen2Tokenizer"}
    old = small_folder() | {"added_tokens.json": {"<s>": 298, "</s>": 299}, "tokenizer_config.json": options}
    end = old["vocab.json"]["<|endoftext|>"]
    begin_and_end = (298, 299) if named else (end, end)
    a = old["vocab.json"]["a"]
    expected = [begin_and_end[0]] * bool(begins) + [a] + [begin_and_end[1]] * bool(ends)
    assert Tokenizer.parse(old, 300).encode("a") == expected

    ignored = {name: value for name, value in options.items() if name.startswith("add_")}
    new = {"tokenizer.json": small_json(), "tokenizer_config.json": ignored}
    assert Tokenizer.parse(new, 300).encode("a") == [a]
    special = {"id": "<|endoftext|>", "ids": [end], "tokens": ["<|endoftext|>"]}
    sequence = [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    new["tokenizer.json"]["post_processor"] = {
        "type": "TemplateProcessing", "single": sequence, "pair": sequence,
        "special_tokens": {"<|endoftext|>": special},
    }  # fmt: skip
    assert Tokenizer.parse(new, 300).encode("a") == [end, a]


def test_added_tokens_of_every_file():
    files = small_folder()
    files["added_tokens.json"] = {"<a>": 290, "<b>": 291}
    files["special_tokens_map.json"] = {"pad_token": "<a>", "additional_special_tokens": ["<b>"]}
    files["tokenizer_config.json"] = {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "bos_token": "<|endoftext|>",
        "added_tokens_decoder": {
            "290": {"content": "<a>", "lstrip": True},
            "292": {"content": "<c>", "rstrip": True},
        },
    }
    tokenizer = Tokenizer.parse(files, 300)
    ids = tokenizer.encode("x <a> <b> <c> x")
    x, space = files["vocab.json"]["x"], files["vocab.json"]["Ġ"]
    assert ids == [x, 290, space, 291, space, 292, x]
    assert tokenizer.token(299) == b""


# --- what tokenizer.json may say ---


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": parts}


END = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [END, {"Sequence": {"id": "A", "type_id": 0}}, END, END],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [266], "tokens": ["<|endoftext|>"]}},
}
HONOURED = {
    "unk_token": lambda c: c["model"].update(unk_token="<|endoftext|>"),
    "fuse_unk": lambda c: c["model"].update(fuse_unk=True),
    "byte_fallback": lambda c: c["model"].update(byte_fallback=True),
    "dropout 0": lambda c: c["model"].update(dropout=0.0),
    "no model type": lambda c: c["model"].pop("type"),
    "null affixes": lambda c: c["model"].update(continuing_subword_prefix=None, end_of_word_suffix=None),
    "truncation": lambda c: c.update(
        truncation={"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    ),
    "no post-processor": lambda c: c.update(post_processor=None),
    "plain template": lambda c: c.update(
        post_processor={
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {},
        }
    ),
    "a sequence of one": lambda c: c.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [c["pre_tokenizer"]]}),
    "no use_regex": lambda c: c["pre_tokenizer"].pop("use_regex"),
    "use_regex false": lambda c: c["pre_tokenizer"].update(use_regex=False),
    "ignore_merges": lambda c: c["model"].update(ignore_merges=True),
    "NFC": lambda c: c.update(normalizer={"type": "NFC"}),
    "digits": lambda c: c.update(
        pre_tokenizer=sequence({"type": "Digits", "individual_digits": False}, c["pre_tokenizer"])
    ),
    "single digits": lambda c: c.update(
        pre_tokenizer=sequence({"type": "Digits", "individual_digits": True}, c["pre_tokenizer"])
    ),
    "beginning": lambda c: c.update(post_processor=TEMPLATE),
    "beginning after ByteLevel": lambda c: c.update(
        post_processor={"type": "Sequence", "processors": [c["post_processor"], TEMPLATE]}
    ),
}


@pytest.mark.parametrize("option", HONOURED)
def test_honoured_options(option, random):
    content = small_json()
    HONOURED[option](content)
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 300)
    reference = tokenizers.Tokenizer.from_str(json.dumps(content))
    reference.no_truncation()
    for _ in range(20):
        text = random_text(random, 50)
        assert tokenizer.encode(text) == reference.encode(text).ids


REFUSED = {
    "model": lambda c: c["model"].update(type="WordPiece"),
    "dropout": lambda c: c["model"].update(dropout=0.1),
    "continuing_subword_prefix": lambda c: c["model"].update(continuing_subword_prefix="##"),
    "end_of_word_suffix": lambda c: c["model"].update(end_of_word_suffix="</w>"),
    "add_prefix_space": lambda c: c["pre_tokenizer"].update(add_prefix_space=True),
    'pre_tokenizer "Whitespace"': lambda c: c["pre_tokenizer"].update(type="Whitespace"),
    'pre_tokenizer ""': lambda c: c.update(pre_tokenizer=None),
    'pre_tokenizer after "ByteLevel"': lambda c: c.update(
        pre_tokenizer=sequence(c["pre_tokenizer"], {"type": "Digits"})
    ),
    'pre_tokenizer Split by "a+"': lambda c: c.update(
        pre_tokenizer=sequence(
            {"type": "Split", "pattern": {"Regex": "a+"}, "behavior": "Isolated"},
            c["pre_tokenizer"],
        )
    ),
    'normalizer "NFKC"': lambda c: c.update(normalizer={"type": "NFKC"}),
    'normalizer "Lowercase"': lambda c: c.update(
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    ),
    'decoder "WordPiece"': lambda c: c.update(decoder={"type": "WordPiece"}),
    'post_processor "TemplateProcessing"': lambda c: c.update(post_processor={**TEMPLATE, "single": [END]}),
    'post_processor "RobertaProcessing"': lambda c: c.update(
        post_processor={"type": "Sequence", "processors": [{"type": "RobertaProcessing"}]}
    ),
    "single_word": lambda c: c["added_tokens"][0].update(single_word=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_options_are_named(name):
    with pytest.raises(TokenizerError) as caught:
        parse_small_json(REFUSED[name])
    assert caught.value.status == FORMAT
    assert name in caught.value.message
    assert "not supported" in caught.value.message
    assert caught.value.message.startswith("tokenizer.json: ")


@pytest.mark.parametrize(
    "option",
    [
        {"add_prefix_space": True},
        {"add_bos_token": True, "bos_token": ""},
        {"add_bos_token": True, "tokenizer_class": "Qwen2Tokenizer"},  # which has none of its own
        {"tokenizer_class": "CTRLTokenizer"},
    ],
)
def test_refused_configuration(option):
    name = next(iter(option))
    with pytest.raises(TokenizerError, match=f"tokenizer_config.json: {name} .* not supported"):
        Tokenizer.parse({**small_folder(), "tokenizer_config.json": option}, 300)


# --- llm.c ---


@pytest.mark.parametrize("version", [1, 2])
def test_llmc_gpt2(version, random, tmp_path):
    path = tmp_path / "gpt2_tokenizer.bin"
    path.write_bytes(llmc_file(gpt2_tokens(), version))
    tokenizer = Tokenizer(call("tokenizer_open_llmc", str(path).encode()))
    assert tokenizer.encodes
    assert tokenizer.vocabulary == VOCABULARY
    assert tokenizer.end_of_text == END_OF_TEXT
    assert [tokenizer.token(id) for id in range(VOCABULARY)] == gpt2_tokens()
    for _ in range(100):
        text = random_text(random)
        assert tokenizer.encode(text) == gpt2_reference().encode(text).ids


def test_llmc_of_another_vocabulary_decodes_only():
    tokens = [*gpt2_tokens()]
    tokens[1000], tokens[1001] = tokens[1001], tokens[1000]
    for data in [
        llmc_file(tokens),
        llmc_file(gpt2_tokens(), end_of_text=50255),
        llmc_file(gpt2_tokens()[:1000], end_of_text=999),
    ]:
        tokenizer = Tokenizer.parse_llmc(data)
        assert not tokenizer.encodes
        assert tokenizer.decode([464]) == b"The"
        with pytest.raises(TokenizerError, match="only decodes"):
            tokenizer.encode("The")


def small_llmc():
    return llmc_file([bytes([b]) for b in range(256)] + [b"th", b"", b"<eot>"], end_of_text=258)


def test_llmc_truncated_anywhere():
    data = small_llmc()
    assert Tokenizer.parse_llmc(data).end_of_text == 258
    for size in range(len(data)):
        with pytest.raises(TokenizerError) as caught:
            Tokenizer.parse_llmc(data[:size])
        assert caught.value.status == FORMAT


@pytest.mark.parametrize(
    "data, message",
    [
        (llmc_file([b"a", b"b"], magic=20240326, end_of_text=0), "magic"),
        (llmc_file([b"a", b"b"], version=3, end_of_text=0), "version 3"),
        (llmc_file([b"a", b"b"], version=0, end_of_text=0), "version 0"),
        (llmc_file([b"a", b"b"], end_of_text=2), "end-of-text token, id 2,"),
        (llmc_file([b"a", b"b"], end_of_text=NONE), "end-of-text token"),
        (llmc_file([b"a", b"b"], version=1), "end-of-text token, id 50256"),
        (llmc_file([b"a", b"b"], end_of_text=0, count=0), "0 tokens"),
        (llmc_file([b"a", b"b"], end_of_text=0, count=1), "2 bytes too many"),
        (llmc_file([b"a", b"b"], end_of_text=0, count=3), "cut off in token 2 of 3"),
        (llmc_file([b"a", b"b"], end_of_text=0, count=NONE), "too short"),
        (llmc_file([b"a", b"b", b"b"], end_of_text=0), "tokens 1 and 2 are both"),
        (b"", "cut off"),
    ],
)
def test_llmc_malformed(data, message):
    with pytest.raises(TokenizerError, match=message) as caught:
        Tokenizer.parse_llmc(data)
    assert caught.value.status == FORMAT


# --- damaged files ---


def survives(parse, *arguments):
    """Either a tokenizer that works, or one clear line (which `call` looks at)."""
    try:
        tokenizer = parse(*arguments)
    except TokenizerError as error:
        assert error.status in (FORMAT, FILE)
        return
    text = b"the thing \xff<|endoftext|>  aaaa"
    if tokenizer.encodes:
        try:
            tokenizer.decode(tokenizer.encode(text))
        except TokenizerError as error:
            assert "no token for byte" in error.message and error.status == ARGUMENT


def test_flipped_bytes(random):
    llmc, folder = small_llmc(), small_folder()
    files = {
        name: data if isinstance(data, bytes) else json.dumps(data).encode()
        for name, data in {**folder, "tokenizer.json": small_json()}.items()
    }

    def flip(data):
        data = bytearray(data)
        for _ in range(int(random.integers(1, 4))):
            data[random.integers(len(data))] = random.integers(256)
        return bytes(data)

    for _ in range(1000):
        survives(Tokenizer.parse_llmc, flip(llmc))
        survives(Tokenizer.parse, {"tokenizer.json": flip(files["tokenizer.json"])}, 300)
        pair = {name: flip(files[name]) for name in ["vocab.json", "merges.txt"]}
        survives(Tokenizer.parse, {**pair, "vocab.json": files["vocab.json"]}, 300)
        survives(Tokenizer.parse, {**pair, "merges.txt": files["merges.txt"]}, 300)


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json"])
def test_json_truncated_anywhere(name):
    files = {**small_folder(), "tokenizer.json": small_json()}
    data = json.dumps(files[name]).encode()
    rest = {"merges.txt": files["merges.txt"]}
    for size in range(len(data)):
        with pytest.raises(TokenizerError, match=f"{name}: ") as caught:
            Tokenizer.parse({**rest, name: data[:size]}, 300)
        assert caught.value.status == FORMAT


def test_merges_truncated_anywhere():
    """Cut at the end of a line, it is a shorter list; elsewhere, mostly an error."""
    files = small_folder()
    refused = 0
    for size in range(len(files["merges.txt"])):
        try:
            Tokenizer.parse({**files, "merges.txt": files["merges.txt"][:size]}, 300)
        except TokenizerError as error:
            assert error.message.startswith("merges.txt: ")
            refused += 1
    assert refused > len(files["merges.txt"]) / 3


VOCAB_DAMAGE = {
    "two tokens have id 5": lambda v: v.update({"ab": 5}),
    "has id 300, but the model has only 300 tokens": lambda v: v.update({"ab": 300}),
    'the id of token "ab" is not a whole number': lambda v: v.update({"ab": -1}),
    '"ab" is not a whole': lambda v: v.update({"ab": 1.5}),
    '"ab" is not a whole number': lambda v: v.update({"ab": 1e300}),
    'token "ab" is not': lambda v: v.update({"ab": "7"}),
    'of token "ab" is not': lambda v: v.update({"ab": None}),
    'id of token "ab" is not': lambda v: v.update({"ab": [1]}),
    "not in GPT-2's byte-level alphabet": lambda v: v.update({"a b": 299}),
    '"日", is not in GPT-2\'s byte-level alphabet': lambda v: v.update({"日": 299}),
    'merge 1, "t h": its left part is not': lambda v: v.pop("t"),
    'merge 1, "t h": its right part is not': lambda v: v.pop("h"),
    'merge 2, "th e": the two joined are not': lambda v: v.pop("the"),
}


@pytest.mark.parametrize("message", VOCAB_DAMAGE)
def test_damaged_vocabulary(message):
    files, single = small_folder(), small_json()
    VOCAB_DAMAGE[message](files["vocab.json"])
    VOCAB_DAMAGE[message](single["model"]["vocab"])
    for parse in [files, {"tokenizer.json": single}]:
        with pytest.raises(TokenizerError) as caught:
            Tokenizer.parse(parse, 300)
        assert message in caught.value.message


@pytest.mark.parametrize(
    "merges, message",
    [
        (b"", "no merges"),
        (b"#version: 0.2\n", "no merges"),
        (b"t h\nt h\n", "merges 1 and 2 join the same two tokens"),
        (b"th\n", 'merge 1, "th", is not two tokens'),
        (b" \n", "left part"),
        (b"t  h\n", "right part"),
        (b"t h e\n", "right part"),
        (b"t h\nth \xff\n", "right part"),
        (b"t h\n\x00\n", "merge 2"),
    ],
)
def test_damaged_merges(merges, message):
    with pytest.raises(TokenizerError, match=f"merges.txt: .*{message}"):
        Tokenizer.parse({**small_folder(), "merges.txt": merges}, 300)


@pytest.mark.parametrize("merges", [None, {}, "t h", 5, [5], [["t"]], [["t", 5]], [["t", "h", "e"]], [[]]])
def test_merges_of_the_wrong_type(merges):
    with pytest.raises(TokenizerError, match="merge"):
        parse_small_json(lambda content: content["model"].update(merges=merges))


JSON_DAMAGE = [
    b"",
    b" ",
    b"{",
    b"[]",
    b"5",
    b'"x"',
    b"null",
    b"{}x",
    b"{}\0",
    b'{"a": "\\u0000"}',
    b"\xff\xfe{",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"model": {"vocab": {}, "merges": []}}',
]


@pytest.mark.parametrize("data", JSON_DAMAGE, ids=range(len(JSON_DAMAGE)))
@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_not_json(name, data):
    files = small_folder()
    if name == "tokenizer.json" or data != JSON_DAMAGE[-1]:
        files[name] = data
        with pytest.raises(TokenizerError, match=f"{name}: "):
            Tokenizer.parse(files, 300)


def members(value, path=()):
    """The path of every value in a JSON document, but few of the vocabulary."""
    yield path
    if isinstance(value, dict):
        for key in [*value][:3] + [*value][3:40:7] if len(value) > 40 else value:
            yield from members(value[key], (*path, key))
    if isinstance(value, list):
        for i in range(min(len(value), 2)):
            yield from members(value[i], (*path, i))


def test_wrong_types_everywhere():
    """Each value in turn replaced by one of every other type: no crash, and one line."""
    config = {
        "eos_token": "<|endoftext|>",
        "pad_token": {"content": "<|endoftext|>"},
        "additional_special_tokens": ["<|endoftext|>"],
        "added_tokens_decoder": {"266": {"content": "<|endoftext|>", "lstrip": False}},
        "tokenizer_class": "GPT2Tokenizer",
    }
    documents = {
        "tokenizer.json": small_json(),
        "tokenizer_config.json": config,
        "special_tokens_map.json": config,
        "added_tokens.json": {"<|endoftext|>": 266},
    }
    assert Tokenizer.parse(documents, 300).end_of_text == 266
    for name, document in documents.items():
        for path in members(document):
            for wrong in [None, True, -1, 1e308, 2**53, "", "x", [], [1], {}, {"x": 1}]:
                if not path:
                    damaged = wrong
                else:
                    damaged = json.loads(json.dumps(document))
                    parent = functools.reduce(lambda value, key: value[key], path[:-1], damaged)
                    parent[path[-1]] = wrong
                survives(Tokenizer.parse, {**documents, name: damaged}, 300)


def test_ids_that_disagree():
    files = {**small_folder(), "added_tokens.json": {"<|endoftext|>": 299}}
    with pytest.raises(TokenizerError, match='"<|endoftext|>" has two ids, 299 and 266'):
        Tokenizer.parse(files, 300)


@pytest.mark.parametrize("file", ["special_tokens_map.json", "tokenizer_config.json"])
def test_special_token_without_id(file):
    with pytest.raises(TokenizerError, match='special token "<pad>" has no id'):
        Tokenizer.parse({**small_folder(), file: {"pad_token": "<pad>"}}, 300)


@pytest.mark.parametrize("id", ["x", "", "-1", "99999999999999999999", "1x"])
def test_added_tokens_decoder_with_bad_id(id):
    config = {"added_tokens_decoder": {id: {"content": "<a>"}}}
    with pytest.raises(TokenizerError, match="tokenizer_config.json: .*where an id is due"):
        Tokenizer.parse({**small_folder(), "tokenizer_config.json": config}, 300)


def test_duplicate_json_keys():
    files = small_folder()
    text = json.dumps(files["vocab.json"])
    files["vocab.json"] = (text[:-1] + ', "A": 290}').encode()
    with pytest.raises(TokenizerError, match='and 290 are both "A"'):
        Tokenizer.parse(files, 300)


def test_missing_files(tmp_path):
    def refused(message):
        with pytest.raises(TokenizerError, match=message) as caught:
            Tokenizer.open(tmp_path)
        assert caught.value.status == FILE
        assert str(tmp_path) in caught.value.message

    refused("vocab.json: missing")
    (tmp_path / "vocab.json").write_bytes((GPT2 / "vocab.json").read_bytes())
    refused("merges.txt: missing")
    (tmp_path / "merges.txt").mkdir()
    refused("merges.txt: not a regular file")
    (tmp_path / "merges.txt").rmdir()
    (tmp_path / "merges.txt").write_bytes((GPT2 / "merges.txt").read_bytes())
    assert Tokenizer.open(tmp_path).encodes
    with pytest.raises(TokenizerError, match="absent.bin: cannot be opened"):
        call("tokenizer_open_llmc", str(tmp_path / "absent.bin").encode())
    with pytest.raises(TokenizerError, match="vocab.json: not a tokenizer of llm.c"):
        call("tokenizer_open_llmc", str(tmp_path / "vocab.json").encode())


def test_vocabulary_smaller_than_the_files():
    with pytest.raises(TokenizerError, match="the model has only 50000 tokens"):
        Tokenizer.open(GPT2, 50000)
    assert Tokenizer.open(GPT2, 0).vocabulary == VOCABULARY
    padded = Tokenizer.open(GPT2, 50304)
    assert padded.vocabulary == 50304
    assert padded.token(50300) == b""


def test_hostile_names_stay_on_one_line():
    files = small_folder()
    files["added_tokens.json"] = {"\n\x1b[31m" * 200: 1e9}
    with pytest.raises(TokenizerError) as caught:
        Tokenizer.parse(files, 300)
    assert caught.value.message.isprintable()


# --- the builder ---


class Builder:
    def __init__(self, vocabulary):
        self.handle = call("tokenizer_new", vocabulary)

    def add(self, id, text, kind=BYTES):
        call("tokenizer_add_token", self.handle, id, text, len(text), kind)

    def merge(self, text):
        call("tokenizer_add_merge", self.handle, text, len(text))

    def finish(self):
        call("tokenizer_finish", self.handle)
        handle, self.handle = self.handle, None
        return Tokenizer(handle)

    def __del__(self):
        functions().tokenizer_free(getattr(self, "handle", None))


def test_builder():
    builder = Builder(300)
    for byte in range(256):
        if byte % 2:
            builder.add(byte, bytes([byte]))
        else:
            builder.add(byte, letters()[byte].encode(), PRINTABLE)
    builder.add(256, b" a")
    builder.add(257, "日<|é|>".encode(), SPECIAL)
    builder.merge("Ġ a".encode())
    call("tokenizer_set_end_of_text", builder.handle, 257)
    tokenizer = builder.finish()
    assert tokenizer.end_of_text == 257
    assert tokenizer.encode("x a日<|é|> a") == [ord("x"), 256, 257, 256]
    assert tokenizer.decode([256, 257]) == " a日<|é|>".encode()


def test_special_and_ordinary_token_with_the_same_text(random):
    """The ordinary one keeps its part in merges, in whatever order they come."""
    for order in [(257, 10), (10, 257)]:
        builder = Builder(300)
        for id in order:
            builder.add(id, b"\n", SPECIAL if id == 257 else BYTES)
        for byte in range(256):
            if byte != 10:
                builder.add(byte, bytes([byte]))
        builder.add(256, b"\n\n")
        builder.merge("Ċ Ċ".encode())
        call("tokenizer_finish", builder.handle)
        with pytest.raises(TokenizerError, match="merges 1 and 2"):
            builder.merge("Ċ Ċ".encode())
    builder = Builder(3)
    builder.add(0, b"<a>", SPECIAL)
    builder.add(2, b"<a>", SPECIAL)
    with pytest.raises(TokenizerError, match="special tokens . and . have the same text"):
        call("tokenizer_finish", builder.handle)


def test_builder_without_merges_decodes_only():
    builder = Builder(3)
    builder.add(0, b"ab")
    builder.add(2, b"")
    tokenizer = builder.finish()
    assert not tokenizer.encodes
    assert [tokenizer.token(id) for id in range(4)] == [b"ab", b"", b"", None]
    assert tokenizer.end_of_text == NONE


def test_builder_errors():
    builder = Builder(5)
    builder.add(0, b"a")
    for id, text, kind, message in [
        (0, b"b", BYTES, "two tokens have id 0"),
        (5, b"b", BYTES, "only 5 tokens"),
        (NONE, b"b", SPECIAL, "only 5 tokens"),
        (1, b"a", BYTES, "tokens 0 and 1 are both"),
        (1, b"a b", PRINTABLE, "alphabet"),
        (1, b"\xff", PRINTABLE, "alphabet"),
        (1, "\u0144".encode(), PRINTABLE, "alphabet"),
        (1, "\u00ad".encode(), PRINTABLE, "alphabet"),
    ]:
        with pytest.raises(TokenizerError, match=message):
            builder.add(id, text, kind)
    with pytest.raises(TokenizerError, match="end-of-text token, id 1,"):
        call("tokenizer_set_end_of_text", builder.handle, 1)
    with pytest.raises(TokenizerError, match="its right part is not"):
        builder.merge(b"a b")
    builder.add(1, b"b")
    with pytest.raises(TokenizerError, match="the two joined are not"):
        builder.merge(b"a b")
    builder.add(2, b"ab")
    builder.merge(b"a b")
    tokenizer = builder.finish()
    assert tokenizer.encode("ab") == [2]
    for text, byte in [(b"a\0", "0x00"), ("aé".encode(), "0xC3")]:
        with pytest.raises(TokenizerError, match=f"no token for byte {byte}") as caught:
            tokenizer.encode(text)
        assert caught.value.status == ARGUMENT


def test_derived_merges_are_gpt2s():
    """From the bytes of the tokens alone, the merges of merges.txt."""
    builder = Builder(VOCABULARY)
    for id, token in enumerate(gpt2_tokens()):
        builder.add(id, token)
    call("tokenizer_derive_merges", builder.handle, 50000)
    lines = (GPT2 / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines[:: len(lines) // 500]:
        with pytest.raises(TokenizerError, match=f"merges {lines.index(line) + 1} and 50001"):
            builder.merge(line.encode())


@pytest.mark.parametrize("token", [b"abcd", b"", None])
def test_merges_that_cannot_be_derived(token):
    builder = Builder(300)
    for byte in range(256):
        builder.add(byte, bytes([byte]))
    builder.add(256, b"ab")
    if token is not None:
        builder.add(257, token)
    with pytest.raises(TokenizerError, match="merge 2 cannot be told"):
        call("tokenizer_derive_merges", builder.handle, 2)


# --- hostile sizes ---


def test_many_special_tokens_and_a_text_of_their_beginnings():
    """100,000 of them, and one that every place of the text begins but none ends."""
    content = small_json()
    flags = {"normalized": False, "special": True}
    names = [f"<{i}>" for i in range(50_000)] + ["a" * 50_000 + "b", "aaa"]
    for i, name in enumerate(names):
        content["added_tokens"].append({"id": 300 + i, "content": name, **flags})
    start = time.process_time()
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 300 + len(names))
    assert tokenizer.encode("a" * 300_000) == [300 + len(names) - 1] * 100_000
    assert tokenizer.encode("a" * 59_999 + "b") == [300 + len(names) - 1] * 3_333 + [300 + len(names) - 2]
    assert time.process_time() - start < 30  # a second; hours, were each name tried at each place


@pytest.mark.parametrize(
    "data, message",
    [
        (b'{"a": [' + b"0," * 5_000_000 + b"0]}", "more than 4194304 values"),
        (b'{"a": "' + b"x" * (65 << 20) + b'"}', "no tokenizer has more than 67108864"),
    ],
)
def test_size_of_json_is_limited(data, message):
    with pytest.raises(TokenizerError, match=f"tokenizer.json: .*{message}"):
        Tokenizer.parse({"tokenizer.json": data}, 300)


def test_more_tokens_than_the_model():
    """A special token that was added without resizing the model has its id all the same."""
    content = small_json()
    content["added_tokens"].append({"id": 267, "content": "[PAD]", "special": True})
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 267)
    assert tokenizer.vocabulary == 268
    assert tokenizer.encode("a[PAD]") == [content["model"]["vocab"]["a"], 267]
    content["added_tokens"][-1]["id"] = 2**31
    with pytest.raises(TokenizerError, match="id 2147483648, but the model has only 267"):
        Tokenizer.parse({"tokenizer.json": content}, 267)


PLAIN_TEXT = 2  # LLMEncodeFlags


def test_plain_text():
    """Control tokens are text then; those that are text anyway are found."""
    content = small_json()
    content["added_tokens"].append({"id": 267, "content": "<x>", "special": False})
    tokenizer = Tokenizer.parse({"tokenizer.json": content}, 300)
    reference = tokenizers.Tokenizer.from_str(
        json.dumps({**content, "added_tokens": [{**c, **PLAIN} for c in content["added_tokens"]]})
    )
    reference.encode_special_tokens = True
    text = "a<|endoftext|>b<x>"
    assert tokenizer.encode(text, PLAIN_TEXT) == reference.encode(text).ids
    assert 266 not in tokenizer.encode(text, PLAIN_TEXT)


PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


# --- splitting ---


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("pattern", [r"\p{N}", r"\p{N}+", " "])
def test_behaviours(pattern, invert, random):
    """What becomes of the matches, against the reference."""
    names = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]
    regex = pattern if pattern == " " else tokenizers.Regex(pattern)
    for behaviour, name in enumerate(names):
        reference = tokenizers.pre_tokenizers.Split(regex, name, invert)
        for _ in range(50):
            text = "".join(random.choice(["1", "2", " ", "a", "bc"], 12))
            expected = [text[begin:end].encode() for _, (begin, end) in reference.pre_tokenize_str(text)]
            step = (pattern, pattern == " ", behaviour, invert)
            assert split(text.encode(), step) == expected, (text, name)


@pytest.mark.parametrize("name", ["tokenizer.model", "spiece.model", "vocab.txt"])
def test_other_tokenizers_are_named(name, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text("x")
    command = [library_module.COMMAND, "tokenize", tmp_path, "a"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0 and result.stdout == ""
    assert f"only there as {name} (" in result.stderr and "which is not opened" in result.stderr
