"""The plan of a replay, written down before it begins: what is lived through, by whom, on which tables."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from filelock import FileLock, Timeout

from core.errors import PerennialError
from core.ledger import fingerprint
from core.settings import Settings
from core.spec import Spec
from replay.policies import Policy
from reports.pages import write
from stages.events import events
from stages.models.lineage import code, packages
from stages.workspace import Workspace

PLAN = "plan.json"
NAME = "policies"  # of the replay of the project as it is


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay of `project` up to `as_of`, in a folder of its own.

    `tables` are the versions of the project's tables that every history reads, `policies` what each
    history's spec changes, `serves` the versions that answer all by themselves in some of them. The
    histories begin on the day `since` (of the project's time zone), or with the project where that is "".
    `made_from` stands for all that comes of a policy, whichever others there are.
    """

    project: str
    as_of: datetime
    tables: Mapping[str, int]
    policies: Mapping[str, Mapping[str, Any]]
    serves: Mapping[str, str]
    since: str
    made_from: str

    def write(self, folder: Path) -> None:
        """Write it down in a folder; what is there of one that was made from other things goes."""
        before = self.find(folder)
        if before is None or before.made_from != self.made_from:
            shutil.rmtree(folder, ignore_errors=True)
        document = {
            "project": self.project,
            "as_of": self.as_of.isoformat(),
            "tables": dict(self.tables),
            "policies": {name: dict(changes) for name, changes in self.policies.items()},
            "serves": dict(self.serves),
            "since": self.since,
            "made_from": self.made_from,
        }
        write(folder / PLAN, json.dumps(document, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The plan of a folder; PerennialError where there is none."""
        if (found := cls.find(folder)) is None:
            raise PerennialError(f"{folder} has no {PLAN}: call make replay")
        return found

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The plan of a folder; None where there is none."""
        path = folder / PLAN
        if not path.is_file():
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**document, "as_of": datetime.fromisoformat(document["as_of"])})


def folder_of(settings: Settings, project: str) -> Path:
    """Where the replay of a project, or of one in a world (`<project>@<world>`), keeps what is its own."""
    name, _, world = project.partition("@")
    return settings.home / "replays" / name / (world or NAME) / "replay"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a replay's folder, which another would begin anew; PerennialError where it is held."""
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PerennialError(f"another replay is at work in {folder}: wait for it, or stop it") from None
    try:
        yield
    finally:
        lock.release()


def plan_of(
    workspace: Workspace, policies: Sequence[Policy], as_of: datetime, start: str | None = None
) -> Plan:
    """The plan to live through what the lake has of a project by now, once for each policy.

    The histories begin with the batch `start`, or a day in it; SpecError where there is none such. A plan is
    made from the same as another until something more has happened: at which instant one looks is all the
    same.
    """
    spec, ledger = workspace.spec, workspace.ledger
    tables = ["features", "outcomes", *(f"raw/{name}" for name in spec.datasets), "profiles"]
    built = ledger.results("features")
    contents = {
        batch.id: built[batch.id]["content"] for batch in workspace.batches(as_of) if batch.id in built
    }
    since = _since(spec, start) if start else ""
    return Plan(
        project=workspace.called,
        as_of=as_of,
        tables={name: workspace.lake.version(name) for name in tables if workspace.lake.exists(name)},
        policies={policy.name: policy.changes for policy in policies},
        serves={policy.name: policy.serves for policy in policies if policy.serves},
        since=since,
        made_from=fingerprint(
            since,
            spec.model_dump(mode="json", exclude={"replay"}),
            list(spec.features),
            workspace.project.code,
            contents,
            [(instant, what) for instant, what, _ in events(workspace, as_of)],
            code(),
            packages(),
        ),
    )


def _since(spec: Spec, start: str) -> str:
    """The first day of a batch, by the clocks of the project."""
    first = spec.batches.calendar().batches(start)[0]
    return first.start.astimezone(ZoneInfo(spec.batches.timezone)).date().isoformat()
