"""What `make up` is to run by the settings, and what it keeps on disk, before anything runs."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.hosts import is_loopback, reached
from core.settings import Settings
from flows.machine import state, supervisor
from flows.machine.facts import part_facts
from flows.machine.parts import parts, planned
from flows.machine.processes import MARK, Identity, cut, end, marked
from flows.machine.secure import access, guarded, make_keys
from flows.machine.state import PartState, Up


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server, cluster or password is given."""
    for name in ("PREFECT_API_URL", "PREFECT_UI_URL", "PERENNIAL_DASK", "PREFECT_SERVER_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)


def plan(settings: Settings) -> Up:
    return planned(settings, Identity.of(os.getpid()))


def test_by_default_everything_is_started_on_loopback_without_a_password(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    make_keys(settings)
    up = plan(settings)
    assert (up.api, up.dask, up.secured) == ("http://127.0.0.1:4200/api", "tcp://127.0.0.1:8786", False)
    found = [part.name for part in parts(settings, up, 1)]
    assert found == ["prefect-server", "dask-scheduler", "dask-workers", "prefect-worker"]
    assert access(settings, up) == {"PREFECT_API_URL": up.api, "PERENNIAL_DASK": up.dask}
    assert not settings.up.exists()


def test_what_is_given_is_used_and_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    settings = Settings(home=tmp_path, dask="tls://dask.example:8786", host="0.0.0.0")
    make_keys(settings)
    up = plan(settings)
    assert [part.name for part in parts(settings, up, 1)] == ["prefect-worker"]
    # The password of this machine is not told to another's server.
    assert access(settings, up) == {"PREFECT_API_URL": up.api, "PERENNIAL_DASK": "tls://dask.example:8786"}


def test_runs_link_to_the_ui_that_is_started_or_to_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path, prefect_port=4321)
    worker = parts(settings, plan(settings), 1)[-1].environment
    assert worker["PREFECT_UI_URL"] == "http://127.0.0.1:4321"
    assert worker["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    monkeypatch.setenv("PREFECT_UI_URL", "https://prefect.example")
    assert "PREFECT_UI_URL" not in parts(settings, plan(settings), 1)[-1].environment


@pytest.mark.parametrize(
    ("host", "within", "under"),
    [
        ("127.0.0.1", True, "127.0.0.1"),
        ("127.1.2.3", True, "127.1.2.3"),
        ("localhost", True, "localhost"),
        ("::1", True, "[::1]"),
        ("0.0.0.0", False, "127.0.0.1"),
        ("::", False, "[::1]"),
        ("10.0.0.7", False, "10.0.0.7"),
        ("localhost.example.org", False, "localhost.example.org"),
    ],
)
def test_whatever_is_not_surely_loopback_is_guarded(
    host: str, within: bool, under: str, tmp_path: Path
) -> None:
    assert (is_loopback(host), reached(host)) == (within, under)
    settings = Settings(home=tmp_path, host=host)
    make_keys(settings)
    up = plan(settings)
    asked = guarded(settings, up)
    assert ("PREFECT_SERVER_API_AUTH_STRING" in asked) is not within
    assert up.secured is up.dask.startswith("tls:") is not within


def test_keys_are_made_once_and_are_this_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, host="0.0.0.0")
    make_keys(settings)
    before = {path.name: path.read_text() for path in settings.up.iterdir()}
    make_keys(settings)
    assert {path.name: path.read_text() for path in settings.up.iterdir()} == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in settings.up.iterdir()} == {0o600}
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:mine")
    make_keys(settings)
    assert access(settings, plan(settings))["PREFECT_API_AUTH_STRING"] == "me:mine"


def test_the_password_is_shown_with_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:hush-hush")
    settings = Settings(home=tmp_path)
    make_keys(settings)
    up = plan(settings)
    assert guarded(settings, up) == {"PREFECT_SERVER_API_AUTH_STRING": "me:hush-hush"}
    assert "hush-hush" not in f"{parts(settings, up, 1)} {up}"


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert state.read(settings) is None
    dead = Identity(os.getpid(), 1.0)
    up = plan(settings).with_part(PartState("dask-workers", dead, "2 of one thread"))
    up = up.with_part(PartState("dask-workers", dead, "2 of one thread", restarts=1))
    state.write(settings, up)
    assert state.read(settings) == up and up.alive  # for its supervisor is this process
    told = part_facts(up)
    assert [(each["part"], each["up"], each["restarts"]) for each in told] == [
        ("supervisor", True, 0),
        ("dask-workers", False, 1),
    ]
    (settings.up / "state.json").write_text('{"half":')
    assert state.read(settings) is None


@pytest.mark.skipif(not psutil.LINUX, reason="other systems fix the time of a start by the clock")
def test_a_process_is_the_same_when_the_clock_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    before, boot = Identity.of(os.getpid()), psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot - 3600)
    assert before.alive and before == Identity.of(os.getpid())
    assert abs(before.since - (psutil.Process().create_time())) < 0.01


def test_a_log_stays_bounded_while_it_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_SIZE", 100)
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as sink:
        for word in (b"a" * 60, b"b" * 60, b"c" * 60):
            sink.write(word)
            supervisor.shorten(log)
    assert log.read_bytes() == b"c" * 60
    assert (tmp_path / "part.log.1").read_bytes() == b"a" * 60 + b"b" * 60


@pytest.mark.slow
def test_what_will_not_end_is_made_to_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.machine.processes.GRACE", 1.0)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    inner = f"{stubborn} print(1, flush=True); time.sleep(600)"
    child = (
        f"import subprocess, sys;subprocess.Popen([sys.executable, '-c', '{inner}'], start_new_session=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{stubborn}{child}; time.sleep(600)"],
        env={**os.environ, MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stdout.readline()
        assert len(marked(tmp_path)) == 2 and not marked(tmp_path / "other")
        end(each for each in marked(tmp_path) if each.pid == process.pid)
        assert process.poll() is not None and len(marked(tmp_path)) == 1
        cut(marked(tmp_path))
        assert not marked(tmp_path)
