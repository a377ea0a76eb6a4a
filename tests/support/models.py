"""Random GPT-2 models in every format that can be opened: the material of whole-model tests.

A model is a Config and a dict of float32 arrays under Hugging Face's names of GPT2Model
("wte.weight", "h.0.attn.c_attn.weight" …). Conv1D weights are [in, out], as transformers holds
them: y = x @ weight + bias. An untied model has "lm_head.weight" [vocabulary, channels] too.

    config = Config(layers=2, heads=3, channels=48, vocabulary=300)
    tensors = random_gpt2(config, random)
    write_gguf("model.gguf", config, tensors, type="Q8_0", tokenizer=small_tokenizer(300))
"""

import dataclasses
import json
import pathlib
import struct

import gguf
import numpy
import safetensors

import k_quants


@dataclasses.dataclass(frozen=True)
class Config:
    """The sizes and switches of a GPT-2 model."""

    layers: int = 2
    heads: int = 2
    channels: int = 64
    context: int = 32
    vocabulary: int = 300
    inner: int = 0  # 0: 4 * channels
    epsilon: float = 1e-5
    scale_attention: bool = True
    scale_by_layer: bool = False
    tied: bool = True

    @property
    def feed_forward(self):
        return self.inner or 4 * self.channels


def shapes(config):
    """The shape of every tensor, by name, in Hugging Face's layout."""
    channels, inner = config.channels, config.feed_forward
    layer = {
        "ln_1.weight": (channels,),
        "ln_1.bias": (channels,),
        "attn.c_attn.weight": (channels, 3 * channels),
        "attn.c_attn.bias": (3 * channels,),
        "attn.c_proj.weight": (channels, channels),
        "attn.c_proj.bias": (channels,),
        "ln_2.weight": (channels,),
        "ln_2.bias": (channels,),
        "mlp.c_fc.weight": (channels, inner),
        "mlp.c_fc.bias": (inner,),
        "mlp.c_proj.weight": (inner, channels),
        "mlp.c_proj.bias": (channels,),
    }
    result = {
        "wte.weight": (config.vocabulary, channels),
        "wpe.weight": (config.context, channels),
        "ln_f.weight": (channels,),
        "ln_f.bias": (channels,),
    }
    for i in range(config.layers):
        result |= {f"h.{i}.{name}": shape for name, shape in layer.items()}
    if not config.tied:
        result["lm_head.weight"] = (config.vocabulary, channels)
    return result


def random_gpt2(config, random, std=0.3):
    """Every parameter drawn at random: norm weights round 1, everything else round 0."""
    tensors = {}
    for name, shape in shapes(config).items():
        mean = 1.0 if ".ln_" in "." + name and name.endswith("weight") else 0.0
        tensors[name] = random.normal(mean, std, shape).astype(numpy.float32)
    return tensors


def is_conv1d(name):
    """Whether Hugging Face stores this tensor as [in, out], the transpose of the other formats."""
    return name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))


def out_in(name, array):
    """A tensor of random_gpt2 in the layout [out, in] that GGUF and llm.c store."""
    return numpy.ascontiguousarray(array.T) if is_conv1d(name) else array


# --- stored types ---


# Weights of a block, of the formats that store blocks; in the order of TensorType (src/checkpoint/tensor.h).
BLOCKS = {type: gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type]][0] for type in [
    "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", *k_quants.QUANTISERS
]}  # fmt: skip

# All that TensorType has, in its order.
TYPES = ["F32", "F16", "BF16", *BLOCKS]


def quantise(array, type):
    """The bytes of an array as GGUF stores it in `type` ("F32", "BF16", "Q4_0" …)."""
    if type in k_quants.QUANTISERS:
        return k_quants.quantise(array, type)
    if type in ("F32", "F16"):
        return array.astype({"F32": numpy.float32, "F16": numpy.float16}[type]).view(numpy.uint8)
    return gguf.quants.quantize(array, gguf.GGMLQuantizationType[type]).view(numpy.uint8)


def dequantise(data, type):
    """The reverse of quantise: bytes to float32 values."""
    return gguf.quants.dequantize(data, gguf.GGMLQuantizationType[type])


def rounded(array, type):
    """What is left of an array after it was stored as `type`."""
    return dequantise(quantise(array, type), type).reshape(array.shape)


# --- a small tokenizer ---

SAMPLE = """
The meaning of life is not a thing that one finds, it is a thing that one makes, and
then makes again. In the morning the light came over the hills and the people of the
town went down to the river, where the water was cold and the stones were white; they
said little, and they sang while they were working. It's what we've always done, they'll
tell you, and there's nothing more to it than that.
"""


def printable_bytes():
    """GPT-2's printable letter for each of the 256 bytes, in the order of its first 256 ids."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(256 + i) for i, byte in enumerate(other)}
    return {byte: letters[byte] for byte in plain + other}


def most_frequent_pair(words, known):
    counts = {}
    for word in words:
        for pair in zip(word, word[1:]):
            if pair[0] + pair[1] not in known:
                counts[pair] = counts.get(pair, 0) + 1
    return max(counts, key=lambda pair: (counts[pair], pair)) if counts else None


def merged(word, pair):
    parts, i = [], 0
    while i < len(word):
        joined = tuple(word[i : i + 2]) == pair
        parts.append(word[i] + word[i + 1] if joined else word[i])
        i += 1 + joined
    return parts


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """tokens: printable texts by id, the last of them <|endoftext|>; merges: pairs, best first."""

    tokens: list
    merges: list

    @property
    def end_of_text(self):
        return len(self.tokens) - 1


def small_tokenizer(vocabulary):
    """A byte-level BPE tokenizer of exactly `vocabulary` (at least 257) tokens, trained on SAMPLE
    for as long as that brings new pairs."""
    letters = printable_bytes()
    tokens, merges = list(letters.values()), []
    words = [[letters[byte] for byte in f" {word}".encode()] for word in SAMPLE.split()]
    spare = ((a, b) for a in letters.values() for b in letters.values())
    while len(tokens) < vocabulary - 1:
        pair = most_frequent_pair(words, set(tokens))
        if pair is None:
            pair = next(pair for pair in spare if pair[0] + pair[1] not in tokens)
        words = [merged(word, pair) for word in words]
        tokens.append(pair[0] + pair[1])
        merges.append(pair)
    return Tokenizer(tokens + ["<|endoftext|>"], merges)


def token_bytes(tokenizer):
    """The bytes that each token stands for."""
    byte = {letter: value for value, letter in printable_bytes().items()}
    plain = [bytes(byte[letter] for letter in token) for token in tokenizer.tokens[:-1]]
    return plain + [tokenizer.tokens[-1].encode()]


# --- Hugging Face ---


def config_json(config):
    """config.json as transformers writes it."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "n_embd": config.channels,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_positions": config.context,
        "n_inner": config.inner or None,
        "layer_norm_epsilon": config.epsilon,
        "vocab_size": config.vocabulary,
        "scale_attn_weights": config.scale_attention,
        "scale_attn_by_inverse_layer_idx": config.scale_by_layer,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
        "tie_word_embeddings": config.tied,
        "bos_token_id": config.vocabulary - 1,
        "eos_token_id": config.vocabulary - 1,
    }


def write_safetensors(path, tensors, dtype="F32"):
    """A .safetensors file of float32 arrays stored as `dtype` (F32, F16 or BF16)."""
    long_name = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[dtype]
    stored = {name: quantise(array, dtype) for name, array in tensors.items()}
    specs = {
        name: safetensors.TensorSpec(
            dtype=long_name,
            shape=tensors[name].shape,
            data_ptr=data.ctypes.data,
            data_len=data.nbytes,
        )
        for name, data in stored.items()
    }
    safetensors.serialize_file(specs, str(path), {"format": "pt"})


def write_huggingface(folder, config, tensors, dtype="F32", shards=1, prefix=True, tokenizer=None, settings={}):
    """A folder as save_pretrained writes it: of GPT2LMHeadModel, or without `prefix` of GPT2Model.
    `settings` replaces entries of config.json."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(config) | settings, indent=2))
    long = lambda name: name if not prefix or name == "lm_head.weight" else f"transformer.{name}"
    tensors = {long(name): array for name, array in tensors.items()}
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, dtype)
    else:
        write_shards(folder, tensors, dtype, shards)
    if tokenizer:
        write_vocabulary(folder, tokenizer)
    return folder


def write_shards(folder, tensors, dtype, shards):
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[i::shards])
        write_safetensors(folder / file, part, dtype)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def write_vocabulary(folder, tokenizer):
    """vocab.json and merges.txt."""
    ids = {token: id for id, token in enumerate(tokenizer.tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in tokenizer.merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- GGUF ---

GGUF_NAMES = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "lm_head": "output",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def gguf_name(name):
    """ "h.0.ln_1.weight" → "blk.0.attn_norm.weight" """
    *module, kind = name.split(".")
    prefix = ""
    if module[0] == "h":
        prefix, module = f"blk.{module[1]}.", module[2:]
    return f"{prefix}{GGUF_NAMES['.'.join(module)]}.{kind}"


def gguf_type(name, array, type, types={}):
    """The type in which llama.cpp stores a tensor of a `type` file: norms, biases and position
    embedding as F32, matrices as `type`. `types` has exceptions, by GGUF name."""
    plain = "F32" if array.ndim == 1 or name == "wpe.weight" else type
    return types.get(gguf_name(name), plain)


def gguf_rounded(tensors, type, types={}):
    """What is left of the tensors of a model after write_gguf with the same types."""
    result = {}
    for name, array in tensors.items():
        stored = rounded(out_in(name, array), gguf_type(name, array, type, types))
        result[name] = out_in(name, stored)
    return result


def write_gguf(path, config, tensors, type="F32", types={}, tokenizer=None, version=3, keys=None, alignment=32):
    """A GGUF file with the keys of llama.cpp's conversion. `types` stores some tensors in types of
    their own, by GGUF name; `keys`, a function, adds to or changes the writer's key-value pairs."""
    writer = gguf.GGUFWriter(None, "gpt2")
    writer.add_name("random gpt2")
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.channels)
    writer.add_feed_forward_length(config.feed_forward)
    writer.add_head_count(config.heads)
    writer.add_layer_norm_eps(config.epsilon)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    if tokenizer:
        add_gguf_tokenizer(writer, tokenizer, len(tensors["wte.weight"]))
    if keys:
        keys(writer)
    for name, array in tensors.items():
        stored = gguf_type(name, array, type, types)
        data = quantise(out_in(name, array), stored)
        writer.add_tensor(gguf_name(name), data, raw_dtype=gguf.GGMLQuantizationType[stored])
    finish_gguf(writer, path)
    with open(path, "r+b") as file:  # versions 2 and 3 differ in nothing else
        file.seek(4)
        file.write(struct.pack("<I", version))
    return path


def finish_gguf(writer, path):
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_gguf_tokenizer(writer, tokenizer, vocabulary):
    """The tokenizer's keys; ids that it leaves over are marked as unused, as llama.cpp does."""
    used = len(tokenizer.tokens)
    unused = [f"[PAD{id}]" for id in range(used, vocabulary)]
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    types = [normal] * (used - 1) + [control] + [gguf.TokenType.UNUSED] * len(unused)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokenizer.tokens + unused)
    writer.add_token_types(types)
    writer.add_token_merges([f"{left} {right}" for left, right in tokenizer.merges])
    writer.add_bos_token_id(tokenizer.end_of_text)
    writer.add_eos_token_id(tokenizer.end_of_text)


# --- llm.c ---


def llmc_order(config):
    """The names of a model's tensors in the order in which llm.c writes them."""
    layer = [name.removeprefix("h.0.") for name in shapes(config) if name.startswith("h.0.")]
    layers = [f"h.{i}.{name}" for name in layer for i in range(config.layers)]
    return ["wte.weight", "wpe.weight", *layers, "ln_f.weight", "ln_f.bias"]


def write_llmc(path, config, tensors, version=3, tokenizer=None, padding=128):
    """A model file of version 3 (float32) or 5 (bfloat16), its vocabulary padded with zeros to a
    multiple of `padding`, and gpt2_tokenizer.bin beside it. The model must be tied, its inner size
    4 * channels and its epsilon 1e-5: the format has no fields for them."""
    type = {3: "F32", 5: "BF16"}[version]
    padded = -(-config.vocabulary // padding) * padding
    sizes = [
        config.context,
        config.vocabulary,
        config.layers,
        config.heads,
        config.channels,
        padded,
    ]
    with open(path, "wb") as file:
        file.write(struct.pack("<256i", 20240326, version, *sizes, *[0] * 248))
        for name in llmc_order(config):
            array = out_in(name, tensors[name])
            if name == "wte.weight":
                array = numpy.pad(array, ((0, padded - len(array)), (0, 0)))
            file.write(quantise(array, type).tobytes())
    if tokenizer:
        write_llmc_tokenizer(pathlib.Path(path).with_name("gpt2_tokenizer.bin"), tokenizer)
    return path


def write_llmc_tokenizer(path, tokenizer):
    """gpt2_tokenizer.bin: a header, then each token's length in a byte and its bytes."""
    with open(path, "wb") as file:
        header = [20240328, 2, len(tokenizer.tokens), tokenizer.end_of_text]
        file.write(struct.pack("<256i", *header, *[0] * 252))
        for token in token_bytes(tokenizer):
            file.write(bytes([len(token)]) + token)


# --- a model whose text is known ---


def write_reciter(path, script, tokenizer, start=0, context=128, poison=None):
    """A GGUF model that recites the tokens of a script, one at each position from `start` + 1 on,
    whatever comes before: the position embedding is one-hot, the layers add nothing, and the output
    turns each position into the token that follows. From position `poison` on it computes NaN."""
    vocabulary = len(tokenizer.tokens)
    config = Config(
        layers=1,
        heads=max(2, context // 128),
        channels=context,
        inner=64,
        context=context,
        vocabulary=vocabulary,
        tied=False,
    )
    tensors = {name: numpy.zeros(shape, numpy.float32) for name, shape in shapes(config).items()}
    tensors["wpe.weight"] = numpy.eye(context, dtype=numpy.float32)
    if poison is not None:
        tensors["wpe.weight"][poison] = numpy.nan
    tensors["ln_f.weight"][:] = 1
    for position, token in enumerate(script[: context - start], start):
        tensors["lm_head.weight"][token, position] = 1
    return write_gguf(path, config, tensors, tokenizer=tokenizer)
