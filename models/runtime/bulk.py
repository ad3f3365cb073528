"""Many rows through one graph: each distinct category is encoded once, by the graph's own encoders."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import onnx
import onnxruntime as ort
import polars as pl
from numpy.typing import NDArray
from onnx import TensorProto

from models.onnx.proto import column
from models.rows import Columns
from models.runtime.session import session, typed


class Bulk:
    """A graph in two parts: the encoders of its categories, and all that comes after them.

    To hand over a category and to look it up costs more than a number, though a chunk of rows holds few
    distinct ones; free texts are all distinct. The nodes and what they are given are those of the whole
    graph, and so are the answers, to the last bit.
    """

    def __init__(
        self,
        encoders: ort.InferenceSession,
        rest: ort.InferenceSession,
        encoded: Mapping[str, str],
        columns: Columns,
        name: str,
    ) -> None:
        """`encoded` has the category that each output of the encoders is of; errors call the graph `name`."""
        self.encoders, self.rest, self.encoded = encoders, rest, dict(encoded)
        self._columns, self._name = columns, name

    @classmethod
    def of(cls, content: bytes, columns: Columns, name: str) -> Self | None:
        """The parts of a graph; None where it has no categories, or does more with these than encode them."""
        model = onnx.ModelProto.FromString(content)
        named = set(columns.categories)
        readers = [node for node in model.graph.node if named.intersection(node.input)]
        if not readers or any(node.op_type != "LabelEncoder" for node in readers):
            return None
        encoded = {node.output[0]: node.input[0] for node in readers}
        between = [column(node.output[0], _kind(node)) for node in readers]
        others = [node for node in model.graph.node if node.output[0] not in encoded]
        taken = [value for value in model.graph.input if value.name in named]
        given = [value for value in model.graph.input if value.name not in named]
        encoders = _part(model, readers, taken, between)
        rest = _part(model, others, [*given, *between], model.graph.output)
        return cls(session(encoders, name), session(rest, name), encoded, columns, name)

    def run(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        """The answers to the rows [n, K]; PerennialError as of `typed`."""
        rows = typed(frame, self._columns, self._name)
        # Arrow finds the distinct texts of a column in a third of the time that Polars takes.
        texts = {name: rows[name].to_arrow().dictionary_encode() for name in self._columns.categories}
        distinct = {
            name: part.dictionary.to_numpy(zero_copy_only=False)[:, None] for name, part in texts.items()
        }
        feed = {name: rows[name].to_numpy()[:, None] for name in self._columns.numbers}
        feed |= {name: rows[name].to_numpy() for name in self._columns.texts}
        known = self.encoders.run(list(self.encoded), distinct)
        for (output, name), values in zip(self.encoded.items(), known, strict=True):
            feed[output] = values[texts[name].indices.to_numpy()]
        answers: NDArray[np.float32] = self.rest.run(None, feed)[0]
        return answers


def _kind(encoder: onnx.NodeProto) -> int:
    """What a `LabelEncoder` gives: whole numbers, or float32."""
    whole = any(part.name == "values_int64s" for part in encoder.attribute)
    return int(TensorProto.INT64 if whole else TensorProto.FLOAT)


def _part(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
) -> bytes:
    """The bytes of a graph of some of the model's nodes."""
    used = {name for node in nodes for name in node.input}
    part = onnx.ModelProto()
    part.CopyFrom(model)
    part.ClearField("graph")
    part.graph.name = model.graph.name
    part.graph.node.extend(nodes)
    part.graph.input.extend(inputs)
    part.graph.output.extend(outputs)
    part.graph.initializer.extend(each for each in model.graph.initializer if each.name in used)
    content: bytes = part.SerializeToString()
    return content
