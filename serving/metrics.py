"""Metrics of the service, as Prometheus reads them: of all workers together."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeVar

from prometheus_client import REGISTRY as OWN
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from models.registry.releases import Release

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which the workers of one service keep what they count."""
TROUBLE = "perennial_trouble"
TYPE = "text/plain; version=0.0.4; charset=utf-8"
M = TypeVar("M", Counter, Histogram)
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Meters:
    """What is counted and measured. Prometheus allows each name once a process: ask `meters` for them."""

    def __init__(self) -> None:
        self.requests = Counter("perennial_requests", "Requests by what they were told", ["route", "status"])
        self.seconds = Histogram(
            "perennial_request_seconds", "Service time of requests", ["route"], buckets=SECONDS
        )
        self.rows = Counter("perennial_rows", "Rows answered, or scored as a shadow", ["version", "role"])
        self.row_seconds = Histogram(
            "perennial_version_seconds",
            "Service time of requests by who answered",
            ["version"],
            buckets=SECONDS,
        )
        self.degraded = Counter("perennial_degraded_rows", "Rows answered without the online store")
        self.failed = Counter("perennial_failed_rows", "Rows that a version could not answer", ["version"])
        self.share = Gauge(
            "perennial_release_share",
            "Share of the entities by version",
            ["version", "role"],
            multiprocess_mode="mostrecent",
        )
        self.drift = Gauge(
            "perennial_drift",
            "Population stability index of a feature in the batch that was judged last",
            ["feature"],
            multiprocess_mode="mostrecent",
        )
        self.log = Counter("perennial_log_rows", "Rows of the log of predictions", ["state"])
        self.waiting = Gauge(
            "perennial_log_waiting_rows", "Rows that are not on disk yet", multiprocess_mode="livesum"
        )
        self.trouble = Gauge(
            TROUBLE,
            "1 while something is wrong: the log, the registry, the store, or the release that is refused",
            ["what"],
            multiprocess_mode="livemax",
        )
        self._predictions: Histogram | None = None
        self._edges: tuple[float, ...] = ()

    def predictions(self, edges: Sequence[float]) -> Histogram:
        """The distribution of the answers by version; its bins are those that were asked for first."""
        if self._predictions is None:
            self._predictions = Histogram(
                "perennial_predictions", "Answers by version", ["version"], buckets=tuple(edges)
            )
        return self._predictions

    def released(self, release: Release, before: Release | None) -> None:
        """Tell the shares of a release, and that those of the one before are none any more."""
        for part in before.parts if before else ():
            self.share.labels(part.version, part.role).set(0)
        for part in release.parts:
            self.share.labels(part.version, part.role).set(part.share)

    def drifted(self, values: Mapping[str, float | None]) -> None:
        """Tell how far each feature has drifted."""
        for feature, value in values.items():
            if value is not None:
                self.drift.labels(feature).set(value)


@cache
def part(metric: M, *labels: object) -> M:
    """The part of a metric with these labels; to ask Prometheus for it takes as long as to count."""
    found: M = metric.labels(*labels)
    return found


@cache
def meters() -> Meters:
    """The meters of this process."""
    return Meters()


def registry() -> CollectorRegistry:
    """All that the workers of this service have counted, or this process alone where it is no worker."""
    if SHARED not in os.environ:
        return OWN
    found = CollectorRegistry()
    MultiProcessCollector(found)  # type: ignore[no-untyped-call]
    return found


def exposition() -> bytes:
    """The metrics as Prometheus reads them."""
    return generate_latest(registry())


def forget(process: int) -> None:
    """Take what was true of a process while it lived out of the metrics; what it counted stays."""
    mark_process_dead(process)  # type: ignore[no-untyped-call]
