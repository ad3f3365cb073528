"""The last judgement: what monitoring said of the newest batch, as a worker knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.database import require_there
from core.errors import PerennialError
from core.ledger import Ledger

EVERY = 30.0  # seconds between two looks: batches are judged far less often


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of a batch, and decided.

    `drift` is the drift of each feature, None where it could not be measured; `drifted` names those beyond
    their thresholds. Before all outcomes are due it is not `final`.
    """

    batch: str
    version: str
    as_of: str
    final: bool
    decision: str
    reasons: list[str]
    drifted: list[str]
    drift: Mapping[str, float | None] = field(repr=False)
    prediction_drift: float | None

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> "Judgement":
        """As the ledger has it, which tells more."""
        return cls(**{each.name: result[each.name] for each in fields(cls)})


class LastJudgement:
    """The judgement of the newest batch, looked for again and again; while the ledger is lost, the last."""

    def __init__(self, url: str, project: str) -> None:
        """`url` is that of the registry's database, in which the ledger lies."""
        self._url, self._project = url, project
        self._ledger: Ledger | None = None
        self._due = 0.0
        self.newest: Judgement | None = None

    @property
    def drift(self) -> Mapping[str, float | None]:
        """The drift of each feature."""
        return self.newest.drift if self.newest else {}

    def look(self) -> bool:
        """Look for another judgement, if it is time to, and say whether there is one; nothing is raised."""
        if monotonic() < self._due:
            return False
        self._due = monotonic() + EVERY
        try:
            require_there(self._url)
            self._ledger = self._ledger or Ledger(self._url, self._project)
            found = self._ledger.last("monitor")
        except (PerennialError, SQLAlchemyError, OSError):
            return False
        judged = Judgement.of(found) if found else None
        if judged == self.newest:
            return False
        self.newest = judged
        return True
