"""GPT-2 and Llama models as GGUF files, tokenizer inside.

Keys, names and types are those that llama.cpp's converter writes: in a q8_0 file the
position embedding and all vectors stay float32.
"""

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from model import HEAD_SIZE, RMS_EPSILON, ROPE_BASE, Config, make_model

GGUF_NAMES = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "ln_1": "attn_norm",
    "ln_2": "ffn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
KEPT_FLOAT = ("position_embd.weight",)


def gguf_name(name):
    """`h.3.mlp.c_fc.weight` -> `blk.3.ffn_up.weight`; Llama's modules bear GGUF's names."""
    module, kind = name.rsplit(".", 1)
    if module.startswith("h."):
        _, layer, module = module.split(".", 2)
        return f"blk.{layer}.{GGUF_NAMES.get(module, module)}.{kind}"
    return f"{GGUF_NAMES.get(module, module)}.{kind}"


def write_gguf(path, config, weights, tokens, merges, quantised):
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(path, config.architecture)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("Tales")
    writer.add_description("Trained from scratch on short stories for children")
    writer.add_license("mit")
    writer.add_languages(["en"])
    writer.add_tags(["text-generation"])
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.channels)
    writer.add_head_count(config.channels // HEAD_SIZE)
    if config.architecture == "llama":
        writer.add_feed_forward_length(config.inner)
        writer.add_head_count_kv(config.kv_heads)
        writer.add_layer_norm_rms_eps(RMS_EPSILON)
        writer.add_rope_dimension_count(HEAD_SIZE)
        writer.add_rope_freq_base(ROPE_BASE)
        writer.add_vocab_size(config.vocabulary)
    else:
        writer.add_feed_forward_length(4 * config.channels)
        writer.add_layer_norm_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantised else gguf.LlamaFileType.ALL_F32)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (len(tokens) - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_unk_token_id(len(tokens) - 1)

    for name, w in weights.items():
        name = gguf_name(name)
        if quantised and w.ndim == 2 and name not in KEPT_FLOAT:
            writer.add_tensor(name, gguf.quants.quantize(w, q8_0), raw_dtype=q8_0)
        else:
            writer.add_tensor(name, w)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path):
    """The model of a GGUF file in float32, its matrices dequantised; ready for evaluation."""
    reader = gguf.GGUFReader(path)

    def value(key):
        return reader.get_field(key).contents()

    architecture = value("general.architecture")
    config = Config(
        layers=value(f"{architecture}.block_count"),
        channels=value(f"{architecture}.embedding_length"),
        context=value(f"{architecture}.context_length"),
        vocabulary=len(value("tokenizer.ggml.tokens")),
        architecture=architecture,
    )
    if architecture == "llama":
        config.kv_heads = value("llama.attention.head_count_kv")
        config.inner = value("llama.feed_forward_length")
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    model = make_model(config)
    model.load_state_dict({name: torch.from_numpy(tensors[gguf_name(name)].copy()) for name in model.state_dict()})
    return model.eval()


def read_gguf_vocabulary(path):
    """The tokens of a GGUF file in the order of their ids, the merges (pairs) in that of ranks."""
    reader = gguf.GGUFReader(path)
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    merges = [tuple(merge.split(" ")) for merge in reader.get_field("tokenizer.ggml.merges").contents()]
    return tokens, merges


def read_gguf_tokenizer(path):
    """The tokenizer of a GGUF file, whose last token is `<|endoftext|>`, for Hugging Face."""
    tokens, merges = read_gguf_vocabulary(path)
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(tokens[-1])])
    return tokenizer
