"""What a spec may say of learning: the objective, the outcome, and the fits."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.scalars import Duration, Model, Window, example

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
    """Why the system exists, in the business's words and in the learner's."""

    model_config = example(
        {
            "business": "Call whoever is likely to return an order, before it is sent.",
            "learning": "The probability that an order comes back, from what is known when it is placed.",
            "output": "the probability of coming back",
            "metric": "log_loss",
            "costs": {"missed": 5, "false_alarm": 1},
        }
    )

    business: str
    """What is decided by the answer, for whom, and why, in words."""
    learning: str
    """What is predicted, of what, from what is known when, in words."""
    inputs: str = ""
    """What goes in, in words."""
    output: str = ""
    """What a prediction means, in words."""
    unit: str = ""
    """The unit of a prediction."""
    online: str = ""
    """What a test of the served model on real users (A/B) is to watch, in words."""
    metric: Metric | None = None
    """What models are compared by; by default the first of the problem's."""
    quantiles: tuple[float, ...] = ()
    """The rising shares of the labels that lie below each answer, of a regression that is compared by
    `pinball`."""
    cutoff: int = Field(default=10, ge=1)
    """The first places of a ranking that count."""
    costs: Costs = Field(default_factory=dict)
    """What each kind of error costs. Of a binary problem, `missed` and `false_alarm`; of a regression,
    `under` and `over`, for each unit of error; of a multiclass problem, by actual class, what each class
    costs that may be said instead."""
    recall: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the positives of a binary problem that has to be found: how precise the answers then
    are is measured."""


class Constraints(Model):
    """What a model that serves may take."""

    model_config = example({"max_latency_ms": 5, "max_size_mb": 10})

    max_latency_ms: float = Field(default=5, gt=0)
    """Milliseconds for one row, in 99 of 100 cases."""
    max_size_mb: float = Field(default=50, gt=0)
    """Megabytes of its file."""
    loss_per_ms: float = Field(default=0.0, ge=0)
    """Accuracy against latency: of two models the slower one must be better by so much loss for each
    millisecond that it takes more."""


class Outcome(Model):
    """The label: a column of the events, null while it has none."""

    model_config = example({"label": "returned", "known_at": "closed_at", "maturity": "2d"})

    label: str
    """The column: a boolean of a binary problem, one of `classes` of a multiclass one, a number of a
    regression, the grade of relevance (0 and up) of a ranking."""
    known_at: str
    """The column that says when the label could first be known."""
    maturity: Duration
    """How long after its end a batch's metrics are final."""
    classes: tuple[str, ...] = ()
    """The values of a multiclass label."""
    group: tuple[str, ...] = ()
    """The columns that the events of one list of a ranking have in common."""


class Range(Model):
    """Where a parameter is looked for: between two ends, which belong to it, or among choices."""

    model_config = example({"low": 0.001, "high": 10, "log": True})

    low: float | int | None = None
    """The least value."""
    high: float | int | None = None
    """The greatest value."""
    log: bool = False
    """Whether values are drawn on a logarithmic scale."""
    choices: tuple[float | int | str | bool, ...] = ()
    """The values themselves, in place of two ends."""

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
    """The search for parameters. Its first trial is of those that the project has without it."""

    model_config = example(
        {
            "families": ["lightgbm"],
            "trials": 30,
            "space": {"lightgbm": {"num_leaves": {"low": 8, "high": 128, "log": True}}},
        }
    )

    families: tuple[str, ...] = ("lightgbm",)
    """The families whose parameters are looked for."""
    trials: int = Field(default=20, ge=1)
    """How many trials there are at most."""
    seconds: float | None = Field(default=None, gt=0)
    """How long it may take; what has begun by then is ended."""
    folds: int = Field(default=3, ge=2)
    """The stretches of time that each trial is judged over, each after all that it was fitted on."""
    space: dict[str, dict[str, Range]] = Field(default_factory=dict)
    """By family and parameter, the ranges that add to those which the family brings, or replace them."""


class Stateful(Model):
    """Fits that go on from the champion instead of from nothing."""

    model_config = example({"full_every": 4, "replay": 0.5})

    full_every: int = Field(default=4, ge=2)
    """Every so-manieth fit is from nothing all the same."""
    replay: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How many older rows a network sees against forgetting, as a share of those that are new since the
    champion."""


class Training(Model):
    """How models are fitted: on the rows known by then, cut in order of time into those that are trained
    on, those that stop and calibrate a fit, and those that no fit sees.
    """

    model_config = example(
        {
            "families": ["linear", "lightgbm"],
            "window": "180d",
            "monotone": {"paid": "increasing"},
            "parameters": {"lightgbm": {"num_leaves": 15}},
        }
    )

    families: tuple[str, ...] = ("linear", "lightgbm", "torch")
    """The families of models that are fitted, each of which may become a challenger. The newest fit of the
    first is the baseline that the pages show beside a champion of another."""
    first_batches: int = Field(default=3, ge=1)
    """After how many batches the first models are fitted."""
    window: Window | None = None
    """How far back the rows reach; without it every batch counts."""
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """The share of the rows before the holdout that stops and calibrates a fit."""
    holdout: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """The share of the newest rows that is seen by no fit."""
    seed: int = 20130101
    """What all chance is drawn from."""
    half_life: Window | None = None
    """A row that is so much older than the newest weighs half."""
    imbalance: Literal["none", "weights", "focal", "sampling"] = "none"
    """What is done about rare classes; what `weights` and `sampling` do to the probabilities is undone."""
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(default_factory=dict)
    """By feature, whether its rise may only raise (`increasing`) or only lower (`decreasing`) the
    prediction."""
    parameters: dict[str, Parameters] = Field(default_factory=dict)
    """By family, parameters other than its own."""
    tuning: Tuning | None = None
    """The search for parameters before each fit; without it there is none."""
    stateful: Stateful | None = None
    """Fits that go on from the champion; without it each is from nothing."""
