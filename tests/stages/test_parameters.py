"""A batch is compared with what came before it: volume, freshness, distribution, other tables."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from core.errors import SpecError

MakeTrips = Callable[..., pl.DataFrame]
UNIQUE = "  - {type: expect_column_values_to_be_unique, severity: warning, kwargs: {column: id}}\n"


def with_entry(entry: str) -> dict[str, str]:
    return {UNIQUE: UNIQUE + f"  - {entry}\n"}


VOLUME = (
    "{type: expect_table_row_count_to_be_between, severity: critical,"
    " kwargs: {min_value: {$PARAMETER: trailing.rows * 0.5}, max_value: {$PARAMETER: trailing.rows * 2}}}"
)
FRESH = (
    "{type: expect_column_max_to_be_between, severity: critical,"
    " kwargs: {column: at, min_value: {$PARAMETER: batch.end - 6h}}}"
)
LIKE_THE_FIRST = (
    "{type: expect_column_kl_divergence_to_be_less_than, severity: critical,"
    " kwargs: {column: city, partition_object: {$PARAMETER: reference.city}, threshold: 0.2}}"
)


def test_volume_is_that_of_the_batches_before(depot: Any, make_trips: MakeTrips) -> None:
    for day, count in ((1, 20), (2, 24), (3, 9)):
        depot.deliver(f"{day}.csv", make_trips(day * 100, count, day=day))
    depot.suite("trips", with_entry(VOLUME))
    found = depot.take_in()
    assert found["2013-03-01"].stopped is None  # there is nothing before it
    assert found["2013-03-02"].stopped is None
    # The median of 20 and 24 is 22, and half of it 11.
    assert found["2013-03-03"].stopped is not None
    assert "9 is not between 11 and 44" in found["2013-03-03"].stopped


def test_what_came_before_is_what_was_delivered_whatever_became_of_it(
    depot: Any, make_trips: MakeTrips
) -> None:
    """Batches are judged side by side: none may wait for what another was found to be."""
    depot.deliver("1.csv", make_trips(100, 20, day=1, paid="-1"))
    depot.deliver("2.csv", make_trips(200, 20, day=2))
    depot.suite("trips", with_entry(VOLUME))
    found = depot.take_in()
    assert found["2013-03-01"].stopped is not None
    assert found["2013-03-02"].accepted == 20


def test_a_late_file_changes_what_later_batches_are_compared_with(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 4, day=1))
    depot.deliver("2.csv", make_trips(200, 20, day=2))
    depot.suite("trips", with_entry(VOLUME))
    assert depot.take_in()["2013-03-02"].stopped is not None
    depot.deliver("late.csv", make_trips(500, 16, day=1))
    assert depot.take_in()["2013-03-02"].stopped is None


def test_a_batch_that_ends_early_is_not_fresh(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 24, day=1))
    depot.deliver("2.csv", make_trips(200, 12, day=2))
    depot.suite("trips", with_entry(FRESH))
    found = depot.take_in()
    assert found["2013-03-01"].stopped is None
    assert found["2013-03-02"].stopped is not None


@pytest.mark.parametrize("first", ["2013-03-01", "2013-03-03"])
def test_a_distribution_is_compared_with_the_reference_batch(
    depot: Any, make_trips: MakeTrips, first: str
) -> None:
    """The same three days, compared with one of the usual ones and with the odd one."""
    for day in (1, 2):
        depot.deliver(f"{day}.csv", make_trips(day * 100, 24, day=day))
    depot.deliver("3.csv", make_trips(300, 24, day=3, city="Bergen"))
    depot.suite("trips", with_entry(LIKE_THE_FIRST))
    depot.spec(lambda document: document["datasets"]["trips"].update(reference=first))
    workspace = depot.open()
    from stages.data.deliver import deliver, pending
    from stages.data.ingest import ingest
    from stages.data.parameters import compared_with

    as_of = workspace.batch("2013-03-03").end
    for dataset in ("cities", "trips"):
        batches = [] if dataset == "cities" else workspace.batches(as_of)
        for item in pending(workspace, dataset, batches):
            deliver(workspace, dataset, item, as_of)
    ingest(workspace, "cities", None, as_of)
    assert compared_with(workspace, "trips") == first
    order = sorted(workspace.batches(as_of), key=lambda batch: batch.id != first)
    stopped = [batch.id for batch in order if ingest(workspace, "trips", batch, as_of).stopped]
    assert stopped == (["2013-03-03"] if first == "2013-03-01" else ["2013-03-01", "2013-03-02"])


def test_a_parameter_that_means_nothing_is_named(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 4, day=1))
    depot.suite("trips", {"cities.city": "citties.city"})
    with pytest.raises(SpecError, match=r"citties\.city"):
        depot.take_in()
