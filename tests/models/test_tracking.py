"""Tracking is read back as W&B itself reads it; whatever becomes of W&B, the fit goes on."""

import gzip
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest
import wandb
from wandb.util import get_core_path

from models import tracking
from models.tracking import track

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KEY = "0123456789" * 4


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """No variable of W&B's is set before a test, nor after it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    with mock.patch.dict(os.environ, ours, clear=True):
        yield


@pytest.fixture
def fresh() -> Iterator[None]:
    """W&B reads the server's address and the key once a process: forget them before and after."""
    wandb.teardown()
    yield
    wandb.teardown()


def reader(folder: str, *arguments: str) -> list[str]:
    """The command of `wandb leet inspect --json`, without the second that the Python around it takes."""
    [run] = map(str, Path(folder).glob("*.wandb"))
    options = ["--no-observability", "--json", *arguments, "--run-file", run]
    return [get_core_path(), "leet", "inspect", *options, str(Path(folder).parent)]


def inspect(folder: str, *arguments: str) -> list[str]:
    command = reader(folder, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def summary(folder: str) -> dict[str, Any]:
    return dict(json.loads("\n".join(inspect(folder, "--summary"))))


def ended(folder: str) -> dict[str, Any]:
    """The summary once the end of the run is in the file, which W&B writes a moment after `finish`."""
    deadline = time.monotonic() + 20
    while (found := summary(folder))["exit_code"] is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def folders(home: Path) -> list[str]:
    return sorted(str(path) for path in (home / "wandb").glob("*run-*"))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == tracking.__name__]


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_importing_the_module_does_not_import_wandb() -> None:
    process = python("import sys, models.tracking; print('wandb' in sys.modules)")
    assert process.communicate()[0] == "False\n"


def test_a_run_can_be_read_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = {"family": "linear", "spec": {"seed": 7}}
    with track("flights", "linear 2013-04", "2013-04", config, ["demo"], tmp_path) as run:
        for step in range(200):
            run.curve(step, {"train_log_loss": 1 / (step + 1), "validation_log_loss": 2 / (step + 1)})
        run.summary({"holdout": {"auc": 0.75, "brier": float("nan")}, "rows": 100})
        run.table("importance", [{"feature": "wind", "share": 0.6}, {"feature": "route", "share": 0.4}])
        run.artifact("flights/linear", "model", {"graph.onnx": Path(__file__)}, {"bytes": 3}, ["features:v3"])
    assert capfd.readouterr() == ("", "")
    [folder] = folders(tmp_path)
    assert run.url_or_path == folder
    found, records = ended(folder), inspect(folder)
    assert (found["project"], found["name"], found["tags"]) == ("flights", "linear 2013-04", ["demo"])
    assert (found["state"], found["exit_code"]) == ("finished", 0)
    assert found["config"] == config
    assert found["summary"]["holdout"] == {"auc": 0.75, "brier": None}
    assert found["summary"]["validation_log_loss"] == 2 / 200
    assert sum('"train_log_loss"' in record for record in records if '"type":"history"' in record) == 200
    assert any("2013-04" in record for record in records if '"type":"run"' in record)
    assert any("flights-linear" in record and "features:v3" in record for record in records)


def test_all_that_it_writes_is_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    with track("flights", "fit", "g", {}, [], Path("../home")) as run:
        run.artifact("model", "model", {"f": Path(__file__)}, {})
    assert list((tmp_path / "elsewhere").rglob("*")) == []
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"wandb"}
    assert Path(run.url_or_path).is_relative_to(tmp_path / "home")


def test_fits_side_by_side_have_runs_of_their_own(tmp_path: Path) -> None:
    with ExitStack() as fits:
        runs = [
            fits.enter_context(track("flights", f"fit {number}", "g", {"number": number}, [], tmp_path))
            for number in range(3)
        ]
        for step, (number, run) in itertools.product(range(20), enumerate(runs)):
            run.curve(step, {"loss": number + step})
    assert sorted(run.url_or_path for run in runs) == folders(tmp_path)
    for number, run in enumerate(runs):
        found = summary(run.url_or_path)
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
    assert ended(folders(tmp_path)[0])["exit_code"] == 1


def test_a_fit_goes_on_when_the_tracker_cannot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        for step in range(3):
            run.curve(step, {"loss": object()})  # type: ignore[dict-item]
        run.artifact("model", "model", {"f": tmp_path / "missing"}, {})
        run.curve(3, {"loss": 0.25})
    assert [line.split(",")[0] for line in warnings(caplog)] == [
        "W&B could not take the curve",
        "W&B could not take the artifact",
    ]
    assert ended(run.url_or_path)["summary"]["loss"] == 0.25


def test_a_fit_goes_on_where_nothing_can_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with track("flights", "fit", "g", {}, [], tmp_path / "file") as run:
        run.curve(0, {"loss": 0.5})
        run.summary({"auc": 0.7})
    assert run.url_or_path == ""
    assert "the run fit is not tracked" in caplog.text


def test_tracking_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
    assert run.url_or_path == ""
    assert folders(tmp_path) == []


def test_a_killed_fit_leaves_a_readable_run(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from models.tracking import track
with track("flights", "fit", "g", {}, [], Path(sys.argv[1])) as run:
    for step in range(50):
        run.curve(step, {"loss": 1 / (step + 1)})
    print(run.url_or_path, flush=True)
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
    found = ended(folder)
    assert len(seen) == 49
    assert found["summary"]["_step"] >= 48
    assert found["state"] != "finished"


def test_an_unreachable_server_means_offline_at_once(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", address)
    start = time.perf_counter()
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
    assert time.perf_counter() - start < 10
    assert f"{address} does not answer" in caplog.text
    assert "kept offline" in caplog.text
    assert "offline-run-" in run.url_or_path
    assert ended(run.url_or_path)["summary"]["loss"] == 0.5


def test_a_server_that_never_answers_means_offline(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "PROBE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with track("flights", "fit", "g", {}, [], tmp_path) as run:
            assert "offline-run-" in run.url_or_path


class Server(BaseHTTPRequestHandler):
    """As much of a W&B server as a run with an artifact needs, on the loopback interface."""

    protocol_version = "HTTP/1.1"
    received: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    refuses: ClassVar[bool] = False

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:
        self.received[self.path] = self._body()
        self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/graphql":
            question = json.loads(body)
            name = re.findall(r"(?:query|mutation) (\w+)", question["query"])[0]
            self.asked.append(name)
            self._answer({"data": self._data(name, question.get("variables") or {})})
        else:
            self.received[self.path] = self.received.get(self.path, b"") + body
            self._answer({})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self.send_response(401 if self.refuses and self.path == "/graphql" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _data(self, name: str, variables: dict[str, Any]) -> Any:
        address = f"http://{self.headers['Host']}"
        project = {"id": "p", "name": "flights", "entity": {"id": "e", "name": "ann"}}
        bucket = {
            "id": "b",
            "name": variables.get("name"),
            "displayName": "fit",
            "config": "{}",
            "project": project,
        }
        upload = {"uploadUrl": f"{address}/manifest", "uploadHeaders": [], "id": "f"}
        files = [
            {
                "node": {
                    "uploadUrl": f"{address}/file/{spec['name']}",
                    "uploadHeaders": [],
                    "storagePath": "",
                    "artifact": {"id": "a"},
                }
            }
            for spec in variables.get("input", {}).get("artifactFiles", [])
        ]
        return {
            "Viewer": {
                "viewer": {
                    "id": "u",
                    "entity": "ann",
                    "username": "ann",
                    "flags": "{}",
                    "teams": {"edges": []},
                }
            },
            "UpsertBucket": {"upsertBucket": {"inserted": True, "bucket": bucket}},
            "CreateRunFiles": {
                "createRunFiles": {
                    "runID": "b",
                    "uploadHeaders": [],
                    "files": [
                        {"name": name, "uploadUrl": f"{address}/run/{name}"}
                        for name in variables.get("files", [])
                    ],
                }
            },
            "ServerFeaturesQuery": {"serverInfo": {"features": []}},
            "ArtifactType": {"project": None},
            "CreateArtifact": {
                "createArtifact": {
                    "artifact": {
                        "id": "a",
                        "state": "PENDING",
                        "artifactSequence": {"id": "s", "latestArtifact": None},
                    }
                }
            },
            "CreateArtifactManifest": {
                "createArtifactManifest": {"artifactManifest": {"id": "m", "file": upload}}
            },
            "CreateArtifactFiles": {"createArtifactFiles": {"files": {"edges": files}}},
            "CommitArtifact": {"commitArtifact": {"artifact": {"id": "a", "digest": "d"}}},
        }.get(name, {})


@pytest.fixture
def server(fresh: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    class Fresh(Server):
        received: ClassVar[dict[str, bytes]] = {}
        asked: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as running:
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{running.server_address[1]}")
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield Fresh
        running.shutdown()
        thread.join()


def test_with_a_key_the_server_gets_curves_results_and_files(
    server: type[Server], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "graph").write_text("the graph")
    with track("flights", "fit", "g", {"seed": 7}, [], tmp_path) as run:
        for step in range(100):
            run.curve(step, {"loss": 1 / (step + 1)})
        run.summary({"auc": 0.75})
        run.artifact("flights/1", "model", {"graph.onnx": tmp_path / "graph"}, {})
    stream = next(body for path, body in server.received.items() if path.endswith("file_stream"))
    assert stream.count(b"loss") >= 100
    assert server.received["/file/graph.onnx"] == b"the graph"
    assert "CommitArtifact" in server.asked
    assert run.url_or_path.startswith(os.environ["WANDB_BASE_URL"])
    assert warnings(caplog) == []


def test_a_refused_key_means_offline(
    server: type[Server], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuses = True
    with track("flights", "fit", "g", {}, [], tmp_path) as run:
        run.curve(0, {"loss": 0.5})
    assert "kept offline" in caplog.text
    assert ended(run.url_or_path)["summary"]["loss"] == 0.5
