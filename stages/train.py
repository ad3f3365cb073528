"""Train: one family fitted, tracked, exported and measured; then registered as a challenger."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from core.ledger import fingerprint
from core.plain import plain
from models.answers import to_column
from models.describe import describe
from models.fit import Fit
from models.gate import Served
from models.onnx.export import Variant, best, export
from models.runtime import Model
from models.split import Split
from models.tracking import Run, track
from models.versions import Lineage, Version
from stages.cards import write_card
from stages.fitted import load, start_of
from stages.learn import Basis, Learnt, Parameters, learn
from stages.lineage import tables
from stages.workspace import Workspace

REFERENCE_ROWS = 20_000
SPEC, FITTED = "spec.json", "fitted.parquet"
# The parts of a spec that a fit, its files and its figures hang on.
LEARNT_FROM = {"problem", "objective", "constraints", "batches", "outcome", "training", "gate"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fit whose files are in the store (SHA-256 by name), not a version yet."""

    family: str
    files: Mapping[str, str]
    metrics: Mapping[str, Any]
    lineage: Lineage


def train(
    workspace: Workspace,
    family: str,
    as_of: datetime,
    members: Sequence[Candidate] = (),
    tuned: Parameters = MappingProxyType({}),
) -> Candidate:
    """Fit one family on what is known at `as_of`; what was registered from the same is not fitted again.

    `members` are the fits that it is made of, `tuned` the parameters by family that were found to be
    better than the spec's. Raises PerennialError when there are too few labelled rows, or no graph of
    the fit may serve.
    """
    spec = workspace.spec
    start = start_of(workspace, family, workspace.champion(as_of))
    made_from = _made_from(workspace, family, as_of, start, members, tuned)
    for version in workspace.registry.versions(workspace.project.name):
        if version.metrics["made_from"] == made_from:
            return Candidate(version.family, version.files, version.metrics, version.lineage)
    fits = {each.family: load(workspace, each.family, each.files) for each in members}
    parameters = {family: (spec.training.parameters | dict(tuned)).get(family, {})}
    starts: dict[str, str] = {}
    for each in members:
        parameters |= each.lineage.parameters
        starts |= each.lineage.starts
    basis = Basis(as_of, tables(workspace), parameters, start, fits, starts)
    name, group = f"{family} {as_of:%Y-%m-%d}", f"{as_of:%Y-%m-%d}"
    config = {"family": family, "parameters": parameters, "spec": spec.model_dump(mode="json")}
    with track(spec.name, name, group, config, [family], workspace.settings.home) as run:
        learnt = learn(workspace, family, basis, run.curve)
        with tempfile.TemporaryDirectory(dir=workspace.settings.home, prefix="fit-") as folder:
            return _kept(workspace, learnt, made_from, Path(folder), run)


def register(workspace: Workspace, candidates: Sequence[Candidate]) -> list[Version]:
    """Enter fits that were made side by side, in their order: which was done first must not number them."""
    found = []
    for each in candidates:
        name = workspace.project.name
        version = workspace.registry.enter(name, each.family, each.files, each.metrics, each.lineage)
        write_card(workspace, version)
        found.append(version)
    return found


def _kept(workspace: Workspace, learnt: Learnt, made_from: str, folder: Path, run: Run) -> Candidate:
    """Write all files of a version into the folder, measure them, and copy them into the store."""
    fitted, parts, made = learnt.fit, learnt.parts, learnt.lineage
    variants = export(fitted, parts, workspace.spec, folder, _properties(made))
    metrics = _metrics(workspace, learnt, variants) | {"made_from": made_from}
    (folder / "native").mkdir()
    fitted.model.save(folder / "native")
    (folder / "calibration.json").write_text(json.dumps(plain(fitted.calibration)))
    (folder / SPEC).write_text(workspace.spec.model_dump_json(by_alias=True))
    _keys(workspace, parts).write_parquet(folder / FITTED)
    serves = best(variants, workspace.spec.constraints)
    _reference(fitted, parts, serves).write_parquet(folder / "reference.parquet")
    for variant in variants:
        if not variant.kept:
            variant.path.unlink()
    files = workspace.registry.keep(folder)
    run.summary({name: metrics[name] for name in ("validation", "holdout", "importance", "seconds")})
    name = f"{workspace.project.name}-{fitted.family}"
    run.artifact(name, "model", {each: folder / each for each in files}, {"lineage": made, "files": files})
    return Candidate(fitted.family, files, plain(metrics), made)


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


def _reference(fitted: Fit, parts: Split, serves: Variant) -> pl.DataFrame:
    """What later batches are compared with: a sample of the fitted rows for the inputs, without a
    `prediction`, and the newest holdout rows, which no fit saw, with the answers of the served file.
    """
    names = fitted.columns.names
    seen = pl.concat([parts.train.frame.select(names), parts.validation.frame.select(names)])
    if seen.height > REFERENCE_ROWS:
        seen = seen.sample(REFERENCE_ROWS, seed=0)
    unseen = parts.holdout.frame.select(names).tail(REFERENCE_ROWS)
    answers = to_column(Model.open(serves.path, serves.sha256).predict(unseen))
    inputs = seen.with_columns(prediction=pl.lit(None, answers.dtype))
    return pl.concat([inputs, unseen.with_columns(answers)])


def _properties(made: Lineage) -> dict[str, str]:
    return {
        "as_of": made.as_of.isoformat(),
        "trained_until": made.trained_until.isoformat(),
        "code": made.code,
        "settings": made.settings,
        "seed": str(made.seed),
        "tables": json.dumps(dict(made.tables)),
    }


def _made_from(
    workspace: Workspace,
    family: str,
    as_of: datetime,
    start: Version | None,
    members: Sequence[Candidate],
    tuned: Parameters,
) -> str:
    spec, built = workspace.spec, workspace.ledger.results("features")
    return fingerprint(
        family,
        as_of,
        spec.model_dump(mode="json", include=LEARNT_FROM),
        list(spec.features),
        [built[batch.id]["content"] for batch in workspace.batches(as_of) if batch.id in built],
        start.id if start else None,
        [each.files for each in members],
        tuned,
    )
