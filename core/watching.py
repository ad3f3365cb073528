"""What a spec may say of a model that is live: when it counts as drifted or worse, and what is done then."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.scalars import Duration, Model, Share, example

Opener = Literal["performance", "blind_drift", "drift", "estimates"]
"""What may open a retraining."""


class Retraining(Model):
    """How often a retraining may be opened. At most one of a project is open at a time."""

    model_config = example({"cooldown": "3d", "runs_a_week": 2, "hours_a_week": 6})

    cooldown: Duration = timedelta(days=1)
    """How long after a retraining was opened the next one may be."""
    runs_a_week: int = Field(default=3, ge=1)
    """How many may be opened within seven days."""
    hours_a_week: Annotated[float, Field(gt=0)] | None = None
    """How many hours those opened within seven days may have taken together; without it any."""
    attempts: int = Field(default=4, ge=1)
    """How often one that fails is tried before it is given up."""
    back_off: Duration = timedelta(minutes=15)
    """How long after the first failure it is tried again; each time twice as long."""


class Lasting(Model):
    """In how many batches a feature must have drifted before it calls for anything."""

    model_config = example({"batches": 2, "of": 4})

    batches: int = Field(default=2, ge=1)
    """In so many batches, the newest among them."""
    of: int = Field(default=3, ge=1)
    """Of the last so many that the same version has answered."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.batches > self.of:
            raise ValueError(f"batches: {self.batches} of the last {self.of} can never be: raise `of`")
        return self


class Monitoring(Model):
    """When a batch counts as drifted, and what opens a retraining."""

    model_config = example({"drift": 0.25, "persistence": 2})

    drift: float | None = Field(default=0.2, gt=0)
    """The population stability index from which a feature counts as drifted (0.1 is moderate, 0.2 large
    by convention), or later, where the reference's own days lie further apart. `null` turns the watch of
    drift off: realised performance alone decides."""
    drift_persistence: Lasting = Lasting()
    """In how many batches a feature must have drifted before it counts for a retraining."""
    prediction_drift: float = Field(default=0.2, gt=0)
    """The population stability index from which the predictions count as drifted, or later, likewise."""
    drifted_importance: Share = 0.3
    """The share of the model's importance in drifted features from which they matter."""
    auc_drop: float = Field(default=0.02, gt=0)
    """How far the AUC within days may be below what the probabilities promise of these rows (and the AUC
    below the reference, where the inputs are not what they were)."""
    loss_rise: float = Field(default=0.02, gt=0)
    """How far the loss may rise above the reference, both as shares of what the best constant loses on
    their own rows (batches with unlike rates are not comparable otherwise). Of probabilities it counts
    as far as they did not lead to expect it."""
    coverage_gap: Share = 0.05
    """How far the share of labels between the outermost quantiles may be from its nominal one."""
    calibration_error: Share = 0.05
    """The realised error of calibration from which it counts, where a refit surely wins something back."""
    min_rows: int = Field(default=500, ge=1)
    """Fewer rows, or fewer labelled rows, decide nothing."""
    opened_by: tuple[Opener, ...] = ("performance", "blind_drift")
    """What may open a retraining beside `every`, and what else is only watched: `performance` that was
    realised; `blind_drift`, of inputs and predictions while no outcomes can judge; `drift` of inputs alone,
    whatever the outcomes say; `estimates` of the performance without labels."""
    persistence: int = Field(default=1, ge=1)
    """How many batches in a row must call for a recalibration or a retraining."""
    every: int | None = Field(default=None, ge=1)
    """After so many batches a challenger is tried though nothing calls for one, such as while the rows to
    learn from still grow."""
    retraining: Retraining = Retraining()
    """How often a retraining may be opened."""
