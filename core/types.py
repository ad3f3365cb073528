"""Reading delivered values as the kinds that a spec declares, without losing one that cannot be."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

import polars as pl

from core.spec import Kind

DTYPES: Mapping[Kind, pl.DataType] = {
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "datetime": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
}
FAILING = pl.Schema({"row": pl.UInt32, "expectation": pl.String, "column": pl.String, "value": pl.String})

# The forms of a datetime, the commonest first. What has no offset is taken as UTC.
_CLOCKS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
_ZONED = ("%+", *(f"{clock}%#z" for clock in _CLOCKS))
_NAIVE = (*_CLOCKS, "%Y-%m-%d")
_TRUE, _FALSE = ("true", "t", "yes", "1", "1.0"), ("false", "f", "no", "0", "0.0")
# What Python, and so every library that a value may meet, can hold.
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def read_as(column: str, delivered: pl.DataType, kind: Kind) -> pl.Expr:
    """The delivered column as `kind`, in its dtype of DTYPES; null where a value is no such thing.

    Numbers are finite, and integers whole and exact; datetimes are of the years 1 to 9999, and
    without an offset they are UTC; a date has no time of day other than midnight; a string has
    no replacement character, which stands where bytes were not UTF-8. NaN is missing.

    >>> frame = pl.DataFrame({"n": ["12", "7.0", "x", None]})
    >>> frame.select(read_as("n", pl.String(), "integer"))["n"].to_list()
    [12, 7, None, None]
    """
    value = pl.col(column)
    if isinstance(delivered, pl.Datetime | pl.Date) and kind in ("datetime", "date"):
        return _instant(value, delivered, kind)
    if kind == "integer" and delivered.is_integer():
        return value.cast(pl.Int64, strict=False)
    if kind == "float" and delivered.is_numeric():
        number = value.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number).alias(column)
    if kind == "boolean" and delivered == pl.Boolean:
        return value
    return _parse(as_text(column, delivered), kind).alias(column)


def as_text(column: str, delivered: pl.DataType) -> pl.Expr:
    """The delivered column as String, whatever it holds; null where it is null or NaN, and only there."""
    value = pl.col(column)
    if delivered == pl.Binary:
        return value.map_elements(lambda held: bytes(held).decode("utf-8", "replace"), pl.String)
    if delivered.is_nested() or isinstance(delivered, pl.Duration):
        json = pl.struct(value).struct.json_encode()
        # Binary inside has no JSON: Polars would panic.
        shown = pl.lit(str(delivered)) if "Binary" in str(delivered) else json
        return pl.when(value.is_not_null()).then(shown).alias(column)
    if isinstance(delivered, pl.Datetime | pl.Date):
        # Beyond its calendar Polars panics where it should write text.
        sound = pl.when(_within_calendar(value, delivered)).then(value)
        beyond = pl.format("beyond the calendar: {}", value.to_physical())
        return pl.coalesce(sound.cast(pl.String), beyond).alias(column)
    if delivered.is_float():
        value = value.fill_nan(None)
    return value.cast(pl.String)


def type_failures(delivered: pl.DataFrame, typed: pl.DataFrame, columns: Mapping[str, Kind]) -> pl.DataFrame:
    """The values that were delivered but are not of their kind, in the shape FAILING.

    `typed` holds the rows of `delivered`, in the same order, as `read_as` read them.
    """
    found, schema = [FAILING.to_frame()], delivered.schema
    missing, not_read = (frame.null_count().row(0, named=True) for frame in (delivered, typed))
    for column, kind in columns.items():
        if missing[column] == not_read[column]:  # what is missing is never read: these are the same
            continue
        texts = delivered.select("row", value=as_text(column, schema[column]))
        unread = texts.filter(pl.col("value").is_not_null() & typed[column].is_null())
        if kind in ("integer", "float"):
            unread = unread.filter(pl.col("value").str.strip_chars().str.to_lowercase() != "nan")
        named = {"expectation": pl.lit(f"is_{kind}"), "column": pl.lit(column)}
        found.append(unread.select(pl.col("row").cast(pl.UInt32), **named, value="value"))
    return pl.concat(found)


def _within_calendar(value: pl.Expr, delivered: pl.DataType) -> pl.Expr:
    if delivered == pl.Date:
        return value.is_between(date.min, date.max)
    if isinstance(delivered, pl.Datetime) and delivered.time_zone is None:
        return value.is_between(_FIRST.replace(tzinfo=None), _LAST.replace(tzinfo=None))
    return value.dt.convert_time_zone("UTC").is_between(_FIRST, _LAST)


def _instant(value: pl.Expr, delivered: pl.DataType, kind: Kind) -> pl.Expr:
    sound = pl.when(_within_calendar(value, delivered)).then(value)
    if kind == "date" and delivered == pl.Date:
        return sound
    if kind == "date":
        clock = sound.dt.replace_time_zone(None)
        return pl.when(clock.dt.time() == time()).then(clock.cast(pl.Date))
    if isinstance(delivered, pl.Datetime) and delivered.time_zone:
        return sound.cast(DTYPES["datetime"])
    return sound.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _parse(text: pl.Expr, kind: Kind) -> pl.Expr:
    if kind == "string":
        return pl.when(~text.str.contains(_UNREADABLE, literal=True)).then(text)
    text = text.str.strip_chars()
    if kind == "boolean":
        said = text.str.to_lowercase()  # by `is_in`, which Polars streams, and `replace_strict` it does not
        return pl.when(said.is_in(_TRUE)).then(True).when(said.is_in(_FALSE)).then(False)
    if kind == "date":
        return _dated(text).str.strptime(pl.Date, "%Y-%m-%d", strict=False)
    if kind == "datetime":
        return _dated(text).map_batches(_datetimes, DTYPES["datetime"], is_elementwise=True)
    number = text.cast(pl.Float64, strict=False)
    finite = pl.when(number.is_finite()).then(number)
    if kind == "float":
        return finite
    # A float stands for one whole number only below 2**53.
    power = text.str.contains("[eE]") & (finite == finite.round()) & (finite.abs() < 2**53)
    return pl.coalesce(
        text.cast(pl.Int64, strict=False),
        text.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False),
        pl.when(power).then(finite).cast(pl.Int64, strict=False),
    )


def _dated(text: pl.Expr) -> pl.Expr:
    """Only what begins with a year of four digits: strptime would read 13-01-02 as of the year 13."""
    return pl.when(text.str.contains(r"^[1-9]\d{3}-")).then(text)


def _datetimes(texts: pl.Series) -> pl.Series:
    """Read each text in the form that fits; a form is only tried on what none has fitted yet.

    Where two fit a text they mean the same by it, so that any may come first: that of the first text
    does, which mostly is that of all.
    """
    read = pl.repeat(None, texts.len(), dtype=DTYPES["datetime"], eager=True)
    first = texts.drop_nulls().head(1)
    for form in sorted((*_ZONED, *_NAIVE), key=lambda form: _instants(first, form).is_null().any()):
        left = texts.is_not_null() & read.is_null()
        if not left.any():
            break
        read = read.zip_with(~left, _instants(texts.set(~left, None), form))
    return read.set(~read.is_between(_FIRST, _LAST), None)


def _instants(texts: pl.Series, form: str) -> pl.Series:
    zone = "UTC" if form in _ZONED else None
    read = texts.str.strptime(pl.Datetime("us", zone), form, strict=False)
    return read.dt.replace_time_zone("UTC")
