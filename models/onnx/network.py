"""The network of the torch family as one ONNX graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from onnx import ModelProto

from models.learning.network import DeepCross
from models.rows import Columns


def network_margin(network: DeepCross, columns: Columns) -> ModelProto:
    """The network as a graph: from "codes" and "numbers" (such as there are columns for) to "margin"."""
    widths = {"codes": len(columns.categories), "numbers": len(columns.numbers)}
    rows = (torch.zeros((2, widths["codes"]), dtype=torch.int64), torch.zeros((2, widths["numbers"])))
    with _hushed():
        program = torch.onnx.export(
            network.eval(),
            rows,
            dynamo=True,
            input_names=list(widths),
            output_names=["margin"],
            dynamic_shapes={name: {0: "rows"} for name in widths},
            verbose=False,
        )
    assert program is not None  # it is None only for the older exporter
    core = program.model_proto
    kept = [value for value in core.graph.input if widths[value.name]]
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
