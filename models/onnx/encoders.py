"""The frozen encoders of categories, as nodes: a column of strings in, target values or codes out."""

from collections.abc import Mapping

import onnx
from onnx import helper

from models.learning.encode import CategoryCodes, CategoryValues
from models.onnx.proto import ML


def value_node(encoding: CategoryValues, output: str) -> onnx.NodeProto:
    """The target encoding of the input that is named as its column: string [n, 1] -> float32 [n, 1]."""
    return float_node(encoding.column, output, encoding.values, encoding.default)


def float_node(column: str, output: str, values: Mapping[str, float], default: float) -> onnx.NodeProto:
    """A map from category to number, `default` for any other: string [n, 1] -> float32 [n, 1].

    >>> node = float_node("carrier", "rate", {"UA": 0.25}, 0.5)
    >>> node.op_type, list(node.input), list(node.output)
    ('LabelEncoder', ['carrier'], ['rate'])
    """
    known = dict(values) or {"": default}  # the operator wants a key
    return helper.make_node(
        "LabelEncoder",
        [column],
        [output],
        domain=ML,
        keys_strings=list(known),
        values_floats=[float(value) for value in known.values()],
        default_float=float(default),
    )


def code_node(encoding: CategoryCodes, output: str) -> onnx.NodeProto:
    """The codes of the input that is named as its column: string [n, 1] -> int64 [n, 1]."""
    known = dict(encoding.codes) or {"": 0}  # the operator wants a key
    return helper.make_node(
        "LabelEncoder",
        [encoding.column],
        [output],
        domain=ML,
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=0,
    )
