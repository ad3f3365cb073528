"""How right the surest answers are, where so many of the positives have to be found."""

import numpy as np
from numpy.typing import NDArray

from models.measures.probabilities import Floats


def precision_at_recall(labels: Floats, probabilities: Floats, recall: float) -> float:
    """The share of positives among the answers that are said yes to, from the highest down.

    As many are as it takes to find a `recall` share of all positives; equal answers are taken
    together. NaN where there are no positives.

    >>> precision_at_recall(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]), 0.5)
    1.0
    >>> round(precision_at_recall(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]), 1.0), 4)
    0.6667
    """
    one = np.ones((1, 1), np.int64)
    return float(drawn_precision(labels, probabilities, recall, np.zeros(len(labels), np.intp), one)[0])


def drawn_precision(
    labels: Floats,
    probabilities: Floats,
    recall: float,
    block: NDArray[np.intp],
    weights: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The same for each draw of blocks [draws]: a row counts as often as the draw has its block.

    `block` [n] is that of each row, `weights` [draws, blocks] how often each is drawn.
    """
    order = np.argsort(-probabilities, kind="stable")
    chances, positive, of = probabilities[order], labels[order] > 0, block[order]
    ends = np.flatnonzero(np.append(np.diff(chances) != 0, True))
    found = np.full(len(weights), np.nan)
    for draw, each in enumerate(weights):
        counts = each[of]
        hits, said = np.cumsum(counts * positive)[ends], np.cumsum(counts)[ends]
        if hits[-1]:
            first = np.searchsorted(hits, recall * hits[-1] * (1 - 1e-12))
            found[draw] = hits[first] / said[first]
    return found
