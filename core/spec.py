"""The project spec: what `projects/<name>/project.yaml` may say, and nothing else."""

from typing import Annotated

from pydantic import Field

from core.candidates import Candidates
from core.datasets import BatchRules, Dataset, QuarantineRules
from core.declarations import (
    Derived,
    Expression,
    Feature,
    Input,
    LocalTime,
    Lookup,
    Retrieved,
    RowFeature,
)
from core.gating import Gate
from core.learning import METRICS, Constraints, Metric, Objective, Outcome, ProblemKind, Training
from core.past import Lag, Past, TargetRate, Trailing
from core.scalars import NAME, Duration, FeatureKind, Kind, Model, Share, example
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


class Decision(Model):
    """The instant at which a prediction is asked for."""

    model_config = example({"before": "shipped_at", "lead": "2h"})

    before: str
    """The column of the events that it comes before."""
    lead: Duration
    """How long before."""


class Monitoring(Model):
    """When a batch counts as drifted, and what opens a retraining."""

    model_config = example({"drift": 0.25, "persistence": 2})

    drift: float | None = Field(default=0.2, gt=0)
    """The population stability index from which a feature counts as drifted (0.1 is moderate, 0.2 large
    by convention). `null` turns the watch of drift off: realised performance alone decides."""
    prediction_drift: float = Field(default=0.2, gt=0)
    """The population stability index from which the predictions count as drifted."""
    drifted_importance: Share = 0.3
    """The share of the model's importance in drifted features from which they matter."""
    auc_drop: float = Field(default=0.02, gt=0)
    """How far the realised AUC may fall below the reference."""
    loss_rise: float = Field(default=0.02, gt=0)
    """How far the loss may rise above the reference, both as shares of what the best constant loses on
    their own rows (batches with unlike rates are not comparable otherwise)."""
    coverage_gap: Share = 0.05
    """How far the share of labels between the outermost quantiles may be from its nominal one."""
    calibration_error: Share = 0.05
    """The realised error of calibration from which, with drifted predictions, it counts."""
    min_rows: int = Field(default=500, ge=1)
    """Fewer rows, or fewer labelled rows, decide nothing."""
    persistence: int = Field(default=1, ge=1)
    """How many batches in a row must call for a retraining."""
    every: int | None = Field(default=None, ge=1)
    """After so many batches a challenger is tried though nothing calls for one, such as while the rows to
    learn from still grow."""


class Spec(Model):
    """One machine-learning system, wholly described."""

    name: Annotated[str, Field(pattern=NAME)]
    """The name, which is that of the project's folder."""
    title: str
    """What people call it."""
    objective: Objective
    """Why it exists."""
    problem: ProblemKind
    """What kind of answer is learned."""
    constraints: Constraints = Constraints()
    """What a model that serves may take."""
    batches: BatchRules
    """How event time is cut into batches."""
    datasets: dict[str, Dataset]
    """The tables that are delivered, by name."""
    events: str
    """The dataset whose rows are predicted."""
    quarantine: QuarantineRules = QuarantineRules()
    """What becomes of a batch with failing rows."""
    decision: Decision
    """The instant at which a prediction is asked for."""
    outcome: Outcome
    """The label."""
    candidates: Candidates | None = None
    """Of a ranking, what its lists are drawn from."""
    features: dict[str, Feature]
    """What is known of an event at decision time, by name, in the order in which models take it."""
    training: Training = Training()
    """How models are fitted."""
    gate: Gate = Gate()
    """What a challenger must show."""
    monitoring: Monitoring = Monitoring()
    """When a batch counts as drifted, and what opens a retraining."""

    def counted(self, dataset: str) -> str | None:
        """The column of a dataset that is made by counting its rows: its time, where it has none."""
        return self.datasets[dataset].event_time if self.batches.rows and dataset == self.events else None

    @property
    def metric(self) -> Metric:
        """What models are compared by: the objective's metric, or the problem's first."""
        return self.objective.metric or METRICS[self.problem][0]
