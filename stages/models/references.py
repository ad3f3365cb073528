"""References: what the batches of a version are compared with, as files of its bundle."""

from pathlib import Path

import polars as pl

from core.errors import IntegrityError
from models.answers import to_column
from models.card.usual import REFERENCE
from models.fit import Fit
from models.onnx.export import Variant
from models.problem import problem_of
from models.registry.versions import Version
from models.runtime.model import Model
from models.split import Split
from monitoring.drift.drift import answers
from monitoring.drift.reference import Reference, blocks_of, from_file, reference_of, to_file
from stages.workspace import Workspace

REFERENCE_ROWS = 20_000
# So many of the newest holdout rows tell how answers are spread, and how far days differ.
ANSWERS = 200_000
PROFILES = {"inputs": "inputs.profile.parquet", "answers": "answers.profile.parquet"}


def write_references(workspace: Workspace, fitted: Fit, parts: Split, serves: Variant, folder: Path) -> None:
    """Write what later batches are compared with.

    Profiles of all the fitted rows, and of the answers of the served file to the newest holdout rows,
    which no fit saw, each with its rows by day. And for the eye a sample of the fitted rows, without a
    `prediction`, and the newest of the unseen ones, with it.
    """
    names, spec = fitted.columns.names, workspace.spec
    seen = pl.concat([each.frame.select("event_time", *names) for each in (parts.train, parts.validation)])
    unseen = parts.holdout.frame.select("event_time", *names).tail(ANSWERS)
    said = Model.open(serves.path, serves.sha256).predict(unseen)
    frame, told = answers(said, values=problem_of(spec).link == "sorted")
    inputs = reference_of(seen, fitted.columns, blocks(workspace, seen))
    to_file(inputs).write_parquet(folder / PROFILES["inputs"])
    to_file(reference_of(frame, told, blocks(workspace, unseen))).write_parquet(folder / PROFILES["answers"])
    if seen.height > REFERENCE_ROWS:
        seen = seen.sample(REFERENCE_ROWS, seed=0)
    column = to_column(said)
    sample = seen.with_columns(prediction=pl.lit(None, column.dtype))
    newest = unseen.with_columns(column).tail(REFERENCE_ROWS)
    pl.concat([sample, newest]).write_parquet(folder / REFERENCE)


def references(workspace: Workspace, version: Version) -> tuple[Reference, Reference]:
    """What a version's batches are compared with: inputs that it was fitted on, answers to unseen ones.

    Raises IntegrityError when the version has no such files, or one is damaged.
    """
    inputs, said = (_read(workspace, version, part) for part in PROFILES)
    return inputs, said


def sample(workspace: Workspace, version: Version) -> pl.DataFrame:
    """A sample of the rows that a version was fitted on, with their `event_time`."""
    rows = pl.read_parquet(workspace.registry.file(version, REFERENCE))
    return rows.filter(pl.col("prediction").is_null())


def block_count(workspace: Workspace, rows: pl.LazyFrame) -> int:
    """Of how many days, or hours, the rows of a table are."""
    return blocks(workspace, rows.select("event_time").unique().collect()).n_unique()


def blocks(workspace: Workspace, rows: pl.DataFrame) -> pl.Series:
    """The day, or the hour where batches are hours, of each row of a table."""
    rules = workspace.spec.batches
    return blocks_of(rows["event_time"], rules.every, rules.timezone)


def _read(workspace: Workspace, version: Version, part: str) -> Reference:
    name = PROFILES[part]
    if name not in version.files:
        raise IntegrityError(
            f"version {version.id} has no {name}: it is of an earlier revision, so clear the home "
            "(make clean-state) and train anew"
        )
    return from_file(pl.read_parquet(workspace.registry.file(version, name)), f"version {version.id}, {name}")
