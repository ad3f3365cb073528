"""The usual value of each feature in training: what a row would have if nothing were special about it."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from models.card.outside import Seen
from models.rows import Columns

REFERENCE = "reference.parquet"
"""The file of a version with a sample of the rows that it was fitted on, and of the newest unseen ones."""


def usual(seen: Seen) -> dict[str, pl.Expr]:
    """Each feature's usual value, the median, the most frequent category, or no text, by its name."""
    numbers = {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(seen.columns.numbers, seen.middle, strict=True)
    }
    texts = dict(zip(seen.columns.categories, (values[0] or None for values in seen.values), strict=True))
    return {
        **{name: pl.lit(value, pl.Float32).alias(name) for name, value in numbers.items()},
        **{name: pl.lit(value, pl.String).alias(name) for name, value in texts.items()},
        **{name: pl.lit(None, pl.String).alias(name) for name in seen.columns.texts},
    }


def usual_values(sample: pl.DataFrame, columns: Columns) -> Mapping[str, pl.Expr]:
    """The same of the rows of REFERENCE that were fitted on: those without a `prediction`."""
    return usual(Seen.of(sample.filter(pl.col("prediction").is_null()), columns))
