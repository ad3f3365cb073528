"""Values as the online store holds them: texts, booleans, whole numbers and floats."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from core.errors import PerennialError, SpecError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
TEXTS = (pl.String, pl.Categorical, pl.Enum)
_TEMPORAL = (pl.Date, pl.Datetime, pl.Duration, pl.Time)


class RequestError(PerennialError):
    """A request that is not of the form that the project's events have."""


def held(dtype: pl.DataType, asker: str) -> pl.DataType:
    """The dtype in which values of this dtype are held: instants and the like as whole numbers.

    Raises SpecError when they cannot be.

    >>> held(pl.Datetime("us", "UTC"), "-"), held(pl.Float32(), "-")
    (Int64, Float64)
    """
    if dtype in TEXTS:
        return pl.String()
    if dtype in (pl.Boolean, pl.Null):
        return pl.Boolean()
    if dtype == pl.UInt64:
        return dtype
    if dtype in _TEMPORAL or (dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128)):
        return pl.Int64()
    if dtype.is_float():
        return pl.Float64()
    raise SpecError(f"{asker} is {dtype}: the online store holds texts, booleans, numbers and times")


def as_held(column: pl.Series, asker: str) -> pl.Series:
    """The column in the dtype of `held`."""
    form = held(column.dtype, asker)
    return (column.to_physical() if column.dtype in _TEMPORAL else column).cast(form)


def reader(field: str, dtype: pl.DataType) -> Callable[[Any], Any]:
    """What reads a request's value for a column of this dtype, as the store would hold it; null is None.

    Instants, dates and times are Python's, or ISO 8601 texts of them; an instant has an offset where
    the column has a time zone. What is returned raises RequestError, naming the field, for a value
    of another kind, the reader itself SpecError where the dtype cannot be held.

    >>> reader("seats", pl.Int64())(55), reader("departs", pl.Datetime("ms", "UTC"))("1970-01-01T00:00:01Z")
    (55, 1000)
    >>> reader("seats", pl.Int8())(300)
    Traceback (most recent call last):
    features.online.values.RequestError: request: 'seats' should be a whole number (Int8), not 300
    """
    held(dtype, f"a request's {field!r}")
    kind, read = _reading(dtype)

    def of_request(value: Any) -> Any:
        if value is None:
            return None
        try:
            found = read(value)
        except (ValueError, TypeError, OverflowError):
            found = None
        if found is None:
            raise RequestError(f"request: {field!r} should be {kind}, not {value!r}")
        return found

    return of_request


def wanted(dtype: pl.DataType) -> str:
    """What a request's value for a column of this dtype should be, in words.

    >>> wanted(pl.Float64())
    'a number'
    """
    return _reading(dtype)[0]


def _reading(dtype: pl.DataType) -> tuple[str, Callable[[Any], Any]]:
    """What a value of the dtype is called, and what reads one: None, or an error, is none such."""
    if isinstance(dtype, pl.Enum):
        known = frozenset(dtype.categories)
        return f"one of {', '.join(dtype.categories)}", lambda value: value if value in known else None
    if dtype in TEXTS:
        return "a text", lambda value: value.encode().decode() if isinstance(value, str) else None
    if dtype == pl.Null:
        return "null", lambda value: None
    if dtype == pl.Boolean:
        return "true or false", lambda value: value if isinstance(value, bool) else None
    if dtype.is_integer():
        return f"a whole number ({dtype})", _whole(np.iinfo(str(dtype).lower()))
    if dtype.is_float():
        return "a number", _float32 if dtype == pl.Float32 else _float
    if isinstance(dtype, pl.Datetime):
        offset = "with" if dtype.time_zone else "without"
        return f"an instant {offset} an offset from UTC, such as {_shown(dtype)}", partial(_instant, dtype)
    if dtype == pl.Date:
        return "a date, such as 2013-05-02", _date
    if isinstance(dtype, pl.Duration):
        return "a duration", partial(_duration, dtype)
    return "a time of day", _time


def _whole(limits: "np.iinfo[Any]") -> Callable[[Any], int | None]:
    least, most = int(limits.min), int(limits.max)

    def read(value: Any) -> int | None:
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)  # JSON, and who writes it, has one kind of number
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        return int(value) if whole and least <= value <= most else None

    return read


def _float(value: Any) -> float | None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if number else None


def _float32(value: Any) -> float | None:
    found = _float(value)
    with np.errstate(over="ignore"):
        return None if found is None else float(np.float32(found))


def _shown(dtype: pl.Datetime) -> str:
    return "2013-05-02T12:00:00Z" if dtype.time_zone else "2013-05-02T12:00:00"


def _instant(dtype: pl.Datetime, value: Any) -> int | None:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime) or (found.tzinfo is None) != (dtype.time_zone is None):
        return None
    epoch = EPOCH if dtype.time_zone else EPOCH.replace(tzinfo=None)
    return _in_unit((found - epoch) // _MICROSECOND, dtype.time_unit)


def _duration(dtype: pl.Duration, value: Any) -> int | None:
    return _in_unit(value // _MICROSECOND, dtype.time_unit) if isinstance(value, timedelta) else None


def _in_unit(microseconds: int, unit: str) -> int:
    return {"ms": microseconds // 1000, "us": microseconds, "ns": microseconds * 1000}[unit]


def _date(value: Any) -> int | None:
    found = date.fromisoformat(value) if isinstance(value, str) else value
    whole = isinstance(found, date) and not isinstance(found, datetime)
    return (found - EPOCH.date()).days if whole else None


def _time(value: Any) -> int | None:
    found = time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, time):
        return None
    seconds = (found.hour * 60 + found.minute) * 60 + found.second
    return (seconds * 1_000_000 + found.microsecond) * 1000
