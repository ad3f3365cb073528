"""Parity holds for a right graph and fails for each graph with one planted fault."""

from collections.abc import Callable

import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.calibrate import Calibration
from models.families import lightgbm
from models.family import Job
from models.onnx.graph import calibrated
from models.onnx.latency import latencies
from models.onnx.parity import BATCH_SIZES, EXACT, QUANTIZED, Parity, compared_rows, parity
from models.onnx.proto import assemble, column
from models.problems.binary import Binary
from models.rows import Columns, Rows
from models.runtime import Model

PLATT = Calibration("platt", "sigmoid", (0.0,), (1.1,), (-0.1,))


@pytest.fixture(scope="module")
def trees(rows_frame: pl.DataFrame, columns: Columns) -> lightgbm.Trees:
    train, validation = Rows.of(rows_frame[:2000]), Rows.of(rows_frame[2000:])
    return lightgbm.fit(Job(Binary(), columns, train, validation, {"rounds": 15}, 1))


@pytest.fixture(scope="module")
def graph(trees: lightgbm.Trees) -> onnx.ModelProto:
    return calibrated(trees.graph(), PLATT)


def compared(graph: onnx.ModelProto, trees: lightgbm.Trees, rows: pl.DataFrame) -> Parity:
    model = Model(graph.SerializeToString(), "graph")
    return parity(model, rows, PLATT.apply(trees.margins(rows)), EXACT)


def test_a_right_graph_holds(
    graph: onnx.ModelProto, trees: lightgbm.Trees, columns: Columns, rows_frame: pl.DataFrame
) -> None:
    rows = compared_rows(graph, columns, rows_frame)
    found = compared(graph, trees, rows)
    assert found.holds, found
    assert (found.rows, found.batch_sizes) == (rows.height, BATCH_SIZES)
    assert 0 < found.mean_difference < found.max_difference
    assert found.unsteady == 0


def test_the_compared_rows_are_the_awkward_ones(
    graph: onnx.ModelProto, trees: lightgbm.Trees, columns: Columns, rows_frame: pl.DataFrame
) -> None:
    rows = compared_rows(graph, columns, rows_frame)
    assert rows[: rows_frame.height].equals(rows_frame.select(columns.names))
    edges = rows[rows_frame.height :]
    assert edges.filter(pl.all_horizontal(pl.all().is_null())).height
    for name in columns.names:
        others = [other for other in columns.numbers if other != name]
        assert edges.filter(pl.col(name).is_null() & pl.all_horizontal(pl.col(others).is_not_null())).height
    for name in columns.categories:
        assert not edges.filter(~pl.col(name).is_in(rows_frame[name].unique().to_list())).is_empty()
    winds = set(edges["wind"].drop_nulls().to_list())
    nodes = trees.booster.trees_to_dataframe().query("split_feature == 'Column_1'")
    up = np.float32(np.inf)
    for threshold in nodes["threshold"].unique():
        around = np.float32(threshold)
        other = np.nextafter(around, -up if around > threshold else up)
        assert {float(around), float(other)} <= winds


def ensemble(graph: onnx.ModelProto, attribute: str) -> onnx.AttributeProto:
    node = next(node for node in graph.graph.node if node.op_type == "TreeEnsemble")
    return next(part for part in node.attribute if part.name == attribute)


def rounded_up(graph: onnx.ModelProto) -> None:
    """Every split one float32 higher."""
    part = ensemble(graph, "nodes_splits")
    higher = np.nextafter(numpy_helper.to_array(part.t).astype(np.float32), np.float32(np.inf))
    part.t.CopyFrom(numpy_helper.from_array(higher.astype(np.float64)))


def missing_the_other_way(graph: onnx.ModelProto) -> None:
    part = ensemble(graph, "nodes_missing_value_tracks_true")
    part.ints[:] = [1 - way for way in part.ints]


def another_default(graph: onnx.ModelProto) -> None:
    """What an unseen airline gets is off."""
    node = next(node for node in graph.graph.node if node.op_type == "LabelEncoder")
    next(part for part in node.attribute if part.name == "default_float").f = 0.9


def a_leaf_off(graph: onnx.ModelProto) -> None:
    part = ensemble(graph, "leaf_weights")
    leaves = numpy_helper.to_array(part.t).copy()
    leaves[7] += 0.001
    part.t.CopyFrom(numpy_helper.from_array(leaves))


@pytest.mark.parametrize("fault", [rounded_up, missing_the_other_way, another_default, a_leaf_off])
def test_a_planted_fault_is_found(
    graph: onnx.ModelProto,
    trees: lightgbm.Trees,
    columns: Columns,
    rows_frame: pl.DataFrame,
    fault: Callable[[onnx.ModelProto], None],
) -> None:
    broken = onnx.ModelProto.FromString(graph.SerializeToString())
    fault(broken)
    assert not compared(broken, trees, compared_rows(broken, columns, rows_frame)).holds


def test_ordinary_rows_would_not_show_the_rounding(
    graph: onnx.ModelProto, trees: lightgbm.Trees, columns: Columns, rows_frame: pl.DataFrame
) -> None:
    broken = onnx.ModelProto.FromString(graph.SerializeToString())
    rounded_up(broken)
    known = rows_frame.select(columns.names).drop_nulls()
    assert compared(broken, trees, known).max_difference <= EXACT.max_difference


def batch_bound() -> Model:
    """A graph whose answer for a row hangs, a little, on the largest number in the batch."""
    nodes = [
        helper.make_node("ReduceMax", ["wind"], ["largest"], keepdims=1),
        helper.make_node("Mul", ["largest", "hundredth"], ["little"]),
        helper.make_node("Add", ["wind", "little"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    hundredth = helper.make_tensor("hundredth", TensorProto.FLOAT, [1], [0.01])
    graph = assemble("bound", nodes, [column("wind")], [column("probability")], [hundredth])
    return Model(graph.SerializeToString(), "bound")


def test_an_answer_that_hangs_on_the_batch_is_unsteady() -> None:
    model = batch_bound()
    rows = pl.DataFrame({"wind": np.linspace(-1, 1, 1000, dtype=np.float32)})
    whole: NDArray[np.float64] = model.predict(rows)
    found = parity(model, rows, whole, QUANTIZED)  # which sets no other limit
    assert found.unsteady > 0.9
    assert not found.holds


def test_a_graph_that_answers_nan_does_not_hold() -> None:
    nodes = [helper.make_node("Sqrt", ["wind"], ["probability"])]
    graph = assemble("root", nodes, [column("wind")], [column("probability")])
    rows = pl.DataFrame({"wind": [0.25, -1.0]})
    found = parity(Model(graph.SerializeToString(), "root"), rows, np.array([0.5, 0.5]), EXACT)
    assert not found.holds


def test_latencies_are_of_one_row_and_of_many(graph: onnx.ModelProto, rows_frame: pl.DataFrame) -> None:
    model = Model(graph.SerializeToString(), "graph")
    first, second = latencies([model, model], rows_frame[:100])
    for found in (first, second):
        assert 0 < found.p50_us <= found.p99_us
        assert found.rows_per_second > 1e6 / found.p50_us  # rows together are cheaper than one by one
