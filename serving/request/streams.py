"""Arrow streams as frames: read as far as they may be long, also once they are unpacked, and verified."""

import struct
from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from serving.request.bodies import require_few
from serving.request.fields import Fault
from serving.request.problems import Problem, unprocessable

_DICTIONARY, _RECORDS = 2, 3  # kinds of messages
UNFOLDED = 20  # times its length that the columns of a stream may take
# Polars panics at some types that it does not know.
_NO_STREAM = (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException)


def frame_of(body: bytes, most: int) -> pl.DataFrame:
    """The rows of an Arrow stream.

    Problem: 422 where it is none, or holds none; 413 for too many rows, and where they would take far more
    memory than the body.
    """
    most_unfolded = UNFOLDED * len(body) + 1_000_000
    try:
        _require_short(body, most_unfolded)
        frame = pl.from_arrow(_table(body, most))
    except _NO_STREAM as error:
        why = (str(error).splitlines() or ["it is empty"])[0]
        raise unprocessable([Fault(0, "", f"the body is no Arrow stream: {why}")]) from None
    if not isinstance(frame, pl.DataFrame) or frame.is_empty():
        raise unprocessable([Fault(0, "", "the stream should have rows")])
    if sum(map(_length, frame.iter_columns())) > most_unfolded:
        raise _unfolded()
    return frame


def _table(body: bytes, most: int) -> pa.Table:
    batches, rows = [], 0
    with pa.ipc.open_stream(body) as stream:
        for batch in stream:
            rows += batch.num_rows
            require_few(rows, most)
            batch.validate(full=True)  # an offset that points elsewhere would be followed there
            batches.append(batch)
        return pa.Table.from_batches(batches, stream.schema)


def _require_short(body: bytes, most: int) -> None:
    """Problem (413) where the buffers of a stream say that they unpack to more: a few bytes may to any."""
    length = 0
    for message in pa.ipc.MessageReader.open_stream(body):
        length += sum(_buffers(message.metadata.to_pybytes(), message.body))
        if length > most:
            raise _unfolded()


def _buffers(metadata: bytes, body: pa.Buffer | None) -> Iterator[int]:
    """The length of each buffer of a message once it is unpacked (Message.fbs, Schema.fbs of Arrow).

    The reader has verified the metadata, a FlatBuffer, whose offsets can be followed therefore.
    """
    (root,) = struct.unpack_from("<I", metadata)
    kind, batch = _field(metadata, root, 1), _table_at(metadata, root, 2)
    if kind is None or batch is None or metadata[kind] not in (_DICTIONARY, _RECORDS) or body is None:
        return
    if metadata[kind] == _DICTIONARY:
        batch = _table_at(metadata, batch, 1)
    found = None if batch is None else _table_at(metadata, batch, 2)
    if batch is None or found is None:
        return
    is_packed = _field(metadata, batch, 3) is not None
    (count,) = struct.unpack_from("<I", metadata, found)
    for offset, length in struct.iter_unpack("<qq", metadata[found + 4 : found + 4 + 16 * count]):
        said = body[offset : offset + 8] if is_packed and length >= 8 else b""
        yield max(length, struct.unpack("<q", said)[0] if len(said) == 8 else 0)


def _field(metadata: bytes, table: int, slot: int) -> int | None:
    """Where a table of a FlatBuffer has its field of this number; None where it has none."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    (size,) = struct.unpack_from("<H", metadata, vtable)
    place = 4 + 2 * slot
    offset = struct.unpack_from("<H", metadata, vtable + place)[0] if place < size else 0
    return table + offset if offset else None


def _table_at(metadata: bytes, table: int, slot: int) -> int | None:
    """Where the table, or the vector, lies that a field refers to."""
    place = _field(metadata, table, slot)
    return None if place is None else place + struct.unpack_from("<I", metadata, place)[0]


def _length(column: pl.Series) -> int:
    """The bytes of a column's texts, each as often as it is there, though it may be sent once."""
    if column.dtype == pl.String:
        return int(column.str.len_bytes().sum())
    return int(column.cat.len_bytes().sum()) if column.dtype == pl.Categorical else 0


def _unfolded() -> Problem:
    return Problem(413, "the stream unfolds to far more than its length: send it in parts")
