"""The Prefect backend of a command: what `make up` runs, or a server on SQLite for as long as the command."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import PerennialError
from core.settings import Settings
from flows.machine import state
from flows.machine.secure import access

CLEARING = 30.0  # seconds between two collections of the server's garbage
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
        is_whole(self.home)


@contextmanager
def backend(settings: Settings, port: int | None = None) -> Iterator[Server]:
    """The Prefect API of `PREFECT_API_URL`, or of `make up`, or a server that starts now, for as long.

    Enter it before Prefect and Dask are imported, for their settings are read then, and `wait` before
    a flow runs.
    """
    given, found = os.environ.get("PREFECT_API_URL"), state.read(settings)
    up = found if found and found.keeps(state.SERVER) and given in (None, "", found.api) else None
    if up:  # a second server on the database of the first would be a second writer
        with _entered(access(settings, up)):
            yield Server(up.api)
        return
    if given:
        yield Server(given)
        return
    home = settings.home / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    discard_half_made(home)
    port = port or free_port()
    url = f"http://127.0.0.1:{port}/api"
    url_set = _entered({"PREFECT_API_URL": url})
    with (home / "server.log").open("w") as sink, _started(port, sink) as process, url_set:
        yield Server(url, process, home)


def serve(port: int, host: str | None = None) -> None:
    """Run the server in this process until it is told to stop or, without a host, its parent is gone."""
    import uvicorn

    if host is None:
        threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    gc.disable()
    threading.Thread(target=_collect_garbage, daemon=True).start()
    app = "prefect.server.api.server:create_app"
    uvicorn.run(app, factory=True, host=host or "127.0.0.1", port=port, log_level="error")


@contextmanager
def _entered(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    # What the user has chosen stays: such as a cluster of his own beside the server that runs here.
    os.environ.update({name: value for name, value in environment.items() if not before.get(name)})
    try:
        yield
    finally:
        for name in environment:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


def _leave_with(parent: int) -> None:
    # A parent that is killed cannot stop its server, which would hold the database for ever.
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _collect_garbage() -> None:
    """Collect garbage beside the event loop, never in it.

    A cursor of SQLite that is collected waits until its connection is free. That may wait for a lock whose
    owner goes on in the event loop: where this waits, too, all stand still until SQLite gives up after 60 s.
    """
    while True:
        time.sleep(CLEARING)
        gc.collect()


def discard_half_made(home: Path) -> None:
    """Remove a database whose first server was killed while it made the tables: none can start on it."""
    if not (home / "ready").exists():
        for path in home.glob("prefect.db*"):
            path.unlink()


def is_whole(home: Path) -> None:
    """Remember that a server has answered: the database here, if it is on it, has all its tables."""
    if (home / "prefect.db").exists():
        (home / "ready").touch()


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


def free_port() -> int:
    """A port of loopback on which nobody listens yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
