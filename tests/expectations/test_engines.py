"""The size of a batch and the forms of its expectations choose the engine; the verdict is the same."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.errors import SpecError
from expectations.engines import pandas_engine, polars_engine
from expectations.engines.choose import Choice, choose, run
from expectations.entries import Expectation
from expectations.suites import Suite
from expectations.validate import validate

PANDAS, POLARS = pandas_engine.ENGINE, polars_engine.ENGINE

FLIGHTS = pl.DataFrame(
    {
        "row": pl.Series([3, 10, 11, 40, 41], dtype=pl.UInt32),
        "carrier": ["AA", "ZZ", "AA", None, "é"],
        "flight": [1, 2, 1, 4, None],
        "distance": [500.0, float("nan"), -5, 7000, float("inf")],
        "payload": ['{"a": 1}', "{", "{}", None, "1"],
        "tailnum": pl.Series([None] * 5, dtype=pl.String),
    }
)


def expect(name: str, severity: str = "warning", **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{name}", "severity": severity, "kwargs": kwargs}


ENTRIES = [
    expect("table_row_count_to_be_between", "critical", min_value=1),
    expect("column_values_to_not_be_null", column="carrier"),
    expect("column_values_to_be_between", column="distance", min_value=0, max_value=6000),
    expect("column_values_to_be_in_set", column="carrier", value_set={"$PARAMETER": "airlines.carrier"}),
    expect("column_values_to_match_regex", "info", column="carrier", regex="^[A-Z]+$"),
    expect("column_values_to_match_regex", column="carrier", regex="^(?!Z)"),
    expect("column_values_to_be_json_parseable", column="payload"),
    expect("compound_columns_to_be_unique", column_list=["carrier", "flight"]),
    expect("column_median_to_be_between", column="distance", max_value=100),
    expect("column_values_to_be_unique", "critical", column="tailnum"),
]
PARAMETERS = {"airlines.carrier": ["AA", "UA"]}


def own(function: Callable[..., pl.Expr], **kwargs: Any) -> Expectation:
    """An expectation of a project's own, on the column `flight`."""
    return Expectation("expect_own", kwargs, "warning", "rows", ("flight",), 1, function=function)


def test_the_size_of_the_batch_chooses(suite: Callable[..., Suite]) -> None:
    entries = suite(expect("column_values_to_not_be_null", column="carrier")).expectations
    for rows, engine in ((1_000, PANDAS), (1_001, POLARS)):
        assert choose(rows, FLIGHTS.schema, entries, 1_000) == [Choice(engine)]


def test_ordinary_batches_are_for_great_expectations(suite: Callable[..., Suite]) -> None:
    entries = suite(expect("column_values_to_not_be_null", column="carrier")).expectations
    assert choose(100_000, FLIGHTS.schema, entries) == [Choice(PANDAS)]
    assert choose(5_000_000, FLIGHTS.schema, entries) == [Choice(POLARS)]


def test_what_has_no_form_in_polars_runs_on_pandas_and_says_so(suite: Callable[..., Suite]) -> None:
    results = validate(FLIGHTS, suite(*ENTRIES), PARAMETERS, pandas_up_to=0).document["results"]
    assert [result["engine"] == PANDAS for result in results] == [False] * 5 + [True] * 2 + [False] * 3
    assert "'^(?!Z)'" in results[5]["why"]
    assert "json_parseable" in results[6]["why"]
    assert [result["type"] for result in results] == [entry["type"] for entry in ENTRIES]


def test_the_verdict_is_the_same(suite: Callable[..., Suite]) -> None:
    pandas = validate(FLIGHTS, suite(*ENTRIES), PARAMETERS)
    polars = validate(FLIGHTS, suite(*ENTRIES), PARAMETERS, pandas_up_to=0)
    assert pandas.failures == polars.failures
    assert pandas.rows.equals(polars.rows)
    assert (pandas.stopped, pandas.alerts) == (polars.stopped, polars.alerts) and pandas.stopped
    assert (pandas.engine, polars.engine) == (PANDAS, f"{PANDAS} and {POLARS}")
    for verdict in (pandas, polars):
        assert verdict.document["engine"] == verdict.engine
        assert json.loads(json.dumps(verdict.document, allow_nan=False)) == verdict.document


def test_a_batch_is_judged_where_it_lies(suite: Callable[..., Suite], tmp_path: Path) -> None:
    FLIGHTS.write_parquet(tmp_path / "flights.parquet")
    for limit in (0, 1_000):
        lazy = validate(
            pl.scan_parquet(tmp_path / "flights.parquet"), suite(*ENTRIES), PARAMETERS, pandas_up_to=limit
        )
        held = validate(FLIGHTS, suite(*ENTRIES), PARAMETERS, pandas_up_to=limit)
        assert lazy.document == held.document and lazy.rows.equals(held.rows)


@pytest.mark.parametrize(
    ("entry", "frame"),
    [
        (expect("column_values_to_be_unique", column="flight"), FLIGHTS.clear()),
        (expect("column_values_to_match_regex", column="tailnum", regex="^N"), FLIGHTS),
        (expect("column_max_to_be_between", column="distance", max_value=1), FLIGHTS[1:2]),
        (expect("compound_columns_to_be_unique", column_list=["tailnum", "flight"]), FLIGHTS[4:]),
    ],
)
def test_nothing_holds_for_want_of_a_value(
    suite: Callable[..., Suite], entry: Mapping[str, Any], frame: pl.DataFrame
) -> None:
    told = [validate(frame, suite(entry), {}, pandas_up_to=limit).failures for limit in (-1, 0, 1_000)]
    assert told[0] == told[1] == told[2] != ()
    allowed = suite({**entry, "meta": {"allow_all_null": True}}, allow_empty=True)
    assert validate(frame, allowed, {}, pandas_up_to=0).failures == ()


@pytest.mark.parametrize("rows", [0, 1_000])
def test_a_projects_own_expectation_runs_in_polars(rows: int) -> None:
    entry = own(lambda least: pl.col("flight") >= least, least=2, mostly=0.2)
    (choice,) = choose(5, FLIGHTS.schema, [entry], rows)
    (outcome,) = run("flights", FLIGHTS, [entry], [choice])
    assert choice.engine == POLARS
    assert (outcome.passed, outcome.looked_at, outcome.rows.to_list()) == (True, 4, [3, 11])
    assert outcome.document["result"]["partial_unexpected_list"] == ["1", "1"]
    (strict,) = run("flights", FLIGHTS, [own(lambda: pl.col("flight") >= 2)], [choice])
    assert not strict.passed


def test_a_projects_own_expectation_may_judge_the_batch_as_one() -> None:
    entry = own(lambda: pl.col("flight").max() < 3)
    (outcome,) = polars_engine.run("flights", FLIGHTS, [entry])
    assert (outcome.looked_at, outcome.rows.to_list()) == (5, [3, 10, 11, 40, 41])


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: pl.col("flight") + 1, "true or false of each row, not Int64"),
        (lambda: pl.col("flihgt") > 1, "flihgt"),
    ],
)
def test_a_function_that_does_not_fit_is_named(function: Callable[..., pl.Expr], said: str) -> None:
    with pytest.raises(SpecError, match=rf"expect_own.*{said}") as caught:
        polars_engine.run("flights", FLIGHTS, [own(function)])
    assert str(caught.value).startswith(f"{__file__}:")


def test_one_expression_that_fails_does_not_take_the_others_with_it(suite: Callable[..., Suite]) -> None:
    good = replace(own(lambda: pl.col("flight") < 9), type="expect_other")
    bad = own(lambda: pl.col("carrier").cast(pl.Int64) > 0)

    def broken(flight: int) -> bool:
        raise ZeroDivisionError

    worse = own(lambda: pl.col("flight").map_elements(broken, pl.Boolean))
    found = polars_engine.run("flights", FLIGHTS, [good, bad, worse])
    assert [outcome.error is None for outcome in found] == [True, False, False]
    assert found[0].passed and "ZeroDivisionError" in str(found[2].error)
