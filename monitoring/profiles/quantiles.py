"""Numbers in bounded space: values with how many rows have each, merged by no chance at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

CAPACITY = 2_048


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """Ascending `values` [n], infinite ones too, and `rows` [n], how many are at each.

    Up to CAPACITY different values it is exact. With more, neighbours are put together at the one in
    their middle, but for the least, the greatest and those that many rows share. A reduction moves
    the rank of no number by more than 1 / CAPACITY of the rows (merge and reduce: Munro and Paterson,
    1980), so that deciles, and the bins of drift, are those of the rows.

    >>> wind = Quantiles.merged([Quantiles.of(np.array([4.0, 6.0])), Quantiles.of(np.array([4.0]))])
    >>> wind.values.tolist(), wind.rows.tolist(), wind.at([0.5]).tolist()
    ([4.0, 6.0], [2, 1], [4.0])
    """

    values: Floats
    rows: Counts

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Those of numbers [n] of which none is NaN."""
        ordered = np.sort(values + 0.0)  # so that -0.0 is 0.0
        return cls(*_reduced(*_alike(ordered, np.ones(ordered.size, np.int64))))

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Those of all the numbers behind the parts."""
        if len(parts) == 1:
            return parts[0]
        values = np.concatenate([np.empty(0), *(part.values for part in parts)])
        rows = np.concatenate([np.empty(0, np.int64), *(part.rows for part in parts)])
        order = np.argsort(values)  # equal ones are put together, in whatever order
        return cls(*_reduced(*_alike(values[order], rows[order])))

    @property
    def known(self) -> int:
        """How many numbers there are."""
        return int(self.rows.sum())

    @property
    def finite(self) -> "Quantiles":
        """Those that are finite."""
        some = np.isfinite(self.values)
        return Quantiles(self.values[some], self.rows[some])

    def at(self, shares: Sequence[float]) -> Floats:
        """The least value that is no less than each share of them; none of nothing.

        As `numpy.quantile` has it by the method `lower`.
        """
        if not self.values.size:
            return np.empty(0)
        # Rounded, since 0.7 * 10 is a little less than 7.
        places = np.floor(np.round(np.array(shares) * (self.known - 1), 6)).astype(np.int64)
        return self.values[np.searchsorted(np.cumsum(self.rows), places, side="right")]

    def between(self, cuts: Floats) -> Counts:
        """How many lie between two ascending cuts each [cuts + 1], the upper one included."""
        # An infinite number lies beyond the last cut, in the same bin as those before it.
        bins = np.minimum(np.searchsorted(cuts, self.values), cuts.size)
        return np.bincount(bins, self.rows, cuts.size + 1).astype(np.int64)


class Folding:
    """Numbers that come piece by piece, in space that grows with the logarithm of their number.

    Pieces of about as many rows are merged, so that none is reduced more often than that either.
    """

    def __init__(self) -> None:
        self._levels: list[tuple[int, Quantiles]] = []

    def add(self, values: Floats) -> None:
        """Take in numbers [n], none of them NaN."""
        level, piece = 0, Quantiles.of(values)
        while self._levels and self._levels[-1][0] == level:
            piece = Quantiles.merged([self._levels.pop()[1], piece])
            level += 1
        self._levels.append((level, piece))

    def quantiles(self) -> Quantiles:
        """Those of all that came."""
        return Quantiles.merged([piece for _, piece in self._levels])


def _alike(values: Floats, rows: Counts) -> tuple[Floats, Counts]:
    """Ascending values, each once, with all its rows."""
    if not values.size:
        return values, rows
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return values[starts], np.add.reduceat(rows, starts)


def _reduced(values: Floats, rows: Counts) -> tuple[Floats, Counts]:
    """Neighbours together, until about CAPACITY are left, each at the value in the middle of its rows."""
    if values.size <= CAPACITY:
        return values, rows
    up_to = np.cumsum(rows)
    share = up_to[-1] / CAPACITY
    alone = rows >= share
    alone[[0, -1]] = True
    group = ((up_to - rows / 2) / share).astype(np.int64)
    begins = alone | np.concatenate([[True], alone[:-1] | (group[1:] != group[:-1])])
    starts = np.flatnonzero(begins)
    together = np.add.reduceat(rows, starts)
    middle = np.cumsum(together) - together / 2
    return values[np.searchsorted(up_to, middle)], together
