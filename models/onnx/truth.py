"""What the native model answers, to the rows that a graph is compared on."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from models.problem import Floats, Problem
from models.rows import Rows

ORDERED = ("loss", "auc", "ndcg")
# Links of answers that have a unit of their own.
UNITS = ("identity", "sorted")


@dataclass(frozen=True, slots=True)
class Truth:
    """Rows, the holdout's first, and the native model's answers to them: [n], or [n, K].

    Differences of probabilities are what they are; those of values, quantiles and scores are shares of
    `span`, [] or [K], the span of the native answers to the holdout, or of an answer that is larger.
    """

    problem: Problem
    holdout: Rows
    frame: pl.DataFrame
    answers: Floats
    span: Floats

    @classmethod
    def of(cls, problem: Problem, holdout: Rows, frame: pl.DataFrame, answers: Floats) -> Self:
        """The span is that of the middle 99 % of the answers, since one of them may be far out."""
        if problem.link not in UNITS:
            return cls(problem, holdout, frame, answers, np.asarray(1.0))
        span = np.subtract(*np.quantile(answers[: len(holdout)], [0.995, 0.005], axis=0))
        return cls(problem, holdout, frame, answers, np.where(span > 0, span, 1.0))

    @property
    def scale(self) -> Floats:
        """What a difference is a share of, by row and answer [n, K]."""
        wide = np.maximum(self.span, np.abs(self.answers)) if self.problem.link in UNITS else self.span
        return np.broadcast_to(wide, self.answers.shape).reshape(len(self.answers), -1)

    def moved(self, answers: Floats) -> float:
        """The largest move of the measures that tell of order and loss, were these the answers [n, K]."""
        shape = self.answers[: len(self.holdout)].shape
        theirs, ours = (
            self.problem.measures(self.holdout, each[: len(self.holdout)].reshape(shape))
            for each in (self.answers, answers)
        )
        moves = [abs(ours[one] - theirs[one]) / max(1, abs(theirs[one])) for one in ORDERED if one in ours]
        return float(np.nanmax([0.0, *moves]))
