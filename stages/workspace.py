"""A project opened for work: its spec, its tables, what was finished, and its models."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from core.batches import Batch
from core.errors import SpecError
from core.lake import Lake
from core.ledger import Ledger
from core.projects import Project, load
from core.secrets import Secrets
from core.settings import Settings
from core.shared import Shared
from core.sources.manifest import Manifest
from core.sources.place import WHOLE
from core.spec import Spec
from core.words import nearest
from core.worlds import world_of
from models.registry.registry import Registry
from models.registry.releases import Release
from models.registry.versions import Version

__all__ = ["WHOLE", "Workspace", "is_over", "open_workspace"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything that a stage needs, opened by the process that runs it.

    Where a history is replayed, what it has in common with others is `shared`, and nobody is told of it:
    no card is written and no run is tracked. `called` is what flows and tasks open it by.
    """

    settings: Settings
    project: Project
    lake: Lake
    ledger: Ledger
    registry: Registry
    manifest: Manifest
    secrets: Secrets
    shared: Shared | None = None
    called: str = ""

    @property
    def spec(self) -> Spec:
        """The project's spec."""
        return self.project.spec

    @property
    def reports(self) -> Path:
        """The folder of this project's pages."""
        return self.settings.reports / self.project.name

    @property
    def whole(self) -> list[str]:
        """The datasets without an event time: they are ingested whole, and before the others."""
        return [name for name, rules in self.spec.datasets.items() if rules.event_time is None]

    @property
    def cut(self) -> list[str]:
        """The datasets that are cut into batches by their event time, the events last."""
        cut = [name for name, rules in self.spec.datasets.items() if rules.event_time is not None]
        return sorted(cut, key=lambda name: name == self.spec.events)

    def tables(self) -> dict[str, pl.LazyFrame]:
        """What was accepted of the datasets that are ingested whole, by name."""
        ingested = [name for name in self.whole if self.lake.exists(f"raw/{name}")]
        return {name: self.lake.scan(f"raw/{name}", [WHOLE]) for name in ingested}

    def content(self, dataset: str, subject: str) -> str | None:
        """What stands for the rows that were accepted of a batch; None before it was ingested."""
        done = self.ledger.result(f"ingest/{dataset}", subject)
        return done.get("content") if done else None

    def contents(self) -> dict[str, str | None]:
        """The content of each dataset that is ingested whole."""
        return {name: self.content(name, WHOLE) for name in self.whole}

    def batches(self, as_of: datetime, start: str | None = None, end: str | None = None) -> list[Batch]:
        """The batches from the id `start` to the id `end` that are over at `as_of`, in order of time.

        Raises SpecError when these name none, or none that is over.
        """
        named = self.spec.batches.calendar().batches(start, end)
        if start or end:
            is_over(named[0], as_of)
        return [batch for batch in named if batch.end <= as_of]

    def dataset(self, name: str | None) -> str:
        """The name of a dataset, by default that of the events; SpecError when there is none such."""
        if name is not None and name not in self.spec.datasets:
            raise SpecError(f"no dataset {name!r}{nearest(name, self.spec.datasets)}")
        return name or self.spec.events

    def batch(self, batch_id: str) -> Batch:
        """The batch of this id; SpecError when there is none such."""
        return self.spec.batches.calendar().batch(batch_id)

    def champion(self, as_of: datetime) -> Version | None:
        """The version that was champion at `as_of`, as the record of transitions has it."""
        crowned = [
            change.version
            for change in self.registry.transitions(self.project.name)
            if change.after == "champion" and change.at <= as_of
        ]
        return self.registry.version(crowned[-1]) if crowned else None

    def serving(self, instant: datetime) -> Release | None:
        """The release that was in force just before an instant: what came until then, its versions answer.

        A batch may be over, and scored, at the very instant at which another's outcomes crown a new one.
        """
        before = [each for each in self.registry.releases(self.project.name) if each.at < instant]
        return before[-1] if before else None


def open_workspace(
    project: str, settings: Settings | None = None, blocks: Callable[[str], str] | None = None
) -> Workspace:
    """Open a project by name, or `<project>@<world>` (see `core.worlds`).

    `blocks` looks up the secrets that its spec writes as `${block:…}`.

    Raises SpecError when the spec does not hold.
    """
    settings, (name, _, world) = settings or Settings(), project.partition("@")
    settings.home.mkdir(parents=True, exist_ok=True)
    loaded = load(name, settings)
    if world:
        settings, loaded = world_of(settings, name, world).enter(settings, loaded, world)
    return Workspace(
        settings,
        loaded,
        Lake(settings.lake, name),
        Ledger(settings.registry, name),
        Registry(settings.registry, settings.files),
        Manifest(settings.registry, name),
        Secrets(blocks),
        called=project,
    )


def is_over(batch: Batch, as_of: datetime) -> None:
    """Raise SpecError unless the batch has ended at `as_of`: what it holds is not known before."""
    if batch.end > as_of:
        raise SpecError(
            f"batch {batch} ends at {batch.end.isoformat()}, after as_of {as_of.isoformat()}: wait for it"
        )
