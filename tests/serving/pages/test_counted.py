"""What was counted, as the page gets it, and kept for who opens it later."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram

from serving.pages.counted import Counted, Counts
from serving.pages.past import EVERY, KEPT, Keeper, past_looks


def test_distributions_are_told_bin_by_bin_and_what_was_never_measured_is_not() -> None:
    registry = CollectorRegistry()
    seconds = Histogram("seconds", "", ["route"], buckets=(0.1, 1), registry=registry)
    for value in (0.05, 0.1, 0.5, 0.7, 2, 3, 4):
        seconds.labels("/asked").observe(value)
    seconds.labels("/never")
    assert Counted(registry).histograms("seconds", "route") == {"/asked": Counts((0.1, 1), (2, 2, 3))}


def test_counts_lie_beside_their_labels_and_sum_up() -> None:
    registry = CollectorRegistry()
    requests = Counter("requests", "", ["status"], registry=registry)
    requests.labels("200").inc(3)
    requests.labels("503").inc()
    counted = Counted(registry)
    assert counted.by("requests_total") == [{"status": "200", "count": 3}, {"status": "503", "count": 1}]
    assert counted.total("requests_total") == 4 and counted.total("nothing_of_that_name") == 0


def test_the_last_minutes_are_kept_and_no_more(tmp_path: Path) -> None:
    assert past_looks(tmp_path) == past_looks(None) == []
    keeper = Keeper(tmp_path)
    for _ in range(KEPT + 3):
        keeper.look()
    told = [look["told_at"] for look in past_looks(tmp_path)]
    assert len(told) == KEPT and told == sorted(told)
    assert (KEPT - 1) * EVERY > 300  # what the page draws
