"""The whole graph, from raw rows, says what the same model says in numpy or LightGBM."""

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime as ort
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from core.errors import PerennialError
from models.calibrate import Platt
from models.encode import LIMIT, CategoryCodes, CategoryValues, fit_codes, fit_values
from models.onnx.graph import calibrated, described, from_linear, from_network, from_trees
from models.rows import Columns, categories, numbers

RANDOM = np.random.default_rng(11)


@pytest.fixture(scope="module")
def hard_frame(rows_frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """Real-looking rows, then rows with infinities, nothing known, and categories never seen."""
    plain = rows_frame.select(columns.names)
    few = plain.head(20)
    infinite = [few.with_columns(pl.lit(value, pl.Float32).alias("wind")) for value in (np.inf, -np.inf)]
    nothing = few.with_columns(pl.lit(None, plain.schema[name]).alias(name) for name in columns.names)
    unseen = few.with_columns(airline=pl.lit("∅"), route=pl.lit("JFK-001 "))
    return pl.concat([plain, *infinite, nothing, unseen])


@pytest.fixture(scope="module")
def values(rows_frame: pl.DataFrame, columns: Columns) -> list[CategoryValues]:
    labels = rows_frame["label"].cast(pl.Float32).to_numpy()
    return [fit_values(series, labels, 20.0) for series in categories(rows_frame, columns)]


@pytest.fixture(scope="module")
def codes(rows_frame: pl.DataFrame, columns: Columns) -> list[CategoryCodes]:
    return [fit_codes(series, 20) for series in categories(rows_frame, columns)]


def encoded(
    frame: pl.DataFrame, columns: Columns, encodings: Sequence[CategoryValues | CategoryCodes]
) -> NDArray[Any]:
    pairs = zip(encodings, categories(frame, columns), strict=True)
    return np.column_stack([encoding.apply(series) for encoding, series in pairs])


def run(graph: onnx.ModelProto, frame: pl.DataFrame, output: str = "margin") -> NDArray[Any]:
    """What the graph answers, fed by the kinds of its own inputs."""
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {}
    for value in session.get_inputs():
        missing = np.nan if value.type == "tensor(float)" else ""
        feed[value.name] = frame[value.name].fill_null(missing).to_numpy().reshape(-1, 1)
    (answers,) = session.run([output], feed)
    assert answers.shape == (frame.height, 1)
    assert answers.dtype == np.float32
    return np.asarray(answers)[:, 0]


def test_trees(
    hard_frame: pl.DataFrame, rows_frame: pl.DataFrame, columns: Columns, values: list[CategoryValues]
) -> None:
    def design(frame: pl.DataFrame) -> NDArray[np.float32]:
        return np.hstack([numbers(frame, columns), encoded(frame, columns, values)])

    data = lgb.Dataset(design(rows_frame), rows_frame["label"].to_numpy())
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 30)
    graph = from_trees(booster, columns, values)
    assert [value.name for value in graph.graph.input] == list(columns.names)
    native = booster.predict(design(hard_frame), raw_score=True)
    np.testing.assert_allclose(run(graph, hard_frame), native, atol=4e-6)
    with pytest.raises(PerennialError, match="takes 5 features"):
        from_trees(booster, Columns(("wind",), columns.categories), values)


Parts = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], float]


def linear_parts(columns: Columns, codes: list[CategoryCodes]) -> Parts:
    """Fill, mean, scale, weights and intercept."""
    count = len(columns.numbers)
    fill, mean, scale = RANDOM.uniform(1, 50, (3, count)).astype(np.float32)
    weights = RANDOM.normal(size=2 * count + sum(one.size for one in codes)).astype(np.float32)
    return fill, mean, scale, weights, 0.25


def linear_margins(
    frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes], parts: Parts
) -> NDArray[np.float64]:
    """The linear model as its contract has it: the design matrix in full, times the weights."""
    fill, mean, scale, weights, intercept = (np.asarray(part, np.float64) for part in parts)
    raw = numbers(frame, columns)
    known = ((np.where(np.isnan(raw), fill, raw) - mean) / scale).clip(-LIMIT, LIMIT)
    one_hot = [
        np.eye(one.size)[one.apply(s)] for one, s in zip(codes, categories(frame, columns), strict=True)
    ]
    return np.hstack([known, np.isnan(raw), *one_hot]) @ weights + intercept


@pytest.mark.parametrize("kept", ["both", "numbers", "categories"])
def test_linear(hard_frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes], kept: str) -> None:
    if kept == "numbers":
        columns, codes = Columns(columns.numbers, ()), []
    if kept == "categories":
        columns = Columns((), columns.categories)
    parts = linear_parts(columns, codes)
    graph = from_linear(columns, *parts, codes)
    expected = linear_margins(hard_frame, columns, codes, parts)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(run(graph, hard_frame), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(PerennialError, match="weights are"):
        from_linear(columns, *parts[:3], parts[3][1:], 0.25, codes)


def embedding_core(sizes: list[int], count: int) -> onnx.ModelProto:
    """A network as an exporter makes it, an older opset included: sum of embeddings and filled numbers."""
    tables = [RANDOM.normal(size=(size, 1)).astype(np.float32) for size in sizes]
    constants = {f"table{place}": table for place, table in enumerate(tables)}
    constants |= {f"place{place}": np.array(place) for place in range(len(sizes))}
    constants |= {"zero": np.zeros(1, np.float32), "ones": np.ones((count, 1), np.float32)}
    nodes = [
        helper.make_node("IsNaN", ["numbers"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "numbers"], ["filled"]),
        helper.make_node("MatMul", ["filled", "ones"], ["sum"]),
    ]
    for place in range(len(sizes)):
        nodes += [
            helper.make_node("Gather", ["codes", f"place{place}"], [f"code{place}"], axis=1),
            helper.make_node("Gather", [f"table{place}", f"code{place}"], [f"embedding{place}"]),
        ]
    nodes.append(helper.make_node("Sum", ["sum", *(f"embedding{p}" for p in range(len(sizes)))], ["margin"]))
    inputs = [
        helper.make_tensor_value_info("codes", TensorProto.INT64, ["b", len(sizes)]),
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["b", count]),
    ]
    outputs = [helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["b", 1])]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "main_graph", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_network(hard_frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes]) -> None:
    core = embedding_core([one.size for one in codes], len(columns.numbers))
    tables = {tensor.name: numpy_helper.to_array(tensor) for tensor in core.graph.initializer}
    rows = encoded(hard_frame, columns, codes)
    expected = np.nan_to_num(numbers(hard_frame, columns), nan=0.0, posinf=np.inf, neginf=-np.inf).sum(axis=1)
    expected += sum(tables[f"table{place}"][rows[:, place], 0] for place in range(len(codes)))
    graph = from_network(core, columns, codes)
    np.testing.assert_allclose(run(graph, hard_frame), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(PerennialError, match=r"these columns give it \['numbers'\]"):
        from_network(core, Columns(columns.numbers, ()), [])


def test_an_encoder_that_knows_no_category(hard_frame: pl.DataFrame) -> None:
    columns = Columns((), ("airline",))
    blank = CategoryCodes("airline", {})
    no_number = np.empty(0, np.float32)
    graph = from_linear(columns, no_number, no_number, no_number, np.array([0.5], np.float32), 0.25, [blank])
    assert set(run(graph, hard_frame)) == {0.75}


def test_calibration_and_description(
    hard_frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes]
) -> None:
    parts = linear_parts(columns, codes)
    graph = from_linear(columns, *parts, codes)
    whole = calibrated(graph, Platt(0.01, -0.5))
    expected = Platt(0.01, -0.5).apply(linear_margins(hard_frame, columns, codes, parts))
    np.testing.assert_allclose(run(whole, hard_frame, "probability"), expected, atol=1e-6)
    assert [value.name for value in whole.graph.output] == ["probability"]
    told = described(whole, {"trained_until": "2013-03-31"})
    assert {prop.key: prop.value for prop in told.metadata_props} == {"trained_until": "2013-03-31"}
    assert not whole.metadata_props


def test_encodings_in_another_order_are_refused(columns: Columns, codes: list[CategoryCodes]) -> None:
    with pytest.raises(PerennialError, match="encodings are of"):
        from_linear(columns, *linear_parts(columns, codes), codes[::-1])


@pytest.mark.parametrize("name", ["mean", "x", "numbers", "missing", "weights", "terms", "log_odds", "slope"])
def test_a_feature_may_be_named_like_an_inner_part(name: str) -> None:
    columns, one = Columns((name,), ()), np.ones(1, np.float32)
    graph = from_linear(columns, one, one, one, np.ones(2, np.float32), 0.0, [])
    answers = run(calibrated(graph, Platt(1.0, 0.0)), pl.DataFrame({name: one}), "probability")
    assert answers.tolist() == [0.5]


@pytest.mark.parametrize("name", ["margin", "probability"])
def test_a_feature_may_not_be_named_like_an_output(name: str) -> None:
    columns, one = Columns((name,), ()), np.ones(1, np.float32)
    with pytest.raises(PerennialError, match=f"'{name}'"):
        calibrated(from_linear(columns, one, one, one, np.ones(2, np.float32), 0.0, []), Platt(1.0, 0.0))


def test_a_feature_may_not_be_named_as_inner_parts_are() -> None:
    columns, one = Columns((":linear/mean",), ()), np.ones(1, np.float32)
    with pytest.raises(PerennialError, match="start with ':', as ':linear/mean' does"):
        from_linear(columns, one, one, one, np.ones(2, np.float32), 0.0, [])
