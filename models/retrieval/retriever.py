"""A retriever: an index of items, and the order in which it puts them for somebody's past."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]

WIDTH = 32  # of the vectors
HISTORY = 20  # as many of the newest items as make a query
NONE = -1  # in place of an item that there is none of
_CHUNK = 512  # lists whose scores of all items are in memory at once


@dataclass(frozen=True, slots=True)
class Found:
    """The items that were put first [n, count], with what is said of each; NONE where there are fewer."""

    items: Whole
    score: Floats
    popularity: Floats
    affinity: Floats


@dataclass(frozen=True, slots=True)
class Retriever:
    """Items by name, in order; the `popularity` of each [items], and its vectors [items, width].

    The score of an item is its popularity and its affinity: the product of its vector in `index` and
    the query, which is the mean of the vectors in `asked` of the items that were had last. So of one
    who had nothing yet, popularity alone decides.
    """

    items: tuple[str, ...]
    popularity: Floats
    asked: Floats
    index: Floats

    def codes(self, items: pl.Series) -> Whole:
        """The place of each item [n]; NONE of what is not in the index.

        >>> known = Retriever(("a", "b"), np.zeros(2, np.float32), *np.zeros((2, 2, 1), np.float32))
        >>> known.codes(pl.Series(["b", "?", None])).tolist()
        [1, -1, -1]
        """
        names, places = list(self.items), range(len(self.items))
        found = items.cast(pl.String).replace_strict(names, places, default=NONE, return_dtype=pl.Int64)
        return found.fill_null(NONE).to_numpy()

    def queries(self, histories: Whole) -> Floats:
        """What is asked for by those who had these items last [n, width]; NONE counts for nothing."""
        padded = np.pad(self.asked, ((0, 1), (0, 0)))
        count = (histories != NONE).sum(axis=1, keepdims=True)
        total = padded[histories].sum(axis=1, dtype=np.float32)  # NONE is the last row
        return np.asarray(total / np.maximum(count, 1), np.float32)

    def first(self, histories: Whole, had: Sequence[Whole], count: int) -> Found:
        """The `count` items of highest score for each of n histories [n, h], without those that it `had`.

        Of equal scores the item whose name comes first is before the other.
        """
        chunks = [
            self._first(histories[start : start + _CHUNK], had[start : start + _CHUNK], count)
            for start in range(0, len(histories), _CHUNK)
        ] or [(np.empty((0, count), np.int64), np.empty((0, count), np.float32))]
        items, affinity = (np.concatenate(part) for part in zip(*chunks, strict=True))
        popularity = np.append(self.popularity, np.float32(-np.inf))[items]
        return Found(items, popularity + affinity, popularity, affinity)

    def _first(self, histories: Whole, had: Sequence[Whole], count: int) -> tuple[Whole, Floats]:
        affinity = self.queries(histories) @ self.index.T
        scores = self.popularity + affinity
        scores[np.repeat(np.arange(len(had)), [len(each) for each in had]), np.concatenate(had)] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        order = np.pad(order, ((0, 0), (0, count - order.shape[1])), constant_values=NONE)
        padded = np.pad(scores, ((0, 0), (0, 1)), constant_values=-np.inf)
        items = np.where(np.isneginf(np.take_along_axis(padded, order, axis=1)), NONE, order)
        padded = np.pad(affinity, ((0, 0), (0, 1)))
        return items, np.take_along_axis(padded, items, axis=1)

    def save(self, path: Path) -> None:
        """Write the index as a Parquet file: a row an item, with its popularity and its vectors."""
        self.table().write_parquet(path)

    def table(self) -> pl.DataFrame:
        """The index: a row an item, with its `popularity`, and its vectors `asked` and `index`."""
        vectors = {name: pl.Series(list(getattr(self, name)), dtype=pl.List(pl.Float32)) for name in _VECTORS}
        return pl.DataFrame({"item": list(self.items), "popularity": self.popularity, **vectors})


_VECTORS = ("asked", "index")


def load(path: Path) -> Retriever:
    """Read back what `Retriever.save` wrote."""
    table = pl.read_parquet(path)
    asked, index = (_matrix(table[name]) for name in _VECTORS)
    return Retriever(tuple(table["item"]), table["popularity"].to_numpy(), asked, index)


def _matrix(vectors: pl.Series) -> Floats:
    return np.array(vectors.to_list(), np.float32).reshape(len(vectors), WIDTH)
