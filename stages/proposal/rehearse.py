"""Rehearse: a proposed project takes in its own table, in a room where nothing else is touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from core.batches import Batch
from core.errors import PerennialError
from core.settings import Settings
from core.sources.read import read
from models.split import split
from proposal.functions_text import functions_text
from proposal.limits import REHEARSED_COLUMNS, REHEARSED_LEAST, REHEARSED_ROWS
from proposal.page import value
from proposal.plan import Plan
from proposal.spec_text import spec_text
from stages.data.deliver import deliver, pending
from stages.data.ingest import Ingested, ingest, parts_of, unfit_rows
from stages.features.featurise import featurise, labelled
from stages.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What became of the table under the proposed suite: its batches, and what keeps a fit from it.

    `ingested` are those batches of `every` that were tried: of a large table, some.
    """

    suite: str
    ingested: tuple[Ingested, ...]
    every: int
    first: int
    unfit: str

    @property
    def told(self) -> str:
        """A sentence of it."""
        received, aside = (
            sum(getattr(each, name) for each in self.ingested) for name in ("received", "quarantined")
        )
        stopped = [each for each in self.ingested if each.stopped]
        told = f"Under the proposed suite {aside:,} of {received:,} rows are set aside"
        told = f"{told}, and {len(stopped)} of {len(self.ingested)} batches stop"
        tried = f"; rehearsed on {len(self.ingested)} of {self.every} batches, and no first fit"
        return f"{told}{tried if len(self.ingested) < self.every else ''}."


def room_of(room: Path) -> Settings:
    """Settings under which nothing outside of a folder is touched."""
    return Settings(
        home=room,
        projects=room / "projects",
        suites=room / "expectations",
        lake=str(room / "lake"),
        registry=f"sqlite:///{room / 'registry.db'}",
        online=f"sqlite:///{room / 'online.db'}",
    )


def rehearse(plan: Plan, own: Settings) -> Rehearsal:
    """Propose a suite from the table as the project would read it, and ingest it under this suite."""
    name = plan.ask.name
    folder, suite = own.projects / name, own.suites / name / f"{name}.yaml"
    _put(folder / "project.yaml", spec_text(plan, plan.table.source)[0])
    _put(folder / "functions.py", functions_text(plan))
    workspace = open_workspace(name, own)
    every = workspace.spec.batches.calendar().batches()
    as_of = every[-1].end + workspace.spec.outcome.maturity
    for item in pending(workspace, name, every):
        deliver(workspace, name, item, as_of)
    some = _some(plan, every)
    _put(suite, _suite(workspace, plan, some))
    found = tuple(ingest(workspace, name, batch, as_of) for batch in some)
    fitted, unfit = _first_fit(workspace, plan, every, as_of) if some == every else (plan.batches.first, "")
    return Rehearsal(suite.read_text(encoding="utf-8"), found, len(every), fitted, unfit)


def _suite(workspace: Workspace, plan: Plan, some: Sequence[Batch]) -> str:
    """The suite that is proposed from some batches; of one batch alone, what a key must be."""
    # Great Expectations takes seconds to import: only who proposes waits for it.
    from expectations.proposal.propose import propose

    name = plan.ask.name
    if len(some) == 1:
        key = value({"column": plan.key.columns[0]})
        entry = f"{{type: expect_column_values_to_not_be_null, severity: warning, kwargs: {key}}}"
        return f"name: {name}\nversion: 1\nexpectations:\n  - {entry}\n"
    frames = [(batch.id, _accepted(workspace, name, batch)) for batch in some]
    rules, calendar = workspace.spec.datasets[name], workspace.spec.batches.calendar()
    return propose(frames, rules, name=name, calendar=calendar)


def _accepted(workspace: Workspace, name: str, batch: Batch) -> pl.LazyFrame:
    """The rows of a batch that can be read, on disk."""
    delivery = read(
        workspace.project, name, batch, parts_of(workspace, name, batch), {}, workspace.settings.staging
    )
    path = workspace.settings.staging / f"{batch.id}.accepted.parquet"
    delivery.rows.join(unfit_rows(workspace, name, delivery), on="row", how="anti").write_parquet(path)
    return pl.scan_parquet(path, glob=False)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _some(plan: Plan, every: Sequence[Batch]) -> list[Batch]:
    """The batches on which the suite is proposed and tried: all, or of a large table some of them."""
    filled = [batch for batch, rows in zip(every, plan.batches.rows, strict=True) if rows]
    columns = len(filled) * len(plan.readings)
    times = max(plan.table.count / REHEARSED_ROWS, columns / REHEARSED_COLUMNS)
    step = max(1, min(round(times), len(filled) // REHEARSED_LEAST))
    return list(every) if step == 1 and len(filled) == len(every) else filled[::step]


def _first_fit(workspace: Workspace, plan: Plan, every: Sequence[Batch], as_of: datetime) -> tuple[int, str]:
    """After how many batches a first fit can be made, from the planned number on; or why it never can."""
    unfit = ""
    for place, batch in enumerate(every):
        featurise(workspace, batch, as_of)
        known = batch.end + workspace.spec.outcome.maturity
        if place + 1 < plan.batches.first:
            continue
        try:
            split(labelled(workspace, known), workspace.spec, known)
            return place + 1, ""
        except PerennialError as error:
            unfit = unfit or str(error)
    return plan.batches.first, unfit
