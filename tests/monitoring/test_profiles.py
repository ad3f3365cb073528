"""A batch's profile holds what later questions ask of it, and is valid JSON whatever the rows."""

import json
from typing import Any

import polars as pl
import pytest

from core.errors import PerennialError
from models.rows import Columns
from monitoring.profiles import SCHEMA, profile

COLUMNS = Columns(("wind",), ("carrier",))


def documents(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    table = profile(frame, COLUMNS, "2013-01")
    assert table.schema == SCHEMA
    return dict(zip(table["feature"], map(json.loads, table["document"]), strict=True))


def test_numbers_are_summarised_without_their_missing_values() -> None:
    wind = [*range(101), None, float("nan"), float("inf")]
    frame = pl.DataFrame({"wind": pl.Series(wind, dtype=pl.Float32, strict=False), "carrier": "UA"})
    row = profile(frame, COLUMNS, "2013-01").row(0, named=True)
    assert (row["batch"], row["kind"], row["rows"], row["nulls"]) == ("2013-01", "number", 104, 3)
    found = json.loads(row["document"])
    assert (found["mean"], found["min"], found["max"]) == (50, 0, 100)
    assert found["std"] == pytest.approx(((101**2 - 1) / 12) ** 0.5)  # discrete uniform
    assert found["quantiles"]["0.25"] == 25
    assert found["quantiles"]["0.99"] == 99


def test_categories_keep_the_most_frequent_in_a_stable_order() -> None:
    carriers = ["B6"] * 2 + ["UA"] * 5 + ["AA"] * 2 + [None] * 3 + [f"X{n:02d}" for n in range(40)]
    found = documents(pl.DataFrame({"wind": 1.0, "carrier": carriers}))["carrier"]
    assert found["distinct"] == 43
    assert [entry["value"] for entry in found["top"][:4]] == ["UA", "AA", "B6", "X00"]
    assert found["top"][0]["count"] == 5
    assert len(found["top"]) == 20


@pytest.mark.parametrize("rows", [0, 3])
def test_empty_and_all_null_columns_are_null_in_valid_json(rows: int) -> None:
    frame = pl.DataFrame(
        {"wind": [None] * rows, "carrier": [None] * rows}, schema={"wind": pl.Float32, "carrier": pl.String}
    )
    found = documents(frame)
    assert found["wind"]["mean"] is None
    assert found["wind"]["quantiles"]["0.5"] is None
    assert found["carrier"] == {"distinct": 0, "top": []}


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(PerennialError, match="carrier"):
        profile(pl.DataFrame({"wind": [1.0]}), COLUMNS, "2013-01")
