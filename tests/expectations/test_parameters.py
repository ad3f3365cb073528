"""Parameters are read strictly, reckoned with exactly, and say when there is nothing to compare with."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import SpecError
from expectations.parameters import evaluate, filled, not_judged, parse
from expectations.suites import Suite

END = datetime(2013, 4, 1, 4, tzinfo=UTC)
Load = Callable[..., Suite]


def rows(**kwargs: Any) -> dict[str, Any]:
    return {"type": "expect_table_row_count_to_be_between", "severity": "critical", "kwargs": kwargs}


def given(expression: str) -> dict[str, str]:
    return {"$PARAMETER": expression}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("batch.end", END),
        (" batch.end ", END),
        ("batch.end - 2h", END - timedelta(hours=2)),
        ("batch.end + 1w", END + timedelta(days=7)),
        ("trailing.rows", 1001),
        ("trailing.rows * 2", 2002),
        ("trailing.rows * 0.5", 500.5),
        ("airlines.carrier", ["AA", "UA"]),
        ("reference.distance", {"bins": [0.0, 1.0], "weights": [1.0]}),
        ("orders.net * gross", [1]),
        ("bestellungen.größe in mm", [2]),
    ],
)
def test_an_expression_has_a_value(expression: str, value: Any) -> None:
    values = {
        "batch.end": END,
        "trailing.rows": 1001,
        "airlines.carrier": ["AA", "UA"],
        "reference.distance": {"bins": [0.0, 1.0], "weights": [1.0]},
        "orders.net * gross": [1],
        "bestellungen.größe in mm": [2],
    }
    assert evaluate(expression, values) == value


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("batch.ends", "did you mean 'batch.end'?"),
        ("batch.end - 2 hours", "unknown parameter"),
        ("batch.end - 2y", "'2y' is no duration"),
        ("batch.end - 999999999w", "longer than any calendar"),
        ("batch.end * 2", "an instant: it can be moved by a duration"),
        ("batch.end-2h", "did you mean 'batch.end'?"),
        ("trailing.row", "did you mean 'trailing.rows'?"),
        ("trailing.rows*0.5", "did you mean 'trailing.rows'?"),
        ("trailing.rows + 2h", "a number: it can be times a number"),
        ("trailing.rows * half", "'half' is no number"),
        ("trailing.rows * 0", "above 0"),
        ("trailing.rows * -1", "no number above 0"),
        ("airlines.carrier * 2", "'airlines.carrier' is a list of values: it stands alone"),
        ("bacth.end - 2h", "did you mean 'batch.end'?"),
        ("reference.distance * 2", "is a distribution: it stands alone"),
        ("as-of", "did you mean 'as_of'?"),
        ("carriers", "<dataset>.<column>"),
        ("", "unknown parameter ''"),
        (".carrier", "unknown parameter"),
        ("reference.", "unknown parameter"),
    ],
)
def test_a_bad_expression_is_refused_where_it_stands(suite: Load, expression: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(expression)
    assert said in str(caught.value)
    with pytest.raises(SpecError) as refused:
        suite(rows(min_value=given(expression)))
    assert "flights.yaml:7: " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "value", "said"),
    [
        ("trailing.rows * 2", [1, 2, 3], "a list of 3 cannot be multiplied: it is no number"),
        ("trailing.rows * 2", "many", "str 'many' cannot be multiplied"),
        ("trailing.rows * 2", True, "bool 'True' cannot be multiplied"),
        ("batch.end - 2h", 7, "int '7' cannot be moved: it is no instant"),
        ("batch.end - 9999999d", END, "'batch.end - 9999999d'"),
    ],
)
def test_a_value_of_the_wrong_sort_is_named(expression: str, value: Any, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        evaluate(expression, {parse(expression).name: value})
    assert said in str(caught.value)


def test_instants_may_be_text_and_keep_their_zone() -> None:
    assert evaluate("batch.end - 1h", {"batch.end": "2013-04-01T04:00:00"}) == END - timedelta(hours=1)
    there = timezone(timedelta(hours=-4))
    assert evaluate("batch.end + 1h", {"batch.end": "2013-04-01T00:00:00-04:00"}) == datetime(
        2013, 4, 1, 1, tzinfo=there
    )


def test_a_suite_names_what_it_needs_once(suite: Load) -> None:
    loaded = suite(
        rows(min_value=given("trailing.rows * 0.5"), max_value=given("trailing.rows * 2")),
        {
            "type": "expect_column_max_to_be_between",
            "kwargs": {"column": "at", "min_value": given("batch.end - 2h")},
        },
    )
    assert loaded.parameters == ("batch.end", "trailing.rows")
    assert loaded.expectations[0].parameters == {
        "min_value": "trailing.rows * 0.5",
        "max_value": "trailing.rows * 2",
    }


def test_what_has_no_value_yet_is_not_judged(suite: Load) -> None:
    entry = suite(rows(min_value=given("trailing.rows * 0.5"))).expectations[0]
    assert filled(entry, {"trailing.rows": None}) is None
    assert not_judged(entry, {"trailing.rows": None}) == "not judged: trailing.rows has no value yet"
    assert not_judged(entry, {"trailing.rows": 100}) is None
    assert filled(entry, {"trailing.rows": 100}) == {"min_value": 50}


def test_what_is_missing_is_an_error_at_its_line(suite: Load) -> None:
    loaded = suite(rows(min_value=given("trailing.rows * 0.5")))
    entry = loaded.expectations[0]
    with pytest.raises(SpecError, match=r"flights\.yaml:4: parameter 'trailing\.rows' has no value"):
        filled(entry, {"batch.end": None}, loaded.where(entry))


@pytest.mark.parametrize(
    ("kwargs", "bounds"),
    [
        ({"min_value": "trailing.rows * 0.5", "max_value": "trailing.rows * 1.5"}, (51, 151)),
        (
            {
                "min_value": "trailing.rows * 0.5",
                "strict_min": True,
                "max_value": "trailing.rows * 1.5",
                "strict_max": True,
            },
            (50, 152),
        ),
    ],
)
def test_a_bound_on_a_count_becomes_the_whole_number_that_means_the_same(
    suite: Load, kwargs: dict[str, Any], bounds: tuple[int, int]
) -> None:
    entry = suite(
        rows(**{key: given(value) if isinstance(value, str) else value for key, value in kwargs.items()})
    ).expectations[0]
    full = filled(entry, {"trailing.rows": 101})
    assert full is not None
    low, high = 101 * 0.5, 101 * 1.5
    strict = "strict_min" in kwargs
    for count in range(45, 160):
        meant = low < count < high if strict else low <= count <= high
        said = bounds[0] < count < bounds[1] if strict else bounds[0] <= count <= bounds[1]
        assert meant == said
    assert (full["min_value"], full["max_value"]) == bounds


def test_nulls_are_no_members_of_a_list(suite: Load) -> None:
    entry = suite(
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "carrier", "value_set": given("airlines.carrier")},
        }
    ).expectations[0]
    full = filled(entry, {"airlines.carrier": ["AA", None]})
    assert full == {"column": "carrier", "value_set": ["AA"]}


def test_a_parameter_is_a_whole_argument(tmp_path: Path, suite: Load) -> None:
    with pytest.raises(SpecError, match="whole argument"):
        suite(
            {
                "type": "expect_column_values_to_be_in_set",
                "kwargs": {"column": "carrier", "value_set": [given("airlines.carrier")]},
            }
        )
    assert yaml.safe_load("{$PARAMETER: trailing.rows * 0.5}") == given("trailing.rows * 0.5")
