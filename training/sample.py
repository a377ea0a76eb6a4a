"""Prints text that a model continues.

    python sample.py MODEL TOKENIZER_JSON [--prompt TEXT] [--seeds 1 2 3] [--temperature 0.8]

One token at a time from softmax(logits / temperature), nothing cut off, until `<|endoftext|>`.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from evaluate import load_model


@torch.no_grad()
def sample(model, ids, tokens, temperature, seed):
    """ids (a list) and up to `tokens` more, drawn on the CPU; ends before `<|endoftext|>`."""
    generator = torch.Generator().manual_seed(seed)
    end_of_text = model.config.vocabulary - 1
    for _ in range(min(tokens, model.config.context - len(ids))):
        logits = model(torch.tensor([ids]))[0, -1]
        id = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).item()
        if id == end_of_text:
            break
        ids = ids + [id]
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--tokens", type=int, default=300)
    args = parser.parse_args()

    model = load_model(args.model)
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    prompt = tokenizer.encode(args.prompt).ids
    for seed in args.seeds:
        ids = sample(model, prompt, args.tokens, args.temperature, seed)
        print(f"--- seed {seed}\n{tokenizer.decode(ids)}\n")


if __name__ == "__main__":
    main()
