"""How fast transformers runs the same model on this machine's NVIDIA GPU, for the tables of docs/speed.md.

    python tests/peers/transformers_speed.py 124M f16 [--compile]

GPT-2 of a known size with random weights: the prefill of 1,023 tokens, and 128 tokens decoded greedily after
64, by `generate` with its own KV cache or, with --compile, with a static cache and torch.compile. Medians of
three, in tokens/s. Needs torch and transformers, nothing of this project.
"""

import argparse
import statistics
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

SIZES = {"124M": (12, 12, 768), "355M": (24, 16, 1024), "774M": (36, 20, 1280), "1558M": (48, 25, 1600)}
TYPES = {"f32": torch.float32, "f16": torch.float16}
PROMPT, DEPTH, TOKENS = 1023, 64, 128


def seconds(function):
    """Median of three runs after two to warm up."""
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("type", choices=TYPES)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    layers, heads, channels = SIZES[options.size]
    config = GPT2Config(n_layer=layers, n_head=heads, n_embd=channels, attn_implementation="sdpa")
    with torch.device("cuda"):
        model = GPT2LMHeadModel(config).to(TYPES[options.type]).eval()
    prompt = torch.randint(0, config.vocab_size, (1, PROMPT), device="cuda")

    def decode(count):
        cache = {"cache_implementation": "static"} if options.compile else {}
        lengths = {"min_new_tokens": count, "max_new_tokens": count, "max_length": None}
        model.generate(prompt[:, :DEPTH], do_sample=False, pad_token_id=0, **lengths, **cache)

    with torch.inference_mode():
        prefill = seconds(lambda: model(prompt, use_cache=True, logits_to_keep=1))
        both, first = seconds(lambda: decode(TOKENS + 1)), seconds(lambda: decode(1))
    print(f"{options.size} {options.type}{' compiled' if options.compile else ''}: ", end="")
    print(f"prefill {PROMPT / prefill:,.0f}, decode {TOKENS / (both - first):,.0f} tokens/s")


if __name__ == "__main__":
    main()
