"""Profiled: a batch's features and answers in sketches, made once and kept in the lake."""

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from core.batches import Batch
from core.errors import IntegrityError
from core.ledger import fingerprint
from models.problem import problem_of
from models.rows import Columns, columns
from monitoring.profiles.profile import Profile, from_table, over, to_table
from monitoring.profiles.profiling import profile
from monitoring.profiles.sketches import REVISION
from stages.data.retained import FEATURES, PREDICTIONS, is_gone
from stages.models.references import block_count
from stages.workspace import Workspace

INPUTS, ANSWERS = "profiles", "prediction_profiles"


def profiled(workspace: Workspace, batch: Batch, as_of: datetime) -> dict[str, Profile]:
    """The profile of each feature of a batch: read from the lake, and made before where it is not there.

    Raises IntegrityError when the batch has no features yet, or a sketch in the lake is damaged.
    """
    built = workspace.ledger.result("features", batch.id)
    if built is None:
        raise IntegrityError(
            f"batch {batch} of {workspace.project.name} has no features yet: build them first"
        )
    names = columns(workspace.spec)
    made_from = fingerprint(REVISION, built["content"], names.numbers, names.categories, names.texts)
    rows = workspace.lake.scan("features", [batch.id])
    return _made(workspace, batch, as_of, INPUTS, made_from, lambda: (rows, names), {})


def answered(workspace: Workspace, batch: Batch, as_of: datetime) -> dict[str, Profile]:
    """The same of the answers to a scored batch, of the version that gave them."""
    scored = workspace.ledger.result("score", batch.id)
    if scored is None:
        raise IntegrityError(f"batch {batch} of {workspace.project.name} has no answers yet: score it first")
    every = workspace.lake.scan("predictions", [batch.id])
    rows = every.filter(pl.col("version") == scored["version"])

    def said() -> tuple[pl.LazyFrame, Columns]:
        return answer_columns(rows, values=problem_of(workspace.spec).link == "sorted")

    return _made(
        workspace,
        batch,
        as_of,
        ANSWERS,
        fingerprint(REVISION, scored["fingerprint"]),
        said,
        {"version": scored["version"]},
    )


def window(workspace: Workspace, batches: Sequence[Batch]) -> dict[str, Profile]:
    """The profile of each feature over any batches that are profiled, whose rows need not be there."""
    ids = [batch.id for batch in batches]
    table = workspace.lake.scan(INPUTS, ids).collect().sort("batch", maintain_order=True)
    return over(table, f"table {INPUTS} of {workspace.project.name}")


def answer_columns(predictions: pl.LazyFrame, values: bool) -> tuple[pl.LazyFrame, Columns]:
    """The column `prediction` of answers as columns to profile, as by `monitoring.drift.drift.answers`."""
    known = predictions.filter(pl.col("prediction").is_not_null())
    answer = pl.col("prediction")
    if not isinstance(predictions.collect_schema()["prediction"], pl.List):
        return known.select(answer), Columns(("prediction",), ())
    if not values:
        return known.select(answer.list.arg_max().cast(pl.String)), Columns((), ("prediction",))
    width = int(known.select(answer.list.len().max()).collect().item() or 0)
    names = tuple(f"prediction {place + 1}" for place in range(width))
    return known.select(answer.list.get(place).alias(name) for place, name in enumerate(names)), Columns(
        names, ()
    )


def _made(
    workspace: Workspace,
    batch: Batch,
    as_of: datetime,
    table: str,
    made_from: str,
    rows: Callable[[], tuple[pl.LazyFrame, Columns]],
    more: dict[str, str],
) -> dict[str, Profile]:
    """The profiles in a table, made once of the same rows; they stay once retention has deleted these.

    A replay keeps none of its own.
    """
    step, source = ("profile", FEATURES) if table == INPUTS else ("profile/predictions", PREDICTIONS)
    done = workspace.ledger.finished(step, batch.id, made_from)
    if done is None and not is_gone(workspace, batch, source):
        found, names = rows()
        blocks = block_count(workspace, workspace.lake.scan(source, [batch.id]))
        made = to_table(profile(found, names, blocks))
        if workspace.shared:
            return from_table(made, table)
        written = made.with_columns(pl.lit(value).alias(name) for name, value in more.items())
        workspace.lake.write(table, batch.id, written)
        workspace.ledger.record(step, batch.id, made_from, {"features": made.height}, as_of)
        return from_table(made, table)
    kept = workspace.lake.scan(table, [batch.id]).collect()
    return from_table(kept, f"table {table} of {workspace.project.name}, batch {batch}")
