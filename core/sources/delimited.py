"""CSV files as tables of text: every record becomes a row, one that is not well formed, too."""

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from core.errors import DeliveryError
from core.words import nearest

FIELDS = ":fields"
_END = ":end"

# Bytes that are parsed at a time, and the longest record that there may be. Up to 32 blocks are read ahead.
_BLOCK = 4 << 20
_BORDER = np.isin(np.arange(256), list(b',"\r\n'))  # the bytes that may stand beside quoted values
_MANY = 100_000  # records of a wrong length that are set aside; a file with more has another header


def tabulate(
    path: Path, target: Path, columns: Sequence[str], nulls: Sequence[str], named: object = None
) -> None:
    """Write the records of a CSV file (comma, UTF-8, a header) to a Parquet file, in some order.

    Its columns are `row` (UInt32, counted from 0), `columns` and `:fields`, all String. A text that
    is one of `nulls` is null. A record that has not as many fields as the header has what it has
    of them, and its length and whole text in `:fields`, which is null for the others. Bytes that
    are not UTF-8 become replacement characters; lines of nothing are no records.

    Raises DeliveryError when the file is empty, lacks a column or has it twice, ends within a
    record, or has a quote that swallows the lines after it; it calls the file `named`.
    """
    named = named or path
    schema = pa.schema([("row", pa.uint32()), *((name, pa.string()) for name in [*columns, FIELDS])])
    try:
        with (
            path.open("rb", buffering=0) as raw,
            pyarrow.parquet.ParquetWriter(target, schema, compression="lz4") as writer,
        ):
            utf8 = _Utf8(raw)
            for rows in _records(named, utf8, columns, nulls):
                writer.write_table(pa.table(rows, schema=schema))
            if not utf8.regular:
                _refuse_swallowed(named, path)
    except (pa.ArrowInvalid, csv.Error) as error:
        why = str(error).splitlines()[0]
        open_quote = f"a record is longer than {_BLOCK >> 20} MB: is a quote left open?"
        raise DeliveryError(f"{named}: {open_quote if 'straddl' in why else why}") from error


def require(named: object, columns: Sequence[str], delivered: Sequence[str]) -> None:
    """Raise DeliveryError unless the file that is called `named` has each of `columns` once."""
    missing = [column for column in columns if column not in delivered]
    if missing:
        hint = nearest(missing[0], [column for column in delivered if column not in columns])
        there = hint or f"; it has {', '.join(delivered)[:500]}"
        raise DeliveryError(f"{named}: has no column {', '.join(map(repr, missing))}{there}")
    twice = [column for column in columns if delivered.count(column) > 1]
    if twice:
        raise DeliveryError(f"{named}: has more than one column {', '.join(map(repr, twice))}")


def header(path: Path, named: object) -> list[str]:
    """The names of a CSV file's columns; DeliveryError when it is empty, or no CSV file."""
    try:
        with path.open("rb", buffering=0) as raw:
            return _header(named, io.BufferedReader(_Utf8(raw), _BLOCK))
    except csv.Error as error:
        raise DeliveryError(f"{named}: {error}") from error


class _Utf8(io.RawIOBase):
    """A stream of bytes without its byte order mark, and with whatever is not UTF-8 replaced.

    It counts quotes, and is `regular` as long as each that opens stands before a value, and each
    that closes behind one.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self.quotes = 0
        self.regular = True
        self.last = b"\n"
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        ended = False
        while not self._left and not ended:
            read = self._raw.read(len(buffer)) or b""
            ended = not read
            self._left = self._decoder.decode(read, final=ended).encode()
            self._follow(self._left)
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    def _follow(self, text: bytes) -> None:
        between = np.frombuffer(self.last + text, np.uint8)
        quotes = np.flatnonzero(between == ord('"'))
        # A quote at the end of the text before is still to be looked at, one at the end of this not yet.
        seen = self.quotes - (self.last == b'"')
        opening, closing = quotes[seen % 2 :: 2], quotes[1 - seen % 2 :: 2]
        before, behind = between[opening[opening > 0] - 1], between[closing[closing + 1 < len(between)] + 1]
        self.regular = self.regular and bool(_BORDER[before].all() and _BORDER[behind].all())
        self.quotes, self.last = seen + len(quotes), bytes(between[-1:])


def _header(path: object, stream: io.BufferedReader) -> list[str]:
    """The names of the columns; the stream stands behind them."""
    text = ""
    while not text.strip() or text.count('"') % 2:
        line = stream.readline(_BLOCK)
        if not line:
            raise DeliveryError(f"{path}: {'its header ends within quotes' if text.strip() else 'is empty'}")
        text = text + line.decode() if text.strip() else line.decode()
    if "\0" in text:
        raise DeliveryError(f"{path}: is no CSV file in UTF-8: it begins with {text[:20]!r}")
    names, *more = csv.reader(io.StringIO(text.strip("\r\n"), newline=""))
    if more:
        raise DeliveryError(f"{path}: its lines end in CR alone: let them end in LF or CR LF")
    return names


def _records(
    path: object, utf8: _Utf8, columns: Sequence[str], nulls: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The columns of the rows, some rows at a time; those of a wrong length come last."""
    stream: io.BufferedReader = io.BufferedReader(utf8, _BLOCK)
    header = _header(path, stream)
    require(path, columns, header)
    ragged: list[Any] = []
    places, count, end = _places(header, columns), 0, ""
    for chunk in _parsed(stream, header, places.values(), nulls, ragged) if stream.peek(1) else ():
        # Records that are set aside have a number, too: the numbers of the others leave those out.
        taken = np.array([record.number - 1 for record in ragged if record.number > count], dtype=np.int64)
        free = np.setdiff1d(np.arange(count, count + chunk.num_rows + len(taken)), taken)[: chunk.num_rows]
        count, end = int(free[-1]) + 1, chunk.column(places[_END])[-1].as_py() or ""
        texts = {name: chunk.column(places[name]) for name in columns}
        yield {"row": free, **texts, FIELDS: pa.nulls(chunk.num_rows, pa.string())}
    short = bool(ragged) and ragged[-1].number > count
    end = ragged[-1].text if short else end
    cut = utf8.last != b"\n"
    if utf8.quotes % 2 and (cut or "\n" in end):
        raise DeliveryError(f"{path}: ends within quotes: it is truncated, or a quote is left open")
    if short and cut:
        found = f"{ragged[-1].actual_columns} of {len(header)} fields"
        raise DeliveryError(f"{path}: is truncated: its last record has {found}")
    yield _set_aside(ragged, header, columns, nulls)


def _refuse_swallowed(named: object, path: Path) -> None:
    """Raise DeliveryError where a quote that was left open is closed by one of a later line.

    The lines between would be part of a value, and so be lost; a stray quote within a line loses none.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        records, begun, wrong = csv.reader(text, strict=True), 0, ""
        while "limit" not in wrong:  # of what the reader holds: behind a longer field it has lost its place
            begun, wrong = records.line_num + 1, ""
            try:
                next(records)
            except StopIteration:
                return
            except csv.Error as error:
                wrong = str(error)
            if "expected" in wrong and records.line_num > begun:
                lines = f"lines {begun:,} to {records.line_num:,}"
                raise DeliveryError(
                    f"{named}: {lines}: a quote is left open, or one in a text is not doubled"
                )


def _places(header: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """What the parser calls the columns, and the last one that there is: their places in the header."""
    return {_END: str(len(header) - 1), **{name: str(header.index(name)) for name in columns}}


def _parsed(
    stream: io.BufferedReader,
    header: Sequence[str],
    places: Collection[str],
    nulls: Sequence[str],
    ragged: list[Any],
) -> Iterator[pa.RecordBatch]:
    """The records that have as many fields as the header, in their order; `ragged` gets the others."""

    def set_aside(record: Any) -> str:
        ragged.append(record)
        return "skip" if len(ragged) <= _MANY else "error"

    names = [str(place) for place in range(len(header))]
    reader = pyarrow.csv.open_csv(
        stream,
        pyarrow.csv.ReadOptions(use_threads=False, column_names=names, block_size=_BLOCK),
        pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=set_aside),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=sorted(set(places)),
            null_values=nulls,
            strings_can_be_null=True,
        ),
    )
    return (chunk for chunk in reader if chunk.num_rows)


def _set_aside(
    ragged: Sequence[Any], header: Sequence[str], columns: Sequence[str], nulls: Sequence[str]
) -> dict[str, Any]:
    held = [dict(zip(header, _fields(record.text), strict=False)) for record in ragged]
    found = {name: [fields.get(name) for fields in held] for name in columns}
    return {
        "row": [record.number - 1 for record in ragged],
        **{name: [None if text in nulls else text for text in texts] for name, texts in found.items()},
        FIELDS: [f"{record.actual_columns} of {len(header)}: {record.text}" for record in ragged],
    }


def _fields(text: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:  # a field of over 128 KB, such as a quote that is left open makes
        return []
