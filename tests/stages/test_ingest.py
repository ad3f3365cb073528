"""What is delivered late, twice, replaced or out of order is taken for what it is, and no row is lost."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.contents import content
from core.errors import DeliveryError, SpecError
from stages.data.deliver import deliver, pending
from stages.stale import forget_removed
from stages.workspace import Workspace

MakeTrips = Callable[..., pl.DataFrame]
AS_OF = datetime(2013, 3, 10, tzinfo=UTC)


def held(workspace: Workspace, table: str, batch: str, dataset: str = "trips") -> pl.DataFrame:
    return workspace.lake.scan(f"{table}/{dataset}", [batch]).collect()


def ids(workspace: Workspace, batch: str) -> list[int]:
    return sorted(held(workspace, "raw", batch)["id"].to_list())


def balanced(workspace: Workspace) -> None:
    """Every batch: received = accepted + quarantined, by count and by content."""
    for dataset in workspace.spec.datasets:
        for batch, facts in workspace.ledger.results(f"ingest/{dataset}").items():
            accepted, aside = (
                content(workspace.lake.scan(f"{table}/{dataset}", [batch])) for table in ("raw", "quarantine")
            )
            assert workspace.manifest.contents(dataset, [batch])[batch] == accepted + aside
            assert (facts["received"], facts["accepted"]) == (accepted.rows + aside.rows, accepted.rows)


def test_a_file_of_several_batches_is_cut_by_event_time(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("all.csv", pl.concat([make_trips(0, 5, day=1), make_trips(5, 4, day=2)]))
    found = depot.take_in()
    assert {batch: each.accepted for batch, each in found.items()} == {
        "2013-03-01": 5,
        "2013-03-02": 4,
        "2013-03-03": 0,
    }
    balanced(depot.open())


def test_a_late_file_joins_its_batch_and_leaves_the_others_alone(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", pl.concat([make_trips(0, 5, day=1), make_trips(5, 4, day=2)]))
    before = depot.take_in()
    depot.deliver("late.csv", make_trips(20, 3, day=1))
    after = depot.take_in()
    assert ids(depot.open(), "2013-03-01") == [0, 1, 2, 3, 4, 20, 21, 22]
    changed = {batch for batch in before if before[batch].fingerprint != after[batch].fingerprint}
    assert changed == {"2013-03-01"}
    balanced(depot.open())


def test_a_file_is_not_received_again_under_another_name(depot: Any, make_trips: MakeTrips) -> None:
    path = depot.deliver("a.csv", make_trips(0, 5))
    before = depot.take_in()
    (path.parent / "again.csv").write_bytes(path.read_bytes())
    assert depot.take_in() == before
    assert depot.open().manifest.present("trips")["inbox/again.csv"].repeats == "inbox/a.csv"


def test_a_renamed_file_changes_nothing(depot: Any, make_trips: MakeTrips) -> None:
    path = depot.deliver("a.csv", make_trips(0, 5))
    before = depot.take_in()
    path.rename(path.parent / "b.csv")
    assert depot.take_in() == before


def test_a_replaced_file_changes_the_batches_whose_rows_changed(depot: Any, make_trips: MakeTrips) -> None:
    first, second = make_trips(0, 5, day=1), make_trips(5, 4, day=2)
    depot.deliver("a.csv", pl.concat([first, second]))
    before = depot.take_in()
    version = depot.open().lake.version("raw/trips")
    depot.deliver("a.csv", pl.concat([first, second.with_columns(paid=pl.lit("7"))]))
    after = depot.take_in()
    changed = {batch for batch in before if before[batch].content != after[batch].content}
    assert changed == {"2013-03-02"}
    assert depot.open().lake.version("raw/trips") == version + 1
    assert held(depot.open(), "raw", "2013-03-02")["paid"].to_list() == [7.0] * 4
    balanced(depot.open())


def test_a_file_that_is_replaced_by_less_takes_rows_back(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", pl.concat([make_trips(0, 5, day=1), make_trips(5, 4, day=2)]))
    depot.take_in()
    depot.deliver("a.csv", make_trips(0, 5, day=1))
    assert depot.take_in()["2013-03-02"].received == 0
    assert held(depot.open(), "raw", "2013-03-02").is_empty()
    balanced(depot.open())


def test_what_was_delivered_stays_when_the_inbox_is_emptied(depot: Any, make_trips: MakeTrips) -> None:
    path = depot.deliver("a.csv", make_trips(0, 5))
    depot.deliver("b.csv", make_trips(9, 1))
    depot.take_in()
    path.unlink()
    depot.deliver("c.csv", make_trips(20, 2))
    assert depot.take_in()["2013-03-01"].accepted == 8


def test_the_order_of_deliveries_is_of_no_account(depot: Any, make_trips: MakeTrips, tmp_path: Path) -> None:
    other = type(depot)(tmp_path / "other")
    rows = make_trips(0, 8)
    files = {"a.csv": rows.head(5), "b.csv": rows.tail(5), "c.csv": make_trips(30, 2, day=2)}
    for name, rows in files.items():
        depot.deliver(name, rows)
        depot.take_in()
    for name, rows in reversed(files.items()):
        other.deliver(name, rows)
        other.take_in()
    for table in ("raw", "quarantine"):
        one, two = held(depot.open(), table, "2013-03-01"), held(other.open(), table, "2013-03-01")
        assert one.sort("row").equals(two.sort("row"))
    assert one.height == 2  # the rows that both files held


def test_a_touched_file_with_the_same_content_changes_nothing(depot: Any, make_trips: MakeTrips) -> None:
    path = depot.deliver("a.csv", make_trips(0, 5))
    before = depot.take_in()
    path.write_bytes(path.read_bytes())
    assert depot.take_in() == before
    assert pending(depot.open(), "trips", depot.open().batches(AS_OF)) == []


def test_a_row_without_a_time_is_received_once_and_set_aside(depot: Any, make_trips: MakeTrips) -> None:
    untimed = [make_trips(9, 1, at="soon"), make_trips(8, 1, at="")]
    depot.deliver("a.csv", pl.concat([make_trips(0, 5), *untimed]))
    found = depot.take_in()
    assert (found["2013-03-01"].accepted, found["2013-03-01"].quarantined) == (5, 2)
    aside = held(depot.open(), "quarantine", "2013-03-01")
    assert set(aside["delivery"]) == {"inbox/a.csv"} and aside["position"].to_list() == [5, 6]
    balanced(depot.open())


def test_a_damaged_file_stops_no_other(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", make_trips(0, 5))
    (depot.folder / "inbox" / "damaged.csv").write_text('id,at,city,paid,late,seen\n1,"2013')
    workspace = depot.open()
    depot_items = {item.name: item for item in pending(workspace, "trips", workspace.batches(AS_OF))}
    with pytest.raises(DeliveryError, match=r"damaged\.csv"):
        deliver(workspace, "trips", depot_items["inbox/damaged.csv"], AS_OF)
    deliver(workspace, "trips", depot_items["inbox/a.csv"], AS_OF)
    assert workspace.manifest.contents("trips", ["2013-03-01"])["2013-03-01"].rows == 5
    assert "damaged" in workspace.ledger.results("refuse/trips")["inbox/damaged.csv"]["why"]


def test_staged_rows_that_are_deleted_are_staged_anew(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", make_trips(0, 5))
    before = depot.take_in()
    for path in depot.settings.staging.iterdir():
        path.unlink()
    depot.suite("trips", {"max_value: 100": "max_value: 2"})
    after = depot.take_in()["2013-03-01"]
    assert (before["2013-03-01"].accepted, after.accepted, after.quarantined) == (5, 3, 2)


def test_another_suite_judges_again_and_what_passes_alike_stays(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", make_trips(0, 5))
    before = depot.take_in()["2013-03-01"]
    depot.suite("trips", {"max_value: 100": "max_value: 101"})
    after = depot.take_in()["2013-03-01"]
    assert before.fingerprint != after.fingerprint
    assert before.content == after.content


def test_a_growing_reference_makes_rows_right(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", pl.concat([make_trips(0, 5), make_trips(9, 1, city="Dún Laoghaire")]))
    assert depot.take_in()["2013-03-01"].quarantined == 1
    with (depot.folder / "cities.csv").open("a") as file:
        file.write("Dún Laoghaire,1834\n")
    assert depot.take_in()["2013-03-01"].quarantined == 0
    balanced(depot.open())


def test_other_words_for_nothing_read_the_same_file_anew(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", pl.concat([make_trips(0, 5), make_trips(9, 1, paid="none")]))
    assert depot.take_in()["2013-03-01"].quarantined == 1
    depot.spec(lambda document: document["datasets"]["trips"]["source"].update(nulls=["", "none"]))
    assert depot.take_in()["2013-03-01"].quarantined == 0
    balanced(depot.open())


def test_a_longer_calendar_places_what_has_left_the_inbox(depot: Any, make_trips: MakeTrips) -> None:
    path = depot.deliver("a.csv", pl.concat([make_trips(0, 5, day=3), make_trips(9, 2, day=4)]))
    depot.deliver("b.csv", make_trips(20, 1, day=1))
    assert depot.take_in()["2013-03-03"].quarantined == 2  # of a day that the calendar does not have
    path.unlink()
    depot.spec(lambda document: document["batches"].update(end="2013-03-05"))
    found = depot.take_in()
    assert (found["2013-03-03"].accepted, found["2013-03-03"].quarantined) == (5, 0)
    assert found["2013-03-04"].accepted == 2
    balanced(depot.open())


def test_a_table_that_was_removed_is_written_again(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("a.csv", make_trips(0, 5))
    before = depot.take_in()
    shutil.rmtree(Path(depot.settings.lake) / "trips" / "raw")
    forget_removed(depot.open())
    assert depot.take_in() == before
    balanced(depot.open())


def test_a_suite_that_is_not_there_is_a_sentence_that_says_how_to_begin(depot: Any) -> None:
    (depot.settings.suites / "trips" / "cities.yaml").unlink()
    with pytest.raises(SpecError, match=r"cities\.yaml: there is no such file: begin with .* DATASET=cities"):
        depot.take_in()


def test_batches_that_are_named_but_not_over_are_told(depot: Any) -> None:
    workspace, noon = depot.open(), datetime(2013, 3, 2, 12, tzinfo=UTC)
    assert [batch.id for batch in workspace.batches(noon, "2013-03-01", "2013-03-03")] == ["2013-03-01"]
    with pytest.raises(SpecError, match=r"batch 2013-03-02 ends at .*: wait for it"):
        workspace.batches(noon, "2013-03-02")


def test_an_unknown_dataset_is_told_with_the_nearest(depot: Any) -> None:
    assert depot.open().dataset(None) == "trips"
    with pytest.raises(SpecError, match="no dataset 'citys'; did you mean 'cities'"):
        depot.open().dataset("citys")
