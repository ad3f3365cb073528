"""Placing what was delivered: to which batch each row belongs, by its event time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from core.batches import Batch
from core.contents import ROW_HASH, Content, row_hash
from core.errors import DeliveryError, PerennialError, SpecError
from core.ledger import fingerprint
from core.prepare import Tables, prepared
from core.projects import Project
from core.sources.counted import instant
from core.sources.items import Fetched
from core.sources.manifest import Part
from core.types import read_as
from core.whole import FULL, whole

WHOLE = "whole"  # the one batch of a dataset that is not cut into batches
PLACES = ".places.parquet"

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


def placed(rules: Rules, cut_for: str | None, fetched: Fetched, staging: Path, after: int = 0) -> list[Part]:
    """The parts of a delivery, one for each batch that it holds rows of.

    A row belongs to the batch that its source has `cut_for` the delivery, else to the batch of its event
    time. One that has none, and an event from outside the calendar, belongs where most of its delivery
    does, and fails there. What another dataset holds from before the first batch belongs to the first;
    what it holds from after the last is no batch's yet. Where each row belongs is kept beside the
    staged rows. Where rows are counted, those of the delivery begin `after` so many others.

    Raises DeliveryError when the rows cannot be read, or when not one of them can be placed; SpecError
    when `prepare` drops or repeats rows.
    """
    by = placed_by(rules, cut_for, after)
    if cut_for is not None or not rules.batches:
        batch = cut_for or WHOLE
        held = (
            _hashed(rules, fetched.path, after)
            .select(pl.col(ROW_HASH).sum())
            .collect(engine="streaming")
            .item()
        )
        everything = Content(fetched.rows, held)
        return [Part(fetched.digest, by, batch, everything, 0, max(fetched.rows - 1, 0))]
    path = places_path(staging, fetched.digest, by)
    with whole(path) as draft:
        _place(rules, fetched, draft, after)
        if None in (found := _parts(rules, draft)):
            _settle(draft, _home(rules, found))
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


def _home(rules: Rules, found: Mapping[str | None, "_Found"]) -> int:
    """The place of the batch that most rows of a delivery belong to."""
    told = {batch: each for batch, each in found.items() if batch is not None}
    if not told:
        time, calendar = rules.project.spec.datasets[rules.dataset].event_time, rules.batches
        raise DeliveryError(
            f"dataset {rules.dataset!r}: not one of {found[None].rows:,} rows has a {time!r} that can be read"
            f" and lies between {calendar[0].start:%Y-%m-%d} and {calendar[-1].end:%Y-%m-%d}, where the"
            " batches do"
        )
    return _ids(rules).index(max(told, key=lambda batch: told[batch].rows))


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


def placed_by(rules: Rules, cut_for: str | None, after: int = 0) -> str:
    """What stands for all that decides where the rows of a delivery belong."""
    return fingerprint(rules.hash, cut_for, after)


def places_path(staging: Path, digest: str, by: str) -> Path:
    """Where the places of a delivery's rows are kept."""
    return staging / f"{fingerprint(digest, by)}{PLACES}"


@dataclass(frozen=True, slots=True)
class _Found:
    rows: int
    total: int
    first: int
    last: int


def _hashed(rules: Rules, path: Path, after: int) -> pl.LazyFrame:
    """The rows in their types, with their hash as delivered and, where they are counted, their time."""
    spec = rules.project.spec
    columns, made = spec.datasets[rules.dataset].columns, spec.counted(rules.dataset)
    raw = pl.scan_parquet(path, glob=False)
    schema = raw.collect_schema()
    return raw.select(
        "row",
        *(read_as(name, schema[name], kind) for name, kind in columns.items()),
        row_hash(columns, schema),
        *([instant(spec.batches, pl.col("row") + after).alias(made)] if made else []),
    )


def _place(rules: Rules, fetched: Fetched, target: Path, after: int) -> None:
    """Write `row`, `:batch` (its place in the calendar, null if it has none) and `row_hash`, in a stream."""
    dataset = rules.project.spec.datasets[rules.dataset]
    edges = [*(batch.start for batch in rules.batches), rules.batches[-1].end]
    starts = np.array([int(edge.timestamp() * 1e6) for edge in edges])
    last, are_events = len(rules.batches), rules.dataset == rules.project.spec.events

    def position(times: pl.Series) -> pl.Series:
        instants = times.dt.epoch("us").fill_null(starts[0]).to_numpy()
        # The place of what lies before the first batch is -1, of what lies after the last is `last`.
        found = np.searchsorted(starts, instants, side="right") - 1
        nowhere = times.is_null().to_numpy()
        if are_events:
            nowhere = nowhere | (found < 0) | (found == last)
        return pl.Series(found.clip(0, last), dtype=pl.UInt32).set(pl.Series(nowhere), None)

    rows = prepared(rules.project, rules.dataset, _hashed(rules, fetched.path, after), rules.tables).select(
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
        if any(f"(os error {full})" in why for full in FULL):
            raise PerennialError(f"{target.parent} cannot be written to: {why}") from error
        raise DeliveryError(
            f"dataset {rules.dataset!r}: {dataset.prepare} fails on these rows: {why}"
        ) from error


def _settle(path: Path, home: int) -> None:
    """Put what has no place of its own to this one."""
    settled = path.with_name(f"{path.name}.settled")
    try:
        rows = pl.scan_parquet(path, glob=False).with_columns(pl.col(_INTERNAL).fill_null(home))
        rows.sink_parquet(settled, row_group_size=_ROWS, compression="lz4")
        settled.replace(path)
    finally:
        settled.unlink(missing_ok=True)


def _parts(rules: Rules, path: Path) -> dict[str | None, _Found]:
    found = (
        pl.scan_parquet(path, glob=False)
        .group_by(_INTERNAL)
        .agg(pl.len(), pl.col(ROW_HASH).sum(), first=pl.col("row").min(), last=pl.col("row").max())
        .sort(_INTERNAL)
        .collect(engine="streaming")
    )
    ids = _ids(rules)
    return {None if place is None else ids[place]: _Found(*facts) for place, *facts in found.iter_rows()}


def _ids(rules: Rules) -> list[str]:
    """The batches' ids by their place; the last place is that of what lies after the calendar's end."""
    return [*(batch.id for batch in rules.batches), ""]


def rows_of(path: Path, place: int, part: Part) -> pl.LazyFrame:
    """The `row` of those in a file of places that belong to the batch at this place of the calendar."""
    within = pl.col("row").is_between(part.first, part.last)
    return pl.scan_parquet(path, glob=False).filter(within, pl.col(_INTERNAL) == place).select("row")
