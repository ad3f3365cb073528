"""Requests are answered from what was ingested: late rows reach the online store, old ones leave it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.online.request import Online
from features.online.store import open_store
from stages.features.featurise import featurise
from stages.features.publish import publish
from stages.workspace import Workspace

MakeTrips = Callable[..., pl.DataFrame]
AS_OF = datetime(2013, 3, 4, tzinfo=UTC)


def online(workspace: Workspace) -> Online:
    store = open_store(workspace.settings.online, workspace.spec.name)
    return Online(workspace.spec, workspace.project.functions, store, workspace.tables())


def parts(workspace: Workspace) -> set[str]:
    store = open_store(workspace.settings.online, workspace.spec.name)
    return {part.split("/", 1)[1] for part in store.parts()}


def test_a_request_gets_what_the_feature_table_has(depot: Any, make_trips: MakeTrips) -> None:
    for day in (1, 2, 3):
        depot.deliver(f"{day}.csv", make_trips(day * 100, 20, day=day))
    depot.take_in()
    workspace = depot.open()
    batch = workspace.batch("2013-03-03")
    featurise(workspace, batch, AS_OF)
    publish(workspace, AS_OF)
    service = online(workspace)
    rows = workspace.lake.scan("features", [batch.id]).collect()
    events = workspace.lake.scan("raw/trips", [batch.id]).collect()
    asked = rows.join(events.select("id", "at", "city"), on="id", suffix=":event")
    for row in asked.iter_rows(named=True):
        request = {name: row.get(f"{name}:event", row[name]) for name in ("id", "at", "city")}
        found = service.features(request, row["decision_time"])
        assert found == {name: row[name] for name in found}


def test_late_rows_and_new_days_are_published_and_old_days_dropped(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 20, day=1))
    depot.take_in()
    publish(depot.open(), datetime(2013, 3, 2, tzinfo=UTC))
    assert "trips/2013-03-01" in parts(depot.open())
    assert publish(depot.open(), datetime(2013, 3, 2, tzinfo=UTC)) == []
    depot.deliver("late.csv", make_trips(500, 1, day=1))
    depot.take_in()
    again = publish(depot.open(), datetime(2013, 3, 2, tzinfo=UTC))
    assert [each.part.split("/", 1)[1] for each in again] == ["trips/2013-03-01"]
    publish(depot.open(), AS_OF + timedelta(days=5))
    assert "trips/2013-03-01" not in parts(depot.open())


def test_long_after_the_last_batch_requests_are_answered(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 20, day=1))
    depot.take_in()
    now = AS_OF + timedelta(days=400)
    for _ in range(2):
        publish(depot.open(), now)
        found = online(depot.open()).features({"city": "Bergen", "at": now}, now)
        assert found == {"city": "Bergen", "hour": 0.0, "founded": 1070.0, "rain": None, "late_1d": None}
    assert len([part for part in parts(depot.open()) if part.startswith("trips/")]) == 1


def test_a_lost_store_is_filled_again(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 20, day=1))
    depot.take_in()
    first = publish(depot.open(), AS_OF)
    for path in depot.settings.home.glob("online.db*"):
        path.unlink()
    assert publish(depot.open(), AS_OF) == first


def test_a_store_restored_from_an_older_copy_is_brought_up_to_date(depot: Any, make_trips: MakeTrips) -> None:
    depot.deliver("1.csv", make_trips(100, 20, day=3))
    depot.take_in()
    publish(depot.open(), AS_OF)
    place, older = depot.settings.home / "online.db", depot.settings.home / "older.db"
    with closing(sqlite3.connect(place)) as store:
        store.execute("VACUUM INTO ?", (str(older),))
    depot.deliver("late.csv", make_trips(500, 1, day=3))
    depot.take_in()
    (again,) = publish(depot.open(), AS_OF)
    for path in depot.settings.home.glob("online.db*"):
        path.unlink()
    older.rename(place)
    assert publish(depot.open(), AS_OF) == [again]
    assert publish(depot.open(), AS_OF) == []
