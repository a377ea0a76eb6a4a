"""What a machine would be given to do, kernel by kernel: for a table of models, machines, options and texts.

    python tests/support/dispatches.py          record it anew, into tests/data/dispatches.xz
    python tests/support/dispatches.py FILE     write it to FILE as text

Nothing is run (src/device/dry_context.c), so weights of zeros are good enough: only shapes decide. A line is a
kernel, its grid, and the bytes of its buffers and its values in the order of its parameters.
"""

import ctypes
import functools
import itertools
import lzma
import pathlib
import sys
import tempfile

import numpy

import families
import library as library_module
import llm
import models
from library import ROOT
from llm import LLM
from models import Config

RECORD = ROOT / "tests/data/dispatches.xz"


class Command(ctypes.Structure):
    """TracedCommand of src/device/device.h."""

    _fields_ = [(name, ctypes.c_char_p) for name in ("step", "why", "kernel", "file", "shape", "line")]
    _fields_ += [(name, ctypes.c_double) for name in ("bytes", "seconds")]


TRACE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Command))


class Facts(ctypes.Structure):
    """DeviceFacts of src/device/device.h."""

    _fields_ = [("simd_width", ctypes.c_uint32), ("simdgroups", ctypes.c_uint32)]
    _fields_ += [(name, ctypes.c_bool) for name in ("byte_products", "prefers_halves", "lacks_matrices")]


class DryRun(ctypes.Structure):
    """DryRun of src/device/device.h."""

    _fields_ = [("facts", Facts), ("trace", TRACE), ("context", ctypes.c_void_p)]


def facts_named(name):
    library = library_module.load()
    library.device_facts_named.restype = ctypes.POINTER(Facts)
    return library.device_facts_named(name.encode()).contents


# --- the table ---

MACHINES = ["cpu", "cpu-vnni", "simt", "m1", "h200"]
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q6_K", "IQ4_NL"]
HEADS_OF_64 = Config(layers=2, heads=4, channels=256, context=640, vocabulary=320)
PROMPTS = [1, 7, 24, 64, 200, 600]
BATCHES = [2, 8, 32]
CHOICES = {"cache": ["f32", "f16"], "attention": ["flash", "naive"], "fusion": [None, "off", "on"]}


def choices():
    for values in itertools.product(*CHOICES.values()):
        yield dict(zip(CHOICES, values))


# Some more models, with the options that matter to them.
MORE = {
    "heads of 48": (
        Config(layers=2, heads=2, channels=96, context=640, vocabulary=320),
        ["F32", "F16", "Q8_0"],
        [{}, {"attention": "naive"}],
    ),
    "1280 channels": (
        Config(layers=1, heads=20, channels=1280, inner=2560, context=640, vocabulary=320),
        ["F32", "F16"],
        [{}, {"fusion": "on"}],
    ),
    "1728 channels": (
        Config(layers=1, heads=27, channels=1728, inner=256, context=640, vocabulary=320),
        ["F16"],
        [{}],
    ),
    "untied": (
        Config(layers=1, heads=2, channels=128, context=640, vocabulary=320, tied=False),
        ["F16", "Q4_0"],
        [{}],
    ),
}
FAMILY = dict(layers=2, heads=6, kv_heads=2, channels=256, inner=512, context=640, vocabulary=320)
MORE |= {
    "llama": (
        families.Config(head_size=64, **FAMILY),
        ["F32", "F16", "Q8_0", "Q4_1"],
        [{}, {"cache": "f16"}, {"fusion": "off"}],
    ),
    "qwen3": (families.Config(family="qwen3", head_size=128, **FAMILY), ["F16", "Q5_0"], [{}]),
    "gemma3": (families.Config(family="gemma3", head_size=256, window=90, **FAMILY), ["F16", "Q8_0"], [{}]),
}
MIXED = {"token_embd.weight": "Q6_K", "blk.0.ffn_down.weight": "F16", "blk.1.attn_qkv.weight": "F32"}


def write_model(folder, config, type, types={}):
    if isinstance(config, families.Config):
        tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in families.shapes(config).items()}
        return families.write_gguf(folder / f"{config.family}-{type}.gguf", config, tensors, type=type)
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in models.shapes(config).items()}
    name = f"{config.channels}-{config.tied}-{type}-{len(types)}.gguf"
    return models.write_gguf(folder / name, config, tensors, type=type, types=types)


def cases(folder):
    """(title, path, options, batches) of every pipeline that is opened."""
    for type in TYPES:
        path = write_model(folder, HEADS_OF_64, type)
        for options in choices():
            yield f"heads of 64, {type}", path, options, BATCHES
        for option, values in {"integer_products": ["on", "off"], "weights": ["stored", "f16"]}.items():
            for value in values:
                yield f"heads of 64, {type}", path, {option: value}, BATCHES
    path = write_model(folder, HEADS_OF_64, "Q4_0", MIXED)
    yield "mixed types", path, {}, BATCHES
    for name, (config, types, several) in MORE.items():
        for type, options in itertools.product(types, several):
            yield f"{name}, {type}", write_model(folder, config, type), options, BATCHES


# --- recording ---


class Recorder:
    """Opens models on machines that are not there, and writes down what they would do."""

    def __init__(self):
        self.lines = []
        self.trace = TRACE(lambda _, command: self.lines.append(command.contents.line.decode()))

    def machine(self, name):
        return DryRun(facts_named(name), self.trace)

    def run(self, title, path, machine, options, batch, texts):
        """`texts`: pairs of a name and a function of the model."""
        dry = self.machine(machine)
        described = "".join(f", {name} {value}" for name, value in options.items() if value)
        options = {"integer_products": None, "weights": None} | options
        title = f"=== {title}, {machine}{described}, batch {batch}"
        try:
            with LLM(path, batch=batch, dry=ctypes.addressof(dry), **options) as model:
                self.lines.append(f"{title}: open")
                for name, text in texts:
                    self.lines.append(f"{title}: {name}")
                    text(model)
        except llm.Failure as failure:
            self.lines.append(f"{title}: refused: {failure}")


def continuing(*lengths):
    """Continue prompts of these lengths by two tokens: a prefill and a step of decoding."""
    return lambda model: model.generate_batch([[0] * length for length in lengths], 2)


# The samplers, alone and together: a prefill and a step of decoding.
SAMPLERS = {
    "temperature": {"temperature": 0.8},
    "top-k, top-p": {"temperature": 0.8, "top_k": 40, "top_p": 0.95},
    "min-p": {"temperature": 0.8, "min_p": 0.05},
    "typical": {"temperature": 0.8, "top_k": 40, "typical_p": 0.9},
    "greedy, penalties": {"repetition_penalty": 1.1, "penalty_window": 7},
    "greedy, bias": {"logit_bias": [(3, 1.5), (5, -numpy.inf)]},
    "greedy, JSON": {"json_schema": b"{}"},
    "logprobs": {"temperature": 0.8, "on_logprobs": lambda row, pairs: None, "logprobs": 5},
    "all": {
        "temperature": 0.8, "top_k": 40, "typical_p": 0.9, "top_p": 0.95, "min_p": 0.05, "presence_penalty": 0.5,
        "logit_bias": [(3, 1.5)], "on_logprobs": lambda row, pairs: None, "logprobs": 20,
    },
}  # fmt: skip


def sampling(options, *lengths):
    prompts = [[0] * length for length in lengths]
    return lambda model: model.generate_batch(prompts, 2, seed=7, **options)


ONE_TEXT = [(f"prompt of {length}", continuing(length)) for length in PROMPTS]
ONE_TEXT += [("scores of 70", lambda model: model.logits([0] * 70))]


def several(batch):
    """Prompts of unlike lengths, as many as there is room for and fewer."""
    rows = lambda count: [3 + row % 5 for row in range(count)]
    return [(f"{count} rows", continuing(*rows(count))) for count in sorted({batch, batch // 2 + 1})]


def record(one_in=1):
    """Of so many pipelines one, beside the samplers."""
    recorder = Recorder()
    texts = lambda *lengths: [(name, sampling(options, *lengths)) for name, options in SAMPLERS.items()]
    with tempfile.TemporaryDirectory() as folder:
        for title, path, options, batches in itertools.islice(cases(pathlib.Path(folder)), 0, None, one_in):
            for machine in MACHINES:
                recorder.run(title, path, machine, options, 1, ONE_TEXT)
                for batch in batches:
                    recorder.run(title, path, machine, options, batch, several(batch))
        path = write_model(pathlib.Path(folder), HEADS_OF_64, "F16")
        for machine in MACHINES:
            recorder.run("samplers", path, machine, {}, 1, texts(7))
            recorder.run("samplers", path, machine, {}, 8, texts(3, 9, 1))
    return "\n".join(recorder.lines) + "\n"


@functools.cache
def recorded():
    return lzma.decompress(RECORD.read_bytes()).decode()


if __name__ == "__main__":
    if sys.argv[1:]:
        pathlib.Path(sys.argv[1]).write_text(record())
    else:
        RECORD.write_bytes(lzma.compress(record().encode(), preset=9 | lzma.PRESET_EXTREME))
