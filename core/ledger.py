"""The ledger: which step was finished for which batch, from what, and with what result."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Engine, String, create_engine, delete, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


def fingerprint(*parts: object) -> str:
    """A hash of what a step is made from; equal parts give equal hashes.

    >>> fingerprint("features", {"b": 1, "a": 2}) == fingerprint("features", {"a": 2, "b": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class _Base(DeclarativeBase):
    pass


class _Step(_Base):
    __tablename__ = "steps"

    project: Mapped[str] = mapped_column(String(128), primary_key=True)
    step: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    as_of: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def connect(url: str) -> Engine:
    """An engine for this database; SQLite waits for other writers instead of failing."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


class Ledger:
    """Finished steps of one project: `(step, subject)` → the fingerprint of its inputs, its result.

    A step whose inputs have the fingerprint that is on record need not run again. A step is
    recorded after its tables are committed: a kill between the two repeats the step, and since
    writes replace, ends in the same tables.
    """

    def __init__(self, url: str, project: str) -> None:
        self._project = project
        self._engine = connect(url)
        _Base.metadata.create_all(self._engine)

    def finished(self, step: str, subject: str, made_from: str) -> dict[str, Any] | None:
        """The recorded result, if the step was finished from exactly these inputs."""
        with Session(self._engine) as session:
            row = session.get(_Step, (self._project, step, subject))
            return dict(row.result) if row is not None and row.fingerprint == made_from else None

    def record(self, step: str, subject: str, made_from: str, result: Mapping[str, Any], as_of: datetime) -> None:
        """Put a finished step on record, in place of an earlier one of the same subject."""
        row = _Step(
            project=self._project,
            step=step,
            subject=subject,
            fingerprint=made_from,
            result=dict(result),
            as_of=as_of.astimezone(UTC),
        )
        with Session(self._engine) as session, session.begin():
            session.merge(row)

    def results(self, step: str) -> dict[str, dict[str, Any]]:
        """The recorded results of a step, by subject, in the order of the subjects."""
        with Session(self._engine) as session:
            query = select(_Step).where(_Step.project == self._project, _Step.step == step).order_by(_Step.subject)
            return {row.subject: dict(row.result) for row in session.scalars(query)}

    def forget(self, step: str, subject: str) -> None:
        """Take a step off the record, so that it runs again."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                delete(_Step).where(_Step.project == self._project, _Step.step == step, _Step.subject == subject)
            )
