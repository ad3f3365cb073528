"""The page of a dataset is gathered from what the lake, the ledger and the verdicts hold."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.errors import SpecError
from core.settings import Settings
from core.sources.manifest import Delivered
from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.drift import feature_drift
from reports.data.dataset import Column
from stages.reports.bins import edges
from stages.reports.datasets import _unless_key, dataset_facts, dataset_report, described
from stages.reports.distributions import distributions
from stages.workspace import Workspace, open_workspace

NOW = datetime(2014, 1, 1, tzinfo=UTC)
REASONS = pl.List(pl.Struct({"expectation": pl.String, "column": pl.String, "value": pl.String}))
BETWEEN, IN_SET, MEAN = (
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_in_set",
    "expect_column_mean_to_be_between",
)
Rows = dict[int, list[tuple[str, str, str | None]]]


@pytest.fixture
def workspace(make_project: Callable[..., Settings]) -> Workspace:
    return open_workspace("flights", make_project(range(1, 7), share=500))


def ingest(workspace: Workspace, batch: str, good: int, bad: Rows, **record: Any) -> None:
    """A batch as the ingest stage leaves it: two tables and a record."""
    accepted = pl.DataFrame(
        {"row": range(good), "delay": [float(row) for row in range(good)], "dest": ["SJU"] * good}
    )
    reasons = [
        [{"expectation": what, "column": column, "value": value} for what, column, value in each]
        for each in bad.values()
    ]
    quarantined = pl.DataFrame(
        {
            "row": list(bad),
            "delivery": [f"{batch}.csv"] * len(bad),
            "position": list(bad),
            "reasons": pl.Series(reasons, dtype=REASONS),
            "record": [json.dumps({"row": row, "long": "x" * 9_000}) for row in bad],
        },
        schema_overrides={"row": pl.UInt32, "delivery": pl.String, "position": pl.Int64, "record": pl.String},
    )
    workspace.lake.write("raw/flights", batch, accepted)
    workspace.lake.write("quarantine/flights", batch, quarantined)
    counts: dict[str, int] = {}
    for each in bad.values():
        for what, column, _ in each:
            name = f"{column}: {what}".removeprefix(": ")
            counts[name] = counts.get(name, 0) + 1
    told = {
        "received": good + len(bad),
        "accepted": good,
        "quarantined": len(bad),
        "reasons": counts,
        "alerts": [],
        "stopped": None,
        "engine": "polars",
    }
    workspace.ledger.record("ingest/flights", batch, "", told | record, NOW)


def judge(
    workspace: Workspace, batch: str, *failures: tuple[str, str, str, int], **values: list[Any]
) -> None:
    """A verdict as it is kept: failures, and results with the `values` of a column that failed."""
    keys = ("expectation", "column", "severity", "count")
    told = [dict(zip(keys, each, strict=True)) | {"detail": f"{each[1]} in {batch}"} for each in failures]
    results = [
        {
            "type": what,
            "kwargs": {"column": column},
            "holds": False,
            "result": {"partial_unexpected_list": values.get(column)},
        }
        for what, column, _, _ in failures
    ]
    path = workspace.settings.home / "verdicts" / "flights" / "flights" / f"{batch}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"failures": told, "results": results}))


def test_batches_are_told_in_order_of_time_with_what_came_of_them(workspace: Workspace) -> None:
    ingest(workspace, "2013-04", 5, {5: [("delivered_once", "", "0")]}, alerts=["mean"], released=2)
    ingest(workspace, "2013-01", 7, {})
    ingest(workspace, "2013-03", 0, {0: [("batch", "", "share")]}, stopped="share 100% of rows fails")
    workspace.ledger.record("refuse/flights", "2013-05", "", {"why": "cut short", "by": "ingest"}, NOW)
    workspace.ledger.record("refuse/flights", "stray.csv", "", {"why": "no CSV", "by": "deliver"}, NOW)
    facts = dataset_facts(workspace, "flights")
    first, third, fourth, fifth = facts["batches"]
    assert [each["batch"] for each in facts["batches"]] == ["2013-01", "2013-03", "2013-04", "2013-05"]
    assert [each["gap"] for each in facts["batches"]] == [[], ["2013-02"], [], []]
    assert (first["received"], first["accepted"], first["quarantined"]) == (7, 7, 0)
    assert third["stopped"] == "share 100% of rows fails"
    assert (fourth["alerts"], fourth["released"], fourth["engine"]) == (["mean"], 2, "polars")
    assert (fifth["received"], fifth["refused"]) == (0, "cut short")
    assert [each["held"] for each in facts["batches"][:3]] == [
        {"accepted": 7, "quarantined": 0},
        {"accepted": 0, "quarantined": 1},
        {"accepted": 5, "quarantined": 1},
    ]
    assert facts["refused"] == [{"name": "stray.csv", "why": "no CSV"}]


def test_rows_that_the_lake_has_lost_are_seen(workspace: Workspace) -> None:
    ingest(workspace, "2013-01", 7, {})
    workspace.lake.write("raw/flights", "2013-01", pl.DataFrame({"row": [0, 1], "delay": [0.0, 1.0]}))
    path = dataset_report(workspace, "flights")
    assert path == workspace.reports / "datasets" / "flights" / "index.html"
    assert "the lake holds 2 accepted and 0 quarantined" in path.read_text()


def test_failures_join_verdicts_and_reasons_over_batches(workspace: Workspace) -> None:
    late: Rows = {9: [(BETWEEN, "delay", "1301")], 11: [(BETWEEN, "delay", "1301")]}
    ingest(workspace, "2013-01", 9, late)
    judge(workspace, "2013-01", (BETWEEN, "delay", "warning", 2), (IN_SET, "dest", "info", 9), dest=["SJU"])
    ingest(
        workspace, "2013-02", 9,
        {9: [(BETWEEN, "delay", "x" * 500), ("is_integer", "a: b", "ж")], 12: [(BETWEEN, "delay", None)]},
    )  # fmt: skip
    judge(workspace, "2013-02", (BETWEEN, "delay", "warning", 2))
    found = {
        (each["expectation"], each["column"]): each for each in dataset_facts(workspace, "flights")["failing"]
    }
    assert set(found) == {(BETWEEN, "delay"), (IN_SET, "dest"), ("is_integer", "a: b")}
    delay = found[BETWEEN, "delay"]
    assert delay["batches"] == {"2013-01": 2, "2013-02": 2}
    assert (delay["severity"], delay["detail"]) == ("warning", "delay in 2013-02")
    assert delay["examples"] == [
        {"value": "x" * 200 + "…", "batch": "2013-02", "row": 9},
        {"value": None, "batch": "2013-02", "row": 12},
    ]
    assert found[IN_SET, "dest"]["severity"] == "info"
    assert found[IN_SET, "dest"]["examples"] == [{"value": "SJU", "batch": "2013-01", "row": None}]
    assert found["is_integer", "a: b"]["examples"] == [{"value": "ж", "batch": "2013-02", "row": 9}]


def test_a_stop_counts_the_rows_that_failed_and_not_all_that_were_set_aside(workspace: Workspace) -> None:
    said = "delay: mean is wrong"
    ingest(workspace, "2013-01", 0, {row: [(MEAN, "delay", said)] for row in range(30)}, stopped=said)
    judge(workspace, "2013-01", (MEAN, "delay", "critical", 0))
    ingest(
        workspace, "2013-02", 0, {row: [("batch", "", "share")] for row in range(30)}, stopped="share 100%"
    )
    mean, share = dataset_facts(workspace, "flights")["failing"]
    assert (mean["severity"], mean["batches"], mean["examples"]) == ("critical", {"2013-01": 0}, [])
    assert (share["expectation"], share["severity"], share["detail"]) == ("batch", "critical", "share 100%")


def test_the_sample_of_the_quarantine_is_new_mixed_and_short(workspace: Workspace) -> None:
    ingest(workspace, "2013-01", 1, {1: [(BETWEEN, "delay", "1")]})
    many: Rows = {row: [(BETWEEN, "delay", "1")] for row in range(50)}
    ingest(workspace, "2013-02", 1, {**many, 99: [("is_integer", "delay", "y" * 999)]})
    sample = dataset_facts(workspace, "flights")["quarantine"]
    assert [(each["batch"], each["row"]) for each in sample] == [
        ("2013-02", 0), ("2013-02", 1), ("2013-02", 2), ("2013-02", 99), ("2013-01", 1),
    ]  # fmt: skip
    assert sample[3]["reasons"] == [
        {"expectation": "is_integer", "column": "delay", "value": "y" * 200 + "…"}
    ]
    assert len(sample[0]["record"]) == 4_001
    assert (sample[0]["delivery"], sample[0]["position"]) == ("2013-02.csv", 0)


def test_the_newest_accepted_batch_is_set_beside_the_reference(workspace: Workspace) -> None:
    for batch, rows in {"2013-01": 3, "2013-02": 5, "2013-03": 8}.items():
        ingest(workspace, batch, rows, {})
    ingest(workspace, "2013-04", 0, {0: [("batch", "", "share")]}, stopped="share")
    found = dataset_facts(workspace, "flights")["distributions"]
    assert found
    assert (found["batch"], found["reference"], found["timezone"]) == (
        "2013-03",
        "2013-01",
        "America/New_York",
    )
    assert [each["current"]["rows"] for each in found["columns"]] == [8, 8]
    assert [each["reference"] and each["reference"]["rows"] for each in found["columns"]] == [3, 3]
    named = dataset_facts(workspace, "flights", "2013-02")["distributions"]
    assert named
    assert named["reference"] == "2013-02"
    with pytest.raises(SpecError, match=r"no accepted batch '2013-04'.*did you mean"):
        dataset_facts(workspace, "flights", "2013-04")


def test_a_dataset_of_which_nothing_is_known_has_a_page(workspace: Workspace) -> None:
    assert "Nothing has been ingested yet." in dataset_report(workspace, "planes").read_text()
    with pytest.raises(SpecError, match=r"no dataset 'flight'.*flights"):
        dataset_report(workspace, "flight")


def test_deliveries_are_told_from_the_manifest(workspace: Workspace) -> None:
    told = Delivered("a.csv", None, "2013-01", "ab", 1, 7, "a", "columns", "rules", NOW)
    workspace.manifest.add("flights", told, [])
    workspace.manifest.add("flights", replace(told, name="b.csv"), [])
    first, second = dataset_facts(workspace, "flights").get("deliveries", [])
    assert (first["name"], first["rows"], first["batch"], first["repeats"]) == ("a.csv", 7, "2013-01", None)
    assert (second["name"], second["repeats"]) == ("b.csv", "a.csv")


def test_the_source_is_told_without_what_a_url_keeps_secret(make_project: Callable[..., Settings]) -> None:
    def edit(document: Any) -> None:
        sql = {
            "kind": "sql",
            "url": "postgresql://me:${PLANES_PASSWORD}@db/x",
            "table": "planes",
            "key": "id",
        }
        document["datasets"]["planes"]["source"] = sql
        document["datasets"]["airlines"]["source"] = {
            "kind": "files", "path": "s3://me:hunter2@bucket/*.csv?token=hunter2",
        }  # fmt: skip

    workspace = open_workspace("flights", make_project(range(1, 2), share=500, edit=edit))
    for dataset, there in {"planes": "planes", "airlines": "s3://bucket/*.csv", "flights": "{batch}"}.items():
        text = described(workspace, dataset)
        assert there in text
        assert "hunter2" not in text
        assert "hunter2" not in dataset_report(workspace, dataset).with_name("summary.json").read_text()


def one(current: pl.Series, reference: pl.Series | None = None, timezone: str = "UTC") -> Column:
    frames = [
        each.alias("c").to_frame().lazy() if each is not None else None for each in (current, reference)
    ]
    assert frames[0] is not None
    (column,) = distributions(frames[0], frames[1], timezone, 1)
    return column


def test_numbers_are_counted_in_bins_that_suit_both_batches() -> None:
    column = one(pl.Series([1, 2, 2, 9, None]), pl.Series([1, 1, 3]))
    assert column["edges"] == tuple(number - 0.5 for number in range(1, 11))
    assert column["current"]["counts"] == [0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0]
    assert column["reference"]
    assert column["reference"]["counts"] == [0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert [column["current"][fact] for fact in ("missing", "least", "middle", "most")] == [1, 1, 2, 9]  # type: ignore[literal-required]


def test_what_lies_far_beyond_the_reference_has_a_bin_of_its_own() -> None:
    column = one(pl.Series([0.5, -1e9, 1e12]), pl.Series([place / 1000 for place in range(1001)]))
    assert column["edges"][0] >= -1.1
    assert column["edges"][-1] <= 2.1
    assert (column["current"]["counts"][0], column["current"]["counts"][-1]) == (1, 1)
    assert sum(column["current"]["counts"]) == 3


def test_nan_is_missing_and_infinity_is_told_apart() -> None:
    side = one(pl.Series([1.0, math.nan, None, math.inf, -math.inf]))["current"]
    assert (side["rows"], side["missing"], side["infinite"], sum(side["counts"])) == (5, 2, 2, 1)
    assert (side["least"], side["most"]) == (1.0, 1.0)


def test_categories_are_the_commonest_of_the_reference_and_those_common_now() -> None:
    long = "x" * 9_999
    column = one(pl.Series(["new", "новый", "a", long, None]), pl.Series(["a", "a", "b", ""]))
    assert list(column["labels"]) == ["a", "", "b", "new", "x" * 200, "новый"]
    assert column["current"]["counts"] == [1, 0, 0, 1, 1, 1, 0]
    assert column["reference"]
    assert column["reference"]["counts"] == [2, 1, 1, 0, 0, 0, 0]
    assert (column["current"]["distinct"], column["current"]["missing"]) == (4, 1)


def test_instants_are_told_by_the_hour_of_the_zone_and_dates_by_the_weekday() -> None:
    noon = datetime(2013, 7, 1, 12, tzinfo=UTC)
    hours = one(pl.Series([noon, noon]).dt.cast_time_unit("us"), timezone="America/New_York")["current"]
    assert [hour for hour, rows in enumerate(hours["counts"]) if rows] == [8]
    assert hours["least"] == "2013-07-01T12:00:00+00:00"
    days = one(pl.Series([date(2013, 7, 1) + timedelta(days=7 * week) for week in range(3)]))
    assert days["current"]["counts"] == [3, 0, 0, 0, 0, 0, 0, 0]
    assert days["labels"][0] == "Mon"


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([], dtype=pl.Float64),
        pl.Series([], dtype=pl.String),
        pl.Series([None, None], dtype=pl.Int64),
        pl.Series([None], dtype=pl.Boolean),
        pl.Series([2**63 - 1, -(2**63)]),
        pl.Series([1.7e308, -1.7e308, 5e-324]),
        pl.Series([7.25]),
        pl.Series([[1], [2]]),
        pl.Series([b"\xff"]),
        pl.Series([None, None]),
    ],
    ids=str,
)
def test_every_row_is_counted_once_whatever_the_values(values: pl.Series, tmp_path: Path) -> None:
    for reference in (None, values, values.clear()):
        column = one(values, reference)
        known = len(values) - values.null_count()
        assert column["current"]["missing"] == values.null_count()
        assert sum(column["current"]["counts"]) == known
        assert not column["psi"]


def test_edges_are_round_and_hold_the_range() -> None:
    for low, high in ((0.013, 0.94), (-1e-9, 3e-9), (123_456.7, 9_876_543.2), (1e15, 1e15 + 1)):
        found = edges(low, high, whole=False)
        assert found[0] <= low
        assert high <= found[-1]
        assert list(found) == sorted(set(found))
        assert 8 <= len(found) <= 34


def test_the_stability_index_is_that_of_monitoring() -> None:
    numbers = pl.Series("n", [float(place % 97) for place in range(2_000)])
    words = pl.Series("w", [f"w{place % 40}" for place in range(2_000)])
    then = pl.DataFrame([numbers, words])
    now = pl.DataFrame(
        [
            (numbers * 1.3).round().scatter([1, 2, 3], None),
            words.sort().head(1_900).extend_constant(None, 100),
        ]
    )
    expected = feature_drift(then, now, Columns(("n",), ("w",)), Monitoring(min_rows=100))
    found = distributions(now.lazy(), then.lazy(), "UTC", 100)
    assert {each["column"]: each["psi"] for each in found} == pytest.approx(
        {each.feature: each.value for each in expected}
    )


def test_too_few_rows_say_nothing_of_drift() -> None:
    frame = pl.DataFrame({"n": [1.0] * 99}).lazy()
    assert [each["psi"] for each in distributions(frame, frame, "UTC", 100)] == [None]


def test_a_number_that_each_row_has_to_itself_has_not_moved() -> None:
    frame = pl.LazyFrame({"id": range(1000)})
    column = next(distributions(frame.select(pl.col("id") + 9_000), frame, "UTC", 100))
    assert column["psi"]
    assert _unless_key(column, ("id",))["psi"] is None
    assert _unless_key(column, ("day", "id")) == column
