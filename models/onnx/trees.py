"""LightGBM's trees as one node of ONNX, exactly."""

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.onnx.booster import Tree, trees
from models.onnx.proto import ML, assemble, column

# Modes of the TreeEnsemble operator.
LESS_OR_EQUAL, EQUAL, MEMBER = 0, 4, 6


def tree_margin(booster: lgb.Booster) -> onnx.ModelProto:
    """The booster's raw score as a graph: "x" float32 [n, F] -> "margin" float32 [n, 1].

    F is the booster's number of features, in its order; NaN is missing. The answer is that of
    `booster.predict(x, raw_score=True)` at its best iteration, up to float32 rounding of the sum:
    the plain sum of the leaves, so before the division that a random forest's own probability
    makes, and before the factor `sigmoid`. A calibration fitted on raw scores takes in both.

    Raises PerennialError for what has no exact conversion: an objective other than binary or
    cross-entropy, several trees an iteration, linear leaves, `zero_as_missing`, no trees.
    """
    forest, width = trees(booster), booster.num_feature()
    codes = np.concatenate([tree.features[tree.categorical] for tree in forest])
    prepare = _whole_codes() if codes.size else []
    constants = [numpy_helper.from_array(np.isin(np.arange(width), codes)[None], "categorical")]
    ensemble = helper.make_node(
        "TreeEnsemble", ["codes" if prepare else "x"], ["margin"], domain=ML, **_attributes(forest)
    )
    return assemble(
        "trees",
        [*prepare, ensemble],
        [column("x", width=width)],
        [column("margin")],
        constants if prepare else [],
    )


def _whole_codes() -> list[onnx.NodeProto]:
    """What cuts categorical features to whole codes, toward zero, as LightGBM does."""
    return [
        helper.make_node("Abs", ["x"], ["size"]),
        helper.make_node("Floor", ["size"], ["whole_size"]),
        helper.make_node("Sign", ["x"], ["sign"]),
        helper.make_node("Mul", ["sign", "whole_size"], ["whole"]),
        helper.make_node("Where", ["categorical", "whole", "x"], ["codes"]),
    ]


def _attributes(forest: Sequence[Tree]) -> dict[str, Any]:
    """The attributes of https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html."""
    sets = [codes for tree in forest for codes in tree.members]
    categorical, splits = _laid(forest, "categorical"), _laid(forest, "splits")
    splits[categorical] = [codes[0] for codes in sets]
    modes = np.full(len(splits), LESS_OR_EQUAL, np.uint8)
    modes[categorical] = [EQUAL if len(codes) == 1 else MEMBER for codes in sets]
    roots, left, right = _children(forest)
    leaves = _laid(forest, "leaves").astype(np.float32)
    attributes = {
        "n_targets": 1,
        "tree_roots": roots.tolist(),
        "nodes_featureids": _laid(forest, "features").tolist(),
        "nodes_splits": numpy_helper.from_array(splits),
        "nodes_modes": numpy_helper.from_array(modes),
        "nodes_missing_value_tracks_true": _laid(forest, "missing_left").astype(int).tolist(),
        "nodes_truenodeids": np.where(left < 0, ~left, left).tolist(),
        "nodes_trueleafs": (left < 0).astype(int).tolist(),
        "nodes_falsenodeids": np.where(right < 0, ~right, right).tolist(),
        "nodes_falseleafs": (right < 0).astype(int).tolist(),
        "leaf_targetids": [0] * len(leaves),
        "leaf_weights": numpy_helper.from_array(leaves),
    }
    several = [code for codes in sets if len(codes) > 1 for code in (*codes.tolist(), np.nan)]
    if several:  # NaN stands between the sets of MEMBER nodes
        attributes["membership_values"] = numpy_helper.from_array(np.array(several[:-1], np.float32))
    return attributes


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
