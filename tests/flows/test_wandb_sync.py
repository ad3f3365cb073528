"""`make wandb-sync`: what it prints, and how it fails."""

import sys
from pathlib import Path

import pytest

from flows.__main__ import main
from models.tracking import client, track
from tests.models.wandb_runs import KEY, environment
from tests.models.wandb_server import running

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
