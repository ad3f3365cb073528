"""A verdict stops what is critical, names every failing row, and never passes for want of data."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from core.errors import IntegrityError, SpecError
from expectations.distributions import distribution
from expectations.suites import Suite
from expectations.validate import validate
from expectations.verdict import FAILING_ROWS

Load = Callable[..., Suite]

# The row numbers have gaps, as where rows of another kind of fault were left out.
FLIGHTS = pl.DataFrame(
    {
        "row": pl.Series([3, 10, 11, 40], dtype=pl.UInt32),
        "carrier": ["AA", "ZZ", "AA", None],
        "flight": [1, 2, 1, 4],
        "distance": [500, None, -5, 7000],
        "departure": [datetime(2013, 1, 31, hour, tzinfo=UTC) for hour in (1, 2, 3, 4)],
        "arrival": [datetime(2013, 1, 31, 5, tzinfo=UTC), None, datetime(2013, 1, 31, 2, tzinfo=UTC), None],
        "tailnum": pl.Series([None] * 4, dtype=pl.String),
    }
)


def expect(name: str, severity: str = "warning", **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{name}", "severity": severity, "kwargs": kwargs}


DISTANCE = expect("column_values_to_be_between", column="distance", min_value=1, max_value=6000)


def test_a_warning_names_each_failing_row_with_its_value(suite: Load) -> None:
    verdict = validate(FLIGHTS, suite(DISTANCE), {})
    assert not verdict.stopped
    assert verdict.rows.schema == FAILING_ROWS
    assert verdict.rows.rows() == [
        (11, "expect_column_values_to_be_between", "distance", "-5"),
        (40, "expect_column_values_to_be_between", "distance", "7000"),
    ]
    assert verdict.alerts == ()
    (failure,) = verdict.failures
    assert (failure.column, failure.severity, failure.count) == ("distance", "warning", 2)
    assert failure.detail == "distance: 2 of 3 values not between 1 and 6,000 (e.g. -5; 7000)"


def test_a_critical_failure_stops_the_batch(suite: Load) -> None:
    verdict = validate(FLIGHTS, suite({**DISTANCE, "severity": "critical"}), {})
    assert verdict.stopped
    assert verdict.critical == verdict.failures
    assert verdict.rows.is_empty()


def test_information_blames_no_row(suite: Load) -> None:
    verdict = validate(FLIGHTS, suite({**DISTANCE, "severity": "info"}), {})
    assert (verdict.stopped, verdict.rows.height, verdict.alerts) == (False, 0, ())
    assert [failure.count for failure in verdict.failures] == [2]


def test_an_aggregate_at_warning_is_an_alert(suite: Load) -> None:
    verdict = validate(
        FLIGHTS, suite(expect("column_mean_to_be_between", column="flight", max_value=1.5)), {}
    )
    assert not verdict.stopped and verdict.rows.is_empty()
    assert [alert.detail for alert in verdict.alerts] == ["flight: mean 2 is not at most 1.5"]


@pytest.mark.parametrize(
    ("entry", "detail"),
    [
        (
            expect("column_values_to_be_between", column="distance", min_value=501, strict_min=True),
            "distance: 2 of 3 values not above 501 (e.g. 500; -5)",
        ),
        (
            expect("column_values_to_be_in_set", column="carrier", value_set=["AA", "UA"]),
            "carrier: 1 of 3 values not in {AA, UA} (e.g. ZZ)",
        ),
        (
            expect("compound_columns_to_be_unique", column_list=["carrier", "flight"]),
            "carrier, flight: 2 of 4 rows not unique (e.g. AA, 1)",
        ),
        (
            expect("column_pair_values_a_to_be_greater_than_b", column_A="distance", column_B="flight"),
            "distance, flight: 2 of 4 rows with distance not above flight (e.g. null, 2; -5, 1)",
        ),
        (
            expect("column_values_to_be_json_parseable", column="carrier"),
            "carrier: 3 of 3 values fail expect_column_values_to_be_json_parseable (e.g. AA; ZZ)",
        ),
        (
            expect("column_distinct_values_to_be_in_set", column="carrier", value_set=["AA"]),
            "carrier: fails expect_column_distinct_values_to_be_in_set",
        ),
        (
            expect("table_row_count_to_equal", value=5000),
            "the batch: fails expect_table_row_count_to_equal (found 4)",
        ),
        (
            expect("column_values_to_not_be_null", column="carrier"),
            "carrier: 1 of 4 values null",
        ),
    ],
)
def test_a_failure_is_told_in_a_sentence(suite: Load, entry: Mapping[str, Any], detail: str) -> None:
    assert [failure.detail for failure in validate(FLIGHTS, suite(entry), {}).failures] == [detail]


def test_what_holds_says_nothing(suite: Load) -> None:
    verdict = validate(
        FLIGHTS, suite(expect("column_values_to_not_be_null", "critical", column="flight")), {}
    )
    assert (verdict.stopped, verdict.failures, verdict.rows.height) == (False, (), 0)


@pytest.mark.parametrize(
    ("entry", "rows"),
    [
        (expect("column_values_to_not_be_null", column="carrier"), [(40, "carrier", None)]),
        (
            expect("column_values_to_be_unique", column="carrier"),
            [(3, "carrier", "AA"), (11, "carrier", "AA")],
        ),
        (
            expect("compound_columns_to_be_unique", column_list=["carrier", "flight"]),
            [(3, "carrier, flight", "AA, 1"), (11, "carrier, flight", "AA, 1")],
        ),
        (expect("column_values_to_match_regex", column="carrier", regex="^A"), [(10, "carrier", "ZZ")]),
        (
            expect(
                "column_pair_values_a_to_be_greater_than_b",
                column_A="arrival",
                column_B="departure",
                ignore_row_if="either_value_is_missing",
            ),
            [(11, "arrival, departure", "2013-01-31 02:00:00+00:00, 2013-01-31 03:00:00+00:00")],
        ),
        (
            expect("compound_columns_to_be_unique", column_list=["carrier", "tailnum"]),
            [(3, "carrier, tailnum", "AA, null"), (11, "carrier, tailnum", "AA, null")],
        ),
    ],
)
def test_the_right_rows_are_blamed(
    suite: Load, entry: Mapping[str, Any], rows: list[tuple[int, str, str | None]]
) -> None:
    verdict = validate(FLIGHTS, suite(entry), {})
    assert verdict.rows.select("row", "column", "value").rows() == rows


def test_every_failing_row_is_named_however_many(suite: Load) -> None:
    # The library lists the values of 200 rows at the most.
    frame = pl.DataFrame({"row": range(5_000), "distance": [0] * 5_000}).cast({"row": pl.UInt32})
    verdict = validate(frame, suite(DISTANCE), {})
    assert verdict.rows["row"].to_list() == list(range(5_000))
    assert len(json.dumps(verdict.document)) < 5_000


def test_parameters_fill_in(suite: Load) -> None:
    loaded = suite(
        expect("column_values_to_be_in_set", column="carrier", value_set={"$PARAMETER": "airlines.carrier"})
    )
    verdict = validate(FLIGHTS, loaded, {"airlines.carrier": ["AA", "UA", None], "airports.faa": []})
    assert verdict.rows.rows() == [(10, "expect_column_values_to_be_in_set", "carrier", "ZZ")]
    assert verdict.failures[0].detail == (
        "carrier: 1 of 3 values not in the 2 values of airlines.carrier (e.g. ZZ)"
    )
    many = [f"{number:02}" for number in range(90)]
    for known, strange in ([], [3, 10, 11]), (["AA"], [10]):
        verdict = validate(FLIGHTS, loaded, {"airlines.carrier": [*many, *known]})
        assert verdict.rows["row"].to_list() == strange


@pytest.mark.parametrize("end", [datetime(2013, 1, 31, 4, tzinfo=UTC), "2013-01-31T04:00:00+00:00"])
def test_the_end_of_a_batch_is_not_in_it(suite: Load, end: datetime | str) -> None:
    loaded = suite(
        expect(
            "column_values_to_be_between",
            column="departure",
            min_value={"$PARAMETER": "batch.start"},
            max_value={"$PARAMETER": "batch.end"},
            strict_max=True,
        )
    )
    start = "2013-01-30T21:00:00-05:00"
    verdict = validate(FLIGHTS, loaded, {"batch.start": start, "batch.end": end})
    assert verdict.rows["row"].to_list() == [3, 40]
    assert "2013-01-31 04:00:00+00:00" in verdict.failures[0].detail


def test_a_parameter_without_a_value_is_named(suite: Load) -> None:
    entry = expect(
        "column_values_to_be_in_set", column="carrier", value_set={"$PARAMETER": "airlines.carier"}
    )
    with pytest.raises(SpecError, match=r"flights\.yaml:\d+: .*'airlines\.carier'.*'airlines\.carrier'"):
        validate(FLIGHTS, suite(entry), {"airlines.carrier": ["AA"]})


def test_a_batch_without_rows_stops(suite: Load) -> None:
    verdict = validate(FLIGHTS.clear(), suite(DISTANCE), {})
    assert verdict.stopped
    assert [failure.detail for failure in verdict.failures] == ["the batch has no rows"]


def test_a_suite_may_allow_a_batch_without_rows(suite: Load) -> None:
    counted = expect("table_row_count_to_be_between", "critical", max_value=9)
    assert not validate(FLIGHTS.clear(), suite(DISTANCE, counted, allow_empty=True), {}).failures
    counted = expect("table_row_count_to_be_between", "critical", min_value=1, max_value=9)
    assert validate(FLIGHTS.clear(), suite(DISTANCE, counted, allow_empty=True), {}).stopped


@pytest.mark.parametrize(
    "entry",
    [
        expect("column_values_to_match_regex", column="tailnum", regex="^N"),
        expect("column_values_to_be_in_set", column="tailnum", value_set=["N1"]),
        expect("column_values_to_be_unique", column="tailnum"),
        expect("column_distinct_values_to_be_in_set", column="tailnum", value_set=["N1"]),
        expect("column_sum_to_be_between", column="nothing", min_value=-1),
        expect("column_max_to_be_between", column="nothing", max_value=1),
        expect("column_values_to_be_between", column="nan", min_value=1),
        expect("column_median_to_be_between", column="nan", min_value=1),
        expect("compound_columns_to_be_unique", column_list=["tailnum", "nothing"]),
    ],
)
def test_nothing_holds_for_want_of_a_value(suite: Load, entry: dict[str, Any]) -> None:
    frame = FLIGHTS.with_columns(nothing=pl.lit(None, pl.Int64), nan=pl.lit(float("nan")))
    verdict = validate(frame, suite(entry), {})
    assert ["there is no value to judge" in alert.detail for alert in verdict.alerts] == [True]
    assert verdict.rows.is_empty()
    assert validate(frame, suite({**entry, "severity": "critical"}), {}).stopped
    assert not validate(frame, suite({**entry, "meta": {"allow_all_null": True}}), {}).failures


def test_an_expectation_about_nulls_judges_them(suite: Load) -> None:
    loaded = suite(
        expect("column_values_to_be_null", column="tailnum"),
        expect("column_values_to_not_be_null", column="tailnum"),
        expect("column_proportion_of_non_null_values_to_be_between", column="tailnum", min_value=0.5),
    )
    verdict = validate(FLIGHTS, loaded, {})
    assert verdict.rows["row"].to_list() == [3, 10, 11, 40]
    assert [alert.detail for alert in verdict.alerts] == [
        "tailnum: proportion of non null values 0 is not at least 0.5"
    ]


def test_nan_counts_as_missing(suite: Load) -> None:
    frame = pl.DataFrame({"row": [0, 1], "distance": [float("nan"), 1.0]}).cast({"row": pl.UInt32})
    loaded = suite(DISTANCE, expect("column_values_to_not_be_null", column="distance"))
    assert validate(frame, loaded, {}).rows.rows() == [
        (0, "expect_column_values_to_not_be_null", "distance", "NaN")
    ]


def test_infinity_is_out_of_every_range(suite: Load) -> None:
    frame = pl.DataFrame({"row": [0, 1], "distance": [float("inf"), 1.0]}).cast({"row": pl.UInt32})
    verdict = validate(frame, suite(DISTANCE), {})
    assert verdict.rows["value"].to_list() == ["inf"]
    json.dumps(verdict.document, allow_nan=False)


def test_a_share_may_fail(suite: Load) -> None:
    few = {**DISTANCE, "kwargs": {**DISTANCE["kwargs"], "mostly": 0.3}}
    assert not validate(FLIGHTS, suite(few), {}).failures
    most = {**DISTANCE, "kwargs": {**DISTANCE["kwargs"], "mostly": 0.9}}
    assert validate(FLIGHTS, suite(most), {}).rows["row"].to_list() == [11, 40]


def test_a_column_that_is_not_there_is_a_fault_of_the_suite(suite: Load) -> None:
    with pytest.raises(SpecError, match=r"flights\.yaml:\d+: .*'distanse'.*did you mean 'distance'"):
        validate(FLIGHTS, suite(expect("column_values_to_not_be_null", column="distanse")), {})


def test_a_column_that_must_exist_stops_the_batch(suite: Load) -> None:
    loaded = suite(
        expect("column_to_exist", "critical", column="distanse"),
        expect("column_values_to_not_be_null", column="distanse"),
        DISTANCE,
    )
    verdict = validate(FLIGHTS, loaded, {})
    assert verdict.stopped
    assert [failure.detail for failure in verdict.critical] == [
        "distanse: there is no such column; did you mean 'distance'?"
    ]
    assert verdict.rows["row"].to_list() == [11, 40]


def test_an_expectation_that_cannot_be_worked_out_is_an_error(suite: Load) -> None:
    with pytest.raises(SpecError, match=r"flights\.yaml:\d+: expect_column_values_to_be_between.*carrier"):
        validate(
            FLIGHTS, suite(DISTANCE, expect("column_values_to_be_between", column="carrier", min_value=1)), {}
        )


def test_a_row_number_twice_is_refused(suite: Load) -> None:
    with pytest.raises(IntegrityError, match="same number"):
        validate(pl.concat([FLIGHTS, FLIGHTS]), suite(DISTANCE), {})


@pytest.mark.parametrize("limit", [0, 1_000])
@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("us", "UTC")])
def test_a_set_of_days_is_one_of_instants(suite: Load, kind: pl.DataType, limit: int) -> None:
    days = [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    frame = pl.DataFrame({"row": pl.Series(range(3), dtype=pl.UInt32), "day": pl.Series(days).cast(kind)})
    many = [datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(368)]
    inside = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "day"}}
    outside = {"type": "expect_column_values_to_not_be_in_set", "kwargs": {"column": "day"}}
    for values in (["2013-01-01", "2013-01-02T00:00:00Z"], many, [day.date() for day in many]):
        asked = [
            {**entry, "kwargs": {"column": "day", "value_set": {"$PARAMETER": "calendar.day"}}}
            for entry in (inside, outside)
        ]
        rows = validate(frame, suite(*asked), {"calendar.day": values}, pandas_up_to=limit).rows
        assert rows["row"].to_list() == [2, 0, 1]


@pytest.mark.parametrize(("column", "member"), [("flight", "1"), ("carrier", 1), ("arrival", 2013)])
def test_a_member_that_no_value_can_be_is_a_fault_of_the_suite(suite: Load, column: str, member: Any) -> None:
    entry = expect("column_values_to_not_be_in_set", column=column, value_set=[member])
    with pytest.raises(SpecError, match=rf"flights\.yaml:\d+: .*{member!r} can be no value of .*{column}"):
        validate(FLIGHTS, suite(entry), {})


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        ([0.0] * 99 + [1.0], [0.0, 1.0] * 50),
        ([0.0] * 95 + [1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 50 + [1.0, 2.0, 3.0, 4.0, 5.0] * 10),
        ([1e300] * 50, [1.0] * 50),
        ([f"town {place}" for place in range(1_000)], [f"town {place % 20}" for place in range(1_000)]),
    ],
)
def test_a_distribution_is_like_itself_and_unlike_another(
    suite: Load, reference: list[Any], other: list[Any]
) -> None:
    arguments = {"threshold": 0.5, "tail_weight_holdout": 0.01}
    arguments |= {} if isinstance(other[0], str) else {"internal_weight_holdout": 0.01}
    partition = {"$PARAMETER": "reference.x"}
    entry = expect(
        "column_kl_divergence_to_be_less_than", column="x", partition_object=partition, **arguments
    )
    given = {"reference.x": distribution(pl.Series("x", reference))}
    for values, failures in ((reference, 0), (other, 1)):
        frame = pl.DataFrame({"x": values}).with_row_index("row")
        assert len(validate(frame, suite(entry), given).failures) == failures


def test_the_document_says_which_suite_and_what_it_found(suite: Load) -> None:
    loaded = suite(
        DISTANCE,
        expect("column_values_to_be_in_set", column="carrier", value_set={"$PARAMETER": "airlines.carrier"}),
        expect("column_max_to_be_between", column="departure", max_value="2013-01-31"),
    )
    parameters = {"airlines.carrier": [f"{number:02}" for number in range(1_000)]}
    document = validate(FLIGHTS, loaded, parameters).document
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["suite"] == {"name": "flights", "version": 1, "hash": loaded.hash}
    assert [result["kwargs"] for result in document["results"]] == [
        dict(entry.kwargs) for entry in loaded.expectations
    ]
    assert document["results"][0]["result"]["partial_unexpected_list"] == [-5, 7000]
    assert document["results"][0]["result"]["partial_unexpected_index_list"] == [11, 40]
    assert len(json.dumps(document)) < 4_000
    assert validate(FLIGHTS, loaded, parameters).document == document


def test_it_is_quiet(suite: Load, capfd: pytest.CaptureFixture[str]) -> None:
    validate(FLIGHTS, suite(DISTANCE), {})
    assert capfd.readouterr() == ("", "")
