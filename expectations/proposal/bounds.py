"""Bounds that hold beyond the batches they were found on: widened by how much those differ, and readable."""

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import pairwise

Number = int | float

_INT64, _EXACT = 2**63, 2**53


def slack(batches: int) -> float:
    """How many times the spread between batches a bound is moved: the more, the fewer there are.

    >>> [slack(count) for count in (2, 3, 5, 21)]
    [3.0, 2.0, 1.5, 1.1]
    """
    return 1 + 2 / (batches - 1)


def least(lows: Sequence[Number], times: float = 1) -> Number | None:
    """A lower bound from the least value of each batch; None if there is no telling.

    Where all batches end at the same value that is taken for a limit, and kept. What is never
    below 0 is not expected to be.

    >>> least([-30, -33, -25]), least([80, 80, 80]), least([0.5, 2.5]), least([-0.5, -0.75])
    (-50, 80, 0, -1.5)
    """
    bound = _moved(lows, times, ROUND_FLOOR)
    return 0 if bound is not None and bound < 0 <= min(lows) else bound


def greatest(highs: Sequence[Number], times: float = 1) -> Number | None:
    """An upper bound from the greatest value of each batch; None if there is no telling.

    >>> greatest([1301, 853, 911]), greatest([59, 59]), greatest([-3, -1])
    (2200, 59, 0)
    """
    bound = _moved(highs, times, ROUND_CEILING)
    return 0 if bound is not None and max(highs) <= 0 < bound else bound


def outward(value: Number, step: Number, direction: str) -> Number:
    """The value rounded in this direction (of `decimal`) to the power of ten that `step` reaches.

    >>> outward(2197, 448, ROUND_CEILING), outward(0.8123, 0.02, ROUND_FLOOR)
    (2200, 0.81)
    """
    digits = math.floor(math.log10(step)) if step > 0 else -17
    if isinstance(value, int):
        digits = max(digits, 0)
    unit = Decimal(1).scaleb(digits)
    exact = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    rounded = (exact / unit).to_integral_value(direction) * unit
    return int(rounded) if isinstance(value, int) else float(rounded)


def share_below(shares: Sequence[float], floor: float = 0.02) -> float:
    """A share that every batch will have at least: below the least by the spread and some, two digits.

    >>> share_below([0.97, 0.99, 0.98])
    0.9
    """
    spread = max(shares) - min(shares)
    return max(0.0, float(outward(min(shares) - slack(len(shares)) * spread - floor, 0.01, ROUND_FLOOR)))


def lasting(span: timedelta) -> str:
    """A duration as a suite writes it, rounded up to a readable one; at least a minute.

    >>> [lasting(timedelta(seconds=each)) for each in (0, 3_700, 90_000, 1_000_000)]
    ['1m', '2h', '25h', '12d']
    """
    seconds = max(60.0, span.total_seconds())
    unit, name = (86_400, "d") if seconds > 172_800 else (3_600, "h") if seconds > 3_600 else (60, "m")
    return f"{math.ceil(seconds / unit)}{name}"


def moves(lows: Sequence[Number], highs: Sequence[Number]) -> bool:
    """Whether each batch lies beyond the one before, as months, versions and serial numbers do.

    >>> moves([1, 2, 3], [1, 2, 3]), moves([1, 1, 1], [9, 8, 9]), moves([7, 7], [7, 7])
    (True, False, False)
    """
    steps = list(pairwise(zip(lows, highs, strict=True)))
    up = all(after[0] >= before[1] for before, after in steps) and highs[-1] > lows[0]
    down = all(after[1] <= before[0] for before, after in steps) and lows[-1] < highs[0]
    return up or down


def drifts(*series: Sequence[Number], batches: int = 3) -> bool:
    """Whether all of these rise from batch to batch, or all fall, over so many `batches` at least."""
    if len(series[0]) < batches:
        return False
    rises = [[after > before for before, after in pairwise(values)] for values in series]
    falls = [[after < before for before, after in pairwise(values)] for values in series]
    return all(map(all, rises)) or all(map(all, falls))


def strays(values: Sequence[Number]) -> int | None:
    """The place of a value that lies far beyond all others, which lie together; None without one.

    >>> strays([42, 1048, 40]), strays([1301, 853, 911])
    (1, None)
    """
    if len(values) < 3:
        return None
    for place, value in enumerate(values):
        others = [other for at, other in enumerate(values) if at != place]
        spread = max(max(others) - min(others), max(map(abs, others)) / 2)
        if value > max(others) + 5 * spread or value < min(others) - 5 * spread:
            return place
    return None


def _moved(values: Sequence[Number], times: float, direction: str) -> Number | None:
    down = direction == ROUND_FLOOR
    # One that strays is kept in, but says nothing of how far others may go.
    stray = strays(values)
    usual = [value for place, value in enumerate(values) if place != stray]
    extreme, spread = (min if down else max)(usual), max(usual) - min(usual)
    margin = spread * slack(len(usual)) * times
    if isinstance(extreme, int) and abs(extreme) >= _EXACT:
        # As floats, neighbours would be one: no bound can be as sharp as that.
        margin = max(margin, abs(extreme) / 2**48)
    if not math.isfinite(margin) or not math.isfinite(extreme - margin if down else extreme + margin):
        return None
    moved = math.ceil(margin) if isinstance(extreme, int) else margin
    bound = outward(extreme - moved if down else extreme + moved, margin, direction) if margin else extreme
    # Rounding a float may cross what was seen.
    bound = min(bound, *values) if down else max(bound, *values)
    return bound if isinstance(bound, float) or -_INT64 <= bound < _INT64 else None
