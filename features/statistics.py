"""The statistics of one window of an entity's past, from the values known in it: what they mean.

The offline build computes the same of many windows at once (`features.sums`, `features.ranks`), to
the bit; the online store calls these. Values are given in the order in which they became known,
without those that are not `usable`; numbers are taken as 64-bit floats.
"""

import math
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from core.spec import Trailing

V = TypeVar("V")
MICROSECONDS = 1_000_000


def usable(value: Any) -> bool:
    """Whether a value counts: it is known, and if it is a float, finite."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def total(values: Sequence[float]) -> float:
    """The sum, as exact as a float can say it: in whatever order the values come, it is the same.

    Infinite when it is too large for a float.

    >>> total([1e16, 1.0, -1e16])
    1.0
    """
    try:
        return math.fsum(values) + 0.0
    except OverflowError:  # of the sum, or only on the way to it
        exact = sum(map(Fraction, values))
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def mean(values: Sequence[float]) -> float | None:
    """The exact sum by the number; None of nothing."""
    return total(values) / len(values) if values else None


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of them lie, between two of them on the line; None of nothing.

    >>> quantile([4.0, 1.0, 2.0], 0.75)
    3.0
    """
    if not values:
        return None
    ordered, place = sorted(map(float, values)), share * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def distinct(values: Sequence[Hashable]) -> int:
    """How many different values there are."""
    return len(set(values))


def since_last(known: Sequence[int], decision: int) -> float | None:
    """Seconds from the newest instant to the decision, all in microseconds; None of nothing."""
    return (decision - known[-1]) / MICROSECONDS if known else None


def lag(values: Sequence[V], back: int) -> V | None:
    """The value that is `back`-th from the newest; None where there are fewer."""
    return values[-back] if len(values) >= back else None


def smoothed(hits: int, count: int, all_hits: int, all_count: int, weight: float) -> float | None:
    """A rate of `count` events drawn towards the rate of all with the weight of so many; None of nothing.

    The additive smoothing of Micci-Barreca, "A preprocessing scheme for high-cardinality categorical
    attributes" (SIGKDD Explorations 3(1), 2001).

    >>> smoothed(3, 4, 20, 100, 16.0)
    0.31
    """
    return (hits + weight * (all_hits / all_count)) / (count + weight) if all_count else None


def of_window(
    feature: Trailing, values: Sequence[Any], known: Sequence[int], decision: int
) -> int | float | None:
    """The feature of the `values` that became `known` in its window, instants in microseconds.

    Where the feature has no `value`, `values` is not read.
    """
    match feature.statistic:
        case "count":
            return len(known)
        case "distinct":
            return distinct(values)
        case "since_last":
            return since_last(known, decision)
        case "sum":
            return total(values)
        case "quantile":
            return quantile(values, feature.quantile or 0.0)
        case "mean" | "rate":
            return mean(values)
