"""Features are built again where what they were made from has changed, and nowhere else."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from stages.features.featurise import Featurised, featurise
from stages.stale import stale_features
from stages.workspace import Workspace

MakeTrips = Callable[..., pl.DataFrame]
AS_OF = datetime(2013, 3, 10, tzinfo=UTC)
DAYS = ("2013-03-01", "2013-03-02", "2013-03-03")


def build(workspace: Workspace) -> dict[str, Featurised]:
    return {batch.id: featurise(workspace, batch, AS_OF) for batch in workspace.batches(AS_OF)}


def stale(workspace: Workspace) -> list[str]:
    return [batch.id for batch in stale_features(workspace, workspace.batches(AS_OF))]


def built(workspace: Workspace, batch: str) -> pl.DataFrame:
    return workspace.lake.scan("features", [batch]).collect().sort("id")


@pytest.fixture
def featured(depot: Any, make_trips: MakeTrips) -> Any:
    """Three days of trips, ingested and featurised."""
    for day in (1, 2, 3):
        depot.deliver(f"{day}.csv", make_trips(day * 100, 12, day=day))
    depot.take_in()
    build(depot.open())
    return depot


def test_the_same_again_is_left_as_it_is(featured: Any) -> None:
    workspace = featured.open()
    version = workspace.lake.version("features")
    assert stale(workspace) == []
    build(workspace)
    assert workspace.lake.version("features") == version


def test_a_replaced_delivery_makes_stale_what_reaches_back_into_it(
    featured: Any, make_trips: MakeTrips
) -> None:
    # The trailing day and the day's maturity reach back two days from a decision, so one batch on.
    featured.deliver("2.csv", make_trips(200, 12, day=2, late="true"))
    featured.take_in()
    workspace = featured.open()
    before = {day: built(workspace, day) for day in DAYS}
    assert stale(workspace) == ["2013-03-02", "2013-03-03"]
    build(workspace)
    assert stale(workspace) == []
    assert [day for day in DAYS if not built(workspace, day).equals(before[day])] == [
        "2013-03-02",
        "2013-03-03",
    ]


def test_rows_that_are_set_aside_alone_make_nothing_stale(featured: Any, make_trips: MakeTrips) -> None:
    featured.deliver("bad.csv", make_trips(900, 2, day=2, paid="-1"))
    found = featured.take_in()["2013-03-02"]
    assert (found.accepted, found.quarantined) == (12, 2)
    assert stale(featured.open()) == []


def test_a_changed_declaration_builds_its_own_column_alone(
    featured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import stages.features.featurise as stage

    before = {day: built(featured.open(), day) for day in DAYS}
    featured.spec(lambda document: document["features"]["late_1d"].update(over="2d"))
    asked: list[set[str]] = []
    build_features = stage.build

    def counted(*arguments: Any) -> pl.DataFrame:
        asked.append(set(arguments[5]))
        return build_features(*arguments)

    monkeypatch.setattr(stage, "build", counted)
    workspace = featured.open()
    build(workspace)
    assert asked == [{"late_1d"}] * 3
    for day in DAYS:
        after = built(workspace, day)
        assert after.drop("late_1d").equals(before[day].drop("late_1d"))
    assert not built(workspace, DAYS[2])["late_1d"].equals(before[DAYS[2]]["late_1d"])


def test_columns_that_are_kept_are_those_of_a_build_from_scratch(featured: Any) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["features"]["late_1d"]["over"] = "2d"
        document["features"]["minute"] = {
            "from": "time",
            "column": "at",
            "part": "minute_of_day",
            "timezone": "UTC",
        }
        del document["features"]["hour"]

    featured.spec(edit)
    workspace = featured.open()
    build(workspace)
    kept = {day: built(workspace, day) for day in DAYS}
    for day in DAYS:
        workspace.ledger.forget("features", day)
    build(workspace)
    columns = [*workspace.spec.features, "id", "event_time", "decision_time"]
    for day in DAYS:
        assert kept[day].select(columns).equals(built(workspace, day).select(columns))


def test_weather_that_comes_late_makes_only_its_day_and_the_next_stale(featured: Any) -> None:
    line = '{"city": "Bergen", "at": "2013-03-02T09:00:00Z", "rain": 99, "known": "2013-03-02T09:10:00Z"}\n'
    (featured.folder / "weather" / "late.jsonl").write_text(line)
    featured.take_in()
    workspace = featured.open()
    assert "2013-03-01" not in stale(workspace)
    assert "2013-03-02" in stale(workspace)
    build(workspace)
    assert 99 in built(workspace, "2013-03-02")["rain"].to_list()


def test_a_batch_that_was_not_ingested_has_no_features(depot: Any) -> None:
    from core.errors import IntegrityError

    workspace = depot.open()
    with pytest.raises(IntegrityError, match="2013-03-01 of trips was not ingested"):
        featurise(workspace, workspace.batch("2013-03-01"), AS_OF)
