"""Writes what the tests expect of the shipped model, from PyTorch in float32.

    python expected.py MODEL.gguf STORY.txt OUT.json [--valid VALID.txt] [--float MODEL-f32.gguf]

The weights are those of MODEL.gguf, dequantised.

Greedy text: the first PROMPTS prompts of the list below for which, over STEPS steps, the best logit
always leads the second by more than MARGIN and no `<|endoftext|>` is drawn, so that rounding cannot
change the text. Perplexity: the whole file is tokenised (`<|endoftext|>` is one id; the line ends
around it are ordinary text) and cut into windows that don't overlap; the last may be shorter. In a
window of n ids the 2nd to the n-th are predicted from those before them in the window. Bits per
byte = nats / ln 2 / bytes of the file.
"""

import argparse
import hashlib
import json
import re
from pathlib import Path

import torch

from evaluate import bits_per_byte, load_model, total_nats
from gguf_file import read_gguf_tokenizer

PROMPTS, STEPS, MARGIN = 5, 200, 0.02
CANDIDATES = [
    "Once upon a time",
    "Once upon a time there was a king",
    "The",
    '"Where are you going?" asked the fox.',
    "There was once a little girl who lived with her grandmother at the edge of a great forest. Every morning",
    "One day Peter Rabbit",
    "In the middle of the night",
    "The princess opened the door, and there stood",
    '"Oh, dear!" cried Mother Bear,',
    "Long ago, in a country far away, there lived a poor woodcutter and his three sons. The eldest "
    "was strong, the second was clever, but the youngest",
    "A dog",
    "It was snowing. The children ran to the window and",
    "When the sun rose, the old man took his stick and",
    "Far out in the ocean there is a place where",
    "Bunny Brown and his sister Sue",
    "The giant laughed until the windows shook.",
    "I",
    "Down by the Smiling Pool",
    "At last the prince came to a castle of glass, and before the gate of the castle there lay a dragon, who said:",
    "Mother",
    "Tommy looked at the clock and",
    "The fairy gave her a golden ring and told her",
    "All the animals of the forest came together, for",
    "On Christmas Eve",
    "The wolf knocked at the door, and the little pig",
    "She had never seen",
    "Then the boy said to his father:",
    "Once there was a cat",
    "The old witch",
    "Early in the morning the two brothers set out together. They had walked for a long time when "
    "they met an old woman who carried a bundle of wood on her back. The elder brother passed her "
    "by without a word, but the younger",
]


@torch.no_grad()
def greedy(model, ids, steps, least=float("-inf")):
    """The most likely `steps` ids after ids (a list), and the best logits' smallest lead; stops at a lead of `least`."""
    made, margin = [], float("inf")
    for _ in range(steps):
        best = model(torch.tensor([ids + made]))[0, -1].topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        made.append(best.indices[0].item())
        if margin <= least:
            break
    return made, margin


def greedy_texts(model, tokenizer):
    end_of_text = model.config.vocabulary - 1
    found = []
    for prompt in CANDIDATES:
        prompt_ids = tokenizer.encode(prompt).ids
        ids, margin = greedy(model, prompt_ids, STEPS, MARGIN)
        kept = margin > MARGIN and end_of_text not in ids
        print(f"{'kept' if kept else 'left'}: smallest margin {margin:.4f} {prompt!r}")
        if kept:
            text = tokenizer.decode(ids, skip_special_tokens=False)
            found.append(
                {
                    "prompt": prompt,
                    "prompt_ids": prompt_ids,
                    "ids": ids,
                    "text": text,
                    "margin": margin,
                }
            )
        if len(found) == PROMPTS:
            return found
    raise SystemExit(f"only {len(found)} of the candidate prompts have a clear greedy text; add candidates")


def perplexity(model, tokenizer, path, window):
    text = path.read_bytes()
    ids = tokenizer.encode(text.decode()).ids
    nats, predicted = total_nats(model, torch.tensor(ids), window)
    return {
        "window": window,
        "bytes": len(text),
        "tokens": len(ids),
        "predicted": predicted,
        "nats": nats,
        "bits_per_byte": bits_per_byte(nats, len(text)),
    }


def readable_json(value):
    """JSON with one member a line, but lists of numbers on one."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return re.sub(r"\[[\d,\s]+\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("story", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--valid", type=Path, help="the validation text, unpacked")
    parser.add_argument("--float", type=Path, help="the same model before it was quantised")
    args = parser.parse_args()

    model, tokenizer = load_model(args.model), read_gguf_tokenizer(args.model)
    context = model.config.context
    expected = {
        "model": args.model.name,
        "sha256": hashlib.sha256(args.model.read_bytes()).hexdigest(),
        "perplexity": {args.story.name: [perplexity(model, tokenizer, args.story, w) for w in (context, 128)]},
        "greedy": greedy_texts(model, tokenizer),
    }
    if args.valid:
        expected["perplexity"][args.valid.name] = [perplexity(model, tokenizer, args.valid, context)]
    if args.valid and args.float:
        before = perplexity(load_model(args.float), tokenizer, args.valid, context)
        expected["perplexity_of_float_weights"] = {args.valid.name: [before]}
    args.out.write_text(readable_json(expected))


if __name__ == "__main__":
    main()
