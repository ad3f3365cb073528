"""The first fit: how many batches it waits for, the shares of its parts, the blocks that the gate has."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.batches import Calendar, duration
from proposal import limits

_BLOCKS = ("28d", "14d", "7d", "3d", "1d", "12h", "6h", "3h", "1h", "20m", "5m", "1m")
_SHARES = ((0.15, 0.15), (0.15, 0.2), (0.2, 0.25), (0.2, 0.35), (0.25, 0.4))

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Timeline:
    """How many rows, and how many labelled ones, each stretch of `step` has, in order of time."""

    starts: tuple[datetime, ...]
    rows: Ints
    labelled: Ints


def first_fit(line: Timeline, calendar: Calendar) -> tuple[int, tuple[float, float], str, int]:
    """How many batches the first fit waits for, the shares of its parts, and the gate's blocks.

    The fewest batches (three at least, of half of them at most) that give rows and blocks enough; where
    none do, those that give the most blocks.
    """
    every, stamps = calendar.batches(), np.array([start.timestamp() for start in line.starts])
    gap = duration(limits.MATURITY[calendar.every]).total_seconds()
    best: tuple[int, tuple[float, float], str, int] | None = None
    for most, wanted in ((max(3, len(every) // 2), limits.FIRST_ROWS), (len(every) - 2, 0)):
        for first in range(3, max(most, 3) + 1):
            there = (stamps < every[min(first, len(every)) - 1].end.timestamp()) & (line.labelled > 0)
            for shares in _SHARES:
                found = _parts(stamps[there], line.labelled[there], shares, gap)
                if found is None or line.labelled[there].sum() < wanted:
                    continue
                if best is None or found[1] > best[3]:
                    best = (first, shares, *found)
                if found[1] >= limits.BLOCKS:
                    return best
    return best or (max(1, min(3, len(every) - 1)), _SHARES[-1], _BLOCKS[-1], 0)


def _parts(
    stamps: NDArray[np.float64], labelled: Ints, shares: tuple[float, float], gap: float
) -> tuple[str, int] | None:
    """The longest block of which a holdout has enough, and how many; None where a part has too few rows."""
    if not len(stamps):
        return None
    place = np.cumsum(labelled) / labelled.sum()
    cuts = [stamps[np.searchsorted(place, share)] for share in (1 - sum(shares), 1 - shares[1])]
    parts = (
        labelled[stamps < cuts[0] - gap].sum(),
        labelled[(stamps >= cuts[0]) & (stamps < cuts[1] - gap)].sum(),
        labelled[stamps >= cuts[1]].sum(),
    )
    if min(parts) < limits.PART_ROWS:
        return None
    held = stamps[stamps >= cuts[1]]
    counts = {block: len(np.unique(held // duration(block).total_seconds())) for block in _BLOCKS}
    enough = [block for block in _BLOCKS if counts[block] >= limits.BLOCKS]
    chosen = enough[0] if enough else max(_BLOCKS, key=lambda block: counts[block])
    return chosen, counts[chosen]
