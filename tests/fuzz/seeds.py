"""Write the smallest models of every format as seeds for the fuzzers: seeds.py FOLDER makes
FOLDER/gguf, FOLDER/safetensors and FOLDER/llmc."""

import pathlib
import sys
import tempfile

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import models

SMALL = models.Config(layers=1, heads=1, channels=2, context=2, vocabulary=3)
QUANTISED = models.Config(layers=1, heads=1, channels=32, context=1, vocabulary=2, inner=32)
SPEAKING = models.Config(layers=1, heads=1, channels=1, context=1, vocabulary=258)


def write_gguf_seeds(folder, random):
    small, quantised, speaking = (
        models.random_gpt2(config, random) for config in (SMALL, QUANTISED, SPEAKING)
    )
    models.write_gguf(folder / "f32", SMALL, small)
    models.write_gguf(folder / "f16", SMALL, small, "F16", version=2)
    models.write_gguf(folder / "q4_0", QUANTISED, quantised, "Q4_0")
    tokenizer = models.small_tokenizer(258)
    models.write_gguf(folder / "tokens", SPEAKING, speaking, tokenizer=tokenizer)


def write_safetensors_seeds(folder, random):
    for dtype in ["F32", "BF16"]:
        tensors = models.random_gpt2(SMALL, random)
        with tempfile.TemporaryDirectory() as model:
            model = models.write_huggingface(model, SMALL, tensors, dtype)
            parts = [model / "config.json", model / "model.safetensors"]
            (folder / dtype.lower()).write_bytes(b"\0".join(part.read_bytes() for part in parts))


def write_llmc_seeds(folder, random):
    tensors = models.random_gpt2(SMALL, random)
    models.write_llmc(folder / "f32", SMALL, tensors, 3, padding=4)
    models.write_llmc(folder / "bf16", SMALL, tensors, 5, padding=1)


def main():
    writers = {
        "gguf": write_gguf_seeds,
        "safetensors": write_safetensors_seeds,
        "llmc": write_llmc_seeds,
    }
    random = numpy.random.default_rng(0)
    for name, write in writers.items():
        folder = pathlib.Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, random)


if __name__ == "__main__":
    main()
