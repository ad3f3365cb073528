"""How trees grow: from a constant or from other trees, until the best round, or with other leaves."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
from lightgbm.callback import CallbackEnv

from models.family import Job
from models.learning.inputs import Table
from models.learning.losses import Truth, mean_loss
from models.learning.objectives import Parameters, own_measure
from models.learning.truth import best_constant, later_base
from models.rows import Floats


@dataclass(frozen=True, slots=True)
class Growth:
    """What trees grow from: what LightGBM is told, and the tables to fit on and to stop by.

    `native` are the categorical columns. They start from the best constant of the `truth`, or from the
    trees of `start`.
    """

    told: dict[str, Any]
    tables: tuple[Table, Table]
    chosen: Parameters
    job: Job
    truth: Truth
    native: list[int]
    start: lgb.Booster | None


def trained(growth: Growth) -> lgb.Booster:
    """The booster that grows, cut at its best round; a step is a tree.

    Its first trees hold in the end the constant that it started from, or it holds the trees of the start.
    """
    job, truth, tables, start = growth.job, growth.truth, growth.tables, growth.start
    base = best_constant(truth) if start is None else None
    seen = lgb.Dataset(tables[0].inputs, **tables[0].data(base, categorical_feature=growth.native))
    later = None if base is None else later_base(job, truth)
    unseen = seen.create_valid(tables[1].inputs, **tables[1].data(later))
    booster = lgb.train(
        growth.told,
        seen,
        growth.chosen.rounds,
        [seen, unseen],
        ["train", "validation"],
        feval=_measure(job, truth, tables, seen) if own_measure(job, truth) else None,
        init_model=start,
        callbacks=[lgb.early_stopping(growth.chosen.patience, verbose=False), _reporter(job, truth)],
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


def _measure(
    job: Job, truth: Truth, tables: tuple[Table, Table], seen: lgb.Dataset
) -> Callable[[Floats, lgb.Dataset], tuple[str, float, bool]]:
    """The mean loss of margins, as LightGBM asks for it of one Dataset or the other."""

    def measure(margins: Floats, data: lgb.Dataset) -> tuple[str, float, bool]:
        rows = tables[0 if data is seen else 1].rows
        said = truth.unit.of(margins.reshape(len(rows), -1))
        return "loss", mean_loss(job.problem, rows, said, job.focal), False

    return measure


def _reporter(job: Job, truth: Truth) -> Callable[[CallbackEnv], None]:
    """The callback that reports both losses after each tree, in the problem's own measure.

    LightGBM counts values in spreads, and of a ranking the nDCG itself.
    """
    parts, scale = (
        {"train": job.train, "validation": job.validation},
        dict.fromkeys(("train", "validation"), 1.0),
    )
    if job.problem.kind == "regression" and not own_measure(
        job, truth
    ):  # what it loses to be off by a spread
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
