"""What Great Expectations says reaches us whole: in order, for the right rows, on every type of column."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from expectations.engines import pandas_engine
from expectations.suites import Suite
from expectations.vocabulary import words

NUMBERS = pl.DataFrame(
    {
        "row": pl.Series([0, 1, 2, 3], dtype=pl.UInt32),
        "n": [1, 2, 2, None],
        "m": [1, 3, 2, 5],
        "s": ["2013", "2014", "2014", None],
        "j": ['{"a": 1}', "{}", "{}", None],
    }
)

# One use of each argument that an expectation may need.
ARGUMENTS: dict[str, Any] = {
    "column": "n",
    "column_A": "m",
    "column_B": "n",
    "column_list": ["n", "m"],
    "column_set": ["n"],
    "min_value": 1,
    "value_set": [1, 2],
    "value_pairs_set": [[1, 1], [2, 2]],
    "value": 4,
    "sum_total": 4,
    "regex": "^2",
    "regex_list": ["^2", "^3"],
    "strftime_format": "%Y",
    "json_schema": {"type": "object"},
    "threshold": 3,
    "double_sided": True,
    "partition_object": {"bins": [0, 2, 6], "weights": [0.5, 0.5]},
    "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 9]]},
}


@pytest.mark.parametrize("name", list(words()))
def test_every_word_of_the_vocabulary_runs(suite: Callable[..., Suite], name: str) -> None:
    word = words()[name]
    needed = {*word.needed} | ({"min_value"} & {*word.arguments})
    kwargs = {key: ARGUMENTS[key] for key in word.arguments if key in needed}
    if any(part in name for part in ("regex", "strftime", "length", "dateutil", "json_parseable")):
        kwargs["column"] = "s"
    if name == "expect_column_values_to_match_json_schema":
        kwargs["column"] = "j"
    entries = suite({"type": name, "kwargs": kwargs}).expectations
    (outcome,) = pandas_engine.run("flights", NUMBERS, entries)
    assert outcome.error is None
    json.dumps(outcome.document, allow_nan=False)


def between(column: str, low: float, high: float) -> dict[str, Any]:
    return {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": column, "min_value": low, "max_value": high},
    }


def test_results_come_back_to_their_own_entries(suite: Callable[..., Suite]) -> None:
    # The library gives them back by metric, not in the order of the suite.
    entries = suite(
        between("m", 0, 4),
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 4}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "n"}},
        between("m", 2, 9),
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "m", "max_value": 1}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "n"}},
    ).expectations
    outcomes = pandas_engine.run("flights", NUMBERS, entries)
    assert [outcome.rows.to_list() for outcome in outcomes] == [[3], [], [3], [0], [], [1, 2]]
    assert [outcome.passed for outcome in outcomes] == [False, True, False, False, False, False]
    assert [outcome.looked_at for outcome in outcomes] == [4, 4, 4, 4, 4, 3]


def test_large_whole_numbers_beside_a_null_stay_apart(suite: Callable[..., Suite]) -> None:
    # As float64, which pandas would make of them, these two are equal.
    frame = pl.DataFrame(
        {"row": [0, 1, 2], "n": [2**53, 2**53 + 1, None]}, schema_overrides={"row": pl.UInt32}
    )
    (outcome,) = pandas_engine.run(
        "flights",
        frame,
        suite({"type": "expect_column_values_to_be_unique", "kwargs": {"column": "n"}}).expectations,
    )
    assert outcome.passed


def test_quantiles_of_one_column_are_not_mixed_up(suite: Callable[..., Suite]) -> None:
    # The library takes the first for the answer to all.
    name = "expect_column_quantile_values_to_be_between"
    asked = [
        {"column": column, "quantile_ranges": {"quantiles": [share], "value_ranges": [[low, low]]}}
        for column, share, low in (("n", 0, 1), ("n", 1, 2), ("m", 1, 5), ("n", 0.5, 2))
    ]
    entries = suite(*({"type": name, "kwargs": kwargs} for kwargs in asked)).expectations
    outcomes = pandas_engine.run("flights", NUMBERS, entries)
    assert [outcome.observed["values"] for outcome in outcomes] == [[1], [2], [5], [2]]
    assert all(outcome.passed for outcome in outcomes)


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt16, pl.Int32, pl.UInt64, pl.Float32, pl.Float64])
def test_every_width_of_number_is_judged(suite: Callable[..., Suite], dtype: Any) -> None:
    frame = pl.DataFrame({"row": [7, 8, 9], "n": [1, None, 100]}, schema={"row": pl.UInt32, "n": dtype})
    (outcome,) = pandas_engine.run("flights", frame, suite(between("n", 1, 50)).expectations)
    assert outcome.rows.to_list() == [9]


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("us"), pl.Datetime("ns", "America/New_York")])
def test_every_kind_of_instant_is_judged(suite: Callable[..., Suite], dtype: Any) -> None:
    days = [datetime(2013, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    times = pl.Series("t", days, pl.Datetime("us", "UTC"))
    if dtype == pl.Datetime("ns", "America/New_York"):
        times = times.dt.convert_time_zone("America/New_York").cast(dtype)
    else:
        times = times.dt.replace_time_zone(None).cast(dtype)
    frame = pl.DataFrame([pl.Series("row", [0, 1, 2], pl.UInt32), times])
    entry = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "t", "min_value": "2013-01-02", "max_value": "2013-01-02T23:00:00+00:00"},
    }
    (outcome,) = pandas_engine.run("flights", frame, suite(entry).expectations)
    assert outcome.rows.to_list() == [0, 2]


def test_threads_do_not_disturb_one_another(suite: Callable[..., Suite]) -> None:
    entries = suite(
        between("n", 0, 499), {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "n"}}
    ).expectations

    def failing(start: int) -> list[list[int]]:
        frame = pl.DataFrame({"row": range(1000), "n": range(start, start + 1000)}).cast({"row": pl.UInt32})
        return [outcome.rows.to_list() for outcome in pandas_engine.run("flights", frame, entries)]

    starts = [0, 100, 200, 300] * 3
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(failing, starts))
    assert together == [[list(range(500 - start, 1000)), []] for start in starts]
