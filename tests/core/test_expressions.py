"""Expressions of a spec: which are read, and which would see more than their own row."""

import polars as pl
import pytest

from core.expressions import is_by_row, parse


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
        ("x < now/* */()", "reads the clock: its value"),
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


X, ALONE, DECIDED = pl.col("x"), pl.col("x").over("id"), pl.when(pl.col("x") > 1)


@pytest.mark.parametrize(
    "hidden",
    [
        ALONE,  # which groups of one event hide
        DECIDED.then(X.mean()).otherwise(0),
        X.fill_null(strategy="forward"),
        X.is_in(X.implode()),
        X + pl.len(),
        X.clip(0, X.quantile(0.9)),
        pl.struct("x").struct.field("x").rank(),
        X.str.to_datetime(),  # in the form of the first that there is
    ],
)
def test_what_reads_other_rows_is_known_by_its_form_whatever_they_hold(hidden: pl.Expr) -> None:
    with pytest.raises(ValueError, match="reads other rows than the event's own"):
        is_by_row(hidden)


@pytest.mark.parametrize(
    ("expression", "sure"),
    [
        (DECIDED.then(pl.col("y").cast(pl.Float64).log1p()).otherwise(None), True),
        (pl.concat_list("x", "y").list.mean() + pl.max_horizontal("x", "y"), True),
        (pl.col("at").dt.convert_time_zone("Asia/Kolkata").dt.truncate("1d") - pl.duration(hours="x"), True),
        (X.replace_strict({1: 2}, default=None).is_in([2, 3]), True),
        (X.map_batches(lambda values: values), False),
        (X + pl.Series([1, 2]), False),
    ],
)
def test_what_is_of_its_own_row_is_known_unless_python_makes_it(expression: pl.Expr, sure: bool) -> None:
    assert is_by_row(expression) is sure
