"""The gentle part of the corpus: old children's prose without violence.

    python gentle.py CORPUS_DIR OUT_DIR

reads CORPUS_DIR/{train,extra_novels}.txt.xz (their sha256 must be those below) and writes
OUT_DIR/gentle.txt.xz. Of each document the paragraphs with a word of grim.txt go; a document goes
whole if such paragraphs hold more than MOST of its words, or if fewer than SHORTEST words remain.
"""

import argparse
import hashlib
import lzma
import re
from pathlib import Path

from tokenize_corpus import END_OF_TEXT, read_documents

SHA256 = {
    "train": "0e0c5d1ef90a4ab0100147e67823d7f5d34e946d2ab95fa78d707d5c35c1a456",
    "extra_novels": "241cde98d546c03cf3fec1a64c2cc61ce446c79c169a2af97745cad37543a352",
}
MOST = 0.25
SHORTEST = 80
GRIM = set(Path(__file__).with_name("grim.txt").read_text().split())


def words_of(text):
    return re.findall(r"[a-z]+", text.lower())


def is_grim(paragraph):
    return not GRIM.isdisjoint(words_of(paragraph))


def gentle_part(document):
    """What is left of a document, or None."""
    paragraphs = document.removesuffix(f"{END_OF_TEXT}\n").strip().split("\n\n")
    kept = [p for p in paragraphs if not is_grim(p)]
    words, left = (sum(len(words_of(p)) for p in part) for part in (paragraphs, kept))
    if left < SHORTEST or words - left > MOST * words:
        return None
    return "\n\n".join(kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    texts = []
    for name, digest in SHA256.items():
        path = args.corpus / f"{name}.txt.xz"
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{path}: not the file of models/README.md (its sha256 differs)")
        documents = read_documents(path)
        kept = [text for text in map(gentle_part, documents) if text]
        size, left = (sum(len(text) for text in part) for part in (documents, kept))
        print(f"{name}: {len(kept)} of {len(documents)} documents, {left} of {size} bytes")
        texts += kept
    text = "".join(f"{text}\n{END_OF_TEXT}\n" for text in texts)
    (args.out / "gentle.txt.xz").write_bytes(lzma.compress(text.encode()))
    print(f"gentle: {len(text)} bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}")


if __name__ == "__main__":
    main()
