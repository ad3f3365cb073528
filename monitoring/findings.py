"""A finding: what one look at a batch found, and what it asks for."""

from dataclasses import dataclass, field
from typing import Literal

Call = Literal["nothing", "watch", "recalibrate", "retrain", "roll back"]
CALLS: tuple[Call, ...] = ("nothing", "watch", "recalibrate", "retrain", "roll back")
"""What a finding may ask for, from the least to the weightiest."""
CHALLENGE: tuple[Call, ...] = ("recalibrate", "retrain")
"""Those that send a challenger to the gate."""
Source = Literal["performance", "drift", "estimates", "schedule"]
"""What a finding is of: `monitoring.opened_by` says which may open a retraining."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a batch found: what it asks for, the reason in words, and its numbers.

    It says of `old_misleads` why what was learnt before would rather mislead: an abrupt change of the
    concept, or another schema. A retraining is then from nothing.
    """

    call: Call
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)
    old_misleads: str | None = None
    source: Source = "performance"
