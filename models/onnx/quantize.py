"""A network's weights and embeddings in 8 or 16 bits; trees have none, and linear models too few."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from models.onnx.proto import checked, of_room
from models.runtime.session import Feed

# Of these, only the nodes with a weight matrix: raw numbers hold NaN, and NaN gives no scale.
OPERATORS = ("Gemm", "MatMul", "Gather")
# Numbers in all weight matrices, below which no file could become half as large.
MIN_WEIGHTS = 4096
# The quantizer asks for its own pre-processing on every run, unless the model says that it is done.
PREPROCESSED = {"onnx.quant.pre_process": "onnxruntime.quant"}


def quantized(model: onnx.ModelProto, feeds: Iterable[Feed]) -> onnx.ModelProto | None:
    """The graph with 8-bit weights and embeddings; None when it has no weight matrices worth it.

    The scales of activations come from `feeds`, which should be random rows of all of the training
    time. They are constants, and what feeds a quantizer is reckoned number by number, so a row's
    answer does not hang on the rows beside it, as it does with dynamic quantization. Weights keep 7
    bits, because processors without VNNI saturate in the sum of two 8-bit products (onnxruntime,
    "Quantize ONNX models", on `reduce_range`).
    """
    nodes = weight_nodes(model)

    def quantize(copy: onnx.ModelProto, path: Path) -> None:
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

    return _made(model, quantize) if nodes else None


def dynamic(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The same with scales that are taken from the rows of each batch: for comparison, not to be served."""

    def quantize(copy: onnx.ModelProto, path: Path) -> None:
        quantize_dynamic(
            copy,
            path,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )

    return _made(model, quantize) if weight_nodes(model) else None


def halved(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The graph with its weights and embeddings stored as float16; None when it has none worth it.

    They are cast to float32 when the graph is loaded, for no usual processor multiplies float16: it
    answers as steadily and as fast as the float32 graph. Raw numbers stay float32 throughout, because
    float16 has three digits and ends at 65,504.
    """
    matrices = _matrices(model) if weight_nodes(model) else set()
    copy, casts = _named(model), []
    for tensor in copy.graph.initializer:
        if tensor.name in matrices:
            name, half = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}/half"))
            casts.append(
                helper.make_node("Cast", [tensor.name], [name], f"{name}/cast", to=TensorProto.FLOAT)
            )
    nodes = [*casts, *copy.graph.node]
    del copy.graph.node[:], copy.metadata_props[:]
    copy.graph.node.extend(nodes)
    return checked(copy) if casts else None


def weight_nodes(model: onnx.ModelProto) -> list[str]:
    """The nodes that hold a weight matrix or an embedding, by name; none where those are too small.

    A matrix has more than one row and more than one column.
    """
    named, matrices = _named(model), _matrices(model)
    sizes = [np.prod(tensor.dims) for tensor in model.graph.initializer if tensor.name in matrices]
    if sum(sizes) < MIN_WEIGHTS:
        return []
    able = [node for node in named.graph.node if node.op_type in OPERATORS]
    return [node.name for node in able if matrices.intersection(node.input)]


def _matrices(model: onnx.ModelProto) -> set[str]:
    """The names of the weight matrices and embeddings."""
    taken = {name for node in model.graph.node if node.op_type in OPERATORS for name in node.input}
    return {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.name in taken
        and tensor.data_type == TensorProto.FLOAT
        and len(tensor.dims) == 2
        and min(tensor.dims) > 1
    }


def _made(model: onnx.ModelProto, quantize: Callable[[onnx.ModelProto, Path], None]) -> onnx.ModelProto:
    """What a quantizer, which writes a file, makes of a copy of the graph."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        quantize(_named(model), path)
        small = onnx.load(path)
    del small.graph.value_info[:], small.metadata_props[:]  # of no use to the runtime
    return checked(of_room(small))


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
