"""What the stages found, as news: what is open, what is over, and what is no news any more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from models.gate.judge import Check, GateReport
from monitoring.alerts.alerts import Alert
from monitoring.alerts.routes import routes
from stages.monitoring.alerts import (
    alerts_of,
    decided,
    failed,
    judged_by_gate,
    open_alerts,
    opened,
    record,
    rolled_back,
    stopped,
    succeeded,
)
from stages.monitoring.monitor import Judged
from stages.workspace import Workspace
from tests.stages.conftest import AS_OF, Depot

LATER = AS_OF + timedelta(days=1)


@pytest.fixture
def workspace(depot: Depot) -> Workspace:
    """Trips, with one batch of which nothing is known yet."""
    return depot.open()


def judged(batch: str, decision: str, version: str = "trips/1") -> Judged:
    @dataclass
    class Found:
        batch: str
        decision: str
        version: str
        reasons: list[str]

    return cast(Judged, Found(batch, decision, version, ["the loss rose by 3 %"]))


def open_ones(workspace: Workspace) -> list[tuple[str, str, str]]:
    return [(alert.kind, alert.subject, alert.severity) for alert in open_alerts(workspace)]


def after(workspace: Workspace, batch: str, decision: str, version: str = "trips/1") -> None:
    """Put a judgement on the ledger, and tell of it."""
    workspace.ledger.record("monitor", batch, "", {}, AS_OF)
    record(workspace, decided(workspace, judged(batch, decision, version), AS_OF))


def test_an_ingestion_ends_what_it_looked_at_and_no_more(workspace: Workspace) -> None:
    first, second = "batch 2013-03-01", "batch 2013-03-02"
    record(workspace, stopped(workspace, None, {first: "too few rows", second: "no file"}, AS_OF))
    record(workspace, stopped(workspace, [first], {}, LATER))
    assert [alert.subject for alert in open_alerts(workspace)] == [second]
    record(workspace, stopped(workspace, None, {}, LATER))
    assert open_alerts(workspace) == []
    (told, _) = alerts_of(workspace).all()
    assert (told.text, told.closed_at) == ("too few rows", LATER)


def test_a_decision_is_open_until_nothing_is_to_be_done(workspace: Workspace) -> None:
    after(workspace, "2013-03-01", "watch")
    assert open_ones(workspace) == [("decision", "trips/1", "info")]
    after(workspace, "2013-03-02", "retrain stateless")
    assert open_ones(workspace) == [("decision", "trips/1", "warning")]
    after(workspace, "2013-03-03", "nothing")
    assert open_ones(workspace) == []
    assert len(alerts_of(workspace).all()) == 1


def test_an_old_batch_that_is_judged_again_is_no_news(workspace: Workspace) -> None:
    after(workspace, "2013-03-02", "nothing")
    after(workspace, "2013-03-01", "retrain stateless")
    assert alerts_of(workspace).all() == []
    after(workspace, "2013-03-03", "watch")
    after(workspace, "2013-03-02", "nothing")
    assert len(open_alerts(workspace)) == 1


def gate(accepted: bool) -> GateReport:
    checks = (Check("better", accepted, 0.1, 0.0, "the loss is 0.1 lower", None, None),)
    return GateReport("trips/2", "trips/1", 900, 9, accepted, checks)


@pytest.mark.parametrize("accepted", [True, False])
def test_with_a_new_champion_what_was_decided_of_the_old_one_is_over(
    workspace: Workspace, accepted: bool
) -> None:
    after(workspace, "2013-03-01", "retrain stateless")
    record(workspace, judged_by_gate(workspace, gate(accepted), LATER))
    told: Alert = alerts_of(workspace).all()[-1]
    assert told.title == (
        "trips/2 promoted over trips/1" if accepted else "trips/2 refused, trips/1 stays champion"
    )
    assert told.text == "better: the loss is 0.1 lower"
    assert len(open_alerts(workspace)) == (0 if accepted else 1)


def test_a_rollback_by_hand_is_told_each_time(workspace: Workspace) -> None:
    for as_of in (AS_OF, LATER):
        record(workspace, rolled_back(workspace, "trips/1", "by hand", as_of))
    assert [alert.severity for alert in alerts_of(workspace).all()] == ["critical", "critical"]


def test_housekeeping_that_fails_wakes_nobody_and_is_over_when_it_succeeds(workspace: Workspace) -> None:
    record(workspace, failed(workspace, "housekeeping", "no space left", AS_OF))
    record(workspace, failed(workspace, "retrain", "no space left", AS_OF))
    assert open_ones(workspace) == [
        ("failed", "retrain", "critical"),
        ("housekeeping failed", "housekeeping", "warning"),
    ]
    record(workspace, succeeded("housekeeping", LATER))
    assert open_ones(workspace) == [("failed", "retrain", "critical")]


def test_two_retrainings_on_what_is_known_at_one_instant_are_told_as_two(workspace: Workspace) -> None:
    for request in ("1", "2", "2"):
        record(workspace, opened(workspace, request, ["asked for by hand"], AS_OF))
    assert [alert.subject for alert in alerts_of(workspace).all()] == ["1", "2"]


def test_a_block_that_is_named_twice_takes_the_lesser_severity(
    make_depot: Callable[[Path], Depot], tmp_path: Path
) -> None:
    depot = make_depot(tmp_path / "twice")
    block = "slack-webhook/all"
    named: list[dict[str, Any]] = [
        {"block": block, "severity": each} for each in ("critical", "info", "warning")
    ]
    depot.spec(lambda document: document.update(alerts=named))
    assert routes(depot.open().spec.alerts) == {block: "info"}
