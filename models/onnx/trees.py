"""LightGBM's trees as one node of ONNX, exactly."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.onnx.booster import Tree, trees
from models.onnx.proto import ML, assemble, column

if TYPE_CHECKING:
    import lightgbm as lgb

# Modes of the operator, https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html.
LESS_OR_EQUAL, EQUAL, MEMBER = 0, 4, 6


def tree_margin(booster: "lgb.Booster", iterations: int | None = None) -> onnx.ModelProto:
    """The booster's raw score as a graph: "x" float32 [n, F] -> "margin" float32 [n, K].

    F is the booster's number of features, in its order; NaN is missing. K is the number of classes of
    a model that grows a tree for each of them, and 1 of any other. The margin is that of
    `booster.predict(x, raw_score=True, num_iteration=iterations)`, rounded to float32 once: leaves
    are summed in float64 and in LightGBM's order, so a session of one thread gives the same bits; of
    several, the order of the sum may change. Without `iterations` it is that of the best one.

    The raw score is the plain sum of the leaves, whatever the objective and the booster: what
    `boost_from_average`, `init_model`, `refit` and dropped trees (dart) add is in the leaves, and an
    `init_score` of the data is not. It comes before all that only a prediction goes through: the
    logistic or softmax function with the factor `sigmoid`, the exponential, the square of `reg_sqrt`,
    and a random forest's division by its number of iterations.

    Raises PerennialError for iterations that the booster does not have, and for what has no exact
    conversion: no trees, linear leaves, `zero_as_missing`, a category or a raw score beyond float32.
    """
    forest, width = trees(booster, iterations), booster.num_feature()
    outputs = booster.num_model_per_iteration()
    coded = np.unique(np.concatenate([tree.features[tree.categorical] for tree in forest]))
    attributes = _decisions(forest, width, coded) | _links(forest) | _leaves(forest, outputs)
    nodes = [
        *(_whole_codes() if coded.size else []),
        helper.make_node("Cast", ["both" if coded.size else "x"], ["inputs"], to=TensorProto.DOUBLE),
        helper.make_node("TreeEnsemble", ["inputs"], ["sum"], domain=ML, **attributes),
        helper.make_node("Cast", ["sum"], ["margin"], to=TensorProto.FLOAT),
    ]
    constants = [numpy_helper.from_array(coded, "coded")] if coded.size else []
    inputs, answers = [column("x", width=width)], [column("margin", width=outputs)]
    return assemble("trees", nodes, inputs, answers, constants)


def _whole_codes() -> list[onnx.NodeProto]:
    """What lays beside x its categorical features, cut to whole codes toward zero as LightGBM does."""
    return [
        helper.make_node("Gather", ["x", "coded"], ["codes"], axis=1),
        helper.make_node("Abs", ["codes"], ["size"]),
        helper.make_node("Floor", ["size"], ["whole_size"]),
        helper.make_node("Sign", ["codes"], ["sign"]),
        helper.make_node("Mul", ["sign", "whole_size"], ["whole"]),
        helper.make_node("Concat", ["x", "whole"], ["both"], axis=1),
    ]


def _decisions(forest: Sequence[Tree], width: int, coded: NDArray[np.int64]) -> dict[str, Any]:
    """What each node asks; a category is looked for among the codes, which are beside the features."""
    sets = [codes for tree in forest for codes in tree.members]
    categorical, features = _laid(forest, "categorical"), _laid(forest, "features")
    missing_left, splits = _laid(forest, "missing_left"), _laid(forest, "splits").astype(np.float64)
    # onnxruntime 1.31 takes for one two splits that differ in nothing but where NaN goes; so they differ
    # in their value too, by less than float32 inputs can tell.
    splits[~missing_left] = np.nextafter(splits[~missing_left], np.inf)
    features[categorical] = width + np.searchsorted(coded, features[categorical])
    splits[categorical] = [codes[0] for codes in sets]
    modes = np.full(len(splits), LESS_OR_EQUAL, np.uint8)
    modes[categorical] = [EQUAL if len(codes) == 1 else MEMBER for codes in sets]
    attributes = {
        "nodes_featureids": features.tolist(),
        "nodes_splits": numpy_helper.from_array(splits),
        "nodes_modes": numpy_helper.from_array(modes),
        "nodes_missing_value_tracks_true": missing_left.astype(int).tolist(),
    }
    several = [code for codes in sets if len(codes) > 1 for code in (*codes.tolist(), np.nan)]
    if several:  # NaN stands between the sets of MEMBER nodes
        attributes["membership_values"] = numpy_helper.from_array(np.array(several[:-1], np.float64))
    return attributes


def _links(forest: Sequence[Tree]) -> dict[str, Any]:
    """Where the trees begin, and where each node leads: to a node, or to a leaf."""
    roots, left, right = _children(forest)
    return {
        "tree_roots": roots.tolist(),
        "nodes_truenodeids": np.where(left < 0, ~left, left).tolist(),
        "nodes_trueleafs": (left < 0).astype(int).tolist(),
        "nodes_falsenodeids": np.where(right < 0, ~right, right).tolist(),
        "nodes_falseleafs": (right < 0).astype(int).tolist(),
    }


def _leaves(forest: Sequence[Tree], outputs: int) -> dict[str, Any]:
    """What each leaf adds, and to which output: the trees of an iteration are one for each, in order."""
    targets = (np.arange(len(forest)) % outputs).repeat([len(tree.leaves) for tree in forest])
    weights = numpy_helper.from_array(_laid(forest, "leaves"))
    return {"n_targets": outputs, "leaf_targetids": targets.tolist(), "leaf_weights": weights}


def _laid(forest: Sequence[Tree], field: str) -> NDArray[Any]:
    """One field of all trees, laid end to end."""
    return np.concatenate([getattr(tree, field) for tree in forest])


def _children(forest: Sequence[Tree]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where each tree begins [trees], and the left and right child of every node [s], among all of them."""
    sizes, leaves = ([len(getattr(tree, field)) for tree in forest] for field in ("features", "leaves"))
    first, first_leaf = np.cumsum([0, *sizes[:-1]]), np.cumsum([0, *leaves[:-1]])

    def moved(child: NDArray[np.int64]) -> NDArray[np.int64]:
        placed: NDArray[np.int64] = np.where(
            child < 0, child - first_leaf.repeat(sizes), child + first.repeat(sizes)
        )
        return placed

    return first, moved(_laid(forest, "left")), moved(_laid(forest, "right"))
