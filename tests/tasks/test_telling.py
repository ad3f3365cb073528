"""The task that tells a project's story in W&B leaves its link in Prefect, and fails no run."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks import telling

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
LINK = "https://wandb.example/ann/flights/reports/Lifecycle-of-flights--Vml"


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is left in Prefect."""
    left: list[dict[str, Any]] = []
    monkeypatch.setattr(telling, "create_link_artifact", lambda **facts: left.append(facts))
    monkeypatch.setattr(telling, "open_workspace", lambda project: project)
    monkeypatch.setattr(telling, "report_story", lambda *_: None)
    return left


def test_the_link_is_left_in_prefect(artifacts: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "cite_report", lambda workspace: LINK)
    assert telling.report_to_wandb.fn("ad_click", AS_OF) == LINK
    [artifact] = artifacts
    assert (artifact["key"], artifact["link"]) == ("ad-click-wandb-report", LINK)


def test_without_a_report_there_is_none(artifacts: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "cite_report", lambda workspace: "")
    assert telling.report_to_wandb.fn("ad_click", AS_OF) == ""
    assert artifacts == []


def test_what_goes_wrong_is_said_and_fails_nothing(
    artifacts: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(telling, "report_story", fail)
    assert telling.report_to_wandb.fn("ad_click", AS_OF) == ""
    assert "there is no W&B report of ad_click, the flow goes on: no space left" in caplog.text
