"""Encoding: rows as they came in, as a frame of their table's schema."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from core.plain import plain

Row = tuple[Any, ...]

_AT_ONCE = 64  # values; encoding so many as JSON takes a few tenths of a millisecond
_BREATH = 0.0001  # seconds for which requests have the interpreter to themselves in between


def encode(rows: Sequence[Row], schema: pl.Schema) -> pl.DataFrame:
    """Rows of values in the schema's order; a value of a String column that is no text is kept as JSON.

    Whatever is wrong with a row raises: what Polars, msgspec or Python say of it.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame(
        [_column(name, dtype, values) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
    )


def _column(name: str, dtype: pl.DataType, values: Sequence[Any]) -> pl.Series:
    return pl.Series(name, _texts(values) if dtype == pl.String else values, dtype, strict=True)


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    if all(value is None or type(value) is str for value in values):
        return values
    texts: list[str | None] = []
    for start in range(0, len(values), _AT_ONCE):
        texts += map(_text, values[start : start + _AT_ONCE])
        # Whoever holds the interpreter lets others wait for 5 ms, longer than a request takes.
        time.sleep(_BREATH)
    return texts


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value, enc_hook=plain).decode()
