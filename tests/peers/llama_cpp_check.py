"""Checks the bundled model against llama.cpp: the exported files open there and compute the same.

    python tests/peers/llama_cpp_check.py tales-f32.gguf models/tales.gguf TEXT [--windows N]

Needs the packages of training/requirements.txt and llama-cpp-python (`pip install llama-cpp-python`
builds llama.cpp; LLAMA_CPP_LIB_PATH names the folder of a libllama that is already built). PyTorch
in float32 is the reference, on the weights of the float32 file and on the dequantised weights of
the other.

- tokenizer: both give TEXT the same ids, as does one line of odd characters;
- float32 file: the same GREEDY_TOKENS greedy tokens after five prompts;
- q8_0 file, its dequantised weights written as float32: over windows of TEXT, nats within 0.001 %,
  and the same most likely token wherever it leads the second by more than 0.01;
- q8_0 file as it is: nats within 0.5 %. llama.cpp rounds activations to 8 bits here, which moves a
  logit by about 0.04 (root mean square), so a lead of more than 0.1 may flip in at most 1 place of
  500, one above 1 never.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "training"))
from expected import greedy  # noqa: E402
from gguf_file import read_gguf, read_gguf_tokenizer, read_gguf_vocabulary, write_gguf  # noqa: E402

GREEDY_TOKENS = 64
PROMPTS = (
    "Once upon a time",
    "The",
    '"Where are you going?" asked the fox.',
    "In the middle of the night",
    "Long ago, in a country far away, there lived a poor woodcutter and his three sons.",
)
ODD_TEXT = "It's  Ünïcödé — 12345\t\ttabs,\n\n\nlines, 🦊, a naïve café.<|endoftext|>\n'Twas I'LL  "
FLOAT32 = 0  # GGML_TYPE_F32


def open_llama(path, context):
    return llama_cpp.Llama(
        str(path),
        n_ctx=context,
        n_batch=context,
        n_ubatch=context,
        n_threads=2,
        n_threads_batch=2,
        logits_all=True,
        type_k=FLOAT32,
        type_v=FLOAT32,
        verbose=False,
    )


def llama_logits(llama, ids):
    """float32 [len(ids), V]."""
    llama.reset()
    llama.eval(ids)
    return np.array(llama.scores[: len(ids)])


def llama_greedy(llama, ids, steps):
    llama.reset()
    llama.eval(ids)
    made = []
    for _ in range(steps):
        made.append(int(np.argmax(llama.scores[llama.n_tokens - 1])))
        llama.eval(made[-1:])
    return made


def negative_log_likelihood(logits, ids):
    """Nats of ids[1:] under logits [T, V], in float64."""
    logits = logits[:-1].astype(np.float64)
    peak = logits.max(axis=1)
    log_sum = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
    return float((log_sum - logits[np.arange(len(logits)), ids[1:]]).sum())


def check_tokenizer(llama, tokenizer, text):
    for sample in (text, ODD_TEXT):
        theirs = llama.tokenize(sample.encode(), add_bos=False, special=True)
        assert theirs == tokenizer.encode(sample).ids, f"other ids than llama.cpp for {sample[:40]!r}"
    print("tokenizer: same ids")


def check_greedy(llama, model, tokenizer):
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids
        ours, margin = greedy(model, ids, GREEDY_TOKENS)
        assert llama_greedy(llama, ids, GREEDY_TOKENS) == ours, f"another greedy text after {prompt!r}"
        print(f"float32: same {GREEDY_TOKENS} greedy tokens after {prompt!r}, margin {margin:.4f}")


@torch.no_grad()
def compare_logits(llama, model, ids, windows):
    """Nats of both; the reference's leads (first minus second logit), all and where they differ."""
    context = model.config.context
    ours_nats = theirs_nats = 0.0
    leads, differing = [], []
    for start in range(0, min(len(ids), windows * context), context):
        window = ids[start : start + context]
        ours, theirs = model(torch.tensor([window]))[0].numpy(), llama_logits(llama, window)
        ours_nats += negative_log_likelihood(ours, window)
        theirs_nats += negative_log_likelihood(theirs, window)
        second, first = np.partition(ours, -2, axis=1)[:, -2:].T
        leads.append(first - second)
        differing.append((first - second)[ours.argmax(1) != theirs.argmax(1)])
    return ours_nats, theirs_nats, np.concatenate(leads), np.concatenate(differing)


def check_logits(name, llama, model, ids, windows, nats_tolerance, lead, lead_share, lead_never):
    """At most `lead_share` of the leads above `lead` may be lost, and none above `lead_never`."""
    ours, theirs, leads, differing = compare_logits(llama, model, ids, windows)
    places, flips = int((leads > lead).sum()), int((differing > lead).sum())
    largest = differing.max(initial=0.0)
    change = f"{100 * (theirs / ours - 1):+.4f} %"
    print(f"{name}: {ours:.2f} nats in PyTorch, {theirs:.2f} in llama.cpp ({change})")
    print(f"  {flips} of {places} leads above {lead} lost, the largest lead lost {largest:.4f}")
    assert abs(theirs / ours - 1) <= nats_tolerance
    assert flips <= lead_share * places
    assert largest <= lead_never


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("float32", type=Path)
    parser.add_argument("quantised", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--windows", type=int, default=10**9, help="at most so many windows of TEXT")
    args = parser.parse_args()

    text = args.text.read_text(encoding="utf-8")
    tokenizer = read_gguf_tokenizer(args.quantised)
    model = read_gguf(args.float32)
    llama = open_llama(args.float32, model.config.context)
    check_tokenizer(llama, tokenizer, text)
    check_greedy(llama, model, tokenizer)

    model = read_gguf(args.quantised)
    ids = tokenizer.encode(text).ids
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dequantised.gguf"
        weights = {name: p.numpy() for name, p in model.state_dict().items()}
        tokens, merges = read_gguf_vocabulary(args.quantised)
        write_gguf(path, model.config, weights, tokens, merges, quantised=False)
        llama = open_llama(path, model.config.context)
        check_logits("dequantised", llama, model, ids, args.windows, 1e-5, 0.01, 0, 0.01)
    llama = open_llama(args.quantised, model.config.context)
    check_logits("q8_0", llama, model, ids, args.windows, 0.005, 0.1, 1 / 500, 1.0)


if __name__ == "__main__":
    main()
