"""From a fit to its ONNX files: written, compared with the native model, measured, and kept or not."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from core.spec import Spec
from models.fit import Fit, calibration_of
from models.measures.intervals import drawn_blocks
from models.measures.paired import Blocks
from models.onnx.describe import facts, meanings
from models.onnx.graph import calibrated, described
from models.onnx.latency import UNTIMED, Latency, latencies
from models.onnx.parity import EXACT, LOSSY, parity
from models.onnx.placement import cpu_nodes
from models.onnx.probes import compared_rows
from models.onnx.prune import pruned
from models.onnx.quantize import dynamic, halved, quantized, weight_nodes
from models.onnx.truth import Truth
from models.onnx.variants import Variant, best, weighed
from models.problem import Floats
from models.rows import Rows
from models.runtime.model import Model
from models.runtime.session import Feed, feed, session
from models.split import Split

__all__ = ["Variant", "best", "export"]

# Training rows, drawn from all of the training time, that set the scales of a quantized graph.
CALIBRATION_ROWS, CALIBRATION_BATCH = 2048, 512


def export(
    fit: Fit,
    split: Split,
    spec: Spec,
    folder: Path,
    properties: Mapping[str, str] | None = None,
    *,
    timed: bool = True,
) -> tuple[Variant, ...]:
    """Write a fit's graphs into the folder as <name>.onnx: "float32", and what may be smaller or faster.

    With weights worth it there are "int8", "float16", and "dynamic" (8 bits, for comparison); with
    trees there is "pruned". Each takes the raw row and gives the calibrated answer, is compared with
    the native model on every holdout row and on rows made to tell them apart, and is timed; which are
    kept, `variants.weighed` says. `properties` join what the files say of themselves. Where they are not
    `timed` no clock decides, so that the same fit has the same files and figures each time.
    """
    says, told = facts(fit, split.train, properties or {}), meanings(spec, fit.problem.output)
    files = [_written(name, described(graph, says, told), folder) for name, graph in _graphs(fit, split)]
    models = [file.model for file in files]
    speeds = latencies(models, split.holdout.frame) if timed else [UNTIMED] * len(files)
    exact, *others = _compared(fit, split, spec, files, speeds)
    exact = replace(exact, note=exact.note or _no_int8(files[0].graph))
    return exact, *(weighed(other, exact, spec.gate.margin) for other in others)


@dataclass(frozen=True, slots=True)
class _File:
    """A graph as it was written, and as it will be served: opened by the hash of its bytes."""

    graph: onnx.ModelProto
    path: Path
    sha256: str
    bytes: int
    model: Model


def _graphs(fit: Fit, split: Split) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The graphs of a fit by name, float32 first."""
    margin = fit.model.graph()
    exact = calibrated(margin, fit.calibration, fit.problem.output)
    yield "float32", exact
    made = {
        "int8": quantized(exact, _feeds(fit, split.train)),
        "float16": halved(exact),
        "dynamic": dynamic(exact),
        "pruned": _pruned(fit, margin, split.validation),
    }
    for name, graph in made.items():
        if graph is not None:
            yield name, graph


def _no_int8(graph: onnx.ModelProto) -> str:
    """Why a graph has no 8-bit variant; nothing where it has one."""
    if weight_nodes(graph):
        return ""
    if any(node.op_type == "TreeEnsemble" for node in graph.graph.node):
        return "trees stay in float32: the quantizers of onnxruntime leave them as they are"
    return "it has no weights worth 8 bits"


def _pruned(fit: Fit, margin: onnx.ModelProto, validation: Rows) -> onnx.ModelProto | None:
    """The graph with fewer trees, calibrated anew: what is left of a sum is not on its scale."""
    fewer = pruned(margin)
    if fewer is None:
        return None
    loaded = session(fewer.SerializeToString(), "pruned")
    parts = (feed(part, fit.columns, "pruned") for part in validation.frame.iter_slices(CALIBRATION_BATCH))
    margins = np.concatenate([loaded.run(["margin"], part)[0] for part in parts])
    offset = fit.calibration.offset
    calibration = calibration_of(fit.problem, margins.astype(np.float64), validation, offset)
    return calibrated(fewer, calibration, fit.problem.output)


def _feeds(fit: Fit, train: Rows) -> Iterator[Feed]:
    sample = train.frame.sample(min(CALIBRATION_ROWS, len(train)), seed=0)
    return (feed(part, fit.columns, "float32") for part in sample.iter_slices(CALIBRATION_BATCH))


def _written(name: str, graph: onnx.ModelProto, folder: Path) -> _File:
    content, path = graph.SerializeToString(), folder / f"{name}.onnx"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return _File(graph, path, sha256, len(content), Model.open(path, sha256))


def _compared(
    fit: Fit, split: Split, spec: Spec, files: list[_File], speeds: Sequence[Latency]
) -> Iterator[Variant]:
    """The files as variants; each is kept that has parity."""
    rows = compared_rows(files[0].graph, fit.columns, split.holdout.frame, split.train.frame)
    truth = Truth.of(fit.problem, split.holdout, rows, fit.answers(rows))
    parts = {"validation": split.validation, "holdout": split.holdout}
    blocks = {name: _blocks(fit, part, spec) for name, part in parts.items()}
    exact: dict[str, Floats] = {}
    for file, speed in zip(files, speeds, strict=True):
        found = parity(file.model, truth, LOSSY if exact else EXACT)
        answers = {name: file.model.predict(part.frame) for name, part in parts.items()}
        losses = {name: fit.problem.losses(part, answers[name]) for name, part in parts.items()}
        exact = exact or losses
        yield Variant(
            name=file.path.stem,
            path=file.path,
            sha256=file.sha256,
            bytes=file.bytes,
            parity=found,
            latency=speed,
            measures=fit.problem.measures(split.holdout, answers["holdout"]),
            rises={
                name: blocks[name].mean(losses[name] - exact[name], spec.gate.confidence) for name in parts
            },
            on_cpu=cpu_nodes(file.graph),
            kept=found.holds,
            note="; ".join(found.reasons),
        )


def _blocks(fit: Fit, rows: Rows, spec: Spec) -> Blocks:
    """The blocks of what is judged as one."""
    drawn = drawn_blocks(rows, spec)
    return Blocks(drawn.block[fit.problem.units(rows)], drawn.weights)
