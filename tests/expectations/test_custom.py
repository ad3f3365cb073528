"""Functions of a project judge rows as the library's own expectations do, and are read as strictly."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import yaml

from core.errors import SpecError
from expectations import custom
from expectations.suites import Suite, load_suite

CODE = '''\
import polars as pl

def expect_speed_to_be_possible(distance, minutes, fastest=700):
    """No plane flies faster."""
    return pl.col(distance) / pl.col(minutes) * 60 <= fastest

def expect_weekday(column):
    return pl.col(column).dt.weekday() <= 5

def expect_arrival_after_departure():
    return pl.col("arrival") > pl.col("departure")

def expect_recent(since):
    return pl.col("departure") >= since

def expect_listed(allowed):
    return pl.col("carrier").is_in(allowed)

def expect_breaks(column):
    raise RuntimeError("no such thing")

def expect_number(column):
    return 7

def expect_many():
    return pl.all() > 0

def expect_nothing():
    return pl.lit(True)

def expect_any(**kwargs):
    return pl.col("a") > 0

def expect_mostly(column, mostly):
    return pl.col(column) > 0

def expect_column_values_to_be_unique(column):
    return pl.col(column).is_unique()

def helper(column):
    return pl.col(column) > 0
'''

Load = Callable[..., Suite]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "functions.py"
    path.write_text(CODE, encoding="utf-8")
    return path


@pytest.fixture
def load(tmp_path: Path, code: Path) -> Load:
    module = ModuleType("functions")
    exec(compile(CODE, code, "exec"), module.__dict__)
    functions = {name: member for name, member in vars(module).items() if callable(member)}

    def load(name: str, **kwargs: Any) -> Suite:
        entry = {"type": name, "severity": "warning", "kwargs": kwargs}
        path = tmp_path / "flights.yaml"
        path.write_text(
            yaml.safe_dump({"name": "flights", "version": 1, "expectations": [entry]}, sort_keys=False)
        )
        return load_suite(path, functions)

    return load


@pytest.mark.parametrize(
    ("name", "kwargs", "columns"),
    [
        ("expect_weekday", {"column": "departure"}, ("departure",)),
        ("expect_weekday", {"column": "départ"}, ("départ",)),
        ("expect_arrival_after_departure", {}, ("arrival", "departure")),
        ("expect_speed_to_be_possible", {"distance": "d", "minutes": "m"}, ("d", "m")),
        ("expect_speed_to_be_possible", {"distance": "d", "minutes": "d", "fastest": 5}, ("d",)),
        ("expect_recent", {"since": {"$PARAMETER": "batch.start - 1d"}}, ("departure",)),
        ("expect_listed", {"allowed": {"$PARAMETER": "airlines.carrier"}}, ("carrier",)),
    ],
)
def test_the_columns_are_those_it_judges(
    load: Load, name: str, kwargs: dict[str, Any], columns: tuple[str, ...]
) -> None:
    suite = load(name, **kwargs)
    (entry,) = suite.expectations
    assert (entry.kind, entry.columns, suite.custom) == ("rows", columns, True)
    assert entry.function is not None and entry.function.__name__ == name


def test_it_judges_as_the_project_says(load: Load) -> None:
    (entry,) = load("expect_speed_to_be_possible", distance="d", minutes="m", mostly=0.9).expectations
    assert entry.function is not None
    frame = pl.DataFrame({"d": [100, 2000, None], "m": [30, 60, 60]})
    judged = frame.select(good=custom.expression(entry.type, entry.function, entry.kwargs))
    assert judged["good"].to_list() == [True, False, None]


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("expect_weekdy", {"column": "a"}, "did you mean 'expect_weekday'?"),
        ("expect_column_values_to_be_betwen", {}, "did you mean 'expect_column_values_to_be_between'?"),
        ("helper", {"column": "a"}, "unknown expectation type 'helper'"),
        ("expect_weekday", {"colum": "a"}, "did you mean 'column'?"),
        ("expect_weekday", {}, "key 'column' is missing"),
        ("expect_weekday", {"column": "a", "mostly": 0}, "mostly: 0 should be a share"),
        ("expect_weekday", {"column": "a", "mostly": True}, "mostly: True should be a share"),
        ("expect_recent", {"since": {"$PARAMETER": "batch.strat"}}, "did you mean 'batch.start'?"),
        ("expect_breaks", {"column": "a"}, ""),
        ("expect_column_values_to_be_unique", {"column": "a"}, "give the project's function another name"),
    ],
)
def test_what_is_not_right_is_named_with_its_line(
    load: Load, tmp_path: Path, name: str, kwargs: dict[str, Any], said: str
) -> None:
    if name == "expect_breaks":
        assert load(name, **kwargs).columns == ("a",)
        return
    with pytest.raises(SpecError) as caught:
        load(name, **kwargs)
    assert str(caught.value).startswith(f"{tmp_path / 'flights.yaml'}:")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kwargs", "line", "said"),
    [
        ("expect_many", {}, "expect_many", "one boolean expression"),
        ("expect_nothing", {}, "expect_nothing", "looks at no column"),
        ("expect_any", {}, "expect_any", "not **kwargs"),
        ("expect_mostly", {"column": "a"}, "expect_mostly", "`mostly`"),
    ],
)
def test_a_function_that_cannot_judge_is_named_with_its_line(
    load: Load, code: Path, name: str, kwargs: dict[str, Any], line: str, said: str
) -> None:
    number = 1 + CODE.splitlines().index(next(text for text in CODE.splitlines() if f"def {line}(" in text))
    with pytest.raises(SpecError) as caught:
        load(name, **kwargs)
    assert f"{code}:{number}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_function_that_fails_when_called_is_blamed_at_its_line(load: Load, code: Path) -> None:
    (entry,) = load("expect_breaks", column="a").expectations
    assert entry.function is not None
    line = 1 + next(place for place, text in enumerate(CODE.splitlines()) if "no such thing" in text)
    with pytest.raises(SpecError, match=f"{code}:{line}: RuntimeError: no such thing"):
        custom.expression(entry.type, entry.function, entry.kwargs)
    (entry,) = load("expect_number", column="a").expectations
    assert entry.function is not None
    with pytest.raises(SpecError, match="should return a boolean Polars expression, not int"):
        custom.expression(entry.type, entry.function, entry.kwargs)


def test_without_functions_a_suite_is_not_custom(suite: Load) -> None:
    loaded = suite({"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a"}})
    assert not loaded.custom and loaded.expectations[0].function is None
