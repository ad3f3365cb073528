"""Backfill and release through their flows: an interval anew, and what was made from it, and no more."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from core.settings import Settings
from stages.stale import stale_features, stale_judgements, stale_scores
from stages.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)


def quick(document: dict[str, Any]) -> None:
    document["training"] = {"first_batches": 2, "families": ["lightgbm"]}
    calm = {"draws": 200, "confidence": 0.6, "max_calibration_error": 0.5}
    document["gate"] = document.get("gate", {}) | calm


@pytest.fixture(scope="module")
def lived(
    make_project: Callable[..., Settings], inhabit: Callable[..., AbstractContextManager[None]]
) -> Iterator[Workspace]:
    """Four months lived through: a champion after February, March and April scored and judged."""
    from flows.lifecycle import lifecycle

    settings = make_project(range(1, 5), edit=quick)
    with inhabit(settings):
        lifecycle("flights", AS_OF)
        workspace = open_workspace("flights")
        assert workspace.champion(AS_OF)
        yield workspace


def stale(workspace: Workspace) -> list[list[str]]:
    batches = workspace.batches(AS_OF)
    return [
        [batch.id for batch in of(workspace, batches)]
        for of in (stale_features, stale_scores, stale_judgements)
    ]


def test_a_backfill_makes_again_what_was_made_from_the_interval(lived: Workspace) -> None:
    from flows.backfill import backfill

    assert stale(lived) == [[], [], []]
    file = lived.project.folder / "delivered" / "2013-03.csv"
    rows = pl.read_csv(file, infer_schema=False)
    version = {table: lived.lake.version(table) for table in ("features", "predictions", "metrics")}
    before = {batch: lived.ledger.result("score", batch) for batch in ("2013-03", "2013-04")}
    rows.with_columns(
        arr_delay=pl.when(pl.col("day") == "31").then(pl.lit("99")).otherwise("arr_delay")
    ).write_csv(file)
    found = backfill("flights", AS_OF, "2013-03-15", "2013-03-20")
    assert [each.batch for each in found if each.dataset == "flights"] == ["2013-03"]
    assert stale(lived) == [[], [], []]
    # March has other outcomes; April's features reach back into its last day.
    for batch, scored in before.items():
        assert lived.ledger.result("score", batch) != scored
    assert lived.lake.version("features") == version["features"] + 2
    built = lived.lake.scan("features", ["2013-04"]).collect()
    predicted = lived.lake.scan("predictions", ["2013-04"]).collect()
    assert built.height == predicted.height


def test_a_backfill_of_what_is_as_it_was_does_nothing(lived: Workspace) -> None:
    from flows.backfill import backfill

    tables = ("raw/flights", "features", "predictions", "metrics")
    before = {table: lived.lake.version(table) for table in tables}
    backfill("flights", AS_OF)
    assert {table: lived.lake.version(table) for table in tables} == before


def test_released_rows_are_in_the_next_features(lived: Workspace, tmp_path: Any) -> None:
    from flows.ingest import ingest
    from flows.release_quarantine import release_quarantine

    file = lived.project.folder / "delivered" / "2013-02.csv"
    rows = pl.read_csv(file, infer_schema=False)
    bad = pl.int_range(pl.len()) == 5
    rows.with_columns(carrier=pl.when(bad).then(pl.lit("ZZ")).otherwise("carrier")).write_csv(file)
    before = {each.batch: each for each in ingest("flights", AS_OF) if each.dataset == "flights"}
    assert before["2013-02"].reasons == {"carrier: expect_column_values_to_be_in_set": 1}
    # The carrier is founded: it is among the airlines from now on.
    accepted = lived.lake.scan("raw/airlines", ["whole"]).drop("batch").collect()
    known = accepted.with_columns(carrier=pl.lit("ZZ")).head(1)
    lived.lake.write("raw/airlines", "whole", pl.concat([accepted, known]))
    found = release_quarantine("flights", "2013-02", AS_OF)
    assert (found.released, found.quarantined) == (1, 0)
    assert lived.lake.scan("raw/flights", ["2013-02"]).filter(pl.col("carrier") == "ZZ").collect().height == 1
    assert "2013-02" in stale(lived)[0]
