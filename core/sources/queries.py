"""What a database is asked for: the rows of an interval of time, or of a rising key, in one order."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol

import pyarrow as pa
import sqlalchemy as sa

from core.errors import DeliveryError

# What a column holds, as far as comparing and reading it goes; a `clock` is an instant of no zone.
Form = Literal["integer", "float", "number", "boolean", "text", "date", "clock", "instant", "other"]
Expression = sa.ColumnElement[Any]
Condition = sa.ColumnElement[bool]

SQL_TYPES: Mapping[Form, sa.types.TypeEngine[Any]] = {
    "integer": sa.BigInteger(),
    "float": sa.Double(),
    "number": sa.Numeric(),
    "boolean": sa.Boolean(),
    "text": sa.Text(),
    "date": sa.Date(),
    "clock": sa.DateTime(),
    "instant": sa.DateTime(timezone=True),
    "other": sa.Text(),
}
ARROW_TYPES: Mapping[Form, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "number": pa.string(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "clock": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "other": pa.string(),
}
KEYS: tuple[Form, ...] = ("integer", "float", "number", "text", "date", "clock", "instant")
# A date in a text is not further than this from the date in UTC: 14 hours of offset, and 31 February.
_ASTRAY = timedelta(days=4)

Key = int | float | str


class Bind(Protocol):
    """What a condition needs to know of a database."""

    def bound(self, value: Any, form: Form) -> Expression:
        """A value as a parameter, which is sent beside the query and never stands in it."""

    def seconds(self, column: str) -> Expression | None:
        """ISO 8601 text as whole seconds since 1970, null where it is none; None: it cannot be had."""


def table_of(name: str) -> sa.TableClause:
    """A table by its name, or by its schema's and its own."""
    schema, _, table = name.rpartition(".")
    return sa.table(table, schema=schema or None)


def within(
    database: Bind, column: str, form: Form, start: datetime | None, end: datetime | None
) -> Condition:
    """The rows from `start` up to `end`; without a start also those that have no time.

    Numbers are seconds since 1970 (UTC), what has no zone is UTC. Raises DeliveryError when the
    column holds what does not compare to an instant.
    """
    moment, edge = _comparable(database, column, form)
    found: list[Condition] = []
    if start is not None:
        found.append(moment >= edge(start))
    if end is not None:
        found.append(moment < edge(end) if start else sa.or_(moment.is_(None), moment < edge(end)))
    if form == "text" and start is not None:
        # Implied by the others, but an index can answer it.
        found += [sa.column(column) >= database.bound(_day(start - _ASTRAY), "text")]
        found += [sa.column(column) < database.bound(_day(end + _ASTRAY), "text")] if end else []
    return sa.and_(sa.true(), *found)


def above(database: Bind, column: str, form: Form, after: Key | None, to: Key) -> Condition:
    """The rows whose key is more than `after`, and at most `to`; both as `plain` has them."""
    key: Expression = sa.column(column)
    upper = key <= database.bound(python(to, form), form)
    return upper if after is None else sa.and_(key > database.bound(python(after, form), form), upper)


def plain(value: Any) -> Key:
    """A key as JSON has it."""
    if isinstance(value, int | float | str):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def python(value: Key, form: Form) -> Any:
    """The key that `plain` made plain."""
    if form in ("clock", "instant"):
        return datetime.fromisoformat(str(value))
    return date.fromisoformat(str(value)) if form == "date" else value


def _comparable(database: Bind, column: str, form: Form) -> tuple[Expression, Any]:
    """The column as an expression, and what makes an instant comparable to it."""
    moment: Expression = sa.column(column)
    if form == "instant":
        return moment, lambda instant: database.bound(instant.astimezone(UTC), "instant")
    if form in ("clock", "date"):
        return moment, lambda instant: database.bound(instant.astimezone(UTC).replace(tzinfo=None), "clock")
    if form == "text" and (seconds := database.seconds(column)) is not None:
        moment = seconds
    elif form not in ("integer", "float"):
        raise DeliveryError(
            f"the time column {column!r} holds {form}, which does not compare to an instant: give a column "
            "of timestamps, dates or seconds since 1970, for example by a view"
        )
    return moment, lambda instant: database.bound(int(instant.timestamp()), "integer")


def _day(instant: datetime) -> str:
    return instant.astimezone(UTC).date().isoformat()
