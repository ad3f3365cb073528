"""What a suite should expect of a column of instants or dates: to lie by its batch, and to be fresh."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from expectations.proposal.bounds import lasting, slack
from expectations.proposal.draft import Entry
from expectations.proposal.seen import Seen, between

_NEAR = 10  # batch lengths within which a time is taken to belong to its batch
_ROOM = 20  # the part of a batch's length that times are allowed besides


def expected(seen: Seen, column: str, notes: list[str]) -> Iterator[Entry]:
    """The entries on a column of times; what cannot be bounded is put in `notes`."""
    each = seen.filled(column)
    if len(each) < 2:
        notes.append("Fewer than two batches have values: nothing can be told from them.")
        return
    early, late = [_instant(one.least) for one in each], [_instant(one.greatest) for one in each]
    if seen.spans is None or not seen.all_filled(column):
        yield from _since(seen, column, early)
        return
    before = [start - span.start for start, span in zip(early, seen.spans, strict=True)]
    after = [end - span.end for end, span in zip(late, seen.spans, strict=True)]
    length = max(span.end - span.start for span in seen.spans)
    if column == seen.dataset.event_time and min(before) >= timedelta() > max(after):
        kwargs = {"min_value": _given("batch.start"), "max_value": _given("batch.end"), "strict_max": True}
        yield _within(seen, column, kwargs, "Within its batch.")
        yield _fresh(seen, column, [-span for span in after], length)
    elif min(before) >= -_NEAR * length and max(after) <= _NEAR * length:
        told = f"From {_told(min(before))} its batch begins to {_told(max(after))} it ends."
        yield _within(seen, column, _near(before, after, length / _ROOM), told)
    else:
        past = max(after) <= timedelta()
        yield from _since(seen, column, early, {"max_value": _given("batch.end")} if past else None)


def _fresh(seen: Seen, column: str, gaps: list[timedelta], length: timedelta) -> Entry:
    """That the newest row is about as near the end of the batch as it has been."""
    allowed = max(slack(len(gaps)) * max(gaps), length / 10)
    kwargs = {"column": column, "min_value": _given(f"batch.end - {lasting(allowed)}")}
    told = f"The newest row came {_span(min(gaps))} to {_span(max(gaps))} before the end of the batch."
    return Entry("expect_column_max_to_be_between", "critical", kwargs, told)


def _near(before: list[timedelta], after: list[timedelta], room: timedelta) -> dict[str, Any]:
    low = min(before) - slack(len(before)) * (max(before) - min(before)) - room
    high = max(after) + slack(len(after)) * (max(after) - min(after)) + room
    start = "batch.start" if low >= timedelta() else f"batch.start - {lasting(-low)}"
    end = "batch.end" if high <= timedelta() else f"batch.end + {lasting(high)}"
    return {"min_value": _given(start), "max_value": _given(end)}


def _since(
    seen: Seen, column: str, early: list[datetime], more: dict[str, Any] | None = None
) -> Iterator[Entry]:
    """A lower bound that stands still: later times may come, as time goes on."""
    try:
        least = min(early) - slack(len(early)) * (max(early) - min(early)) - timedelta(days=1)
    except OverflowError:
        return
    kwargs = {"min_value": least.strftime("%Y-%m-%dT00:00:00+00:00").zfill(25), **(more or {})}
    yield _within(seen, column, kwargs, f"The earliest of a batch: {between(early)}.")


def _within(seen: Seen, column: str, kwargs: dict[str, Any], told: str) -> Entry:
    name, sparse = "expect_column_values_to_be_between", seen.sparse(column)
    return Entry(name, "warning", {"column": column, **kwargs}, told, sparse)


def _given(expression: str) -> dict[str, str]:
    return {"$PARAMETER": expression}


def _instant(value: date) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _span(span: timedelta) -> str:
    return str(timedelta(seconds=round(abs(span).total_seconds())))


def _told(span: timedelta) -> str:
    return f"{_span(span)} {'before' if span < timedelta() else 'after'}"
