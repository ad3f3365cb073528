"""What a spec may say of a release: what a challenger must show, and how far groups may differ."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from core.scalars import Model, Share, Window, example


class Fairness(Model):
    """How far groups may differ. Each limit is the largest difference between two groups' rates, as a share,
    that is tolerated when it is more than chance; without it nothing is limited.
    """

    model_config = example({"attributes": ["region"], "max_selection_gap": 0.1})

    attributes: tuple[str, ...] = ()
    """The sensitive attributes that tell groups: features, or columns of the events' key."""
    min_rows: int = Field(default=200, ge=1)
    """Smaller groups are shown and not judged."""
    max_selection_gap: Share | None = None
    """Of the share of rows that is selected."""
    max_true_positive_gap: Share | None = None
    """Of the share that is selected among those that should be."""
    max_false_positive_gap: Share | None = None
    """Of the share that is selected among those that should not be."""
    max_calibration_gap: Share | None = None
    """Of the mean answer less what came of it, as a share."""


class Gate(Model):
    """What a challenger must show against the champion on the same rows.

    Margins are in the loss that models are compared by: nats, a share of what a constant would lose
    (regression), or points of nDCG.
    """

    model_config = example({"gain": 0.01, "block": "1d", "slices": ["shop"], "slice_margin": 0.02})

    margin: float = Field(default=0.001, ge=0)
    """What a challenger that is simpler or cheaper may lose, and how far any may fall in AUC."""
    newer_margin: float = Field(default=0, ge=0)
    """What a challenger that was fitted on newer rows, and is no less simple, may lose: where the world
    moves, the newer of two equals is the better one for the rows to come. By default it must gain, too."""
    gain: float = Field(default=0.01, gt=0)
    """The gain that is worth a release, which the gate should see in at least 8 of 10 cases
    (`make gate-power`)."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """The confidence of its intervals; of several slices or groups, that of all together."""
    draws: int = Field(default=1000, ge=100)
    """How often blocks of rows are drawn for these intervals."""
    block: Window = timedelta(days=1)
    """The stretch of time whose rows are drawn together."""
    slices: tuple[str, ...] = ()
    """The features or columns of the events' key in no value of which a challenger may be worse."""
    slice_margin: float = Field(default=0.02, ge=0)
    """By how much a challenger may be worse in a slice."""
    max_calibration_error: Share = 0.05
    """How far its answers may be from the rates that came true."""
    fairness: Fairness = Fairness()
    """How far groups may differ."""
