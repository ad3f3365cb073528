"""What the flows tell: once, when it happens, and that it is over when it is."""

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import DeliveryError, PerennialError
from core.settings import Settings
from monitoring.alerts.alerts import Alert
from stages.monitoring.alerts import alerts_of, open_alerts
from stages.workspace import Workspace, open_workspace
from tests.stages.conftest import AS_OF, Depot, trips
from tests.stages.orders import fits, make_orders
from tests.tasks.receivers import Receiver

pytestmark = pytest.mark.slow

Inhabit = Callable[[Settings], AbstractContextManager[None]]


def subjects(receiver: Receiver) -> list[str]:
    return [body["subject"].partition(": ")[2] for body in receiver.bodies]


def alert_of(workspace: Workspace, kind: str) -> Alert:
    (found,) = (each for each in alerts_of(workspace).all() if each.kind == kind)
    return found


@pytest.fixture
def depot(tmp_path: Path, webhook: str, inhabit: Inhabit) -> Iterator[Depot]:
    """Trips whose alerts take the webhook, at home, with one good day in the inbox."""
    found = Depot(tmp_path / "trips")
    found.spec(lambda document: document.update(alerts=[{"block": webhook, "severity": "critical"}]))
    found.deliver("1.csv", trips(1, 20, day=1))
    with inhabit(found.settings):
        yield found


def test_a_batch_that_stops_is_told_once_until_it_is_accepted_after_all(
    receiver: Receiver, depot: Depot
) -> None:
    from prefect.settings import PREFECT_UI_URL, temporary_settings

    from flows.ingest import ingest

    depot.deliver("2.csv", trips(50, 20, day=2, paid="-1"))
    with temporary_settings({PREFECT_UI_URL: "http://ui.test"}):
        for _ in range(2):
            with pytest.raises(DeliveryError, match="batch 2013-03-02 stopped"):
                ingest("trips", AS_OF)
    assert subjects(receiver) == ["batch 2013-03-02 stopped"]
    (alert,) = open_alerts(depot.open())
    assert (alert.kind, alert.subject, alert.first_seen) == ("batch stopped", "batch 2013-03-02", AS_OF)
    assert re.fullmatch(r"http://ui\.test/runs/flow-run/[0-9a-f-]{36}", alert.link)
    depot.deliver("2.csv", trips(50, 20, day=2))
    ingest("trips", AS_OF)
    assert open_alerts(depot.open()) == []
    assert len(receiver.got) == 1


def test_a_dataset_that_others_need_is_told_and_the_run_fails_as_before(
    receiver: Receiver, depot: Depot
) -> None:
    from flows.ingest import ingest

    cities = depot.folder / "cities.csv"
    cities.rename(depot.folder / "away.csv")
    with pytest.raises(DeliveryError, match=r"cities\.csv"):
        ingest("trips", AS_OF)
    assert subjects(receiver) == ["dataset cities stopped"]
    assert [each.kind for each in open_alerts(depot.open())] == ["batch stopped"]
    (depot.folder / "away.csv").rename(cities)
    ingest("trips", AS_OF)
    assert open_alerts(depot.open()) == []


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, backends: None) -> Workspace:
    """Orders, ingested and featurised, without a model yet; what is drifted matters to it at once."""
    restless = {"min_rows": 100, "auc_drop": 0.000001, "loss_rise": 0.000001, "drift": 0.00001, "every": 1}
    return make_orders(tmp_path_factory.mktemp("orders"), monitoring=restless)


@pytest.fixture
def lived(shop: Workspace, webhook: str, inhabit: Inhabit) -> Iterator[Workspace]:
    """Orders, whose alerts of any severity take the webhook, at home."""
    path = shop.project.folder / "project.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    document["alerts"] = [{"block": webhook, "severity": "info"}]
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with inhabit(shop.settings):
        yield open_workspace("orders", shop.settings)


def test_a_retraining_is_told_from_its_opening_through_its_failure_to_what_serves(
    lived: Workspace, receiver: Receiver
) -> None:
    from flows.model_commands import rollback
    from flows.monitor import monitor
    from flows.retrain import retrain
    from flows.score import score

    with pytest.raises(PerennialError):
        retrain("orders", lived.batch("2013-01").start)
    assert subjects(receiver) == [
        "retraining opened, on what is known at 2013-01-01 00:00 UTC",
        "retrain failed",
    ]
    assert [each.subject for each in open_alerts(lived)] == ["retrain"]

    matured = lived.batch("2013-04").end + timedelta(days=1)
    assert retrain("orders", matured).accepted
    retrain("orders", matured)  # started again after a kill, it makes the same versions and tells nothing
    assert subjects(receiver)[2:] == [
        "retraining opened, on what is known at 2013-05-02 00:00 UTC",
        "orders/1 promoted",
    ]
    assert open_alerts(lived) == []

    batch = lived.batch("2013-05")
    for _ in range(2):
        score("orders", batch.id, batch.end)
        judged = monitor("orders", batch.id, batch.end + timedelta(days=1))
    assert judged is not None and judged.decision.startswith("retrain")
    assert subjects(receiver)[4:] == [f"{judged.decision}, after batch 2013-05 scored by orders/1"]
    assert alert_of(lived, "decision").text == "\n".join(judged.reasons)

    (other,) = fits(lived, lived.batch("2013-05").end + timedelta(days=1))
    champion = lived.registry.champion("orders")
    facts: dict[str, Any] = {"why": "it is better", "evidence": {}, "at": AS_OF, "by": "a test"}
    lived.registry.promote(other, over=champion, **facts)
    rollback(lived.settings, argparse.Namespace(project="orders", version="orders/1"))
    assert subjects(receiver)[5:] == ["rolled back, orders/1 is champion again"]
    assert open_alerts(lived) == []
    pages = {Path(each.link.removeprefix("file://")) for each in alerts_of(lived).all()}
    assert all(page.is_relative_to(lived.reports) for page in pages)
