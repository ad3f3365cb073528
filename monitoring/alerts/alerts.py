"""Alerts: what somebody should know of a project, on record before it is sent anywhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.database import alone, connect
from core.operating import SEVERITIES, Severity
from core.secrets import without_password
from monitoring.alerts.news import EVENTS, Kind, News, Over
from monitoring.alerts.tables import ALERTS, DELIVERIES, METADATA


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of sending an alert along a route: `failed` says why the last attempt was in vain."""

    route: str
    severity: Severity
    attempts: int
    sent_at: datetime | None
    failed: str | None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is on record; `closed_at` is None while what it tells of goes on."""

    number: int
    project: str
    kind: Kind
    subject: str
    severity: Severity
    title: str
    text: str
    link: str
    first_seen: datetime
    last_seen: datetime
    count: int
    closed_at: datetime | None
    deliveries: tuple[Delivery, ...]


class Alerts:
    """The alerts of one project; any number of processes may record and read at once."""

    def __init__(self, url: str, project: str) -> None:
        self.project = project
        self.engine = connect(url, METADATA)

    def record(self, told: Iterable[News | Over], routes: Mapping[str, Severity]) -> None:
        """Put news on record in one transaction, each to be sent along the routes whose severity it reaches.

        What goes on counts up and is not sent again, unless it became graver; an event that is on
        record changes nothing.
        """
        with alone(self.engine) as connection:
            for each in told:
                if isinstance(each, Over):
                    self._close(connection, each)
                else:
                    self._raise(connection, each, routes)

    def open(self) -> list[Alert]:
        """The alerts of what goes on, the gravest first, then the newest."""
        found = self._read(ALERTS.c.closed_at.is_(None))
        return sorted(found, key=lambda alert: (-SEVERITIES.index(alert.severity), -alert.number))

    def all(self) -> list[Alert]:
        """Every alert on record, the oldest first."""
        return self._read()

    def _raise(self, connection: Connection, news: News, routes: Mapping[str, Severity]) -> None:
        of_subject = (*self._of(news.kind), ALERTS.c.subject == storable(news.subject))
        newest = connection.execute(
            select(ALERTS).where(*of_subject).order_by(ALERTS.c.number.desc()).limit(1)
        ).one_or_none()
        if newest is not None and news.kind in EVENTS:
            return
        if newest is None or newest.closed_at is not None:
            self._enter(connection, news, routes)
        else:
            self._go_on(connection, newest, news, routes)

    def _enter(self, connection: Connection, news: News, routes: Mapping[str, Severity]) -> None:
        values = _values(news) | {
            "project": self.project,
            "kind": news.kind,
            "subject": storable(news.subject),
            "severity": news.gravity,
            "first_seen": news.as_of,
            "count": 1,
            "closed_at": news.as_of if news.kind in EVENTS else None,
        }
        made = connection.execute(insert(ALERTS).values(values)).inserted_primary_key
        assert made is not None
        _queue(connection, made[0], news.gravity, routes)

    def _go_on(
        self, connection: Connection, open_one: Row[Any], news: News, routes: Mapping[str, Severity]
    ) -> None:
        graver = SEVERITIES.index(news.gravity) > SEVERITIES.index(open_one.severity)
        # A run that is started again stands at the same instant: it sees nothing new.
        values = _values(news) | {"count": open_one.count + (news.as_of != open_one.last_seen)}
        values |= {"severity": news.gravity} if graver else {}
        connection.execute(update(ALERTS).where(ALERTS.c.number == open_one.number).values(values))
        if graver:
            _queue(connection, open_one.number, news.gravity, routes)

    def _close(self, connection: Connection, over: Over) -> None:
        which = [*self._of(over.kind), ALERTS.c.closed_at.is_(None)]
        if over.subject is not None:
            which.append(ALERTS.c.subject == storable(over.subject))
        connection.execute(update(ALERTS).where(*which).values(closed_at=over.as_of))

    def _of(self, kind: Kind) -> tuple[Any, Any]:
        return ALERTS.c.project == self.project, ALERTS.c.kind == kind

    def _read(self, *which: Any) -> list[Alert]:
        with self.engine.connect() as connection:
            return read(connection, ALERTS.c.project == self.project, *which)


def read(connection: Connection, *which: Any) -> list[Alert]:
    """Some alerts, the oldest first, with what became of sending them."""
    rows = connection.execute(select(ALERTS).where(*which).order_by(ALERTS.c.number)).all()
    sent = select(DELIVERIES).where(DELIVERIES.c.alert.in_(select(ALERTS.c.number).where(*which)))
    of_alert: dict[int, list[Delivery]] = {row.number: [] for row in rows}
    for row in connection.execute(sent.order_by(DELIVERIES.c.alert, DELIVERIES.c.route)):
        delivery = Delivery(row.route, row.severity, row.attempts, row.sent_at, row.failed)
        of_alert.get(row.alert, []).append(delivery)
    return [Alert(**row._asdict(), deliveries=tuple(of_alert[row.number])) for row in rows]


def storable(text: str) -> str:
    """Text that every database takes, without the passwords of URLs in it."""
    return without_password(text.replace("\0", " ")).encode(errors="replace").decode()


def _values(news: News) -> dict[str, Any]:
    text = "\n".join(" ".join(reason.split()) for reason in news.reasons)
    told = {"title": storable(news.title), "text": storable(text), "link": news.link}
    return {**told, "last_seen": news.as_of}


def _queue(connection: Connection, number: int, gravity: Severity, routes: Mapping[str, Severity]) -> None:
    """Let an alert wait to be sent along each route that it is grave enough for."""
    rows = [
        {"alert": number, "route": route, "severity": gravity, "attempts": 0}
        for route, least in routes.items()
        if SEVERITIES.index(gravity) >= SEVERITIES.index(least)
    ]
    if rows:
        connection.execute(insert(DELIVERIES), rows)
