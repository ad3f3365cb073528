"""Retention: batches whose time is over are deleted from the newest version of their tables."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from core.batches import Batch
from core.upkeep import Held, delete, held
from stages.data.parameters import compared_with
from stages.data.retained import Kept, kept, record_of
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.workspace import Workspace

STEP = "retention"


def end_retention(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Delete the batches that ended longer ago than the retention of their table, where nothing needs them.

    What the ledger has of them stays, so that what was received is still told in full; that they were
    deleted is put on record before they are.
    """
    for each in kept(workspace.spec):
        if each.rows is not None:
            found.attempt(f"retention of {each.name}", _end, workspace, each, instants.as_of)


def _end(workspace: Workspace, each: Kept, as_of: datetime) -> Iterator[Line]:
    tables = [table for table in each.tables if workspace.lake.exists(table)]
    there = {table: held(workspace.lake, table) for table in tables}
    past = [batch for batch in _over(workspace, each, as_of) if any(batch.id in it for it in there.values())]
    if not past:
        return
    until, why = _needed_until(workspace, each, as_of)
    spared = _spared(workspace, each)
    due = [batch for batch in past if until and batch.end <= until and batch.id not in spared]
    if left := [batch for batch in past if batch not in due]:
        yield Line(STEP, each.name, f"kept {_span(left)}: {spared.get(left[0].id, why)}")
    if due:
        yield _deleted(workspace, each, due, there, as_of)


def _deleted(
    workspace: Workspace, each: Kept, due: Sequence[Batch], there: dict[str, dict[str, Held]], as_of: datetime
) -> Line:
    ids, rows = {batch.id for batch in due}, 0
    for batch in sorted(ids):
        held_of = {table: it[batch].rows for table, it in there.items() if batch in it}
        workspace.ledger.record(record_of(each.name), batch, "", {"rows": held_of}, as_of)
        rows += sum(held_of.values())
    for table, batches in there.items():
        if ids & batches.keys():
            delete(workspace.lake, table, ids & batches.keys())
    return Line(STEP, each.name, f"deleted {_span(due)}", rows=rows)


def _over(workspace: Workspace, each: Kept, as_of: datetime) -> list[Batch]:
    """The batches whose retention has ended."""
    return [batch for batch in workspace.batches(as_of) if each.rows and batch.end <= as_of - each.rows]


def _needed_until(workspace: Workspace, each: Kept, as_of: datetime) -> tuple[datetime | None, str]:
    """Before when no row is read any more, and what reads those after; None where every row is read."""
    if each.needed is None:
        what = "features look back" if each.by == "raw" else "training reaches back"
        return None, f"{what} without limit"
    if each.by == "raw" and _is_named_by_suites(workspace, each.name.removeprefix("raw/")):
        return None, "suites compare the rows of other datasets with them"
    open_batches = [] if each.by == "quarantine" else _to_be_done(workspace, each, as_of)
    since = min([batch.start for batch in open_batches[:1]] + [as_of])
    of = f", and batch {open_batches[0]} is still to be done" if open_batches else ""
    return since - each.needed, f"{_days(each.needed)} before what is to be made are needed{of}"


def _to_be_done(workspace: Workspace, each: Kept, as_of: datetime) -> list[Batch]:
    """The batches that rows of the table are still read for: to build features, or to be judged."""
    ledger, batches = workspace.ledger, workspace.batches(as_of)
    if each.by == "raw":
        made = ledger.results("features")
        ingested = ledger.results(f"ingest/{workspace.spec.events}")
        return [
            batch for batch in batches if ingested.get(batch.id, {}).get("accepted") and batch.id not in made
        ]
    scored, judged = ledger.results("score"), ledger.results("monitor")
    return [batch for batch in batches if scored.get(batch.id, {}).get("rows") and batch.id not in judged]


def _spared(workspace: Workspace, each: Kept) -> dict[str, str]:
    """The batch that others are compared with when they are validated, and why it stays."""
    if each.by != "raw":
        return {}
    reference = compared_with(workspace, each.name.removeprefix("raw/"))
    return {reference: "its suite compares other batches with it"} if reference else {}


def _is_named_by_suites(workspace: Workspace, dataset: str) -> bool:
    """Whether another dataset's suite may read the values of this one: its text is enough to tell."""
    folder = workspace.settings.suites / workspace.project.name
    return any(
        f"{dataset}." in path.read_text(encoding="utf-8", errors="replace")
        for path in folder.glob("*.yaml")
        if path.stem != dataset
    )


def _span(batches: Sequence[Batch]) -> str:
    if len(batches) == 1:
        return f"batch {batches[0]}"
    return f"{len(batches)} batches, {batches[0]} to {batches[-1]}"


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86_400:g} days"
