"""Upkeep: batches of a table deleted, its small files put together, the files that nothing reads removed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from deltalake import CommitProperties

from core.errors import IntegrityError
from core.lake import KEEP_LOG, KEPT_LOG, Lake, contended

SMALL = 32 << 20  # bytes; a file below is worth being put together with others
FEW = 4  # small files of a batch that are not worth a commit


@dataclass(frozen=True, slots=True)
class Held:
    """What a table holds of a batch: rows, files, those of them that are small, and bytes."""

    rows: int
    files: int
    small: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """Files that are gone, and their bytes (0 where the lake is not of this machine)."""

    files: int
    bytes: int


def held(lake: Lake, table: str) -> dict[str, Held]:
    """What the newest version of a table holds, by batch, told from its log alone."""
    actions = pl.DataFrame(lake.open(table).get_add_actions(flatten=True))
    if actions.is_empty():
        return {}
    size = pl.col("size_bytes")
    found = actions.group_by(pl.col("partition.batch").alias("batch")).agg(
        pl.col("num_records").sum().cast(pl.Int64), pl.len(), (size < SMALL).sum(), size.sum().alias("bytes")
    )
    return {batch: Held(*facts) for batch, *facts in found.sort("batch").iter_rows()}


@contended
def delete(lake: Lake, table: str, batches: Collection[str]) -> None:
    """Take batches out of a table in one commit: older versions still have them, until they are vacuumed."""
    quoted = ", ".join("'{}'".format(batch.replace("'", "''")) for batch in sorted(batches))
    lake.open(table).delete(
        f"batch IN ({quoted})",
        commit_properties=CommitProperties({"retention": "ended"}, 20),
        post_commithook_properties=KEEP_LOG,
    )


def compact(lake: Lake, table: str) -> Mapping[str, Held]:
    """Put the small files of each batch that has more than a few together; what those batches held before.

    The rows stay as they are, and in their order. A batch that another process writes meanwhile is
    left to it, or tried again.
    """
    found = {batch: it for batch, it in held(lake, table).items() if it.small > FEW}
    for batch in found:
        _compact(lake, table, batch)
    return found


@contended
def _compact(lake: Lake, table: str, batch: str) -> None:
    lake.open(table).optimize.compact([("batch", "=", batch)], post_commithook_properties=KEEP_LOG)


@contended
def vacuum(lake: Lake, table: str, keep: Collection[int], hours: int) -> Removed:
    """Remove the files that neither the newest version nor one of `keep` reads, nor any of the last `hours`.

    What writers have begun within these hours and what they removed stays, too. The log of a table of
    which no version is to be kept is cut after Delta's 30 days. IntegrityError, and nothing is removed, where
    a version to be kept cannot be read: its files could not be told from the others.
    """
    _refuse_lost(lake, table, keep)
    there = lake.open(table)
    if not KEPT_LOG.items() <= there.metadata().configuration.items():
        # The commits of a vacuum heed nothing else: one would cut the log before it is told not to.
        there.alter.set_table_properties(KEPT_LOG, post_commithook_properties=KEEP_LOG)
    versions = sorted(set(keep)) or None
    named = there.vacuum(
        hours, dry_run=True, enforce_retention_duration=False, full=True, keep_versions=versions
    )
    sizes = [size for name in named if (size := _size(lake.path(table), name)) is not None]
    if sizes:  # each call would make commits
        there.vacuum(
            hours,
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
            keep_versions=versions,
            post_commithook_properties=KEEP_LOG,
        )
    if not keep:
        lake.open(table).cleanup_metadata()
    return Removed(len(sizes), sum(sizes))


def _refuse_lost(lake: Lake, table: str, keep: Collection[int]) -> None:
    for version in sorted(set(keep)):
        try:
            lake.open(table, version)
        except IntegrityError as error:
            raise IntegrityError(
                f"{error}. A model version was trained on it: put the table's _delta_log back from a copy;"
                " until then none of the table's old files is removed"
            ) from error


def _size(path: str, name: str) -> int | None:
    """The bytes of a file of a table, 0 where it is not of this machine; None for one that is gone already.

    Delta names what a vacuum has removed again, until its log forgets it.
    """
    if "://" in path:
        return 0
    file = Path(path) / name
    return file.stat().st_size if file.is_file() else None
