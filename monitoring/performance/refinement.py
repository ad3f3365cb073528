"""A loss in two parts: what is lost by answers that are off, and by answers that do not tell.

DeGroot and Fienberg, "The comparison and evaluation of forecasters" (1983): a loss is what calibration
would win back, and what is left of it (the refinement). The first asks for a recalibration, the second
for another model.
"""

import numpy as np
from numpy.typing import NDArray

from models.measures.paired import Blocks, Interval, interval
from models.problem import Floats, Problem, constant_losses
from models.rows import Rows
from monitoring.performance.expected import expected_parts, is_probable
from monitoring.performance.refit import across

Found = tuple[dict[str, float], dict[str, Interval]]


def refined(problem: Problem, rows: Rows, answers: Floats, blocks: Blocks, confidence: float) -> Found:
    """`calibration_loss` and `refinement_loss`, whose sum is `relative_loss`, and their intervals.

    Beside them, where answers are probabilities, `excess_loss`: what was lost beyond what they led to expect.

    The first is what a refit of intercept and slope on the rows of the other days wins back (see
    `monitoring.performance.refit.across`), so that it is about 0, or a little below, where nothing is
    off. Both are drawn by the same blocks. Empty where there is no such refit, or the labels teach nothing.
    """
    if problem.lack(rows):
        return {}, {}
    constant, ours = constant_losses(problem, rows, answers), problem.losses(rows, answers)
    found: dict[str, Floats] = {}
    if (again := across(problem, answers, rows.labels, blocks.block)) is not None:
        kept = problem.losses(rows, again)
        found = {"calibration_loss": ours - kept, "refinement_loss": kept}
    if is_probable(problem):
        found["excess_loss"] = ours - expected_parts(problem, rows, answers, answers)["loss"]
    drawn = {name: _ratio(lost, constant, blocks, confidence) for name, lost in found.items()}
    return {name: each.value for name, each in drawn.items()}, drawn


def _ratio(lost: Floats, constant: Floats, blocks: Blocks, confidence: float) -> Interval:
    """A mean loss as a share of the best constant's, with its interval."""
    once = np.ones((1, blocks.count), np.int64)  # the rows as they are, as one more draw
    weights: NDArray[np.int64] = np.vstack([once, blocks.weights])
    sums = [weights @ np.bincount(blocks.block, each, blocks.count) for each in (lost, constant)]
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw may hold rows of one label alone
        drawn = sums[0] / sums[1]
    return interval(float(drawn[0]), drawn[1:], blocks.count, confidence)
