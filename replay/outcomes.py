"""Outcomes: what a version's answers to a batch lost, day by day, once all its labels are known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from core.batches import Batch
from core.ledger import fingerprint
from models.measures.intervals import local
from models.problem import problem_of
from models.registry.versions import Version
from models.rows import Rows
from monitoring.performance.blocks import DAY
from stages.featurise import labelled
from stages.score import served
from stages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was lost on the labelled rows of a batch: sums by local day.

    `days` are numbers of days since 1970, `units` how many rows (or lists) a day has, `loss` the sum of what
    models are compared by, and `cost` that in the spec's costs; None where it has none.
    """

    days: tuple[int, ...]
    units: tuple[int, ...]
    loss: tuple[float, ...]
    cost: tuple[float, ...] | None

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Outcome":
        """What `asdict` made of it."""
        days, units, loss = (tuple(kept[name]) for name in ("days", "units", "loss"))
        return cls(days, units, loss, None if kept["cost"] is None else tuple(kept["cost"]))


def outcome_of(workspace: Workspace, batch: Batch, version: Version, as_of: datetime) -> Outcome:
    """What a version loses on a batch by the labels known at `as_of`; measured once for all histories.

    It has answered the batch, or might have.
    """
    built = workspace.ledger.result("features", batch.id) or {}
    made_from = fingerprint(dict(version.files), batch.id, built.get("content"), as_of)

    def measured() -> dict[str, Any]:
        return asdict(_measured(workspace, batch, version, as_of))

    assert workspace.shared is not None
    return Outcome.read(workspace.shared.once("outcomes", made_from, measured))


def _measured(workspace: Workspace, batch: Batch, version: Version, as_of: datetime) -> Outcome:
    spec, problem = workspace.spec, problem_of(workspace.spec)
    features = workspace.lake.scan("features", [batch.id]).collect()
    answers = served(workspace, version).predict(features)
    place = features.select(list(spec.datasets[spec.events].key)).with_row_index(":place")
    known = labelled(workspace, as_of, batch.start).filter(pl.col("event_time") < batch.end)
    known = known.join(place, on=place.columns[1:], how="inner", nulls_equal=True, maintain_order="left")
    if known.is_empty():
        return Outcome((), (), (), () if spec.objective.costs else None)
    rows, said = Rows.of(known, spec.outcome), answers[known[":place"].to_numpy()]
    units = problem.units(rows)
    names, day = np.unique((local(rows.times, spec.batches.timezone) // DAY)[units], return_inverse=True)
    parts, count = problem.parts(rows, said), len(names)
    costs = parts.get("cost")
    return Outcome(
        days=tuple(names.tolist()),
        units=tuple(np.bincount(day, minlength=count).tolist()),
        loss=tuple(np.bincount(day, problem.losses(rows, said), count).tolist()),
        cost=None if costs is None else tuple(np.bincount(day, costs, count).tolist()),
    )
