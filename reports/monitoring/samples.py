"""A bounded sample of rows that looks like the whole: by day, and with the frequent categories in it."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

_ROW = ":row"


def stratified(
    rows: pl.LazyFrame, columns: Sequence[str], categories: Sequence[str], size: int, kept: int, timezone: str
) -> pl.DataFrame:
    """About `size` rows of these columns, in their order, drawn with a fixed seed; all where there are fewer.

    Each day of the time zone has its share of them, where rows have an `event_time`. Of each category
    the `kept` most frequent values are there, by a row of their own where no other has them. The whole
    is never held at once.
    """
    height = int(rows.select(pl.len()).collect().item())
    if height <= size:
        return rows.select(columns).collect()
    chosen = _by_day(rows, height, size, timezone)
    drawn = _at(rows, chosen, columns)
    places = set(chosen.tolist())
    for name in categories:
        counts = (
            rows.select(pl.col(name).cast(pl.String).alias("value"))
            .with_row_index(_ROW)
            .drop_nulls("value")
            .group_by("value")
            .agg(pl.len().alias("rows"), pl.col(_ROW).min())
        )
        frequent = counts.sort(["rows", "value"], descending=[True, False]).head(kept).collect()
        there = drawn[name].cast(pl.String).unique()
        places.update(frequent.filter(~pl.col("value").is_in(there.implode()))[_ROW].to_list())
    return _at(rows, np.array(sorted(places)), columns) if len(places) > len(chosen) else drawn


def _by_day(rows: pl.LazyFrame, height: int, size: int, timezone: str) -> NDArray[np.int64]:
    """The places of rows that are spread evenly over days, and at random within each."""
    days = np.zeros(height, np.int64)
    if "event_time" in rows.collect_schema():
        day = pl.col("event_time").dt.convert_time_zone(timezone).dt.date().to_physical()
        days = rows.select(day).collect()["event_time"].fill_null(0).to_numpy()
    order = np.lexsort((np.random.default_rng(0).random(height), days))
    return np.sort(order[((np.arange(size) + 0.5) * height / size).astype(np.int64)])


def _at(rows: pl.LazyFrame, places: NDArray[np.int64], columns: Sequence[str]) -> pl.DataFrame:
    chosen = pl.Series(places, dtype=pl.get_index_type())
    return (
        rows.select(columns)
        .with_row_index(_ROW)
        .filter(pl.col(_ROW).is_in(chosen.implode()))
        .drop(_ROW)
        .collect()
    )
