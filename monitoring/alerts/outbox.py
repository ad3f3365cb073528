"""The outbox: alerts that wait to be sent, claimed by one process at a time, tried again with back-off."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from monitoring.alerts.alerts import Alert, Alerts, read
from monitoring.alerts.tables import ALERTS, DELIVERIES

ATTEMPTS = 8
"""After so many an alert is not sent any more: it stays on record."""
BACK_OFF = timedelta(minutes=5)
"""How long after the first attempt in vain the next may be; each time twice as long, ten hours in all."""
_LONGEST = BACK_OFF * 2 ** (ATTEMPTS - 1)
_HELD = timedelta(minutes=10)  # by a process that is at it: one that was killed meanwhile lets go after that


@dataclass(frozen=True, slots=True)
class Claimed:
    """Alerts that this process alone may now send along a route, and the mark of its claim."""

    mark: str
    route: str
    alerts: tuple[Alert, ...]


def claim(alerts: Alerts, route: str, now: datetime) -> Claimed | None:
    """Take what waits for a route and is due, as an attempt that counts; None where nothing is.

    Whoever asks at the same time gets none of it. `now` is of the clock, for receivers live by it.
    """
    mark = uuid.uuid4().hex
    of_project = DELIVERIES.c.alert.in_(select(ALERTS.c.number).where(ALERTS.c.project == alerts.project))
    due = (
        of_project,
        DELIVERIES.c.route == route,
        DELIVERIES.c.sent_at.is_(None),
        DELIVERIES.c.attempts < ATTEMPTS,
        _is_past(DELIVERIES.c.due_at, now, _LONGEST),
        _is_past(DELIVERIES.c.claimed_until, now, _HELD),
    )
    taken = {"claimed_by": mark, "claimed_until": now + _HELD, "attempts": DELIVERIES.c.attempts + 1}
    with alerts.engine.begin() as connection:
        if not connection.execute(update(DELIVERIES).where(*due).values(taken)).rowcount:
            return None
        of_mark = select(DELIVERIES.c.alert).where(DELIVERIES.c.claimed_by == mark)
        return Claimed(mark, route, tuple(read(connection, ALERTS.c.number.in_(of_mark))))


def settle(alerts: Alerts, claimed: Claimed, now: datetime, failed: str | None) -> None:
    """Put on record that what was claimed has been sent or, with the reason, that it could not be."""
    waiting = DELIVERIES.c.claimed_by == claimed.mark, DELIVERIES.c.sent_at.is_(None)
    with alerts.engine.begin() as connection:
        if failed is None:
            sent = {"sent_at": now, "failed": None, "claimed_until": None}
            connection.execute(update(DELIVERIES).where(*waiting).values(sent))
            return
        rows = connection.execute(select(DELIVERIES.c.attempts).where(*waiting).distinct()).scalars()
        for attempts in rows.all():
            again = {"failed": failed, "claimed_until": None, "due_at": now + BACK_OFF * 2 ** (attempts - 1)}
            of_these = *waiting, DELIVERIES.c.attempts == attempts
            connection.execute(update(DELIVERIES).where(*of_these).values(again))


def _is_past(instant: ColumnElement[Any], now: datetime, longest: timedelta) -> ColumnElement[bool]:
    """Whether an instant is past or was never set, or is so far off that a clock has gone back since."""
    # Twice as far as any is set: the clocks of two machines are not quite the same.
    return or_(instant.is_(None), instant <= now, instant > now + 2 * longest)
