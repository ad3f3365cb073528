"""Events: what happens to the batches of a project, in order of time."""

from datetime import datetime
from typing import Literal

from core.batches import Batch
from stages.workspace import Workspace

Event = tuple[datetime, Literal["score", "monitor"], Batch]


def events(workspace: Workspace, as_of: datetime) -> list[Event]:
    """What happens up to `as_of`: a batch is scored when it is over, judged when its outcomes are in."""
    ready = workspace.ledger.results("features")
    batches = [batch for batch in workspace.batches(as_of) if batch.id in ready]
    maturity = workspace.spec.outcome.maturity
    scored: list[Event] = [(batch.end, "score", batch) for batch in batches]
    judged: list[Event] = [(batch.end + maturity, "monitor", batch) for batch in batches]
    past = [event for event in scored + judged if event[0] <= as_of]
    return sorted(past, key=lambda event: (event[0], event[1] == "monitor", event[2]))
