"""How every graph of this room is put together: one opset, one IR version, checked."""

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, helper

from core.errors import PerennialError

# TreeEnsemble needs ai.onnx.ml 5; to be merged, graphs have to be of one opset and one IR version.
ML = "ai.onnx.ml"
CONTRIB = "com.microsoft"  # the operators that onnxruntime brings, those on texts among them
OPSETS: Mapping[str, int] = {"": 21, ML: 5, CONTRIB: 1}
IR_VERSION = 10


def assemble(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """A checked model of these nodes; PerennialError when ONNX's own checker finds it malformed."""
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), list(constants))
    return checked(of_room(helper.make_model(graph)))


def of_room(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, marked as of the room's opsets and IR version; for one that fits them.

    Only one that reads texts asks for more than the standard.
    """
    reads = any(node.domain == CONTRIB for node in model.graph.node)
    opsets = OPSETS if reads else {domain: OPSETS[domain] for domain in ("", ML)}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in opsets.items())
    model.ir_version, model.producer_name = IR_VERSION, "perennial"
    return model


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, once ONNX's checker and shape inference accept it; PerennialError otherwise."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise PerennialError(f"graph {model.graph.name!r} is not valid ONNX: {error}") from error
    return model


def column(name: str, kind: int = TensorProto.FLOAT, width: int = 1) -> onnx.ValueInfoProto:
    """The declaration of a table of `width` columns and any number of rows: [n, width]."""
    return helper.make_tensor_value_info(name, kind, ["n", width])
