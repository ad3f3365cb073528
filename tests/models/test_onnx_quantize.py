"""A quantized network is smaller and says nearly the same; a row's answer never hangs on its neighbours."""

from collections.abc import Iterator
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from models.calibration.choose import Calibration
from models.learning.encode import Scaling, fit_codes, fit_values
from models.learning.losses import Unit
from models.onnx.graph import calibrated, from_linear, from_members, from_network, from_trees
from models.onnx.prune import pruned
from models.onnx.quantize import dynamic, halved, quantized, weight_nodes
from models.onnx.trees import tree_margin
from models.rows import Columns, categories, numbers
from models.runtime.model import Model
from models.runtime.session import Feed

WIDTH, HIDDEN = 8, 96
PLATT = Calibration("platt", "sigmoid", (0.0,), (2.0,), (-0.5,))


@pytest.fixture(scope="module")
def margins(rows_frame: pl.DataFrame, columns: Columns) -> onnx.ModelProto:
    """Embeddings beside numbers, two hidden layers and a head, with weights of usual sizes."""
    random = np.random.default_rng(5)
    encodings = [fit_codes(series, 1) for series in categories(rows_frame, columns)]
    total = len(columns.numbers) + WIDTH * len(encodings)
    shapes = {"first": (total, HIDDEN), "second": (HIDDEN, HIDDEN), "head": (HIDDEN, 1)}
    constants = {name: random.normal(0, shape[0] ** -0.5, shape) for name, shape in shapes.items()}
    constants |= {one.column: random.normal(0, 1, (one.size, WIDTH)) for one in encodings}
    constants |= {"mean": np.array([1300, 10, 0.25]), "scale": np.array([700, 7, 0.15])}
    tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    nodes = [
        helper.make_node("IsNaN", ["numbers"], ["missing"]),
        helper.make_node("Where", ["missing", "mean", "numbers"], ["filled"]),
        helper.make_node("Sub", ["filled", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["known"]),
        helper.make_node(
            "Split", ["codes"], [f"{one.column}/code" for one in encodings], axis=1, num_outputs=2
        ),
    ]
    for one in encodings:
        tensors.append(numpy_helper.from_array(np.array([-1, WIDTH]), f"{one.column}/shape"))
        nodes += [
            helper.make_node("Gather", [one.column, f"{one.column}/code"], [f"{one.column}/cube"]),
            helper.make_node(
                "Reshape", [f"{one.column}/cube", f"{one.column}/shape"], [f"{one.column}/flat"]
            ),
        ]
    flat = [f"{one.column}/flat" for one in encodings]
    nodes += [
        helper.make_node("Concat", ["known", *flat], ["inputs"], axis=1),
        helper.make_node("Gemm", ["inputs", "first"], ["deep"]),
        helper.make_node("Relu", ["deep"], ["bent"]),
        helper.make_node("Gemm", ["bent", "second"], ["deeper"]),
        helper.make_node("Relu", ["deeper"], ["again"]),
        helper.make_node("MatMul", ["again", "head"], ["margin"]),
    ]
    inputs = [
        helper.make_tensor_value_info("codes", TensorProto.INT64, ["n", len(encodings)]),
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", len(columns.numbers)]),
    ]
    outputs = [helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph(nodes, "main_graph", inputs, outputs, tensors)
    core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return from_network(core, columns, encodings)


@pytest.fixture(scope="module")
def network(margins: onnx.ModelProto) -> onnx.ModelProto:
    return calibrated(margins, PLATT)


def feeds(network: onnx.ModelProto, frame: pl.DataFrame) -> Iterator[Feed]:
    model = Model(network.SerializeToString(), "float32")
    return (model.feed(part) for part in frame.sample(1024, seed=0).iter_slices(256))


@pytest.fixture(scope="module")
def small(network: onnx.ModelProto, rows_frame: pl.DataFrame) -> onnx.ModelProto:
    found = quantized(network, feeds(network, rows_frame))
    assert found is not None
    return found


def test_weights_and_embeddings_take_a_byte_and_the_head_does_not(
    network: onnx.ModelProto, small: onnx.ModelProto
) -> None:
    kinds = {tuple(part.dims): part.data_type for part in small.graph.initializer if len(part.dims) == 2}
    assert kinds == {
        (6, WIDTH): TensorProto.UINT8,
        (61, WIDTH): TensorProto.UINT8,
        (3 + 2 * WIDTH, HIDDEN): TensorProto.INT8,
        (HIDDEN, HIDDEN): TensorProto.INT8,
        (HIDDEN, 1): TensorProto.FLOAT,
    }
    assert len(weight_nodes(network)) == 4
    assert small.ByteSize() < network.ByteSize() / 2


def test_it_says_nearly_the_same(
    network: onnx.ModelProto, small: onnx.ModelProto, rows_frame: pl.DataFrame
) -> None:
    exact = Model(network.SerializeToString(), "float32").predict(rows_frame)
    found = Model(small.SerializeToString(), "int8").predict(rows_frame)
    assert exact.std() > 0.1
    assert np.abs(found - exact).mean() < 0.01
    assert not np.array_equal(found, exact)


def beside(model: Model, frame: pl.DataFrame, neighbours: pl.DataFrame) -> NDArray[np.float64]:
    return model.predict(pl.concat([frame, neighbours]))[: frame.height]


def test_no_answer_hangs_on_the_rows_beside_it(
    network: onnx.ModelProto, small: onnx.ModelProto, rows_frame: pl.DataFrame
) -> None:
    some, calm = rows_frame[:50], rows_frame[50:100]
    wild = calm.with_columns(wind=pl.lit(500, pl.Float32), distance=pl.lit(90_000, pl.Float32))
    half, moving = halved(network), dynamic(network)
    assert half is not None
    assert moving is not None
    for graph in (network, small, half):
        model = Model(graph.SerializeToString(), "steady")
        np.testing.assert_array_equal(beside(model, some, calm), beside(model, some, wild))
    model = Model(moving.SerializeToString(), "dynamic")
    assert np.abs(beside(model, some, calm) - beside(model, some, wild)).max() > 0.01


def test_no_answer_hangs_on_how_many_rows_there_are(
    network: onnx.ModelProto, small: onnx.ModelProto, rows_frame: pl.DataFrame
) -> None:
    """To the last bit: what feeds a quantizer would tip over the edge between two steps otherwise."""
    for graph in (network, small):
        model = Model(graph.SerializeToString(), "steady")
        feed = model.feed(rows_frame[:1000])
        whole = model.run(feed)
        for size in (1, 2, 3, 5, 63, 64):
            parts = [
                model.run({name: values[start : start + size] for name, values in feed.items()})
                for start in range(0, 1000, size)
            ]
            np.testing.assert_array_equal(np.concatenate(parts), whole, err_msg=f"{size} rows")


def test_halves_take_half_and_say_the_same(network: onnx.ModelProto, rows_frame: pl.DataFrame) -> None:
    half = halved(network)
    assert half is not None
    halves = {tuple(t.dims) for t in half.graph.initializer if t.data_type == TensorProto.FLOAT16}
    assert halves == {(6, WIDTH), (61, WIDTH), (3 + 2 * WIDTH, HIDDEN), (HIDDEN, HIDDEN)}
    assert half.ByteSize() < 0.6 * network.ByteSize()
    exact, found = (Model(graph.SerializeToString(), "graph") for graph in (network, half))
    assert 0 < np.abs(exact.predict(rows_frame) - found.predict(rows_frame)).max() < 0.005
    far = rows_frame.with_columns(distance=pl.lit(1e6, pl.Float32))  # float16 ends at 65,504
    np.testing.assert_allclose(exact.predict(far), found.predict(far), atol=0.005)


def test_the_original_is_left_alone(network: onnx.ModelProto, rows_frame: pl.DataFrame) -> None:
    before = network.SerializeToString()
    quantized(network, feeds(network, rows_frame))
    halved(network)
    dynamic(network)
    assert network.SerializeToString() == before


def test_the_same_rows_give_the_same_file(
    network: onnx.ModelProto, small: onnx.ModelProto, rows_frame: pl.DataFrame
) -> None:
    again = quantized(network, feeds(network, rows_frame))
    assert again is not None
    assert again.SerializeToString() == small.SerializeToString()


def test_trees_and_linear_models_have_nothing_to_quantize(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32)
    data = lgb.Dataset(x, (x[:, 0] > 0).astype(float))
    trees = tree_margin(lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 5))
    one = np.ones(1, np.float32)
    linear = from_linear(Columns(("wind",), ()), Scaling(one, one), np.ones((2, 3)), np.zeros(3), [])
    for graph in (trees, linear):
        assert quantized(graph, ()) is None
        assert halved(graph) is None
        assert dynamic(graph) is None

    # What a quantizer makes of trees all the same: nothing.
    quantize_dynamic(onnx.ModelProto.FromString(trees.SerializeToString()), tmp_path / "trees.onnx")
    found, made = (
        [node.attribute for node in each.graph.node if node.op_type == "TreeEnsemble"]
        for each in (onnx.load(tmp_path / "trees.onnx"), trees)
    )
    assert found == made


def test_an_ensemble_s_network_is_quantized_beside_its_trees(
    margins: onnx.ModelProto, columns: Columns, rows_frame: pl.DataFrame
) -> None:
    """Two forests and a network on the same raw row, in one graph."""
    labels = rows_frame["label"].cast(pl.Float64).to_numpy()
    texts = categories(rows_frame, columns)
    encodings = [fit_values(series, labels, 20.0) for series in texts]
    encoded = [one.apply(series) for one, series in zip(encodings, texts, strict=True)]
    data = lgb.Dataset(np.column_stack([numbers(rows_frame, columns), *encoded]), labels)
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 5)
    forest = from_trees(booster, columns, encodings, Unit())
    both = calibrated(from_members([forest, margins, forest], [1.0, 0.5, 1.0], np.zeros(1)), PLATT)
    small = quantized(both, feeds(both, rows_frame))
    fewer = pruned(both)
    assert small is not None
    assert fewer is not None
    for graph in (small, fewer):
        assert [node.op_type for node in graph.graph.node].count("TreeEnsemble") == 2
        exact, found = (Model(g.SerializeToString(), "both").predict(rows_frame) for g in (both, graph))
        assert 0 < np.abs(found - exact).mean() < 0.1
