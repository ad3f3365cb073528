"""`make wandb-sync`: what it prints, and how it fails."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flows.__main__ import main
from models.tracking import client, track
from reports.wandb.kept import keep
from reports.wandb.report import definition
from tests.models.wandb_runs import KEY, environment
from tests.models.wandb_server import running
from tests.reports.wandb_story import STORY

pytestmark = pytest.mark.slow


def sync(home: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("PERENNIAL_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["flows", "wandb-sync"])
    return main()


def test_each_run_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client, "RETRIES", 1)
    with running() as server, environment(WANDB_BASE_URL=server.address):
        with track("flights", "fit", "g", {}, [], tmp_path) as run:
            run.curve(0, {"loss": 0.5})
        name = Path(run.folder).name
        assert sync(tmp_path, monkeypatch) == 1
        assert capsys.readouterr().err.startswith("error: set WANDB_API_KEY to your key")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        server.answer_with = lambda status: 500 if status == "file_stream" else None
        assert sync(tmp_path, monkeypatch) == 1
        assert f"{name}: failed: " in (printed := capsys.readouterr().out)
        assert "0 runs sent, 1 kept to be sent later" in printed
        server.answer_with = lambda status: None
        assert sync(tmp_path, monkeypatch) == 0
        assert capsys.readouterr().out == f"{name}: sent\n1 runs sent, 0 kept to be sent later\n"
        assert sync(tmp_path, monkeypatch) == 0
        assert capsys.readouterr().out == "there is no run to be sent\n"
        assert [line["loss"] for line in server.lines(server.runs[0])] == [0.5]


def test_each_report_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, definition(STORY))
    keep(tmp_path, definition(replace(STORY, project="gone")))
    with running() as server, environment(WANDB_BASE_URL=server.address, WANDB_API_KEY=KEY):
        server.answer_with = lambda name: 400 if name == "upsertView" else None
        assert sync(tmp_path, monkeypatch) == 1
        printed = capsys.readouterr().out
        assert printed.startswith("there is no run to be sent\nreport of flights: failed: ")
        assert KEY not in printed
        server.answer_with = lambda status: None
        assert sync(tmp_path, monkeypatch) == 0
        address = f"{server.address}/ann/flights/reports/Lifecycle-of-flights--Vmlldzo1"
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == ["there is no run to be sent", f"report of flights: sent: {address}"]
        assert lines[2].startswith("report of gone: sent: ")
        assert lines[3].startswith("the cards of gone do not link its report: ")
        sync(tmp_path, monkeypatch)
        assert "report of flights" not in capsys.readouterr().out
        assert len(server.reports) == 2
