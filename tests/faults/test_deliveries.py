"""Bad deliveries through the ingest flow: a clear error or a quarantine reason, and no row is lost."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.errors import DeliveryError
from core.settings import Settings
from stages.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
MONTHS = range(1, 11)
# The fields that are planted into one row each, and the reason that each must bear.
PLANTED = {
    "null key": ("carrier", "NA", "carrier"),
    "impossible time": ("sched_dep_time", "2561", "sched_dep_time"),
    "impossible hour": ("hour", "25", "hour"),
    "negative distance": ("distance", "-5", "distance"),
    "unknown carrier": ("carrier", "ZZ", "carrier"),
    "wrong type": ("distance", "far", "distance"),
    "another month": ("time_hour", "2013-11-03T10:00:00Z", "scheduled_departure"),
}


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def damage(folder: Path) -> None:
    """Month by month, another fault; January and October stay as they are."""

    def path(month: int) -> Path:
        return folder / f"2013-{month:02}.csv"

    path(2).unlink()
    content = path(3).read_bytes()
    path(3).write_bytes(content[: content.index(b",", len(content) // 2)])
    read(path(4)).rename({"dep_delay": "departure_delay"}).write_csv(path(4))
    plant(path(5))
    twice = read(path(6))
    pl.concat([twice, twice]).write_csv(path(6))
    path(7).write_bytes(b"")
    read(path(8)).with_columns(distance=pl.lit("-5")).write_csv(path(8))
    path(9).write_bytes(path(1).read_bytes())


def plant(path: Path) -> None:
    rows = read(path).with_row_index("at")
    for row, (column, value, _) in enumerate(PLANTED.values()):
        rows = rows.with_columns(
            pl.when(pl.col("at") == row).then(pl.lit(value)).otherwise(column).alias(column)
        )
    rows.drop("at").write_csv(path)


@pytest.fixture(scope="module")
def ingested(
    make_project: Callable[..., Settings], inhabit: Callable[[Settings], AbstractContextManager[None]]
) -> Iterator[tuple[Workspace, str]]:
    """Ten damaged months, ingested once; the workspace, and what the flow said."""
    from flows.ingest import ingest

    settings = make_project(MONTHS, share=12)
    damage(settings.projects / "flights" / "delivered")
    with inhabit(settings):
        with pytest.raises(DeliveryError) as told:
            ingest("flights", AS_OF)
        yield open_workspace("flights"), str(told.value)


def held(workspace: Workspace, table: str, batch: str) -> pl.DataFrame:
    return workspace.lake.scan(f"{table}/flights", [batch]).collect()


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ("2013-02", ["2013-02.csv", "missing"]),
        ("2013-03", ["2013-03.csv", "truncated"]),
        ("2013-04", ["2013-04.csv", "'dep_delay'", "'departure_delay'"]),
        ("2013-07", ["2013-07.csv", "empty"]),
        ("2013-08", ["100.00%", "distance", "'-5'"]),
        ("2013-09", ["100.00%", "event_time_in_batch", "'2013-01-"]),
    ],
)
def test_a_batch_that_stops_is_named_with_the_reason(
    ingested: tuple[Workspace, str], batch: str, said: list[str]
) -> None:
    lines = [line for line in ingested[1].splitlines() if line.startswith(f"batch {batch} stopped:")]
    assert len(lines) == 1
    assert all(word in lines[0] for word in said), lines[0]


def test_the_other_batches_are_whole(ingested: tuple[Workspace, str]) -> None:
    workspace, told = ingested
    for batch in ("2013-01", "2013-10"):
        assert f"batch {batch}" not in told
        delivered = read(workspace.project.folder / "delivered" / f"{batch}.csv")
        assert (
            held(workspace, "raw", batch).height + held(workspace, "quarantine", batch).height
            == delivered.height
        )
        assert (
            workspace.lake.scan("features", [batch]).collect().height == held(workspace, "raw", batch).height
        )


def test_every_received_row_is_somewhere(ingested: tuple[Workspace, str]) -> None:
    workspace, _ = ingested
    for batch, facts in workspace.ledger.results("ingest/flights").items():
        delivered = read(workspace.project.folder / "delivered" / f"{batch}.csv").height
        accepted, quarantined = (
            held(workspace, "raw", batch).height,
            held(workspace, "quarantine", batch).height,
        )
        assert facts["received"] == delivered == accepted + quarantined
        assert (facts["accepted"], facts["quarantined"]) == (accepted, quarantined)


@pytest.mark.parametrize(("row", "planted"), enumerate(PLANTED.values()), ids=list(PLANTED))
def test_a_bad_row_is_set_aside_with_its_reason(
    ingested: tuple[Workspace, str], row: int, planted: tuple[str, str, str]
) -> None:
    column, value, blamed = planted
    aside = held(ingested[0], "quarantine", "2013-05").filter(pl.col("row") == row)
    assert aside.height == 1
    assert any(blamed in reason["column"] for reason in aside["reasons"][0]), aside["reasons"][0]
    assert (None if value == "NA" else value) == _record(aside)[column]
    assert held(ingested[0], "raw", "2013-05").filter(pl.col("row") == row).is_empty()


def _record(aside: pl.DataFrame) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(aside["record"][0])
    return found


def test_the_rest_of_a_batch_does_not_wait_for_its_bad_rows(ingested: tuple[Workspace, str]) -> None:
    aside = held(ingested[0], "quarantine", "2013-05")
    assert set(aside["row"]) == set(range(len(PLANTED)))


def test_rows_that_are_delivered_twice_are_there_once(ingested: tuple[Workspace, str]) -> None:
    accepted, aside = (held(ingested[0], table, "2013-06") for table in ("raw", "quarantine"))
    assert accepted.height == aside.height
    assert {reason["expectation"] for reasons in aside["reasons"] for reason in reasons} == {"delivered_once"}


def test_a_batch_of_bad_rows_stops_and_keeps_each_row(ingested: tuple[Workspace, str]) -> None:
    for batch in ("2013-08", "2013-09"):
        assert held(ingested[0], "raw", batch).is_empty()
        assert held(ingested[0], "quarantine", batch).height > 1000


def test_what_is_delivered_anew_changes_its_batch_alone(ingested: tuple[Workspace, str]) -> None:
    """October was good: with bad rows alone, nothing of it may be scored any more; April is mended."""
    from flows.ingest import ingest

    workspace, told = ingested
    before = workspace.ledger.results("ingest/flights")
    folder = workspace.project.folder / "delivered"
    april, october = folder / "2013-04.csv", folder / "2013-10.csv"
    good = october.read_bytes()
    assert workspace.lake.scan("features", ["2013-10"]).collect().height > 0
    read(october).with_columns(distance=pl.lit("-5")).write_csv(october)
    with pytest.raises(DeliveryError) as again:
        ingest("flights", AS_OF)
    assert "batch 2013-10 stopped" in str(again.value)
    assert set(told.splitlines()) < set(str(again.value).splitlines())
    for table in ("raw/flights", "features", "outcomes"):
        assert workspace.lake.scan(table, ["2013-10"]).collect().is_empty()
    assert {**workspace.ledger.results("ingest/flights"), "2013-10": before["2013-10"]} == before

    october.write_bytes(good)
    read(april).rename({"departure_delay": "dep_delay"}).write_csv(april)
    with pytest.raises(DeliveryError) as mended:
        ingest("flights", AS_OF)
    for batch in ("2013-04", "2013-10"):
        assert f"batch {batch}" not in str(mended.value)
    after = workspace.ledger.results("ingest/flights")
    assert after.pop("2013-04")["accepted"] == held(workspace, "raw", "2013-04").height > 0
    assert after == before
