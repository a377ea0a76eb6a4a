"""Measures what stories a model tells.

    python measure_stories.py MODEL DATA_DIR OUT.txt [--stories 200] [--seed 1]

DATA_DIR is that of tokenize_corpus.py, with stories_train.bin and stories_valid.bin. Writes the
stories to OUT.txt, each ended by a line `<|endoftext|>`, and prints

- the perplexity of held-out stories, of as many training stories, and their ratio;
- how many stories end by themselves, and their words;
- how many have a word of grim.txt;
- the share of its 8-grams that a story has in common with another one, mean over all pairs;
- the share of their runs of 20 words that stand in the training stories.
"""

import argparse
import itertools
import math
import re
import statistics
from pathlib import Path

import torch
from tokenizers import Tokenizer

from evaluate import load_ids, load_model, total_nats

END_OF_TEXT = "<|endoftext|>"
GRIM = set(Path(__file__).with_name("grim.txt").read_text().split())


@torch.no_grad()
def sample_stories(model, prompt, args):
    """Rows of ids after the prompt, drawn side by side; a row ends before `<|endoftext|>`."""
    generator = torch.Generator(args.device).manual_seed(args.seed)
    end_of_text = model.config.vocabulary - 1
    ids = torch.tensor([prompt] * args.stories, device=args.device)
    ended = torch.zeros(args.stories, dtype=torch.bool, device=args.device)
    for _ in range(min(args.tokens, model.config.context - len(prompt))):
        logits = model(ids)[:, -1].float() / args.temperature
        p = logits.softmax(-1)
        p = p.masked_fill(p < args.min_p * p.max(-1, keepdim=True).values, 0)
        drawn = torch.multinomial(p, 1, generator=generator)
        drawn[ended] = end_of_text
        ended |= drawn[:, 0] == end_of_text
        ids = torch.cat([ids, drawn], 1)
        if ended.all():
            break
    rows = ids[:, len(prompt) :].tolist()
    return [row[: row.index(end_of_text)] if end_of_text in row else row for row in rows], ended


def words_of(text):
    return re.findall(r"[a-z]+(?:['-][a-z]+)*", text.lower())


def runs(text, n):
    words = words_of(text)
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}


def shared_8_grams(stories):
    """Mean over ordered pairs of the share of a story's 8-grams that the other one has too."""
    grams = [runs(story, 8) for story in stories]
    shares = [len(a & b) / len(a) for a, b in itertools.permutations(grams, 2) if a]
    return statistics.mean(shares)


def copied_runs(stories, data):
    mine = [run for story in stories for run in runs(story, 20)]
    wanted, found = set(mine), set()
    for story in data:
        found |= wanted & runs(story, 20)
    return sum(run in found for run in mine) / max(len(mine), 1)


def perplexities(model, data, held_out, known, device):
    """Of the held-out stories, and of as many ids of training stories."""
    held_out = load_ids(data / f"{held_out}.bin", device)
    known = load_ids(data / f"{known}.bin", device)[: len(held_out)]
    for ids in (held_out, known):
        nats, predicted = total_nats(model, ids, model.config.context)
        yield math.exp(nats / predicted)


def known_stories(pair, data, tokenizer):
    ids = load_ids(data / f"{pair.split(':')[1]}.bin").tolist()
    return tokenizer.decode(ids, skip_special_tokens=False).split(END_OF_TEXT)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", nargs="+", default=["stories_valid:stories_train"], help="HELD_OUT:KNOWN")
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--min-p", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    model = load_model(args.model, args.device)
    tokenizer = Tokenizer.from_file(str(args.data / "tokenizer.json"))
    for pair in args.pairs:
        held_out, known = perplexities(model, args.data, *pair.split(":"), args.device)
        print(f"{pair}: perplexity {held_out:.3f} held out, {known:.3f} known, ratio {held_out / known:.3f}")

    rows, ended = sample_stories(model, tokenizer.encode(args.prompt).ids, args)
    stories = [args.prompt + tokenizer.decode(row) for row in rows]
    args.out.write_text("".join(f"{story.strip()}\n{END_OF_TEXT}\n" for story in stories))
    data = [story for pair in args.pairs for story in known_stories(pair, args.data, tokenizer)]
    lengths = [len(words_of(story)) for story in stories]
    grim = [sorted(GRIM & set(words_of(story))) for story in stories]
    print(f"ended: {ended.float().mean():.1%}, words: {statistics.mean(lengths):.0f} on average")
    print(f"grim: {sum(map(bool, grim))} {sorted({word for words in grim for word in words})}")
    print(f"8-grams shared by two stories: {shared_8_grams(stories):.2%}")
    print(f"runs of 20 words that stand in the training stories: {copied_runs(stories, data):.1%}")


if __name__ == "__main__":
    main()
