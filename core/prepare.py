"""Calling a dataset's `prepare`: the function of the project that adds columns, and adds nothing else."""

from collections.abc import Mapping
from typing import Literal, cast

import polars as pl

from core.errors import DeliveryError, SpecError
from core.projects import Project

Tables = Mapping[str, pl.LazyFrame]


def prepared(project: Project, dataset: str, typed: pl.LazyFrame, tables: Tables) -> pl.LazyFrame:
    """The typed rows with the columns that `prepare` adds; as they are, where the dataset has none.

    Raises SpecError when the function fails, when a column is not there in the end that the spec
    names, or when an instant is not a datetime in UTC.
    """
    rules = project.spec.datasets[dataset]
    if rules.prepare is None:
        return typed
    who = _who(project, dataset)
    try:
        frame = project.functions[rules.prepare](typed, tables)
        schema = frame.collect_schema() if isinstance(frame, pl.LazyFrame) else None
    except Exception as error:
        raise SpecError(f"{who} fails: {project.blame(error)}") from error
    if schema is None:
        raise SpecError(f"{who} should return a LazyFrame, not {type(frame).__name__}")
    lost = [column for column in typed.collect_schema() if column not in schema]
    if lost:
        raise SpecError(f"{who} drops the columns {', '.join(lost)}: it should keep every column")
    for column in schema:
        if column == "batch" or column.startswith(":"):
            raise SpecError(f"{who} adds the column {column!r}, a name of the lake's own: give it another")
    for column in rules.key:
        if column not in schema:
            raise SpecError(f"{who} should add {column!r}, a column of the key")
    for time in filter(None, (rules.event_time, rules.known_at)):
        dtype = schema.get(time)
        if not isinstance(dtype, pl.Datetime) or dtype.time_zone != "UTC":
            found = f"it is {dtype}" if dtype else "there is no such column"
            raise SpecError(f"{who} should add {time!r} as a datetime in UTC: {found}")
    return cast(pl.LazyFrame, frame)


def prepare(project: Project, dataset: str, typed: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """The rows with their prepared columns, in the order of `row`; `typed` is in this order.

    Raises SpecError as `prepared` does, and when the function drops, repeats or changes what was
    delivered; DeliveryError when it cannot do its work on these rows.
    """
    who = _who(project, dataset)
    frame = collected(project, dataset, prepared(project, dataset, typed.lazy(), tables)).sort("row")
    if frame["row"].is_duplicated().any():
        raise SpecError(f"{who} repeats rows: it should keep each one, once")
    if not frame["row"].equals(typed["row"]):
        what = "drops rows" if frame.height < typed.height else "changes `row`"
        raise SpecError(f"{who} {what}: it should keep each one, once")
    changed = [
        column for column in typed.columns if not frame[column].equals(typed[column], check_dtypes=True)
    ]
    if changed:
        raise SpecError(f"{who} changes what was delivered in {', '.join(changed)}: it should add columns")
    return frame


def collected(
    project: Project,
    dataset: str,
    lazy: pl.LazyFrame,
    engine: Literal["streaming", "in-memory"] = "in-memory",
) -> pl.DataFrame:
    """The rows of a plan with prepared columns in it; DeliveryError, naming the function, if it fails."""
    try:
        return lazy.collect(engine=engine)
    except pl.exceptions.PolarsError as error:
        if project.spec.datasets[dataset].prepare is None:
            raise
        why = str(error).splitlines()[0]
        raise DeliveryError(f"{_who(project, dataset)} fails on these rows: {why}") from error


def _who(project: Project, dataset: str) -> str:
    return f"dataset {dataset!r}: {project.spec.datasets[dataset].prepare} in functions.py"
