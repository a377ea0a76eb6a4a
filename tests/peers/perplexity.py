"""Perplexity at each weight type beside llama.cpp's, for the same files, ids and windows.

    python tests/peers/perplexity.py MODEL TEXT

MODEL is any that metal-llm opens. It is converted by `metal-llm convert` to f32, f16, q8_0 and q4_0, and
from f32 by llama.cpp's own quantiser to the types that only it writes. Each file is measured by
`metal-llm perplexity` and, window by window, by llama.cpp: all tokens but the first of a window of the
model's context count. Prints a table in Markdown; fails where the two are more than 0.5 % apart.

Needs numpy and llama-cpp-python (see llama_cpp_check.py), and the built command.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import llama_cpp
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from library import COMMAND

LIMIT = 0.005
OURS = ["f32", "f16", "q8_0", "q4_0"]
THEIRS = {
    "q5_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_1,
    "q5_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_0,
    "q4_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_1,
}
TYPES = ["f32", "f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]
FLOAT32 = 0  # GGML_TYPE_F32


def run(*arguments, **options):
    """The command's output."""
    command = [COMMAND, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def write_file(model, type, folder):
    """The model in a GGUF file of that type; f32 must be there already for llama.cpp's types."""
    path = folder / f"{type}.gguf"
    if type in OURS:
        run("convert", model, path, "--type", type)
    else:
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = THEIRS[type]
        names = (str(folder / "f32.gguf").encode(), str(path).encode())
        assert llama_cpp.llama_model_quantize(*names, options) == 0
    return path


def our_nats(path, text):
    """Mean nats per token, and how many tokens they are of."""
    said = run("perplexity", path, text, "--device", "cpu", "--integer-products", "off")
    loss = re.search(r"^mean loss +([\d.]+) nats", said, re.M).group(1)
    return float(loss), int(re.search(r"^counted +(\d+) tokens", said, re.M).group(1))


def their_nats(path, ids):
    """The same by llama.cpp, activations in the KV cache in float32 as ours."""
    context = int(re.search(r"^context +(\d+)", run("info", path), re.M).group(1))
    llama = llama_cpp.Llama(
        str(path), n_ctx=context, n_batch=context, n_ubatch=context, n_threads=2, n_threads_batch=2,
        logits_all=True, type_k=FLOAT32, type_v=FLOAT32, verbose=False,
    )  # fmt: skip
    nats, count = 0.0, 0
    for start in range(0, len(ids), context):
        window = ids[start : start + context]
        llama.reset()
        llama.eval(window)
        logits = llama.scores[: len(window) - 1].astype(numpy.float64)
        peak = logits.max(1)
        log_sum = peak + numpy.log(numpy.exp(logits - peak[:, None]).sum(1))
        nats += (log_sum - logits[numpy.arange(len(logits)), window[1:]]).sum()
        count += len(logits)
    llama.close()
    return nats / count, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    options = parser.parse_args()
    ids = [int(word) for word in run("tokenize", options.model, stdin=options.text.open("rb")).split()]
    print(f"{len(ids)} tokens\n\n| | file | metal-llm | llama.cpp | apart |\n|---|---:|---:|---:|---:|")
    apart = []
    with tempfile.TemporaryDirectory() as folder:
        for type in TYPES:
            path = write_file(options.model, type, pathlib.Path(folder))
            (ours, count), (theirs, counted) = our_nats(path, options.text), their_nats(path, ids)
            assert count == counted, f"{count} tokens of ours, {counted} of llama.cpp"
            ours, theirs = numpy.exp([ours, theirs])
            apart.append(abs(ours / theirs - 1))
            size = path.stat().st_size / 1e6
            print(
                f"| {type} | {size:.1f} MB | {ours:.4f} | {theirs:.4f} | {100 * (ours / theirs - 1):+.3f} % |",
                flush=True,
            )
    sys.exit(0 if max(apart) <= LIMIT else "more than 0.5 % apart")


if __name__ == "__main__":
    main()
