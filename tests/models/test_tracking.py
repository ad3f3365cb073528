"""Tracking is read back as W&B itself reads it; whatever becomes of W&B, the fit goes on."""

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from models.tracking import Artifact, track
from models.tracking import run as tracking
from tests.models.wandb_runs import ROOT, environment, folders, python, reader, records, summary

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with environment():
        yield


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == tracking.__name__]


def test_importing_the_modules_does_not_import_wandb() -> None:
    script = "import sys, models.tracking, reports.wandb.publish"
    process = python(f"{script}; print({{'wandb', 'wandb_workspaces'}} & {{*sys.modules}})")
    assert process.communicate()[0] == "set()\n"


def test_a_run_can_be_read_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = {"family": "linear", "spec": {"seed": 7}}
    with track("flights", "linear 2013-04", "2013-04", config, ["demo"], tmp_path) as run:
        for step in range(200):
            run.curve(step, {"train_log_loss": 1 / (step + 1), "validation_log_loss": 2 / (step + 1)})
        run.summary({"holdout": {"auc": 0.75, "brier": float("nan")}, "rows": 100})
        run.table("importance", [{"feature": "wind", "share": 0.6}, {"feature": "route", "share": 0.4}])
        run.made(Artifact("flights/linear", "model", {"graph.onnx": Path(__file__)}, metadata={"bytes": 3}))
    assert capfd.readouterr() == ("", "")
    [folder] = folders(tmp_path)
    assert run.folder == folder
    found, kept = summary(folder), records(folder)
    assert (found["project"], found["name"], found["tags"]) == ("flights", "linear 2013-04", ["demo"])
    assert (found["state"], found["exit_code"]) == ("finished", 0)
    assert found["config"] == config
    assert found["summary"]["holdout"] == {"auc": 0.75, "brier": None}
    assert found["summary"]["validation_log_loss"] == 2 / 200
    assert (
        sum("train_log_loss" in each["history"]["item"] for each in kept if each["type"] == "history") == 200
    )
    assert [each["run"]["run_group"] for each in kept if each["type"] == "run"] == ["2013-04"]
    assert "flights-linear" in [each["artifact"]["name"] for each in kept if each["type"] == "artifact"]


def test_all_that_it_writes_is_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    with track("flights", "fit", "g", {}, [], Path("../home")) as run:
        run.made(Artifact("model", "model", {"f": Path(__file__)}))
    assert list((tmp_path / "elsewhere").rglob("*")) == []
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"wandb"}
    assert Path(run.folder).is_relative_to(tmp_path / "home")


def test_fits_side_by_side_have_runs_of_their_own(tmp_path: Path) -> None:
    with ExitStack() as fits:
        runs = [
            fits.enter_context(track("flights", f"fit {number}", "g", {"number": number}, [], tmp_path))
            for number in range(3)
        ]
        for step, (number, run) in itertools.product(range(20), enumerate(runs)):
            run.curve(step, {"loss": number + step})
    assert sorted(run.folder for run in runs) == folders(tmp_path)
    for number, run in enumerate(runs):
        found = summary(run.folder)
        assert (found["name"], found["config"]) == (f"fit {number}", {"number": number})
        assert found["summary"]["loss"] == number + 19


def test_a_daemon_process_can_track_from_a_thread(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text("""
import multiprocessing, sys, threading
from pathlib import Path
from models.tracking import track

def fit():
    with track("flights", "fit", "g", {}, [], Path(sys.argv[1])) as run:
        run.curve(0, {"loss": 0.5})

def work():
    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work, daemon=True)
    worker.start()
    worker.join()
""")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(script), str(tmp_path)], env=environment, check=True, timeout=60)
    [folder] = folders(tmp_path)
    assert summary(folder)["summary"]["loss"] == 0.5


def test_offline_it_calls_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
import sys
from pathlib import Path
from models.tracking import track
with track("flights", "fit", "g", {}, [], Path(sys.argv[1])) as run:
    run.curve(0, {"loss": 0.5})
"""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert python(script, str(tmp_path)).wait(timeout=60) == 0
        nobody.setblocking(False)
        with pytest.raises(BlockingIOError):
            nobody.accept()


def test_a_fit_that_fails_ends_its_run_as_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), track("flights", "fit", "g", {}, [], tmp_path):
        print(1 / 0)
    assert summary(folders(tmp_path)[0])["exit_code"] == 1


def test_a_fit_goes_on_when_the_tracker_cannot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        for step in range(3):
            run.curve(step, {"loss": object()})  # type: ignore[dict-item]
        run.made(Artifact("model", "model", {"f": tmp_path / "missing"}))
        run.curve(3, {"loss": 0.25})
    assert [line.split(",")[0] for line in warnings(caplog)] == [
        "W&B could not take the curve",
        "W&B could not take the artifact",
    ]
    assert summary(run.folder)["summary"]["loss"] == 0.25


def test_a_fit_goes_on_where_nothing_can_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with track("flights", "fit", "g", {}, [], tmp_path / "file") as run:
        run.curve(0, {"loss": 0.5})
        run.summary({"auc": 0.7})
    assert run.folder == ""
    assert "the run fit is not tracked" in caplog.text


@pytest.mark.slow
def test_an_empty_variable_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "")
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
    assert run.folder != ""


def test_tracking_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
    assert run.folder == ""
    assert folders(tmp_path) == []


def test_a_killed_fit_leaves_a_readable_run(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from models.tracking import track
with track("flights", "fit", "g", {}, [], Path(sys.argv[1])) as run:
    for step in range(50):
        run.curve(step, {"loss": 1 / (step + 1)})
    print(run.folder, flush=True)
    sys.stdin.readline()
"""
    with python(script, str(tmp_path)) as process:
        assert process.stdout
        folder = process.stdout.readline().strip()
        follow = reader(folder, "--follow", "--idle-timeout", "20s")
        with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as live:
            assert live.stdout
            points = (line for line in live.stdout if '"type":"history"' in line)
            seen = list(itertools.islice(points, 49))  # the newest is held back until the next one
            process.kill()
            live.kill()
    found = summary(folder)
    assert len(seen) == 49
    assert found["summary"]["_step"] >= 48
    assert found["state"] != "finished"
