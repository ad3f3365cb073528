"""Lived: a history as it was lived through, batch by batch, with what its answers lost."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.batches import Batch
from models.registry.versions import Version
from replay.live import SPENT
from replay.outcomes import Outcome, outcome_of
from stages.champion.retraining import ACTS
from stages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a retraining: its challenger, or the version that serves again, and what it took."""

    version: Version
    outcome: str
    action: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """A batch as a history went through it: who answered it, what that lost, and what was decided then."""

    batch: Batch
    version: Version
    outcome: Outcome
    decision: str | None
    measures: Mapping[str, float | None]
    attempt: Attempt | None = None

    @property
    def alarms(self) -> bool:
        """Whether something was to be done about the version."""
        return self.decision in ACTS


@dataclass(frozen=True, slots=True)
class Lived:
    """A policy's history. `begun` are the attempts up to the one that gave it its first champion."""

    policy: str
    steps: tuple[Step, ...]
    begun: tuple[Attempt, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def outcomes(self) -> list[Outcome]:
        """What it lost, batch by batch."""
        return [step.outcome for step in self.steps]

    @property
    def seconds(self) -> float:
        """What its retrainings took, but for the first training, which every history has."""
        return sum(each.seconds for each in self.attempts)

    def among(self, batches: Collection[str]) -> "Lived":
        """The history as far as it is of these batches."""
        return replace(self, steps=tuple(step for step in self.steps if step.batch.id in batches))

    def challengers(self) -> list[Version]:
        """Every version that met the gate, or serves."""
        made = [each.version for each in (*self.begun, *self.attempts)]
        return list({each.id: each for each in (*made, *(step.version for step in self.steps))}.values())


def lived(workspace: Workspace, policy: str, as_of: datetime) -> Lived:
    """Read a history that was lived through up to `as_of`, and measure what it lost."""
    scored, judged = workspace.ledger.results("score"), workspace.ledger.results("monitor")
    attempts = {
        facts["batch"]: _attempt(workspace, facts) for facts in workspace.ledger.results(SPENT).values()
    }
    steps = []
    for batch in workspace.batches(as_of):
        if not (done := scored.get(batch.id)) or not done["rows"] or batch.end > as_of:
            continue
        version, known = workspace.registry.version(done["version"]), judged.get(batch.id, {})
        steps.append(
            Step(
                batch=batch,
                version=version,
                outcome=outcome_of(workspace, batch, version, as_of),
                decision=known.get("decision"),
                measures=known.get("measures", {}),
                attempt=attempts.get(batch.id),
            )
        )
    made = list(attempts.values())
    first = next((place for place, each in enumerate(made, start=1) if each.outcome == "promoted"), len(made))
    return Lived(policy, tuple(steps), tuple(made[:first]), tuple(made[first:]))


def _attempt(workspace: Workspace, facts: Mapping[str, Any]) -> Attempt:
    version = workspace.registry.version(facts["version"])
    return Attempt(version, facts["outcome"], facts["action"], facts["seconds"])
