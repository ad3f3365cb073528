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
from core.operating import Retention, Route, Schedules
from core.past import Lag, Past, TargetRate, Trailing
from core.releasing import ReleaseRules
from core.replaying import Replay
from core.scalars import NAME, Duration, FeatureKind, Kind, Model, Share, example
from core.serving import Serving
from core.sources.declared import DeltaSource, FilesSource, PackageSource, Source, SqlSource
from core.watching import Monitoring, Retraining

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
    "ReleaseRules",
    "Replay",
    "Retention",
    "Retraining",
    "Retrieved",
    "Route",
    "RowFeature",
    "Schedules",
    "Serving",
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
    release: ReleaseRules = ReleaseRules()
    """How a version takes over the traffic, and what sends it back."""
    monitoring: Monitoring = Monitoring()
    """When a batch counts as drifted, and what opens a retraining."""
    replay: Replay = Replay()
    """What is compared when the history is replayed."""
    schedules: Schedules = Schedules()
    """When the deployments start by themselves."""
    alerts: tuple[Route, ...] = ()
    """Where alerts are sent, beside the record that is kept of each."""
    serving: Serving = Serving()
    """How single requests are answered."""
    retention: Retention = Retention()
    """How long what is made is kept."""

    def counted(self, dataset: str) -> str | None:
        """The column of a dataset that is made by counting its rows: its time, where it has none."""
        return self.datasets[dataset].event_time if self.batches.rows and dataset == self.events else None

    @property
    def metric(self) -> Metric:
        """What models are compared by: the objective's metric, or the problem's first."""
        return self.objective.metric or METRICS[self.problem][0]
