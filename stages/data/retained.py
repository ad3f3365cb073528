"""Retained: which rows were deleted because their retention had ended, and how long which must be kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.batches import Batch
from core.documents import Fault
from core.errors import SpecError
from core.spec import Spec
from features.made import look_back
from stages.workspace import Workspace

FEATURES, PREDICTIONS, SHADOWS = "features", "predictions", "shadow_predictions"


@dataclass(frozen=True, slots=True)
class Kept:
    """Tables whose batches are kept for the same time; `name` is that on record.

    `by` is the key of `retention`, `rows` how long it says, `needed` for how long before what is still
    to be made their rows are read. None is for ever.
    """

    name: str
    tables: tuple[str, ...]
    by: str
    rows: timedelta | None
    needed: timedelta | None


def kept(spec: Spec) -> list[Kept]:
    """The tables of a project that a retention may be given for; profiles and metrics are always kept."""
    rules = spec.retention
    found = []
    for name, dataset in spec.datasets.items():
        if dataset.event_time is not None:
            back = _look_back(spec, name)
            found.append(Kept(f"raw/{name}", (f"raw/{name}",), "raw", rules.raw, back))
            table = f"quarantine/{name}"
            found.append(Kept(table, (table,), "quarantine", rules.quarantine, timedelta()))
    both = (FEATURES, "outcomes")
    found.append(Kept(FEATURES, both, "features", rules.features, spec.training.window))
    asked = rules.predictions, spec.outcome.maturity
    return [*found, Kept(PREDICTIONS, (PREDICTIONS, SHADOWS), "predictions", *asked)]


def retention_faults(spec: Spec) -> Iterator[Fault]:
    """Where rows would be deleted that are still read: the keys, and what would be right."""
    told = {
        "raw": "features look back {} before their batch",
        "features": "training reaches back {}",
        "predictions": "outcomes take {} to be in",
    }
    try:
        every = kept(spec)
    except SpecError:  # of features whose names are taken, as is told elsewhere
        return
    for each in every:
        keys = ("retention", each.by)
        of_events = each.by != "raw" or each.name == f"raw/{spec.events}"
        if each.rows is None or each.by not in told or not of_events:
            continue
        if each.needed is None:
            cure = "say `training.window`" if each.by == "features" else "give each such feature its window"
            yield keys, f"{told[each.by].format('without limit')}: {cure}, or leave the retention out"
        elif each.rows < each.needed:
            yield keys, f"{each.rows} is too short: {told[each.by].format(each.needed)}: say as long at least"


def record_of(table: str) -> str:
    """The step of the ledger on which the batches of a table are that retention has deleted."""
    return f"expire/{table}"


def gone(workspace: Workspace, table: str) -> dict[str, dict[str, Any]]:
    """The batches of a table that retention has deleted, with how many rows they had."""
    return workspace.ledger.results(record_of(table))


def is_gone(workspace: Workspace, batch: Batch, *tables: str) -> bool:
    """Whether retention has deleted the rows of a batch from any of these tables.

    What was made from them stays as it is: made again, it would be made of nothing.
    """
    return any(workspace.ledger.result(record_of(table), batch.id) is not None for table in tables)


def _look_back(spec: Spec, dataset: str) -> timedelta | None:
    """How far before a batch the rows of a dataset are read; lists of candidates read all events."""
    return None if spec.candidates and dataset == spec.events else look_back(spec, dataset)
