"""A network's weights and embeddings in 8 bits; trees and linear models have nothing that would gain."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from models.onnx.proto import checked, of_room
from models.runtime import Feed

# Of these, only the nodes with a weight matrix: raw numbers hold NaN, and NaN gives no scale.
OPERATORS = ("Gemm", "MatMul", "Gather")
# The quantizer asks for its own pre-processing on every run, unless the model says that it is done.
PREPROCESSED = {"onnx.quant.pre_process": "onnxruntime.quant"}


def quantized(model: onnx.ModelProto, feeds: Iterable[Feed]) -> onnx.ModelProto | None:
    """The graph with 8-bit weights and embeddings; None when it has no weight matrix.

    The scales of activations come from `feeds`, which should be random rows of all of the training
    time. They are constants, so a row's answer does not hang on the rows beside it, as it does
    with dynamic quantization. Weights keep 7 bits, because processors without VNNI saturate in the
    sum of two 8-bit products (onnxruntime, "Quantize ONNX models", on `reduce_range`).
    """
    copy = _named(model)
    nodes = weight_nodes(copy)
    if not nodes:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            copy,
            path,
            _Feeds(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_quantize=nodes,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        small = onnx.load(path)
    del small.graph.value_info[:], small.metadata_props[:]  # of no use to the runtime
    return checked(of_room(small))


def weight_nodes(model: onnx.ModelProto) -> list[str]:
    """The nodes that hold a weight matrix or an embedding: more than one row, more than one column."""
    matrices = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2 and min(tensor.dims) > 1
    }
    able = [node for node in model.graph.node if node.op_type in OPERATORS]
    return [node.name for node in able if matrices.intersection(node.input)]


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy, for the quantizer changes its argument, with a name on every node, for it picks by name."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for position, node in enumerate(copy.graph.node):
        node.name = node.name or f"node/{position}"
    helper.set_model_props(copy, PREPROCESSED)
    return copy


class _Feeds(CalibrationDataReader):  # type: ignore[misc]
    """The quantizer's way to ask for the next feed."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)
