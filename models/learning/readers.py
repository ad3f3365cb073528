"""What a network makes of a text: the mean of its tokens, or what attention finds in its words."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from models.onnx.texts import BUCKETS, WORDS


class MeanOfTokens(nn.Module):
    """The mean of the embeddings of a text's tokens, times the root of their number.

    A mean alone fades where tokens are many, and is learned too slowly. Of a text without any, zeros.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = _table(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Numbers of tokens int [n, T], 0 for none -> float32 [n, width]."""
        count = (tokens > 0).sum(1, keepdim=True).clamp(min=1)
        total: Tensor = self.table(tokens).sum(1)
        return total / count.sqrt()


class Attention(nn.Module):
    """A small transformer: Vaswani et al., "Attention is all you need" (2017), normalised first.

    It reads the words in their order after a first place that is every text's, and of which what
    comes out is taken.
    """

    def __init__(self, width: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.table = _table(width)
        self.first = nn.Parameter(torch.randn(1, 1, width) * 0.05)
        self.places = nn.Parameter(torch.randn(WORDS + 1, width) * 0.05)
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, words: Tensor) -> Tensor:
        """Numbers of words int [n, W], 0 behind the last -> float32 [n, width]."""
        rows = words.shape[0]
        found = self.table(words) + self.places[: words.shape[1]]
        found = torch.cat([self.first.expand(rows, -1, -1), found], dim=1)
        known = torch.cat([words.new_ones((rows, 1)) > 0, words > 0], dim=1)
        for block in self.blocks:
            found = block(found, known)
        read: Tensor = self.norm(found[:, 0])
        return read


class _Block(nn.Module):
    """Attention among the words, then a layer for each, both added to what there was."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor, known: Tensor) -> Tensor:
        """float32 [n, T, width] of which bool [n, T] are known -> the same shape."""
        rows, length, width = words.shape
        parts = self.asked(self.before(words)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(query, key, value, known[:, None, None, :])
        seen = seen.transpose(1, 2).reshape(rows, length, width)
        words = words + self.dropout(self.joined(seen))
        found: Tensor = words + self.dropout(self.narrow(gelu(self.wide(self.between(words)))))
        return found


def shortened(tokens: Tensor) -> Tensor:
    """The tokens without the columns that no row has any in: they would only be reckoned for nothing."""
    return tokens[:, (tokens > 0).any(0)]


def _table(width: int) -> nn.Embedding:
    """Embeddings that start at 0: what no fit has met then says nothing."""
    table = nn.Embedding(BUCKETS, width, padding_idx=0)
    nn.init.zeros_(table.weight)
    return table
