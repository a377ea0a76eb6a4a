"""What a model expects after a text, and how well it predicted the text itself, in numpy.

python logits.py smollm2.gguf "The capital of France is"
"""

import sys

import metal_llm
import numpy


def log_softmax(logits: numpy.ndarray) -> numpy.ndarray:
    """In float64, of the last axis."""
    logits = logits.astype(numpy.float64)
    return logits - numpy.logaddexp.reduce(logits, axis=-1, keepdims=True)


def main(path: str, text: str) -> None:
    with metal_llm.Model(path) as model:
        ids = model.encode(text)
        logprobs = log_softmax(model.logits(ids))  # [T,V]: row t is about token t + 1
        for id in numpy.argsort(-logprobs[-1], kind="stable")[:5]:
            print(f"{numpy.exp(logprobs[-1, id]):6.2%} {model.decode([int(id)])!r}")
        nats = -logprobs[numpy.arange(len(ids) - 1), ids[1:]]
        print(f"perplexity {numpy.exp(nats.mean()):.4f} over {len(nats)} tokens")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} MODEL TEXT")
    main(*sys.argv[1:])
