"""The compact convolutional transformer in plain PyTorch, with the names of the package compact-transformers."""

import itertools

import torch
from torch import nn as tn
from torch.nn import functional


class Tokenizer(tn.Module):
    def __init__(self, channels, n_layers, kernel):
        super().__init__()
        sizes = [3, *[16] * (n_layers - 1), channels]
        self.conv_layers = tn.Sequential(
            *(
                tn.Sequential(
                    tn.Conv2d(before, after, kernel, max(1, kernel // 2 - 1), kernel // 2, bias=False),
                    tn.ReLU(),
                    tn.MaxPool2d(3, 2, 1),
                )
                for before, after in itertools.pairwise(sizes)
            )
        )

    def forward(self, x):
        return self.conv_layers(x).flatten(2).transpose(1, 2)


class Attention(tn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.qkv = tn.Linear(channels, 3 * channels, bias=False)
        self.proj = tn.Linear(channels, channels)

    def forward(self, x):
        n, tokens, channels = x.shape
        parts = self.qkv(x).reshape(n, tokens, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = parts
        shares = (q @ k.transpose(-2, -1) * (channels // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((shares @ v).transpose(1, 2).reshape(n, tokens, channels))


class Block(tn.Module):
    def __init__(self, channels, heads, hidden):
        super().__init__()
        self.pre_norm = tn.LayerNorm(channels)
        self.self_attn = Attention(channels, heads)
        self.linear1, self.linear2 = tn.Linear(channels, hidden), tn.Linear(hidden, channels)
        self.norm1 = tn.LayerNorm(channels)

    def forward(self, x):
        x = self.norm1(x + self.self_attn(self.pre_norm(x)))
        return x + self.linear2(functional.gelu(self.linear1(x)))


class Classifier(tn.Module):
    def __init__(self, channels, heads, hidden, blocks, n_tokens, n_labels):
        super().__init__()
        self.attention_pool = tn.Linear(channels, 1)
        self.positional_emb = tn.Parameter(0.2 * torch.randn(1, n_tokens, channels))
        self.blocks = tn.ModuleList(Block(channels, heads, hidden) for _ in range(blocks))
        self.norm = tn.LayerNorm(channels)
        self.fc = tn.Linear(channels, n_labels)

    def forward(self, x):
        x = x + self.positional_emb
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.fc((self.attention_pool(x).softmax(dim=1).transpose(-1, -2) @ x).squeeze(-2))


class CCT(tn.Module):
    """CCT on images of 3 channels; `cct_7_3x1_32` has 256 channels, 4 heads, 512 hidden nodes and 7 blocks."""

    def __init__(self, size, channels, heads, hidden, blocks, n_layers, kernel, n_labels):
        super().__init__()
        self.tokenizer = Tokenizer(channels, n_layers, kernel)
        with torch.no_grad():
            n_tokens = self.tokenizer(torch.zeros(1, 3, size, size)).shape[1]
        self.classifier = Classifier(channels, heads, hidden, blocks, n_tokens, n_labels)

    def forward(self, x):
        return self.classifier(self.tokenizer(x))
