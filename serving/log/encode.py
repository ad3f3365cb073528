"""Encoding: rows as the bytes in which a journal holds them, and as a frame of their table's schema."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from core.plain import plain

Row = tuple[Any, ...]

_PACKER = msgspec.msgpack.Encoder(enc_hook=plain)
_MANY = struct.Struct(">BI")  # the head of an array in MessagePack: 0xdd, and how many values follow
# Any value may come in, and a row that no table can hold must not cost those beside it.
_UNFIT = (Exception, pl.exceptions.PanicException)


def packed(row: Row) -> bytes:
    """A row as bytes, in a microsecond: that is done where it is made, all else where nobody waits.

    Whatever is wrong with it raises: what msgspec or Python say of it.
    """
    try:
        return _PACKER.encode(row)
    except OverflowError:  # a whole number for which MessagePack has no room, and JSON has
        return _PACKER.encode([_text(each) if isinstance(each, Mapping) else each for each in row])


def together(rows: Sequence[bytes]) -> bytes:
    """Packed rows as one array of them."""
    return b"".join((_MANY.pack(0xDD, len(rows)), *rows))


def unpacked(content: bytes, schema: pl.Schema) -> tuple[pl.DataFrame, int]:
    """The rows of such an array, with values in the schema's order, as a frame; and how many it cannot hold.

    A value of a String column that is no text is kept as JSON.
    """
    return _fitting(msgspec.msgpack.decode(content), schema)


def _fitting(rows: Sequence[Sequence[Any]], schema: pl.Schema) -> tuple[pl.DataFrame, int]:
    try:
        return _frame(rows, schema), 0
    except _UNFIT:
        if len(rows) == 1:
            return pl.DataFrame(schema=schema), 1
        half = len(rows) // 2
        (first, lost), (second, more) = (_fitting(part, schema) for part in (rows[:half], rows[half:]))
        return pl.concat([first, second]), lost + more


def _frame(rows: Sequence[Sequence[Any]], schema: pl.Schema) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame(
        [_column(name, dtype, values) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
    )


def _column(name: str, dtype: pl.DataType, values: Sequence[Any]) -> pl.Series:
    texts = [_text(value) for value in values] if dtype == pl.String else values
    return pl.Series(name, texts, dtype, strict=True)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value, enc_hook=plain).decode()
