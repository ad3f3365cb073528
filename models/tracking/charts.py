"""What a run shows as a chart or a table, in plain data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from core.plain import plain
from models.measures.curves import Agreement, Confusion, PrecisionRecall, Roc

Points = NDArray[Any] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines by name, each its places along x and y, both [points]."""

    title: str
    x: str
    lines: Mapping[str, tuple[Points, Points]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A value by name, in this order."""

    title: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The counts of a confusion matrix."""

    title: str
    confusion: Confusion

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row a cell, by the names that the chart of the W&B app asks for."""
        names, counts = self.confusion.classes, self.confusion.counts.tolist()
        return [
            {"Actual": actual, "Predicted": predicted, "nPredictions": count}
            for actual, row in zip(names, counts, strict=True)
            for predicted, count in zip(names, row, strict=True)
        ]


Chart = Lines | Bars | Matrix


def roc_lines(curves: Mapping[str, Roc]) -> Lines:
    """ROC curves by class."""
    lines = {name: (curve.false_positive_rate, curve.true_positive_rate) for name, curve in curves.items()}
    return Lines("ROC: true positive rate", "false positive rate", lines)


def precision_recall_lines(curves: Mapping[str, PrecisionRecall]) -> Lines:
    """Precision-recall curves by class."""
    lines = {name: (curve.recall, curve.precision) for name, curve in curves.items()}
    return Lines("Precision by recall", "recall", lines)


def calibration_lines(predicted: Points, observed: Points) -> Lines:
    """Observed rates over mean probabilities, or levels, both [bins], beside those of perfect calibration."""
    lines: dict[str, tuple[Points, Points]] = {
        "observed": (predicted, observed),
        "perfect": ([0.0, 1.0], [0.0, 1.0]),
    }
    return Lines("Calibration: observed rate", "mean probability", lines)


def agreement_lines(found: Agreement) -> Lines:
    """Actual values over predicted ones."""
    names = {"mean": found.actual, "10 %": found.low, "90 %": found.high, "perfect": found.predicted}
    lines = {name: (found.predicted, values) for name, values in names.items()}
    return Lines("Actual values by prediction", "prediction", lines)


def residual_lines(found: Agreement) -> Lines:
    """Quantiles of actual minus predicted."""
    return Lines("Residuals", "share of rows", {"residual": (found.levels, found.residuals)})


def cells(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """The columns that any of the rows has, and their cells; what a row has not is None.

    W&B holds one type a column: one of several is made text, as are lists and dicts.

    >>> cells([{"a": 1, "b": 2.5}, {"a": "x"}])
    (['a', 'b'], [['1', 2.5], ['x', None]])
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    by_column = [_of_one_type([plain(row.get(name)) for row in rows]) for name in columns]
    return columns, [list(row) for row in zip(*by_column, strict=True)]


def _of_one_type(values: list[Any]) -> list[Any]:
    kinds = {float if type(value) is int else type(value) for value in values if value is not None}
    if len(kinds) <= 1 and not kinds & {list, dict}:
        return values
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
