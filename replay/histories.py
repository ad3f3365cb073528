"""The histories of a replay: planned once, and opened by whoever works at them."""

from dataclasses import replace
from datetime import datetime

from core.ledger import Snapshot
from core.settings import Settings
from models.registry.snapshot import Snapshot as RegistrySnapshot
from replay.history import history
from replay.plan import Plan, folder_of, plan_of
from replay.policies import policies_of, wanted
from stages.workspace import Workspace, open_workspace


def plan(
    settings: Settings, project: str, as_of: datetime, only: str | None = None, start: str | None = None
) -> Plan:
    """Write down what is lived through, and make its histories; `only` names some policies.

    What was begun from the same goes on, for each policy by itself; from other data, settings or code all
    begins anew.
    """
    workspace, folder = open_workspace(project, settings), folder_of(settings, project)
    found = plan_of(workspace, wanted(policies_of(workspace.spec, start), only), as_of, start)
    before = Plan.find(folder)
    if before is not None and before.made_from == found.made_from:
        found = replace(found, as_of=before.as_of, tables=before.tables)
    found.write(folder)
    for policy in found.policies:
        history(settings, folder, found, policy)
    return found


def histories(settings: Settings, project: str) -> dict[str, Workspace]:
    """Every history of a replay that was planned, by policy, as it stands: to be read, and not lived through.

    PerennialError where none was planned.
    """
    folder = folder_of(settings, project)
    found = Plan.read(folder)
    return {policy: _standing(history(settings, folder, found, policy)) for policy in found.policies}


def _standing(workspace: Workspace) -> Workspace:
    """A history that reads once what is asked of it about many batches."""
    ledger, registry = Snapshot(workspace.ledger), RegistrySnapshot(workspace.registry)
    return replace(workspace, ledger=ledger, registry=registry)
