"""Bits per byte of a model on a text.

    python evaluate.py MODEL DATA_DIR [--text valid]

The ids of the whole file, `<|endoftext|>` being one id, are cut into windows of the model's context
that don't overlap; the last one may be shorter. In a window of n ids the 2nd to the n-th are
predicted, so the first id of each window costs nothing. Bits per byte = nats / ln 2 / bytes of the
file.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from model import Config, make_model


def load_ids(path, device="cpu"):
    """The ids of a .bin file, int64 [N]."""
    return torch.from_numpy(np.fromfile(path, dtype="<u2").astype(np.int64)).to(device)


def load_model(path, device="cpu"):
    """The model of a checkpoint or a GGUF file, in float32, ready for evaluation."""
    if path.suffix == ".gguf":
        from gguf_file import read_gguf  # training alone does without the package gguf

        return read_gguf(path).to(device)
    state = torch.load(path, map_location=device)
    model = make_model(Config(**state["config"])).to(device)
    model.load_state_dict(state["model"])
    return model.eval()


@torch.no_grad()
def total_nats(model, ids, context, batch=32):
    """Negative log-likelihood of ids [N] in windows of `context`, and how many ids it counts."""
    nats, predicted = 0.0, 0
    whole = len(ids) // context * context
    batches = list(ids[:whole].view(-1, context).split(batch)) + [ids[whole:].view(1, -1)]
    for x in batches:
        if x.shape[1] < 2 or not len(x):
            continue
        logits = model(x)[:, :-1].float()
        nats += F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten(), reduction="none").double().sum().item()
        predicted += x[:, 1:].numel()
    return nats, predicted


def bits_per_byte(nats, bytes):
    return nats / math.log(2) / bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="checkpoint or GGUF file")
    parser.add_argument("data", type=Path)
    parser.add_argument("--text", default="valid")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    model = load_model(args.model, args.device)
    ids = load_ids(args.data / f"{args.text}.bin", args.device)
    bytes = json.loads((args.data / "corpus.json").read_text())[args.text]["bytes"]
    nats, predicted = total_nats(model, ids, model.config.context)
    bpb = bits_per_byte(nats, bytes)
    print(f"{bpb:.5f} bits per byte: {nats:.3f} nats, {predicted} predicted ids, {bytes} bytes")


if __name__ == "__main__":
    main()
