"""Alerts that wait are sent by one process, and tried again until they are sent or given up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.alerts.alerts import Alerts, Delivery
from monitoring.alerts.news import News
from monitoring.alerts.outbox import ATTEMPTS, BACK_OFF, Claimed, claim, settle

Stopped = Callable[..., News]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SLACK = "slack-webhook/all"


@pytest.fixture
def waiting(alerts: Alerts, stopped: Stopped) -> Alerts:
    """Two alerts that wait for a route."""
    alerts.record([stopped("a"), stopped("b")], {SLACK: "info"})
    return alerts


def claimed(alerts: Alerts, now: datetime = NOW) -> Claimed:
    found = claim(alerts, SLACK, now)
    assert found is not None
    return found


def delivery(alerts: Alerts) -> Delivery:
    first, second = (alert.deliveries for alert in alerts.all())
    assert first == second
    return first[0]


def test_what_is_claimed_and_sent_is_sent_once(waiting: Alerts) -> None:
    taken = claimed(waiting)
    assert [alert.subject for alert in taken.alerts] == ["a", "b"]
    settle(waiting, taken, NOW, None)
    assert delivery(waiting) == Delivery(SLACK, "critical", 1, NOW, None)
    assert claim(waiting, SLACK, NOW + timedelta(days=300)) is None


def test_of_many_that_ask_at_once_one_gets_each_alert(waiting: Alerts) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: claim(waiting, SLACK, NOW), range(8)))
    assert sum(len(each.alerts) for each in found if each) == 2


def test_two_clocks_that_differ_a_little_do_not_take_it_from_each_other(waiting: Alerts) -> None:
    claimed(waiting)
    assert claim(waiting, SLACK, NOW - timedelta(seconds=30)) is None
    assert claim(waiting, SLACK, NOW + timedelta(seconds=30)) is None


def test_a_process_that_was_killed_lets_go(waiting: Alerts) -> None:
    claimed(waiting)
    assert len(claimed(waiting, NOW + timedelta(minutes=11)).alerts) == 2


def test_it_is_tried_again_ever_later_and_then_given_up(waiting: Alerts) -> None:
    now, waits = NOW, list[timedelta]()
    for attempt in range(ATTEMPTS):
        settle(waiting, claimed(waiting, now), now, "the receiver answered 500")
        assert delivery(waiting) == Delivery(
            SLACK, "critical", attempt + 1, None, "the receiver answered 500"
        )
        waits.append(BACK_OFF * 2**attempt)
        assert claim(waiting, SLACK, now + waits[-1] - timedelta(seconds=1)) is None
        now += waits[-1]
    assert timedelta(hours=8) < sum(waits[:-1], timedelta()) < timedelta(hours=12)
    assert claim(waiting, SLACK, now + timedelta(days=1)) is None


def test_a_clock_that_goes_back_does_not_hold_it_for_ever(waiting: Alerts) -> None:
    ahead = NOW + timedelta(days=3650)
    settle(waiting, claimed(waiting, ahead), ahead, "down")
    assert len(claimed(waiting).alerts) == 2


def test_an_answer_that_comes_late_counts(waiting: Alerts) -> None:
    taken = claimed(waiting)
    settle(waiting, taken, NOW, "no answer within 5 seconds")
    settle(waiting, taken, NOW + timedelta(seconds=7), None)
    assert delivery(waiting).failed is None
    assert claim(waiting, SLACK, NOW + timedelta(days=1)) is None


def test_a_claim_that_was_lost_settles_nothing(waiting: Alerts) -> None:
    lost = claimed(waiting)
    other = claimed(waiting, NOW + timedelta(minutes=11))
    settle(waiting, lost, NOW, None)
    assert delivery(waiting).sent_at is None
    settle(waiting, other, NOW, None)
    assert delivery(waiting).sent_at == NOW


def test_routes_and_projects_have_their_own(waiting: Alerts, registry: str) -> None:
    assert claim(waiting, "slack-webhook/other", NOW) is None
    assert claim(Alerts(registry, f"{waiting.project}-other"), SLACK, NOW) is None
    assert claimed(waiting)
