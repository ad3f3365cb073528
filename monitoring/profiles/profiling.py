"""Profiling: rows read once, piece by piece, into sketches."""

from dataclasses import replace
from typing import Protocol

import numpy as np
import polars as pl

from models.learning.tokens import words_of
from models.rows import Columns
from monitoring.profiles.frequencies import LONGEST, Frequencies
from monitoring.profiles.moments import Moments
from monitoring.profiles.profile import Profile, Tally
from monitoring.profiles.quantiles import Floats, Folding

# Memory holds so many rows at once, however many there are.
AT_ONCE = 100_000
MOST_TEXTS = 20_000


def profile(rows: pl.DataFrame | pl.LazyFrame, columns: Columns, blocks: int = 0) -> dict[str, Profile]:
    """The profile of each feature, in the order of `columns`; the rows are read once, in pieces.

    A column that the rows lack is missing in all of them, and said to be absent. Of texts at most
    MOST_TEXTS are read, spread evenly. `blocks` says of how many days the rows are.

    >>> frame = pl.DataFrame({"wind": [4.0, None, 6.0], "carrier": ["UA", "UA", "B6"]})
    >>> wind, carrier = profile(frame, Columns(("wind",), ("carrier",))).values()
    >>> wind.tally.rows, wind.tally.missing, carrier.values.counts()
    (3, 1, {'UA': 2, 'B6': 1})
    """
    lazy = rows.lazy()
    height = int(lazy.select(pl.len()).collect().item())
    step = max(1, -(-height // MOST_TEXTS))
    sketching: dict[str, _Sketching] = {
        **{name: _Numbers(name) for name in columns.numbers},
        **{name: _Values(name) for name in columns.categories},
        **{name: _Texts(name, step) for name in columns.texts},
    }
    there = [name for name in columns.names if name in lazy.collect_schema().names()]
    for piece in lazy.select(there).collect_batches(chunk_size=AT_ONCE, maintain_order=True) if there else ():
        for name in there:
            sketching[name].add(piece[name])
    found = {name: sketching[name].profile() for name in columns.names}
    for name in set(columns.names) - set(there):
        found[name] = replace(found[name], tally=Tally(height, height, absent=height))
    return {name: replace(each, tally=replace(each.tally, blocks=blocks)) for name, each in found.items()}


def as_numbers(values: pl.Series) -> Floats:
    """Numbers of any kind [n]; NaN where one is missing, or none."""
    return values.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def as_categories(values: pl.Series) -> pl.Series:
    """Categories of any kind as texts; null where one is missing or empty."""
    return values.cast(pl.String).replace("", None).str.slice(0, LONGEST)


def as_lengths(words: pl.Series) -> Floats:
    """How many words there are; NaN, as missing, where there are none."""
    counts = words.list.len().cast(pl.Float64).to_numpy()
    return np.where(counts > 0, counts, np.nan)


class _Sketching(Protocol):
    def add(self, piece: pl.Series) -> None: ...

    def profile(self) -> Profile: ...


class _Numbers:
    def __init__(self, name: str) -> None:
        self._name, self._tally, self._moments, self._folding = name, Tally(), Moments(), Folding()

    def add(self, piece: pl.Series) -> None:
        values = as_numbers(piece)
        # Sorted, so that sums do not hang on the order of the rows.
        known = np.sort(values[~np.isnan(values)])
        finite = known[np.isfinite(known)]
        missing = values.size - known.size
        empty = piece.null_count() + (int(piece.is_nan().sum()) if piece.dtype.is_float() else 0)
        self._tally += Tally(values.size, missing, known.size - finite.size, missing - empty)
        self._moments += Moments.of(finite)
        self._folding.add(known)

    def profile(self) -> Profile:
        return Profile(self._name, "number", self._tally, self._moments, self._folding.quantiles())


class _Values:
    def __init__(self, name: str) -> None:
        self._name, self._tally, self._pieces = name, Tally(), Frequencies.of({})

    def add(self, piece: pl.Series) -> None:
        values = as_categories(piece)
        self._tally += Tally(len(values), values.null_count())
        self._pieces = Frequencies.merged([self._pieces, frequencies(values)])

    def profile(self) -> Profile:
        return Profile(self._name, "category", self._tally, values=self._pieces)


class _Texts:
    def __init__(self, name: str, step: int) -> None:
        self._name, self._step, self._place = name, step, 0
        self._lengths, self._words = _Numbers(name), _Values(name)

    def add(self, piece: pl.Series) -> None:
        some = piece.cast(pl.String).gather_every(self._step, -self._place % self._step)
        self._place += len(piece)
        words = words_of(some)
        self._lengths.add(pl.Series(self._name, as_lengths(words)))
        self._words.add(words.explode().drop_nulls())

    def profile(self) -> Profile:
        lengths = self._lengths.profile()
        return replace(lengths, kind="text", values=self._words.profile().values)


def frequencies(values: pl.Series) -> Frequencies:
    """How often each known value is there; ties in order of the value."""
    counts = values.drop_nulls().alias("value").value_counts(name="rows")
    return Frequencies.of(dict(counts.sort(["rows", "value"], descending=[True, False]).iter_rows()))
