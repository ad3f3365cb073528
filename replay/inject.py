"""Inject: deliveries as they might have been, made of the rows that the project has accepted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from core.batches import Batch
from core.errors import SpecError
from core.injections import BadBatch, Drift, LateLabels, Outage
from core.words import nearest
from stages.workspace import Workspace

Injected = Drift | Outage | LateLabels | BadBatch


def inject(workspace: Workspace, asked: Injected, folder: Path) -> Mapping[str, Any]:
    """Write a dataset's deliveries into a folder, a file a batch; what the spec says of them then.

    What the project has set aside is not delivered again. SpecError where the dataset, a column or a
    batch is not there, or the dataset is not cut into batches.
    """
    name = workspace.dataset(asked.dataset)
    if name in workspace.whole:
        raise SpecError(f"dataset {name!r} is not cut into batches: nothing can be injected into some")
    if isinstance(asked, LateLabels) and not is_delivered(workspace, asked):
        return {}
    columns = workspace.spec.datasets[name].columns
    for column in (*([asked.column] if isinstance(asked, Drift | BadBatch) else ()), *_where(asked)):
        if column not in columns:
            raise SpecError(f"dataset {name!r} has no column {column!r}{nearest(column, columns)}")
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


def _where(asked: Injected) -> Mapping[str, Any]:
    return asked.where if isinstance(asked, Drift) else {}


def is_delivered(workspace: Workspace, asked: LateLabels) -> bool:
    """Whether the instant at which a label is known is delivered, and is not made by `prepare`."""
    return workspace.spec.outcome.known_at in workspace.spec.datasets[workspace.spec.events].columns


def _changed(workspace: Workspace, rows: pl.DataFrame, asked: Injected) -> pl.DataFrame:
    if isinstance(asked, LateLabels):
        return rows.with_columns(pl.col(workspace.spec.outcome.known_at) + asked.by)
    assert isinstance(asked, Drift | BadBatch)
    seed = workspace.spec.training.seed
    drawn = pl.Series("drawn", range(rows.height)).shuffle(seed) < round(asked.share * rows.height)
    among = pl.lit(drawn)
    for name, value in _where(asked).items():
        among = among & pl.col(name).eq_missing(pl.lit(value))
    column, dtype = pl.col(asked.column), rows.schema[asked.column]
    new = pl.lit(None, dtype) if isinstance(asked, BadBatch) else _drifted(column, asked).cast(dtype)
    return rows.with_columns(pl.when(among).then(new).otherwise(column).alias(asked.column))


def _drifted(column: pl.Expr, asked: Drift) -> pl.Expr:
    if asked.value is not None:
        return pl.lit(asked.value)
    moved = column * asked.multiply if asked.multiply is not None else column
    return moved + asked.add if asked.add is not None else moved
