"""The embedded Prefect server: it starts after a bad start, and goes when its command does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import PerennialError
from core.settings import CHECKOUT, Settings
from flows.backend import backend

pytestmark = pytest.mark.slow


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No API is given: the server of other tests is not this one's."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def at(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PREFECT_HOME", str(home / "prefect"))
    return Settings(home=home)


def test_a_server_that_cannot_start_says_why(
    nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = at(tmp_path, monkeypatch)
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "ready").touch()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"no database")
    with backend(settings) as server, pytest.raises(PerennialError, match=r"server\.log"):
        server.wait()


def test_a_server_starts_on_what_a_kill_has_left_and_goes_with_a_killed_command(
    nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = at(tmp_path, monkeypatch)
    # As a first start leaves it that was killed while it made the tables.
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"half a database")
    script = (
        "import sys, time; from pathlib import Path; from core.settings import Settings; "
        "from flows.backend import backend\n"
        "with backend(Settings(home=Path(sys.argv[1]))) as server:\n"
        "    server.wait(); print(server.process.pid, flush=True); time.sleep(600)"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    server = int(command.stdout.readline())
    command.send_signal(signal.SIGKILL)
    command.wait()
    deadline = time.monotonic() + 60
    while _lives(server) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _lives(server)
    # The database that is whole by now is not made anew.
    made = (tmp_path / "prefect" / "prefect.db").stat().st_ino
    with backend(settings) as again:
        again.wait()
    assert (tmp_path / "prefect" / "prefect.db").stat().st_ino == made


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that nobody waits for stays in the list as a zombie when it is gone.
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
