"""Ungated: what each challenger would have lost on the batch after it, had no gate stood before it."""

from collections.abc import Mapping
from datetime import datetime

from replay.lived import Lived
from replay.outcomes import Outcome, outcome_of
from replay.policies import REFERENCE, SLIDING
from stages.workspace import Workspace

UNGATED = {name: f"{name}, without the gate" for name in (REFERENCE, SLIDING)}
"""What the histories are called in which every challenger serves, by the policy that made them."""


def ungated(of: Mapping[str, tuple[Workspace, Lived]], as_of: datetime) -> dict[str, list[Outcome]]:
    """What the newest challenger lost, batch by batch, by policy that has one after every batch."""
    return {UNGATED[name]: _outcomes(*each, as_of) for name, each in of.items() if name in UNGATED}


def _outcomes(workspace: Workspace, lived: Lived, as_of: datetime) -> list[Outcome]:
    found: list[Outcome] = []
    newest = None
    for step in lived.steps:
        found.append(outcome_of(workspace, step.batch, newest or step.version, as_of))
        newest = step.attempt.version if step.attempt else newest
    return found
