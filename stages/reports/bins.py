"""The bins in which a column is drawn: as wide as a person would choose, the same for two batches."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from monitoring.drift.drift import COMMON, MAX_CATEGORIES

Kind = Literal["number", "category", "boolean", "hour", "weekday", "other"]

DECILES = tuple(step / 10 for step in range(1, 10))
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BINS = 30
# Whole numbers in up to so wide a range have a bin each.
_EACH = 64
_MANY = 200
_LONGEST = 200  # characters of a name
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Bins:
    """Where the rows of a column are counted: between `edges` [k + 1], or at each of `labels` [k].

    `names` are the labels in words. `cuts` are the deciles of the reference, each a bin of its own too.
    """

    kind: Kind
    edges: tuple[float, ...] = ()
    labels: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()


def kind_of(dtype: pl.DataType) -> Kind:
    """How a column of this dtype is drawn."""
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "category"
    kinds: dict[type[pl.DataType], Kind] = {pl.Boolean: "boolean", pl.Datetime: "hour", pl.Date: "weekday"}
    return kinds.get(type(dtype), "other")


def bins_of(dtype: pl.DataType, now: Mapping[str, Any], then: Mapping[str, Any] | None) -> Bins:
    """The bins of a column, from the range of its newest batch and, if there is one, of the reference."""
    kind = kind_of(dtype)
    if kind == "number":
        known = [seen for seen in (then, now) if seen and seen["least"] is not None]
        if not known:
            return Bins(kind)
        whole = dtype.is_integer()
        low, high = _range([_ends(seen) for seen in known], whole)
        return Bins(kind, edges(low, high, whole), cuts=_cuts(known[0]["quantiles"][1:-1]))
    if kind == "category":
        labels = _kept(now, then)
        return Bins(kind, labels=labels, names=tuple(label[:_LONGEST] for label in labels))
    if kind == "boolean":
        return Bins(kind, labels=(True, False), names=("true", "false"))
    if kind == "hour":
        return Bins(kind, labels=tuple(range(24)), names=tuple(f"{hour:02d}" for hour in range(24)))
    return Bins(kind, labels=tuple(range(1, 8)), names=WEEKDAYS) if kind == "weekday" else Bins(kind)


def edges(low: float, high: float, whole: bool) -> tuple[float, ...]:
    """About BINS bins of a round width from `low` to `high`, both finite; a bin a number, if few and whole.

    >>> edges(0.013, 0.94, whole=False)[:4]
    (0.0, 0.05, 0.1, 0.15)
    >>> edges(1, 4, whole=True)
    (0.5, 1.5, 2.5, 3.5, 4.5)
    >>> edges(7.0, 7.0, whole=False)
    (7.0, 7.0)
    """
    if whole and high - low < _EACH:
        return tuple(low - 0.5 + place for place in range(int(high - low) + 2))
    if low == high:
        return (low, high)
    width = _round_width(high / BINS - low / BINS)
    width = max(width, 1.0) if whole else width
    # Where numbers lie too close, or too far apart, for round widths.
    if not math.isfinite(low / width) or not math.isfinite(high / width) or low + width == low:
        return tuple(sorted({low * (1 - part / BINS) + high * (part / BINS) for part in range(BINS + 1)}))
    first, last = math.floor(low / width), math.floor(high / width) + 1
    digits = max(0, 1 - math.floor(math.log10(width)))
    return tuple(round(place * width, digits) for place in range(first, last + 1))


def _ends(seen: Mapping[str, Any]) -> tuple[float, float]:
    """Between which all values lie or, of many, 98 in 100."""
    if seen["rows"] - seen["missing"] < _MANY:
        return seen["least"], seen["most"]
    return seen["quantiles"][0], seen["quantiles"][-1]


def _range(ends: Sequence[tuple[float, float]], whole: bool) -> tuple[float, float]:
    """From end to end of the first, and of the others as far as that leaves the first legible."""
    low, high = ends[0]
    least, most = min(each[0] for each in ends), max(each[1] for each in ends)
    if low == high or (whole and most - least < _EACH):
        return least, most
    return max(least, low - (high - low)), min(most, high + (high - low))


def _round_width(width: float) -> float:
    power = 10.0 ** math.floor(math.log10(width)) if width else 0.0
    return next((step * power for step in _STEPS if step * power >= width), 10 * power) or 5e-324


def _cuts(deciles: list[float]) -> tuple[float, ...]:
    """As `monitoring.drift.stability` cuts: a value that many rows share is seen leaving either way."""
    values = np.unique(np.array(deciles, dtype=np.float64))
    return tuple(np.unique(np.concatenate([values, np.nextafter(values, -np.inf)])).tolist())


def _kept(now: Mapping[str, Any], then: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The commonest categories of the reference, and those that have become common since."""
    kept = [each["value"] for each in (then["top"] if then and then["top"] else now["top"])[:MAX_CATEGORIES]]
    common = [each["value"] for each in now["top"] if each["rows"] >= COMMON * now["rows"]]
    return tuple(dict.fromkeys([*kept, *common]))
