"""Bundle: all files of a version written into a folder, and what the registry keeps beside them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from core.plain import plain
from models.card.describe import describe
from models.gate.judge import Served
from models.onnx.export import Variant, best, export
from models.registry.versions import Lineage
from models.split import Split
from stages.models.fitted import NATIVE
from stages.models.index import index
from stages.models.learn import Learnt
from stages.models.lineage import learnt_by
from stages.models.references import write_references
from stages.workspace import Workspace

SPEC, FITTED, CALIBRATION = "spec.json", "fitted.parquet", "calibration.json"


def bundle(workspace: Workspace, learnt: Learnt, made_from: str, folder: Path) -> dict[str, Any]:
    """Write all files of a version into an existing folder; the metrics that the registry is to keep.

    The graphs carry `made_from` as their version: its number is not known before they are registered,
    and the registry finds it by that.

    Raises PerennialError when no graph of the fit may serve.
    """
    fitted, parts = learnt.fit, learnt.parts
    properties, timed = _properties(workspace, learnt.lineage, made_from), workspace.shared is None
    variants = export(fitted, parts, workspace.spec, folder, properties, timed=timed)
    metrics = _metrics(workspace, learnt, variants) | {"made_from": made_from}
    made, rules = learnt.lineage, workspace.spec.candidates
    if rules:
        metrics["retrieval"] = index(workspace, rules, made.as_of, made.trained_until, folder)
    (folder / NATIVE).mkdir()
    fitted.model.save(folder / NATIVE)
    (folder / CALIBRATION).write_text(json.dumps(plain(fitted.calibration)))
    spec = learnt_by(workspace.spec, made.as_of, stateful=bool(made.starts))
    (folder / SPEC).write_text(spec.model_dump_json(by_alias=True))
    _keys(workspace, parts).write_parquet(folder / FITTED)
    serves = best(variants, workspace.spec.constraints)
    write_references(workspace, fitted, parts, serves, folder)
    for variant in variants:
        if not variant.kept:
            variant.path.unlink()
    return metrics


def _metrics(workspace: Workspace, learnt: Learnt, variants: Sequence[Variant]) -> dict[str, Any]:
    """What the registry keeps beside the files: measures, the file that serves, importance, cost."""
    fitted, parts = learnt.fit, learnt.parts
    serves = best(variants, workspace.spec.constraints)
    return {
        **fitted.measures,
        "described": describe(fitted, parts, workspace.spec),
        "base": fitted.problem.constant(parts.train),
        "columns": list(workspace.spec.features),
        "rows": {
            "train": len(parts.train),
            "validation": len(parts.validation),
            "holdout": len(parts.holdout),
        },
        "importance": fitted.model.importance(),
        "seconds": fitted.seconds,
        "serves": serves.name,
        "served": [_served(serves)],
        "variants": [_variant(variant) for variant in variants],
    }


def _keys(workspace: Workspace, parts: Split) -> pl.DataFrame:
    """The keys of the rows that a fit has seen: to learn from, or to stop and to calibrate by."""
    key = list(workspace.spec.datasets[workspace.spec.events].key)
    return pl.concat([parts.train.frame.select(key), parts.validation.frame.select(key)])


def _served(variant: Variant) -> Served:
    return Served(
        name=variant.name,
        parity=variant.parity.holds,
        difference=variant.parity.max_difference,
        p99_us=variant.latency.p99_us,
        bytes=variant.bytes,
    )


def _variant(variant: Variant) -> dict[str, Any]:
    """A variant without the place where it was written."""
    facts: dict[str, Any] = plain(variant)
    return {name: value for name, value in facts.items() if name != "path"}


def _properties(workspace: Workspace, made: Lineage, made_from: str) -> dict[str, str]:
    return {
        "project": workspace.spec.name,
        "version": made_from,
        "as_of": made.as_of.isoformat(),
        "trained_until": made.trained_until.isoformat(),
        "code": made.code,
        "settings": made.settings,
        "seed": str(made.seed),
        "tables": json.dumps(dict(made.tables)),
    }
