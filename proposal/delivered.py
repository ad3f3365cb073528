"""A table as it is delivered: its columns, and its rows staged as any project's are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from core.errors import DeliveryError
from core.secrets import Secrets
from core.sources import delta, files, sql
from core.sources.declared import DeltaSource, PackageSource, Source, SqlSource
from core.sources.delimited import FIELDS
from core.sources.items import Fetched
from core.sources.names import names
from core.spec import Kind
from proposal.limits import SAMPLE_CELLS, SAMPLE_ROWS

OWN = ("row", "row_hash", "batch")  # the lake's own columns


@dataclass(frozen=True, slots=True)
class Delivered:
    """The staged `rows` as they were delivered, and how many they are.

    `columns` can be declared in a spec; `unusable` cannot, each with the reason. `sample` is every
    k-th row, or all. `staging` is a folder of its own.
    """

    source: Source
    columns: tuple[str, ...]
    unusable: Mapping[str, str]
    rows: pl.LazyFrame
    count: int
    malformed: int
    sample: pl.DataFrame
    staging: Path

    def kept(self, rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
        """The rows, made once and in a stream: what is asked of them again and again is read from disk."""
        path = self.staging / f"{name}.parquet"
        rows.sink_parquet(path, compression="lz4")
        return pl.scan_parquet(path, glob=False)


def delivered(source: Source, folder: Path, staging: Path, secrets: Secrets) -> Delivered:
    """Stage what lies at a source; DeliveryError when it cannot be read, or has no column to speak of."""
    there = names(folder, source, staging, secrets)
    _require_commas(source, there)
    unusable = _unusable(there)
    columns = [name for name in dict.fromkeys(there) if name not in unusable]
    if not columns:
        raise DeliveryError(
            f"{source.described} has no column that a spec could name: {', '.join(there[:9])}"
        )
    fetched = _fetched(source, columns, folder, staging, secrets)
    rows = pl.concat([pl.scan_parquet(each.path, glob=False) for each in fetched], how="vertical_relaxed")
    count = sum(each.rows for each in fetched)
    malformed = rows.select(pl.col(FIELDS).count()).collect(engine="streaming").item()
    most = min(SAMPLE_ROWS, max(1_000, SAMPLE_CELLS // len(columns)))
    step = -(-count // most) or 1
    sample = rows.filter(pl.col("row") % step == 0, pl.col(FIELDS).is_null()).select("row", *columns)
    looked_at = sample.collect(engine="streaming")
    return Delivered(source, tuple(columns), unusable, rows, count, malformed, looked_at, staging)


def _require_commas(source: Source, there: list[str]) -> None:
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(there) == 1 and mark in there[0]:
            said = f"its columns are divided by {name}, and only commas are read: write it anew, as in"
            how = f"polars.read_csv(path, separator={mark!r}).write_csv(other)"
            raise DeliveryError(f"{source.described}: {said} {how}")


def _unusable(there: list[str]) -> dict[str, str]:
    """The columns that a spec cannot declare, or the lake cannot hold, and why."""
    found: dict[str, str] = {}
    lower: dict[str, str] = {}
    for name in dict.fromkeys(there):
        if there.count(name) > 1:
            found[name] = f"is there {there.count(name)} times: which is meant? Rename them in the data"
        elif not name.strip():
            found[name] = "has no name"
        elif name in OWN or name.startswith(":"):
            found[name] = "is a name of the lake's own: deliver it under another"
        elif not name.isprintable():
            found[name] = "has a name with a line break or the like: rename it in the data"
        elif name.lower() in lower:
            found[name] = f"differs from {lower[name.lower()]!r} in case alone: rename one in the data"
        lower.setdefault(name.lower(), name)
    return found


def _fetched(
    source: Source, columns: list[str], folder: Path, staging: Path, secrets: Secrets
) -> list[Fetched]:
    os.makedirs(staging, exist_ok=True)
    kinds: dict[str, Kind] = dict.fromkeys(columns, "string")
    if isinstance(source, SqlSource):
        listed = sql.items(folder, source, [], {}, secrets)
        return [sql.fetch(folder, source, item, kinds, [], staging, secrets) for item in listed]
    if isinstance(source, DeltaSource):
        listed = delta.items(folder, source, [], {}, secrets)
        return [delta.fetch(folder, source, item, kinds, [], staging, secrets) for item in listed]
    assert not isinstance(source, PackageSource)
    listed = files.items(folder, source, [], {}, secrets)
    return [files.fetch(folder, source, item, kinds, [], staging, secrets) for item in listed]
