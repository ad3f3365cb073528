"""The plan of a replay, written down before it begins: what is lived through, by whom, on which tables."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from core.ledger import fingerprint
from core.settings import Settings
from replay.policies import Policy
from reports.pages import write
from stages.events import events
from stages.lineage import packages, revision
from stages.workspace import Workspace

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay of `project` up to `as_of`, in a folder of its own.

    `tables` are the versions of the project's tables that every history reads, `policies` what each
    history's spec changes, and `made_from` stands for all that comes of it.
    """

    project: str
    as_of: datetime
    tables: Mapping[str, int]
    policies: Mapping[str, Mapping[str, Any]]
    made_from: str

    def write(self, folder: Path) -> None:
        """Write it down in a folder, in place of what an earlier plan has left there."""
        shutil.rmtree(folder, ignore_errors=True)
        document = {
            "project": self.project,
            "as_of": self.as_of.isoformat(),
            "tables": dict(self.tables),
            "policies": {name: dict(changes) for name, changes in self.policies.items()},
            "made_from": self.made_from,
        }
        write(folder / PLAN, json.dumps(document, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The plan of a folder; None where there is none."""
        path = folder / PLAN
        if not path.is_file():
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**document, "as_of": datetime.fromisoformat(document["as_of"])})


def folder_of(settings: Settings, project: str, name: str) -> Path:
    """Where a replay of this name keeps all that is its own."""
    return settings.home / "replays" / project / name


def plan_of(workspace: Workspace, policies: Sequence[Policy], as_of: datetime) -> Plan:
    """The plan to live through what the lake has of a project by now, once for each policy.

    It is made from the same as another until something more has happened: at which instant one looks
    is all the same.
    """
    spec, ledger = workspace.spec, workspace.ledger
    tables = ["features", "outcomes", *(f"raw/{name}" for name in spec.datasets), "profiles"]
    built = ledger.results("features")
    contents = {
        batch.id: built[batch.id]["content"] for batch in workspace.batches(as_of) if batch.id in built
    }
    changes = {policy.name: policy.changes for policy in policies}
    return Plan(
        project=workspace.project.name,
        as_of=as_of,
        tables={name: workspace.lake.version(name) for name in tables if workspace.lake.exists(name)},
        policies=changes,
        made_from=fingerprint(
            spec.model_dump(mode="json"),
            list(spec.features),
            workspace.project.code,
            changes,
            contents,
            [(instant, what) for instant, what, _ in events(workspace, as_of)],
            revision(),
            packages(),
        ),
    )
