"""Whether answers can be taken at their word: what was so, by what was said."""

from dataclasses import dataclass

import numpy as np

from models.measures.intervals import mean
from models.measures.paired import Blocks, Interval
from models.measures.probabilities import equal_bins
from models.problem import Floats, Problem
from models.problems.quantiles import Quantiles
from models.rows import Rows


@dataclass(frozen=True, slots=True)
class Point:
    """The rows of one bin of rising answers: their mean answer, and what was so, with its interval.

    Of a quantile: its level, and the share of all labels up to it.
    """

    predicted: float
    observed: Interval
    rows: int


def curve(
    problem: Problem, rows: Rows, answers: Floats, blocks: Blocks, confidence: float
) -> tuple[Point, ...]:
    """The points of a calibration plot, over 15 bins of as many rows each; of quantiles, one for each.

    What is held against the answer is the share of positives, the label's mean, or the mean grade
    of relevance; for classes, how often the likeliest one was right, against its probability; for
    quantiles, the share of labels up to each, against its level.
    """
    if isinstance(problem, Quantiles):
        reached = (rows.labels[:, None] <= answers).astype(np.float64)
        shares = [mean(blocks, column, confidence) for column in reached.T]
        return tuple(Point(*pair, len(rows)) for pair in zip(problem.levels, shares, strict=True))
    told, true = answers, rows.labels
    if answers.ndim == 2:
        told, true = answers.max(axis=1), (answers.argmax(axis=1) == rows.labels).astype(np.float64)
    bins = equal_bins(told)
    found = []
    for name in np.unique(bins):
        among = bins == name
        observed = mean(blocks, true, confidence, among)
        found.append(Point(float(told[among].mean()), observed, int(among.sum())))
    return tuple(found)
