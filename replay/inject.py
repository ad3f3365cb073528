"""Inject: deliveries as they might have been, made of the rows that the project has accepted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from core.batches import Batch
from core.errors import SpecError
from core.injections import BadBatch, Drift, LateLabels, Outage, Value
from core.spec import Kind
from core.types import read_as
from core.words import nearest
from stages.workspace import Workspace

Injected = Drift | Outage | LateLabels | BadBatch


def inject(workspace: Workspace, asked: Injected, folder: Path) -> Mapping[str, Any]:
    """Write a dataset's deliveries into a folder, a file a batch; what the spec says of them then.

    What the project has set aside is not delivered again. SpecError where the dataset, a column or a
    batch is not there, the dataset is not cut into batches, or a column cannot hold what is asked of it.
    """
    name = workspace.dataset(asked.dataset)
    if name in workspace.whole:
        raise SpecError(f"dataset {name!r} is not cut into batches: nothing can be injected into some")
    if isinstance(asked, LateLabels) and not is_delivered(workspace, asked):
        return {}
    columns = workspace.spec.datasets[name].columns
    asked = _readable(asked, name, columns)
    touched = {batch.id for batch in batches_of(workspace, asked)}
    folder.mkdir(parents=True, exist_ok=True)
    for batch in workspace.spec.batches.calendar().batches():
        path = folder / f"{batch.id}.parquet"
        path.unlink(missing_ok=True)
        if batch.id in touched and isinstance(asked, Outage):
            continue
        rows = workspace.lake.scan(f"raw/{name}", [batch.id]).sort("row").select(*columns).collect()
        if batch.id in touched:
            rows = _changed(workspace, rows, asked)
        if rows.height:
            rows.write_parquet(path)
    return {"datasets": {name: {"source": {"kind": "files", "path": f"{folder}/{{batch}}.parquet"}}}}


def batches_of(workspace: Workspace, asked: Injected) -> list[Batch]:
    """The batches that an injection touches."""
    return workspace.spec.batches.calendar().batches(asked.since, asked.until)


def is_delivered(workspace: Workspace, asked: LateLabels) -> bool:
    """Whether the instant at which a label is known is delivered, and is not made by `prepare`."""
    return workspace.spec.outcome.known_at in workspace.spec.datasets[workspace.spec.events].columns


def _readable(asked: Injected, dataset: str, columns: Mapping[str, Kind]) -> Injected:
    """The same, its values as the columns hold them; SpecError where they cannot, or are not there."""
    if not isinstance(asked, Drift | BadBatch):
        return asked
    for column in (asked.column, *_where(asked)):
        if column not in columns:
            raise SpecError(f"dataset {dataset!r} has no column {column!r}{nearest(column, columns)}")
    if isinstance(asked, BadBatch):
        return asked
    kind = columns[asked.column]
    if (asked.add, asked.multiply) != (None, None) and kind not in ("integer", "float"):
        raise SpecError(f"column {asked.column!r} is of kind {kind}, and no number to `add` to or `multiply`")
    held = {name: _held(name, value, columns[name]) for name, value in asked.where.items()}
    return asked.model_copy(update={"where": held, "value": _held(asked.column, asked.value, kind)})


def _where(asked: Drift | BadBatch) -> Mapping[str, Any]:
    return asked.where if isinstance(asked, Drift) else {}


def _held(column: str, value: Value, kind: Kind) -> object:
    """A value as a column of this kind holds it."""
    given = pl.DataFrame({"value": [value]})
    held: object = given.select(read_as("value", given.schema["value"], kind)).item()
    if held is None and value is not None:
        raise SpecError(f"column {column!r} is of kind {kind}: {value!r} is no such value")
    return held


def _changed(workspace: Workspace, rows: pl.DataFrame, asked: Injected) -> pl.DataFrame:
    if isinstance(asked, LateLabels):
        return rows.with_columns(pl.col(workspace.spec.outcome.known_at) + asked.by)
    assert isinstance(asked, Drift | BadBatch)
    seed = workspace.spec.training.seed
    drawn = pl.Series("drawn", range(rows.height)).shuffle(seed) < round(asked.share * rows.height)
    among, column, dtype = pl.lit(drawn), pl.col(asked.column), rows.schema[asked.column]
    for name, value in _where(asked).items():
        among = among & pl.col(name).eq_missing(pl.lit(value, rows.schema[name]))
    new = pl.lit(None, dtype) if isinstance(asked, BadBatch) else _drifted(column, asked, dtype)
    return rows.with_columns(pl.when(among).then(new).otherwise(column).alias(asked.column))


def _drifted(column: pl.Expr, asked: Drift, dtype: pl.DataType) -> pl.Expr:
    """What a column holds then: missing where that is beyond its numbers."""
    if asked.value is not None:
        return pl.lit(asked.value, dtype)
    moved = column * asked.multiply if asked.multiply is not None else column
    moved = moved + asked.add if asked.add is not None else moved
    return (moved.round() if dtype.is_integer() else moved).cast(dtype, strict=False)
