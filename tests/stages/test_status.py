"""How a project stands: as of an instant, from the ledger and the registry alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from core.settings import Settings
from core.watching import Retraining
from monitoring.alerts.news import News
from monitoring.retraining.requests import Ask
from stages.champion.retraining import fail, requests_of
from stages.monitoring.alerts import alerts_of
from stages.status import standing
from stages.workspace import open_workspace


def test_only_what_was_done_and_is_over_at_the_instant_counts(make_project: Callable[..., Settings]) -> None:
    workspace = open_workspace("flights", make_project(range(1, 4), share=500))
    april, march = datetime(2013, 4, 1, 12, tzinfo=UTC), datetime(2013, 3, 1, 12, tzinfo=UTC)
    nothing = {"ingested": None, "scored": None, "judged": None}
    assert standing(workspace, april) == {
        "champion": None,
        "release": {},
        "candidate": None,
        "shadows": [],
        "newest": nothing,
        "decided": None,
        "retraining": None,
        "alerts": [],
    }
    for step, batches in (("ingest/flights", ("2013-01", "2013-03")), ("score", ("2013-01", "2013-02"))):
        for batch in batches:
            workspace.ledger.record(step, batch, "made from", {}, april)
    assert standing(workspace, april)["newest"] == {
        "ingested": "2013-03",
        "scored": "2013-02",
        "judged": None,
    }
    assert standing(workspace, march)["newest"]["ingested"] == "2013-01"


def test_what_is_decided_asked_for_and_open_is_told(make_project: Callable[..., Settings]) -> None:
    workspace = open_workspace("flights", make_project(range(1, 4), share=500))
    april = datetime(2013, 4, 1, 12, tzinfo=UTC)
    judged = {"batch": "2013-03", "decision": "recalibrate", "final": False, "reasons": ["it is off"]}
    workspace.ledger.record("monitor", "2013-03", "made from", judged, april)
    requests = requests_of(workspace)
    request = requests.ask(Ask("2013-03", april, "recalibrate", ("it is off",)), Retraining())
    requests.claim(request, april, "a run")
    fail(workspace, requests.request(request.id), ValueError("no disk"), april, 1.0)
    news = News("decision", "flights/1", "recalibrate", ("it is off",), "file:///page", april)
    alerts_of(workspace).record([news], {"slack-webhook/night": "info", "apprise/day": "critical"})
    told = standing(workspace, april)
    assert told["decided"] == judged
    asked = told["retraining"]
    assert asked is not None
    assert (asked["state"], asked["attempts"], asked["runs"]) == ("open", 1, ["a run"])
    assert (asked["why"], asked["reasons"]) == ("ValueError: no disk", ["it is off"])
    assert asked["next_attempt"] == (april + timedelta(minutes=15)).isoformat()
    (alert,) = told["alerts"]
    assert (alert["title"], alert["since"], alert["seen"]) == ("recalibrate", april.isoformat(), 1)
    assert alert["unsent"] == {"slack-webhook/night": "not tried yet"}


def test_the_newest_request_is_told_where_none_is_unsettled(
    make_project: Callable[..., Settings],
) -> None:
    workspace = open_workspace("flights", make_project(range(1, 4), share=500))
    april, may = datetime(2013, 4, 1, 12, tzinfo=UTC), datetime(2013, 5, 1, 12, tzinfo=UTC)
    requests = requests_of(workspace)
    first = requests.ask(Ask("2013-03", april, "recalibrate"), None)
    requests.settle(first, "refused", "flights/2", 1.0)
    told = standing(workspace, may)["retraining"]
    assert told is not None
    assert (told["state"], told["version"], told["next_attempt"]) == ("done", "flights/2", None)
    requests.ask(Ask("2013-04", may, "retrain stateless"), Retraining(cooldown=timedelta(days=60)))
    skipped = standing(workspace, may)["retraining"]
    assert skipped is not None and (skipped["state"], skipped["number"]) == ("skipped", 2)
