"""Trains the tokenizer and turns the corpus into token ids.

Byte-level BPE with GPT-2's split pattern and GPT-2's order of ids: the 256 bytes, then one id for
each merge in the order of its rank, `<|endoftext|>` last. Any text can be encoded; none needs an
unknown id.

    python tokenize_corpus.py CORPUS_DIR DATA_DIR [--texts train …] [--learn-from train]

reads CORPUS_DIR/NAME.txt.xz for each name of --texts (documents end with a line `<|endoftext|>`)
and writes DATA_DIR/tokenizer.json, trained on those of --learn-from, DATA_DIR/NAME.bin (ids as
little-endian uint16) and DATA_DIR/corpus.json (bytes and tokens of each file).
"""

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"
VOCABULARY = 4096


def read_documents(path):
    """The documents of an .xz file, each with its closing `<|endoftext|>` line."""
    text = lzma.decompress(path.read_bytes()).decode("utf-8")
    separator = END_OF_TEXT + "\n"
    return [document + separator for document in text.split(separator)[:-1]]


def train_tokenizer(documents):
    """A `tokenizers.Tokenizer` of VOCABULARY ids, trained on the documents."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((d.replace(END_OF_TEXT, "") for d in documents), trainer)
    tokenizer.add_special_tokens([END_OF_TEXT])
    assert tokenizer.token_to_id(END_OF_TEXT) == VOCABULARY - 1
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", nargs="+", default=["train", "valid", "extra_novels"])
    parser.add_argument("--learn-from", nargs="+", default=["train"])
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)

    documents = {name: read_documents(args.corpus / f"{name}.txt.xz") for name in args.texts}
    tokenizer = train_tokenizer([d for name in args.learn_from for d in documents[name]])
    tokenizer.save(str(args.data / "tokenizer.json"))

    sizes = {}
    for name, texts in documents.items():
        # Splitting at `<|endoftext|>` first changes nothing: the tokenizer itself cuts there.
        ids = np.concatenate([np.array(e.ids, dtype="<u2") for e in tokenizer.encode_batch(texts)])
        ids.tofile(args.data / f"{name}.bin")
        sizes[name] = {"bytes": sum(len(t.encode()) for t in texts), "tokens": len(ids)}
        print(name, sizes[name], f"{sizes[name]['bytes'] / len(ids):.3f} bytes a token")
    (args.data / "corpus.json").write_text(json.dumps(sizes, indent=1) + "\n")


if __name__ == "__main__":
    main()
