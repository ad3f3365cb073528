"""Trees of several quantiles: a booster for each by LightGBM's own objective, then one of all trees."""

import math
import re
from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from models.family import Job
from models.learning.boosting import Growth, raised
from models.learning.inputs import Table
from models.learning.losses import Truth, mean_loss
from models.learning.objectives import Parameters
from models.learning.truth import best_constant
from models.rows import Floats

# A tree that adds nothing, as LightGBM writes it.
NOTHING = "num_leaves=1\nnum_cat=0\nleaf_value=0\nis_linear=0\nshrinkage=1"


def grown_apart(growth: Growth) -> lgb.Booster:
    """The booster of K quantiles, as `models.learning.boosting.trained` gives one.

    A round adds a tree to each quantile's own booster, and the best one is that after which their mean
    loss is least. For its own objective LightGBM sets the leaves anew, to the quantile of what is left.
    """
    truth, tables, start = growth.truth, growth.tables, growth.start
    base = best_constant(truth)
    begin = [np.tile(base, (len(table.rows), 1)) for table in tables]
    if start is not None:
        begin = [start.predict(table.inputs, raw_score=True, num_threads=1) for table in tables]
    by_output = zip(*(np.reshape(each, (-1, truth.outputs)).T.copy() for each in begin), strict=True)
    boosters = [
        _begun(growth.told | {"alpha": level}, tables, margins, growth.native)
        for level, margins in zip(truth.levels, by_output, strict=True)
    ]
    rounds = _best(boosters, growth.chosen, growth.job, truth)
    grown = [_trees(booster)[:count] for booster, count in zip(boosters, rounds, strict=True)]
    empty = [[NOTHING] * (max(rounds) - count) for count in rounds]
    in_turn = zip(*(trees + more for trees, more in zip(grown, empty, strict=True)), strict=True)
    fresh = [tree for each in in_turn for tree in each]
    if start is not None:
        return _joined(boosters, _trees(start) + fresh)
    return raised(_joined(boosters, fresh), base)


def _begun(
    told: dict[str, Any], tables: tuple[Table, Table], margins: tuple[Floats, Floats], native: list[int]
) -> lgb.Booster:
    """A booster without trees, whose rows begin with these margins."""
    first, then = (table.data(None, init_score=each) for table, each in zip(tables, margins, strict=True))
    seen = lgb.Dataset(tables[0].inputs, **first, categorical_feature=native)
    booster = lgb.Booster(told, seen)
    return booster.add_valid(seen.create_valid(tables[1].inputs, **then), "validation")


def _best(boosters: Sequence[lgb.Booster], chosen: Parameters, job: Job, truth: Truth) -> list[int]:
    """Grow, and tell how many trees each booster had after the best round: none where nothing splits."""
    parts = {"train_loss": job.train, "validation_loss": job.validation}
    lowest, best, counts = math.inf, 0, [0] * len(boosters)
    for step in range(1, chosen.rounds + 1):
        for booster in boosters:
            booster.update()
        margins = zip(*(_margins(booster) for booster in boosters), strict=True)
        losses = {
            part: mean_loss(job.problem, rows, truth.unit.of(np.column_stack(each)))
            for (part, rows), each in zip(parts.items(), margins, strict=True)
        }
        job.report(step, losses)
        if losses["validation_loss"] < lowest:
            lowest, best = losses["validation_loss"], step
            counts = [booster.current_iteration() for booster in boosters]
        if step - best >= chosen.patience:
            break
    return counts


def _margins(booster: lgb.Booster) -> list[Floats]:
    """Those of its train and of its validation rows, as they stand."""
    found: list[Floats] = []

    def look(margins: Floats, _: lgb.Dataset) -> tuple[str, float, bool]:
        found.append(margins.copy())
        return "seen", 0.0, False

    booster.eval_train(look)
    booster.eval_valid(look)
    return found


def _trees(booster: lgb.Booster) -> list[str]:
    """The text of each tree, without its number."""
    sections = booster.model_to_string(num_iteration=-1).split("\nTree=")[1:]
    return [section.split("\n\n", 1)[0].split("\n", 1)[1] for section in sections]


def _joined(boosters: Sequence[lgb.Booster], trees: Sequence[str]) -> lgb.Booster:
    """One booster of all the trees, a round of which is one for each of the boosters."""
    head = boosters[0].model_to_string(num_iteration=1).split("\nTree=")[0]
    wide = re.sub(r"^(num_class|num_tree_per_iteration)=1$", rf"\1={len(boosters)}", head, flags=re.MULTILINE)
    # Its objective is that of one quantile, and its sizes are those of other trees.
    kept = [line for line in wide.splitlines() if not line.startswith(("objective=", "tree_sizes="))]
    numbered = [f"Tree={place}\n{tree}\n\n" for place, tree in enumerate(trees)]
    return lgb.Booster(model_str="\n".join([*kept, "", *numbered, "end of trees\n"]))
