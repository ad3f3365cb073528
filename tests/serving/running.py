"""A service that runs: a real process on a port of its own, and who asks it."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from core.settings import CHECKOUT, Settings
from flows.backend import free_port

PREDICT = "/v1/orders/predict"
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A service at work, and the folder of its outputs."""

    process: subprocess.Popen[bytes]
    url: str
    settings: Settings
    outputs: Path

    def client(self, **options: Any) -> httpx.Client:
        """Who asks it."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, **options)

    def ready(self) -> dict[str, Any]:
        """What it says of itself."""
        with self.client() as client:
            found: dict[str, Any] = client.get("/readyz").json()
        return found

    def told(self) -> str:
        """All that it has written to its outputs."""
        return "".join(path.read_text() for path in sorted(self.outputs.iterdir()))

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        children = psutil.Process(self.process.pid).children()
        alive = [each for each in children if each.status() != psutil.STATUS_ZOMBIE]
        return [each for each in alive if "spawn_main" in " ".join(each.cmdline())]

    def limit(self, size: int) -> None:
        """How many bytes any file of its workers may have."""
        for worker in self.workers():
            _, hard = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (size, hard))

    def kill(self) -> None:
        """End all of its processes at once, as the machine would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def running(settings: Settings, outputs: Path, *, workers: int = 1, open: bool = True) -> Iterator[Running]:
    """The service of the orders, until it has ended as it should, unless the test has ended it itself."""
    outputs.mkdir(parents=True, exist_ok=True)
    port = free_port()
    places = {"HOME": settings.home, "PROJECTS": settings.projects, "SUITES": settings.suites}
    serving = {"SERVE_PORT": port, "SERVE_WORKERS": workers, "SERVE_OPEN": "true" if open else "false"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERENNIAL_")}
    environment |= {f"PERENNIAL_{name}": str(value) for name, value in {**places, **serving}.items()}
    command = [sys.executable, "-m", "flows", "serve", "--project", "orders"]
    with (outputs / f"{port}.out").open("wb") as out, (outputs / f"{port}.err").open("wb") as err:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=out, stderr=err, start_new_session=True
        )
    found = Running(process, f"http://127.0.0.1:{port}", settings, outputs)
    try:
        wait(lambda: _is_ready(found), found.told)
        yield found
        if process.poll() is None:
            assert found.end() == 0, found.told()
    finally:
        if process.poll() is None:
            found.kill()


def wait(
    until: Callable[[], object], why: Callable[[], object] = lambda: "", patience: float = PATIENCE
) -> None:
    """Wait until something is so; AssertionError, with the reason, where it is not in time."""
    deadline = time.monotonic() + patience
    while not until():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


def _is_ready(service: Running) -> bool:
    assert service.process.poll() is None, service.told()
    try:
        return httpx.get(f"{service.url}/readyz", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False
