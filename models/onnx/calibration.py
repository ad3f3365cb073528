"""A calibration as a graph: the margins in, the calibrated answer out."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.calibration.form import Calibration, Link
from models.onnx.proto import assemble, column

LINKS = {"sigmoid": "Sigmoid", "softmax": "Softmax", "identity": "Identity"}
RISING = {"axis": 1, "largest": 0, "sorted": 1}


def calibration_graph(calibration: Calibration, output: str) -> onnx.ModelProto:
    """The calibration as a graph: "margin" float32 [n, K] -> `output` float32, of the same shape.

    The answer is that of `Calibration.apply`, rounded to float32: what lies between is in float64, so
    that large margins lose nothing, and each row is reckoned alone, so that its answer does not depend
    on the rows beside it. A NaN margin gives NaN.
    """
    last = "curve/score" if calibration.knots else "scale/score"
    nodes = [
        helper.make_node("Cast", ["margin"], ["scale/margin"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["scale/margin", "scale/offset"], ["scale/moved"]),
        helper.make_node("Mul", ["scale/moved", "scale/slope"], ["scale/scaled"]),
        helper.make_node("Add", ["scale/scaled", "scale/intercept"], ["scale/score"]),
        *(_curve() if calibration.knots else []),
        *_link(calibration.link, last),
        helper.make_node("Cast", ["link/answer"], [output], to=TensorProto.FLOAT),
    ]
    width = len(calibration.offset)
    inputs, outputs = [column("margin", width=width)], [column(output, width=width)]
    return assemble("calibration", nodes, inputs, outputs, list(_constants(calibration)))


def _link(link: Link, score: str) -> list[onnx.NodeProto]:
    """From the score to the answer; quantiles are put in rising order, all of them the "smallest" K."""
    if link != "sorted":
        return [helper.make_node(LINKS[link], [score], ["link/answer"])]
    return [
        helper.make_node("TopK", [score, "link/width"], ["link/risen", "link/places"], **RISING),
        # Where NaN is sorted to, no standard says: of a row that has one, all are.
        helper.make_node("IsNaN", [score], ["link/nan"]),
        helper.make_node("Cast", ["link/nan"], ["link/ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["link/ones", "link/axis"], ["link/any"]),
        helper.make_node("Cast", ["link/any"], ["link/broken"], to=TensorProto.BOOL),
        helper.make_node("Where", ["link/broken", "link/nothing", "link/risen"], ["link/answer"]),
    ]


def _curve() -> list[onnx.NodeProto]:
    """From the scaled score [n, 1] to that of the curve; a score's line is the number of knots up to it."""
    parts = [f"curve/{part}" for part in ("start", "value", "slope", "ceiling")]
    start, value, slope, ceiling = parts
    return [
        helper.make_node("GreaterOrEqual", ["scale/score", "curve/knots"], ["curve/passed"]),
        helper.make_node("Cast", ["curve/passed"], ["curve/ones"], to=TensorProto.INT64),
        helper.make_node("ReduceSum", ["curve/ones", "curve/axis"], ["curve/place"], keepdims=0),
        helper.make_node("Gather", ["curve/lines", "curve/place"], ["curve/line"], axis=0),
        helper.make_node("Split", ["curve/line"], parts, axis=1, num_outputs=len(parts)),
        helper.make_node("Sub", ["scale/score", start], ["curve/along"]),
        helper.make_node("Mul", ["curve/along", slope], ["curve/rise"]),
        helper.make_node("Add", ["curve/rise", value], ["curve/risen"]),
        helper.make_node("Min", ["curve/risen", ceiling], ["curve/score"]),
    ]


def _constants(calibration: Calibration) -> Iterator[onnx.TensorProto]:
    for name in ("offset", "slope", "intercept"):
        yield numpy_helper.from_array(np.array(getattr(calibration, name), np.float64), f"scale/{name}")
    if calibration.link == "sorted":
        yield numpy_helper.from_array(np.array([len(calibration.offset)]), "link/width")
        yield numpy_helper.from_array(np.array([1]), "link/axis")
        yield numpy_helper.from_array(np.array(np.nan), "link/nothing")
    if calibration.knots:
        yield numpy_helper.from_array(np.array(calibration.knots, np.float64), "curve/knots")
        yield numpy_helper.from_array(calibration.lines(), "curve/lines")
        yield numpy_helper.from_array(np.array([1]), "curve/axis")
