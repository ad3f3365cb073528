"""Due: what is to be done for the batches of a project at an instant, each thing in its turn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from core.batches import Batch
from core.ledger import Snapshot
from models.registry.snapshot import Snapshot as RegistrySnapshot
from monitoring.retraining.requests import Request
from stages import score
from stages.champion.retraining import called_for, requests_of
from stages.data.retained import FEATURES, PREDICTIONS, is_gone
from stages.events import Event, events
from stages.monitoring import monitor
from stages.monitoring.monitor import Judged
from stages.workspace import Workspace


def due(workspace: Workspace, as_of: datetime) -> Iterator[Event]:
    """What is due at `as_of`, in order of time; the next is looked for once the one before was done.

    Nothing is due beyond a judgement that waits for its retraining, so that a history that is caught up
    with after an outage ends in the same tables as one that was lived through on time. What was made
    from rows that have changed since is due again. Who leaves one undone must not go on to the next.
    """
    now = _Now.of(workspace)
    for event in events(workspace, as_of):
        if not now.is_due(event):
            continue
        if now.request and now.request.holds and now.request.as_of < event[0]:
            return
        yield event
        now = _Now.of(workspace)


def unripe(workspace: Workspace, as_of: datetime) -> list[Batch]:
    """The scored batches that nothing is known of yet, and whose outcomes are not all in at `as_of`."""
    scored, judged = workspace.ledger.results("score"), workspace.ledger.results("monitor")
    return [
        batch
        for batch in workspace.batches(as_of)
        if batch.end + workspace.spec.outcome.maturity > as_of
        and scored.get(batch.id, {}).get("rows")
        and judged.get(batch.id, {}).get("version") != scored[batch.id]["version"]
    ]


@dataclass(frozen=True, slots=True)
class _Now:
    """How a project stands: the workspace with its ledger as of now, and what was asked for."""

    workspace: Workspace
    request: Request | None
    asked: frozenset[tuple[str, datetime, str, str]]

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        there = requests_of(workspace).all()
        asked = {ask.key for request in there for ask in request.asks}
        request = next((each for each in there if each.is_unsettled), None)
        ledger, registry = Snapshot(workspace.ledger), RegistrySnapshot(workspace.registry)
        return cls(replace(workspace, ledger=ledger, registry=registry), request, frozenset(asked))

    def is_due(self, event: Event) -> bool:
        instant, happens, batch = event
        if is_gone(self.workspace, batch, FEATURES, PREDICTIONS):
            return False
        scored = self.workspace.ledger.result("score", batch.id)
        if happens == "score":
            return self._to_score(batch, scored)
        return self._to_judge(batch, instant, scored)

    def _to_score(self, batch: Batch, scored: Mapping[str, Any] | None) -> bool:
        release = self.workspace.serving(batch.end)
        if release is None:
            return False
        made_from = score.made_from_of(self.workspace, batch, release)
        return scored is None or scored["fingerprint"] != made_from

    def _to_judge(self, batch: Batch, instant: datetime, scored: Mapping[str, Any] | None) -> bool:
        judged = None
        if scored and scored["rows"]:
            judged = self.workspace.ledger.result("monitor", batch.id)
            if judged is None or judged["fingerprint"] != monitor.made_from_of(
                self.workspace, batch, instant
            ):
                return True
        found = called_for(self.workspace, batch, instant, Judged(**judged) if judged else None)
        return found is not None and found.key not in self.asked
