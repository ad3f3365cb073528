"""A project opened for work: its spec, its tables, what was finished, and its models."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.batches import Batch
from core.errors import SpecError
from core.lake import Lake
from core.ledger import Ledger
from core.projects import Project, load
from core.settings import Settings
from core.spec import Spec
from models.registry import Registry
from models.versions import Version

WHOLE = "whole"  # the one batch of a dataset that is not cut into batches


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything that a stage needs, opened by the process that runs it."""

    settings: Settings
    project: Project
    lake: Lake
    ledger: Ledger
    registry: Registry

    @property
    def spec(self) -> Spec:
        """The project's spec."""
        return self.project.spec

    @property
    def reports(self) -> Path:
        """The folder of this project's pages."""
        return self.settings.reports / self.project.name

    def batches(self, as_of: datetime, start: str | None = None, end: str | None = None) -> list[Batch]:
        """The batches from the id `start` to the id `end` that are over at `as_of`, in order of time."""
        return [batch for batch in self.spec.batches.calendar().batches(start, end) if batch.end <= as_of]

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


def open_workspace(project: str, settings: Settings | None = None) -> Workspace:
    """Open a project by name; SpecError when its spec does not hold."""
    settings = settings or Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    loaded = load(project, settings)
    return Workspace(
        settings,
        loaded,
        Lake(settings.lake, project),
        Ledger(settings.registry, project),
        Registry(settings.registry, settings.files),
    )


def is_over(batch: Batch, as_of: datetime) -> None:
    """Raise SpecError unless the batch has ended at `as_of`: what it holds is not known before."""
    if batch.end > as_of:
        raise SpecError(
            f"batch {batch} ends at {batch.end.isoformat()}, after as_of {as_of.isoformat()}: wait for it"
        )
