"""What LightGBM is told: parameters, and by the problem its objective and its measure, or ours."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import lightgbm as lgb
from pydantic import Field

from core.spec import Model, Share
from models.family import Job
from models.learning.losses import Truth, slopes
from models.rows import Floats

# What is looked at beyond the cutoff of nDCG, as LightGBM advises.
BEYOND = 3
OBJECTIVES = {
    "logistic": {"objective": "binary", "metric": "binary_logloss"},
    "softmax": {"objective": "multiclass", "metric": "multi_logloss"},
    "squared": {"objective": "regression", "metric": "l2"},
    "absolute": {"objective": "regression_l1", "metric": "l1"},
    "pinball": {"objective": "quantile", "metric": "none"},
    "listwise": {"objective": "lambdarank", "metric": "ndcg"},
}


class Parameters(Model):
    """What `training.parameters.lightgbm` may say; LightGBM's own names down to `lambda_l2`.

    At most `rounds` trees grow, until the validation loss has not fallen for `patience` of them.
    `categories` are `encoded` over `folds` stretches of time, with `smoothing` rows of the base rate,
    or `native`, as LightGBM splits them itself. A fit that goes on from another `update`s it: more trees
    `continue` it, or the leaves of its trees are `refit` to keep `decay` of what they were. `threads`
    is 1 because fits run side by side.
    """

    learning_rate: float = Field(default=0.05, gt=0)
    num_leaves: int = Field(default=15, ge=2)
    min_data_in_leaf: int = Field(default=100, ge=1)
    max_bin: int = Field(default=255, ge=2)
    feature_fraction: Share = 0.5
    bagging_fraction: Share = 0.8
    bagging_freq: int = Field(default=1, ge=0)
    lambda_l1: float = Field(default=0.0, ge=0)
    lambda_l2: float = Field(default=1.0, ge=0)
    rounds: int = Field(default=600, ge=1)
    patience: int = Field(default=50, ge=1)
    categories: Literal["encoded", "native"] = "encoded"
    folds: int = Field(default=5, ge=2)
    smoothing: float = Field(default=50.0, gt=0)
    update: Literal["continue", "refit"] = "continue"
    decay: Share = 0.9
    threads: int = Field(default=1, ge=1)


def settings(
    chosen: Parameters, job: Job, truth: Truth, gains: Sequence[float], width: int
) -> dict[str, Any]:
    """What LightGBM is told: the chosen parameters, the objective, and what makes two fits alike.

    `gains` are those of a ranking's grades; `width` is the number of columns, of which the first are the
    job's numbers.
    """
    own = {"rounds", "patience", "categories", "folds", "smoothing", "update", "decay", "threads"}
    ways = [job.monotone.get(name, 0) for name in job.columns.numbers]
    told: dict[str, Any] = {
        **chosen.model_dump(exclude=own),
        **_aim(job, truth, gains),
        "boost_from_average": False,  # the start is ours: see models.learning.boosting.trained
        "num_threads": chosen.threads,
        "seed": job.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return told | ({"monotone_constraints": ways + [0] * (width - len(ways))} if any(ways) else {})


def _aim(job: Job, truth: Truth, gains: Sequence[float]) -> dict[str, Any]:
    """What is to be learnt, and measured on the way."""
    if own_objective(job, truth):
        classes = {"num_class": truth.outputs} if truth.outputs > 1 else {}
        # Without the filter, features that so few rows cannot split stay: LightGBM fails where none does.
        return {"objective": _objective(truth), "metric": "none", "feature_pre_filter": False} | classes
    aim: dict[str, Any] = dict(OBJECTIVES[truth.loss])
    if truth.loss == "softmax":
        aim["num_class"] = truth.outputs
    if truth.loss == "logistic" and job.targets is not None:
        aim = {"objective": "cross_entropy", "metric": "cross_entropy"}
    if truth.lists is not None:
        cutoff = int(getattr(job.problem, "cutoff", 10))
        aim |= {"label_gain": list(gains), "eval_at": [cutoff]}
        aim["lambdarank_truncation_level"] = cutoff + BEYOND
    return aim | ({"metric": "none"} if own_measure(job, truth) else {})


def own_measure(job: Job, truth: Truth) -> bool:
    """Whether LightGBM cannot measure it: by what it learns, validation rows have no truth but another."""
    taught = job.problem.kind == "ranking" and job.targets is not None
    return taught or truth.loss == "pinball" or own_objective(job, truth)


def own_objective(job: Job, truth: Truth) -> bool:
    """Whether LightGBM has no objective for it: the focal loss, several soft answers, monotone medians.

    It sets the leaves of absolute and pinball losses to quantiles of what is left, in no direction.
    """
    several = truth.outputs > 1 and (job.targets is not None or truth.loss not in ("softmax", "pinball"))
    monotone = truth.loss in ("absolute", "pinball") and any(job.monotone.values())
    return truth.loss == "focal" or several or monotone


def _objective(truth: Truth) -> Callable[[Floats, lgb.Dataset], tuple[Floats, Floats]]:
    """Slope and curvature of the truth's own loss by each margin [n, K] (or [n]), times the rows' weights.

    The curvature of a softmax is taken K / (K - 1) times, as LightGBM's own objective does.
    """
    # Half an absolute error is the pinball loss of the median.
    loss, levels = ("pinball", (0.5,)) if truth.loss == "absolute" else (truth.loss, truth.levels)
    outputs = truth.targets.shape[1]
    factor = outputs / (outputs - 1) if truth.loss == "softmax" else 1.0

    def objective(margins: Floats, _: lgb.Dataset) -> tuple[Floats, Floats]:
        _, slope, curvature = slopes(loss, margins.reshape(-1, outputs), truth.targets, levels)
        weights = truth.weights[:, None]
        return (slope * weights).squeeze(), (curvature * weights * factor).squeeze()

    return objective
