"""W&B reports are published to a server that speaks W&B's protocol: once, updated, or later."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.tracking import Outcome, client, uploads
from reports.wandb.kept import keep, link, projects, published
from reports.wandb.publish import publish, publish_all
from reports.wandb.report import definition
from tests.models.wandb_runs import KEY, environment
from tests.models.wandb_server import HANG, WandbServer, running
from tests.reports.wandb_story import STORY

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def known(server: WandbServer, tmp_path: Path) -> Iterator[None]:
    """There is a key to this server alone, though runs are to stay offline."""
    with environment(
        WANDB_BASE_URL=server.address, WANDB_API_KEY=KEY, WANDB_MODE="offline", HOME=str(tmp_path)
    ):
        yield


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setattr(wandb.Api, "_HTTP_TIMEOUT", 1)
    monkeypatch.setattr(uploads, "PROBE_SECONDS", 0.3)


def sent(server: WandbServer) -> str:
    """The markdown of the one report that the server has."""
    [report] = server.reports.values()
    return "\n".join(block.get("content", "") for block in report["spec"]["blocks"])


def share(home: Path) -> Outcome | None:
    return publish(home, "flights")


def test_the_whole_story_is_sent(
    server: WandbServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, definition(STORY))
    assert server.asked == []
    address = f"{server.address}/ann/flights/reports/Lifecycle-of-flights--Vmlldzo1"
    assert share(tmp_path) == Outcome("report of flights", "sent", address)
    assert link(tmp_path, "flights") == address
    [report] = server.reports.values()
    assert (report["entityName"], report["projectName"], report["type"]) == ("ann", "flights", "runs")
    assert (report["displayName"], report["id"]) == ("Lifecycle of flights", None)
    assert report["description"].endswith("as of 2014-01-15")
    headings = [
        block["children"][0]["text"] for block in report["spec"]["blocks"] if block["type"] == "heading"
    ]
    assert headings == ["Models", "Drift", "Realised performance", "Replay"]
    for number in ("0.7012 (0.6801 to 0.7223)", "24.7%", "0.6875 (0.6613 to 0.7137)", "0.4987"):
        assert number in sent(server)
    assert f"[gq2fhspu]({server.address}/ann/flights/runs/gq2fhspu)" in sent(server)
    assert capfd.readouterr() == ("", "")


def test_the_runs_of_the_project_are_shown(server: WandbServer, tmp_path: Path) -> None:
    keep(tmp_path, definition(STORY))
    share(tmp_path)
    [report] = server.reports.values()
    [grid] = [block["metadata"] for block in report["spec"]["blocks"] if block["type"] == "panel-grid"]
    [runs] = grid["runSets"]
    assert (runs["name"], runs["project"]) == (
        "All fits",
        {"name": "flights", "entityName": "ann", "id": "7"},
    )
    panels = {panel["viewType"]: panel["config"] for panel in grid["panelBankSectionConfig"]["panels"]}
    assert set(panels) == {"Run History Line Plot", "Bar Chart", "Run Comparer"}
    assert panels["Run History Line Plot"]["metrics"] == ["train_loss", "validation_loss"]
    assert panels["Bar Chart"]["metrics"] == ["holdout.auc", "holdout.log_loss"]


def test_news_update_the_same_report_and_no_news_are_not_sent(server: WandbServer, tmp_path: Path) -> None:
    keep(tmp_path, definition(STORY))
    first = share(tmp_path)
    asked = len(server.asked)
    assert share(tmp_path) is None
    assert len(server.asked) == asked
    keep(tmp_path, definition(replace(STORY, as_of="2014-02-15")))
    assert share(tmp_path) == first
    [report] = server.reports.values()
    assert report["id"] == "Vmlldzo1"
    assert report["description"].endswith("as of 2014-02-15")
    assert server.asked.count("CreateProject") == 1


def test_a_report_that_somebody_deleted_is_made_anew(server: WandbServer, tmp_path: Path) -> None:
    keep(tmp_path, definition(STORY))
    share(tmp_path)
    server.reports = {"another": server.reports["Vmlldzo1"]}
    keep(tmp_path, definition(replace(STORY, as_of="2014-02-15")))
    outcome = share(tmp_path)
    assert outcome and outcome.why.endswith("--Vmlldzo2")


def test_another_server_or_owner_gets_a_report_of_its_own(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, definition(STORY))
    share(tmp_path)
    with running() as other:
        other.reports["Vmlldzo1"] = {"spec": "of somebody else"}
        monkeypatch.setenv("WANDB_BASE_URL", other.address)
        monkeypatch.setenv("WANDB_ENTITY", "team")
        outcome = share(tmp_path)
        assert outcome and outcome.why.startswith(f"{other.address}/team/flights/")
        assert other.reports["Vmlldzo1"] == {"spec": "of somebody else"}
        assert other.reports["Vmlldzo2"]["id"] is None


@pytest.mark.parametrize(
    ("ill", "status"),
    [
        ("GET", 503),
        ("GET", HANG),
        ("Viewer", 401),
        ("GetProjects", HANG),
        ("upsertView", 400),
        ("upsertView", 500),
    ],
)
def test_what_a_server_does_not_take_is_kept_for_later(
    ill: str, status: int, server: WandbServer, tmp_path: Path
) -> None:
    path = keep(tmp_path, definition(STORY))
    server.answer_with = lambda name: status if name == ill else None
    outcome = share(tmp_path)
    assert outcome
    assert (outcome.run, outcome.state) == ("report of flights", "failed")
    assert outcome.why and "\n" not in outcome.why and len(outcome.why) <= 300
    assert (server.reports, link(tmp_path, "flights")) == ({}, "")
    server.answer_with = lambda name: None
    server.released.set()
    outcome = share(tmp_path)
    assert outcome and outcome.state == "sent"
    assert json.loads(path.read_text())["project"] == "flights"


def test_what_fails_once_the_report_is_there_makes_no_second_one(server: WandbServer, tmp_path: Path) -> None:
    keep(tmp_path, definition(STORY))
    server.answer_with = lambda name: 401 if "upsertView" in server.asked and name == "Viewer" else None
    outcome = share(tmp_path)
    assert outcome and outcome.state == "failed"
    assert link(tmp_path, "flights") == ""
    server.answer_with = lambda name: None
    outcome = share(tmp_path)
    assert outcome and outcome.state == "sent"
    assert [report["id"] for report in server.reports.values()] == ["Vmlldzo1"]


def test_the_key_is_in_no_file_and_no_word(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, definition(STORY))
    server.answer_with = lambda name: 401 if name == "Viewer" else None
    outcomes = [share(tmp_path)]
    server.answer_with = lambda name: None
    outcomes.append(share(tmp_path))
    assert KEY not in str(outcomes)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    keep(tmp_path, definition(replace(STORY, as_of="2014-02-15")))
    monkeypatch.setenv("WANDB_API_KEY", "not a key\n")
    outcome = share(tmp_path)
    assert outcome and outcome.state == "failed" and "not a key" not in outcome.why


def test_without_a_key_nothing_is_asked(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, definition(STORY))
    monkeypatch.delenv("WANDB_API_KEY")
    assert share(tmp_path) == Outcome("report of flights", "failed", "WANDB_API_KEY is not set")
    assert server.asked == []


def test_one_that_fails_keeps_no_other_from_being_published(server: WandbServer, tmp_path: Path) -> None:
    assert list(publish_all(tmp_path)) == []
    keep(tmp_path, definition(replace(STORY, project="bikes"))).write_text("{")
    keep(tmp_path, definition(STORY))
    assert projects(tmp_path) == ["bikes", "flights"]
    broken, whole = publish_all(tmp_path)
    assert broken.state == "failed" and "bikes.json: no definition of a report" in broken.why
    assert whole.state == "sent"
    assert projects(tmp_path) == ["bikes", "flights"]


def test_two_at_once_make_one_report(server: WandbServer, tmp_path: Path, monkeypatch: Any) -> None:
    keep(tmp_path, definition(STORY))
    within: list[Outcome | None] = []
    entity = client.entity
    monkeypatch.setattr(client, "entity", lambda: within.append(share(tmp_path)) or entity())
    share(tmp_path)
    assert within == [Outcome("report of flights", "in use", "it is being published")]
    assert len(server.reports) == 1


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    keep(tmp_path, definition(STORY)).with_name("flights.published.json").write_text('{"id": 1}')
    assert published(tmp_path, "flights") is None
