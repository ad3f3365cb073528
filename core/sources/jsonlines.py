"""JSON Lines files as tables of text: every line becomes a row, one that is no JSON object, too."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet

from core.errors import DeliveryError
from core.sources.delimited import FIELDS, require

_BLOCK = 16 << 20  # bytes that are parsed at a time
_LONGEST = 128 << 20  # of a line: what is longer is no JSON Lines file
_ABSENT = msgspec.Raw(b"")
_MALFORMED = (msgspec.MsgspecError, RecursionError)
_Getter = Callable[[Any], Any]
_TEXTS = msgspec.json.Decoder(list[str])

# An escape of half a UTF-16 pair, which stands for no character; the others, so that none is cut in two.
_HALF = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.S)


def tabulate(
    path: Path, target: Path, columns: Sequence[str], nulls: Sequence[str], named: object = None
) -> None:
    """Write the lines of a JSON Lines file (UTF-8) to a Parquet file, in their order.

    Its columns are `row` (UInt32, counted from 0), `columns` and `:fields`, all String. A number is
    its text as it was delivered, true and false are words, an array or an object is its JSON. A key
    that is missing, a null, and a text that is one of `nulls` are null; of a key that is there twice
    the last counts. A line that is no JSON object has its text in `:fields`, which is null for the
    others. Bytes that are not UTF-8 become replacement characters; blank lines are no rows.

    Raises DeliveryError when the file ends within a line, or none of its lines has one of the
    columns; it calls the file `named`.
    """
    named = named or path
    schema = pa.schema([("row", pa.uint32()), *((name, pa.string()) for name in [*columns, FIELDS])])
    lines = _Lines(columns, nulls)
    count = 0
    with pyarrow.parquet.ParquetWriter(target, schema, compression="lz4") as writer:
        for block in _blocks(path, named):
            rows = lines.parse(block, named)
            writer.write_table(rows.with_row_index("row", count).to_arrow().cast(schema))
            count += rows.height
    if count:
        _require(named, columns, lines)


class _Lines:
    """Parses lines, and remembers which columns it has met."""

    def __init__(self, columns: Sequence[str], nulls: Sequence[str]) -> None:
        self.met: set[str] = set()
        self.first = b""
        self._nulls = list(nulls)
        self._decode, self._nothing, self._getters = _decoder(columns)

    def parse(self, block: bytes, named: object) -> pl.DataFrame:
        """The columns and `:fields` of some whole lines, all String."""
        lines = [line for line in block.split(b"\n") if line.strip()]
        if not lines:
            return pl.DataFrame(schema=dict.fromkeys([*self._getters, FIELDS], pl.String))
        self.first = self.first or b"".join(lines[:1])
        found, malformed = self._objects(lines)
        begun = lines[-1].lstrip().startswith(b"{") and not self.first.lstrip().startswith(b"[")
        if begun and malformed[-1:] == [len(lines) - 1] and not block.endswith(b"\n"):
            raise DeliveryError(f"{named}: is truncated: its last line is no whole JSON object")
        fields: list[str | None] = [None] * len(lines)
        for place in malformed:
            fields[place] = f"no JSON object: {lines[place].decode()}"
        return self._texts(found).with_columns(pl.Series(FIELDS, fields, pl.String))

    def _objects(self, lines: Sequence[bytes]) -> tuple[list[Any], list[int]]:
        """What is in each line, and the places of those that are no JSON objects."""
        found: list[Any] = []
        malformed: list[int] = []
        for line in lines:
            try:
                found.append(self._decode(line))
            except _MALFORMED:
                try:
                    found.append(self._decode(_without_halves(line)))
                except _MALFORMED:
                    malformed.append(len(found))
                    found.append(self._nothing)
        return found, malformed

    def _texts(self, found: Sequence[Any]) -> pl.DataFrame:
        """The values of the columns as texts."""
        # As JSON, none of the values holds a line break.
        joined = {name: b"\n".join(map(get, found)).decode() for name, get in self._getters.items()}
        raw = pl.DataFrame(joined).select(pl.all().str.split("\n").explode())
        self.met.update(name for name in raw.columns if name not in self.met and (raw[name] != "").any())
        raw = raw.with_columns(_unescaped(raw[name]) for name, text in joined.items() if "\\" in text)
        bare = pl.all().str.strip_prefix('"').str.strip_suffix('"')
        given = pl.when(~pl.all().is_in(["", "null"])).then(pl.all())
        texts = raw.select(pl.when(pl.all().str.starts_with('"')).then(bare).otherwise(given))
        return texts.select(pl.when(~pl.all().is_in(self._nulls)).then(pl.all()))


def _unescaped(raw: pl.Series) -> pl.Series:
    """The values, of which the strings with escapes are now their own text within quotes."""
    places = (raw.str.starts_with('"') & raw.str.contains("\\", literal=True)).arg_true()
    texts = _TEXTS.decode(f"[{','.join(raw.gather(places))}]")
    return raw.scatter(places, [f'"{text}"' for text in texts])


def _decoder(columns: Sequence[str]) -> tuple[Callable[[bytes], Any], Any, dict[str, _Getter]]:
    """How to parse a line, what stands for a line without values, and how to get each column's JSON."""
    if any(json.dumps(name, ensure_ascii=False) != f'"{name}"' for name in columns):
        # Such names no struct may have.
        getters: dict[str, _Getter] = {name: methodcaller("get", name, _ABSENT) for name in columns}
        return msgspec.json.Decoder(dict[str, msgspec.Raw]).decode, {}, getters
    names = {f"c{place}": name for place, name in enumerate(columns)}
    fields = [(field, msgspec.Raw, _ABSENT) for field in names]
    row = msgspec.defstruct("Row", fields, rename=names, gc=False)
    return msgspec.json.Decoder(row).decode, row(), {name: attrgetter(field) for field, name in names.items()}


def _blocks(path: Path, named: object) -> Iterator[bytes]:
    """The file in pieces of whole lines, in UTF-8, without a byte order mark."""
    left = b""
    with path.open("rb") as file:
        left = file.read(3).removeprefix(b"\xef\xbb\xbf")
        while read := file.read(_BLOCK):
            end = read.rfind(b"\n") + 1
            if end:
                yield _utf8(left + read[:end])
                left = b""
            left += read[end:]
            if len(left) > _LONGEST:
                raise DeliveryError(f"{named}: a line is longer than {_LONGEST >> 20} MB: is it JSON Lines?")
    if left:
        yield _utf8(left)


def _utf8(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode()
    return text


def _without_halves(line: bytes) -> bytes:
    return _HALF.sub(lambda match: rb"\ufffd" if match[1] else match[0], line)


def _require(named: object, columns: Sequence[str], lines: _Lines) -> None:
    """Raise DeliveryError when no line had one of the columns."""
    missing = [name for name in columns if name not in lines.met]
    if not missing:
        return
    try:
        first = json.loads(lines.first)
    except (ValueError, RecursionError):
        first = None
    keys = set(first) if isinstance(first, dict) else set()
    if not lines.met | keys:
        begin = lines.first[:40].decode(errors="replace")
        raise DeliveryError(f"{named}: is no JSON Lines, one object a line: it begins with {begin!r}")
    require(named, columns, sorted(lines.met | keys))
