"""Days: what histories lost on the same rows, and how sure it is that one lost less than another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import IntegrityError
from models.measures.paired import Blocks, Interval, interval
from replay.outcomes import Outcome

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
DRAWS = 2_000
UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Days:
    """The days that all histories have in common, of all batches or of some.

    `batch` and `day` are the batch (its position) and the day of each cell [c], `units` how many rows (or
    lists) it has. The same draws of whole days serve every comparison, so that hard days cancel out.
    """

    batch: NDArray[np.intp]
    day: NDArray[np.int64]
    units: Floats
    seed: int = 0

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], seed: int) -> "Days":
        """The days of a history's outcomes, a batch after the other."""
        batch = np.repeat(np.arange(len(outcomes)), [len(each.days) for each in outcomes])
        day = np.array([day for each in outcomes for day in each.days], np.int64)
        units = np.array([count for each in outcomes for count in each.units], np.float64)
        return cls(batch, day, units, seed)

    def sums(self, outcomes: Sequence[Outcome], *, cost: bool = False) -> Floats:
        """What a history lost in each cell [c], in the loss or in the spec's costs.

        IntegrityError where it answered other rows: then nothing can be compared.
        """
        days = [day for each in outcomes for day in each.days]
        units = [count for each in outcomes for count in each.units]
        if days != self.day.tolist() or units != self.units.astype(int).tolist():
            raise IntegrityError("two histories of one replay answered different rows: replay anew")
        return np.array([one for each in outcomes for one in ((each.cost or ()) if cost else each.loss)])

    def mean(self, sums: Floats, batch: int | None = None) -> Interval:
        """The mean by unit, over all cells or those of a batch, with its interval by whole days.

        It is unknown where there is no labelled row.
        """
        among = slice(None) if batch is None else self.batch == batch
        if not self.day[among].size:
            return UNKNOWN
        blocks = Blocks.draw(self.day[among], DRAWS, self.seed)
        of_days, units = (np.bincount(blocks.block, each[among], blocks.count) for each in (sums, self.units))
        drawn = (blocks.weights @ of_days) / (blocks.weights @ units)
        return interval(float(of_days.sum() / units.sum()), drawn, blocks.count, CONFIDENCE)

    def totals(self, sums: Floats) -> Floats:
        """The total of cells as they are, and then in each draw of whole days [1 + draws]."""
        of_days = np.bincount(self._blocks.block, sums, self._blocks.count)
        return np.concatenate([[of_days.sum()], self._blocks.weights @ of_days])

    def total(self, totals: Floats) -> Interval:
        """A total and its interval, from what `totals` gave."""
        return interval(float(totals[0]), totals[1:], self._blocks.count, CONFIDENCE)

    @cached_property
    def _blocks(self) -> Blocks:
        return Blocks.draw(self.day, DRAWS, self.seed)


def is_above(found: Interval, limit: float = 0.0) -> bool:
    """Whether something is surely above a limit."""
    return bool(np.isfinite(found.low) and found.low > limit)
