"""Histories written by hand, of which every sum is known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.batches import Batch
from core.ledger import fingerprint
from core.shared import Shared
from models.registry.versions import Lineage, Version
from replay.lived import Attempt, Lived, Step
from replay.outcomes import Outcome

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
BEGIN = datetime(2013, 1, 1, tzinfo=UTC)


def batch(place: int) -> Batch:
    """The batch of thirty days at this place, from 0."""
    start = BEGIN + place * timedelta(days=30)
    return Batch(start, start + timedelta(days=30), f"b{place}")


def version(number: int, as_of: datetime = BEGIN, name: str = "v") -> Version:
    """A version whose one file stands for itself."""
    made = Lineage({}, (), as_of, "", "", {}, 0, as_of)
    return Version("shop", number, "linear", "challenger", {"native/a": f"{name}{number}"}, {}, made)


def outcome(*losses: float, units: int = 10, cost: Sequence[float] | None = None, first: int = 0) -> Outcome:
    """A loss a day, from the day `first` on, each of so many rows."""
    days = tuple(range(first, first + len(losses)))
    return Outcome(days, (units,) * len(days), tuple(losses), None if cost is None else tuple(cost))


def lived(
    outcomes: Sequence[Outcome], decisions: Sequence[str] = (), seconds: Sequence[float] = (), name: str = "x"
) -> Lived:
    """A history of these outcomes, a batch each, whose version never changed."""
    said = [*decisions, *["nothing"] * (len(outcomes) - len(decisions))]
    steps = [
        Step(batch(place), version(1), each, said[place], {}, None) for place, each in enumerate(outcomes)
    ]
    attempts = tuple(Attempt(version(2), "refused", "retrain stateless", each) for each in seconds)
    return Lived(name, tuple(steps), None, attempts)


def measured(root: Path, outcomes: Mapping[tuple[str, str], Outcome], gain: float = 0.01) -> Any:
    """A workspace in which the outcomes of (a file, a batch) are on record, as of `AS_OF`."""
    shared = Shared(root)
    for (file, of), kept in outcomes.items():
        made_from = fingerprint({"native/a": file}, of, None, AS_OF)
        shared.once("outcomes", made_from, lambda kept=kept: asdict(kept))
    spec = SimpleNamespace(training=SimpleNamespace(seed=1), gate=SimpleNamespace(gain=gain))
    return SimpleNamespace(shared=shared, ledger=SimpleNamespace(result=lambda *_: None), spec=spec)
