"""The whole model as one graph: the raw row in, its margin or its calibrated probability out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import compose, helper, inliner, numpy_helper, version_converter

from core.errors import PerennialError
from models.calibration.choose import Calibration
from models.learning.encode import CategoryCodes, CategoryValues, Scaling
from models.learning.grams import Grams
from models.learning.losses import Unit
from models.onnx.calibration import calibration_graph
from models.onnx.encoders import code_node, float_node, value_node
from models.onnx.front import (
    FRONT,
    INNER,
    front,
    inputs,
    merged,
    require_match,
    require_names,
    require_other_names,
    token_parts,
)
from models.onnx.linear import linear_margin
from models.onnx.proto import OPSETS, assemble, column, of_room
from models.onnx.texts import Part, sum_part, told_part
from models.onnx.trees import tree_margin
from models.rows import Columns, Floats

if TYPE_CHECKING:
    import lightgbm as lgb


def from_trees(
    booster: "lgb.Booster",
    columns: Columns,
    encodings: Sequence[CategoryValues],
    unit: Unit,
    grams: Sequence[Grams] = (),
) -> onnx.ModelProto:
    """The graph of trees over [numbers, encoded categories, what is told of texts], in this order.

    A category may have several encodings, one after another; of a text there are its margins, its
    counts and its telling tokens. The margins of the trees are in `unit`.
    Raises PerennialError when the encodings or the booster do not fit the columns, or when the
    booster has no exact conversion (see `tree_margin`).
    """
    require_match(columns, encodings, [each.column for each in grams])
    if booster.num_feature() != len(columns.numbers) + len(encodings) + sum(each.width for each in grams):
        raise PerennialError(f"the booster takes {booster.num_feature()} features, not the {columns.names}")
    encoded = [value_node(one, f"{FRONT}{one.column}/{place}") for place, one in enumerate(encodings)]
    parts = token_parts(columns)
    told = [_told(each, part) for each, part in zip(grams, parts, strict=True)]
    inner = [*_outputs(encoded), *(name for part in told for name in part.outputs)]
    table = ([*columns.numbers, *inner], booster.num_feature())
    first = front(columns, encoded, {"x": table}, [*parts, *told])
    graph, outputs = merged(first, tree_margin(booster)), booster.num_model_per_iteration()
    return graph if unit == Unit() else from_members([graph], [unit.scale], np.full(outputs, unit.mean))


def from_linear(
    columns: Columns,
    scaling: Scaling,
    weights: Floats,
    intercept: Floats,
    encodings: Sequence[CategoryCodes],
    grams: Sequence[tuple[Grams, float]] = (),
) -> onnx.ModelProto:
    """The graph of a linear model over [standardised numbers, missing indicators, one-hot codes], and texts.

    `weights` is [C + C + the sum of the one-hot sizes, K], code 0 included, `intercept` [K]. One-hot
    columns times their weights are a look-up, and are one in the graph; so are the tokens of a text,
    whose sum counts so many times.

    Raises PerennialError when the encodings or the weights do not fit the columns.
    """
    require_match(columns, encodings, [each.column for each, _ in grams])
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
    parts = token_parts(columns)
    sums = [_sums(each, part) for (each, _), part in zip(grams, parts, strict=True)]
    scales = [1.0] * len(encodings) + [scale for _, scale in grams]
    added = [*_outputs(terms), *(name for part in sums for name in part.outputs)]
    tables = {
        "numbers": (columns.numbers, len(columns.numbers)),
        "terms": (added, len(scales) * len(intercept)),
    }
    first = front(columns, terms, tables, [*parts, *sums])
    return merged(first, linear_margin(scaling, dense, intercept, scales))


def from_constant(columns: Columns, margins: Floats) -> onnx.ModelProto:
    """The graph that gives the same margins [K] to every row, whatever its features."""
    require_names(columns)
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
    core: onnx.ModelProto, columns: Columns, encodings: Sequence[CategoryCodes], in_order: bool = False
) -> onnx.ModelProto:
    """The graph of a network behind its encoders.

    `core` takes "codes" int64 [n, C] and "numbers" float32 [n, K], raw, with NaN for missing (but
    not the one that there are no columns for), and of each text "tokens_0", "tokens_1" and so on,
    int64 [n, T]: all its tokens, or its words `in_order`. It gives "margin" float32 [n, K].

    Raises PerennialError when the encodings do not fit the columns, or the core takes other inputs.
    """
    require_match(columns, encodings, columns.texts)
    encoded = [code_node(encoding, f"{FRONT}{encoding.column}/code") for encoding in encodings]
    tables = {
        "codes": (_outputs(encoded), len(encoded)),
        "numbers": (columns.numbers, len(columns.numbers)),
    }
    parts = token_parts(columns)
    first = front(columns, encoded, tables, parts, [part.outputs[0 if in_order else 1] for part in parts])
    given = {value.name.removeprefix(FRONT) for value in first.graph.output}
    taken = {value.name for value in core.graph.input}
    if taken != given:
        raise PerennialError(f"the core takes {sorted(taken)}, these columns give it {sorted(given)}")
    flat = version_converter.convert_version(inliner.inline_local_functions(core), OPSETS[""])
    del flat.graph.value_info[:]  # the exporter's shapes, which the quantizer finds at odds with its own
    return merged(first, of_room(flat))


def calibrated(
    model: onnx.ModelProto, calibration: Calibration, output: str = "probability"
) -> onnx.ModelProto:
    """The graph with the calibrated answer instead of the margin (see `calibration_graph`).

    PerennialError when a feature has the output's name.
    """
    require_other_names([value.name for value in model.graph.input], output)
    return merged(model, calibration_graph(calibration, output))


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


def _outputs(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    return [node.output[0] for node in nodes]


def _term(encoding: CategoryCodes, weights: Floats, output: int) -> onnx.NodeProto:
    values = {category: float(weights[code]) for category, code in encoding.codes.items()}
    return float_node(encoding.column, f"{FRONT}{encoding.column}/{output}", values, float(weights[0]))


def _sums(grams: Grams, tokens: Part) -> Part:
    """The margins of a text, by the weights of all its tokens."""
    return sum_part(tokens.outputs[1], grams.weights, f"{FRONT}{grams.column}/sums")


def _told(grams: Grams, tokens: Part) -> Part:
    """What trees are told of a text: its margins, its counts and its telling tokens."""
    sums = _sums(grams, tokens)
    told = told_part(tokens.outputs[:2], grams.telling, f"{FRONT}{grams.column}/told")
    return Part(sums.nodes + told.nodes, sums.constants + told.constants, sums.outputs + told.outputs)


def _apart(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """A copy whose names have a prefix, but for the inputs."""
    apart = compose.add_prefix(model, prefix, rename_inputs=False)
    given = {prefix + value.name: value.name for value in model.graph.input}
    for node in apart.graph.node:
        node.input[:] = [given.get(name, name) for name in node.input]
    return apart
