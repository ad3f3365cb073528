"""A pruned graph is the model that grew for fewer rounds, and nothing else."""

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from models.onnx.proto import assemble, column
from models.onnx.prune import pruned
from models.onnx.trees import tree_margin


def run(graph: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float64]:
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["margin"], {"x": x})[0], np.float64)


@pytest.mark.parametrize("categorical", [False, True])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
def test_it_is_the_model_of_fewer_rounds(categorical: bool, share: float) -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(2000, 4)).astype(np.float32)
    x[:, 3] = random.integers(0, 12, 2000)
    x[random.random((2000, 4)) < 0.1] = np.nan
    labels = (np.nan_to_num(x[:, 0]) + np.isin(x[:, 3], [1, 4, 7]) > 0.5).astype(float)
    rules = {"objective": "binary", "verbosity": -1, "num_threads": 1, "max_cat_to_onehot": 1}
    kinds = [3] if categorical else "auto"
    booster = lgb.train(rules, lgb.Dataset(x, labels, categorical_feature=kinds), 20)
    fewer = pruned(tree_margin(booster), share)
    assert fewer is not None
    rounds = int(np.ceil(20 * share))
    native = booster.predict(x, raw_score=True, num_iteration=rounds)
    np.testing.assert_allclose(run(fewer, x)[:, 0], native, atol=4e-6)
    assert fewer.ByteSize() < tree_margin(booster).ByteSize() * (share + 0.2)


def test_a_round_of_several_targets_is_kept_whole() -> None:
    """Three targets, four rounds: tree t adds t + 1 to its target, whichever way a row goes."""
    trees = 12
    ensemble = onnx.helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["margin"],
        domain="ai.onnx.ml",
        n_targets=3,
        tree_roots=list(range(trees)),
        nodes_featureids=[0] * trees,
        nodes_splits=onnx.numpy_helper.from_array(np.zeros(trees, np.float32)),
        nodes_modes=onnx.numpy_helper.from_array(np.zeros(trees, np.uint8)),
        nodes_truenodeids=list(range(trees)),
        nodes_trueleafs=[1] * trees,
        nodes_falsenodeids=list(range(trees)),
        nodes_falseleafs=[1] * trees,
        leaf_targetids=[tree % 3 for tree in range(trees)],
        leaf_weights=onnx.numpy_helper.from_array(np.arange(1, trees + 1).astype(np.float32)),
    )
    graph = assemble("t", [ensemble], [column("x")], [column("margin", width=3)])
    x = np.zeros((2, 1), np.float32)
    assert run(graph, x).tolist() == [[22, 26, 30]] * 2
    half = pruned(graph, 0.5)
    assert half is not None
    assert run(half, x).tolist() == [[5, 7, 9]] * 2
    nearly_none = pruned(graph, 0.01)
    assert nearly_none is not None
    assert run(nearly_none, x).tolist() == [[1, 2, 3]] * 2


def test_there_is_nothing_to_prune_without_trees() -> None:
    nodes = [onnx.helper.make_node("Identity", ["x"], ["margin"])]
    assert pruned(assemble("none", nodes, [column("x")], [column("margin")])) is None
