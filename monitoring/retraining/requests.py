"""Requests for a retraining: at most one of a project is unsettled at a time, and all stay on record."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from core.database import alone, connect
from core.plain import plain
from core.watching import Retraining
from monitoring.retraining.limits import limit
from monitoring.retraining.records import Ask, Request, State, ask_of, asks, metadata, request_of, requests

__all__ = ["Ask", "Request", "Requests", "State"]


class Requests:
    """The requests of one project, in the database at `url`.

    Every method that changes something is one transaction, and may be called by several processes at
    once. Who answers a request holds a lock of its own meanwhile (see `stages.champion.retraining`).
    """

    def __init__(self, url: str, project: str) -> None:
        self._project = project
        self._engine = connect(url, metadata)

    def ask(self, ask: Ask, rules: Retraining | None) -> Request:
        """Ask for a retraining: the request that answers, which is a new one or one that was there.

        The same asked again is answered by the same request, whatever has become of it. Another joins
        the unsettled request. A new one that `rules` do not allow is skipped; None allows any.
        """
        with alone(self._engine) as connection:
            there = self._read(connection)
            for request in there:
                if ask.key in (each.key for each in request.asks):
                    return request
            found = next((each for each in there if each.is_unsettled), None)
            if found is None:
                found = self._new(connection, ask, limit(there, ask.as_of, rules) if rules else None)
            row = {"project": self._project, "request": found.id, **plain(ask), "as_of": ask.as_of}
            connection.execute(insert(asks).values(row))
        return replace(found, asks=(*found.asks, ask))

    def all(self) -> list[Request]:
        """Every request, the oldest first."""
        with self._engine.connect() as connection:
            return self._read(connection)

    def request(self, number: int) -> Request:
        """The request of this number, as it stands now."""
        return next(each for each in self.all() if each.id == number)

    def unsettled(self) -> Request | None:
        """The request that is open or running, if there is one."""
        return next((each for each in self.all() if each.is_unsettled), None)

    def claim(self, request: Request, stands_at: datetime, run: str) -> None:
        """Begin an attempt, which stands at an instant; to be called by who holds the lock."""
        runs = [*request.runs, *([run] if run and run not in request.runs else [])]
        attempts = request.attempts + 1
        self._move(request, state="running", attempts=attempts, stands_at=stands_at, runs=runs)

    def release(self, request: Request, *, counts: bool) -> None:
        """Leave an attempt that did not end, for another; it `counts` as one, or never was."""
        with self._writing(request) as (connection, there):
            if there.state == "running":
                attempts = there.attempts - (0 if counts else 1)
                connection.execute(_update(there, state="open", attempts=attempts))

    def settle(self, request: Request, outcome: str, version: str, seconds: float) -> None:
        """Put on record how an attempt ended that took so many seconds."""
        total = self.request(request.id).seconds + seconds
        self._move(request, state="done", outcome=outcome, version=version, seconds=total, why="")

    def fail(self, request: Request, why: str, seconds: float, again_at: datetime | None) -> None:
        """Put on record that an attempt failed; it is tried again from `again_at` on, or never."""
        with self._writing(request) as (connection, there):
            facts: dict[str, Any] = {"failures": there.failures + 1, "seconds": there.seconds + seconds}
            state = "open" if again_at else "failed"
            connection.execute(_update(there, **facts, state=state, why=why, next_attempt_at=again_at))

    def _new(self, connection: Connection, ask: Ask, refused: str | None) -> Request:
        facts: dict[str, Any] = {
            "project": self._project,
            "action": ask.action,
            "batch": ask.batch,
            "as_of": ask.as_of,
            "stands_at": ask.as_of,
            "state": "skipped" if refused else "open",
            "why": refused or "",
        }
        done = connection.execute(insert(requests).values(facts))
        (number,) = done.inserted_primary_key or (0,)
        return next(each for each in self._read(connection) if each.id == number)

    def _read(self, connection: Connection) -> list[Request]:
        of: dict[int, list[Ask]] = {}
        # In the order of time: who opened a request asked no later than those who joined it.
        told = select(asks).filter_by(project=self._project).order_by(asks.c.as_of)
        for row in connection.execute(told):
            of.setdefault(row.request, []).append(ask_of(row))
        rows = connection.execute(select(requests).filter_by(project=self._project).order_by(requests.c.id))
        return [request_of(row, _opener_first(row, of.get(row.id, []))) for row in rows]

    def _move(self, request: Request, **values: Any) -> None:
        with self._writing(request) as (connection, there):
            connection.execute(_update(there, **values))

    @contextmanager
    def _writing(self, request: Request) -> Iterator[tuple[Connection, Request]]:
        """One transaction on a request, and the request as it stands in it."""
        with alone(self._engine) as connection:
            yield connection, next(each for each in self._read(connection) if each.id == request.id)


def _update(request: Request, **values: Any) -> Any:
    return update(requests).where(requests.c.id == request.id).values(values)


def _opener_first(row: Any, of: Sequence[Ask]) -> list[Ask]:
    return sorted(of, key=lambda ask: ask.key[:3] != (row.batch, row.as_of, row.action))
