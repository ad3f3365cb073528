"""What answers that are probabilities lead to expect of themselves, before a label is known."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.problem import Floats, Problem
from models.rows import Rows


def is_probable(problem: Problem) -> bool:
    """Whether the answers are probabilities, so that they say what they expect."""
    return problem.link in ("sigmoid", "softmax")


def expected_parts(problem: Problem, rows: Rows, answers: Floats, chances: Floats) -> dict[str, Floats]:
    """Each of the problem's parts (`log_loss`, `accuracy` ...) of each row [n], were labels drawn by chance.

    `chances` are the probabilities of a yes [n], or of each class [n, K]; the labels of the rows are
    not looked at. With the answers for chances it is what the model itself expects, of the log loss
    the entropy.

    >>> import polars as pl
    >>> from models.problems.binary import Binary
    >>> rows = Rows(pl.DataFrame({"x": [5, 6]}), np.zeros(2), pl.Series([0, 1]))
    >>> answers = np.array([0.5, 0.8])
    >>> expected_parts(Binary(), rows, answers, answers)["brier"].round(4).tolist()
    [0.25, 0.16]
    """
    shares = np.column_stack([1 - chances, chances]) if chances.ndim == 1 else chances
    found: dict[str, Floats] = {}
    for code, share in enumerate(shares.T):
        said = problem.parts(replace(rows, labels=np.full(len(rows), float(code))), answers)
        found = {name: found.get(name, 0.0) + share * part for name, part in said.items()}
    return found


def expected_measures(problem: Problem, rows: Rows, answers: Floats, chances: Floats) -> dict[str, float]:
    """The measures to be expected: the means of the parts, `relative_loss`, and `auc` of a binary problem."""
    if not len(rows):
        return {}
    found = {
        name: float(part.mean()) for name, part in expected_parts(problem, rows, answers, chances).items()
    }
    mean = np.broadcast_to(chances.mean(axis=0), answers.shape)
    constant = float(expected_parts(problem, rows, mean, chances)["loss"].mean())
    found["relative_loss"] = found["loss"] / constant if constant > 0 else float("nan")
    if problem.link == "sigmoid":
        found["auc"] = expected_auc(answers, chances)
    return found


def off_by(problem: Problem, rows: Rows, answers: Floats, chances: Floats) -> dict[str, Floats]:
    """How far each labelled row [n] drew each expected measure from what came: their mean is the error.

    Of the AUC, which is no mean, it is the influence of the row (Hampel, 1974): how much a label that
    is not as expected moves it.
    """
    came, wanted = problem.parts(rows, answers), expected_parts(problem, rows, answers, chances)
    found = {name: came[name] - part for name, part in wanted.items()}
    constant = np.broadcast_to(chances.mean(axis=0), answers.shape)
    scale = float(expected_parts(problem, rows, constant, chances)["loss"].mean())
    found["relative_loss"] = _relative(problem, rows, answers, chances, constant, scale)
    if problem.link == "sigmoid":
        found["auc"] = (rows.labels - chances) * _pull(answers, chances)
    return found


def expected_auc(scores: Floats, chances: Floats) -> float:
    """The AUC of scores [n] whose rows are positive with these chances [n]; NaN where all are of one class.

    >>> round(expected_auc(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0])), 6)
    1.0
    """
    _, up, down = _masses(scores, chances)
    pairs = up.sum() * down.sum()
    return float((up * (np.cumsum(down) - down / 2)).sum() / pairs) if pairs > 0 else float("nan")


def _masses(scores: Floats, chances: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """The rank of each score, and the expected positives and negatives of each rank."""
    place = np.unique(scores, return_inverse=True)[1]
    up, down = (np.asarray(np.bincount(place, mass), np.float64) for mass in (chances, 1 - chances))
    return place, up, down


def _pull(scores: Floats, chances: Floats) -> Floats:
    """How much one more positive in place of a negative moves the AUC, times the rows [n]."""
    place, up, down = _masses(scores, chances)
    positives, negatives = up.sum(), down.sum()
    if not (positives > 0 and negatives > 0):
        return np.full(len(scores), np.nan)
    auc = expected_auc(scores, chances)
    below = (np.cumsum(down) - down / 2)[place] / negatives
    above = 1 - (np.cumsum(up) - up / 2)[place] / positives
    share = positives / len(scores)
    return np.asarray((below - auc) / share - (above - auc) / (1 - share), np.float64)


def _relative(
    problem: Problem, rows: Rows, answers: Floats, chances: Floats, constant: Floats, scale: float
) -> Floats:
    """The influence on a ratio of two means: of the loss, and of the best constant's."""
    if not scale > 0:
        return np.full(len(rows), np.nan)
    ours, theirs = (
        problem.parts(rows, each)["loss"] - expected_parts(problem, rows, each, chances)["loss"]
        for each in (answers, constant)
    )
    ratio = float(expected_parts(problem, rows, answers, chances)["loss"].mean()) / scale
    return np.asarray((ours - ratio * theirs) / scale, np.float64)
