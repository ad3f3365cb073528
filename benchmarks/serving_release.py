"""A release under load: while requests come in, a canary is released, advanced, promoted and rolled back."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep

import httpx

from benchmarks.measures import Measure
from benchmarks.serving_client import Target, paced
from benchmarks.serving_home import PROJECT, Home
from core.errors import PerennialError
from models.registry.releases import Part, Release
from models.registry.releasing import release

REQUESTS, CONNECTIONS, RATE = 10_000, 16, 800.0
PATIENCE = 10.0  # seconds in which a worker takes a release up


def measured(home: Home, port: int, target: Target) -> list[Measure]:
    """How many of the requests failed; RATE leaves the time in which all four releases are taken up."""
    steps = _Steps(home, port)
    thread = threading.Thread(target=steps.run)
    thread.start()
    load = paced(target, REQUESTS, RATE, CONNECTIONS)
    taken = len(steps.taken)  # of what was in force before the last request was answered
    thread.join()
    if steps.failure:
        raise steps.failure
    return [
        Measure("release under load, releases taken up meanwhile", taken, "of 4", "all", taken == 4),
        Measure(
            f"release under load, failed of {REQUESTS:,}", load.failed, "requests", "0", load.failed == 0
        ),
    ]


class _Steps:
    """The releases one after the other, each once the one before is in force."""

    def __init__(self, home: Home, port: int) -> None:
        self._home, self._port, self._registry = home, port, home.workspace.registry
        self._champion = home.champion.id
        versions = self._registry.versions(PROJECT)
        self._other = next(
            each.id
            for each in reversed(versions)
            if each.id != self._champion and each.metrics["columns"] == home.champion.metrics["columns"]
        )
        self.taken: list[str] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        """Take all steps; what goes wrong is kept in `failure`."""
        steps: list[Callable[[], object]] = [
            lambda: self._release("canary", 0.1),
            lambda: self._release("advance", 0.5),
            lambda: self._registry.promote(self._other, over=self._champion, evidence={}, **self._facts()),
            lambda: self._registry.rollback(PROJECT, to=self._champion, **self._facts()),
        ]
        try:
            for step in steps:
                sleep(0.5)
                step()
                self._wait(str(self._in_force()))
        except Exception as error:
            self.failure = error

    def _release(self, action: str, share: float) -> None:
        part = Part(self._other, "canary", share)
        release(self._registry, PROJECT, part, over=self._in_force(), action=action, **self._facts())

    def _in_force(self) -> Release:
        return self._registry.releases(PROJECT)[-1]

    def _facts(self) -> dict[str, object]:
        return {"why": "a benchmark", "at": datetime.now(UTC), "by": "make bench-serving"}

    def _wait(self, told: str) -> None:
        deadline = monotonic() + PATIENCE
        while httpx.get(f"http://127.0.0.1:{self._port}/readyz").json()["release"] != told:
            if monotonic() > deadline:
                raise PerennialError(f"{told} is not in force after {PATIENCE:g} s")
            sleep(0.05)
        self.taken.append(told)
