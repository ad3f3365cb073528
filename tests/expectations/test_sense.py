"""Arguments with which nothing could be found wrong, or nothing right, are refused beforehand."""

from typing import Any

import pytest

from expectations.vocabulary import wrong_values

ORDER = {"column_A": "a", "column_B": "a"}
HALF = {"quantiles": [0.5], "value_ranges": [[0, 1]]}
UNEVEN = {"values": ["a"], "weights": [0.5]}


@pytest.mark.parametrize(
    ("name", "kwargs", "argument", "said"),
    [
        ("column_values_to_not_be_in_set", {"value_set": []}, "value_set", "empty"),
        ("table_columns_to_match_set", {"column_set": [], "exact_match": False}, "column_set", "empty"),
        ("column_values_to_match_regex", {"regex": ""}, "regex", "in any text"),
        ("column_values_to_be_between", {"min_value": True}, "min_value", "no bound"),
        ("column_values_to_be_between", {"max_value": float("inf")}, "max_value", "no bound"),
        (
            "column_max_to_be_between",
            {"min_value": "2013-02-01", "max_value": "2013-01-31"},
            "min_value",
            "no data",
        ),
        ("column_max_to_be_between", {"min_value": 1, "max_value": "2013-01-31"}, "", "both instants"),
        (
            "column_sum_to_be_between",
            {"min_value": 1, "max_value": 1, "strict_max": True},
            "min_value",
            "no data",
        ),
        ("table_row_count_to_be_between", {"min_value": 0}, "min_value", "any data"),
        ("column_proportion_of_unique_values_to_be_between", {"max_value": 1}, "max_value", "any data"),
        ("column_values_to_not_be_null", {"mostly": "0.9"}, "mostly", "without quotes"),
        ("column_values_to_be_increasing", {"strictly": "no"}, "strictly", "true or false"),
        ("compound_columns_to_be_unique", {"column_list": ["a", "b", "a"]}, "column_list", "twice"),
        ("column_pair_values_to_be_equal", ORDER, "column_B", "itself"),
        (
            "column_quantile_values_to_be_between",
            {"quantile_ranges": {**HALF, "quantiles": [50]}},
            "quantile_ranges",
            "0 to 1",
        ),
        (
            "column_quantile_values_to_be_between",
            {"quantile_ranges": {**HALF, "value_ranges": []}},
            "quantile_ranges",
            "as many",
        ),
        (
            "column_quantile_values_to_be_between",
            {"quantile_ranges": {**HALF, "value_ranges": [[None, None]]}},
            "quantile_ranges",
            "any data",
        ),
        (
            "column_kl_divergence_to_be_less_than",
            {"partition_object": UNEVEN, "threshold": 1},
            "partition_object",
            "add up to 1",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, kwargs: dict[str, Any], argument: str, said: str) -> None:
    column = (
        {} if name.startswith("table_") or {"column_A", "column_list"} & kwargs.keys() else {"column": "c"}
    )
    ((where, why),) = wrong_values(f"expect_{name}", {**column, **kwargs})
    assert where == argument and said in why


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("column_values_to_be_between", {"column": "c", "min_value": 0}),
        ("column_stdev_to_be_between", {"column": "c", "min_value": 0, "strict_min": True}),
        ("column_value_lengths_to_be_between", {"column": "c", "min_value": 0, "max_value": 9}),
        (
            "column_max_to_be_between",
            {"column": "c", "min_value": "2013-01-01T00:00:00+05:00", "max_value": "2013-01-01"},
        ),
        (
            "column_quantile_values_to_be_between",
            {"column": "c", "quantile_ranges": HALF, "allow_relative_error": "linear"},
        ),
    ],
)
def test_what_makes_sense_is_not(name: str, kwargs: dict[str, Any]) -> None:
    assert wrong_values(f"expect_{name}", kwargs) == []
