"""GPT-2 in PyTorch.

Names of the parameters are those of Hugging Face's `GPT2LMHeadModel` without the prefix
`transformer.`; linear weights are stored [out, in] here and [in, out] there. Shapes: B batch,
T tokens, C channels, nh heads, hs head size, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

HEAD_SIZE = 64


@dataclass
class Config:
    layers: int = 8
    channels: int = 256
    context: int = 512
    vocabulary: int = 4096
    dropout: float = 0.0


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
            part.view(B, T, C // HEAD_SIZE, HEAD_SIZE).transpose(1, 2)
            for part in self.c_attn(x).split(C, dim=2)
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
