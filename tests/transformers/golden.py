"""Logits of small random models by Hugging Face transformers 5, kept in tests/data/families.npz.

    python tests/transformers/golden.py [tests/data/families.npz]

Runs on any machine with PyTorch and transformers 5; the tests that read the file need neither. A seed
rebuilds each checkpoint, and a checksum says that it did.
"""

import pathlib
import sys
import zlib

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import families
from families import LINEAR, LLAMA3, YARN

TOKENS = 48
ROWS = slice(-8, None)  # of the logits, that are kept

CASES = {
    "llama": families.Config(),
    "llama, one key-value head, untied, biases": families.Config(kv_heads=1, tied=False, bias=True),
    "llama, llama3 scaling": families.Config(kv_heads=4, scaling=LLAMA3, rope_base=500000.0),
    "llama, linear scaling": families.Config(scaling=LINEAR),
    "llama, yarn": families.Config(scaling=YARN),
    "llama, head size apart": families.Config(head_size=24),
    "mistral, window": families.Config(family="mistral", window=11),
    "qwen2": families.Config(family="qwen2", heads=6, channels=96, rope_base=1e6),
    "qwen3": families.Config(family="qwen3", head_size=32, kv_heads=1, rope_base=1e6),
    "qwen3, yarn": families.Config(family="qwen3", head_size=32, scaling=YARN),
    "gemma3": families.Config(family="gemma3", layers=7, head_size=24, window=9, rope_base=1e6, kv_heads=1),
    "gemma3, scale and scaling": families.Config(
        family="gemma3", layers=6, head_size=16, window=5, rope_base=1e6, score_scale=40.0, scaling=LINEAR
    ),
}


def checkpoint(name):
    """The tensors and ids [TOKENS] of a case."""
    random = numpy.random.default_rng(zlib.crc32(name.encode()))
    config = CASES[name]
    return families.random_model(config, random), random.integers(0, config.vocabulary, TOKENS)


def checksum(tensors):
    return zlib.crc32(b"".join(array.tobytes() for array in tensors.values()))


def transformers_logits(config, tensors, ids):
    import torch
    import transformers

    settings = families.config_json(config)
    model_class = getattr(transformers, settings["architectures"][0])
    model = model_class(model_class.config_class(**settings)).eval()
    state = {name: torch.tensor(array) for name, array in tensors.items()}
    if config.tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    with torch.no_grad():
        return model(torch.tensor(ids)[None]).logits[0].numpy()


def main():
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests/data/families.npz")
    kept = {}
    for name, config in CASES.items():
        tensors, ids = checkpoint(name)
        logits = transformers_logits(config, tensors, ids)
        error = families.reference.logit_error(logits, families.logits(config, tensors, ids))
        print(f"{name}: {error:.1e} from numpy in float64")
        kept[name] = logits[ROWS]
        kept[f"{name}: checksum"] = numpy.uint32(checksum(tensors))
    numpy.savez_compressed(path, **kept)


if __name__ == "__main__":
    main()
