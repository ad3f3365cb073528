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
from models.calibration.choose import Calibration, uncalibrated
from models.learning.encode import CategoryCodes, CategoryValues, Scaling, fit_codes, fit_values
from models.learning.losses import Unit
from models.onnx.graph import (
    calibrated,
    described,
    from_constant,
    from_linear,
    from_members,
    from_network,
    from_trees,
)
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


def run(graph: onnx.ModelProto, frame: pl.DataFrame, output: str = "margin", width: int = 1) -> NDArray[Any]:
    """What the graph answers [n, width], fed by the kinds of its own inputs."""
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {}
    for value in session.get_inputs():
        missing = np.nan if value.type == "tensor(float)" else ""
        feed[value.name] = frame[value.name].fill_null(missing).to_numpy().reshape(-1, 1)
    (answers,) = session.run([output], feed)
    assert answers.shape == (frame.height, width)
    assert answers.dtype == np.float32
    return np.asarray(answers)


def test_trees(
    hard_frame: pl.DataFrame, rows_frame: pl.DataFrame, columns: Columns, values: list[CategoryValues]
) -> None:
    def design(frame: pl.DataFrame) -> NDArray[np.float32]:
        return np.hstack([numbers(frame, columns), encoded(frame, columns, values)])

    data = lgb.Dataset(design(rows_frame), rows_frame["label"].to_numpy())
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 30)
    graph = from_trees(booster, columns, values, Unit(2.0, 0.5))
    assert [value.name for value in graph.graph.input] == list(columns.names)
    native = 2 + 0.5 * booster.predict(design(hard_frame), raw_score=True)
    np.testing.assert_allclose(run(graph, hard_frame)[:, 0], native, atol=4e-6)
    with pytest.raises(PerennialError, match="takes 5 features"):
        from_trees(booster, Columns(("wind",), columns.categories), values, Unit())


Parts = tuple[Scaling, NDArray[np.float64], NDArray[np.float64]]


def linear_parts(columns: Columns, codes: list[CategoryCodes], outputs: int = 1) -> Parts:
    """Scaling, weights and intercept."""
    count = len(columns.numbers)
    scaling = Scaling(*RANDOM.uniform(1, 50, (2, count)).astype(np.float32))
    size = 2 * count + sum(one.size for one in codes)
    return scaling, RANDOM.normal(size=(size, outputs)), np.linspace(0.25, 1, outputs)


def linear_margins(
    frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes], parts: Parts
) -> NDArray[np.float64]:
    """The linear model as its contract has it: the design matrix in full, times the weights."""
    scaling, weights, intercept = parts
    raw = numbers(frame, columns)
    known = (np.where(np.isnan(raw), scaling.mean, raw) - scaling.mean) / scaling.scale
    one_hot = [
        np.eye(one.size)[one.apply(s)] for one, s in zip(codes, categories(frame, columns), strict=True)
    ]
    return np.hstack([known.clip(-6, 6), np.isnan(raw), *one_hot]) @ weights + intercept


@pytest.mark.parametrize("kept", ["both", "numbers", "categories"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_linear(
    hard_frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes], kept: str, outputs: int
) -> None:
    if kept == "numbers":
        columns, codes = Columns(columns.numbers, ()), []
    if kept == "categories":
        columns = Columns((), columns.categories)
    parts = linear_parts(columns, codes, outputs)
    graph = from_linear(columns, *parts, codes)
    expected = linear_margins(hard_frame, columns, codes, parts)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(run(graph, hard_frame, width=outputs), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(PerennialError, match="weights are"):
        from_linear(columns, parts[0], parts[1][1:], parts[2], codes)


def test_members_become_one_graph(
    hard_frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes]
) -> None:
    parts = [linear_parts(columns, codes, outputs=2) for _ in range(2)]
    graphs = [from_linear(columns, *part, codes) for part in parts]
    whole = from_members(graphs, [0.25, 2.0], np.array([1.0, -1.0]))
    assert [value.name for value in whole.graph.input] == list(columns.names)
    one, two = (linear_margins(hard_frame, columns, codes, part) for part in parts)
    expected = 0.25 * one + 2 * two + [1.0, -1.0]
    np.testing.assert_allclose(run(whole, hard_frame, width=2), expected, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("kept", ["numbers", "categories"])
def test_a_constant(hard_frame: pl.DataFrame, columns: Columns, kept: str) -> None:
    some = Columns(**{"numbers": (), "categories": (), kept: getattr(columns, kept)})
    found = run(from_constant(some, np.array([0.5, -2.0])), hard_frame, width=2)
    np.testing.assert_array_equal(found, np.tile([0.5, -2.0], (hard_frame.height, 1)))


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
    np.testing.assert_allclose(run(graph, hard_frame)[:, 0], expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(PerennialError, match=r"these columns give it \['numbers'\]"):
        from_network(core, Columns(columns.numbers, ()), [])


def test_an_encoder_that_knows_no_category(hard_frame: pl.DataFrame) -> None:
    columns = Columns((), ("airline",))
    blank = CategoryCodes("airline", {})
    none = Scaling(np.empty(0, np.float32), np.empty(0, np.float32))
    graph = from_linear(columns, none, np.array([[0.5]]), np.array([0.25]), [blank])
    assert set(run(graph, hard_frame)[:, 0]) == {0.75}


def test_calibration_and_description(
    hard_frame: pl.DataFrame, columns: Columns, codes: list[CategoryCodes]
) -> None:
    parts = linear_parts(columns, codes)
    graph = from_linear(columns, *parts, codes)
    platt = Calibration("platt", "sigmoid", (0.0,), (0.01,), (-0.5,))
    whole = calibrated(graph, platt)
    expected = platt.apply(linear_margins(hard_frame, columns, codes, parts))[:, None]
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
    graph = from_linear(columns, Scaling(one, one), np.ones((2, 1)), np.zeros(1), [])
    answers = run(
        calibrated(graph, uncalibrated("sigmoid", (0.0,))), pl.DataFrame({name: one}), "probability"
    )
    assert answers.tolist() == [[0.5]]


@pytest.mark.parametrize("name", ["margin", "probability"])
def test_a_feature_may_not_be_named_like_an_output(name: str) -> None:
    columns, one = Columns((name,), ()), np.ones(1, np.float32)
    with pytest.raises(PerennialError, match=f"'{name}'"):
        calibrated(
            from_linear(columns, Scaling(one, one), np.ones((2, 1)), np.zeros(1), []),
            uncalibrated("sigmoid", (0.0,)),
        )
