"""Fewer trees: the first rounds of each ensemble of a graph."""

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.onnx.proto import ML, checked

SHARE = 0.5
MEMBER = 6


def pruned(model: onnx.ModelProto, share: float = SHARE) -> onnx.ModelProto | None:
    """The graph with the first `share` of the rounds of each `TreeEnsemble`; None where none loses a tree.

    A round is a tree for each target. Boosting's first trees say most: what is left asks for a
    calibration of its own.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type == "TreeEnsemble":
            _shorten(node, share)
    return checked(copy) if copy != model else None


def _shorten(node: onnx.NodeProto, share: float) -> None:
    """Leave the node its first trees; as it is, where its nodes do not lie tree by tree."""
    parts = {part.name: _value(part) for part in node.attribute}
    roots, targets = np.array(parts["tree_roots"]), int(parts["n_targets"])
    kept = math.ceil(len(roots) // targets * share) * targets
    if kept >= len(roots) or not (np.diff(roots) > 0).all():
        return
    nodes = int(roots[kept])
    leaves = _leaves(parts, nodes)
    for name, values in parts.items():
        if name.startswith("nodes_"):
            parts[name] = values[:nodes]
        elif name.startswith("leaf_"):
            parts[name] = values[:leaves]
    parts["tree_roots"] = roots[:kept].tolist()
    if "membership_values" in parts:
        parts["membership_values"] = _sets(
            parts["membership_values"], int((parts["nodes_modes"] == MEMBER).sum())
        )
    tensors = {name: _tensor(value) for name, value in parts.items() if np.size(value)}
    node.CopyFrom(helper.make_node("TreeEnsemble", node.input, node.output, node.name, domain=ML, **tensors))


def _leaves(parts: dict[str, Any], nodes: int) -> int:
    """How many leaves the first nodes lead to."""
    ways = [("nodes_truenodeids", "nodes_trueleafs"), ("nodes_falsenodeids", "nodes_falseleafs")]
    met = [np.array(parts[ids])[:nodes][np.array(parts[leafs], bool)[:nodes]] for ids, leafs in ways]
    return int(np.concatenate(met).max()) + 1


def _sets(values: NDArray[Any], count: int) -> NDArray[Any]:
    """The first sets of a `membership_values`, where NaN stands between two."""
    ends = np.append(np.flatnonzero(np.isnan(values)), len(values))
    return values[: ends[count - 1]] if count else values[:0]


def _value(part: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(part)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _tensor(value: Any) -> Any:
    return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
