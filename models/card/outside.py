"""What training saw of each feature, and the rows that lie outside of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Spec
from models.learning.tokens import Tokens, tokens
from models.measures.intervals import drawn_blocks, intervals
from models.measures.paired import Interval
from models.onnx.texts import BUCKETS
from models.problem import Floats, Problem
from models.rows import Columns, Rows, categories, numbers, texts


@dataclass(frozen=True, slots=True)
class Seen:
    """The training rows of the features, in the order of `columns`.

    Of each number [numbers] the smallest, the 1st, 50th and 99th percentile, the largest, and the
    standard deviation (NaN where it was never known, 0 where it was always the same); of each
    category its values, by falling number of rows, "" where it was missing; of each text which words
    there were, by their numbers; and the features that were sometimes missing.
    """

    columns: Columns
    least: Floats
    low: Floats
    middle: Floats
    high: Floats
    most: Floats
    spread: Floats
    values: tuple[tuple[str, ...], ...]
    words: tuple[NDArray[np.bool_], ...]
    missing: frozenset[str]

    @classmethod
    def of(cls, train: pl.DataFrame, columns: Columns) -> Self:
        """What these training rows show."""
        known = pl.DataFrame(numbers(train, columns), schema=list(columns.numbers)).fill_nan(None)
        every = pl.all().cast(pl.Float64)
        low, middle, high = (_row(known.select(every.quantile(share))) for share in (0.01, 0.5, 0.99))
        least, most, spread = (
            _row(known.select(fact)) for fact in (every.min(), every.max(), every.std(ddof=0))
        )
        values = tuple(_by_rows(series) for series in categories(train, columns))
        words = tuple(_met(each) for each in tokens(train, columns))
        lacked = {name for name in columns.numbers if known[name].null_count()}
        lacked |= {name for name, told in zip(columns.categories, values, strict=True) if "" in told}
        lacked |= {series.name for series in texts(train, columns) if (series == "").any()}
        return cls(columns, least, low, middle, high, most, spread, values, words, frozenset(lacked))

    def strange(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Whether each feature of each row is what training never saw [n, features].

        A number beyond all of its training values, an unknown category, a text of which most words
        are new, or missing where training knew no missing one.
        """
        values = numbers(frame, self.columns)
        apart = [(values < self.least) | (values > self.most)]
        never = np.array([name not in self.missing for name in self.columns.numbers], dtype=bool)
        apart[0] |= np.isnan(values) & never
        for series, known in zip(categories(frame, self.columns), self.values, strict=True):
            apart.append(~series.is_in(list(known)).to_numpy()[:, None])
        read = zip(self.words, texts(frame, self.columns), tokens(frame, self.columns), strict=True)
        for met, series, found in read:
            new = ((found.words > 0) & ~met[found.words]).sum(axis=1)
            lacking = (series == "").to_numpy() & (series.name not in self.missing)
            apart.append((lacking | (new > 0.5 * (found.words > 0).sum(axis=1)))[:, None])
        return np.hstack(apart)


@dataclass(frozen=True, slots=True)
class Outside:
    """The holdout rows with at least one feature that training never saw the like of.

    `features` has the share of the rows by feature, where there are any, the greatest first; the
    measures are those of these rows, and of all others.
    """

    rows: int
    share: float
    features: Mapping[str, float]
    outside: Mapping[str, Interval]
    inside: Mapping[str, Interval]


def outside(problem: Problem, rows: Rows, answers: Floats, seen: Seen, spec: Spec) -> Outside:
    """Compare the rows that are outside of what training saw with those that are not."""
    strange = seen.strange(rows.frame)
    apart: NDArray[np.bool_] = np.asarray(strange.any(axis=1), np.bool_)
    shares = dict(zip(seen.columns.names, strange.mean(axis=0).tolist(), strict=True))
    ranked = sorted((name for name in shares if shares[name] > 0), key=lambda name: -shares[name])

    def measured(among: NDArray[np.bool_]) -> Mapping[str, Interval]:
        part = rows.at(among)
        if not len(part):
            return {}
        return intervals(problem, part, answers[among], drawn_blocks(part, spec), spec.gate.confidence)

    return Outside(
        rows=int(apart.sum()),
        share=float(apart.mean()),
        features={name: shares[name] for name in ranked},
        outside=measured(apart),
        inside=measured(np.logical_not(apart)),
    )


def _met(found: Tokens) -> NDArray[np.bool_]:
    """Which numbers the words have [BUCKETS]."""
    met = np.zeros(BUCKETS, np.bool_)
    met[found.words] = True
    return met


def _by_rows(series: pl.Series) -> tuple[str, ...]:
    counts = series.rename("value").value_counts()
    return tuple(counts.sort("count", "value", descending=[True, False])["value"])


def _row(frame: pl.DataFrame) -> Floats:
    if not frame.width:
        return np.empty(0)
    return np.array([np.nan if value is None else value for value in frame.row(0)], np.float64)
