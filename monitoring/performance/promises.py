"""Kept promises: do probabilities tell labels apart within days as well as they claim to?

An AUC that falls below that of the holdout may be due to the rows: some are harder to tell apart, and the
probabilities say so by themselves. A gap between what they promise and what came is the model's own. It is
looked for over the newest batches together, for one batch alone may be too short to be sure.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain

import numpy as np
from scipy.special import stdtrit

from core.spec import Monitoring
from monitoring.findings import Finding
from monitoring.performance.blocks import Block

WINDOWS = (1, 2, 3)  # batches, the newest last
# All windows of one batch together say so of a model that keeps its promises in this share of cases.
CHANCE = 0.005
# Of the limit: by how much earlier batches may excuse more than the holdout does. They say better than a
# short holdout what is usual; a drift that came little by little is not.
EARLIER = 0.25
MISLEADS = "what the champion learnt to go by no longer tells labels apart as it did"
LEAST = 8  # blocks: fewer do not say how blocks vary


def of_promises(
    reference: Sequence[Block], batches: Sequence[Sequence[Block]], rules: Monitoring
) -> Iterator[Finding]:
    """A retraining where the gap is surely wider than was usual, and by more than `rules.auc_drop`.

    `reference` are the blocks of the champion's holdout, `batches` those of the batches since its release,
    the newest last: what came before the newest one, two or three is what was usual. Where three have fewer
    than 8 blocks, it is as many as have 8. Nothing where blocks have no gap, or are fewer.
    """
    least = allowance(reference) - EARLIER * rules.auc_drop
    for window in _windows(batches):
        newest = _telling(chain(*batches[-window:]))
        usual, doubt = _usual(_telling(chain(reference, *batches[:-window])))
        usual, (gap, error) = max(usual, least), gap_of(newest)
        reach = float(stdtrit(len(newest) - 1, 1 - CHANCE / len(WINDOWS))) * math.hypot(error, doubt)
        if usual - gap > rules.auc_drop and gap + reach < usual:
            told, numbers = _told(gap, reach, usual, window, rules), {"auc_gap": gap}
            yield Finding("retrain", told, numbers, old_misleads=MISLEADS)
            return


def _windows(batches: Sequence[Sequence[Block]]) -> list[int]:
    """The counts of newest batches that are looked at: those of 8 blocks at least.

    >>> day = Block("2013-04-01", 900, 0.0, 0.4, 0.4, 0.5, pairs=100.0, gap=-0.02)
    >>> _windows([[day] * 4] * 9), _windows([[day]] * 9), _windows([[day]] * 7)
    ([2, 3], [8], [])
    """
    counts = list(accumulate(len(_telling(batch)) for batch in reversed(batches)))
    enough = [window for window, count in enumerate(counts, start=1) if count >= LEAST]
    return [window for window in enough if window in WINDOWS] or enough[:1]


def gap_of(blocks: Sequence[Block]) -> tuple[float, float]:
    """The mean gap of blocks by the weight of their pairs, and its standard error between blocks.

    >>> day = Block("2013-04-01", 900, 0.0, 0.4, 0.4, 0.5, pairs=100.0, gap=-0.02)
    >>> gap_of([day, day])
    (-0.02, 0.0)
    """
    weights, gaps = np.array([[block.pairs, block.gap] for block in blocks]).T
    mean = float(np.average(gaps, weights=weights))
    spread = float(((weights * (gaps - mean)) ** 2).sum()) * len(blocks) / max(len(blocks) - 1, 1)
    return mean, math.sqrt(spread) / float(weights.sum())


def allowance(reference: Sequence[Block]) -> float:
    """How far a champion was below its promise in its holdout already, as far as that is no chance.

    At most 0. The gap is drawn towards 0 by its own error (James and Stein, 1961): a few days say little.
    """
    gap, error = _usual(_telling(reference))
    return gap * max(0.0, 1 - (error / gap) ** 2) if gap else 0.0


def _usual(blocks: Sequence[Block]) -> tuple[float, float]:
    """The gap of these blocks, at most 0, and its standard error; zeros where they are too few to say."""
    if len(blocks) < LEAST:
        return 0.0, 0.0
    gap, error = gap_of(blocks)
    return min(0.0, gap), error


def _telling(blocks: Iterable[Block]) -> list[Block]:
    """Those that have labels of both classes."""
    return [block for block in blocks if block.pairs > 0]


def _told(gap: float, reach: float, usual: float, window: int, rules: Monitoring) -> str:
    over = "" if window == 1 else f" over the newest {window} batches"
    before = f" ({-usual:.3f} is usual)" if usual else ""
    return (
        f"Within days the answers tell labels apart by {-gap:.3f} of AUC less than they promise"
        f"{over}{before}, at least {-gap - reach:.3f} (limit {rules.auc_drop:.3f})"
    )
