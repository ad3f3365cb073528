"""The time of an event: in which form it is delivered, and how it becomes an instant in UTC."""

import json
from dataclasses import dataclass
from itertools import product

import polars as pl

from core.errors import SpecError
from core.scalars import Kind
from core.types import as_text, read_as
from proposal.delivered import Delivered
from proposal.limits import UNREADABLE

_DAYS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%d/%m/%y",
    "%m/%d/%y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_TWINS = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y", "%d/%m/%y": "%m/%d/%y"}
_SINCE = {"s": (1e8, 5e9), "ms": (1e11, 5e12), "us": (1e14, 5e15)}  # 1973 to 2128
_SCALES = {"s": 1_000_000, "ms": 1_000, "us": 1}
_YEARS = (1900, 2100)
_LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True)
class Time:
    """A column of instants, as they are delivered and as they are made.

    `form` is empty where the column is one of datetimes already; else a format of strptime, `year`, or
    the unit of a count since 1970. `doubt` is what a person has to decide.
    """

    column: str
    kind: Kind
    form: str = ""
    doubt: str = ""
    example: str = ""

    @property
    def name(self) -> str:
        """The column of instants: the delivered one, or the one that is made."""
        return f"{self.column}_utc" if self.form else self.column

    def instant(self) -> pl.Expr:
        """The instant (microseconds, UTC) of typed rows; null where there is none."""
        column = pl.col(self.column)
        if not self.form:
            return column
        if self.form == "year":
            return pl.datetime(column, 1, 1, time_zone="UTC").cast(pl.Datetime("us", "UTC"))
        if self.form in _SINCE:
            return (column * _SCALES[self.form]).cast(pl.Int64, strict=False).cast(pl.Datetime("us", "UTC"))
        read = (
            column.cast(pl.String).str.strip_chars().str.strptime(pl.Datetime("us"), self.form, strict=False)
        )
        return read.dt.replace_time_zone("UTC")

    def code(self) -> tuple[str, ...]:
        """The same as Python, for the project's functions: a column, and what is called on it in turn."""
        column = f"pl.col({literal(self.column)})"
        utc = '.cast(pl.Datetime("us", "UTC"))'
        if self.form == "year":
            return f'pl.datetime({column}, 1, 1, time_zone="UTC")', utc
        if self.form in _SINCE:
            return f"({column} * {_SCALES[self.form]})", ".cast(pl.Int64, strict=False)", utc
        texts = () if self.kind == "string" else (".cast(pl.String)",)
        read = f'.str.strptime(pl.Datetime("us"), {literal(self.form)}, strict=False)'
        return column, *texts, ".str.strip_chars()", read, '.dt.replace_time_zone("UTC")'


def literal(text: str) -> str:
    """A text as Python has it, in the quotes that a formatter prefers.

    >>> print(literal("price"), literal('say "price"'))
    "price" 'say "price"'
    """
    return repr(text) if '"' in text else json.dumps(text, ensure_ascii=False)


def time_of(table: Delivered, column: str) -> Time:
    """How the times of a column are read; SpecError when they are none, with some of its values."""
    dtype = table.sample.schema[column]
    texts = table.sample.select(as_text(column, dtype).alias("value")).drop_nulls().to_series()
    if texts.is_empty():
        raise SpecError(f"TIME={column}: the column is null in every row: name another, or leave TIME out")
    read = table.sample.select(read_as(column, dtype, "datetime")).to_series()
    if read.count() >= (1 - UNREADABLE) * len(texts):
        return Time(column, "datetime")
    some = texts.head(_LOOKED_AT)
    found = _of_number(column, some) or _of_text(column, some)
    if found is None:
        shown = ", ".join(map(repr, some.unique(maintain_order=True)[:4]))
        raise SpecError(
            f"TIME={column}: these are no times that can be read: {shown}; write them as"
            " 2013-03-15T10:30:00Z, as 2013-03-15, as seconds since 1970, or leave TIME out (batches then"
            " go by the order of rows)"
        )
    return found


def _of_number(column: str, texts: pl.Series) -> Time | None:
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() > UNREADABLE * len(texts):
        return None
    kind: Kind = "integer" if texts.str.contains(r"^\d+$").all() else "float"
    low, high = float(numbers.quantile(0.01) or 0), float(numbers.quantile(0.99) or 0)
    for unit, (least, most) in _SINCE.items():
        if least <= low and high <= most:
            return Time(column, kind, unit, example=texts[0])
    if _YEARS[0] <= low and high <= _YEARS[1] and kind == "integer":
        doubt = f"{column!r} holds years alone, and each event counts as of 1 January: is there a finer time?"
        return Time(column, kind, "year", doubt, texts[0])
    return None


def _of_text(column: str, texts: pl.Series) -> Time | None:
    for day, clock in product(_DAYS, _CLOCKS):
        form = day + clock
        if not _fits(texts.head(50), form) or not _fits(texts, form):
            continue
        twin = _TWINS.get(day)
        doubt = ""
        if twin and _fits(texts, twin + clock):
            doubt = f"{texts[0]!r} is taken for day before month, and could be the other way round"
        digits = bool(texts.str.contains(r"^\d+$").all())
        return Time(column, "integer" if digits else "string", form, doubt, texts[0])
    return None


def _fits(texts: pl.Series, form: str) -> bool:
    read = texts.str.strip_chars().str.strptime(pl.Datetime("us"), form, strict=False)
    return read.null_count() <= UNREADABLE * len(texts)
