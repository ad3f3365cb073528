"""What a suite should expect of a batch as a whole: its columns, its size, its key."""

import math
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR
from statistics import median

from expectations.proposal.bounds import outward, slack
from expectations.proposal.draft import Entry
from expectations.proposal.seen import Seen, between

_ROWS = "expect_table_row_count_to_be_between"
_BEFORE = 6  # batches whose median is the volume to compare with
_GROWTH = 4.0  # times: what comes at once is for the bounds by the batches before


def schema(seen: Seen) -> Iterator[Entry]:
    """That the delivered columns are there."""
    columns = [column for column in seen.dataset.columns if column in seen.schema]
    if columns:
        kwargs = {"column_set": columns, "exact_match": False}
        told = "The columns as the spec declares them; prepared ones may be there besides."
        yield Entry("expect_table_columns_to_match_set", "critical", kwargs, told)


def volume(seen: Seen) -> Iterator[Entry]:
    """How many rows: bounds that stand still, and bounds by the batches before."""
    rows = list(seen.rows)
    if seen.parts:
        whole = sum(rows)
        told = f"One delivery of {whole:,} rows: between half and double is convention, not experience."
        yield Entry(_ROWS, "critical", _still(whole / 2, whole * 2), told)
        return
    apart = max(_GROWTH, _factor(max(rows) / min(rows), len(rows)))
    told = f"{between(rows)} rows a batch."
    yield Entry(_ROWS, "critical", _still(min(rows) / apart, max(rows) * apart), told)
    ratios = [rows[place] / median(rows[max(0, place - _BEFORE) : place]) for place in range(1, len(rows))]
    usual = max(1.5, *(_factor(ratio, len(rows)) for ratio in ratios))
    told = f"{min(ratios):.2f} to {max(ratios):.2f} times the median of the batches before."
    alert, stop = _trailing(usual), _trailing(max(2.0, usual))
    if alert != stop:
        yield Entry(_ROWS, "warning", alert, told)
        told = "Half and double stop the batch."
    yield Entry(_ROWS, "critical", stop, told)


def key(seen: Seen) -> Iterator[Entry]:
    """That the key is unique, where it was; nothing where it was not."""
    columns = [column for column in seen.dataset.key if column in seen.schema]
    if not columns or len(columns) < len(seen.dataset.key) or not unique(seen):
        return
    told = "No two rows of a batch share it."
    if len(columns) == 1:
        kwargs: dict[str, object] = {"column": columns[0]}
        yield Entry("expect_column_values_to_be_unique", "warning", kwargs, told)
    else:
        yield Entry("expect_compound_columns_to_be_unique", "warning", {"column_list": columns}, told)


def unique(seen: Seen) -> bool:
    """Whether no two rows of a batch share the key, nulls of a single column aside."""
    if len(seen.dataset.key) > 1:
        return all(closer.exact.get("") == rows for closer, rows in zip(seen.closer, seen.rows, strict=True))
    (column,) = seen.dataset.key
    held = [one.held for one in seen.columns.get(column, ())]
    return bool(held) and [closer.exact.get(column) for closer in seen.closer] == held


def _factor(ratio: float, batches: int) -> float:
    return math.exp(min(abs(math.log(ratio)) * slack(batches), 50.0))


def _still(low: float, high: float) -> dict[str, int]:
    low, high = max(1, math.floor(low)), math.ceil(high)
    return {
        "min_value": int(outward(low, max(1, low / 10), ROUND_FLOOR)),
        "max_value": int(outward(high, max(1, high / 10), ROUND_CEILING)),
    }


def _trailing(factor: float) -> dict[str, dict[str, str]]:
    low, high = outward(1 / factor, 0.01, ROUND_FLOOR), outward(factor, 0.1, ROUND_CEILING)
    bounds = {"max_value": high} | ({"min_value": low} if low else {})
    return {key: {"$PARAMETER": f"trailing.rows * {bounds[key]:g}"} for key in sorted(bounds, reverse=True)}
