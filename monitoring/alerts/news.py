"""News: what a run tells of a project, by kind, and how grave each kind is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.operating import Severity

Kind = Literal[
    "batch stopped",
    "decision",
    "retraining opened",
    "promoted",
    "refused",
    "released",
    "rolled back",
    "release rolled back",
    "service",
    "failed",
    "housekeeping failed",
]
SEVERITY: dict[Kind, Severity] = {
    "batch stopped": "critical",  # its rows are not scored, nor learnt from, until a person acts
    "decision": "warning",  # the model is, or may be, worse than it was; to watch it is `info`
    "retraining opened": "info",  # all as it should be
    "promoted": "info",
    "released": "info",
    "refused": "warning",  # what called for the retraining goes on
    "rolled back": "critical",  # what serves is not what the gate let through last
    "release rolled back": "critical",  # what the gate let through does worse on what it was asked
    "service": "critical",  # it answers, but not as it should, or nothing is put on record
    "failed": "critical",  # what a project lives on has not been done
    "housekeeping failed": "warning",  # nothing stands still, but the disk fills up
}
"""How grave each kind is, and so which routes it takes."""
EVENTS: frozenset[Kind] = frozenset(
    {"retraining opened", "promoted", "refused", "released", "rolled back", "release rolled back"}
)
"""What happens at an instant: told once, and over at once. The other kinds last until they end."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened, or that is so: `subject` says about what, such as a batch or a version."""

    kind: Kind
    subject: str
    title: str
    reasons: tuple[str, ...]
    link: str
    as_of: datetime
    severity: Severity | None = None

    @property
    def gravity(self) -> Severity:
        """That of its kind, where it has none of its own."""
        return self.severity or SEVERITY[self.kind]


@dataclass(frozen=True, slots=True)
class Over:
    """That a condition has ended: of one subject or, without any, of all."""

    kind: Kind
    subject: str | None
    as_of: datetime
