"""How far a batch lies from the reference, a feature at a time: an effect size, never a p-value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Monitoring
from models.learning.tokens import words_of
from models.rows import Columns
from monitoring.stability import counts_of, cuts_of, histogram, pooled, psi

# A bin costs about 1/reference rows + 1/batch rows of PSI by chance alone: few bins, or 500 rows
# without any drift come near the threshold.
MAX_CATEGORIES = 20
# A value that this share of the batch has is looked at by itself, however rare it was before.
COMMON = 0.05
# A value that is missing from one side is named when this many rows of it were to be expected
# there: by chance that happens about once in 20,000 times (Poisson, exp(-10)).
EXPECTED = 10
NAMED = 5
MOST_TEXTS = 20_000
OFF = "drift is not watched: monitoring.drift is null"
NOTED_MISSING = 0.01


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one feature moved; `value` is None where it could not be measured, and `note` says why.

    `new` and `vanished` are categories, or words of a text, on one side only, the most frequent first.
    """

    feature: str
    method: str
    value: float | None
    threshold: float
    drifted: bool
    note: str = ""
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()


def feature_drift(
    reference: pl.DataFrame, current: pl.DataFrame, columns: Columns, rules: Monitoring
) -> tuple[Drift, ...]:
    """The drift of each feature, in the order of `columns`; null and NaN are a bin of their own.

    A feature that a frame lacks counts as missing in all its rows. With fewer than
    `rules.min_rows` rows on either side nothing is measured. None at all where drift is not watched.

    >>> calm = pl.DataFrame({"wind": [1.0, 2.0, 3.0, 4.0] * 25, "carrier": ["UA", "B6"] * 50})
    >>> storm = calm.with_columns(wind=pl.col("wind") + 10)
    >>> rules = Monitoring(min_rows=100)
    >>> columns = Columns(("wind",), ("carrier",))
    >>> [(drift.feature, drift.drifted) for drift in feature_drift(calm, storm, columns, rules)]
    [('wind', True), ('carrier', False)]
    """
    if rules.drift is None:
        return ()
    few = _too_few(reference.height, current.height, rules)
    if few:
        return tuple(Drift(name, "psi", None, rules.drift, False, few) for name in columns.names)
    numbers = (
        _number_drift(name, _numbers(reference, name), _numbers(current, name), rules.drift)
        for name in columns.numbers
    )
    categories = (
        _category_drift(name, _categories(reference, name), _categories(current, name), rules.drift)
        for name in columns.categories
    )
    texts = (
        _text_drift(name, _categories(reference, name), _categories(current, name), rules.drift)
        for name in columns.texts
    )
    return (*numbers, *categories, *texts)


def prediction_drift(
    reference: NDArray[np.float64], current: NDArray[np.float64], rules: Monitoring, values: bool = False
) -> Drift:
    """The drift of the answers [n], [m], of any n and m, or of the likeliest class [n, K], [m, K].

    Where the K answers are `values`, as quantiles are, it is that of the one of them that moved most.
    """
    few = _too_few(len(reference), len(current), rules) if rules.drift is not None else OFF
    if few:
        return Drift("prediction", "psi", None, rules.prediction_drift, False, few)
    if reference.ndim == 2 and values:
        pairs = zip(reference.T, current.T, strict=True)
        moved = [_number_drift("prediction", *pair, rules.prediction_drift) for pair in pairs]
        return max(moved, key=lambda each: each.value or 0.0)
    if reference.ndim == 2:
        classes = reference.shape[1]
        said = (np.bincount(each.argmax(axis=1), minlength=classes) for each in (reference, current))
        value = psi(*said)
        return Drift("prediction", "psi", value, rules.prediction_drift, value >= rules.prediction_drift)
    return _number_drift("prediction", reference, current, rules.prediction_drift)


def _too_few(reference: int, current: int, rules: Monitoring) -> str:
    if min(reference, current) >= rules.min_rows:
        return ""
    return f"{reference} reference and {current} batch rows: {rules.min_rows} of each are needed"


def _numbers(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _categories(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype=pl.String)
    return frame[name].cast(pl.String).replace("", None)


def _number_drift(
    name: str, reference: NDArray[np.float64], current: NDArray[np.float64], threshold: float
) -> Drift:
    cuts = cuts_of(reference[~np.isnan(reference)])
    value = psi(histogram(reference, cuts), histogram(current, cuts))
    note = _missing_note(float(np.isnan(reference).mean()), float(np.isnan(current).mean()))
    return Drift(name, "psi", value, threshold, value >= threshold, note)


def _category_drift(name: str, reference: pl.Series, current: pl.Series, threshold: float) -> Drift:
    expected, found = counts_of(reference), counts_of(current)
    kept = list(expected)[:MAX_CATEGORIES]
    kept += [value for value, rows in found.items() if value not in kept and rows >= COMMON * len(current)]
    value = psi(pooled(expected, kept, reference.null_count()), pooled(found, kept, current.null_count()))
    new = _absent(found, expected, len(reference) / len(current))
    vanished = _absent(expected, found, len(current) / len(reference))
    missing = _missing_note(reference.null_count() / len(reference), current.null_count() / len(current))
    notes = (missing, _named("new", new), _named("vanished", vanished))
    note = "; ".join(note for note in notes if note)
    return Drift(name, "psi", value, threshold, value >= threshold, note, new, vanished)


def _text_drift(name: str, reference: pl.Series, current: pl.Series, threshold: float) -> Drift:
    """The larger of two: of how many words texts have, none being a bin, and of which words these are.

    A text is no category: no two are alike. Its words are, and are counted as those of a category.
    """
    said, told = (words_of(_evenly(each)) for each in (reference, current))
    length = _number_drift(name, _lengths(said), _lengths(told), threshold)
    if not all(each.list.len().sum() for each in (said, told)):  # of no words there is no telling which
        return length
    words = _category_drift(name, said.explode().drop_nulls(), told.explode().drop_nulls(), threshold)
    value = max(each.value for each in (length, words) if each.value is not None)
    notes = (f"length {length.value:.3f}", f"words {words.value:.3f}", length.note, words.note)
    note = "; ".join(note for note in notes if note)
    return Drift(name, "psi", value, threshold, value >= threshold, note, words.new, words.vanished)


def _lengths(words: pl.Series) -> NDArray[np.float64]:
    """How many words there are; NaN, as missing, where there are none."""
    counts = words.list.len().cast(pl.Float64).to_numpy()
    return np.where(counts > 0, counts, np.nan)


def _evenly(texts: pl.Series) -> pl.Series:
    """Texts spread evenly over all of them, so many as tell enough."""
    return texts.gather_every(-(-len(texts) // MOST_TEXTS) or 1)


def _absent(here: Mapping[str, int], there: Mapping[str, int], scale: float) -> tuple[str, ...]:
    return tuple(value for value, rows in here.items() if value not in there and rows * scale >= EXPECTED)


def _named(what: str, values: Sequence[str]) -> str:
    more = f" and {len(values) - NAMED} more" if len(values) > NAMED else ""
    return f"{what}: {', '.join(values[:NAMED])}{more}" if values else ""


def _missing_note(reference: float, current: float) -> str:
    if reference == current == 1:
        return "missing in all rows of both"
    if abs(current - reference) >= NOTED_MISSING:
        return f"missing in {current:.1%} of rows, {reference:.1%} in the reference"
    return ""
