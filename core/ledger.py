"""The ledger: which step was finished for which batch, from what, and with what result."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, DateTime, MetaData, String, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from core.database import alone, connect
from core.plain import plain

_METADATA = MetaData()
_STEPS = Table(
    "steps",
    _METADATA,
    Column("project", String(128), primary_key=True),
    Column("step", String(128), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("result", JSON, nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
)
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def fingerprint(*parts: object) -> str:
    """A hash of what a step is made from; equal parts give equal hashes, in every process.

    TypeError for what has no fixed form as JSON (see `core.plain`).

    >>> fingerprint("features", {"b": 1, "a": {2, 3}}) == fingerprint("features", {"a": {3, 2}, "b": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=plain, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Ledger:
    """Finished steps of one project: `(step, subject)` → the fingerprint of its inputs, its result.

    A step whose inputs have the fingerprint that is on record need not run again. A step is
    recorded after its tables are committed: a kill between the two repeats the step, and since
    writes replace, ends in the same tables. Any number of processes may read and record at once.
    """

    def __init__(self, url: str, project: str) -> None:
        self._project = project
        self._engine = connect(url, _METADATA)

    def finished(self, step: str, subject: str, made_from: str) -> dict[str, Any] | None:
        """The recorded result, if the step was finished from exactly these inputs."""
        query = select(_STEPS.c.result).where(*self._is(step, subject), _STEPS.c.fingerprint == made_from)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def record(
        self, step: str, subject: str, made_from: str, result: Mapping[str, Any], as_of: datetime
    ) -> None:
        """Put a finished step on record, in place of an earlier one of the same subject.

        The result is kept as JSON (see `core.plain`): a NaN comes back as None, an instant as text.
        """
        key = {"project": self._project, "step": step, "subject": subject}
        facts = {"fingerprint": made_from, "result": plain(result), "as_of": as_of.astimezone(UTC)}
        insert = _INSERT[self._engine.dialect.name](_STEPS).values(key | facts)
        with self._engine.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=facts))

    def result(self, step: str, subject: str) -> dict[str, Any] | None:
        """The recorded result of a step for a subject, whatever it was made from."""
        with self._engine.connect() as connection:
            return connection.scalar(select(_STEPS.c.result).where(*self._is(step, subject)))

    def results(self, step: str) -> dict[str, dict[str, Any]]:
        """The recorded results of a step, by subject, in the order of the subjects."""
        of_step = _STEPS.c.project == self._project, _STEPS.c.step == step
        query = select(_STEPS.c.subject, _STEPS.c.result).where(*of_step).order_by(_STEPS.c.subject)
        with self._engine.connect() as connection:
            return {row.subject: row.result for row in connection.execute(query)}

    def last(self, step: str) -> dict[str, Any] | None:
        """The recorded result of a step for the last of its subjects in their order; None without any."""
        of_step = _STEPS.c.project == self._project, _STEPS.c.step == step
        query = select(_STEPS.c.result).where(*of_step).order_by(_STEPS.c.subject.desc()).limit(1)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def count(self, step: str) -> int:
        """How many subjects a step has a result for."""
        of_step = _STEPS.c.project == self._project, _STEPS.c.step == step
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).where(*of_step)) or 0

    def of_all(self, step: str) -> list[dict[str, Any]]:
        """The recorded results of a step in every project."""
        with self._engine.connect() as connection:
            return list(connection.scalars(select(_STEPS.c.result).where(_STEPS.c.step == step)))

    def adopt(self, other: "Ledger", without: Collection[str]) -> None:
        """Take over what another ledger has of its project, but for some steps, where nothing is here yet."""
        theirs = select(_STEPS).where(_STEPS.c.project == other._project, _STEPS.c.step.not_in(without))
        with other._engine.connect() as connection:
            rows = [{**row._mapping, "project": self._project} for row in connection.execute(theirs)]
        insert = _INSERT[self._engine.dialect.name](_STEPS)
        with alone(self._engine) as connection:
            if rows and not connection.scalar(select(_STEPS.c.step).where(_STEPS.c.project == self._project)):
                connection.execute(insert, rows)

    def forget(self, step: str, subject: str) -> None:
        """Take a step off the record, so that it runs again."""
        with self._engine.begin() as connection:
            connection.execute(delete(_STEPS).where(*self._is(step, subject)))

    def _is(self, step: str, subject: str) -> tuple[Any, ...]:
        return _STEPS.c.project == self._project, _STEPS.c.step == step, _STEPS.c.subject == subject


class Snapshot(Ledger):
    """A ledger that reads each step once, for who asks after many subjects; it is to be read only."""

    def __init__(self, ledger: Ledger) -> None:
        self._project, self._engine = ledger._project, ledger._engine
        self._read: dict[str, dict[str, dict[str, Any]]] = {}

    def result(self, step: str, subject: str) -> dict[str, Any] | None:
        """The recorded result of a step for a subject, as it stood when the step was first asked for."""
        return self.results(step).get(subject)

    def results(self, step: str) -> dict[str, dict[str, Any]]:
        """The recorded results of a step, as they stood when it was first asked for."""
        if step not in self._read:
            self._read[step] = super().results(step)
        return self._read[step]
