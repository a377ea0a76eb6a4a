"""What llama.cpp makes of a model, kept in tests/data/NAME.json.

    python tests/llama_cpp/record.py LIBRARY HEADERS NAME STORED.gguf F32.gguf

LIBRARY is a shared library with llama.cpp in it (libllama.so, or that of the xllamacpp package), HEADERS its
source folder. NAME is smollm2 (STORED: `metal-llm get smollm2`) or gemma3 (the file in its wheels), F32 the same
converted to f32. Runs on any machine with both; the test that reads the file needs neither.
"""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"
NEW = 40  # tokens of a greedy continuation
CLEAR = 1e-3  # by which the likeliest logit must be ahead
WINDOW = 128

PROMPTS = {
    "smollm2": [
        "The capital of France is",
        "<|im_start|>user\nWrite a haiku about rain.<|im_end|>\n<|im_start|>assistant\n",
        "def fibonacci(n):\n    ",
        "In 1969, 3 men flew 384,400 km to the Moon.  It took them",
        "Das Wetter ist heute schön, weil",
        "水は",
    ],
    "gemma3": [
        "The capital of France is",
        "<start_of_turn>user\nWrite a haiku about rain.<end_of_turn>\n<start_of_turn>model\n",
        "def fibonacci(n):\n    ",
        "In 1969, 3 men flew 384,400 km to the Moon.  It took them",
        "Das Wetter ist heute schön, weil",
        "水は",
    ],
}


def build(library, headers):
    """logits.c over llama.cpp's library."""
    ctypes.CDLL(library, mode=os.RTLD_GLOBAL | os.RTLD_NOW)
    out = pathlib.Path(tempfile.mkdtemp()) / "logits.so"
    includes = [f"-I{headers}/include", f"-I{headers}/ggml/include"]
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", *includes, HERE / "logits.c", "-o", out], check=True)
    result = ctypes.CDLL(str(out))
    result.open_model.restype = ctypes.c_void_p
    return result


class Model:
    def __init__(self, library, path):
        self.library = library
        self.handle = ctypes.c_void_p(library.open_model(os.fsencode(path), 512, os.cpu_count()))
        assert self.handle, path
        self.vocabulary = library.vocabulary(self.handle)

    def encode(self, text):
        ids = (ctypes.c_int32 * 4096)()
        return ids[: self.library.encode(self.handle, text.encode(), ids, len(ids))]

    def logits(self, ids, first=0):
        out = numpy.empty((len(ids), self.vocabulary), numpy.float32)
        pointer = out.ctypes.data_as(ctypes.c_void_p)
        numbers = (ctypes.c_int32 * len(ids))(*ids)
        assert self.library.decode(self.handle, numbers, first, len(ids), pointer) == 0
        return out

    def continuation(self, ids):
        """The likeliest tokens, one by one, and how many of them are clearly so."""
        new, clear, row = [], None, self.logits(ids)[-1]
        for i in range(NEW):
            second, first = numpy.sort(row)[-2:]
            if first - second < CLEAR and clear is None:
                clear = i
            new.append(int(row.argmax()))
            row = self.logits(new[-1:], len(ids) + i)[-1]
        return new, NEW if clear is None else clear

    def nats(self, ids):
        """Of every token of a text in the mean; a window begins with what the model puts before a text, or
        its first token is not counted."""
        front = self.encode("")
        total, count = 0.0, 0
        for begin in range(len(front), len(ids), WINDOW):
            window = front + ids[begin : begin + WINDOW]
            rows = self.logits(window).astype(numpy.float64)[:-1]
            rows -= rows.max(-1, keepdims=True)
            scores = rows - numpy.log(numpy.exp(rows).sum(-1, keepdims=True))
            total -= scores[numpy.arange(len(rows)), window[1:]].sum()
            count += len(rows)
        return total / count


def main():
    library, headers, name, stored, floats = sys.argv[1:]
    library = build(library, headers)
    floats, stored = Model(library, floats), Model(library, stored)
    text = (DATA / "tales_story.txt").read_text()
    ids = floats.encode(text)
    record = {"window": WINDOW, "tokens": len(ids), "nats_f32": floats.nats(ids), "nats": stored.nats(ids)}
    record["prompts"] = []
    for prompt in PROMPTS[name]:
        ids = floats.encode(prompt)
        new, clear = floats.continuation(ids)
        record["prompts"].append({"text": prompt, "ids": ids, "new": new, "clear": clear})
    (DATA / f"{name}.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
