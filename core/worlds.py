"""Worlds: a project as it might be, with other settings, suites or deliveries, in a home of its own.

A flow that is given `<project>@<world>` in place of a project works in that world: what it ingests, makes
and decides is seen there alone, and nobody is alerted of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from core.changes import changed
from core.errors import SpecError
from core.projects import Project
from core.settings import Settings
from core.whole import whole

FILE = "world.json"
# What would reach people, or what serves them.
_SILENT: Mapping[str, Any] = {"alerts": None, "schedules": None}


@dataclass(frozen=True, slots=True)
class World:
    """What is other than in the project: `changes` to its spec, the folder of its `suites`, late labels.

    Its tables are its `own`, or else those of the project, which nothing there changes. The labels of
    events from the instant `since` to `until` are known so many seconds later (`late`). The `question` is
    what was asked for, as a person wrote it.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    suites: str | None = None
    late: float = 0.0
    since: str = ""
    until: str = ""
    own: bool = True
    question: str = field(default="", compare=False)  # in other words it is the same world

    def write(self, settings: Settings, project: str, name: str) -> None:
        """Write it down, for every process that is to work in it."""
        with whole(home_of(settings, project, name) / FILE) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2))

    def enter(self, settings: Settings, project: Project, name: str) -> tuple[Settings, Project]:
        """The settings and the project as they are there."""
        home = home_of(settings, project.name, name)
        own = {"home": home, "lake": str(home / "lake")}
        own |= {each: f"sqlite:///{home / each}.db" for each in ("registry", "online")}
        suites = {"suites": Path(self.suites)} if self.suites else {}
        spec = changed(project.spec, {**self.changes, **_SILENT}, f"world {name!r}")
        there = replace(project, spec=spec)
        if not self.own:
            return settings, there
        return settings.model_copy(update={**own, **suites}), self._late(there) if self.late else there

    def _late(self, project: Project) -> Project:
        """The project with labels that are known later: so its `prepare` says, or what is in its place."""
        rules, outcome = project.spec.datasets[project.spec.events], project.spec.outcome
        before = project.functions.get(rules.prepare or "", _as_they_are)
        since, until = (datetime.fromisoformat(each) for each in (self.since, self.until))
        late = pl.col(rules.event_time or "").is_between(since, until, closed="left")

        def prepare(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
            later = pl.col(outcome.known_at) + pl.duration(seconds=self.late)
            return before(frame, tables).with_columns(  # type: ignore[no-any-return]
                pl.when(late).then(later).otherwise(outcome.known_at).alias(outcome.known_at)
            )

        named = rules.prepare or "late_labels"
        return replace(
            project,
            spec=changed(
                project.spec, {"datasets": {project.spec.events: {"prepare": named}}}, "late labels"
            ),
            functions={**project.functions, named: prepare},
            code=f"{project.code}\n# {self.late} {self.since} {self.until}",
        )


def _as_they_are(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    return frame


def world_of(settings: Settings, project: str, name: str) -> World:
    """The world of this name; SpecError where there is none."""
    path = home_of(settings, project, name) / FILE
    if not path.is_file():
        raise SpecError(f"project {project!r} has no world {name!r}: {path} is missing")
    return World(**json.loads(path.read_text(encoding="utf-8")))


def home_of(settings: Settings, project: str, name: str) -> Path:
    """The home of a world."""
    return settings.home / "replays" / project / name / "world"
