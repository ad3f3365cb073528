"""Recalibrate: the champion's fit as it is, with its calibration fitted anew on the newest labelled rows."""

import json
from datetime import datetime

import numpy as np
import polars as pl

from core.errors import UnfitError
from core.ledger import fingerprint
from core.spec import Spec
from models.calibration.form import Calibration
from models.fit import Kept, calibrates, recalibrated
from models.measures.intervals import blocks_of
from models.problem import problem_of
from models.registry.versions import Lineage, Version
from models.rows import Rows
from models.split import Split, cut, learnable
from stages.features.featurise import labelled
from stages.models.bundle import CALIBRATION, FITTED
from stages.models.fits import LEARNT_FROM, Candidate, contents, fit_once
from stages.models.fitted import load
from stages.models.learn import Basis, Learnt
from stages.models.lineage import learnt_by, lineage, tables
from stages.workspace import Workspace

# Blocks of the gate (days, mostly): half calibrate, and half are the gate's, which asks for 7 at the least.
# Older rows would tell of the world as it was before it moved.
RECENT = 28


def recalibrate(workspace: Workspace, as_of: datetime) -> Candidate:
    """The champion of `as_of`, calibrated anew on what is known by then; the same is not made twice.

    Raises UnfitError where its calibration cannot be fitted anew (see `obstacle`), or too few rows are
    newer than those that it learnt from.
    """
    champion = workspace.champion(as_of)
    why = obstacle(workspace, champion) if champion else "there is no champion"
    if champion is None or why:
        raise UnfitError(f"{workspace.project.name}: no calibration can be fitted anew: {why}")
    root = fit_of(workspace, champion)
    spec, made_then = workspace.spec, root.lineage
    basis = Basis(as_of, tables(workspace), made_then.parameters, starts=made_then.starts, keeps=root)
    made_from = fingerprint(
        "recalibrate",
        root.files,
        as_of,
        learnt_by(spec, as_of, stateful=bool(made_then.starts)).model_dump(mode="json", include=LEARNT_FROM),
        contents(workspace, as_of),
    )
    return fit_once(
        workspace, root.family, basis, made_from, lambda report: calibrated_anew(workspace, root, basis)
    )


def obstacle(workspace: Workspace, version: Version) -> str | None:
    """Why the calibration of a version cannot be fitted anew; None where it can."""
    problem = problem_of(workspace.spec)
    if not calibrates(problem):
        return f"a model by {problem.metric} has no calibration"
    if version.metrics["columns"] != list(workspace.spec.features):
        return f"the features are no longer those of {version}"
    return None


def fit_of(workspace: Workspace, version: Version) -> Version:
    """The version whose fit this one has: mostly itself."""
    return workspace.registry.version(version.lineage.keeps) if version.lineage.keeps else version


def calibrated_anew(workspace: Workspace, root: Version, basis: Basis) -> Learnt:
    """The fit of `root`, its files verified, with a calibration of rows that it did not learn from.

    They are the older half of the newest 28 blocks; the younger half is the holdout. Made again from the
    same it is the same. UnfitError when either has too few rows, or labels that tell nothing.
    """
    spec, made_then = workspace.spec, root.lineage
    recent = _newest(_unlearnt(workspace, made_then, basis), spec)
    what = f"labelled rows that {root} did not learn from, and that are known at {basis.as_of:%Y-%m-%d %H:%M}"
    older, younger = cut(recent, spec, 0.5)
    parts = Split(
        _learnt_from(workspace, root),
        learnable(f"the older half of the newest {what},", older, spec),
        learnable(f"the younger half of the newest {what},", younger, spec),
    )
    model = load(workspace, root.family, root.files)
    written = workspace.registry.file(root, CALIBRATION).read_text()
    offset = Calibration.read(json.loads(written)).offset
    kept = Kept(root.family, model, made_then.parameters.get(root.family, {}), offset)
    said = lineage(
        workspace,
        basis.as_of,
        basis.tables,
        trained_until=parts.holdout.times[0],
        learnt_until=_until(made_then),
        parameters=made_then.parameters,
        starts=made_then.starts,
        keeps=root.id,
        calibrated_since=parts.validation.times[0],
    )
    return Learnt(recalibrated(kept, parts, spec), parts, said)


def _until(made_then: Lineage) -> datetime:
    """The last instant that a fit may have learnt from."""
    return made_then.learnt_until or made_then.trained_until


def _unlearnt(workspace: Workspace, made_then: Lineage, basis: Basis) -> pl.DataFrame:
    """The labelled rows that are newer than what a fit learnt from."""
    until = _until(made_then)
    rows = labelled(workspace, basis.as_of, until, basis.tables)
    return rows.filter(pl.col("event_time") > until)


def _newest(rows: pl.DataFrame, spec: Spec) -> pl.DataFrame:
    """The rows of the newest blocks that have any."""
    blocks = blocks_of(rows["event_time"], spec)
    wanted = np.unique(blocks)[-RECENT:]
    return rows.filter(pl.Series(np.isin(blocks, wanted)))


def _learnt_from(workspace: Workspace, root: Version) -> Rows:
    """The rows that a version learnt from, as they were: what its reference and its probes are drawn from."""
    then, keys = root.lineage, pl.read_parquet(workspace.registry.file(root, FITTED))
    rows = labelled(workspace, then.as_of, tables=then.tables).filter(pl.col("event_time") <= _until(then))
    learnt = rows.join(keys, on=keys.columns, how="semi", nulls_equal=True, maintain_order="left")
    if learnt.is_empty():
        raise UnfitError(f"none of the rows that {root} learnt from are there any more")
    return Rows.of(learnt, workspace.spec.outcome)
