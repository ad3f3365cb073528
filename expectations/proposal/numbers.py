"""What a suite should expect of a column of numbers: bounds, a median, a distribution."""

import math
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Any

from expectations.proposal import bounds
from expectations.proposal.divergence import of_numbers
from expectations.proposal.draft import Entry, shown
from expectations.proposal.referring import referred
from expectations.proposal.seen import Seen, between

_MEASURE = 20  # distinct values from which a number is taken for a measure
_CODES = 12  # distinct whole numbers up to which, with gaps between them, they are taken for codes
_EXACT = 2**53

Notes = list[str]


def expected(seen: Seen, column: str, notes: Notes) -> Iterator[Entry]:
    """The entries on a column of numbers; what cannot be bounded is put in `notes`."""
    each = seen.filled(column)
    if any(one.endless for one in seen.columns[column]):
        notes.append("Some values are infinite: no bounds.")
        return
    if len(each) < 2:
        notes.append("Fewer than two batches have values: nothing can be told from them.")
        return
    lows, highs = [one.least for one in each], [one.greatest for one in each]
    if seen.schema[column].is_integer():
        yield from referred(seen, column)
    if min(lows) == max(highs):
        yield _entry(seen, column, "in_set", {"value_set": [lows[0]]}, "info", f"Always {shown(lows[0])}.")
    elif not seen.parts and bounds.moves(lows, highs):
        notes.append(f"Moves on from batch to batch ({between(lows + highs)}): no bounds.")
    elif _counts_up(seen, column):
        yield from _serial(seen, column, lows)
    elif codes := _codes(seen, column):
        yield _entry(seen, column, "in_set", {"value_set": codes}, "warning", "In every batch the same few.")
    else:
        yield from _measured(seen, column, notes)


def _measured(seen: Seen, column: str, notes: Notes) -> Iterator[Entry]:
    each = seen.filled(column)
    lows, highs = [one.least for one in each], [one.greatest for one in each]
    middles = [one.levels[9] for one in each]
    trend = not seen.parts and bounds.drifts(lows, middles, highs)
    for said, values in (("least", lows), ("greatest", highs)):
        if (place := bounds.strays(values)) is not None:
            batch = seen.named(column)[place]
            notes.append(
                f"Look at {batch}: its {said} value, {shown(values[place])}, is far from the others'."
            )
    # What moves as a whole will go on to where it has not been.
    level = max(middles) - min(middles) > max(high - low for low, high in zip(lows, highs, strict=True))
    times = 2 if trend or (level and not seen.parts) else 1
    kwargs = {"min_value": bounds.least(lows, times), "max_value": bounds.greatest(highs, times)}
    kwargs = {key: _short(bound) for key, bound in kwargs.items() if bound is not None}
    told = f"Least {between(lows)}, greatest {between(highs)}{_TREND if trend else ''}."
    if kwargs:
        yield _entry(seen, column, "between", kwargs, "info" if trend else "warning", told)
    if max(one.distinct for one in each) < _MEASURE or trend or column in seen.dataset.key:
        return
    if max(map(abs, (*lows, *highs))) < _EXACT:
        yield from _median(seen, column)
        if (entry := of_numbers(seen, column)) is not None:
            yield entry


_TREND = "; rising or falling from batch to batch, so that these bounds are wide and only told"


def _counts_up(seen: Seen, column: str) -> bool:
    each = seen.filled(column)
    ends = [[one.least for one in each], [one.levels[9] for one in each], [one.greatest for one in each]]
    whole = seen.schema[column].is_integer() and not seen.parts
    return whole and seen.serial(column) and bounds.drifts(*ends, batches=2)


def _serial(seen: Seen, column: str, lows: list[Any]) -> Iterator[Entry]:
    if min(lows) >= 0:
        least = min(lows) if max(lows) == min(lows) <= 1 else 0
        told = f"Nearly each row has its own, from {between(lows)} up: no upper bound."
        yield _entry(seen, column, "between", {"min_value": least}, "warning", told)


def _codes(seen: Seen, column: str) -> list[int] | None:
    """The whole numbers of a column that are no range: few, the same in each batch, with gaps between."""
    values = [set(closer.values.get(column, ())) for closer in seen.closer]
    listed = sorted(set.union(*values))
    if not seen.schema[column].is_integer() or not 1 < len(listed) <= _CODES:
        return None
    gaps = listed[-1] - listed[0] >= 2 * len(listed)
    return listed if gaps and all(each == values[0] for each in values) else None


def _median(seen: Seen, column: str) -> Iterator[Entry]:
    each = seen.filled(column)
    middles = [one.levels[9] for one in each]
    spread = max(middles) - min(middles)
    width = max(one.levels[14] - one.levels[4] for one in each)
    margin = spread * bounds.slack(len(each)) + width / 4
    if not margin:
        return
    step = max(1, margin / 3) if seen.schema[column].is_integer() else margin / 3
    low = bounds.outward(min(middles) - margin, step, ROUND_FLOOR)
    high = bounds.outward(max(middles) + margin, step, ROUND_CEILING)
    if min(one.least for one in each) >= 0:
        low = max(low, 0)
    kwargs = {"column": column, "min_value": _short(low), "max_value": _short(high)}
    told, sparse = f"Median {between(middles)}.", seen.sparse(column)
    yield Entry("expect_column_median_to_be_between", "warning", kwargs, told, sparse)


def _short(value: float) -> float | int:
    return int(value) if float(value).is_integer() and math.fabs(value) < _EXACT else value


def _entry(seen: Seen, column: str, what: str, kwargs: dict[str, Any], severity: Any, told: str) -> Entry:
    sparse = seen.sparse(column)
    return Entry(f"expect_column_values_to_be_{what}", severity, {"column": column, **kwargs}, told, sparse)
