"""The values of a suite's parameters: what a batch is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from core.batches import Batch
from stages.workspace import WHOLE, Workspace

if TYPE_CHECKING:
    from expectations.suites import Suite

TRAILING = 6  # batches before this one whose volume is looked at


@dataclass(frozen=True, slots=True)
class Values:
    """Values by parameter; None where there is nothing to compare with yet.

    `own` are the columns whose distribution is taken from the batch itself: that of the reference
    batch. `made_from` is what the values were made from, as JSON can hold it.
    """

    given: Mapping[str, Any]
    own: tuple[str, ...]
    made_from: Mapping[str, Any]

    def of(self, rows: pl.DataFrame) -> dict[str, Any]:
        """All values, for the rows that are judged."""
        from expectations.distributions import distribution

        return {**self.given, **{f"reference.{name}": distribution(rows[name]) for name in self.own}}


def values_of(
    workspace: Workspace, suite: "Suite", dataset: str, batch: Batch | None, as_of: datetime
) -> Values:
    """The values of the parameters that a suite names; a name that means nothing here has none."""
    known = _known(workspace, dataset, batch, as_of)
    given: dict[str, Any] = {}
    made_from: dict[str, Any] = {}
    own: list[str] = []
    for name in suite.parameters:
        group, _, column = name.partition(".")
        if group == "reference" and batch is not None:
            reference = reference_batch(workspace, dataset)
            if reference == batch:
                own.append(column)
            else:
                given[name] = _reference(workspace, dataset, reference, column)
                made_from[name] = workspace.content(dataset, reference.id)
        elif group in workspace.spec.datasets and group != dataset:
            past = [WHOLE] if group in workspace.whole else _past(workspace, batch)
            given[name] = _values(workspace, group, column, past)
            made_from[name] = [workspace.content(group, subject) for subject in past]
        elif name in known:
            given[name] = made_from[name] = known[name]
    return Values(given, tuple(own), made_from)


def compared_with(workspace: Workspace, dataset: str) -> str | None:
    """The batch that must be there before the others are judged, if the suite compares them with one."""
    path = workspace.settings.suites / workspace.project.name / f"{dataset}.yaml"
    # Its text is enough to tell: to load the suite takes Great Expectations, and so seconds.
    compares = path.is_file() and "reference." in path.read_text(encoding="utf-8", errors="replace")
    return reference_batch(workspace, dataset).id if compares else None


def reference_batch(workspace: Workspace, dataset: str) -> Batch:
    """The batch that others are compared with: the spec's choice, by default the first."""
    return workspace.batch(
        workspace.spec.datasets[dataset].reference or workspace.spec.batches.calendar().batches()[0].id
    )


def _known(workspace: Workspace, dataset: str, batch: Batch | None, as_of: datetime) -> dict[str, Any]:
    if batch is None:
        return {"as_of": as_of}
    every = workspace.spec.batches.calendar().batches()
    place = every.index(batch)
    before = [each.id for each in every[max(place - TRAILING, 0) : place]]
    delivered = workspace.manifest.contents(dataset, before)
    rows = [held.rows for held in delivered.values() if held.rows]
    return {
        "as_of": as_of,
        "batch.start": batch.start,
        "batch.end": batch.end,
        "trailing.rows": median(rows) if rows else None,
    }


def _reference(workspace: Workspace, dataset: str, reference: Batch, column: str) -> Any:
    from expectations.distributions import distribution

    if not workspace.lake.exists(f"raw/{dataset}"):
        return None
    rows = workspace.lake.scan(f"raw/{dataset}", [reference.id])
    if column not in rows.collect_schema():
        return None
    held = rows.select(column).collect()
    return distribution(held[column]) if held.height else None


def _past(workspace: Workspace, batch: Batch | None) -> list[str]:
    """The batches up to this one, itself included: of another dataset, what may be referred to."""
    every = workspace.spec.batches.calendar().batches()
    return [each.id for each in every if batch is not None and each.end <= batch.end]


def _values(workspace: Workspace, dataset: str, column: str, past: Sequence[str]) -> list[Any] | None:
    if not past or not workspace.lake.exists(f"raw/{dataset}"):
        return None
    values = workspace.lake.scan(f"raw/{dataset}", past).select(pl.col(column).drop_nulls().unique().sort())
    return values.collect().to_series().to_list()
