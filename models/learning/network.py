"""The network of the torch family: a deep and cross network with embeddings for its categories."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

from core.spec import Model, Share
from models.learning.encode import LIMIT, Scaling
from models.learning.losses import Unit
from models.learning.readers import Attention, MeanOfTokens, shortened


class Parameters(Model):
    """What `training.parameters.torch` may say.

    `hidden` to `batch_norm` shape the network: the layers beside the `cross` layers, the `width` of
    an embedding at most, and normalising in `hidden` layers. A text is the mean of the embeddings of all
    its tokens, each `text_width` wide, or, with `blocks` of attention of so many `heads`, what these
    make of its words in order. Training takes `epochs`, or as many as
    make `min_steps` batches where the rows are few; over them the rate of learning rises to
    `learning_rate` and falls to nothing (`one_cycle`), or but falls (`cosine`). The validation loss is
    taken `checks` times, and the fit stops when it has not fallen for `patience` of them. A category
    of fewer than `min_rows` training rows counts as unseen. A fit that goes on from another learns
    `warm_rate` times as fast.
    """

    hidden: list[int] = Field(default=[128, 64], min_length=1)
    cross: int = Field(default=2, ge=1)
    width: int = Field(default=16, ge=1)
    batch_norm: bool = False
    text_width: int = Field(default=16, ge=1)
    blocks: int = Field(default=0, ge=0)
    heads: int = Field(default=4, ge=1)
    dropout: Share = 0.1
    learning_rate: float = Field(default=0.002, gt=0)
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    weight_decay: float = Field(default=0.01, ge=0)
    batch_rows: int = Field(default=512, ge=2)
    epochs: int = Field(default=2, ge=1)
    min_steps: int = Field(default=150, ge=1)
    checks: int = Field(default=8, ge=1)
    patience: int = Field(default=4, ge=1)
    min_rows: int = Field(default=20, ge=1)
    warm_rate: Share = 0.3
    threads: int = Field(default=1, ge=1)

    @field_validator("heads")
    @classmethod
    def _divides(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("text_width", heads)
        if info.data.get("blocks") and width % heads:
            raise ValueError(f"should divide text_width {width}")
        return heads


class DeepCross(nn.Module):
    """DCN-v2 with a parallel MLP: Wang et al., "DCN V2" (2021).

    Imputation, missing indicators and scaling are part of it, and so of its graph, as is the unit of
    the label, so that the weights need not know how large a value is. A category of `size` codes gets
    an embedding of min(width, 1.6 * size ** 0.56) numbers (fastai's rule).
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        scaling: Scaling,
        sizes: Sequence[int],
        texts: int,
        outputs: int,
        unit: Unit,
        chosen: Parameters,
    ) -> None:
        super().__init__()
        self.unit = unit
        self.register_buffer("mean", torch.from_numpy(scaling.mean))
        self.register_buffer("scale", torch.from_numpy(scaling.scale))
        widths = [min(chosen.width, round(1.6 * size**0.56)) for size in sizes]
        self.embeddings = nn.ModuleList(map(nn.Embedding, sizes, widths))
        self.readers = nn.ModuleList(reader(chosen) for _ in range(texts))
        total = 2 * len(scaling.mean) + sum(widths) + texts * chosen.text_width
        self.cross = nn.ModuleList(nn.Linear(total, total) for _ in range(chosen.cross))
        layers: list[nn.Module] = []
        for entering, leaving in zip([total, *chosen.hidden], chosen.hidden, strict=False):
            normal = [nn.BatchNorm1d(leaving)] if chosen.batch_norm else []
            layers += [nn.Linear(entering, leaving), *normal, nn.ReLU(), nn.Dropout(chosen.dropout)]
        self.deep = nn.Sequential(*layers)
        self.head = nn.Linear(total + chosen.hidden[-1], outputs)
        for weights in self.embeddings.parameters():
            nn.init.normal_(weights, std=0.05)

    def forward(self, codes: Tensor, numbers: Tensor, *tokens: Tensor) -> Tensor:
        """The margins float32 [n, K], in the label's unit."""
        found = self.scores(codes, numbers, *tokens)
        return found if self.unit == Unit() else found * self.unit.scale + self.unit.mean

    def scores(self, codes: Tensor, numbers: Tensor, *tokens: Tensor) -> Tensor:
        """The margins float32 [n, K] before they get their unit: what the weights are learned by."""
        parts = [embedding(codes[:, place]) for place, embedding in enumerate(self.embeddings)]
        parts += [read(each) for read, each in zip(self.readers, tokens, strict=True)]
        if numbers.shape[1]:
            missing = torch.isnan(numbers)
            known = (torch.where(missing, self.mean, numbers) - self.mean) / self.scale
            parts += [known.clamp(-LIMIT, LIMIT), missing.to(known.dtype)]
        inputs = torch.cat(parts, dim=1)
        crossed = inputs
        for layer in self.cross:
            crossed = inputs * layer(crossed) + crossed
        scores: Tensor = self.head(torch.cat([crossed, self.deep(inputs)], dim=1))
        return scores


def reader(chosen: Parameters) -> nn.Module:
    """What reads a text, int64 [n, T] -> float32 [n, text_width]."""
    if chosen.blocks:
        return Attention(chosen.text_width, chosen.blocks, chosen.heads, chosen.dropout)
    return MeanOfTokens(chosen.text_width)


@contextmanager
def settled(seed: int, threads: int) -> Iterator[None]:
    """Within: seeded, deterministic where the device can be, on so many threads; after: as before."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])


def margins(network: DeepCross, inputs: Sequence[Tensor]) -> Tensor:
    """The margins without dropout, float32 [n, K], in chunks that bound the memory.

    The inputs are codes, numbers, and the tokens of each text.
    """
    network.eval()
    if len(inputs) == 2:
        return _in_chunks(network, inputs, 8_192)
    # Long texts come last: each would make all those beside it as long.
    order = torch.argsort((torch.cat(list(inputs[2:]), dim=1) > 0).sum(1))
    found = _in_chunks(network, [each[order] for each in inputs], 512)
    return found[torch.argsort(order)]


def _in_chunks(network: DeepCross, inputs: Sequence[Tensor], rows: int) -> Tensor:
    chunks = zip(*(torch.split(each, rows) for each in inputs), strict=True)
    with torch.inference_mode():
        return torch.cat([network(*chunk[:2], *map(shortened, chunk[2:])) for chunk in chunks])
