"""A history: one policy's own registry, ledger and tables, on the tables that all of a replay read."""

from dataclasses import replace
from pathlib import Path

from core.branch import Branch
from core.changes import changed
from core.ledger import Ledger, fingerprint
from core.settings import Settings
from core.shared import Shared
from core.sources.manifest import Manifest
from models.registry.registry import Registry
from replay.plan import Plan
from stages.workspace import Workspace, open_workspace

# What was done with a model in the project itself, and is lived through anew.
_ANEW = {
    "drift report",
    "holdout",
    "lifecycle",
    "monitor",
    "profile/predictions",
    "score",
    "trial",
    "tune",
    "expire/predictions",
}


def history(settings: Settings, folder: Path, plan: Plan, policy: str) -> Workspace:
    """Open the history of a policy: a project of its own that reads the tables of the plan.

    It is made on the first call; opened again it is as it was left. Model files and all that several
    histories have in common are kept once for the whole replay.
    """
    project = open_workspace(plan.project, settings)
    name, place = project.project.name, place_of(folder, plan, policy)
    own = project.settings.model_copy(
        update={"home": place, "lake": str(place / "lake"), "registry": registry_of(folder, plan, policy)}
    )
    since = {"batches": {"start": plan.since}} if plan.since else {}
    spec = changed(project.spec, {**plan.policies[policy], **since}, f"policy {policy!r}")
    ledger = Ledger(own.registry, name)
    ledger.adopt(project.ledger, without=_ANEW)
    registry = Registry(own.registry, folder / "models")
    if (serves := plan.serves.get(policy)) and not registry.versions(name):
        _crown(registry, project, serves)
    return replace(
        project,
        settings=own,
        project=replace(project.project, spec=spec),
        lake=Branch(own.lake, name, project.lake, plan.tables),
        ledger=ledger,
        registry=registry,
        manifest=Manifest(own.registry, name),
        shared=Shared(folder / "shared"),
    )


def _crown(registry: Registry, project: Workspace, serves: str) -> None:
    """Make a version of the project the champion of a history, from the instant at which it was made."""
    version = registry.adopt(project.registry.version(serves), project.registry)
    why = f"{serves} serves by itself"
    registry.promote(version, over=None, why=why, evidence={}, at=version.lineage.as_of, by="replay")


def registry_of(folder: Path, plan: Plan, policy: str) -> str:
    """The URL of the database that a policy's history has its registry and its ledger in."""
    return f"sqlite:///{place_of(folder, plan, policy) / 'registry.db'}"


def place_of(folder: Path, plan: Plan, policy: str) -> Path:
    """The folder of a policy's history: its name as far as a path can hold it, and a hash of what it says."""
    plain = "".join(each if each.isalnum() else "-" for each in policy.lower())[:40]
    told = fingerprint(policy, plan.policies.get(policy), plan.serves.get(policy))
    return folder / "histories" / f"{plain}-{told[:8]}"
