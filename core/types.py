"""Reading delivered values as the kinds that a spec declares, without losing one that cannot be."""

from collections.abc import Mapping

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

# A datetime without an offset is taken as UTC.
_DATETIMES = ("%+", "%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_BOOLEANS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}

FAILING = pl.Schema({"row": pl.UInt32(), "expectation": pl.String(), "column": pl.String(), "value": pl.String()})


def read_as(column: str, delivered: pl.DataType, kind: Kind) -> pl.Expr:
    """The delivered column as `kind`; null where the value is no such thing (NaN is null, too).

    >>> frame = pl.DataFrame({"n": ["12", "7.0", "x", None]})
    >>> frame.select(read_as("n", pl.String(), "integer"))["n"].to_list()
    [12, 7, None, None]
    """
    value = pl.col(column)
    target = DTYPES[kind]
    if kind == "string":
        return value.cast(pl.String, strict=False)
    if kind == "datetime" and isinstance(delivered, pl.Datetime):
        return (value if delivered.time_zone else value.dt.replace_time_zone("UTC")).cast(target, strict=False)
    if kind == "datetime" and delivered == pl.Date:
        return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if kind == "date" and (delivered == pl.Date or isinstance(delivered, pl.Datetime)):
        return value.cast(pl.Date, strict=False)
    if kind == "boolean" and delivered == pl.Boolean:
        return value
    return _parse(value.cast(pl.String, strict=False).str.strip_chars(), kind).alias(column)


def _parse(text: pl.Expr, kind: Kind) -> pl.Expr:
    if kind == "boolean":
        return text.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
    if kind == "date":
        return text.str.strptime(pl.Date, "%Y-%m-%d", strict=False)
    if kind == "datetime":
        zoned = [text.str.strptime(pl.Datetime("us", "UTC"), form, strict=False) for form in _DATETIMES[:2]]
        naive = [text.str.strptime(pl.Datetime("us"), form, strict=False) for form in _DATETIMES[2:]]
        return pl.coalesce(*zoned, *(instant.dt.replace_time_zone("UTC") for instant in naive))
    number = text.cast(pl.Float64, strict=False)
    finite = pl.when(number.is_finite()).then(number)
    if kind == "float":
        return finite
    whole = pl.when((finite == finite.round()) & (finite.abs() < 2**53)).then(finite).cast(pl.Int64, strict=False)
    return pl.coalesce(text.cast(pl.Int64, strict=False), whole)


def type_failures(delivered: pl.DataFrame, typed: pl.DataFrame, columns: Mapping[str, Kind]) -> pl.DataFrame:
    """The values that were delivered but are not of their kind: row, expectation, column, value."""
    found = [
        delivered.select("row", value=pl.col(column).cast(pl.String, strict=False))
        .filter(pl.col("value").is_not_null() & (pl.col("value") != "NaN") & typed[column].is_null())
        .select(
            "row",
            pl.lit(f"is_{kind}").alias("expectation"),
            pl.lit(column).alias("column"),
            "value",
        )
        for column, kind in columns.items()
    ]
    return pl.concat(found).cast(dict(FAILING)) if found else FAILING.to_frame()
