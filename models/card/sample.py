"""Asking a model again and again for less: fewer rows, and many frames at once."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.problem import Floats, Problem
from models.rows import Columns, Rows, categories, numbers, texts

Answers = Callable[[pl.DataFrame], Floats]

AT_ONCE = 32


def asked(answers: Answers, frames: Iterable[pl.DataFrame]) -> Iterator[Floats]:
    """What `answers` says to each of the frames, which have the same columns and number of rows.

    They are put to it 32 at a time: what a question costs, whatever its rows, counts once.
    """
    frames = iter(frames)
    while some := list(islice(frames, AT_ONCE)):
        yield from np.split(answers(pl.concat(some)), len(some))


def as_read(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """The features alone, as models read them: numbers in float32, the others as text, missing as null."""
    values = zip(columns.numbers, numbers(frame, columns).T, strict=True)
    strings = [*categories(frame, columns), *texts(frame, columns)]
    named = [series.replace("", None) for series in strings]
    return pl.DataFrame([*(pl.Series(name, each).fill_nan(None) for name, each in values), *named])


def spread(rows: Rows, problem: Problem, count: int, seed: int) -> NDArray[np.intp]:
    """The positions of about `count` of the rows, one drawn from each of as many stretches of time.

    A ranking's lists stay whole. All rows where there are no more than `count`.
    """
    if len(rows) <= count:
        return np.arange(len(rows))
    random = np.random.default_rng(seed)
    if problem.kind != "ranking" or rows.groups is None:
        return _drawn(len(rows), count, random)
    lists, first, group = np.unique(rows.groups, return_index=True, return_inverse=True)
    in_time = np.argsort(first)
    kept = in_time[_drawn(len(lists), max(1, count * len(lists) // len(rows)), random)]
    return np.flatnonzero(np.isin(group, kept))


def _drawn(total: int, count: int, random: np.random.Generator) -> NDArray[np.intp]:
    """One position of each of `count` stretches of `total` ones, none twice."""
    edges = np.arange(count + 1) * total // count
    return np.asarray(random.integers(edges[:-1], edges[1:]), np.intp)
