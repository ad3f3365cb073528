"""Events without a time: so many rows, in the order of their delivery, make a batch."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from core.errors import SpecError
from core.projects import load
from core.settings import Settings
from stages.data.deliver import deliver, pending
from stages.data.ingest import Ingested, ingest
from stages.data.release_quarantine import release_quarantine
from stages.features.featurise import featurise, labelled
from stages.workspace import Workspace, open_workspace

AS_OF = datetime(2001, 1, 6, tzinfo=UTC)
SPEC = """
name: stones
title: Stones
objective: {business: know, learning: predict}
problem: regression
batches: {every: 1d, start: 2001-01-01, end: 2001-01-06, rows: 10}
events: stones
datasets:
  stones:
    source: {kind: files, path: "inbox/*.csv"}
    columns: {carat: float, price: integer}
    key: [counted_at]
    prepare: known
    event_time: counted_at
    known_at: known_at
decision: {before: counted_at, lead: 0s}
outcome: {label: price, known_at: known_at, maturity: 1h}
features: {carat: {from: row, column: carat, kind: number}}
quarantine: {max_share: 0.5}
monitoring: {drift: null}
"""
FUNCTIONS = """
import polars as pl

def known(frame, tables):
    return frame.with_columns(known_at=pl.col("counted_at") + pl.duration(hours=1))
"""
SUITE = """
name: stones
version: 1
expectations:
  - {type: expect_column_values_to_be_between, severity: warning, kwargs: {column: price, max_value: %s}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of stones, and its inbox with one file of 25 rows, whose prices count from 0."""
    project = tmp_path / "projects" / "stones"
    (project / "inbox").mkdir(parents=True)
    (project / "project.yaml").write_text(SPEC)
    (project / "functions.py").write_text(FUNCTIONS)
    suite = tmp_path / "expectations" / "stones" / "stones.yaml"
    suite.parent.mkdir(parents=True)
    suite.write_text(SUITE % 1000)
    give(project, "a.csv", range(25))
    return Settings(home=tmp_path / "home", projects=tmp_path / "projects", suites=tmp_path / "expectations")


def give(project: Path, name: str, prices: range) -> None:
    """Deliver a file of these prices, all of one weight: rows of equal prices are the same in all."""
    pl.DataFrame({"carat": [0.5] * len(prices), "price": list(prices)}).write_csv(project / "inbox" / name)


def taken_in(settings: Settings) -> tuple[Workspace, dict[str, Ingested]]:
    workspace = open_workspace("stones", settings)
    batches = workspace.batches(AS_OF)
    for item in pending(workspace, "stones", batches):
        deliver(workspace, "stones", item, AS_OF)
    found = {batch.id: ingest(workspace, "stones", batch, AS_OF) for batch in batches}
    return workspace, {name: each for name, each in found.items() if each.received}


def prices(workspace: Workspace, batch: str) -> list[int]:
    return workspace.lake.scan("raw/stones", [batch]).collect().sort("counted_at")["price"].to_list()


def test_so_many_rows_make_a_batch_and_a_later_file_goes_on_behind_the_first(settings: Settings) -> None:
    workspace, found = taken_in(settings)
    assert [each.received for each in found.values()] == [10, 10, 5]
    give(workspace.project.folder, "0.csv", range(25, 40))  # whose name comes first, and which came later
    workspace, found = taken_in(settings)
    assert {name: each.received for name, each in found.items()} == {
        "2001-01-01": 10,
        "2001-01-02": 10,
        "2001-01-03": 10,
        "2001-01-04": 10,
    }
    assert [prices(workspace, batch) for batch in found] == [
        list(range(start, start + 10)) for start in range(0, 40, 10)
    ]
    assert all(each.received == each.accepted + each.quarantined for each in found.values())
    assert pending(workspace, "stones", workspace.batches(AS_OF)) == []


def test_a_file_that_grows_keeps_its_place_and_a_copy_of_it_adds_nothing(settings: Settings) -> None:
    workspace, _ = taken_in(settings)
    give(workspace.project.folder, "a.csv", range(32))
    give(workspace.project.folder, "copy.csv", range(32))
    workspace, found = taken_in(settings)
    assert [each.received for each in found.values()] == [10, 10, 10, 2]
    assert prices(workspace, "2001-01-03") == list(range(20, 30))


def test_rows_that_are_alike_are_two_events_and_each_has_its_own_label(settings: Settings) -> None:
    give(settings.projects / "stones", "a.csv", range(7, 8))
    (settings.projects / "stones" / "inbox" / "b.csv").write_text("carat,price\n" + "0.5,7\n" * 19)
    workspace, found = taken_in(settings)
    assert [each.accepted for each in found.values()] == [10, 10]
    for batch in found:
        featurise(workspace, workspace.batch(batch), AS_OF)
    assert labelled(workspace, AS_OF).height == 20


def test_what_is_released_joins_its_batch_at_its_place(settings: Settings) -> None:
    give(settings.projects / "stones", "b.csv", range(25, 40))
    suite = settings.suites / "stones" / "stones.yaml"
    suite.write_text(SUITE % 31)
    workspace, found = taken_in(settings)
    assert found["2001-01-04"].stopped  # all of its prices are above 31 there
    suite.write_text(SUITE % 1000)
    release_quarantine(workspace, "stones", workspace.batch("2001-01-04"), AS_OF)
    assert prices(workspace, "2001-01-04") == list(range(30, 40))


def test_rows_beyond_the_calendar_are_set_aside_and_not_lost(settings: Settings) -> None:
    give(settings.projects / "stones", "a.csv", range(52))
    _, found = taken_in(settings)
    assert sum(each.received for each in found.values()) == 52
    assert sum(each.quarantined for each in found.values()) == 2


@pytest.mark.parametrize(
    ("wrong", "right", "why"),
    [
        ("every: 1d", "every: 1mo", "which are of one length"),
        ("columns: {", "columns: {counted_at: datetime, ", "has a time made"),
        ("inbox/*.csv", "inbox/{batch}.csv", "counts rows that come in none"),
    ],
)
def test_rows_are_counted_only_where_they_can_be(
    settings: Settings, wrong: str, right: str, why: str
) -> None:
    path = settings.projects / "stones" / "project.yaml"
    path.write_text(SPEC.replace(wrong, right))
    with pytest.raises(SpecError, match=why):
        load("stones", settings)
