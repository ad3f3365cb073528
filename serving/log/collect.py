"""Collecting: what journals have written goes into the lake, each row once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl
from deltalake.exceptions import DeltaError
from filelock import FileLock

from core.errors import PerennialError
from core.lake import Lake
from core.whole import whole
from serving.log.segments import Segment, finished
from serving.log.tables import by_day

_AT_ONCE = 16 << 20  # bytes of segments that are read for one commit; one that is larger goes alone
_FOR_NOW = (PerennialError, DeltaError, pl.exceptions.PolarsError, OSError)


@dataclass(frozen=True, slots=True)
class Collected:
    """The rows that went into the lake, and what was wrong: a sentence each."""

    rows: int
    faults: tuple[str, ...]


def collect(folder: Path, lake: Lake, schemas: Mapping[str, pl.Schema]) -> Collected:
    """Move what journals in a folder have finished into the lake's tables; what fails is there the next time.

    A segment is deleted once its rows are committed. The table remembers how far it has each stream, so that
    one which was left by a kill in between is only deleted. A damaged one is put aside, in the folder's
    `damaged`, after the rows before its damage were moved. Any number of processes may collect at once.
    OSError where the folder cannot be read or locked.
    """
    rows, faults = 0, list[str]()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "collector.lock"):
        for table, schema in schemas.items():
            for _, stream in groupby(finished(folder / table), key=lambda segment: segment.stream):
                try:
                    for segments in _together(list(stream)):
                        rows += _move(segments, lake, table, schema, folder, faults)
                except _FOR_NOW as error:
                    # Later segments of the stream wait: a table that had them would take this one for known.
                    faults.append(f"{table}: cannot be collected for now: {error}")
    return Collected(rows, tuple(faults))


def _together(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """The segments of a stream, in their order, as many at once as are worth one commit."""
    group, size = list[Segment](), 0
    for segment in segments:
        size += segment.path.stat().st_size
        if group and size > _AT_ONCE:
            yield group
            group, size = [], segment.path.stat().st_size
        group.append(segment)
    yield group


def _move(
    segments: Sequence[Segment],
    lake: Lake,
    table: str,
    schema: pl.Schema,
    folder: Path,
    faults: list[str],
) -> int:
    found = {segment: segment.read(schema) for segment in segments}
    parts = {segment.number: by_day(read.rows) for segment, read in found.items() if read.rows.height}
    added = lake.append(table, segments[0].stream, parts) if parts else 0
    for segment, read in found.items():
        if read.unfit:
            faults.append(
                f"{table}: {read.unfit} rows of {segment.path.name} have values that it cannot hold"
            )
        if read.damage is None:
            segment.path.unlink()
            continue
        faults.append(f"{table}: {read.damage}")
        _put_aside(segment, folder / "damaged" / table, read.damage)
    return added


def _put_aside(segment: Segment, folder: Path, damage: str) -> None:
    with whole(folder / f"{segment.path.name}.txt") as note:
        note.write_text(f"{damage}\n")
    segment.path.rename(folder / segment.path.name)
