"""What a spec may say of learning: the objective, the outcome, the fits, and what a release must show."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.scalars import Duration, Model, Share, Window

ProblemKind = Literal["binary", "multiclass", "regression", "ranking"]
Metric = Literal["log_loss", "brier", "rmse", "mae", "pinball", "ndcg"]
Costs = dict[str, float | dict[str, float]]
Parameters = dict[str, float | int | str | bool | list[int] | list[str]]

METRICS: dict[ProblemKind, tuple[Metric, ...]] = {
    "binary": ("log_loss", "brier"),
    "multiclass": ("log_loss", "brier"),
    "regression": ("rmse", "mae", "pinball"),
    "ranking": ("ndcg",),
}
"""What a problem's models may be judged by; the first is the default."""


class Objective(Model):
    """Why the system exists, in the business's words and in the learner's.

    `inputs`, `output` and `unit` say what goes in, what a prediction means, and its unit; `online` is
    what a test of the served model on real users (A/B) is to watch. `metric` is what models are
    compared by, of a ranking at the first `cutoff` places. A regression that is compared by `pinball`
    answers the `quantiles`, rising shares of the labels that lie below. `costs` are those of each kind
    of error: of a binary problem `missed` and `false_alarm`; of a regression `under` and `over`, for
    each unit of error; of a multiclass problem, by actual class, those of each class that may be said
    instead. `recall` is the share of the positives of a binary problem that has to be found: how
    precise the answers then are is measured.
    """

    business: str
    learning: str
    inputs: str = ""
    output: str = ""
    unit: str = ""
    online: str = ""
    metric: Metric | None = None
    quantiles: tuple[float, ...] = ()
    cutoff: int = Field(default=10, ge=1)
    costs: Costs = Field(default_factory=dict)
    recall: Annotated[float, Field(gt=0, le=1)] | None = None


class Constraints(Model):
    """What a model that serves may take: milliseconds for one row in 99 of 100 cases, and megabytes.

    `loss_per_ms` weighs accuracy against latency: of two models the slower one must be better by so
    much loss for each millisecond that it takes more.
    """

    max_latency_ms: float = Field(default=5, gt=0)
    max_size_mb: float = Field(default=50, gt=0)
    loss_per_ms: float = Field(default=0.0, ge=0)


class Outcome(Model):
    """The label: a column of the events, null while it has none.

    Boolean for a binary problem, one of `classes` for a multiclass one, a number for a regression,
    the grade of relevance (0 and up) for a ranking, whose lists are the events with one `group`.
    `known_at` is when it could first be known; a batch's metrics are final `maturity` after its end.
    """

    label: str
    known_at: str
    maturity: Duration
    classes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()


class Range(Model):
    """Where a parameter is looked for: from `low` to `high`, on a `log` scale, or among `choices`.

    Both ends belong to it.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[float | int | str | bool, ...] = ()

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.choices and (self.low, self.high, self.log) != (None, None, False):
            raise ValueError("has choices: leave out low, high and log")
        if self.choices:
            return self
        if self.low is None or self.high is None:
            raise ValueError("should have low and high, or choices")
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} should be below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g} should be above 0 on a log scale")
        return self


class Tuning(Model):
    """The search for parameters: for these `families`, until `trials` or `seconds` are used up.

    The first trial is of the parameters that the project has without it. Each is judged over `folds`
    stretches of time, each after all that it was fitted on. The `space` of a family adds to the one
    it brings, and replaces what it names. What has begun when the `seconds` are over is ended.
    """

    families: tuple[str, ...] = ("lightgbm",)
    trials: int = Field(default=20, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    folds: int = Field(default=3, ge=2)
    space: dict[str, dict[str, Range]] = Field(default_factory=dict)


class Stateful(Model):
    """Fits that go on from the champion instead of from nothing.

    Every `full_every`-th is from nothing all the same. A network sees, beside the rows that are new
    since the champion, a `replay` share of as many older ones, against forgetting.
    """

    full_every: int = Field(default=4, ge=2)
    replay: Annotated[float, Field(ge=0, le=10)] = 1.0


class Training(Model):
    """How models are fitted.

    The rows known at `as_of` are cut in order of time: the newest `holdout` share is seen by no
    fit, the `validation` share before it stops and calibrates, the rest trains. `window` limits
    how far back the rows reach; without it every batch counts (expanding). A row `half_life` older
    than the newest weighs half. `imbalance` says what is done about rare classes; what `weights`
    and `sampling` do to the probabilities is undone. `monotone` are the features whose rise may
    only raise (`increasing`) or only lower (`decreasing`) the prediction. `stateful` fits go on
    from the champion.
    """

    families: tuple[str, ...] = ("linear", "lightgbm", "torch")
    first_batches: int = Field(default=3, ge=1)
    window: Window | None = None
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    holdout: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    seed: int = 20130101
    half_life: Window | None = None
    imbalance: Literal["none", "weights", "focal", "sampling"] = "none"
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(default_factory=dict)
    parameters: dict[str, Parameters] = Field(default_factory=dict)
    tuning: Tuning | None = None
    stateful: Stateful | None = None


class Fairness(Model):
    """How far groups may differ, by these sensitive `attributes` (features or keys of the events).

    Each limit is the largest difference between two groups' rates, as a share, that is tolerated
    when it is more than chance; None does not limit. Groups of fewer than `min_rows` rows are shown
    and not judged.
    """

    attributes: tuple[str, ...] = ()
    min_rows: int = Field(default=200, ge=1)
    max_selection_gap: Share | None = None
    max_true_positive_gap: Share | None = None
    max_false_positive_gap: Share | None = None
    max_calibration_gap: Share | None = None


class Gate(Model):
    """What a challenger must show against the champion on the same rows.

    `margin` and `slice_margin` are in the loss that models are compared by: nats, a share of what
    a constant would lose (regression), or points of nDCG. `gain` is the gain that is worth a
    release, which the gate should see in at least 8 of 10 cases (`make gate-power`).
    """

    margin: float = Field(default=0.001, ge=0)
    gain: float = Field(default=0.01, gt=0)
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    draws: int = Field(default=1000, ge=100)
    block: Window = timedelta(days=1)
    slices: tuple[str, ...] = ()
    slice_margin: float = Field(default=0.02, ge=0)
    max_calibration_error: Share = 0.05
    fairness: Fairness = Fairness()
