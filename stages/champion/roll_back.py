"""Roll back: the version before the champion serves again, where it surely does better."""

from datetime import datetime

from core.errors import PerennialError
from models.registry.versions import Transition, Version
from stages.models.cards import write_card
from stages.monitoring.earlier import compared, succeeding
from stages.workspace import Workspace

BY = "monitor"


def roll_back(workspace: Workspace, as_of: datetime) -> Version:
    """Make the version before the champion of `as_of` the champion again, with the evidence on record.

    Asked again about the same instant it answers from the record. PerennialError where the rows do not
    show that the earlier version is surely better; IntegrityError where another is champion by now.
    """
    if done := rolled_back(workspace).get(as_of):
        return workspace.registry.version(done.version)
    line, found = succeeding(workspace, as_of), compared(workspace, as_of)
    if found is None or found.call != "roll back":
        why = found.reason if found else "there is no version before the champion that can be compared"
        raise PerennialError(f"{workspace.project.name} is not rolled back: {why}")
    restored = workspace.registry.rollback(
        workspace.project.name,
        to=line[-2],
        over=line[-1],
        why=found.reason,
        evidence={"comparison": found.numbers},
        at=as_of,
        by=BY,
    )
    for version in (line[-1].id, restored.id):
        write_card(workspace, workspace.registry.version(version))
    return restored


def rolled_back(workspace: Workspace) -> dict[datetime, Transition]:
    """What was restored by this, and why, by the instant at which it was."""
    return {
        change.at: change
        for change in workspace.registry.transitions(workspace.project.name)
        if change.action == "rollback" and change.after == "champion" and change.by == BY
    }
