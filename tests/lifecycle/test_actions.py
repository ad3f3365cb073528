"""Each decision is acted on, through the flows, and the page tells what came of it."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from monitoring.actions import Act
from stages.champion.promote import promote
from stages.models.train import register, train
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import AS_OF, fits, make_orders, orders

pytestmark = pytest.mark.slow

Inhabit = Callable[[Settings], AbstractContextManager[None]]
CALM = {"confidence": 0.6, "max_calibration_error": 0.5}
TREES = {"families": ["lightgbm"], "parameters": {"lightgbm": {"rounds": 20}}}


def after(workspace: Workspace, batch: str) -> datetime:
    return workspace.batch(batch).end + timedelta(days=1)


def lived(workspace: Workspace, as_of: datetime = AS_OF) -> dict[str, dict[str, Any]]:
    """The facts of each batch once the lifecycle was run up to an instant."""
    from flows.lifecycle import lifecycle

    page = lifecycle("orders", as_of)
    told = json.loads((page.parent / "summary.json").read_text())
    return {facts["batch"]: facts for facts in told["batches"]}


def test_fits_go_on_from_the_champion_where_that_was_decided(inhabit: Inhabit, tmp_path: Path) -> None:
    training = TREES | {"stateful": {}}
    workspace = make_orders(tmp_path, training=training, monitoring={"every": 1}, gate=CALM)
    with inhabit(workspace.settings):
        facts = lived(workspace, after(workspace, "2013-03"))["2013-03"]
    assert facts["decision"] == "retrain stateful"
    assert "Fits go on from the champion (training.stateful)" in facts["reasons"]
    assert facts["challenger"] == "orders/2"
    version = workspace.registry.version("orders/2")
    assert version.lineage.starts == {"lightgbm": "orders/1"}


def test_a_worse_champion_is_rolled_back_once_and_for_all(inhabit: Inhabit, tmp_path: Path) -> None:
    workspace = make_orders(tmp_path, gate=CALM)
    with inhabit(workspace.settings):
        lived(workspace, after(workspace, "2013-02"))
        at = after(workspace, "2013-02") + timedelta(hours=1)
        (bad,) = register(workspace, [train(workspace, "constant", at)])
        workspace.registry.promote(bad, over="orders/1", why="by hand", evidence={}, at=at, by="test")
        facts = lived(workspace)
        assert (facts["2013-03"]["champion"], facts["2013-03"]["decision"]) == (bad.id, "roll back")
        assert facts["2013-03"]["retrained"] == "orders/1"
        assert facts["2013-04"]["champion"] == "orders/1"
        assert "roll back" not in (facts["2013-04"]["decision"], facts["2013-05"]["decision"])
        before = workspace.registry.transitions("orders")
        assert lived(workspace) == facts
    assert workspace.registry.transitions("orders") == before
    assert workspace.registry.version(bad).stage == "retired"


@pytest.mark.parametrize("action", ["recalibrate", "retrain stateful"])
def test_asked_again_a_retraining_answers_from_the_record(
    inhabit: Inhabit, tmp_path: Path, action: Act
) -> None:
    from flows.retrain import retrain

    workspace = make_orders(tmp_path, rows=orders(1_500, risen=1.0), training=TREES | {"stateful": {}})
    at = after(workspace, "2013-03")
    assert promote(workspace, fits(workspace, at), at).accepted
    with inhabit(workspace.settings):
        at = after(workspace, "2013-04")
        report = retrain("orders", at, action)
        versions = workspace.registry.versions("orders")
        assert retrain("orders", at, action) == report
    made = open_workspace("orders", workspace.settings).registry.version(report.challenger)
    assert (made.lineage.keeps, made.lineage.starts) == (
        ("orders/1", {}) if action == "recalibrate" else (None, {"lightgbm": "orders/1"})
    )
    assert report.accepted, report.reasons
    assert workspace.registry.versions("orders") == versions


def test_where_no_calibration_can_be_fitted_anew_fits_are_from_nothing(
    inhabit: Inhabit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from flows.retrain import retrain

    workspace = make_orders(tmp_path, "absolute")
    at = after(workspace, "2013-03")
    assert promote(workspace, fits(workspace, at), at).accepted
    with inhabit(workspace.settings):
        report = retrain("orders", after(workspace, "2013-04"), "recalibrate")
    assert "fits from nothing instead: orders: no calibration can be fitted anew" in caplog.text
    assert workspace.registry.version(report.challenger).lineage.keeps is None
