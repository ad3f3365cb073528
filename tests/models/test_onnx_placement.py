"""Which nodes stay on the CPU though CUDA is there."""

import numpy as np
import onnx
from onnx import TensorProto

from models.calibration.choose import uncalibrated
from models.learning.encode import CategoryCodes, Scaling
from models.onnx.graph import calibrated, from_linear
from models.onnx.placement import cpu_nodes
from models.onnx.proto import assemble, column
from models.rows import Columns


def test_the_encoders_of_strings_stay_and_the_numbers_do_not() -> None:
    one, columns = np.ones(1, np.float32), Columns(("wind",), ("airline", "route"))
    codes = [CategoryCodes(name, {"a": 1}) for name in columns.categories]
    graph = from_linear(columns, Scaling(one, one), np.ones((6, 1)), np.zeros(1), codes)
    assert cpu_nodes(calibrated(graph, uncalibrated("sigmoid", (0.0,)))) == {"LabelEncoder": 2}


def test_what_cuts_strings_stays() -> None:
    nodes = [onnx.helper.make_node("StringNormalizer", ["text"], ["lower"], case_change_action="LOWER")]
    texts = [
        onnx.helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in ("text", "lower")
    ]
    assert cpu_nodes(assemble("lower", nodes, texts[:1], texts[1:])) == {"StringNormalizer": 1}
    numbers = [onnx.helper.make_node("Abs", ["x"], ["y"])]
    assert cpu_nodes(assemble("size", numbers, [column("x")], [column("y")])) == {}
