"""The project spec: what `projects/<name>/project.yaml` may say, and nothing else."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from core.batches import Calendar, Every
from core.candidates import Candidates
from core.declarations import (
    Derived,
    Expression,
    Feature,
    Input,
    Lag,
    LocalTime,
    Lookup,
    Past,
    Retrieved,
    RowFeature,
    TargetRate,
    Trailing,
)
from core.learning import (
    METRICS,
    Constraints,
    Gate,
    Metric,
    Objective,
    Outcome,
    ProblemKind,
    Training,
)
from core.scalars import NAME, Duration, FeatureKind, Kind, Model, Share, Zone
from core.sources.declared import DeltaSource, FilesSource, PackageSource, Source, SqlSource

__all__ = [
    "BatchRules",
    "Candidates",
    "Dataset",
    "Decision",
    "DeltaSource",
    "Derived",
    "Expression",
    "Feature",
    "FeatureKind",
    "FilesSource",
    "Gate",
    "Input",
    "Kind",
    "Lag",
    "LocalTime",
    "Lookup",
    "Model",
    "Monitoring",
    "Objective",
    "Outcome",
    "PackageSource",
    "Past",
    "QuarantineRules",
    "Retrieved",
    "RowFeature",
    "Share",
    "Source",
    "Spec",
    "SqlSource",
    "TargetRate",
    "Trailing",
    "Training",
]


class BatchRules(Model):
    """How event time is cut into batches: `start` to `end`, each `every` long, in `timezone`.

    With `rows`, the events have no time of their own: each so many of them, in the order of their
    delivery, count as one `every` from `start` on, and the column that is their `event_time` is made
    (`core.sources.counted`), not delivered.
    """

    every: Every
    timezone: Zone = "UTC"
    start: date
    end: date
    rows: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end {self.end} must be after start {self.start}")
        if self.rows is not None and (self.every not in ("1h", "1d", "1w") or self.timezone != "UTC"):
            raise ValueError(
                "`rows` are counted by `every: 1h`, `1d` or `1w` in UTC, which are of one length"
            )
        return self

    def calendar(self) -> Calendar:
        """The batches that these rules cut."""
        return Calendar(self.every, self.timezone, self.start, self.end)


class Dataset(Model):
    """A table as it is delivered: where from, its columns, and what its rows are known by.

    `prepare` names a function of the project's `functions.py` that adds columns to the delivered
    ones. `event_time` and `known_at` are UTC columns, delivered or prepared; a dataset with an
    event time is cut into batches by it, one without is ingested whole. Other batches are compared
    with the batch of the id `reference`, by default the first.
    """

    source: Source
    columns: dict[str, Kind]
    key: tuple[str, ...] = Field(min_length=1)
    prepare: str | None = None
    event_time: str | None = None
    known_at: str | None = None
    reference: str | None = None


class QuarantineRules(Model):
    """Above this share of failing rows the whole batch stops."""

    max_share: Share = 0.1


class Decision(Model):
    """The instant at which a prediction is asked for: `lead` before the column `before`."""

    before: str
    lead: Duration


class Monitoring(Model):
    """When a batch counts as drifted, and what opens a retraining.

    `drift`, `prediction_drift`: population stability index from which a feature, or the predicted
    probabilities, count as drifted (0.1 is moderate, 0.2 large by convention). `drift: null` turns
    the watch of both off: realised performance alone decides.
    `drifted_importance`: share of the model's importance in drifted features from which they matter.
    `auc_drop`: how far the realised AUC may fall below the reference.
    `loss_rise`: how far the loss may rise above the reference, both as shares of what the best
    constant loses on their own rows (batches with unlike rates are not comparable otherwise).
    `coverage_gap`: how far the share of labels between the outermost quantiles may be from its nominal one.
    `calibration_error`: realised error from which, with drifted predictions, it counts.
    `min_rows`: fewer rows, or fewer labelled rows, decide nothing.
    `persistence`: how many batches in a row must call for a retraining.
    `every`: after so many batches a challenger is tried though nothing calls for one, such as while the
    rows to learn from still grow.
    """

    drift: float | None = Field(default=0.2, gt=0)
    prediction_drift: float = Field(default=0.2, gt=0)
    drifted_importance: Share = 0.3
    auc_drop: float = Field(default=0.02, gt=0)
    loss_rise: float = Field(default=0.02, gt=0)
    coverage_gap: Share = 0.05
    calibration_error: Share = 0.05
    min_rows: int = Field(default=500, ge=1)
    persistence: int = Field(default=1, ge=1)
    every: int | None = Field(default=None, ge=1)


class Spec(Model):
    """One machine-learning system, wholly described."""

    name: Annotated[str, Field(pattern=NAME)]
    title: str
    objective: Objective
    problem: ProblemKind
    constraints: Constraints = Constraints()
    batches: BatchRules
    datasets: dict[str, Dataset]
    events: str
    quarantine: QuarantineRules = QuarantineRules()
    decision: Decision
    outcome: Outcome
    candidates: Candidates | None = None
    features: dict[str, Feature]
    training: Training = Training()
    gate: Gate = Gate()
    monitoring: Monitoring = Monitoring()

    def counted(self, dataset: str) -> str | None:
        """The column of a dataset that is made by counting its rows: its time, where it has none."""
        return self.datasets[dataset].event_time if self.batches.rows and dataset == self.events else None

    @property
    def metric(self) -> Metric:
        """What models are compared by: the objective's metric, or the problem's first."""
        return self.objective.metric or METRICS[self.problem][0]
