"""A linear model over prepared columns as one ONNX graph."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.learning.encode import LIMIT, Scaling
from models.onnx.proto import assemble, column


def linear_margin(
    scaling: Scaling, weights: NDArray[np.float64], intercept: NDArray[np.float64], scales: Sequence[float]
) -> onnx.ModelProto:
    """The graph "numbers" float32 [n, C], "terms" float32 [n, T * K] -> "margin" float32 [n, K].

    Numbers are standardised as `scaling` does; `weights` [2 C, K] are those of the C numbers, then of
    the C indicators that one is missing. Terms, K for each of T columns in turn, count `scales` [T]
    times. An input of no columns is left out.
    """
    count, outputs = len(scaling.mean), len(intercept)
    design = (["standardised", "indicators"] if count else []) + (["terms"] if scales else [])
    added = np.kron(np.reshape(scales, (-1, 1)), np.eye(outputs))
    constants = {"weights": np.vstack([weights, added]), "intercept": intercept}
    limits = {"lowest": np.array(-LIMIT), "highest": np.array(LIMIT)}
    constants |= {"mean": scaling.mean, "scale": scaling.scale, **limits} if count else {}
    nodes = [
        *(_standardisation() if count else []),
        helper.make_node("Concat", design, ["design"], axis=1),
        helper.make_node("MatMul", ["design", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "intercept"], ["margin"]),
    ]
    tables = {"numbers": count, "terms": len(scales) * outputs}
    inputs = [column(name, width=width) for name, width in tables.items() if width]
    tensors = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()]
    return assemble("linear", nodes, inputs, [column("margin", width=outputs)], tensors)


def _standardisation() -> list[onnx.NodeProto]:
    return [
        helper.make_node("IsNaN", ["numbers"], ["missing"]),
        helper.make_node("Where", ["missing", "mean", "numbers"], ["filled"]),
        helper.make_node("Sub", ["filled", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "lowest", "highest"], ["standardised"]),
        helper.make_node("Cast", ["missing"], ["indicators"], to=TensorProto.FLOAT),
    ]
