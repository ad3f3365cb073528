"""Expressions of a spec: which are read, and which would see more than their own row."""

import polars as pl
import pytest

from core.expressions import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("distance / seats", [2.0, 10.0]),
        ("CASE WHEN distance > 100 THEN 1 ELSE 0 END", [0, 1]),
        ("COALESCE(NULLIF(seats, 50), -1)", [-1, 20]),
        ("\"Ziel ✈\" || '-now()'", ["a-now()", "b-now()"]),
        ("distance IN (100, 7) AND seats BETWEEN 1 AND 50", [True, False]),
        ("ROUND(distance / 7, 1)", [14.3, 28.6]),
    ],
)
def test_an_expression_is_computed_row_by_row(text: str, expected: list[object]) -> None:
    frame = pl.DataFrame({"distance": [100, 200], "seats": [50, 20], "Ziel ✈": ["a", "b"]})
    assert frame.select(parse(text).alias("x"))["x"].to_list() == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("distance - AVG(distance)", "reads other rows than the event's own"),
        ("COALESCE(x, MAX(x))", "reads other rows than the event's own"),
        ("COUNT(*)", "reads other rows than the event's own"),
        ("LAG(x) OVER (ORDER BY y)", "reads other rows than the event's own"),
        ("ROW_NUMBER() OVER ()", "reads other rows than the event's own"),
        ("x IN (SELECT 1)", "reads other rows than the event's own"),
        ("UNNEST(x)", "reads other rows than the event's own"),
        ("COLUMNS('^x.*$')", "reads other rows than the event's own"),
        ("x < NOW()", r"reads the clock \(NOW\)"),
        ("x < current_date", r"reads the clock \(current_date\)"),
        ("1 + 1", "reads no column"),
        ("distance /", "is no SQL expression"),
        ("a, b", "is no SQL expression"),
        ("", "is no SQL expression"),
    ],
)
def test_an_expression_that_sees_more_than_its_row_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse(text)
