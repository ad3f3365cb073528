"""The paired block bootstrap: is a difference between two models on the same rows more than chance?"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from models.evaluate import drawn_auc

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its two-sided confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


@dataclass(frozen=True, slots=True)
class Blocks:
    """Which rows hang together, such as those of a day, and how often each draw takes each block.

    `block` is the 0-based block of each row [n], `weights` the draws [draws, blocks]. Both models
    of a comparison are seen on the same draws, so that hard days cancel out.
    """

    block: NDArray[np.intp]
    weights: NDArray[np.int64]

    @classmethod
    def draw(cls, names: NDArray[Any], draws: int, seed: int) -> Self:
        """Blocks of rows with equal names [n], each draw taking as many as there are, with replacement."""
        known, block = np.unique(names, return_inverse=True)
        chances = np.full(len(known), 1 / len(known))
        return cls(block, np.random.default_rng(seed).multinomial(len(known), chances, size=draws))

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return int(self.weights.shape[1])

    def mean(self, values: Floats, confidence: float, among: NDArray[np.bool_] | None = None) -> Interval:
        """The mean of `values` [n] over the rows, or over those where `among` [n] is true.

        >>> blocks = Blocks.draw(np.arange(40) // 4, draws=500, seed=1)
        >>> blocks.mean(np.ones(40), 0.95)
        Interval(value=1.0, low=1.0, high=1.0)
        """
        rows = np.ones(len(values)) if among is None else among.astype(np.float64)
        sums, counts = (np.bincount(self.block, part, self.count) for part in (values * rows, rows))
        with np.errstate(invalid="ignore"):
            drawn = (self.weights @ sums) / (self.weights @ counts)
        return interval(float(sums.sum() / counts.sum()), drawn, int((counts > 0).sum()), confidence)

    def auc_gain(self, labels: Floats, ours: Floats, theirs: Floats, confidence: float) -> Interval:
        """How much higher the AUC of the probabilities `ours` [n] is than that of `theirs` [n]."""
        once = np.ones(self.count, np.int64)  # the rows as they are, as one more draw
        weights = np.vstack([once, self.weights])
        gains = np.subtract(*(drawn_auc(labels, scores, self.block, weights) for scores in (ours, theirs)))
        return interval(float(gains[0]), gains[1:], self.count, confidence)


def interval(value: float, drawn: Floats, blocks: int, confidence: float) -> Interval:
    """The estimate ± Student's t times the bootstrap's standard error, with one degree per block but one.

    Percentiles of the draws would be too narrow for few blocks, and would need ten thousands of
    draws for the far tails of many slices (Efron and Tibshirani, 1993, chapters 12 and 13).
    """
    if blocks < 2:
        return Interval(value, -np.inf, np.inf)
    error = float(np.nanstd(drawn) * np.sqrt(blocks / (blocks - 1)))
    reach = float(stdtrit(blocks - 1, (1 + confidence) / 2)) * error
    return Interval(value, value - reach, value + reach)
