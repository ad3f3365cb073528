"""Set-aside rows that pass the present suite join their batch, each once, and the others stay aside."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from core.errors import PerennialError
from stages.data.release_quarantine import release_quarantine
from stages.workspace import Workspace

MakeTrips = Callable[..., pl.DataFrame]
AS_OF = datetime(2013, 3, 11, tzinfo=UTC)
BATCH = "2013-03-01"


def held(workspace: Workspace, table: str) -> pl.DataFrame:
    return workspace.lake.scan(f"{table}/trips", [BATCH]).collect().sort("row")


@pytest.fixture
def dirty(depot: Any, make_trips: MakeTrips) -> Any:
    """Eight good trips; one too dear, one of nowhere, one without an id, one repeated, one malformed."""
    rows = pl.concat(
        [
            make_trips(0, 8),
            make_trips(50, 1, paid="150.5"),
            make_trips(51, 1, city="Paris"),
            make_trips(52, 1, id=""),
            make_trips(0, 1),
        ]
    )
    path = depot.deliver("a.csv", rows)
    with path.open("a") as file:
        file.write("1,2\n")
    found = depot.take_in()[BATCH]
    assert (found.received, found.accepted, found.quarantined) == (13, 8, 5)
    return depot


def again(depot: Any) -> Any:
    workspace = depot.open()
    return release_quarantine(workspace, "trips", workspace.batch(BATCH), AS_OF)


def test_nothing_is_released_while_the_suite_is_the_same(dirty: Any) -> None:
    before = [held(dirty.open(), table).drop("as_of", strict=False) for table in ("raw", "quarantine")]
    found = again(dirty)
    assert (found.accepted, found.quarantined, found.released) == (8, 5, 0)
    after = [held(dirty.open(), table).drop("as_of", strict=False) for table in ("raw", "quarantine")]
    assert all(one.equals(two) for one, two in zip(before, after, strict=True))


def test_what_passes_the_present_suite_joins_its_batch_as_it_was_delivered(dirty: Any) -> None:
    dirty.suite("trips", {"max_value: 100": "max_value: 200"})
    found = again(dirty)
    assert (found.received, found.accepted, found.quarantined, found.released) == (13, 9, 4, 1)
    row = held(dirty.open(), "raw").filter(pl.col("id") == 50).row(0, named=True)
    assert (row["paid"], row["city"], row["late"]) == (150.5, "Cádiz", False)
    assert row["at"] == datetime(2013, 3, 1, tzinfo=UTC)


def test_released_twice_is_released_once(dirty: Any) -> None:
    dirty.suite("trips", {"max_value: 100": "max_value: 200"})
    first, second = again(dirty), again(dirty)
    assert (first.accepted, first.quarantined) == (second.accepted, second.quarantined) == (9, 4)
    assert held(dirty.open(), "raw")["row"].is_unique().all()


def test_a_release_gives_what_a_new_ingest_would(dirty: Any) -> None:
    dirty.suite("trips", {"max_value: 100": "max_value: 200"})
    again(dirty)
    released = [held(dirty.open(), table).drop("as_of", strict=False) for table in ("raw", "quarantine")]
    dirty.open().ledger.forget("ingest/trips", BATCH)
    dirty.take_in()
    anew = [held(dirty.open(), table).drop("as_of", strict=False) for table in ("raw", "quarantine")]
    for one, two in zip(released, anew, strict=True):
        assert one.select(two.columns).equals(two)


def test_a_release_does_not_need_the_delivery_any_more(dirty: Any) -> None:
    (dirty.folder / "inbox" / "a.csv").unlink()
    for path in dirty.settings.staging.iterdir():
        path.unlink()
    dirty.suite("trips", {"max_value: 100": "max_value: 200"})
    assert again(dirty).released == 1


def test_accepted_rows_are_left_alone_and_judged_by_the_next_ingest(dirty: Any) -> None:
    dirty.suite("trips", {"max_value: 100": "max_value: 200", "min_value: 0": "min_value: 2"})
    assert again(dirty).accepted == 9  # though the rows that paid 0 and 1 would not pass today
    assert dirty.take_in()[BATCH].accepted == 7


def test_a_batch_that_would_stop_today_lets_nothing_in_and_stops_with_the_next_ingest(dirty: Any) -> None:
    enough = "{type: expect_table_row_count_to_be_between, severity: critical, kwargs: {min_value: 100}}"
    dirty.suite(
        "trips", {"expectations:\n": f"expectations:\n  - {enough}\n", "max_value: 100": "max_value: 200"}
    )
    found = again(dirty)
    assert (found.accepted, found.released) == (8, 0)
    assert found.stopped is not None and "row count" in found.stopped
    assert dirty.take_in()[BATCH].accepted == 0


def test_a_key_is_unique_among_accepted_and_released(dirty: Any, make_trips: MakeTrips) -> None:
    dirty.deliver("b.csv", make_trips(3, 1, paid="-1"))  # another trip of the id 3, set aside for its price
    before = dirty.take_in()[BATCH]
    dirty.suite("trips", {"min_value: 0": "min_value: -5"})
    found = again(dirty)
    assert found.released == 0
    assert found.quarantined == before.quarantined


def test_a_batch_that_stopped_is_released_whole(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", make_trips(0, 6, paid="500"))
    stopped = depot.take_in()[BATCH]
    assert stopped.accepted == 0 and stopped.stopped is not None
    depot.suite("trips", {"max_value: 100": "max_value: 900"})
    found = again(depot)
    assert (found.accepted, found.quarantined, found.stopped) == (6, 0, None)


def test_a_batch_that_would_still_stop_stays_aside(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", pl.concat([make_trips(0, 5, paid="500"), make_trips(9, 1)]))
    depot.take_in()
    depot.suite("trips", {"max_value: 100": "max_value: 101"})
    found = again(depot)
    assert found.accepted == 0
    assert found.stopped is not None and "paid" in found.stopped


class Killed(BaseException):
    pass


class KillingLake:
    """A lake whose process dies before its n-th write."""

    def __init__(self, lake: Any, writes: int) -> None:
        self._lake, self._left = lake, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def write(self, *arguments: object) -> object:
        if not self._left:
            raise Killed
        self._left -= 1
        return self._lake.write(*arguments)


@pytest.mark.parametrize("writes", [0, 1])
@pytest.mark.parametrize("then", ["release", "ingest"])
def test_a_killed_release_loses_and_doubles_nothing(dirty: Any, writes: int, then: str) -> None:
    from dataclasses import replace

    dirty.suite("trips", {"max_value: 100": "max_value: 200"})
    workspace = dirty.open()
    with pytest.raises(Killed):
        release_quarantine(
            replace(workspace, lake=KillingLake(workspace.lake, writes)),
            "trips",
            workspace.batch(BATCH),
            AS_OF,
        )
    found = again(dirty) if then == "release" else dirty.take_in()[BATCH]
    assert (found.received, found.accepted, found.quarantined) == (13, 9, 4)
    both = pl.concat([held(dirty.open(), table).select("row") for table in ("raw", "quarantine")])
    assert sorted(both["row"]) == list(range(13))


def test_prepared_columns_that_the_lake_holds_wider_are_no_hindrance(
    depot: Any, make_trips: MakeTrips
) -> None:
    code = (
        "import polars as pl\n"
        "def prepare(frame, tables):\n"
        "    return frame.with_columns(letters=pl.col('city').str.len_chars(),\n"
        "        kind=pl.col('city').cast(pl.Categorical), small=pl.col('id').cast(pl.UInt8, strict=False))\n"
    )
    (depot.folder / "functions.py").write_text(code)
    depot.spec(lambda document: document["datasets"]["trips"].update(prepare="prepare"))
    depot.deliver("a.csv", pl.concat([make_trips(0, 5), make_trips(9, 1, paid="150")]))
    depot.take_in()
    depot.suite("trips", {"max_value: 100": "max_value: 200"})
    found = again(depot)
    assert (found.accepted, found.quarantined) == (6, 0)
    released = held(depot.open(), "raw")
    depot.open().ledger.forget("ingest/trips", BATCH)
    assert depot.take_in()[BATCH].content == found.content
    assert held(depot.open(), "raw").equals(released.select(held(depot.open(), "raw").columns))


def test_what_was_delivered_anew_is_ingested_first(dirty: Any, make_trips: MakeTrips) -> None:
    from stages.data.deliver import deliver, pending

    dirty.deliver("late.csv", make_trips(70, 2))
    workspace = dirty.open()
    for item in pending(workspace, "trips", workspace.batches(AS_OF)):
        deliver(workspace, "trips", item, AS_OF)
    before = workspace.ledger.result("ingest/trips", BATCH)
    with pytest.raises(PerennialError, match="was delivered anew: ingest it, then release"):
        again(dirty)
    assert workspace.ledger.result("ingest/trips", BATCH) == before
    assert dirty.take_in()[BATCH].received == 15


def test_a_batch_that_was_never_ingested_cannot_be_released(depot: Any) -> None:
    with pytest.raises(PerennialError, match="not ingested"):
        again(depot)
