"""Rows of an entity as bytes: arrays one after the other, with a checksum in front, and back."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import IntegrityError

_VERSION = 1
_SUM = struct.Struct("<I")
_HEAD = struct.Struct("<BBIq")  # version, number of columns, number of rows, order
_COLUMN = struct.Struct("<cB")  # dtype, whether a mask of nulls goes before the values
_TEXT, _OFFSET = b"s", np.dtype("<u4")
_DTYPES = {b"?": np.dtype("?"), b"q": np.dtype("<i8"), b"Q": np.dtype("<u8"), b"d": np.dtype("<f8")}
_CODES = {pl.Boolean: b"?", pl.Int64: b"q", pl.UInt64: b"Q", pl.Float64: b"d"}

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """Values, and where there are none: `null` is true there, or None where all are."""

    values: Array
    null: NDArray[np.bool_] | None

    def __getitem__(self, rows: Any) -> "Column":
        return Column(self.values[rows], None if self.null is None else self.null[rows])

    def usable(self) -> list[Any]:
        """The values that there are, as Python's."""
        found: list[Any] = (self.values if self.null is None else self.values[~self.null]).tolist()
        return found


@dataclass(frozen=True, slots=True)
class Block:
    """What one part holds of an entity: `order` says which of two parts comes first."""

    order: int
    columns: list[Column]


class Packer:
    """Columns in the dtypes of `features.online.values.held`, ready to be packed stretch by stretch."""

    def __init__(self, columns: Sequence[pl.Series], order: int) -> None:
        self._order = order
        self._columns = [_Text(column) if column.dtype == pl.String else _Plain(column) for column in columns]

    def pack(self, low: int, high: int) -> bytes:
        """The rows `[low, high)`."""
        head = _HEAD.pack(_VERSION, len(self._columns), high - low, self._order)
        body = b"".join([head, *(each for column in self._columns for each in column.pack(low, high))])
        return _SUM.pack(zlib.crc32(body)) + body


class _Plain:
    def __init__(self, column: pl.Series) -> None:
        self._code = _CODES[column.dtype.base_type()]
        self._null = column.is_null().to_numpy() if column.null_count() else None
        self._values = column.fill_null(False if column.dtype == pl.Boolean else 0).to_numpy()

    def pack(self, low: int, high: int) -> Iterator[bytes]:
        yield from _mask(self._code, self._null, low, high)
        yield self._values[low:high].astype(_DTYPES[self._code], copy=False).tobytes()


class _Text:
    def __init__(self, column: pl.Series) -> None:
        self._null = column.is_null().to_numpy() if column.null_count() else None
        texts = [text.encode() for text in column.fill_null("")]
        self._offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=self._offsets[1:])
        self._bytes = b"".join(texts)

    def pack(self, low: int, high: int) -> Iterator[bytes]:
        yield from _mask(_TEXT, self._null, low, high)
        offsets = self._offsets[low : high + 1]
        yield (offsets - offsets[0]).astype(_OFFSET).tobytes()
        yield self._bytes[offsets[0] : offsets[-1]]


def _mask(code: bytes, null: NDArray[np.bool_] | None, low: int, high: int) -> Iterator[bytes]:
    part = None if null is None else null[low:high]
    some = part is not None and bool(part.any())
    yield _COLUMN.pack(code, some)
    if part is not None and some:
        yield part.tobytes()


def unpack(key: str, packed: bytes) -> Block:
    """The rows again; IntegrityError, naming the key, when they are not as they were packed."""
    body = packed[_SUM.size :]
    if len(packed) < _SUM.size + _HEAD.size or zlib.crc32(body) != _SUM.unpack_from(packed)[0]:
        raise IntegrityError(f"the online store: the value under {key!r} is damaged: publish its part again")
    version, width, height, order = _HEAD.unpack_from(body)
    if version != _VERSION:
        raise IntegrityError(
            f"the online store: the value under {key!r} is of version {version}, not {_VERSION}: "
            "publish its part again"
        )
    columns, place = [], _HEAD.size
    for _ in range(width):
        column, place = _column(body, place, height)
        columns.append(column)
    return Block(order, columns)


def _column(body: bytes, place: int, height: int) -> tuple[Column, int]:
    code, masked = _COLUMN.unpack_from(body, place)
    place += _COLUMN.size
    null = np.frombuffer(body, np.bool_, height, place) if masked else None
    place += height * masked
    if code != _TEXT:
        dtype = _DTYPES[code]
        return Column(np.frombuffer(body, dtype, height, place), null), place + height * dtype.itemsize
    offsets = np.frombuffer(body, _OFFSET, height + 1, place).tolist()
    place += (height + 1) * _OFFSET.itemsize
    texts = np.empty(height, object)
    for row in range(height):
        texts[row] = body[place + offsets[row] : place + offsets[row + 1]].decode()
    return Column(texts, null), place + offsets[-1]


def joined(blocks: Sequence[Block]) -> list[Column]:
    """The columns of blocks, one after the other."""
    if len(blocks) == 1:
        return blocks[0].columns
    return [_concat(parts) for parts in zip(*(block.columns for block in blocks), strict=True)]


def _concat(parts: Sequence[Column]) -> Column:
    values = np.concatenate([part.values for part in parts])
    if all(part.null is None for part in parts):
        return Column(values, None)
    masks = [np.zeros(len(part.values), bool) if part.null is None else part.null for part in parts]
    return Column(values, np.concatenate(masks))
