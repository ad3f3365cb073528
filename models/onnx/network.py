"""The network of the torch family as one ONNX graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from onnx import ModelProto

from models.learning.network import DeepCross
from models.onnx.front import token_names
from models.rows import Columns


def network_margin(network: DeepCross, columns: Columns) -> ModelProto:
    """The network as a graph: from what there are columns for of "codes", "numbers", tokens to "margin"."""
    widths = {"codes": len(columns.categories), "numbers": len(columns.numbers)}
    named = token_names(len(columns.texts))
    tokens = [torch.ones((2, 3), dtype=torch.int64) for _ in named]
    rows = (torch.zeros((2, widths["codes"]), dtype=torch.int64), torch.zeros((2, widths["numbers"])))
    shapes: dict[str, object] = {name: {0: "rows"} for name in widths}
    if named:  # what is not passed must not be named
        shapes["tokens"] = tuple({0: "rows", 1: f"{name}/t"} for name in named)
    with _hushed():
        program = torch.onnx.export(
            network.eval(),
            (*rows, *tokens),
            dynamo=True,
            input_names=[*widths, *named],
            output_names=["margin"],
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None  # it is None only for the older exporter
    core = program.model_proto
    kept = [value for value in core.graph.input if widths.get(value.name, 1)]
    del core.graph.input[:]
    core.graph.input.extend(kept)
    return core


@contextmanager
def _hushed() -> Iterator[None]:
    """Within, the exporter is silent: it warns of its own deprecations, and of torchvision's absence."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
