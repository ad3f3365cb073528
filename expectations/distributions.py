"""Distributions of a column, in the form in which Great Expectations compares with one."""

from typing import Any

import numpy as np
import polars as pl

_BINS = 10
_VALUES = 200  # of a category that are told apart; the rest counts as other


def distribution(column: pl.Series) -> dict[str, list[Any]] | None:
    """The partition object of a column: `values` or `bins`, with their `weights`; None without values.

    Of a category, the commonest 200 values. Numbers fall into ten bins of about equal weight, from
    the least to the greatest finite value.

    >>> distribution(pl.Series(["JFK", "LGA", None, "JFK"]))
    {'values': ['JFK', 'LGA'], 'weights': [0.6666666666666666, 0.3333333333333333]}
    """
    if column.dtype.is_numeric():
        return _bins(column.cast(pl.Float64))
    counts = (
        column.drop_nulls()
        .cast(pl.String)
        .value_counts(name="n")
        .sort(["n", column.name], descending=[True, False])
    )
    if counts.is_empty():
        return None
    counts = counts.head(_VALUES)
    return {"values": counts[column.name].to_list(), "weights": (counts["n"] / counts["n"].sum()).to_list()}


def _bins(numbers: pl.Series) -> dict[str, list[Any]] | None:
    finite = numbers.filter(numbers.is_finite().fill_null(False)).to_numpy()
    if not finite.size:
        return None
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, _BINS + 1)))
    if edges.size == 1:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    counts, _ = np.histogram(finite, edges)
    return {"bins": edges.tolist(), "weights": (counts / counts.sum()).tolist()}
