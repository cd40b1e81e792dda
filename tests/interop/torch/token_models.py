"""What transformers are built of, in small: images (N, 1, 16, 16) or tokens (N, 6) to 5 labels."""

import torch
from torch import nn as tn

N_LABELS, WIDTH, HEADS, TOKENS, VOCABULARY = 5, 8, 2, 6, 11


class Attention(tn.Module):
    """As timm's: queries, keys and values in one layer; as its former one where it is not fused."""

    def __init__(self, n=WIDTH, heads=HEADS, fused=True):
        super().__init__()
        self.num_heads, self.head_dim, self.fused = heads, n // heads, fused
        self.qkv, self.proj = tn.Linear(n, 3 * n), tn.Linear(n, n)

    def forward(self, x):
        n, t, c = x.shape
        depth = self.head_dim if self.fused else c // self.num_heads
        q, k, v = self.qkv(x).reshape(n, t, 3, self.num_heads, depth).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            x = tn.functional.scaled_dot_product_attention(q, k, v)
        else:
            x = (q @ k.transpose(-2, -1) / depth**0.5).softmax(-1) @ v
        return self.proj(x.transpose(1, 2).flatten(2))


class Block(tn.Module):
    def __init__(self, attention):
        super().__init__()
        self.norm1, self.attn, self.norm2 = tn.LayerNorm(WIDTH), attention, tn.LayerNorm(WIDTH)
        self.fc1, self.act, self.fc2 = tn.Linear(WIDTH, 12), tn.GELU(), tn.Linear(12, WIDTH)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class ViT(tn.Module):
    """A class token, two blocks, one with the attention spelled out."""

    def __init__(self):
        super().__init__()
        self.patches = tn.Conv2d(1, WIDTH, 4, 4)
        self.token, self.positions = (
            tn.Parameter(torch.zeros(1, 1, WIDTH)),
            tn.Parameter(torch.randn(1, 17, WIDTH)),
        )
        self.blocks = tn.Sequential(Block(Attention()), Block(Attention(fused=False)))
        self.norm, self.head = tn.LayerNorm(WIDTH), tn.Linear(WIDTH, N_LABELS)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class Windows(tn.Module):
    """As Swin: windows are put beside the inputs of the batch, and taken apart again."""

    def __init__(self):
        super().__init__()
        self.patches, self.norm, self.attn = (
            tn.Conv2d(1, WIDTH, 2, 2),
            tn.LayerNorm(WIDTH),
            Attention(fused=False),
        )
        self.merge, self.head = tn.Linear(4 * WIDTH, 6), tn.Linear(6, N_LABELS)

    def forward(self, x):
        x = self.patches(x).permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        y = self.norm(x).view(n, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 16, c)
        y = self.attn(y).view(n, h // 4, w // 4, 4, 4, c).transpose(2, 3).reshape(n, h, w, c)
        x = (x + y).reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).flatten(3)
        return self.head(self.merge(x).mean((1, 2)))


class Encoder(tn.Module):
    """Tokens through PyTorch's own encoder layer, whose attention uses weights without calling their layers."""

    def __init__(self, batch_first=True):
        super().__init__()
        self.words, self.batch_first = tn.Embedding(VOCABULARY, WIDTH), batch_first
        self.layer = tn.TransformerEncoderLayer(WIDTH, HEADS, 12, batch_first=batch_first, norm_first=True)
        self.norm, self.score = tn.LayerNorm(WIDTH), tn.Linear(WIDTH, N_LABELS)

    def forward(self, input_ids, attention_mask=None):
        x = self.words(input_ids)
        padding = None if attention_mask is None else attention_mask == 0
        x = x if self.batch_first else x.transpose(0, 1)
        x = self.layer(x, src_key_padding_mask=padding)
        x = x if self.batch_first else x.transpose(0, 1)
        return {"loss": None, "logits": self.score(self.norm(x).mean(1))}


class Conv1D(tn.Module):
    """As transformers': a linear layer whose weight is (in, out)."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight, self.bias = tn.Parameter(torch.randn(nx, nf) / nx**0.5), tn.Parameter(torch.zeros(nf))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], self.nf)


class Causal(tn.Module):
    """As GPT-2: transposed weights, causal attention, a tuple as output, chosen from those of all tokens."""

    def __init__(self, score_all=False):
        super().__init__()
        self.score_all = score_all
        self.wte, self.ln = tn.Embedding(VOCABULARY, WIDTH), tn.LayerNorm(WIDTH)
        self.c_attn, self.c_proj = Conv1D(3 * WIDTH, WIDTH), Conv1D(WIDTH, WIDTH)
        self.split_size, self.head_dim = WIDTH, WIDTH // HEADS
        self.end, self.score = tn.LayerNorm(WIDTH), tn.Linear(WIDTH, N_LABELS, bias=False)

    def forward(self, ids):
        x = self.wte(ids.view(-1, ids.shape[-1]))
        shape = (*x.shape[:-1], -1, self.head_dim)
        parts = self.c_attn(self.ln(x)).split(self.split_size, dim=2)
        q, k, v = (part.view(shape).transpose(1, 2) for part in parts)
        y = tn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        x = x + self.c_proj(y.flatten(2))
        if self.score_all:
            return self.score(self.end(x))[torch.arange(len(x)), ids.argmax(-1)], None
        return self.score(self.end(x)[:, -1]), None


class Sequence(tn.Module):
    """Convolutions along a sequence (N, 2, 16)."""

    def __init__(self):
        super().__init__()
        self.first, self.act = tn.Conv1d(2, 4, 3, padding=1), tn.ReLU()
        self.second, self.pool = (
            tn.Conv1d(4, 3, 3, stride=2, padding=1, padding_mode="circular"),
            tn.MaxPool1d(2),
        )
        self.head = tn.Linear(12, N_LABELS, bias=False)

    def forward(self, x):
        return self.head(torch.relu(self.pool(self.second(self.act(self.first(x))))).flatten(1))
