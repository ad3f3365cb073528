"""Runs are sent to a server that speaks W&B's protocol: at once, or later, whatever becomes of it."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import PerennialError
from models import tracking
from models.tracking import Artifact, Outcome, Table, dataset, sync, track, uploads
from models.tracking import run as tracked
from tests.models.wandb_runs import KEY, environment, folders, python, records, summary
from tests.models.wandb_server import HANG, WandbServer, running

pytestmark = pytest.mark.slow

DATA = dataset("flights-data", [Table("features", "/lake/features", 3, {"wind": "f32"}, ["2013-01"], 10)])


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def offline(server: WandbServer) -> Iterator[None]:
    """The server is the only one that W&B knows; there is a key, and runs stay offline."""
    with environment(WANDB_BASE_URL=server.address, WANDB_API_KEY=KEY, WANDB_MODE="offline"):
        yield


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")


def fit(home: Path, steps: int = 50) -> str:
    """Track a fit that uses data and makes a file that is gone afterwards; the folder of its run."""
    (home / "graph").write_text("the graph")
    with track("flights", "fit", "g", {"seed": 7}, [], home) as run:
        run.used(DATA)
        for step in range(steps):
            run.curve(step, {"loss": 1 / (step + 1)})
        run.summary({"auc": 0.75})
        run.table("slices", [{"slice": "JFK", "auc": 0.7}])
        run.made(Artifact("flights/1", "model", {"graph.onnx": home / "graph"}, metadata={"bytes": 9}))
    (home / "graph").unlink()
    return run.folder


def identity(folder: str) -> str:
    return folder.rpartition("-")[2]


def is_whole(server: WandbServer, folder: str, steps: int = 50) -> bool:
    """Whether the server has all that `fit` recorded, the artifacts and what they hang on included."""
    run = identity(folder)
    points = [line for line in server.lines(run) if "loss" in line]
    assert [line["loss"] for line in points] == [1 / (step + 1) for step in range(steps)]
    assert server.exit_codes[run] == 0
    assert b'"auc":0.75' in server.files[f"run/{run}/wandb-summary.json"]
    assert server.files["artifact/flights-1/graph.onnx"] == b"the graph"
    assert b'"JFK"' in server.files[f"artifact/run-{run}-slices/slices.table.json"]
    assert b"delta:/lake/features?version=3" in server.files["manifest/flights-data"]
    assert {"flights-1", "flights-data"} <= set(server.committed)
    assert server.used == {(run, "flights-data")}
    assert server.artifacts["flights-1"]["runName"] == run
    assert server.artifacts["flights-data"]["runName"] is None
    return True


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith(tracking.__name__)]


def kept_for_sending(folder: str) -> list[Path]:
    return [path for path in (Path(folder) / "artifacts").rglob("*") if path.is_file()]


def test_with_a_key_a_run_is_sent_as_it_grows(
    online: None, server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = fit(tmp_path)
    assert is_whole(server, folder)
    assert server.lines(identity(folder), "wandb-events.jsonl"), "system metrics"
    assert warnings(caplog) == []
    assert list(sync(tmp_path)) == []


def test_what_is_recorded_is_streamed_before_the_run_ends(
    online: None, server: WandbServer, tmp_path: Path
) -> None:
    streamed = threading.Event()
    server.answer_with = lambda name: streamed.set() if name == "file_stream" else None
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
        assert streamed.wait(timeout=30)
        assert server.exit_codes == {}
    assert [line["loss"] for line in server.lines(identity(run.folder))] == [0.5]


def test_offline_runs_are_sent_later_and_once(server: WandbServer, tmp_path: Path) -> None:
    runs = [fit(tmp_path), fit(tmp_path)]
    assert server.asked == []
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent", "sent"]
    assert server.runs == sorted(identity(each) for each in runs)
    asked = len(server.asked)
    assert list(sync(tmp_path)) == []
    assert len(server.asked) == asked


def test_what_is_kept_only_to_be_sent_goes_once_it_was(server: WandbServer, tmp_path: Path) -> None:
    folder = fit(tmp_path)
    assert not [*(tmp_path / "wandb" / "data").rglob("*")]
    assert kept_for_sending(folder)
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent"]
    assert is_whole(server, folder)
    assert not kept_for_sending(folder)
    assert not [path for path in (tmp_path / "wandb" / "cache" / "artifacts").rglob("*") if path.is_file()]
    assert summary(folder)["summary"]["auc"] == 0.75


def test_a_kept_file_takes_no_space_of_its_own(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("the graph")
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.made(Artifact("flights/1", "model", {"graph.onnx": store}))
    assert store.samefile(Path(run.folder) / "artifacts" / "flights-1" / "graph.onnx")


@pytest.mark.parametrize(
    ("ill", "status"),
    [
        ("UpsertBucket", 400),
        ("file_stream", 400),
        ("file_stream", 500),
        ("CreateRunFiles", 400),
        ("CreateArtifact", 400),
        ("CommitArtifact", 500),
        ("UseArtifact", 400),
        ("artifact/flights-1/graph.onnx", 500),
    ],
)
def test_what_a_server_does_not_take_is_sent_later(
    ill: str, status: int, server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B itself marks such a run as sent."""
    monkeypatch.setattr(tracking.client, "RETRIES", 1)
    folder = fit(tmp_path)
    server.answer_with = lambda name: status if name == ill else None
    [outcome] = sync(tmp_path)
    assert (outcome.run, outcome.state) == (Path(folder).name, "failed")
    assert str(status) in outcome.why or "giving up" in outcome.why
    server.answer_with = lambda name: None
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent"]
    assert is_whole(server, folder)


def test_a_server_that_does_not_know_its_features_gets_everything(
    server: WandbServer, tmp_path: Path
) -> None:
    """Older ones do not; W&B logs that as an error."""
    folder = fit(tmp_path)
    server.answer_with = lambda name: 400 if name == "ServerFeaturesQuery" else None
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent"]
    assert is_whole(server, folder)


def test_once_the_server_is_gone_the_rest_is_not_tried(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking.client, "RETRIES", 1)
    for _ in range(3):
        fit(tmp_path)
    server.answer_with = lambda name: 500 if server.exit_codes else None
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent", "failed", "not tried"]
    server.answer_with = lambda name: None
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent", "sent"]
    assert len(server.exit_codes) == 3


def test_without_a_server_or_a_key_it_says_so(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path)
    server.answer_with = lambda name: 503
    with pytest.raises(PerennialError, match=f"{server.address} does not answer: all 1 runs stay here"):
        list(sync(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", "wandb.example.org")
    with pytest.raises(PerennialError, match="WANDB_BASE_URL: Input should be a valid URL"):
        list(sync(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(PerennialError, match="set WANDB_API_KEY to your key"):
        list(sync(tmp_path))


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_killed_run_is_sent_as_far_as_it_went(
    mode: str, server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    script = """
import os, sys
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
        while sum(each["type"] == "history" for each in records(folder)) < 49:
            pass  # the newest is held back until the next one
        assert [outcome.state for outcome in sync(tmp_path)] == ["in use"]
        assert server.exit_codes == {}
        process.kill()
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent"]
    assert len(server.lines(identity(folder))) >= 49
    assert server.exit_codes[identity(folder)] == 1


def test_a_run_that_went_on_after_it_was_sent_is_sent_again(server: WandbServer, tmp_path: Path) -> None:
    """As when `wandb sync` was called by hand meanwhile."""
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
        run.record.with_suffix(".wandb.synced").touch()
        run.curve(1, {"loss": 0.25})
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent"]
    assert [line["loss"] for line in server.lines(identity(run.folder))] == [0.5, 0.25]


def test_a_record_that_was_cut_off_is_sent_as_far_as_it_goes(server: WandbServer, tmp_path: Path) -> None:
    folder = fit(tmp_path, steps=2_000)
    [record] = Path(folder).glob("*.wandb")
    os.truncate(record, record.stat().st_size // 2 + 3)
    [outcome] = sync(tmp_path)
    assert (outcome.state, outcome.why) == ("sent", "as far as it goes: its record breaks off")
    assert len(server.lines(identity(folder))) > 500
    assert list(sync(tmp_path)) == []


@pytest.mark.parametrize("answer", [500, 401, HANG])
def test_a_fit_goes_on_with_a_server_that_is_ill_throughout(
    answer: int,
    online: None,
    server: WandbServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "PROBE_SECONDS", 0.3)
    server.answer_with = lambda name: answer
    folder = fit(tmp_path)
    assert server.exit_codes == {}
    assert server.asked.count("UpsertBucket") <= 2  # it does not wait for a server that is known to be ill
    [warning] = warnings(caplog)
    assert Path(folder).name in warning and "`make wandb-sync` sends it later" in warning
    assert summary(folder)["exit_code"] == 0
    server.answer_with = lambda name: None
    server.released.set()
    assert list(sync(tmp_path)) == [Outcome(Path(folder).name, "sent")]
    assert is_whole(server, folder)


def test_a_fit_goes_on_without_a_server(
    online: None, server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
    folder = fit(tmp_path)
    monkeypatch.setenv("WANDB_BASE_URL", server.address)
    assert list(sync(tmp_path)) == [Outcome(Path(folder).name, "sent")]
    assert is_whole(server, folder)


def test_a_server_that_recovers_gets_everything_at_once(
    online: None, server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tried = ("UpsertBucket", "file_stream", "CreateArtifact")
    server.answer_with = lambda name: 500 if name in tried and server.asked.count(name) == 1 else None
    folder = fit(tmp_path)
    assert is_whole(server, folder)
    assert warnings(caplog) == []


def test_a_fit_waits_for_a_slow_server_for_as_long_as_is_said(
    online: None,
    server: WandbServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracked, "FINISH_SECONDS", 0.5)
    server.answer_with = lambda name: HANG if name == "CommitArtifact" else None
    folder = fit(tmp_path)
    [warning] = warnings(caplog)
    assert "it took too long" in warning
    server.answer_with = lambda name: None
    assert list(sync(tmp_path)) == [Outcome(Path(folder).name, "sent")]
    assert is_whole(server, folder)


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_the_key_is_in_no_file(
    mode: str, server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    monkeypatch.setenv("HOME", str(tmp_path))
    server.answer_with = lambda name: 500 if name == "CommitArtifact" and mode == "online" else None
    monkeypatch.setattr(tracked, "FINISH_SECONDS", 0.5)
    fit(tmp_path)
    server.answer_with = lambda name: None
    assert [outcome.state for outcome in sync(tmp_path)] == ["sent"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_an_unusable_key_does_not_stop_a_fit(
    online: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "not a key\n")
    assert summary(fit(tmp_path))["exit_code"] == 0
    assert "not a key" not in caplog.text


def test_a_home_may_have_no_runs(tmp_path: Path) -> None:
    assert list(sync(tmp_path)) == []
    assert folders(tmp_path) == []
