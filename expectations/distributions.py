"""Distributions of a column, in the form in which Great Expectations compares with one."""

from typing import Any

import numpy as np
import polars as pl

_BINS = 10
_VALUES = 10_000  # of a category that are told apart: beyond, the rest would count as new


def distribution(column: pl.Series) -> dict[str, list[Any]] | None:
    """The partition object of a column: `values` or `bins`, with their `weights`; None without values.

    Of a category, the commonest 10,000 values. Numbers fall into ten bins of about equal weight, from
    the least to the greatest finite value; a value that weighs as much by itself has its own.

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
    values, counts = np.unique(finite, return_counts=True)
    if values.size == 1:
        only = float(values[0])
        reach = max(0.5, abs(only) * 1e-9)
        return {"bins": [only - reach, only + reach], "weights": [1.0]}
    heavy = counts * _BINS >= finite.size
    beside = (values[:-1] / 2 + values[1:] / 2)[heavy[:-1] | heavy[1:]]
    edges = np.union1d(np.quantile(finite, np.linspace(0, 1, _BINS + 1)), beside)
    counts, _ = np.histogram(finite, edges)
    # An empty bin joins the one before it; the first has the least value.
    filled = counts > 0
    edges, counts = np.append(edges[:-1][filled], edges[-1]), counts[filled]
    return {"bins": edges.tolist(), "weights": (counts / counts.sum()).tolist()}
