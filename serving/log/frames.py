"""Frames: bytes that tell what they hold and whether they are whole, one after the other in a file."""

import io
import struct
from collections.abc import Iterator
from zlib import crc32

import polars as pl

ROWS, COLUMNS = b"rows", b"cols"
"""The marks of what a frame holds: an array of rows (`serving.log.encode`), or an Arrow stream."""
_HEAD = struct.Struct("<4sQI")  # the mark, the length of the content in bytes, and its checksum
_SUM = struct.Struct("<I")  # the checksum of the head itself: a wrong length must not pass for a torn end


class Broken(Exception):
    """A frame that is not whole; `torn` if only its end is missing, as after a kill while it was written."""

    def __init__(self, place: int, *, torn: bool) -> None:
        super().__init__(f"the frame at byte {place} {'breaks off' if torn else 'is damaged'}")
        self.torn = torn


def framed(mark: bytes, content: bytes) -> bytes:
    """A frame of this content, which can be read without any other."""
    head = _HEAD.pack(mark, len(content), crc32(content))
    return b"".join((head, _SUM.pack(crc32(head)), content))


def columns(rows: pl.DataFrame) -> bytes:
    """A frame of many rows."""
    stream = io.BytesIO()
    rows.rechunk().write_ipc_stream(stream, compression="lz4")
    return framed(COLUMNS, stream.getvalue())


def unframed(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The mark and the content of frame after frame; Broken at the first that is not whole, or is none."""
    place, view = 0, memoryview(content)
    while place < len(content):
        start = place + _HEAD.size + _SUM.size
        if start > len(content):
            raise Broken(place, torn=True)
        head = view[place : place + _HEAD.size]
        mark, length, checksum = _HEAD.unpack(head)
        if mark not in (ROWS, COLUMNS) or _SUM.unpack(view[place + _HEAD.size : start])[0] != crc32(head):
            raise Broken(place, torn=False)
        rows = view[start : start + length]
        if len(rows) < length:
            raise Broken(place, torn=True)
        if crc32(rows) != checksum:
            raise Broken(place, torn=False)
        yield mark, bytes(rows)
        place = start + length
