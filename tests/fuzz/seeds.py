"""Write the smallest models of every format as seeds for the fuzzers: seeds.py FOLDER makes a folder of
them for each of WRITERS."""

import pathlib
import struct
import sys
import tempfile

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import families
import models

SMALL = models.Config(layers=1, heads=1, channels=2, context=2, vocabulary=3)
QUANTISED = models.Config(layers=1, heads=1, channels=32, context=1, vocabulary=2, inner=32)
SPEAKING = models.Config(layers=1, heads=1, channels=1, context=1, vocabulary=258)
RUNNING = models.Config(layers=1, heads=1, channels=32, context=8, vocabulary=260, inner=32)


def small_family(family, **more):
    sizes = dict(layers=2, heads=2, kv_heads=1, head_size=2, channels=2, inner=2, vocabulary=3, context=4)
    return families.Config(family=family, **(sizes | more))


# Rope scaled in every way, windows, biases, norms of heads.
FAMILIES = {
    "llama": small_family("llama", tied=False, bias=True),
    "llama3": small_family("llama", scaling=families.LLAMA3),
    "mistral": small_family("mistral", window=2),
    "qwen2": small_family("qwen2", scaling=families.YARN),
    "qwen3": small_family("qwen3"),
    "gemma3": small_family("gemma3", window=2, global_every=2, scaling=families.LINEAR),
}


def write_gguf_seeds(folder, random):
    small, quantised, speaking = (models.random_gpt2(config, random) for config in (SMALL, QUANTISED, SPEAKING))
    models.write_gguf(folder / "f32", SMALL, small)
    models.write_gguf(folder / "f16", SMALL, small, "F16", version=2)
    models.write_gguf(folder / "q4_0", QUANTISED, quantised, "Q4_0")
    tokenizer = models.small_tokenizer(258)
    models.write_gguf(folder / "tokens", SPEAKING, speaking, tokenizer=tokenizer)
    for name, config in FAMILIES.items():
        families.write_gguf(folder / name, config, families.random_model(config, random))


def write_folder_seed(path, write, *arguments, **settings):
    with tempfile.TemporaryDirectory() as model:
        model = write(model, *arguments, **settings)
        parts = [model / "config.json", model / "model.safetensors"]
        path.write_bytes(b"\0".join(part.read_bytes() for part in parts))


def write_safetensors_seeds(folder, random):
    for dtype in ["F32", "BF16"]:
        tensors = models.random_gpt2(SMALL, random)
        write_folder_seed(folder / dtype.lower(), models.write_huggingface, SMALL, tensors, dtype)
    for name, config in FAMILIES.items():
        for version in (4, 5):
            tensors = families.random_model(config, random)
            path = folder / f"{name}_{version}"
            write_folder_seed(path, families.write_huggingface, config, tensors, "BF16", version=version)


def write_llmc_seeds(folder, random):
    tensors = models.random_gpt2(SMALL, random)
    models.write_llmc(folder / "f32", SMALL, tensors, 3, padding=4)
    models.write_llmc(folder / "bf16", SMALL, tensors, 5, padding=1)


def write_sharded_seeds(folder, random):
    with tempfile.TemporaryDirectory() as model:
        model = models.write_huggingface(model, SMALL, models.random_gpt2(SMALL, random), shards=2)
        index = (model / "model.safetensors.index.json").read_bytes()
        shards = [path.read_bytes() for path in sorted(model.glob("*.safetensors"))]
    size = struct.pack("<H", len(shards[0]))
    (folder / "two").write_bytes(b"\0".join([index, size + b"".join(shards)]))


def write_npy_seeds(folder, random):
    for dtype in ["f4", "f2", "i1", "u8"]:
        numpy.save(folder / f"{dtype}.npy", random.integers(0, 9, (3, 1, 2)).astype(dtype))
    with open(folder / "version_2.npy", "wb") as file:
        numpy.lib.format.write_array(file, numpy.zeros((), numpy.int32), version=(2, 0))


def write_run_seeds(folder, random):
    """Models that speak, behind a byte of options."""
    tokenizer = models.small_tokenizer(260)
    for type in ["F32", "F16", "BF16", "Q8_0", "Q4_0"]:
        tensors = models.random_gpt2(RUNNING, random)
        models.write_gguf(folder / type, RUNNING, tensors, type, tokenizer=tokenizer)
    for options, path in enumerate(sorted(folder.iterdir())):
        path.write_bytes(bytes([options]) + path.read_bytes())


def write_convert_seeds(folder, random):
    """The models of the other formats, behind a byte that says the new type."""
    for write in (write_gguf_seeds, write_llmc_seeds):
        with tempfile.TemporaryDirectory() as models_folder:
            write(pathlib.Path(models_folder), random)
            for i, path in enumerate(sorted(pathlib.Path(models_folder).iterdir())):
                seed = folder / f"{write.__name__}_{path.name}"
                seed.write_bytes(bytes([i]) + path.read_bytes())


WRITERS = {
    "gguf": write_gguf_seeds,
    "safetensors": write_safetensors_seeds,
    "sharded": write_sharded_seeds,
    "llmc": write_llmc_seeds,
    "npy": write_npy_seeds,
    "convert": write_convert_seeds,
    "run": write_run_seeds,
}


def main():
    for name, write in WRITERS.items():
        folder = pathlib.Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, numpy.random.default_rng(0))


if __name__ == "__main__":
    main()
