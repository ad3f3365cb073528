"""What LightGBM takes: numbers, encoded categories, texts side by side; rows in the order of their lists."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from models.family import Job
from models.learning.encode import CategoryValues, fit_codes, fit_values, out_of_fold
from models.learning.grams import Grams, fit_grams
from models.learning.losses import Truth
from models.learning.objectives import Parameters
from models.learning.tokens import tokens
from models.rows import Columns, Floats, Rows, categories, numbers

LONGEST = 10_000  # rows: LightGBM ranks no longer list


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the booster takes: the numbers, then of each category one encoding, or one for each class.

    `native` ones are codes that LightGBM splits itself. Then comes what `grams` tell of each text.
    """

    columns: Columns
    encodings: tuple[CategoryValues, ...]
    native: bool
    grams: tuple[Grams, ...] = ()

    def of(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        """The rows of a feature frame, float32 [n, numbers + encodings + the widths of the grams]."""
        named = {series.name: series for series in categories(frame, self.columns)}
        encoded = [encoding.apply(named[encoding.column]) for encoding in self.encodings]
        read = zip(self.grams, tokens(frame, self.columns), strict=True)
        told = [grams.inputs(each) for grams, each in read]
        return np.column_stack([numbers(frame, self.columns), *encoded, *told])

    @property
    def features(self) -> NDArray[np.int64]:
        """The position among the features of what each input is made of."""
        names = [*self.columns.numbers, *(encoding.column for encoding in self.encodings)]
        names += [grams.column for grams in self.grams for _ in range(grams.width)]
        return np.array([self.columns.names.index(column) for column in names], np.int64)

    @property
    def categorical(self) -> list[int]:
        """The inputs that LightGBM splits as categories."""
        count = len(self.columns.numbers)
        return list(range(count, count + len(self.encodings))) if self.native else []


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as LightGBM takes them: inputs float32 [n, F], what is to be learnt [n], and the rows themselves.

    Of a ranking the rows are in the order of their lists.
    """

    inputs: NDArray[np.float32]
    labels: Floats
    rows: Rows

    @classmethod
    def of(cls, inputs: NDArray[np.float32], labels: Floats, rows: Rows) -> "Table":
        """The table of these rows; PerennialError when a list is too long for LightGBM."""
        if rows.groups is None:
            return cls(inputs, labels, rows)
        longest = int(np.unique(rows.groups, return_counts=True)[1].max())
        if longest > LONGEST:
            raise PerennialError(
                f"a list has {longest} rows, and LightGBM ranks at most {LONGEST}: "
                "let outcome.group tell more of them apart, or leave lightgbm out of training.families"
            )
        order = np.argsort(rows.groups, kind="stable")
        return cls(inputs[order], labels[order], rows.at(order))

    def data(self, start: Floats | None, **more: Any) -> dict[str, Any]:
        """What a Dataset is made of; `start` are the margins [K] that every row begins with."""
        groups = self.rows.groups
        sizes = None if groups is None else np.unique(groups, return_counts=True)[1]
        margins = None if start is None else np.tile(start, (len(self.rows), 1)).squeeze()
        return {
            "label": self.labels,
            "weight": self.rows.weights,
            "group": sizes,
            "init_score": margins,
        } | more


def fit_inputs(job: Job, chosen: Parameters, truth: Truth) -> tuple[Inputs, NDArray[np.float32]]:
    """What is told of the train rows: how, and the inputs themselves.

    What a row is told of its categories and texts is learnt from other stretches of time than its own.
    """
    values = _told(job, truth)
    folds = np.arange(len(job.train)) * chosen.folds // len(job.train)
    inputs, encoded = _encoded(job, chosen, values, folds)
    read = zip(job.columns.texts, tokens(job.train.frame, job.columns), strict=True)
    found = [fit_grams(name, each, truth, values, folds) for name, each in read]
    told = [part for _, part in found]
    seen = np.column_stack([numbers(job.train.frame, job.columns), *encoded, *told])
    return replace(inputs, grams=tuple(grams for grams, _ in found)), seen


def told_labels(job: Job, truth: Truth) -> tuple[tuple[Floats, Floats], list[float]]:
    """What LightGBM is to learn from the rows of train and of validation, and the gain of each grade.

    A class is its number, a value is in its unit; grades, which may be fractions, are numbered,
    and have the gain 2^grade - 1.
    """
    later = job.validation.labels
    if truth.lists is not None:
        grades, codes = np.unique(np.concatenate([job.train.labels, later]), return_inverse=True)
        numbered = codes.astype(np.float64)
        return (numbered[: len(job.train)], numbered[len(job.train) :]), (np.exp2(grades) - 1).tolist()
    if truth.loss == "softmax":
        return (job.train.labels, later), []
    return (truth.targets[:, 0], truth.unit.back(later)), []


def _encoded(
    job: Job, chosen: Parameters, values: Floats, folds: NDArray[np.int64]
) -> tuple[Inputs, Sequence[NDArray[np.float32]]]:
    """The encodings of the categories, and those of the train rows, each from the other folds only.

    Of several classes a category has an encoding by each.
    """
    texts = categories(job.train.frame, job.columns)
    if chosen.categories == "native":
        codes = tuple(fit_codes(series, 1).numbered() for series in texts)
        return Inputs(job.columns, codes, True), [
            code.apply(series) for code, series in zip(codes, texts, strict=True)
        ]
    pairs = [(series, column) for series in texts for column in values.T]
    encodings = tuple(fit_values(series, column, chosen.smoothing) for series, column in pairs)
    encoded = [out_of_fold(series, column, folds, chosen.smoothing) for series, column in pairs]
    return Inputs(job.columns, encodings, False), encoded


def _told(job: Job, truth: Truth) -> Floats:
    """What categories are encoded by [n, columns]: the targets, or the one label that makes them all."""
    if truth.lists is not None:
        return job.train.labels[:, None]
    return truth.targets[:, :1] if truth.loss == "pinball" else truth.targets
