"""Parity holds for a right graph and fails for each graph with one planted fault."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.calibration.choose import Calibration
from models.families import lightgbm
from models.family import Job
from models.onnx.graph import calibrated
from models.onnx.latency import latencies
from models.onnx.parity import BATCH_SIZES, EXACT, LOSSY, Parity, parity
from models.onnx.probes import compared_rows
from models.onnx.proto import assemble, column
from models.onnx.truth import Truth
from models.problem import Problem
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.regression import Regression
from models.rows import Columns, Rows
from models.runtime.model import Model

COLUMNS = Columns(("distance", "wind", "late_rate"), ("airline", "route"))
PLATT = Calibration("platt", "sigmoid", (0.0,), (1.1,), (-0.1,))


@pytest.fixture(scope="module")
def trees(rows_frame: pl.DataFrame, columns: Columns) -> lightgbm.Trees:
    train, validation = Rows.of(rows_frame[:2000]), Rows.of(rows_frame[2000:])
    return lightgbm.fit(Job(Binary(), columns, train, validation, {"rounds": 15}, 1))


@pytest.fixture(scope="module")
def graph(trees: lightgbm.Trees) -> onnx.ModelProto:
    return calibrated(trees.graph(), PLATT)


@pytest.fixture(scope="module")
def holdout(rows_frame: pl.DataFrame) -> Rows:
    return Rows.of(rows_frame[2000:])


def compared(
    graph: onnx.ModelProto, trees: lightgbm.Trees, holdout: Rows, rows: pl.DataFrame | None = None
) -> Parity:
    """The graph against its trees on the rows, by default those that are made for it."""
    if rows is None:
        rows = compared_rows(graph, COLUMNS, holdout.frame, holdout.frame)
    native = PLATT.apply(trees.margins(rows))
    model = Model(graph.SerializeToString(), "graph")
    return parity(model, Truth.of(Binary(), holdout, rows, native), EXACT)


def test_a_right_graph_holds(graph: onnx.ModelProto, trees: lightgbm.Trees, holdout: Rows) -> None:
    found = compared(graph, trees, holdout)
    assert found.holds, found
    assert found.reasons == ()
    assert found.rows > len(holdout)
    assert found.batch_sizes == BATCH_SIZES
    assert 0 < found.mean_difference < found.max_difference
    assert (found.unsteady, found.swapped, found.faults) == (0, 0, 0)


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


def columns_swapped(graph: onnx.ModelProto) -> None:
    """Two features change places in front of the trees."""
    join = next(node for node in graph.graph.node if node.op_type == "Concat")
    join.input[0], join.input[1] = join.input[1], join.input[0]


FAULTS = [rounded_up, missing_the_other_way, another_default, a_leaf_off, columns_swapped]


def broken_by(fault: Callable[[onnx.ModelProto], None], graph: onnx.ModelProto) -> onnx.ModelProto:
    broken = onnx.ModelProto.FromString(graph.SerializeToString())
    fault(broken)
    return broken


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(
    graph: onnx.ModelProto, trees: lightgbm.Trees, holdout: Rows, fault: Callable[[onnx.ModelProto], None]
) -> None:
    assert not compared(broken_by(fault, graph), trees, holdout).holds


def test_ordinary_rows_would_not_show_the_rounding(
    graph: onnx.ModelProto, trees: lightgbm.Trees, holdout: Rows
) -> None:
    known = holdout.frame.select(COLUMNS.names)
    found = compared(broken_by(rounded_up, graph), trees, holdout, known)
    assert found.max_difference <= EXACT.max_difference


def answering(
    nodes: list[onnx.NodeProto], inputs: int = 1, output: str = "probability", width: int = 1
) -> Model:
    """A model of these nodes, from the numbers "a", "b", ... to the output."""
    constants = [
        numpy_helper.from_array(np.array([0.01], np.float32), "hundredth"),
        numpy_helper.from_array(np.array([0]), "down"),
    ]
    used = {name for node in nodes for name in node.input}
    graph = assemble(
        "planted",
        nodes,
        [column(name) for name in "abcdef"[:inputs]],
        [column(output, width=width)],
        [constant for constant in constants if constant.name in used],
    )
    return Model(graph.SerializeToString(), "planted")


def truth(
    problem: Problem, answers: NDArray[np.float64], labels: NDArray[np.float64], **numbers: Any
) -> Truth:
    """What native answers to rows of these numbers, all of them of the holdout."""
    frame = pl.DataFrame(numbers, schema=dict.fromkeys(numbers, pl.Float32))
    times = pl.Series([datetime(2013, 1, 1, tzinfo=UTC)] * len(labels))
    return Truth.of(problem, Rows(frame, labels, times), frame, answers)


def logistic(margins: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.asarray(margins, np.float64))), np.float64)


EVEN = np.linspace(-1, 1, 1000, dtype=np.float32)
LABELS = (EVEN > 0.2).astype(np.float64)


def test_an_answer_that_hangs_on_the_batch_is_unsteady() -> None:
    """A little, and on the largest number in the batch."""
    nodes = [
        helper.make_node("ReduceMax", ["a"], ["largest"], keepdims=1),
        helper.make_node("Mul", ["largest", "hundredth"], ["little"]),
        helper.make_node("Add", ["a", "little"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    model, whole = answering(nodes), logistic(EVEN + 0.01)
    found = parity(model, truth(Binary(), whole, LABELS, a=EVEN), LOSSY)  # which sets no other limit
    assert found.unsteady > 0.9
    assert not found.holds
    assert "hang on the rows beside them" in found.reasons[0]


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ([helper.make_node("Sqrt", ["a"], ["probability"])], "no numbers"),  # NaN below 0
        ([helper.make_node("Identity", ["a"], ["probability"])], "no probabilities"),  # -1 to 1
    ],
)
def test_what_is_no_answer_does_not_hold(nodes: list[onnx.NodeProto], what: str) -> None:
    found = parity(answering(nodes), truth(Binary(), logistic(EVEN), LABELS, a=EVEN), LOSSY)
    assert found.faults == 500
    assert not found.holds
    assert any(what in reason for reason in found.reasons)


def softmax(axis: int) -> Model:
    nodes = [
        helper.make_node("Concat", ["a", "b", "c"], ["margin"], axis=1),
        helper.make_node("Softmax", ["margin"], ["probabilities"], axis=axis),
    ]
    return answering(nodes, 3, "probabilities", 3)


def test_a_softmax_over_the_wrong_axis_is_found() -> None:
    random = np.random.default_rng(3)
    numbers = random.normal(size=(3, 300)).astype(np.float32)
    labels = numbers.argmax(axis=0).astype(np.float64)
    native = np.exp(numbers.T.astype(np.float64))
    native /= native.sum(axis=1, keepdims=True)
    problem = Multiclass("log_loss", ("red", "green", "blue"))
    told = truth(problem, native, labels, **dict(zip("abc", numbers, strict=True)))
    right = parity(softmax(1), told, EXACT)
    assert right.holds, right
    wrong = parity(softmax(0), told, LOSSY)
    assert not wrong.holds
    assert wrong.faults > 250  # the probabilities of a row do not sum to 1
    assert wrong.unsteady > 0.9


@pytest.mark.parametrize(
    ("limit", "reason"), [("max_swapped", "999 rows are out of"), ("max_moved", "its loss, AUC or nDCG is")]
)
def test_order_and_measures_have_limits_of_their_own(limit: str, reason: str) -> None:
    """The graph puts the rows in order; in native's eyes the first and the last change places."""
    chances = (EVEN + 1) / np.float32(2)
    turned = chances.astype(np.float64)
    turned[[0, -1]] = turned[[-1, 0]]
    strict = replace(LOSSY, **{limit: getattr(EXACT, limit)})
    model = answering([helper.make_node("Identity", ["a"], ["probability"])])
    assert parity(model, truth(Binary(), chances.astype(np.float64), LABELS, a=chances), strict).holds
    found = parity(model, truth(Binary(), turned, LABELS, a=chances), strict)
    assert not found.holds
    assert len(found.reasons) == 1
    assert reason in found.reasons[0]


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_differences_of_values_are_shares_of_what_the_answers_span(size: float) -> None:
    native, labels = EVEN.astype(np.float64) * size, LABELS * size
    model = answering([helper.make_node("Identity", ["a"], ["value"])], output="value")
    numbers = (EVEN * size).astype(np.float32)
    assert parity(model, truth(Regression(), native, labels, a=numbers), EXACT).holds
    off = parity(model, truth(Regression(), native + 1e-4 * size, labels, a=numbers), EXACT)
    assert not off.holds
    assert off.max_difference == pytest.approx(1e-4 / 1.98, rel=0.01)


def test_a_far_answer_may_be_off_by_its_own_rounding_alone() -> None:
    native = EVEN.astype(np.float64)
    native[-1] = 123_456_789.0  # float32 has 123,456,792
    model = answering([helper.make_node("Identity", ["a"], ["value"])], output="value")
    told = truth(Regression(), native, LABELS, a=native.astype(np.float32))
    assert told.span < 2
    found = parity(model, told, EXACT)
    assert found.max_difference < 1e-7
    assert found.holds


def test_latencies_are_of_one_row_and_of_many(graph: onnx.ModelProto, rows_frame: pl.DataFrame) -> None:
    model = Model(graph.SerializeToString(), "graph")
    first, second = latencies([model, model], rows_frame[:100])
    for found in (first, second):
        assert 0 < found.p50_us <= found.p99_us
        assert found.rows_per_second > 1e6 / found.p50_us  # rows together are cheaper than one by one
