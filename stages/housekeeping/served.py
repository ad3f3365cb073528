"""Served: days of the log of predictions that are past their retention are deleted."""

from collections.abc import Iterator

from core.upkeep import delete, held
from serving.log.tables import OUTCOMES, PREDICTIONS
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.workspace import Workspace


def end_served(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Delete what was answered, and told of it, longer ago than the spec says."""
    for table in (PREDICTIONS, OUTCOMES):
        if workspace.spec.retention.served is not None and workspace.lake.exists(table):
            found.attempt(f"retention of {table}", _end, workspace, table, instants)


def _end(workspace: Workspace, table: str, instants: Instants) -> Iterator[Line]:
    kept = workspace.spec.retention.served
    there = held(workspace.lake, table)
    past = [day for day in there if kept and day < f"{instants.as_of - kept:%Y-%m-%d}"]
    if past:
        delete(workspace.lake, table, past)
        told = f"deleted {len(past)} days, up to {max(past)}"
        yield Line("retention", table, told, rows=sum(there[day].rows for day in past))
