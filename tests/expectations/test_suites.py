"""A suite that is not right is refused, with its file, its line and the right word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SpecError
from expectations.suites import Suite, load_suite

GOOD = """\
name: flights
version: 2
expectations:
  - type: expect_column_values_to_be_between
    severity: warning
    kwargs: {column: distance, min_value: 1, max_value: 6000}
  - type: expect_column_values_to_be_in_set
    severity: info
    kwargs: {column: carrier, value_set: {$PARAMETER: airlines.carrier}}
  - type: expect_compound_columns_to_be_unique
    severity: critical
    kwargs: {column_list: [carrier, flight]}
    meta: {allow_all_null: true}
"""


def test_what_a_suite_says(write_suite: Callable[[str], Path]) -> None:
    suite = load_suite(write_suite(GOOD))
    assert (suite.name, suite.version, suite.allow_empty) == ("flights", 2, False)
    assert suite.columns == ("carrier", "distance", "flight")
    assert suite.parameters == ("airlines.carrier",)
    assert [entry.line for entry in suite.expectations] == [4, 7, 10]
    assert [entry.severity for entry in suite.expectations] == ["warning", "info", "critical"]
    assert [entry.allow_all_null for entry in suite.expectations] == [False, False, True]
    assert suite.expectations[2].columns == ("carrier", "flight")


def test_the_hash_is_of_what_is_said_not_how(write_suite: Callable[[str], Path]) -> None:
    first = load_suite(write_suite(GOOD)).hash
    reworded = GOOD.replace("{column: distance, min_value: 1,", "{min_value: 1,  column: 'distance',")
    assert load_suite(write_suite("# a comment\n" + reworded)).hash == first
    assert load_suite(write_suite(GOOD.replace("6000", "6001"))).hash != first


def test_text_stays_text(write_suite: Callable[[str], Path]) -> None:
    text = GOOD.replace("{$PARAMETER: airlines.carrier}", "[NO, on, 010, 12:30, 2013-01-01, 7, 1e3, true]")
    values = load_suite(write_suite(text)).expectations[1].kwargs["value_set"]
    assert values == ["NO", "on", "010", "12:30", "2013-01-01", 7, 1000.0, True]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("values_to_be_between", "values_to_be_betwen", 4, "'expect_column_values_to_be_between'"),
        ("expect_column_values_to_be_between", "expect_column_values_to_match_like_pattern", 4, "SQL"),
        ("expect_column_values_to_be_between", "expect_column_values_to_be_of_type", 4, "`columns`"),
        ("severity: critical", "severity: critcal", 11, "did you mean 'critical'?"),
        ("severity: critical", "severity: fatal", 11, "there is 'critical', 'warning', 'info'"),
        ("severity: critical", "severty: critical", 11, "did you mean 'severity'?"),
        ("    severity: critical\n", "", 10, "'severity' is missing"),
        ("max_value", "max_valu", 6, "did you mean 'max_value'?"),
        ("column: distance, ", "", 6, "'column' is missing"),
        ("min_value: 1, max_value: 6000", "mostly: 0.9", 6, "min_value and max_value"),
        ("min_value: 1,", "min_value: one,", 6, "min_value"),
        ("min_value: 1,", "min_value: null,", 6, "leave it out"),
        ("min_value: 1,", "min_value: 7000,", 6, "7000 is above max_value 6000"),
        ("min_value: 1,", "min_value: 1, mostly: 0,", 6, "hold for any data"),
        ("min_value: 1,", "min_value: 1, min_value: 2,", 6, "twice"),
        ("{$PARAMETER: airlines.carrier}", "AA", 9, "value_set"),
        ("{$PARAMETER: airlines.carrier}", "{$PARAMETER: a, default: b}", 9, "nothing but $PARAMETER"),
        ("$PARAMETER: a", "$PARAMETR: a", 9, "did you mean '$PARAMETER'?"),
        ("min_value: 1,", "min_value: {$PARAMETER: bach.end},", 6, "did you mean 'batch.end'?"),
        ("airlines.carrier", "batch.end", 9, "'batch.end' is an instant here"),
        ("{$PARAMETER: airlines.carrier}", "{AA: 1}", 9, "should be a list"),
        ("{$PARAMETER: airlines.carrier}", "[{a: 1, a: 2}]", 9, "twice"),
        ("kwargs: {column: distance,", "kwargs: &me {column: *me,", 6, "recursive"),
        ("allow_all_null: true", "allow_al_null: true", 13, "did you mean 'allow_all_null'?"),
        ("allow_all_null: true", "allow_all_null: 'yes'", 13, "true or false"),
        ("name: flights", "name: flihgts", 1, "'flights'"),
        ("version: 2", "version: two", 2, "whole number"),
        ("version: 2", "version: true", 2, "whole number"),
        ("version: 2\n", "", 1, "'version' is missing"),
        ("expectations:", "expectation:", 3, "did you mean 'expectations'?"),
        ("[carrier, flight]", "[carrier, flight", 12, "YAML"),
        ("min_value: 1,", "min_value: !!timestamp 2013-01-01,", 6, "timestamp"),
        ("min_value: 1,", "min_value: !!python/name:os.system ,", 6, "python/name"),
    ],
)
def test_a_fault_is_named(
    write_suite: Callable[[str], Path], right: str, wrong: str, line: int, said: str
) -> None:
    assert right in GOOD
    path = write_suite(GOOD.replace(right, wrong, 1))
    with pytest.raises(SpecError) as caught:
        load_suite(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)


def test_the_same_expectation_twice_is_refused(write_suite: Callable[[str], Path]) -> None:
    first, last = GOOD.index("  - type: "), GOOD.index("  - type: expect_column_values_to_be_in_set")
    again = GOOD + GOOD[first:last].replace("severity: warning", "severity: info")
    with pytest.raises(SpecError, match=r"flights\.yaml:14: .*line 4"):
        load_suite(write_suite(again))


@pytest.mark.parametrize("text", ["", "# nothing\n", "name: flights\nversion: 1\nexpectations: []\n"])
def test_an_empty_suite_is_refused(write_suite: Callable[[str], Path], text: str) -> None:
    with pytest.raises(SpecError, match="empty"):
        load_suite(write_suite(text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        load_suite(tmp_path / "flights.yaml")


@pytest.mark.parametrize("pattern", ["(", "[a"])
def test_a_pattern_must_be_one(suite: Callable[..., Suite], pattern: str) -> None:
    entry = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": pattern}}
    with pytest.raises(SpecError, match="regex"):
        suite(entry)


def test_a_pattern_is_never_taken_for_granted(suite: Callable[..., Suite]) -> None:
    with pytest.raises(SpecError, match="'regex' is missing"):
        suite({"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a"}})
