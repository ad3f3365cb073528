"""What the order of the rows tells: that they are one series, or sorted by something that they should not."""

import polars as pl

from proposal import limits
from proposal.keys import Key
from proposal.label import Label
from proposal.times import Time


def sorted_by(sample: pl.DataFrame, label: Label) -> str:
    """That the label goes with the order of the rows, where it does: the share of it that batches explain."""
    values = sample.select(label.values().alias("value")).drop_nulls().to_series()
    codes = values.rank("dense") if values.dtype == pl.String else values
    frame = pl.DataFrame({"value": codes.cast(pl.Float64)}).with_row_index("place")
    part = pl.col("place") * limits.IDEAL // max(frame.height, 1)
    means = frame.select(pl.col("value").mean().over(part).var() / pl.col("value").var()).item() or 0.0
    if means < limits.SORTED:
        return ""
    return (
        f"the order of the rows alone explains {means:.0%} of the label: the table is sorted by"
        " something that goes with it; shuffle its rows first, as in"
        " polars.read_csv(path).sample(fraction=1, shuffle=True, seed=1)"
    )


def is_series(sample: pl.DataFrame, time: Time | None, label: Label, key: Key) -> bool:
    """Whether the events are the values of one series: a number at each of many times, once."""
    if time is None or key.entity or label.problem != "regression":
        return False
    times = sample[time.name].drop_nulls()
    return (
        len(times) > 0 and times.n_unique() > 0.95 * len(times) and sample.height > 200 and _is_steady(times)
    )


def _is_steady(times: pl.Series) -> bool:
    """Whether most times follow each other at one distance."""
    gaps = times.sort().diff().drop_nulls()
    return bool((gaps == gaps.median()).mean() > 0.5)  # type: ignore[operator]
