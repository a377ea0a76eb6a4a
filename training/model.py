"""GPT-2 and Llama in PyTorch.

Names of GPT-2's parameters are those of Hugging Face's `GPT2LMHeadModel` without the prefix
`transformer.`; linear weights are stored [out, in] here and [in, out] there. Shapes: B batch,
T tokens, C channels, nh heads, nkv key-value heads, hs head size, V vocabulary.
Llama turns adjacent pairs of q and k by rope, in the order that GGUF files have.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

HEAD_SIZE = 64
ROPE_BASE = 10000.0
RMS_EPSILON = 1e-5


@dataclass
class Config:
    layers: int = 8
    channels: int = 256
    context: int = 512
    vocabulary: int = 4096
    dropout: float = 0.0
    architecture: str = "gpt2"
    kv_heads: int = 0  # Llama; 0: as many as heads
    inner: int = 0  # Llama's MLP; 0: 8/3 of the channels, rounded up to 32s

    def __post_init__(self):
        self.kv_heads = self.kv_heads or self.channels // HEAD_SIZE
        self.inner = self.inner or -(-8 * self.channels // 3 // 32) * 32


def causal_attention(q, k, v, dropout):
    """softmax(q kᵀ / √hs) v, position t seeing 0..t; q, k, v and the result [B, nh, T, hs]."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
    T, hs = q.shape[-2:]
    scores = q @ k.transpose(-2, -1) / hs**0.5
    later = torch.ones(T, T, dtype=torch.bool, device=q.device).triu(1)
    return F.dropout(scores.masked_fill(later, float("-inf")).softmax(-1), dropout) @ v


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_attn = nn.Linear(config.channels, 3 * config.channels)
        self.c_proj = nn.Linear(config.channels, config.channels)
        self.dropout = config.dropout

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, C // HEAD_SIZE, HEAD_SIZE).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2)
        )
        y = causal_attention(q, k, v, self.dropout if self.training else 0.0)
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.channels, 4 * config.channels)
        self.c_proj = nn.Linear(4 * config.channels, config.channels)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.channels)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.channels)
        self.mlp = MLP(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        x = x + self.drop(self.attn(self.ln_1(x)))
        return x + self.drop(self.mlp(self.ln_2(x)))


class GPT2(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocabulary, config.channels)
        self.wpe = nn.Embedding(config.context, config.channels)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.channels)
        self.apply(self._initialise)
        for block in self.h:  # two sums into the residual stream per layer: keep its variance at 1
            for projection in (block.attn.c_proj, block.mlp.c_proj):
                nn.init.normal_(projection.weight, std=0.02 / (2 * config.layers) ** 0.5)

    @staticmethod
    def _initialise(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, ids):
        """ids [B, T] -> logits [B, T, V]."""
        x = self.drop(self.wte(ids) + self.wpe.weight[: ids.shape[1]])
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


class RMSNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        scale = x.float().square().mean(-1, keepdim=True).add(RMS_EPSILON).rsqrt()
        return (x.float() * scale).type_as(x) * self.weight


def rope(x):
    """x [B, n, T, hs], each adjacent pair turned by t · base^(−2i/hs)."""
    T, hs = x.shape[-2:]
    speed = ROPE_BASE ** (-torch.arange(0, hs, 2, device=x.device, dtype=torch.float32) / hs)
    angle = torch.arange(T, device=x.device, dtype=torch.float32)[:, None] * speed
    cos, sin = angle.cos(), angle.sin()
    a, b = x.float().unflatten(-1, (hs // 2, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).type_as(x)


class LlamaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, kv = config.channels, config.kv_heads * HEAD_SIZE
        self.repeats = C // kv
        self.attn_norm, self.ffn_norm = RMSNorm(C), RMSNorm(C)
        self.attn_q = nn.Linear(C, C, bias=False)
        self.attn_k = nn.Linear(C, kv, bias=False)
        self.attn_v = nn.Linear(C, kv, bias=False)
        self.attn_output = nn.Linear(C, C, bias=False)
        self.ffn_gate = nn.Linear(C, config.inner, bias=False)
        self.ffn_up = nn.Linear(C, config.inner, bias=False)
        self.ffn_down = nn.Linear(config.inner, C, bias=False)
        self.drop = nn.Dropout(config.dropout)

    def attend(self, x):
        B, T, C = x.shape
        projections = (self.attn_q, self.attn_k, self.attn_v)
        q, k, v = (f(x).view(B, T, -1, HEAD_SIZE).transpose(1, 2) for f in projections)
        k, v = (part.repeat_interleave(self.repeats, 1) for part in (rope(k), v))
        y = causal_attention(rope(q), k, v, self.drop.p if self.training else 0.0)
        return self.attn_output(y.transpose(1, 2).reshape(B, T, C))

    def forward(self, x):
        x = x + self.drop(self.attend(self.attn_norm(x)))
        inner = self.ffn_norm(x)
        return x + self.drop(self.ffn_down(F.silu(self.ffn_gate(inner)) * self.ffn_up(inner)))


class Llama(nn.Module):
    """RMSNorm, rope, grouped-query attention, SiLU-gated MLP, tied output."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocabulary, config.channels)
        self.h = nn.ModuleList(LlamaBlock(config) for _ in range(config.layers))
        self.output_norm = RMSNorm(config.channels)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
        for block in self.h:
            for projection in (block.attn_output, block.ffn_down):
                nn.init.normal_(projection.weight, std=0.02 / (2 * config.layers) ** 0.5)

    def forward(self, ids):
        """ids [B, T] -> logits [B, T, V]."""
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return self.output_norm(x) @ self.wte.weight.T


def make_model(config):
    return {"gpt2": GPT2, "llama": Llama}[config.architecture](config)
