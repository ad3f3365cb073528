"""Feature rows as arrays: the order of columns, what missing looks like, and what a model never sees."""

import numpy as np
import polars as pl
import pytest

from core.errors import PerennialError
from core.spec import Spec
from models.rows import Columns, Rows, categories, numbers
from models.rows import columns as columns_of


def test_columns_are_split_by_kind_in_the_order_of_the_spec(spec: Spec, columns: Columns) -> None:
    assert columns_of(spec) == columns
    assert columns.names == ("distance", "wind", "late_rate", "airline", "route")


def test_local_time_is_a_number(spec: Spec) -> None:
    feature = {"from": "time", "column": "event_time", "part": "hour", "timezone": "UTC"}
    document = spec.model_dump(by_alias=True) | {"features": {"hour": feature}}
    assert columns_of(Spec.model_validate(document)) == Columns(("hour",), ())


def test_numbers_are_float32_with_nan_for_missing() -> None:
    frame = pl.DataFrame({"seats": [150, None], "wet": [True, False], "wind": [0.1, None]})
    values = numbers(frame, Columns(("wind", "seats", "wet"), ()))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array([[0.1, 150, 1], [np.nan, np.nan, 0]], np.float32))


def test_a_missing_category_is_the_empty_string() -> None:
    frame = pl.DataFrame({"airline": ["UA", None], "gate": [7, None]})
    found = categories(frame, Columns((), ("airline", "gate")))
    assert [series.to_list() for series in found] == [["UA", ""], ["7", ""]]


def test_an_absent_column_is_named(rows_frame: pl.DataFrame, columns: Columns) -> None:
    with pytest.raises(PerennialError, match=r"lack the columns \['wind'\]"):
        numbers(rows_frame.drop("wind"), columns)
    with pytest.raises(PerennialError, match=r"lack the columns \['route'\]"):
        categories(rows_frame.drop("route"), columns)


def test_rows_hide_the_outcome_from_models(rows_frame: pl.DataFrame) -> None:
    rows = Rows.of(rows_frame)
    assert len(rows) == rows_frame.height
    assert not {"label", "known_at"} & set(rows.frame.columns)
    assert rows.labels.dtype == np.float64
    assert rows.labels.sum() == rows_frame["label"].sum()


def test_rows_refuse_a_null_label_and_the_wrong_order(rows_frame: pl.DataFrame) -> None:
    unlabelled = rows_frame.with_columns(label=pl.when(pl.col("flight") > 9).then("label"))
    with pytest.raises(PerennialError, match="10 of 3000 rows have a null label"):
        Rows.of(unlabelled)
    with pytest.raises(PerennialError, match="order of event_time"):
        Rows.of(rows_frame.reverse())
