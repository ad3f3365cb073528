"""From a fit to its ONNX files: written, compared with the native model, measured, and kept or not."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxruntime as ort
import polars as pl

from core.errors import PerennialError
from models.evaluate import measures
from models.fit import Fit
from models.onnx.graph import calibrated, described
from models.onnx.latency import Latency, latencies
from models.onnx.parity import EXACT, QUANTIZED, Parity, compared_rows, parity
from models.onnx.quantize import quantized
from models.rows import Columns, Rows
from models.runtime import Feed, Model
from models.split import Split

# Training rows, drawn from all of the training time, that set the scales of a quantized graph.
CALIBRATION_ROWS, CALIBRATION_BATCH = 2048, 512
# A quantized graph is worth keeping when it is so much faster in bulk, or so much smaller and not so
# much slower, and costs no more than this in log loss (nats) and in AUC on the holdout.
FASTER, SMALLER, SLOWEST = 1.3, 2.0, 0.5
MAX_LOG_LOSS, MAX_AUC = 0.001, 0.001
PACKAGES = ("lightgbm", "onnx", "torch")


@dataclass(frozen=True, slots=True)
class Variant:
    """One ONNX file of a fit: how it compares, what it costs, and whether it may be served."""

    name: str
    path: Path
    sha256: str
    bytes: int
    parity: Parity
    latency: Latency
    measures: dict[str, float]
    kept: bool
    note: str


def export(
    fit: Fit, split: Split, folder: Path, properties: Mapping[str, str] | None = None
) -> tuple[Variant, ...]:
    """Write a fit's graphs into the folder as <name>.onnx: "float32", and "int8" where it has weights.

    Each takes the raw row and gives the calibrated probability, is compared with the native model on
    every holdout row and on edge rows, and is timed. `properties` join what the files say of
    themselves in `metadata_props`: the hash of their columns, and the versions of what made them.
    """
    graph = calibrated(fit.model.graph(), fit.calibration)
    says = _origin(fit.columns) | dict(properties or {})
    files = [_written(graph, folder / "float32.onnx", says)]
    small = quantized(graph, _feeds(files[0].model, split.train.frame))
    if small is not None:
        files.append(_written(small, folder / "int8.onnx", says))
    exact, *others = _compared(fit, graph, files, split.holdout)
    if others:
        return exact, *(weighed(other, exact) for other in others)
    return (replace(exact, note=exact.note or _nothing_to_quantize(graph)),)


def best(variants: Sequence[Variant]) -> Variant:
    """The one to serve: of those kept the smallest file, and of equal files the fastest in bulk.

    PerennialError when none is kept.
    """
    kept = [variant for variant in variants if variant.kept]
    if not kept:
        faults = {variant.name: variant.note for variant in variants}
        raise PerennialError(f"no graph of this fit may be served: {faults}")
    return min(kept, key=lambda variant: (variant.bytes, -variant.latency.rows_per_second))


def weighed(small: Variant, exact: Variant) -> Variant:
    """The quantized variant, kept only when `exact` is, and it gains enough at a small enough cost."""
    faster = small.latency.rows_per_second / exact.latency.rows_per_second
    smaller = exact.bytes / small.bytes
    loss, auc = (small.measures[name] - exact.measures[name] for name in ("log_loss", "auc"))
    gains = faster >= FASTER or (smaller >= SMALLER and faster >= SLOWEST)
    costs = loss > MAX_LOG_LOSS or auc < -MAX_AUC
    note = f"{smaller:.1f} times smaller, {faster:.2f} times as fast, log loss {loss:+.5f}, AUC {auc:+.5f}"
    kept = exact.kept and small.kept and gains and not costs
    return replace(small, kept=kept, note=small.note or note)


@dataclass(frozen=True, slots=True)
class _File:
    """A graph as it was written, and as it will be served: opened by the hash of its bytes."""

    path: Path
    sha256: str
    bytes: int
    model: Model


def _written(graph: onnx.ModelProto, path: Path, properties: Mapping[str, str]) -> _File:
    content = described(graph, properties).SerializeToString()
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return _File(path, sha256, len(content), Model.open(path, sha256))


def _compared(fit: Fit, graph: onnx.ModelProto, files: Sequence[_File], holdout: Rows) -> Iterator[Variant]:
    """The files as variants; float32 is kept where it has parity, int8 where it is as steady."""
    rows = compared_rows(graph, fit.columns, holdout.frame)
    native = fit.answers(rows)
    speeds = latencies([file.model for file in files], holdout.frame)
    for file, speed in zip(files, speeds, strict=True):
        limits = EXACT if file is files[0] else QUANTIZED
        found = parity(file.model, rows, native, limits)
        yield Variant(
            name=file.path.stem,
            path=file.path,
            sha256=file.sha256,
            bytes=file.bytes,
            parity=found,
            latency=speed,
            measures=measures(holdout.labels, file.model.predict(holdout.frame)),
            kept=found.holds,
            note="" if found.holds else f"it is not the native model: {found} is not within {limits}",
        )


def _nothing_to_quantize(graph: onnx.ModelProto) -> str:
    if any(node.op_type == "TreeEnsemble" for node in graph.graph.node):
        return "trees stay in float32: the quantizers of onnxruntime leave them as they are"
    return "it has no weight matrix to quantize"


def _feeds(model: Model, frame: pl.DataFrame) -> Iterator[Feed]:
    sample = frame.sample(min(CALIBRATION_ROWS, frame.height), seed=0)
    return (model.feed(part) for part in sample.iter_slices(CALIBRATION_BATCH))


def _origin(columns: Columns) -> dict[str, str]:
    """What made a graph: the hash of its columns, in their order, and the versions of the packages."""
    schema = hashlib.sha256(json.dumps(asdict(columns)).encode()).hexdigest()
    return {"schema": schema, "onnxruntime": ort.__version__} | {name: version(name) for name in PACKAGES}
