"""Writes a checkpoint as files that other programs open.

    python export.py CHECKPOINT TOKENIZER_JSON OUT_DIR

writes OUT_DIR/hf/ (Hugging Face: config.json, model.safetensors in float32, tokenizer.json,
vocab.json, merges.txt …), OUT_DIR/tales-f32.gguf and OUT_DIR/tales.gguf, whose matrices are q8_0.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from evaluate import load_model
from gguf_file import write_gguf
from model import HEAD_SIZE, RMS_EPSILON, ROPE_BASE

END_OF_TEXT = "<|endoftext|>"
LINEAR = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def read_tokenizer(path):
    """The tokens in the order of their ids, and the merges as pairs in the order of their ranks."""
    tokenizer = json.loads(path.read_text())
    vocabulary = {**tokenizer["model"]["vocab"], END_OF_TEXT: len(tokenizer["model"]["vocab"])}
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = [m.split(" ") if isinstance(m, str) else m for m in tokenizer["model"]["merges"]]
    assert [vocabulary[token] for token in tokens] == list(range(len(tokens)))
    assert tokens[256:-1] == ["".join(merge) for merge in merges], "an id is 256 + the rank of its merge"
    return tokens, merges


LLAMA_NAMES = {
    "wte": "embed_tokens",
    "output_norm": "norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def gpt2_settings(config):
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_positions": config.context,
        "n_ctx": config.context,
        "n_embd": config.channels,
        "n_layer": config.layers,
        "n_head": config.channels // HEAD_SIZE,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
    }


def llama_settings(config):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "max_position_embeddings": config.context,
        "hidden_size": config.channels,
        "intermediate_size": config.inner,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.channels // HEAD_SIZE,
        "num_key_value_heads": config.kv_heads,
        "head_dim": HEAD_SIZE,
        "hidden_act": "silu",
        "rms_norm_eps": RMS_EPSILON,
        "rope_theta": ROPE_BASE,
    }


def gpt2_tensor(name, w):
    return f"transformer.{name}", np.ascontiguousarray(w.T) if name.endswith(LINEAR) else w


def llama_tensor(name, w):
    """Hugging Face turns the halves of a head, not its adjacent pairs: rows change their places."""
    *layer, module, kind = name.split(".")
    if module in ("attn_q", "attn_k"):
        w = w.reshape(-1, HEAD_SIZE // 2, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)
    layer = ["layers", layer[1]] if layer else []
    return ".".join(["model", *layer, LLAMA_NAMES[module], kind]), np.ascontiguousarray(w)


def write_hugging_face(folder, config, weights, tokens, merges, tokenizer_json):
    folder.mkdir(parents=True, exist_ok=True)
    end_of_text = len(tokens) - 1
    of_architecture, tensor = {
        "gpt2": (gpt2_settings, gpt2_tensor),
        "llama": (llama_settings, llama_tensor),
    }[config.architecture]
    settings = {
        **of_architecture(config),
        "vocab_size": len(tokens),
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }
    special = {f"{role}_token": END_OF_TEXT for role in ("bos", "eos", "unk")}
    tokenizer_settings = {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "model_max_length": config.context,
        **special,
    }
    for name, content in {
        "config.json": settings,
        "generation_config.json": {"bos_token_id": end_of_text, "eos_token_id": end_of_text},
        "special_tokens_map.json": special,
        "tokenizer_config.json": tokenizer_settings,
        "vocab.json": {token: id for id, token in enumerate(tokens)},
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    merge_lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(merge_lines) + "\n")
    (folder / "tokenizer.json").write_text(tokenizer_json.read_text())
    tensors = dict(tensor(name, w) for name, w in weights.items())
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()

    model = load_model(args.checkpoint)
    weights = {name: p.detach().float().numpy() for name, p in model.state_dict().items()}
    tokens, merges = read_tokenizer(args.tokenizer)
    write_hugging_face(args.out / "hf", model.config, weights, tokens, merges, args.tokenizer)
    write_gguf(args.out / "tales-f32.gguf", model.config, weights, tokens, merges, quantised=False)
    write_gguf(args.out / "tales.gguf", model.config, weights, tokens, merges, quantised=True)


if __name__ == "__main__":
    main()
