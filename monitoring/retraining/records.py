"""Requests for a retraining as the registry's database keeps them: their tables, and their rows as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, MetaData, Row, String, Table, Text

from core.database import Instant
from monitoring.actions import Act

State = Literal["open", "running", "done", "failed", "skipped"]
"""What has become of a request; `open` and `running` ones are unsettled."""

metadata = MetaData()

requests = Table(
    "retraining_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String(100), nullable=False),
    Column("action", String(20), nullable=False),
    Column("batch", String(40), nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("stands_at", Instant, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("failures", Integer, nullable=False, default=0),
    Column("next_attempt_at", Instant),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("outcome", String(20), nullable=False, default=""),
    Column("version", String(120), nullable=False, default=""),
    Column("why", Text, nullable=False, default=""),
    Column("runs", JSON, nullable=False, default=list),
)

unsettled = requests.c.state.in_(["open", "running"])
Index("one_unsettled", requests.c.project, unique=True, sqlite_where=unsettled, postgresql_where=unsettled)

asks = Table(
    "retraining_asks",
    metadata,
    Column("project", String(100), primary_key=True),
    Column("batch", String(40), primary_key=True),
    Column("as_of", Instant, primary_key=True),
    Column("action", String(20), primary_key=True),
    Column("basis", String(64), primary_key=True),
    Column("request", Integer, ForeignKey(requests.c.id), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("run", String(40), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a drift check asks for, of what batch, at what instant, and why; `run` is its flow run, if any.

    Where `basis` differs, which stands for what would be learnt from, it is not the same asked again.
    """

    batch: str
    as_of: datetime
    action: Act
    reasons: Sequence[str] = ()
    numbers: Mapping[str, float | None] = field(default_factory=lambda: MappingProxyType({}))
    run: str = ""
    basis: str = ""

    @property
    def key(self) -> tuple[str, datetime, str, str]:
        """What makes two of them the same."""
        return self.batch, self.as_of, self.action, self.basis


@dataclass(frozen=True, slots=True)
class Request:
    """A retraining that was asked for, and what has become of it.

    `asks` are those that it answers, the one that opened it first. An attempt stands at `stands_at`, is
    made from `next_attempt_at` on, and is one of the flow runs `runs`; all of them took `seconds`.
    `outcome` (promoted, refused, unfit …) is of `version`; `why` says why it was skipped or failed.
    """

    id: int
    project: str
    action: Act
    batch: str
    as_of: datetime
    stands_at: datetime
    state: State
    attempts: int
    failures: int
    next_attempt_at: datetime | None
    seconds: float
    outcome: str
    version: str
    why: str
    runs: Sequence[str]
    asks: Sequence[Ask]

    @property
    def is_unsettled(self) -> bool:
        """Whether it is open or running."""
        return self.state in ("open", "running")

    @property
    def holds(self) -> bool:
        """Whether scoring waits for it: until an attempt has failed, or two were killed."""
        return self.is_unsettled and self.failures == 0 and self.attempts <= 2


def request_of(row: Row[Any], of: Sequence[Ask]) -> Request:
    """A row of requests, with the asks that it answers."""
    return Request(**{**row._mapping, "runs": tuple(row.runs), "asks": tuple(of)})


def ask_of(row: Row[Any]) -> Ask:
    """A row of asks."""
    return Ask(row.batch, row.as_of, row.action, tuple(row.reasons), row.numbers, row.run, row.basis)
