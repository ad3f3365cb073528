"""Events without a time of their own: so many of them, in the order of their delivery, make a batch."""

from datetime import timedelta

import polars as pl

from core.errors import SpecError
from core.spec import BatchRules

_LENGTHS = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "1w": timedelta(weeks=1)}
_MICROSECOND = timedelta(microseconds=1)


def instant(rules: BatchRules, place: pl.Expr) -> pl.Expr:
    """The time (UTC) that stands for an event's `place`, counted from 0 over all that was delivered.

    The `rows` of a batch are spread evenly over its interval, so that an earlier place is an earlier
    time; places beyond the calendar go on after its end.

    >>> from datetime import date
    >>> rules = BatchRules(every="1d", start=date(2001, 1, 1), end=date(2001, 1, 3), rows=2)
    >>> places = pl.DataFrame({"place": [0, 1, 2]})
    >>> [str(each) for each in places.select(time=instant(rules, pl.col("place")))["time"]]
    ['2001-01-01 00:00:00+00:00', '2001-01-01 12:00:00+00:00', '2001-01-02 00:00:00+00:00']
    """
    if rules.rows is None:
        raise SpecError("the batches count no rows: an event's time is a column of its own")
    length = _LENGTHS[rules.every] // _MICROSECOND
    counted = place.cast(pl.Int64)
    since = counted // rules.rows * length + counted % rules.rows * length // rules.rows
    start = pl.lit(rules.start).cast(pl.Datetime("us", "UTC"))
    return start + pl.duration(microseconds=since)
