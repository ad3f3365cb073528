"""How much of what was chosen a retriever finds."""

from collections.abc import Sequence

import numpy as np

from models.retrieval.retriever import NONE, Whole


def recall(found: Whole, chosen: Sequence[Whole]) -> float:
    """The mean share of what was chosen from each list that is among the items `found` for it [n, k].

    Of more than k chosen items k can be found. An item that is not in the index is NONE, and missed.
    NaN where there are no lists.

    >>> recall(np.array([[1, 2], [3, NONE]]), [np.array([2, 7]), np.array([NONE])])
    0.25
    """
    shares = [
        (np.isin(row, items) & (row != NONE)).sum() / min(len(items), len(row))
        for row, items in zip(found, chosen, strict=True)
    ]
    return float(np.mean(shares)) if shares else float("nan")
