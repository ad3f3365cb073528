"""What is told of a project is on record once, for as long as it lasts."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from core.operating import Severity
from monitoring.alerts.alerts import Alerts
from monitoring.alerts.news import EVENTS, SEVERITY, Kind, News, Over
from tests.monitoring.conftest import AS_OF

Stopped = Callable[..., News]
LATER = AS_OF + timedelta(hours=1)
ROUTES: dict[str, Severity] = {"slack-webhook/all": "info", "ms-teams-webhook/night": "critical"}


def test_what_goes_on_counts_up_and_waits_to_be_sent_once(alerts: Alerts, stopped: Stopped) -> None:
    alerts.record([stopped()], ROUTES)
    alerts.record([stopped(as_of=LATER, reasons=("still too few", "rows"))], ROUTES)
    (alert,) = alerts.open()
    assert (alert.count, alert.first_seen, alert.last_seen) == (2, AS_OF, LATER)
    assert alert.text == "still too few\nrows"
    assert [(each.route, each.attempts, each.sent_at) for each in alert.deliveries] == [
        ("ms-teams-webhook/night", 0, None),
        ("slack-webhook/all", 0, None),
    ]


def test_a_run_that_is_started_again_sees_nothing_new(alerts: Alerts, stopped: Stopped) -> None:
    for _ in range(3):
        alerts.record([stopped()], ROUTES)
    assert [each.count for each in alerts.all()] == [1]


def test_what_comes_back_after_it_was_over_is_told_again(alerts: Alerts, stopped: Stopped) -> None:
    alerts.record([stopped(), stopped("batch 2013-04")], ROUTES)
    alerts.record([Over("batch stopped", "batch 2013-03", LATER)], ROUTES)
    assert [each.subject for each in alerts.open()] == ["batch 2013-04"]
    alerts.record([stopped(as_of=LATER)], ROUTES)
    assert [(each.subject, each.closed_at) for each in alerts.all()] == [
        ("batch 2013-03", LATER),
        ("batch 2013-04", None),
        ("batch 2013-03", None),
    ]
    alerts.record([Over("batch stopped", None, LATER)], ROUTES)
    assert alerts.open() == []


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_an_event_is_told_once_and_over_at_once(alerts: Alerts, stopped: Stopped, kind: Kind) -> None:
    for as_of in (AS_OF, AS_OF, LATER):
        alerts.record([stopped("shop/2", kind=kind, as_of=as_of)], ROUTES)
    (alert,) = alerts.all()
    assert (alert.count, alert.closed_at, alerts.open()) == (1, AS_OF, [])


def test_what_becomes_graver_is_sent_again_along_every_route_that_it_now_reaches(
    alerts: Alerts, stopped: Stopped
) -> None:
    for severity in ("info", "info", "critical", "warning"):
        alerts.record([stopped(severity=severity)], ROUTES)
    (alert,) = alerts.open()
    assert alert.severity == "critical"
    assert {(each.route, each.severity) for each in alert.deliveries} == {
        ("slack-webhook/all", "info"),
        ("slack-webhook/all", "critical"),
        ("ms-teams-webhook/night", "critical"),
    }


@pytest.mark.parametrize("kind", sorted(SEVERITY))
def test_a_kind_takes_the_routes_that_its_severity_reaches(
    alerts: Alerts, stopped: Stopped, kind: Kind
) -> None:
    alerts.record([stopped(kind=kind)], {"a/all": "info", "a/most": "warning", "a/worst": "critical"})
    (alert,) = alerts.all()
    reached = {"info": 1, "warning": 2, "critical": 3}[SEVERITY[kind]]
    assert [each.route for each in alert.deliveries] == ["a/all", "a/most", "a/worst"][:reached]


def test_the_gravest_is_first_and_projects_do_not_see_each_other(
    alerts: Alerts, registry: str, stopped: Stopped
) -> None:
    other = Alerts(registry, f"{alerts.project}-other")
    alerts.record([stopped("a", severity="info"), stopped("b"), stopped("c", severity="warning")], {})
    other.record([stopped("b"), Over("batch stopped", None, LATER)], {})
    assert [each.subject for each in alerts.open()] == ["b", "c", "a"]


def test_any_text_can_be_told_and_the_password_of_a_url_is_not(alerts: Alerts, stopped: Stopped) -> None:
    hostile = "\0\ud800 postgresql://ann:hunter2@host/db 'x'; DROP TABLE alerts"
    for _ in range(2):
        alerts.record([stopped(hostile, reasons=(hostile, ""))], ROUTES)
    (alert,) = alerts.open()
    assert "hunter2" not in repr(alert)
    assert "DROP TABLE alerts" in alert.text
    alerts.record([Over("batch stopped", hostile, LATER)], ROUTES)
    assert alerts.open() == []


def test_all_news_of_a_run_or_none_are_on_record(alerts: Alerts, stopped: Stopped) -> None:
    broken = stopped("b", as_of=AS_OF.replace(tzinfo=None))
    with pytest.raises(Exception, match="time zone"):
        alerts.record([stopped("a"), broken], ROUTES)
    assert alerts.all() == []
