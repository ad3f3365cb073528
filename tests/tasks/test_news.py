"""What the flows tell: once, when it happens, and that it is over when it is."""

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import DeliveryError, PerennialError
from core.settings import Settings
from monitoring.alerts import Alert
from stages.alerts import alerts_of, open_alerts
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import fits, make_orders
from tests.tasks.receivers import Receiver

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
Inhabit = Callable[[Settings], AbstractContextManager[None]]
Routed = Callable[..., Workspace]


def subjects(receiver: Receiver) -> list[str]:
    return [body["subject"].partition(": ")[2] for body in receiver.bodies]


def alert_of(workspace: Workspace, kind: str) -> Alert:
    (found,) = (each for each in alerts_of(workspace).all() if each.kind == kind)
    return found


def test_a_batch_that_stops_is_told_once_until_it_is_accepted_after_all(
    receiver: Receiver, webhook: str, routed: Routed
) -> None:
    from prefect.settings import PREFECT_UI_URL, temporary_settings

    from flows.ingest import ingest

    workspace = routed({webhook: "warning"})
    file = workspace.project.folder / "delivered" / "2013-02.csv"
    whole = file.read_bytes()
    file.write_bytes(whole[:5_000] + b'"')
    with temporary_settings({PREFECT_UI_URL: "http://ui.test"}):
        for _ in range(2):
            with pytest.raises(DeliveryError, match="2013-02"):
                ingest("flights", AS_OF)
    assert subjects(receiver) == ["batch 2013-02 stopped"]
    (alert,) = open_alerts(workspace)
    assert (alert.kind, alert.subject, alert.as_of) == ("batch stopped", "batch 2013-02", AS_OF)
    assert re.fullmatch(r"http://ui\.test/runs/flow-run/[0-9a-f-]{36}", alert.link)
    file.write_bytes(whole)
    ingest("flights", AS_OF, "2013-01", "2013-01")
    assert len(open_alerts(workspace)) == 1, "this ingestion did not look at it"
    ingest("flights", AS_OF)
    assert open_alerts(workspace) == []
    assert len(receiver.got) == 1


def test_a_dataset_that_others_need_is_told_and_the_run_fails_as_before(
    receiver: Receiver, webhook: str, routed: Routed
) -> None:
    from flows.ingest import ingest

    workspace = routed({webhook: "critical"})
    document = yaml.safe_load((workspace.project.folder / "project.yaml").read_text())
    name = workspace.whole[0]
    document["datasets"][name]["source"] = {"kind": "files", "path": "not/there.csv"}
    (workspace.project.folder / "project.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(DeliveryError, match="there"):
        ingest("flights", AS_OF)
    assert subjects(receiver) == [f"dataset {name} stopped"]
    assert [each.kind for each in open_alerts(workspace)] == ["batch stopped"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, backends: None) -> Workspace:
    """Orders, ingested and featurised, without a model yet; what is drifted matters to it at once."""
    restless = {"min_rows": 100, "auc_drop": 0.000001, "loss_rise": 0.000001, "drift": 0.00001}
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

    matured = lived.batch("2013-02").end + timedelta(days=1)
    assert retrain("orders", matured).accepted
    retrain("orders", matured)  # started again after a kill, it makes the same versions and tells nothing
    assert subjects(receiver)[2:] == [
        "retraining opened, on what is known at 2013-03-02 00:00 UTC",
        "orders/1 promoted",
    ]
    assert open_alerts(lived) == []

    batch = lived.batch("2013-03")
    for _ in range(2):
        score("orders", batch.id, batch.end)
        judged = monitor("orders", batch.id, batch.end + timedelta(days=1))
    assert judged is not None and judged.decision.startswith("retrain")
    assert subjects(receiver)[4:] == [f"{judged.decision}, after batch 2013-03 scored by orders/1"]
    assert alert_of(lived, "decision").text == "\n".join(judged.reasons)

    (other,) = fits(lived, lived.batch("2013-03").end + timedelta(days=1))
    champion = lived.registry.champion("orders")
    facts: dict[str, Any] = {"why": "it is better", "evidence": {}, "at": AS_OF, "by": "a test"}
    lived.registry.promote(other, over=champion, **facts)
    rollback(lived.settings, argparse.Namespace(project="orders", version="orders/1"))
    assert subjects(receiver)[5:] == ["rolled back, orders/1 is champion again"]
    assert open_alerts(lived) == []
    pages = {Path(each.link.removeprefix("file://")) for each in alerts_of(lived).all()}
    assert all(page.is_relative_to(lived.reports) for page in pages)
