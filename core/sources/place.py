"""Placing what was delivered: to which batch each row belongs, by its event time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from core.batches import Batch
from core.contents import ROW_HASH, Content, row_hash
from core.errors import DeliveryError, SpecError
from core.ledger import fingerprint
from core.prepare import Tables, prepared
from core.projects import Project
from core.sources.items import Fetched
from core.sources.manifest import Part
from core.types import read_as
from core.whole import whole

WHOLE = "whole"  # the one batch of a dataset that is not cut into batches

_ROWS = 1 << 17  # of a row group: what is read at the least to find the rows of one batch
_INTERNAL = ":batch"


@dataclass(frozen=True, slots=True)
class Rules:
    """By what the rows of a dataset are placed; `hash` stands for all that the places depend on."""

    project: Project
    dataset: str
    batches: Sequence[Batch]
    tables: Tables
    hash: str


def placed(rules: Rules, cut_for: str | None, fetched: Fetched, staging: Path) -> list[Part]:
    """The parts of a delivery, one for each batch that it holds rows of.

    A row belongs to the batch that its source has `cut_for` the delivery, else to the batch of its event
    time; one that has none, or one from before the first batch, belongs to the first. From after the
    last batch, an event belongs to the last, where it fails; what another dataset holds of that time
    is no batch's yet. Where each row belongs is kept beside the staged rows.

    Raises DeliveryError when the rows cannot be read, SpecError when `prepare` drops or repeats rows.
    """
    by = placed_by(rules, cut_for)
    if cut_for is not None or not rules.batches:
        batch = cut_for or WHOLE
        held = _hashed(rules, fetched.path).select(pl.col(ROW_HASH).sum()).collect(engine="streaming").item()
        everything = Content(fetched.rows, held)
        return [Part(fetched.digest, by, batch, everything, 0, max(fetched.rows - 1, 0))]
    path = places_path(staging, fetched.digest, by)
    with whole(path) as draft:
        _place(rules, fetched, draft)
        parts = _parts(rules, draft)
    _each_once(rules, parts.values(), fetched.rows)
    return [
        Part(
            fetched.digest,
            by,
            batch,
            Content(found.rows, found.total),
            found.first,
            found.last,
        )
        for batch, found in parts.items()
        if batch
    ]


def _each_once(rules: Rules, found: Collection["_Found"], count: int) -> None:
    """Raise SpecError unless `prepare` has kept each of the rows, once."""
    kept = sum(part.rows for part in found)
    what = "drops rows" if kept < count else "repeats rows" if kept > count else ""
    if kept == count and found and max(part.last for part in found) != count - 1:
        what = "changes `row`"
    if what:
        prepare = rules.project.spec.datasets[rules.dataset].prepare
        raise SpecError(
            f"dataset {rules.dataset!r}: {prepare} in functions.py {what}: it should keep each one, once"
        )


def placed_by(rules: Rules, cut_for: str | None) -> str:
    """What stands for all that decides where the rows of a delivery belong."""
    return fingerprint(rules.hash, cut_for)


def places_path(staging: Path, digest: str, by: str) -> Path:
    """Where the places of a delivery's rows are kept."""
    return staging / f"{fingerprint(digest, by)}.places.parquet"


@dataclass(frozen=True, slots=True)
class _Found:
    rows: int
    total: int
    first: int
    last: int


def _hashed(rules: Rules, path: Path) -> pl.LazyFrame:
    """The rows in their types, with their hash as delivered."""
    columns = rules.project.spec.datasets[rules.dataset].columns
    raw = pl.scan_parquet(path, glob=False)
    schema = raw.collect_schema()
    return raw.select(
        "row",
        *(read_as(name, schema[name], kind) for name, kind in columns.items()),
        row_hash(columns, schema),
    )


def _place(rules: Rules, fetched: Fetched, target: Path) -> None:
    """Write `row`, `:batch` (the batch's position in the calendar) and `row_hash`, in a stream."""
    dataset = rules.project.spec.datasets[rules.dataset]
    edges = [*(batch.start for batch in rules.batches), rules.batches[-1].end]
    starts = np.array([int(edge.timestamp() * 1e6) for edge in edges])
    # The last place is that of what lies after the calendar's end.
    last = len(starts) - (2 if rules.dataset == rules.project.spec.events else 1)

    def position(times: pl.Series) -> pl.Series:
        instants = times.dt.epoch("us").fill_null(starts[0]).to_numpy()
        found = np.searchsorted(starts, instants, side="right") - 1
        return pl.Series(found.clip(0, last), dtype=pl.UInt32)

    rows = prepared(rules.project, rules.dataset, _hashed(rules, fetched.path), rules.tables).select(
        "row",
        pl.col(dataset.event_time or "")
        .map_batches(position, return_dtype=pl.UInt32, is_elementwise=True)
        .alias(_INTERNAL),
        ROW_HASH,
    )
    try:
        rows.sink_parquet(target, row_group_size=_ROWS, compression="lz4")
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise DeliveryError(
            f"dataset {rules.dataset!r}: {dataset.prepare} fails on these rows: {why}"
        ) from error


def _parts(rules: Rules, path: Path) -> dict[str, _Found]:
    found = (
        pl.scan_parquet(path, glob=False)
        .group_by(_INTERNAL)
        .agg(pl.len(), pl.col(ROW_HASH).sum(), first=pl.col("row").min(), last=pl.col("row").max())
        .sort(_INTERNAL)
        .collect(engine="streaming")
    )
    ids = [*(batch.id for batch in rules.batches), ""]
    return {ids[place]: _Found(*facts) for place, *facts in found.iter_rows()}


def rows_of(path: Path, place: int, part: Part) -> pl.LazyFrame:
    """The `row` of those in a file of places that belong to the batch at this place of the calendar."""
    within = pl.col("row").is_between(part.first, part.last)
    return pl.scan_parquet(path, glob=False).filter(within, pl.col(_INTERNAL) == place).select("row")
