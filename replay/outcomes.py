"""Outcomes: what a version's answers to a batch lost, day by day, once all its labels are known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
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
from stages.features.featurise import labelled
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


@dataclass(frozen=True)
class Known:
    """The rows of a batch, and what of them is labelled by `as_of`: read once, and only if asked for."""

    workspace: Workspace
    batch: Batch
    as_of: datetime

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The feature rows, as they lie in the lake."""
        return self.workspace.lake.scan("features", [self.batch.id]).collect()

    @cached_property
    def labelled(self) -> pl.DataFrame:
        """The labelled rows by event time, with the place of each in `rows` as `:place`."""
        spec, batch = self.workspace.spec, self.batch
        place = self.rows.select(list(spec.datasets[spec.events].key)).with_row_index(":place")
        known = labelled(self.workspace, self.as_of, batch.start).filter(pl.col("event_time") < batch.end)
        return known.join(place, on=place.columns[1:], how="inner", nulls_equal=True, maintain_order="left")


def outcome_of(
    workspace: Workspace, batch: Batch, version: Version, as_of: datetime, known: Known | None = None
) -> Outcome:
    """What a version loses on a batch by the labels known at `as_of`; measured once for all histories.

    It has answered the batch, or might have. Who measures many versions on a batch hands over its rows.
    """
    built = workspace.ledger.result("features", batch.id) or {}
    made_from = fingerprint(dict(version.files), batch.id, built.get("content"), as_of)

    def measured() -> dict[str, Any]:
        return asdict(_measured(workspace, version, known or Known(workspace, batch, as_of)))

    assert workspace.shared is not None
    return Outcome.read(workspace.shared.once("outcomes", made_from, measured))


def _measured(workspace: Workspace, version: Version, known: Known) -> Outcome:
    spec, problem = workspace.spec, problem_of(workspace.spec)
    if known.labelled.is_empty():
        return Outcome((), (), (), () if spec.objective.costs else None)
    answers = served(workspace, version).predict(known.rows)
    rows, said = Rows.of(known.labelled, spec.outcome), answers[known.labelled[":place"].to_numpy()]
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
