"""The rows that a graph is compared on are the awkward ones."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models.families import lightgbm
from models.family import Job
from models.onnx.probes import FUZZED, UNSEEN, compared_rows, fuzzed
from models.problems.binary import Binary
from models.rows import Columns, Rows


@pytest.fixture(scope="module")
def trees(rows_frame: pl.DataFrame, columns: Columns) -> lightgbm.Trees:
    train, validation = Rows.of(rows_frame[:2000]), Rows.of(rows_frame[2000:])
    return lightgbm.fit(Job(Binary(), columns, train, validation, {"rounds": 15}, 1))


def test_the_compared_rows_are_the_awkward_ones(
    trees: lightgbm.Trees, columns: Columns, rows_frame: pl.DataFrame
) -> None:
    rows = compared_rows(trees.graph(), columns, rows_frame, rows_frame)
    assert rows[: rows_frame.height].equals(rows_frame.select(columns.names))
    edges = rows[rows_frame.height : -FUZZED]
    assert edges.filter(pl.all_horizontal(pl.all().is_null())).height
    for name in columns.names:
        others = [other for other in columns.numbers if other != name]
        assert edges.filter(pl.col(name).is_null() & pl.all_horizontal(pl.col(others).is_not_null())).height
    for name in columns.categories:
        assert edges.filter(pl.col(name) == UNSEEN).height
    winds = set(edges["wind"].drop_nulls().to_list())
    nodes = trees.booster.trees_to_dataframe().query("split_feature == 'Column_1'")
    up = np.float32(np.inf)
    for threshold in nodes["threshold"].unique():
        around = np.float32(threshold)
        other = np.nextafter(around, -up if around > threshold else up)
        assert {float(around), float(other)} <= winds


def test_rows_at_random_are_over_and_beyond_what_was_seen(columns: Columns, rows_frame: pl.DataFrame) -> None:
    rows = fuzzed(rows_frame, columns, 2000, seed=5)
    assert rows.equals(fuzzed(rows_frame, columns, 2000, seed=5), null_equal=True)
    assert not rows.equals(fuzzed(rows_frame, columns, 2000, seed=6))
    winds, known = rows["wind"].to_numpy(), rows_frame["wind"]
    finite = winds[np.isfinite(winds)]
    assert np.isin(finite, known.to_numpy()).mean() > 0.5
    assert finite.max() > 1e30
    assert finite.min() < -1e30
    assert {np.inf, -np.inf} <= set(winds.tolist())
    assert np.isnan(winds).any()
    assert ((winds == 0) & np.signbit(winds)).any()
    assert ((winds != 0) & (np.abs(winds) < np.finfo(np.float32).tiny)).any()
    airlines = set(rows["airline"].to_list())
    assert {"UA", "ua", "UA ", "", None, UNSEEN} <= airlines
    assert any(airline and len(airline) > 1000 for airline in airlines)


@pytest.mark.parametrize("kept", ["numbers", "categories"])
def test_columns_may_be_of_one_kind(kept: str, columns: Columns, rows_frame: pl.DataFrame) -> None:
    few = replace(columns, **{"categories" if kept == "numbers" else "numbers": ()})
    rows = fuzzed(rows_frame, few, 50, seed=1)
    assert (rows.height, tuple(rows.columns)) == (50, few.names)
