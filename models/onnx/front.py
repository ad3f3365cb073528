"""What stands before the numeric core of a graph: its inputs, and their encoders laid side by side."""

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, compose, helper

from core.errors import PerennialError
from models.learning.encode import CategoryCodes, CategoryValues
from models.onnx.proto import assemble, checked, column, of_room
from models.onnx.texts import Part, token_part
from models.rows import Columns

# What the names of inner parts begin with, and no feature's may, to keep them apart.
INNER = ":"
FRONT = INNER + "front/"
MARGIN = "margin"


def inputs(columns: Columns) -> list[onnx.ValueInfoProto]:
    """The inputs of a model of these columns: one each, in order.

    Float32 or string [n, 1] for numbers and categories, and string [n] for free texts.

    >>> [value.name for value in inputs(Columns(("wind",), ("carrier",), ("remark",)))]
    ['wind', 'carrier', 'remark']
    """
    categories = [column(name, TensorProto.STRING) for name in columns.categories]
    texts = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in columns.texts]
    return [column(name) for name in columns.numbers] + categories + texts


def front(
    columns: Columns,
    encoded: Sequence[onnx.NodeProto],
    tables: Mapping[str, tuple[Sequence[str], int]],
    parts: Sequence[Part] = (),
    tokens: Sequence[str] = (),
) -> onnx.ModelProto:
    """The encoded inputs, laid side by side as the tables that a core takes; an empty one is left out.

    Of a table there are the names of its parts and its width. `parts` are those of texts, of which the
    core takes the `tokens` as they are.
    """
    filled = {FRONT + name: found for name, (found, _) in tables.items() if found}
    joins = [helper.make_node("Concat", found, [name], axis=1) for name, found in filled.items()]
    kinds = {FRONT + "codes": TensorProto.INT64}
    widths = {FRONT + name: width for name, (_, width) in tables.items()}
    outputs = [column(name, kinds.get(name, TensorProto.FLOAT), widths[name]) for name in filled]
    given = [FRONT + name for name in token_names(len(tokens))]
    joins += [helper.make_node("Identity", [one], [name]) for one, name in zip(tokens, given, strict=True)]
    outputs += [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", f"{name}/t"]) for name in given]
    nodes = [*encoded, *(node for part in parts for node in part.nodes), *joins]
    constants = [each for part in parts for each in part.constants]
    return assemble("front", nodes, inputs(columns), outputs, constants)


def merged(first: onnx.ModelProto, core: onnx.ModelProto) -> onnx.ModelProto:
    """`core` behind a front: its inputs are the front's outputs of the same names."""
    prefix = f"{INNER}{core.graph.name}/"
    apart = compose.add_prefix(core, prefix, rename_outputs=False)
    pairs = [(value.name, prefix + value.name.removeprefix(FRONT)) for value in first.graph.output]
    return checked(of_room(compose.merge_models(first, apart, io_map=pairs)))


def token_parts(columns: Columns) -> list[Part]:
    """The words and the tokens of each text."""
    return [token_part(name, f"{FRONT}{name}/tokens") for name in columns.texts]


def token_names(count: int) -> list[str]:
    """What a core calls the tokens of so many texts."""
    return [f"tokens_{place}" for place in range(count)]


def require_match(
    columns: Columns, encodings: Sequence[CategoryValues | CategoryCodes], texts: Sequence[str] = ()
) -> None:
    """PerennialError unless the encodings are those of the columns, and their names may be a graph's."""
    encoded = tuple(dict.fromkeys(encoding.column for encoding in encodings))
    if encoded != columns.categories:
        raise PerennialError(f"the encodings are of {encoded}, the categories are {columns.categories}")
    if tuple(texts) != columns.texts:
        raise PerennialError(f"the tokens are of {tuple(texts)}, the texts are {columns.texts}")
    require_names(columns)


def require_names(columns: Columns) -> None:
    """PerennialError when a feature has a name that the graph needs."""
    require_other_names(columns.names, MARGIN)
    for name in columns.names:
        if name.startswith(INNER):
            raise PerennialError(f"no feature's name can start with {INNER!r}, as {name!r} does: rename it")


def require_other_names(features: Sequence[str], output: str) -> None:
    """PerennialError when a feature has the name of the graph's output."""
    if output in features:
        raise PerennialError(f"no feature can be named {output!r}: that is what the graph gives")
