"""Delta tables as deliveries: each data file of the newest version is one, and never changes."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from core.batches import Batch
from core.errors import DeliveryError
from core.ledger import fingerprint
from core.scalars import Kind
from core.secrets import Secrets, without_password
from core.sources import objects, parquet
from core.sources.declared import DeltaSource
from core.sources.files import local
from core.sources.items import Fetched, Item
from core.sources.staging import File, staged

# What a table may ask of its readers that a data file alone still tells.
_UNDERSTOOD = {
    "columnMapping",  # looked at below
    "deletionVectors",  # looked at below
    "timestampNtz",
    "typeWidening",
    "typeWidening-preview",
    "v2Checkpoint",
    "vacuumProtocolCheck",
}


@dataclass(frozen=True, slots=True)
class _DataFile:
    """A data file: its path within the table, its size in bytes, and the values of its partition."""

    path: str
    size: int
    partition: Mapping[str, Any]


def items(
    folder: Path,
    source: DeltaSource,
    batches: Sequence[Batch],
    known: Mapping[str, str],
    secrets: Secrets,
) -> list[Item]:
    """The data files of the table's newest version; one that was rewritten is listed no longer.

    Raises DeliveryError when there is no such table, or none that can be read file by file.
    """
    place = _place(folder, source)
    files = _files(place, _open(place))
    return [Item(file.path, f"{file.path} {file.size}", file.size) for file in files]


def fetch(
    folder: Path,
    source: DeltaSource,
    item: Item,
    columns: Mapping[str, Kind],
    batches: Sequence[Batch],
    staging: Path,
    secrets: Secrets,
) -> Fetched:
    """Stage the rows of a data file with the values of its partition, in the types of the table.

    One that was rewritten since it was listed is read as it was: what is listed together is one version.
    Raises DeliveryError when the file is missing or damaged, or the table lacks a column.
    """
    place = _place(folder, source)
    table = _open(place)
    given = _partition(place, table, item.name)
    types = {field.name: field.type for field in pa.schema(table.schema().to_arrow())}
    with _delivered(place, item.name, staging) as file:
        # Two partitions may hold the same bytes, and yet other rows.
        partition = {name: repr(given[name]) for name in given}
        # Two files of a table may hold the same bytes, and then the table has their rows twice.
        digest = fingerprint(file.digest, item.name, partition)
        made_from = fingerprint(digest, "delta", list(columns), [str(types.get(name)) for name in columns])

        def write(target: Path) -> None:
            parquet.copy(file.path, target, list(columns), file, types, given)

        path = staged(file, staging / f"{made_from}.parquet", write)
        return Fetched(digest, path, parquet.count(path), item.mark)


def names(folder: Path, source: DeltaSource) -> list[str]:
    """The columns of the table; DeliveryError when there is none that can be read."""
    return [field.name for field in pa.schema(_open(_place(folder, source)).schema().to_arrow())]


def _place(folder: Path, source: DeltaSource) -> str:
    if objects.is_url(source.path):
        objects.check(source.path)
        return source.path.rstrip("/")
    if "://" in source.path:
        raise DeliveryError(f"{source.path}: only local paths and s3:// URLs are read")
    return str(folder / os.path.expanduser(source.path))


def _open(place: str) -> DeltaTable:
    try:
        table = DeltaTable(
            place, storage_options=objects.storage_options() if objects.is_url(place) else None
        )
    except TableNotFoundError:
        raise DeliveryError(f"{place}: there is no Delta table") from None
    except (DeltaError, OSError) as error:
        raise DeliveryError(f"{place}: cannot be read as a Delta table: {_why(error)}") from None
    asks = set(table.protocol().reader_features or [])
    refused = asks - _UNDERSTOOD
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        refused.add("columnMapping")
    if "deletionVectors" in asks and _has_deletion_vectors(table):
        refused.add("deletionVectors")
    if refused:
        said = f"the table uses {', '.join(sorted(refused))}, which is not read here"
        raise DeliveryError(f"{place}: {said}: write it anew without")
    return table


def _has_deletion_vectors(table: DeltaTable) -> bool:
    try:
        return any(batch.num_rows for batch in table.deletion_vectors())
    except (DeltaError, OSError):  # there is one, which the library cannot read either
        return True


def _files(place: str, table: DeltaTable) -> list[_DataFile]:
    found = []
    for added in pa.table(table.get_add_actions()).to_pylist():
        path = unquote(added["path"])
        if "://" in path or path.startswith("/"):
            raise DeliveryError(f"{place}: has the file {path} of another table: only whole tables are read")
        found.append(_DataFile(path, added["size_bytes"], added.get("partition") or {}))
    return sorted(found, key=lambda file: file.path)


def _partition(place: str, table: DeltaTable, name: str) -> Mapping[str, Any]:
    """The values of a file's partition; goes back to the newest version of the table that has the file."""
    while True:
        found = [file.partition for file in _files(place, table) if file.path == name]
        if found:
            return found[0]
        try:
            table.load_as_version((table.version() or 0) - 1)
        except (DeltaError, OSError, OverflowError, ValueError):  # there is none before, or its log is gone
            raise DeliveryError(f"{place}: the file {name} is no part of the table any more") from None


@contextmanager
def _delivered(place: str, path: str, staging: Path) -> Iterator[File]:
    if objects.is_url(place):
        with objects.downloaded(f"{place}/{path}", staging) as (file, _):
            yield file
    else:
        yield local(Path(place, path), str(Path(place, path)))[0]


def _why(error: Exception) -> str:
    """What the library says, in one line without colours."""
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m|\u21b3", "", str(error)).split())
    return without_password(objects.hide(said))[:300]
