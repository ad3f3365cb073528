"""A linear model over prepared columns as one ONNX graph."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.encode import LIMIT
from models.onnx.proto import assemble, column


def linear_margin(
    fill: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    weights: NDArray[np.float32],
    intercept: float,
    terms: int,
) -> onnx.ModelProto:
    """The graph "numbers" float32 [n, K], "terms" float32 [n, terms] -> "margin" float32 [n, 1].

    A missing number (NaN) is replaced by its `fill`; numbers are standardized as (number - mean) /
    scale; `weights` [2 K] are those of the K numbers, then of the K indicators that one is missing.
    Terms are added as they are. An input of no columns is left out.
    """
    count = len(fill)
    design = (["standardized", "indicators"] if count else []) + (["terms"] if terms else [])
    all_weights = np.concatenate([weights, np.ones(terms)])[:, None]
    constants = {"weights": all_weights, "intercept": np.array([intercept])}
    constants |= {"fill": fill, "mean": mean, "scale": scale} if count else {}
    constants |= {"least": np.array(-LIMIT), "largest": np.array(LIMIT)} if count else {}
    nodes = [
        *(_standardization() if count else []),
        helper.make_node("Concat", design, ["design"], axis=1),
        helper.make_node("MatMul", ["design", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "intercept"], ["margin"]),
    ]
    tables = {"numbers": count, "terms": terms}
    inputs = [column(name, width=width) for name, width in tables.items() if width]
    tensors = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()]
    return assemble("linear", nodes, inputs, [column("margin")], tensors)


def _standardization() -> list[onnx.NodeProto]:
    return [
        helper.make_node("IsNaN", ["numbers"], ["missing"]),
        helper.make_node("Where", ["missing", "fill", "numbers"], ["filled"]),
        helper.make_node("Sub", ["filled", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["unbounded"]),
        helper.make_node("Clip", ["unbounded", "least", "largest"], ["standardized"]),
        helper.make_node("Cast", ["missing"], ["indicators"], to=TensorProto.FLOAT),
    ]
