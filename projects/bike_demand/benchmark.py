"""What the champions of bike_demand are held against: `benchmarks/baselines.py` says how.

Seasonal-naive forecasts with the quantiles of their own past errors, and a plain LightGBM.
"""

from collections.abc import Callable
from functools import partial

import lightgbm
import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVELS = (0.1, 0.5, 0.9)
YEAR = pl.duration(weeks=52)


def seasonal(known: pl.DataFrame, rows: pl.DataFrame, by: str) -> Floats:
    """The feature `by`, and the quantiles of how far it was off in the year before, added to it.

    By hour of the day, on weekends and other days apart. Of the ways that were tried over 2012 to 2018 this
    was the best: a quarter, half a year and two years of errors, ratios in their place, hours alone.
    """
    kind = [pl.col("hour"), (pl.col("weekday") > 5).alias("weekend")]
    recent = known.filter(pl.col("event_time") > pl.col("event_time").max() - YEAR).drop_nulls(by)
    off, names = pl.col("label") - pl.col(by), [f"off {level}" for level in LEVELS]
    quantiles = [off.quantile(level).alias(name) for level, name in zip(LEVELS, names, strict=True)]
    errors = recent.group_by(kind).agg(quantiles)
    found = rows.select(*kind, by).join(errors, on=["hour", "weekend"], how="left", maintain_order="left")
    middle = found[by].fill_null(found[by].median()).to_numpy()[:, None]
    return np.maximum(middle + found.select(names).to_numpy(), 0)


def plain_lightgbm(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """A LightGBM for each quantile with its default parameters on the champion's number features."""
    names = rows.select(cs.float()).columns  # the number features: the day's own weather is not among them
    seen, asked = (frame.select(names).to_numpy() for frame in (known, rows))
    models = (lightgbm.LGBMRegressor(objective="quantile", alpha=q, verbose=-1, n_jobs=1) for q in LEVELS)
    answers = [np.asarray(model.fit(seen, known["label"].to_numpy()).predict(asked)) for model in models]
    return np.sort(np.column_stack(answers), axis=1)


def measures(rows: pl.DataFrame, answers: Floats) -> dict[str, float]:
    """The error of the middle as a share of all rides, and the shares of hours below each end."""
    label = rows["label"].to_numpy()
    off = float(np.abs(label - answers[:, 1]).sum() / label.sum())
    below, above = (label < answers[:, 0]).mean(), (label > answers[:, 2]).mean()
    return {"error share": off, "below q10": float(below), "above q90": float(above)}


def _by(feature: str) -> Callable[[pl.DataFrame, pl.DataFrame], Floats]:
    return partial(seasonal, by=feature)


BASELINES = {
    "the same hour a week ago": _by("week_ago"),
    "the mean of four such hours": _by("weeks_4"),
    "the mean of four, at this week's level": _by("weeks_4_now"),
    "plain LightGBM": plain_lightgbm,
}
