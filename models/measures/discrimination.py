"""How well probabilities tell labels apart within blocks, beside how well they should by their own account.

An AUC over weeks is moved by much that is not the model: days on which everything is late lift or lower it,
and so do rows that are harder to tell apart. Within a day the first cancels out, and what the probabilities
themselves promise of these rows takes the second into account: what is left between the two is the model's.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.measures.paired import Blocks, interval

Floats = NDArray[np.float64]
STEPS = 30  # of Newton's method, which needs some six; a step is at most STRIDE
STRIDE = 2.0
NEAREST = 1e-9  # to 0 and 1, of a probability


@dataclass(frozen=True, slots=True)
class Discrimination:
    """The AUC within blocks, `realised` and `expected`: means over blocks, by the weight of their pairs.

    `gap` is the first less the second, from `low` to `high` with the confidence asked for; the ends are
    infinite with fewer than two of the `blocks` that have labels of both classes, and all is NaN with none.
    """

    realised: float
    expected: float
    gap: float
    low: float
    high: float
    blocks: int

    @classmethod
    def of(cls, labels: Floats, probabilities: Floats, blocks: Blocks, confidence: float) -> Self:
        """That of labels (0 or 1) and probabilities [n].

        Of each block the probabilities are first shifted, all by the same log-odds, so that they add up to
        its positives: a block's own rate says nothing of who in it was positive.

        >>> labels, chances = np.array([0.0, 1, 0, 1]), np.array([0.4, 0.6, 0.1, 0.3])
        >>> found = Discrimination.of(labels, chances, Blocks.draw(np.array([0, 0, 1, 1]), 100, 1), 0.95)
        >>> found.realised, round(found.expected, 3)
        (1.0, 0.743)
        """
        weights, won, due = np.array(_parts(labels, probabilities, blocks.block, blocks.count)).T
        total = float(weights.sum())
        if not total:
            return cls(np.nan, np.nan, np.nan, -np.inf, np.inf, 0)
        gaps, drawn = weights * (won - due), blocks.weights @ weights
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw may hold blocks of one class alone
            found = blocks.weights @ gaps / drawn
        known = int((weights > 0).sum())
        gap = interval(float(gaps.sum()) / total, found, known, confidence)
        realised, expected = (float(weights @ each) / total for each in (won, due))
        return cls(realised, expected, gap.value, gap.low, gap.high, known)


def gaps_of(labels: Floats, probabilities: Floats, block: NDArray[np.intp]) -> list[tuple[float, float]]:
    """The weight of the pairs of each block [n], named 0, 1 ..., and its realised less its expected AUC.

    A block of one class has no weight, and its gap is NaN.
    """
    parts = _parts(labels, probabilities, block, int(block.max()) + 1)
    return [(weight, won - due if weight else np.nan) for weight, won, due in parts]


def _parts(
    labels: Floats, probabilities: Floats, block: NDArray[np.intp], count: int
) -> list[tuple[float, float, float]]:
    """The weight of each block, and its realised and its expected AUC."""
    order = np.argsort(block, kind="stable")
    ends = np.cumsum(np.bincount(block, minlength=count))
    return [_block(labels[rows], probabilities[rows]) for rows in np.split(order, ends[:-1])]


def _block(labels: Floats, probabilities: Floats) -> tuple[float, float, float]:
    """The weight of a block, and its realised and its expected AUC; zeros where it has one class only.

    The weight is that of a difference between two means of so many: the inverse of its variance, but for a
    factor.
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.0, 0.0, 0.0
    order = np.argsort(probabilities, kind="stable")
    labels, ranked = labels[order], probabilities[order]
    _, tie = np.unique(ranked, return_inverse=True)
    won = _beaten(labels, 1 - labels, tie) / (positives * negatives)
    chances = _shifted(ranked, positives)
    pairs = chances.sum() * (1 - chances).sum() - float(chances @ (1 - chances))  # of a row with another
    due = _beaten(chances, 1 - chances, tie) / pairs
    return positives * negatives / len(labels), won, due


def _beaten(above: Floats, below: Floats, tie: NDArray[np.intp]) -> float:
    """The weight of the pairs, in order of score, whose row `above` is the higher one; ties count half."""
    tied = np.bincount(tie, below)
    lower = np.cumsum(tied) - tied
    return float(above @ (lower[tie] + (tied[tie] - below) / 2))


def _shifted(probabilities: Floats, total: float) -> Floats:
    """The probabilities [n], all shifted by the same log-odds so that their sum is `total`."""
    margins, shift = logit(np.clip(probabilities, NEAREST, 1 - NEAREST)), 0.0
    for _ in range(STEPS):
        chances = expit(margins + shift)
        step = (total - chances.sum()) / max(float(chances @ (1 - chances)), NEAREST)
        shift += float(np.clip(step, -STRIDE, STRIDE))
        if abs(step) < NEAREST:
            break
    return np.asarray(expit(margins + shift), np.float64)
