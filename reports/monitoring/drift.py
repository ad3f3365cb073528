"""Evidently's page of a batch beside the reference, from a bounded sample of both."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from models.rows import Columns
from reports.monitoring.samples import stratified
from reports.pages import write

# More rows make the plots no clearer, and 32 columns keep the page under 5 MB.
SAMPLE = 5_000
MAX_COLUMNS = 32
MAX_CATEGORIES = 20
OTHER = "(other values)"
# Evidently's own defaults for these two measures.
LIMIT = 0.1
_EMPTY = '<!DOCTYPE html><html lang="en"><head></head><body></body></html>'


def drift_page(
    reference: pl.DataFrame | pl.LazyFrame,
    current: pl.DataFrame | pl.LazyFrame,
    columns: Columns,
    path: Path,
    timezone: str = "UTC",
) -> Path:
    """Write Evidently's HTML report to `path` (under 5 MB, opens offline) and return the path.

    Of each frame about SAMPLE rows are drawn with a fixed seed, as many of each day of the time zone as
    is its share, and of the columns the first MAX_COLUMNS that can be shown; rare categories are
    pooled, and none of the others is left out by chance. A column that either frame lacks or
    has no value of, and one that is the same constant in both, is left out: Evidently aborts on
    it or says nothing. The head of the page tells all of this.
    """
    sides = reference.lazy(), current.lazy()
    heights = [int(rows.select(pl.len()).collect().item()) for rows in sides]
    before, now = (_sample(rows, columns, timezone) for rows in sides)
    left_out = {name: fault for name in columns.names if (fault := _fault(before, now, name))}
    left_out |= dict.fromkeys(columns.texts, "free text, which is measured by its words")
    usable = [name for name in columns.names if name not in left_out]
    left_out |= dict.fromkeys(usable[MAX_COLUMNS:], f"after the first {MAX_COLUMNS} columns")
    shown = Columns(
        tuple(name for name in columns.numbers if name in usable[:MAX_COLUMNS]),
        tuple(name for name in columns.categories if name in usable[:MAX_COLUMNS]),
    )
    head = _head([(before.height, heights[0]), (now.height, heights[1])], left_out)
    page = _evidently(*_pooled(before, now, shown), shown) if shown.names else _EMPTY
    page = page.replace("<head>", "<head><title>Data drift</title>", 1).replace("<body>", f"<body>{head}", 1)
    return write(path, page)


def _evidently(reference: pl.DataFrame, current: pl.DataFrame, columns: Columns) -> str:
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import MissingValueCount, ValueDrift

    definition = DataDefinition(
        numerical_columns=list(columns.numbers), categorical_columns=list(columns.categories)
    )
    measures = [
        *(ValueDrift(column=name, method="wasserstein", threshold=LIMIT) for name in columns.numbers),
        *(ValueDrift(column=name, method="jensenshannon", threshold=LIMIT) for name in columns.categories),
        # Evidently drops missing values before it measures drift: without these they are invisible.
        # No test of their count is shown, since the two samples may differ in length.
        *(MissingValueCount(column=name, tests=[]) for name in columns.names),
    ]
    before, now = (
        Dataset.from_pandas(frame.to_pandas(), data_definition=definition) for frame in (reference, current)
    )
    snapshot = Report(measures, include_tests=True).run(now, before)
    return str(snapshot.get_html_str(as_iframe=False))


def _sample(rows: pl.LazyFrame, columns: Columns, timezone: str) -> pl.DataFrame:
    """About SAMPLE rows in their order, with the columns that there are; infinity counts as missing."""
    there = [name for name in columns.names if name in rows.collect_schema()]
    categories = [name for name in columns.categories if name in there]
    drawn = stratified(rows, there, categories, SAMPLE, MAX_CATEGORIES, timezone)
    numbers = [name for name in columns.numbers if name in there]
    as_number = {name: pl.col(name).cast(pl.Float64, strict=False) for name in numbers}
    return drawn.select(
        *(pl.when(number.is_finite()).then(number).alias(name) for name, number in as_number.items()),
        *(pl.col(name).cast(pl.String) for name in categories),
    )


def _fault(reference: pl.DataFrame, current: pl.DataFrame, name: str) -> str:
    """Why Evidently cannot show this column; empty where it can."""
    for frame, which in ((reference, "reference"), (current, "batch")):
        if name not in frame.columns:
            return f"not in the {which}"
        if frame[name].null_count() == frame.height:
            return f"no values in the {which}"
    values = pl.concat([reference[name], current[name]]).drop_nulls()
    return f"always {values[0]}" if values.n_unique() == 1 else ""


def _pooled(
    reference: pl.DataFrame, current: pl.DataFrame, columns: Columns
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The shown columns, where a category keeps its most frequent values and pools the others."""
    shown: list[pl.Expr] = [pl.col(name) for name in columns.numbers]
    for name in columns.categories:
        counts = pl.concat([reference[name], current[name]]).drop_nulls().alias("value").value_counts()
        kept = counts.sort(["count", "value"], descending=[True, False])["value"].head(MAX_CATEGORIES)
        known = pl.col(name).is_null() | pl.col(name).is_in(kept.to_list())
        shown.append(pl.when(known).then(name).otherwise(pl.lit(OTHER)).alias(name))
    return reference.select(shown), current.select(shown)


def _head(rows: Sequence[tuple[int, int]], left_out: Mapping[str, str]) -> str:
    samples = " and ".join(
        f"{drawn:,} of {count:,} {which} rows"
        for (drawn, count), which in zip(rows, ("reference", "batch"), strict=True)
    )
    faults = "; ".join(f"{html.escape(name)} ({html.escape(why)})" for name, why in left_out.items())
    return (
        '<p style="font: 16px/1.5 sans-serif; max-width: 60em; margin: 1em auto; padding: 1em; '
        'background: #fff; color: #111">'
        '<a href="../monitoring/index.html">Monitoring</a> · '
        f"<strong>From a sample:</strong> {samples}, drawn by day. Evidently measures numbers by "
        "Wasserstein distance over the reference's standard deviation, categories by Jensen-Shannon "
        f"distance; of categories the {MAX_CATEGORIES} most frequent values are shown. Decisions are "
        "taken on all rows by the population stability index, so the figures differ."
        + (f" <strong>Left out:</strong> {faults}." if faults else "")
        + "</p>"
    )
