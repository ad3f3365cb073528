"""The embedded Prefect backend: a server on SQLite that lives as long as the command that needs it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import PerennialError
from core.settings import Settings

PATIENCE = 180  # seconds for the server to start: tens, for a new database on a busy machine


@dataclass(frozen=True, slots=True)
class Server:
    """A Prefect API that is there, or starting."""

    url: str
    process: subprocess.Popen[bytes] | None = None
    home: Path | None = None

    def wait(self) -> None:
        """Wait until it answers; PerennialError when it does not start."""
        if self.process is None or self.home is None:
            return
        _answers(self.process, self.url, self.home / "server.log")
        (self.home / "ready").touch()


@contextmanager
def backend(settings: Settings, port: int | None = None) -> Iterator[Server]:
    """The Prefect API of `PREFECT_API_URL` or else a server that starts now, and runs for as long.

    Enter it before Prefect is imported, for its settings are read then, and `wait` before a flow runs.
    """
    if given := os.environ.get("PREFECT_API_URL"):
        yield Server(given)
        return
    home = settings.home / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    _discard_half_made(home)
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}/api"
    with (home / "server.log").open("w") as sink, _started(port, sink) as process:
        os.environ["PREFECT_API_URL"] = url
        try:
            yield Server(url, process, home)
        finally:
            del os.environ["PREFECT_API_URL"]


def serve(port: int) -> None:
    """Run the server in this process until it is told to stop, or its parent is gone."""
    import uvicorn

    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=port, log_level="error"
    )


def _leave_with(parent: int) -> None:
    # A parent that is killed cannot stop its server, which would hold the database for ever.
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _discard_half_made(home: Path) -> None:
    """Remove a database whose first server was killed while it made the tables: none can start on it."""
    if not (home / "ready").exists():
        for path in home.glob("prefect.db*"):
            path.unlink()


@contextmanager
def _started(port: int, sink: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    # In a session of its own: Ctrl-C is for the flows, and the server is stopped after them.
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.backend", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-3:])
    raise PerennialError(f"the Prefect server did not start; {log} ends with:\n{last}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
