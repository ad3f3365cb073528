"""What a learner sees of raw features: target values or codes of categories, standardised numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

# Standard deviations: a number farther out, an infinite one included, counts as this far. One broken
# value then moves a linear margin by no more than this, and crossing, which takes powers, is not drowned.
LIMIT = 6.0


@dataclass(frozen=True, slots=True)
class CategoryValues:
    """A category's target encoding: each value is exact in float32; an unseen category gets `default`.

    The missing category is "", and may have a value of its own.
    """

    column: str
    values: Mapping[str, float]
    default: float

    def apply(self, series: pl.Series) -> NDArray[np.float32]:
        """The value of each category [n]; null counts as "".

        >>> CategoryValues("carrier", {"UA": 0.25, "": 0.5}, 0.125).apply(pl.Series(["UA", None, "??"]))
        array([0.25 , 0.5  , 0.125], dtype=float32)
        """
        return _replace(series, self.values, self.default, pl.Float32)


@dataclass(frozen=True, slots=True)
class CategoryCodes:
    """A category's code, from 1 up; 0 stands for a rare, unseen or missing category."""

    column: str
    codes: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many codes there are, 0 included.

        >>> CategoryCodes("carrier", {"UA": 1, "B6": 2}).size
        3
        """
        return max(self.codes.values(), default=0) + 1

    def numbered(self) -> CategoryValues:
        """The codes less one as exact numbers, and -1, which LightGBM takes for missing, in place of 0.

        >>> CategoryCodes("carrier", {"UA": 1, "B6": 2}).numbered()
        CategoryValues(column='carrier', values={'UA': 0.0, 'B6': 1.0}, default=-1.0)
        """
        return CategoryValues(self.column, {name: code - 1.0 for name, code in self.codes.items()}, -1.0)

    def apply(self, series: pl.Series) -> NDArray[np.int64]:
        """The code of each category [n]; null counts as "".

        >>> CategoryCodes("carrier", {"UA": 1, "B6": 2}).apply(pl.Series(["B6", None, "??"]))
        array([2, 0, 0])
        """
        return _replace(series, self.codes, 0, pl.Int64)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The mean and the scale of each number [K], float32; a missing number is imputed by the mean.

    A number more than `LIMIT` scales from the mean counts as one that is just so far.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, numbers: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The standardised numbers and the missing indicators (1.0 where NaN), [n, K] each.

        >>> known, missing = Scaling(np.float32([4]), np.float32([2])).apply(np.float32([[8], [np.nan]]))
        >>> known.ravel().tolist(), missing.ravel().tolist()
        ([2.0, 0.0], [0.0, 1.0])
        """
        missing = np.isnan(numbers)
        known = (np.where(missing, self.mean, numbers).astype(np.float64) - self.mean) / self.scale
        return known.clip(-LIMIT, LIMIT), missing.astype(np.float64)


def fit_scaling(numbers: NDArray[np.float32]) -> Scaling:
    """The mean and standard deviation of each column's known numbers [n, K]; 0 and 1 without any.

    >>> fit_scaling(np.float32([[1, np.nan], [3, np.nan], [np.nan, np.nan]])).mean.tolist()
    [2.0, 0.0]
    """
    known = ~np.isnan(numbers)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, numbers, 0).sum(0, dtype=np.float64) / count
    deviation = np.sqrt((np.where(known, numbers - mean, 0) ** 2).sum(0) / count)
    scale = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, 1.0)
    return Scaling(mean.astype(np.float32), scale.astype(np.float32))


def fit_codes(series: pl.Series, min_rows: int) -> CategoryCodes:
    """Codes for the categories of at least `min_rows` rows, the most frequent first.

    >>> dict(fit_codes(pl.Series("carrier", ["UA", "B6", "UA", "", "", "AA", "B6", "UA"]), 2).codes)
    {'UA': 1, 'B6': 2}
    """
    counts = pl.DataFrame({"category": series}).filter(pl.col("category") != "").group_by("category").len()
    kept = counts.filter(pl.col("len") >= min_rows).sort("len", "category", descending=[True, False])
    return CategoryCodes(
        series.name, {category: code for code, category in enumerate(kept["category"], start=1)}
    )


def fit_values(series: pl.Series, labels: NDArray[np.float64], smoothing: float) -> CategoryValues:
    """The smoothed mean label of each category: (sum + smoothing * base rate) / (count + smoothing).

    `smoothing` is the weight of the base rate, in rows; an unseen category gets the base rate.
    The formula is that of Micci-Barreca (2001), "A preprocessing scheme for high-cardinality
    categorical attributes", with a fixed prior weight.

    >>> fit_values(pl.Series("carrier", ["UA", "UA", "B6"]), np.array([1, 1, 0], np.float32), 1.0).default
    0.6666666865348816
    """
    names, codes = _factors(series)
    prior = float(labels.mean(dtype=np.float64))
    sums, counts = np.bincount(codes, labels, len(names)), np.bincount(codes, minlength=len(names))
    means = ((sums + smoothing * prior) / (counts + smoothing)).astype(np.float32)
    return CategoryValues(
        series.name, dict(zip(names, means.tolist(), strict=True)), float(np.float32(prior))
    )


def out_of_fold(
    series: pl.Series, labels: NDArray[np.float64], folds: NDArray[np.int64], smoothing: float
) -> NDArray[np.float32]:
    """Each training row's smoothed mean label [n], from the rows of the other folds only.

    A row's own label, and those of its fold, say nothing about its encoding: what the learner
    sees in training is as uncertain as what it will see later. `folds` [n] holds at least two
    distinct fold numbers; ValueError otherwise.
    """
    names, codes = _factors(series)
    if len(folds) == 0 or folds.min() == folds.max():
        raise ValueError("out-of-fold encoding needs at least two folds with rows")
    count, cell = int(folds.max()) + 1, codes * (int(folds.max()) + 1) + folds
    shape = (len(names), count)
    sums = np.bincount(cell, labels, len(names) * count).reshape(shape)
    counts = np.bincount(cell, minlength=len(names) * count).reshape(shape)
    other_sums, other_counts = sums.sum(1, keepdims=True) - sums, counts.sum(1, keepdims=True) - counts
    priors = other_sums.sum(0) / np.maximum(other_counts.sum(0), 1)
    means = (other_sums + smoothing * priors) / (other_counts + smoothing)
    encoded: NDArray[np.float32] = means[codes, folds].astype(np.float32)
    return encoded


def _factors(series: pl.Series) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct categories in sorted order, and the position of each row's among them [n]."""
    names = series.unique().sort()
    return names.to_list(), names.search_sorted(series).cast(pl.Int64).to_numpy()


def _replace(
    series: pl.Series, mapping: Mapping[str, float], default: float, dtype: type[pl.DataType]
) -> NDArray[Any]:
    """The mapped value of each category as an array of `dtype` [n]."""
    texts, keys, values = series.cast(pl.String).fill_null(""), list(mapping), list(mapping.values())
    return texts.replace_strict(keys, values, default=default, return_dtype=dtype).to_numpy()
