"""Alarms: whether a retraining was needed when one was called for, and how long a need lasted.

A need is known in hindsight: the fit that was freshest at that instant, expanding and from nothing, surely
lost less on the next batch than the version that served, by the gain that the gate is there to see.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.batches import Batch
from models.registry.versions import Version
from replay.days import Days, is_above
from replay.lived import Lived
from replay.outcomes import outcome_of
from stages.workspace import Workspace

Alarm = Literal["true", "false", "missed"]


@dataclass(frozen=True, slots=True)
class Alarms:
    """By batch what was said of it (None where all was well, or the next batch is not known)."""

    by_batch: tuple[Alarm | None, ...]
    needs: tuple[bool | None, ...]

    def count(self, kind: Alarm) -> int:
        """How many there are of a kind."""
        return self.by_batch.count(kind)

    @property
    def to_mend(self) -> float | None:
        """How many batches a need lasted, on average, until the version that served was mended.

        >>> Alarms((), (False, True, True, False, True)).to_mend
        1.5
        """
        runs, run = list[int](), 0
        for need in (*self.needs, False):
            run, ended = (run + 1, 0) if need else (0, run)
            runs += [ended] if ended else []
        return sum(runs) / len(runs) if runs else None


def alarms(of: tuple[Workspace, Lived], freshest: tuple[Workspace, Lived], as_of: datetime) -> Alarms:
    """Hold the decisions of a history against the challengers of the one that has one after every batch."""
    workspace, lived = of
    fresh = {step.batch.id: step.attempt.version for step in freshest[1].steps if step.attempt}
    said, needs = list[Alarm | None](), list[bool | None]()
    for step, following in zip(lived.steps, [*lived.steps[1:], None], strict=False):
        version = fresh.get(step.batch.id) if following else None
        need = None
        if following and version:
            need = _is_needed(workspace, following.batch, step.version, (freshest[0], version), as_of)
        needs.append(need)
        said.append(None if need is None else _called(step.alarms, need))
    return Alarms(tuple(said), tuple(needs))


def _is_needed(
    workspace: Workspace, batch: Batch, served: Version, fresh: tuple[Workspace, Version], as_of: datetime
) -> bool | None:
    """Whether the freshest fit surely loses less on a batch than the one that served before it.

    None where no label of it is known.
    """
    theirs = outcome_of(workspace, batch, served, as_of)
    if not theirs.days:
        return None
    ours = outcome_of(fresh[0], batch, fresh[1], as_of)
    days = Days.of([theirs], workspace.spec.training.seed)
    gain = days.mean(days.sums([theirs]) - days.sums([ours]))
    return is_above(gain) and gain.value >= workspace.spec.gate.gain


def _called(alarm: bool, need: bool) -> Alarm | None:
    if alarm:
        return "true" if need else "false"
    return "missed" if need else None
