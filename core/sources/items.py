"""What lies at a source, and what fetching one piece of it gives."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Item:
    """A piece that a source holds: a file, a table's file, a query's answer.

    `name` is what a person knows it by, unique in its dataset and without secrets. `mark` changes
    whenever the content may have; an item whose mark is that of the last time is not read again, one
    without a mark always is. `size` is in bytes, where the source tells. `batch` is the id of the
    batch that the source itself cut the piece for; None where rows belong to the batch of their event
    time.
    """

    name: str
    mark: str | None
    size: int | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """An item's rows, staged: a Parquet file with `row` (UInt32, from 0), the declared columns as they
    were delivered, and `:fields` (String: what was wrong with a record that could not be split into
    them, else null). `digest` is the SHA-256 of the content."""

    digest: str
    path: Path
    rows: int
    mark: str | None
