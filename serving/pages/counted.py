"""What all workers of the service have counted together since it runs."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from serving.metrics import registry


@dataclass(frozen=True, slots=True)
class Counts:
    """How many values fell into each bin: up to each of the `edges`, and in the end above all of them."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


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


def counted_so_far() -> dict[str, Any]:
    """The requests, rows and answers so far, how long they took, and what is wrong."""
    counted = Counted(registry())
    logged = {each["state"]: each["count"] for each in counted.by("perennial_log_rows_total")}
    return {
        "requests": counted.by("perennial_requests_total"),
        "seconds": counted.histograms("perennial_request_seconds", "route"),
        "rows": counted.by("perennial_rows_total"),
        "version_seconds": counted.histograms("perennial_version_seconds", "version"),
        "answers": counted.histograms("perennial_predictions", "version"),
        "failed_rows": counted.by("perennial_failed_rows_total"),
        "degraded_rows": counted.total("perennial_degraded_rows_total"),
        "log": {**logged, "waiting": counted.total("perennial_log_waiting_rows")},
        "wrong": [each["what"] for each in counted.by("perennial_trouble") if each["count"]],
    }


def _apart(up_to: Mapping[float, int]) -> Counts:
    """The counts of each bin, of those of all values up to each edge."""
    edges = sorted(up_to)
    sums = [0, *(up_to[edge] for edge in edges)]
    return Counts(tuple(edges[:-1]), tuple(sums[place + 1] - sums[place] for place in range(len(edges))))
