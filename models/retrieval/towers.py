"""Two towers that learn which items go with which past, from what was chosen and nothing else."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from models.learning.network import settled
from models.retrieval.retriever import NONE, WIDTH, Floats, Whole

BATCH = 512
EPOCHS, STEPS = 4, 150  # or as many epochs as make so many steps, where examples are few
RATE = 0.005
DECAY = 1.0


class Towers(nn.Module):
    """The vectors of items in a past and in the index: of each item its own, and those of its words.

    The query is the mean over the past, so that one who is new needs no vector of his own.
    """

    words: Tensor

    def __init__(self, words: Floats) -> None:
        """`words` [items, words] are 1 where an item has the word."""
        super().__init__()
        items, count = words.shape
        self.register_buffer("words", torch.from_numpy(np.vstack([words, np.zeros((1, count), np.float32)])))
        # The last item is none: it pads the pasts.
        self.asked, self.index = (nn.Embedding(items + 1, WIDTH, padding_idx=items) for _ in range(2))
        self.asked_words, self.index_words = (nn.Linear(count, WIDTH, bias=False) for _ in range(2))
        for part in (self.asked, self.index, self.asked_words, self.index_words):
            nn.init.normal_(part.weight, std=0.05)
        with torch.no_grad():
            for part in (self.asked, self.index):
                part.weight[items] = 0

    def queries(self, histories: Tensor) -> Tensor:
        """The mean vector of each past [n, width]."""
        count = torch.ne(histories, len(self.words) - 1).sum(dim=1, keepdim=True)
        vectors = self.asked(histories) + self.asked_words(self.words[histories])
        return torch.div(vectors.sum(dim=1), count.clamp(min=1))

    def items(self, items: Tensor) -> Tensor:
        """The vector of each item in the index [n, width]."""
        found: Tensor = self.index(items) + self.index_words(self.words[items])
        return found


def towers(histories: Whole, chosen: Whole, words: Floats, seed: int) -> tuple[Floats, Floats]:
    """The vectors `asked` and `index` [items, width] by which pasts [n, h] tell what was `chosen` [n].

    The others of a batch are what was not chosen (sampled softmax). They are there as often as they
    are popular, which the logQ correction takes back (Yi et al., "Sampling-bias-corrected neural
    modeling for large corpus item recommendations", 2019). As the score adds an item's popularity to
    the product of the vectors, and that of the time of the example is what it is sampled by, the two
    cancel: the product alone is learned, as what a past adds to popularity.

    The same examples and seed give the same vectors. Where there are too few, they are all 0.
    """
    if len(chosen) < BATCH:
        nothing = np.zeros((len(words), WIDTH), np.float32)
        return nothing, nothing
    with settled(seed, threads=1):
        network = Towers(words)
        padded = torch.from_numpy(np.where(histories == NONE, len(words), histories))
        epochs = max(EPOCHS, math.ceil(STEPS / (len(chosen) // BATCH)))
        steps = epochs * (len(chosen) // BATCH)
        optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for batch in _batches(len(chosen), epochs):
            loss = _loss(network, padded[batch], torch.from_numpy(chosen)[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            every = torch.arange(len(words))
            return _array(network.queries(every[:, None])), _array(network.items(every))


def _batches(count: int, epochs: int) -> Iterator[Tensor]:
    """The examples' numbers in whole batches, shuffled anew for each epoch."""
    for _ in range(epochs):
        yield from torch.split(torch.randperm(count)[: count // BATCH * BATCH], BATCH)


def _loss(network: Towers, histories: Tensor, chosen: Tensor) -> Tensor:
    scores = network.queries(histories) @ network.items(chosen).T
    # The same item chosen by another is no mistake.
    again = (chosen[:, None] == chosen[None]) & ~torch.eye(len(chosen), dtype=torch.bool)
    return cross_entropy(scores.masked_fill(again, -torch.inf), torch.arange(len(chosen)))


def _array(tensor: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.contiguous().numpy()
    return found
