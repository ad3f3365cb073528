"""The story of a project that really learns is kept offline, and published and cited by its cards online."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.tracking import Outcome
from reports.wandb.kept import definition_of, published
from stages.champion.promote import promote
from stages.models.cards import card_path, write_card
from stages.reports.story import cite_report, report_story, story
from stages.workspace import Workspace
from tests.models.wandb_runs import KEY, environment
from tests.models.wandb_server import WandbServer, running
from tests.reports.wandb_story import REPLAY
from tests.stages.orders import AS_OF, fits, make_orders

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Orders with a champion, a batch that it scored, and a replay."""
    with environment():
        found = make_orders(tmp_path_factory.mktemp("orders"), training={"families": ["linear"]})
        promote(found, fits(found, AS_OF), AS_OF)
    found.ledger.record("score", "2013-05", "made", {"rows": 9, "version": "orders/1"}, AS_OF)
    replay = found.reports / "replay" / "summary.json"
    replay.parent.mkdir(parents=True)
    replay.write_text(json.dumps(REPLAY))
    return found


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with running() as found, environment(WANDB_BASE_URL=found.address):
        yield found


def texts(workspace: Workspace) -> str:
    found, _ = definition_of(workspace.settings.home, "orders")
    return "\n".join(block["text"] for block in found["blocks"] if block["kind"] == "markdown")


def test_the_story_is_told_from_what_is_on_record(workspace: Workspace) -> None:
    told = story(workspace, AS_OF)
    [version] = workspace.registry.versions("orders")
    [model] = told.models
    assert (model.version, model.family, model.stage) == ("orders/1", "linear", "champion")
    measured = model.measures["auc"]
    assert measured.value == pytest.approx(version.metrics["holdout"]["auc"])
    assert measured.low is not None and measured.low < version.metrics["holdout"]["auc"]
    assert model.gate.startswith("accepted; better: ")
    [run] = (workspace.settings.home / "wandb").glob("offline-run-*")
    assert model.run == run.name.rpartition("-")[2]
    assert [(batch.batch, batch.version) for batch in told.watched] == [("2013-05", "orders/1")]
    assert told.replay and told.replay.recommended == "every 2, stateless"


def test_offline_it_is_kept_and_nothing_is_sent(workspace: Workspace, server: WandbServer) -> None:
    assert report_story(workspace, AS_OF) is None
    assert cite_report(workspace) == ""
    assert "orders/1 (linear) is the champion" in texts(workspace)
    assert server.asked == []


def test_where_nothing_is_tracked_there_is_none(
    workspace: Workspace, server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr("stages.reports.story.keep", lambda *_: pytest.fail("it was written"))
    assert report_story(workspace, AS_OF) is None


def test_a_replay_that_cannot_be_read_is_left_out_and_said(
    workspace: Workspace, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    path = workspace.reports / "replay" / "summary.json"
    before = path.read_text()
    path.write_text(before[:-9])
    try:
        report_story(workspace, AS_OF)
    finally:
        path.write_text(before)
    assert "The history was not replayed" in texts(workspace)
    assert "the replay is left out of the W&B report" in caplog.text


def test_online_it_is_published_and_the_cards_lead_there(
    workspace: Workspace,
    server: WandbServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server.answer_with = lambda name: 400 if name == "upsertView" else None
    outcome = report_story(workspace, AS_OF)
    assert outcome and outcome.state == "failed"
    assert (
        "report of orders was not sent" in caplog.text and "`make wandb-sync` sends it later" in caplog.text
    )
    [version] = workspace.registry.versions("orders")
    page = card_path(workspace, version)
    assert "W&amp;B report" not in page.read_text()
    server.answer_with = lambda name: None
    address = f"{server.address}/ann/orders/reports/Lifecycle-of-orders--Vmlldzo1"
    assert report_story(workspace, AS_OF) == Outcome("report of orders", "sent", address)
    assert cite_report(workspace) == address
    [report] = server.reports.values()
    contents = [block.get("content", "") for block in report["spec"]["blocks"]]
    assert f"[{version.metrics['run']}]({server.address}/ann/orders/runs/" in "".join(contents)
    assert re.findall(r'href="(http[^"]*)"', page.read_text()) == [address]
    assert json.loads(page.with_suffix(".json").read_text())["report"] == address
    written = page.stat().st_mtime_ns
    cite_report(workspace)
    assert page.stat().st_mtime_ns == written
    write_card(workspace, version)
    assert address in page.read_text()
    found = published(workspace.settings.home, "orders")
    assert found and found.link == address
    assert report_story(workspace, AS_OF) is None


def test_a_card_of_an_older_form_is_left_as_it_is_and_said(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """Runs after the report was published."""
    [version] = workspace.registry.versions("orders")
    page = card_path(workspace, version).with_suffix(".json")
    kept = json.loads(page.read_text()) | {"report": ""}
    del kept["limits"]
    page.write_text(json.dumps(kept))
    cite_report(workspace)
    assert "does not link the W&B report" in caplog.text
    assert json.loads(page.read_text()) == kept
