"""The traffic of the service so far: one document with what its page shows."""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psutil
from prometheus_client import CollectorRegistry

from serving.loaded import InForce
from serving.metrics import registry
from serving.service import Service, troubles

ELSEWHERE = "another worker of the service says so: see its log"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many values fell into each bin: up to each of the `edges`, and in the end above all of them."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def traffic(service: Service) -> Mapping[str, Any]:
    """The release, what all workers have counted together since the service runs, and the last judgement."""
    counted = Counted(registry())
    return {
        "project": service.name,
        "at": service.clock(),
        "running_since": running_since(),
        "release": release_told(service.current.in_force),
        "troubles": troubles_told(service, counted),
        "requests": counted.by("perennial_requests_total"),
        "seconds": counted.histograms("perennial_request_seconds", "route"),
        "rows": counted.by("perennial_rows_total"),
        "version_seconds": counted.histograms("perennial_version_seconds", "version"),
        "answers": counted.histograms("perennial_predictions", "version"),
        "failed_rows": counted.by("perennial_failed_rows_total"),
        "degraded_rows": counted.total("perennial_degraded_rows_total"),
        "log": {
            **{each["state"]: each["count"] for each in counted.by("perennial_log_rows_total")},
            "waiting": counted.total("perennial_log_waiting_rows"),
        },
        "judgement": service.judged.newest,
    }


class Counted:
    """What was counted, by the names that Prometheus has for it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for metric in registry.collect():
            for sample in metric.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def by(self, name: str) -> list[dict[str, Any]]:
        """How often by the labels, which lie beside each `count`."""
        return [{**labels, "count": int(value)} for labels, value in self._samples[name]]

    def total(self, name: str) -> int:
        """How often altogether."""
        return int(sum(value for _, value in self._samples[name]))

    def histograms(self, name: str, label: str) -> dict[str, Counts]:
        """The distribution for each value of a label of which anything was measured."""
        found: dict[str, dict[float, int]] = defaultdict(dict)
        for labels, value in self._samples[f"{name}_bucket"]:
            found[labels[label]][float(labels["le"])] = int(value)
        return {what: _apart(up_to) for what, up_to in found.items() if max(up_to.values())}


def _apart(up_to: Mapping[float, int]) -> Counts:
    """The counts of each bin, of those of all values up to each edge."""
    edges = sorted(up_to)
    sums = [0, *(up_to[edge] for edge in edges)]
    return Counts(tuple(edges[:-1]), tuple(sums[place + 1] - sums[place] for place in range(len(edges))))


def release_told(in_force: InForce | None) -> Mapping[str, Any] | None:
    """The release with the family of each version, the champion first."""
    if in_force is None:
        return None
    release = in_force.release
    parts = {part.version: part for part in release.parts}
    return {
        "number": release.number,
        "told": str(release),
        "action": release.action,
        "since": release.at,
        "by": release.by,
        "why": release.why,
        "advances": release.advances,
        "parts": [
            {
                "version": version,
                "role": parts[version].role,
                "share": parts[version].share,
                "family": in_force.versions[version].version.family,
            }
            for version in release.versions
        ],
    }


def troubles_told(service: Service, counted: Counted) -> Mapping[str, str]:
    """What is wrong in any worker, by what it is wrong with, in the words of this one if it knows of it."""
    own = troubles(service)
    wrong = [each["what"] for each in counted.by("perennial_trouble") if each["count"]]
    return {what: own.get(what) or ELSEWHERE for what in dict.fromkeys([*wrong, *filter(own.get, own)])}


@cache
def running_since() -> datetime:
    """When the service was started: the process that keeps its workers."""
    return datetime.fromtimestamp(psutil.Process(os.getppid()).create_time(), UTC)
