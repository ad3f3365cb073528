"""The pinball loss: what quantiles lose on the labels that they should lie above and below."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pinball(labels: Floats, answers: Floats, levels: Sequence[float]) -> Floats:
    """The mean pinball loss of the quantiles of each row [n], in the label's unit.

    `labels` are [n], `answers` [n, K], `levels` [K]. Of a label above its quantile the level counts, of
    one below the rest of 1 (Koenker and Bassett, "Regression quantiles", 1978): the quantile of that
    level loses least on average.

    >>> pinball(np.array([10.0, 10.0]), np.array([[9.0], [12.0]]), (0.9,)).round(2).tolist()
    [0.9, 0.2]
    """
    off, shares = labels[:, None] - answers, np.asarray(levels, np.float64)
    return np.asarray(np.where(off >= 0, shares * off, (shares - 1) * off).mean(axis=1), np.float64)
