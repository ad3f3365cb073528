"""The whole model as one graph: the raw row in, its margin or its calibrated probability out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import lightgbm as lgb
import numpy as np
import onnx
from onnx import TensorProto, compose, helper, inliner, numpy_helper, version_converter

from core.errors import PerennialError
from models.calibration.choose import Calibration
from models.learning.encode import CategoryCodes, CategoryValues, Scaling
from models.learning.losses import Unit
from models.onnx.calibration import calibration_graph
from models.onnx.encoders import code_node, float_node, value_node
from models.onnx.linear import linear_margin
from models.onnx.proto import OPSETS, assemble, checked, column, of_room
from models.onnx.trees import tree_margin
from models.rows import Columns, Floats

# What the names of inner parts begin with, and no feature's may, to keep them apart.
INNER = ":"
FRONT = INNER + "front/"
MARGIN = "margin"


def from_trees(
    booster: lgb.Booster, columns: Columns, encodings: Sequence[CategoryValues], unit: Unit
) -> onnx.ModelProto:
    """The graph of trees over [numbers, encoded categories], in the order of `columns`.

    A category may have several encodings, one after another. The margins of the trees are in `unit`.
    Raises PerennialError when the encodings or the booster do not fit the columns, or when the
    booster has no exact conversion (see `tree_margin`).
    """
    _require_match(columns, encodings)
    if booster.num_feature() != len(columns.numbers) + len(encodings):
        raise PerennialError(f"the booster takes {booster.num_feature()} features, not the {columns.names}")
    encoded = [value_node(one, f"{FRONT}{one.column}/{place}") for place, one in enumerate(encodings)]
    front = _front(columns, encoded, {"x": [*columns.numbers, *_outputs(encoded)]})
    graph, outputs = _merged(front, tree_margin(booster)), booster.num_model_per_iteration()
    return graph if unit == Unit() else from_members([graph], [unit.scale], np.full(outputs, unit.mean))


def from_linear(
    columns: Columns,
    scaling: Scaling,
    weights: Floats,
    intercept: Floats,
    encodings: Sequence[CategoryCodes],
) -> onnx.ModelProto:
    """The graph of a linear model over [standardised numbers, missing indicators, one-hot codes].

    `weights` is [C + C + the sum of the one-hot sizes, K], code 0 included, `intercept` [K]. One-hot
    columns times their weights are a look-up, and are one in the graph.

    Raises PerennialError when the encodings or the weights do not fit the columns.
    """
    _require_match(columns, encodings)
    edges = np.cumsum([2 * len(columns.numbers), *(encoding.size for encoding in encodings)])
    if weights.shape != (edges[-1], len(intercept)):
        wanted = (int(edges[-1]), len(intercept))
        raise PerennialError(f"the weights are {weights.shape}, these columns and codes want {wanted}")
    dense, *one_hot, _ = np.split(weights, edges)
    terms = [
        _term(encoding, part[:, output], output)
        for encoding, part in zip(encodings, one_hot, strict=True)
        for output in range(len(intercept))
    ]
    front = _front(columns, terms, {"numbers": columns.numbers, "terms": _outputs(terms)})
    return _merged(front, linear_margin(scaling, dense, intercept, len(encodings)))


def from_constant(columns: Columns, margins: Floats) -> onnx.ModelProto:
    """The graph that gives the same margins [K] to every row, whatever its features."""
    _require_names(columns)
    declared = inputs(columns)
    nodes = [
        helper.make_node("Shape", [declared[0].name], [":shape"]),
        helper.make_node("Expand", [":margins", ":shape"], ["margin"]),
    ]
    constants = [numpy_helper.from_array(margins.astype(np.float32)[None], ":margins")]
    return assemble("constant", nodes, declared, [column("margin", width=len(margins))], constants)


def from_members(
    graphs: Sequence[onnx.ModelProto], weights: Sequence[float], intercept: Floats
) -> onnx.ModelProto:
    """One graph of several with the same inputs: the weighted sum of their margins, and `intercept` [K]."""
    nodes: list[onnx.NodeProto] = []
    constants = [numpy_helper.from_array(intercept.astype(np.float32), ":intercept")]
    for place, (model, weight) in enumerate(zip(graphs, weights, strict=True)):
        member = f"{INNER}{place}/"
        apart = _apart(model, member).graph
        nodes += [
            *apart.node,
            helper.make_node("Mul", [f"{member}margin", f"{member}weight"], [f"{member}part"]),
        ]
        weight_tensor = numpy_helper.from_array(np.array(weight, np.float32), f"{member}weight")
        constants += [*apart.initializer, weight_tensor]
    parts = [f"{INNER}{place}/part" for place in range(len(graphs))]
    nodes.append(helper.make_node("Sum", [*parts, ":intercept"], ["margin"]))
    outputs = [column("margin", width=len(intercept))]
    return assemble("members", nodes, graphs[0].graph.input, outputs, constants)


def from_network(
    core: onnx.ModelProto, columns: Columns, encodings: Sequence[CategoryCodes]
) -> onnx.ModelProto:
    """The graph of a network behind its encoders.

    `core` takes "codes" int64 [n, C] and "numbers" float32 [n, K], raw, with NaN for missing (but
    not the one that there are no columns for), and gives "margin" float32 [n, K].

    Raises PerennialError when the encodings do not fit the columns, or the core takes other inputs.
    """
    _require_match(columns, encodings)
    encoded = [code_node(encoding, f"{FRONT}{encoding.column}/code") for encoding in encodings]
    front = _front(columns, encoded, {"codes": _outputs(encoded), "numbers": columns.numbers})
    given = {value.name.removeprefix(FRONT) for value in front.graph.output}
    taken = {value.name for value in core.graph.input}
    if taken != given:
        raise PerennialError(f"the core takes {sorted(taken)}, these columns give it {sorted(given)}")
    flat = version_converter.convert_version(inliner.inline_local_functions(core), OPSETS[""])
    del flat.graph.value_info[:]  # the exporter's shapes, which the quantizer finds at odds with its own
    return _merged(front, of_room(flat))


def calibrated(
    model: onnx.ModelProto, calibration: Calibration, output: str = "probability"
) -> onnx.ModelProto:
    """The graph with the calibrated answer instead of the margin (see `calibration_graph`).

    PerennialError when a feature has the output's name.
    """
    _require_other_names([value.name for value in model.graph.input], output)
    return _merged(model, calibration_graph(calibration, output))


def described(
    model: onnx.ModelProto, properties: Mapping[str, str], meanings: Mapping[str, str] = MappingProxyType({})
) -> onnx.ModelProto:
    """A copy of the graph with these `metadata_props`, and what its inputs and outputs mean, by name."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    helper.set_model_props(copy, dict(properties))
    for value in [*copy.graph.input, *copy.graph.output]:
        value.doc_string = meanings.get(value.name, "")
    return copy


def inputs(columns: Columns) -> list[onnx.ValueInfoProto]:
    """The inputs of a model of these columns: one each, in order, [n, 1], float32 or string.

    >>> [value.name for value in inputs(Columns(("wind",), ("carrier",)))]
    ['wind', 'carrier']
    """
    texts = [column(name, TensorProto.STRING) for name in columns.categories]
    return [column(name) for name in columns.numbers] + texts


def _require_match(columns: Columns, encodings: Sequence[CategoryValues | CategoryCodes]) -> None:
    encoded = tuple(dict.fromkeys(encoding.column for encoding in encodings))
    if encoded != columns.categories:
        raise PerennialError(f"the encodings are of {encoded}, the categories are {columns.categories}")
    _require_names(columns)


def _require_names(columns: Columns) -> None:
    _require_other_names(columns.names, MARGIN)
    for name in columns.names:
        if name.startswith(INNER):
            raise PerennialError(f"no feature's name can start with {INNER!r}, as {name!r} does: rename it")


def _require_other_names(features: Sequence[str], output: str) -> None:
    if output in features:
        raise PerennialError(f"no feature can be named {output!r}: that is what the graph gives")


def _outputs(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    return [node.output[0] for node in nodes]


def _term(encoding: CategoryCodes, weights: Floats, output: int) -> onnx.NodeProto:
    values = {category: float(weights[code]) for category, code in encoding.codes.items()}
    return float_node(encoding.column, f"{FRONT}{encoding.column}/{output}", values, float(weights[0]))


def _front(
    columns: Columns, encoded: Sequence[onnx.NodeProto], tables: Mapping[str, Sequence[str]]
) -> onnx.ModelProto:
    """The encoded inputs, laid side by side as the tables that a core takes; an empty one is left out."""
    filled = {FRONT + name: parts for name, parts in tables.items() if parts}
    joins = [helper.make_node("Concat", parts, [name], axis=1) for name, parts in filled.items()]
    kinds = {FRONT + "codes": TensorProto.INT64}
    outputs = [column(name, kinds.get(name, TensorProto.FLOAT), len(parts)) for name, parts in filled.items()]
    return assemble("front", [*encoded, *joins], inputs(columns), outputs)


def _merged(front: onnx.ModelProto, core: onnx.ModelProto) -> onnx.ModelProto:
    """`core` behind `front`: its inputs are the front's outputs of the same names."""
    prefix = f"{INNER}{core.graph.name}/"
    apart = compose.add_prefix(core, prefix, rename_outputs=False)
    pairs = [(value.name, prefix + value.name.removeprefix(FRONT)) for value in front.graph.output]
    return checked(of_room(compose.merge_models(front, apart, io_map=pairs)))


def _apart(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """A copy whose names have a prefix, but for the inputs."""
    apart = compose.add_prefix(model, prefix, rename_inputs=False)
    given = {prefix + value.name: value.name for value in model.graph.input}
    for node in apart.graph.node:
        node.input[:] = [given.get(name, name) for name in node.input]
    return apart
