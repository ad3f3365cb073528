"""The rows of each value of a column, as parts that a bootstrap can take the means of."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import SpecError

BANDS = 5
FEW_VALUES = 20  # a number of so few values is taken value by value


@dataclass(frozen=True, slots=True)
class Subgroups:
    """The values of a column, and which each row has: a position in `names`, or -1 for none of them [n]."""

    names: tuple[str, ...]
    part: NDArray[np.intp]

    @property
    def rows(self) -> NDArray[np.int64]:
        """How many rows each has."""
        return np.bincount(self.part[self.part >= 0], minlength=len(self.names))

    def among(self, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The part of each row [n], and -1 where `kept` [n] is false."""
        return np.where(kept, self.part, -1)

    def largest(self, least: int, most: int) -> "Subgroups":
        """Those of at least `least` rows, the `most` largest of them; of equal ones, in order of name."""
        order = np.argsort(-self.rows, kind="stable")[:most]
        order = order[self.rows[order] >= least]
        places = np.full(len(self.names) + 1, -1)  # the last is that of -1
        places[order] = np.arange(len(order))
        return Subgroups(tuple(self.names[place] for place in order), places[self.part])


def subgroups(frame: pl.DataFrame, column: str, of: str) -> Subgroups:
    """The rows by the values of a column: a number of many values in 5 bands of as many rows.

    Missing values are `missing`. SpecError when there is no such column; `of` is the key of the
    spec that names it.

    >>> found = subgroups(pl.DataFrame({"carrier": ["UA", None, "UA"]}), "carrier", of="gate.slices")
    >>> found.names, found.part.tolist()
    (('UA', 'missing'), [0, 1, 0])
    """
    if column not in frame.columns:
        raise SpecError(f"{of}: the rows have no column {column!r}, but {', '.join(frame.columns)}")
    values = frame[column]
    if values.dtype.is_float():
        values = values.fill_nan(None)
    banded = values.dtype.is_numeric() and values.n_unique() > FEW_VALUES
    texts = _bands(values) if banded else values.cast(pl.String)
    texts = texts.fill_null("missing")
    names = texts.unique().sort()
    part = texts.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    return Subgroups(tuple(names), part.astype(np.intp))


def _bands(values: pl.Series) -> pl.Series:
    """What band each value is in, such as `500 to 1020`: its smallest and its largest; null for none."""
    numbers = values.cast(pl.Float64).to_numpy()
    known = np.sort(numbers[~np.isnan(numbers)])
    edges = np.unique(known[np.arange(1, BANDS) * len(known) // BANDS])
    band, bands = np.searchsorted(edges, numbers, side="right"), np.searchsorted(edges, known, side="right")
    parts = [known[bands == place] for place in range(len(edges) + 1)]
    names = pl.Series([f"{part[0]:g} to {part[-1]:g}" if len(part) else None for part in parts])
    found = names.gather(np.where(np.isnan(numbers), 0, band))
    return pl.select(pl.when(pl.Series(~np.isnan(numbers))).then(found)).to_series()
