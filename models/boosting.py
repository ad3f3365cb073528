"""How LightGBM is told what to learn: parameters, objectives, its start, and its end at the best round."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import lightgbm as lgb
from lightgbm.callback import CallbackEnv
from pydantic import Field

from core.spec import Model, Share
from models.family import Job
from models.inputs import Table
from models.losses import Truth, mean_loss, slopes
from models.rows import Floats
from models.truth import best_constant

# What is looked at beyond the cutoff of nDCG, as LightGBM advises.
BEYOND = 3
OBJECTIVES = {
    "logistic": {"objective": "binary", "metric": "binary_logloss"},
    "softmax": {"objective": "multiclass", "metric": "multi_logloss"},
    "squared": {"objective": "regression", "metric": "l2"},
    "absolute": {"objective": "regression_l1", "metric": "l1"},
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
        **OBJECTIVES.get(truth.loss, {}),
        "boost_from_average": False,  # the start is ours, see `trained`
        "num_threads": chosen.threads,
        "seed": job.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    if truth.loss == "softmax":
        told["num_class"] = truth.targets.shape[1]
    if truth.lists is not None:
        cutoff = int(getattr(job.problem, "cutoff", 10))
        told |= {"label_gain": list(gains), "eval_at": [cutoff]}
        told["lambdarank_truncation_level"] = cutoff + BEYOND
    if truth.loss == "logistic" and job.targets is not None:
        told |= {"objective": "cross_entropy", "metric": "cross_entropy"}
    if any(ways):
        told["monotone_constraints"] = ways + [0] * (width - len(ways))
    if _own_objective(job, truth):
        told |= {"objective": _objective(truth), "metric": "none"}
    return told | ({"metric": "none"} if _own_measure(job, truth) else {})


def trained(
    told: dict[str, Any],
    tables: tuple[Table, Table],
    chosen: Parameters,
    job: Job,
    truth: Truth,
    native: list[int],
    start: lgb.Booster | None,
) -> lgb.Booster:
    """The booster of these tables (to fit on, to stop by), cut at its best round; a step is a tree.

    It starts from the best constant, which its first trees hold in the end, or from the trees of
    `start`, which it then holds too. `native` are the categorical columns.
    """
    base = best_constant(truth) if start is None else None
    seen = lgb.Dataset(tables[0].inputs, **tables[0].data(base, categorical_feature=native))
    unseen = seen.create_valid(tables[1].inputs, **tables[1].data(base))
    booster = lgb.train(
        told,
        seen,
        chosen.rounds,
        [seen, unseen],
        ["train", "validation"],
        feval=_measure(job, tables, seen) if _own_measure(job, truth) else None,
        init_model=start,
        callbacks=[lgb.early_stopping(chosen.patience, verbose=False), _reporter(job, truth)],
    )
    return booster if base is None else raised(booster, base)  # lgb.train has cut it at its best round


def refitted(
    told: dict[str, Any], table: Table, chosen: Parameters, start: lgb.Booster, base: Floats
) -> lgb.Booster:
    """The trees of `start` with leaves that are part of what they were and part of what these rows say.

    `base` [K] is the constant that the first trees hold: it stays as it is.
    """
    bare = raised(lgb.Booster(model_str=start.model_to_string()), -base)
    bare.params = told
    fresh = bare.refit(table.inputs, decay_rate=chosen.decay, **table.data(base))
    return raised(lgb.Booster(model_str=fresh.model_to_string()), base)


def raised(booster: lgb.Booster, base: Floats) -> lgb.Booster:
    """The same booster, whose margins are higher by `base` [K]: it is in the leaves of the first trees."""
    sizes = re.findall(r"^num_leaves=(\d+)$", booster.model_to_string(), re.MULTILINE)
    for tree, amount in enumerate(base):
        for leaf in range(int(sizes[tree]) if amount else 0):
            booster.set_leaf_output(tree, leaf, booster.get_leaf_output(tree, leaf) + amount)
    return booster


def _own_objective(job: Job, truth: Truth) -> bool:
    """Whether LightGBM has no objective for it: the focal loss, and soft answers of several classes."""
    return truth.loss == "focal" or (truth.loss == "softmax" and job.targets is not None)


def _own_measure(job: Job, truth: Truth) -> bool:
    """Whether LightGBM cannot measure it: by what it learns, validation rows have no truth but another."""
    taught = job.problem.kind == "ranking" and job.targets is not None
    return taught or _own_objective(job, truth)


def _objective(truth: Truth) -> Callable[[Floats, lgb.Dataset], tuple[Floats, Floats]]:
    """Slope and curvature of the truth's own loss by each margin [n, K] (or [n]), times the rows' weights.

    The curvature of a softmax is taken K / (K - 1) times, as LightGBM's own objective does.
    """
    outputs = truth.targets.shape[1]
    factor = outputs / (outputs - 1) if outputs > 1 else 1.0

    def objective(margins: Floats, _: lgb.Dataset) -> tuple[Floats, Floats]:
        _, slope, curvature = slopes(truth.loss, margins.reshape(-1, outputs), truth.targets)
        weights = truth.weights[:, None]
        return (slope * weights).squeeze(), (curvature * weights * factor).squeeze()

    return objective


def _measure(
    job: Job, tables: tuple[Table, Table], seen: lgb.Dataset
) -> Callable[[Floats, lgb.Dataset], tuple[str, float, bool]]:
    """The mean loss of margins, as LightGBM asks for it of one Dataset or the other."""

    def measure(margins: Floats, data: lgb.Dataset) -> tuple[str, float, bool]:
        rows = tables[0 if data is seen else 1].rows
        return "loss", mean_loss(job.problem, rows, margins.reshape(len(rows), -1), job.focal), False

    return measure


def _reporter(job: Job, truth: Truth) -> Callable[[CallbackEnv], None]:
    """The callback that reports both losses after each tree, in the problem's own measure.

    LightGBM counts values in spreads, and of a ranking the nDCG itself.
    """
    parts, scale = (
        {"train": job.train, "validation": job.validation},
        dict.fromkeys(("train", "validation"), 1.0),
    )
    if job.problem.kind == "regression":  # what it loses to be off by a spread
        off = truth.unit.scale
        scale = {
            part: float(job.problem.losses(rows, rows.labels + off).mean()) for part, rows in parts.items()
        }

    def after_round(env: CallbackEnv) -> None:
        found = {
            f"{part}_loss": 1 - float(value) if higher else float(value) * scale[part]
            for part, _, value, higher, *_ in env.evaluation_result_list or []
        }
        job.report(env.iteration + 1, found)

    return after_round
