"""Answers as a column of a table, and back."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.rows import Floats


def to_column(answers: Floats) -> pl.Series:
    """The column `prediction` of answers [n], or of a list for each row [n, K].

    >>> to_column(np.array([[0.25, 0.75]])).to_list()
    [[0.25, 0.75]]
    """
    if answers.ndim == 2:
        return pl.Series("prediction", answers.tolist(), dtype=pl.List(pl.Float64))
    return pl.Series("prediction", answers, dtype=pl.Float64)


def are_finite(answers: Floats) -> NDArray[np.bool_]:
    """Which of the answers [n], or [n, K], are numbers that can be told [n].

    >>> are_finite(np.array([0.5, np.nan, np.inf])).tolist()
    [True, False, False]
    """
    finite: NDArray[np.bool_] = np.isfinite(answers)
    return finite if answers.ndim == 1 else np.all(finite, axis=1)


def from_column(predictions: pl.Series) -> Floats:
    """The answers [n] or [n, K] that `to_column` wrote; missing ones are left out."""
    known = predictions.drop_nulls()
    if isinstance(known.dtype, pl.List):
        return np.array(known.to_list(), np.float64)
    return known.cast(pl.Float64).to_numpy()
