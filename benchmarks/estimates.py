"""How far off are estimates of performance without labels? `make bench-estimates`.

On real months of flights, through the stages: one champion of the first months scores and is judged to
the end of the year. On simulated covariate shift: its rows, drawn anew by their features, so that what is
asked moves and what is true of it does not. Beside the estimate the naive guess, and what else was tried.
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.measures import Measure, report
from core.settings import Settings
from models.measures.intervals import local
from models.measures.probabilities import auc
from models.problem import Floats, problem_of
from models.problems.binary import Binary
from models.rows import Rows, columns, numbers
from monitoring.performance.blocks import DAY
from monitoring.performance.estimates import Past, estimates
from monitoring.performance.expected import expected_auc
from monitoring.performance.refit import recalibrated, refit
from stages.champion.promote import promote
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise, labelled
from stages.models.train import register, train
from stages.monitoring.monitor import judge_batch
from stages.score import score, served
from stages.workspace import Workspace, open_workspace

DRAWS, ROWS, PAST = 40, 25_000, 50_000


def main() -> int:
    """Measure, and print."""
    os.environ["WANDB_MODE"] = "disabled"
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace("flights", Settings(home=Path(folder)).apply())
        lived(workspace)
        rows, answers = unlearnt(workspace)
        return report("estimates", [*shifted(workspace, rows, answers), *months(workspace, rows, answers)])


def lived(workspace: Workspace) -> None:
    """One champion, fitted on the first batches, scores all later ones and is judged when labels are due."""
    spec, batches = workspace.spec, workspace.spec.batches.calendar().batches()
    end = batches[-1].end + spec.outcome.maturity
    for dataset in [*workspace.whole, *workspace.cut]:
        for item in pending(workspace, dataset, batches):
            deliver(workspace, dataset, item, end)
        for each in [None] if dataset in workspace.whole else batches:
            ingest(workspace, dataset, each, end)
    for batch in batches:
        featurise(workspace, batch, end)
    first = batches[spec.training.first_batches - 1].end + spec.outcome.maturity
    [version] = register(workspace, [train(workspace, "lightgbm", first)])
    promote(workspace, [version.id], first)
    for batch in batches[spec.training.first_batches :]:
        score(workspace, batch, batch.end)
        judge_batch(workspace, batch, batch.end + spec.outcome.maturity)


def unlearnt(workspace: Workspace) -> tuple[Rows, Floats]:
    """The labelled rows since the champion's first batch, and its answers."""
    batches = workspace.spec.batches.calendar().batches()
    frame = labelled(workspace, batches[-1].end, batches[workspace.spec.training.first_batches].start)
    champion = workspace.registry.champion("flights")
    assert champion is not None
    return Rows.of(frame, workspace.spec.outcome), np.asarray(served(workspace, champion).predict(frame))


def shifted(workspace: Workspace, rows: Rows, answers: Floats) -> list[Measure]:
    """The errors on rows drawn anew by up to three of their numbers, each the steeper the more it moves."""
    random, problem = np.random.default_rng(0), problem_of(workspace.spec)
    inputs, days = numbers(rows.frame, columns(workspace.spec)), local(rows.times, "UTC") // DAY
    ranks = np.apply_along_axis(lambda each: rankdata(np.nan_to_num(each)), 0, inputs) / len(rows) - 0.5
    errors: dict[str, list[float]] = {"estimate": [], "plain CBPE": [], "naive": []}
    seconds = []
    for _ in range(DRAWS):
        order = random.permutation(len(rows))
        old, pool = np.sort(order[:PAST]), np.sort(order[len(rows) // 2 :])
        few = random.choice(ranks.shape[1], random.integers(1, 4), replace=False)
        steep = random.uniform(1, 4, len(few)) * random.choice([-1, 1], len(few))
        chance = np.exp(ranks[pool][:, few] @ steep)
        new = np.sort(random.choice(pool, ROWS, replace=False, p=chance / chance.sum()))
        past = Past(rows.at(old), answers[old], days[old], {})
        start = time.perf_counter()
        found = estimates(problem, past, rows.at(new), answers[new], 30)["auc"].value
        seconds.append(time.perf_counter() - start)
        truth, naive = auc(rows.labels[new], answers[new]), auc(rows.labels[old], answers[old])
        for name, told in zip(errors, (found, expected_auc(answers[new], answers[new]), naive), strict=True):
            errors[name].append(told - truth)
    mean = {name: float(np.mean(np.abs(each))) for name, each in errors.items()}
    return [
        Measure(
            "simulated shift: error of the AUC",
            mean["estimate"],
            "",
            "at most 0.01",
            mean["estimate"] <= 0.01,
        ),
        Measure("simulated shift: the same, plain CBPE", mean["plain CBPE"], ""),
        Measure("simulated shift: the same, as before the shift", mean["naive"], ""),
        Measure("simulated shift: largest error", float(np.max(np.abs(errors["estimate"]))), ""),
        Measure("an estimate of 25,000 rows from 50,000", float(np.median(seconds)), "s"),
    ]


def months(workspace: Workspace, rows: Rows, answers: Floats) -> list[Measure]:
    """The errors on real months, as the judgements have them, and of what else was tried."""
    judged = workspace.ledger.results("monitor")
    told = [each["estimates"]["auc"] for each in judged.values()]
    ours, naive = (float(np.mean([abs(each[key]) for each in told])) for key in ("error", "naive_error"))
    inside = [each["low"] <= each["value"] - each["error"] <= each["high"] for each in told]
    goal = "below the naive guess"
    tried = _tried(workspace, rows, answers, judged)
    return [
        Measure(f"{len(told)} real months: error of the AUC", ours, "", goal, ours < naive),
        Measure("real months: the same, as the month before", naive, ""),
        *(Measure(f"real months: the same, {name}", error, "") for name, error in tried.items()),
        Measure("real months: share within the 95 % interval", 100 * float(np.mean(inside)), "%"),
    ]


def _tried(
    workspace: Workspace, rows: Rows, answers: Floats, judged: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> dict[str, float]:
    """The mean error of other ways, each by what was known before its month."""
    batch = [workspace.batch(name) for name in judged]
    place = [rows.times.is_between(each.start, each.end, "left").to_numpy() for each in batch]
    inputs = np.asarray(numbers(rows.frame, columns(workspace.spec)), np.float64)
    errors: dict[str, list[float]] = {}
    for now, name in enumerate(judged):
        truth, mine = judged[name]["measures"]["auc"], answers[place[now]]
        plain = expected_auc(mine, mine)
        found = {"plain CBPE": plain}
        if now:
            last = place[now - 1]
            before, labels = answers[last], rows.labels[last]
            was = auc(labels, before)
            weights = density_ratio(inputs[last], inputs[place[now]])
            drawn = np.random.default_rng(0).choice(len(labels), len(labels), p=weights / weights.sum())
            found |= {
                "the month before and what CBPE moved": was + plain - expected_auc(before, before),
                "halfway from CBPE to the month before": (was + plain) / 2,
                "calibrated on the month before": _calibrated(before, labels, mine),
                "the same, weighted to the new inputs (PAPE)": _calibrated(
                    before[drawn], labels[drawn], mine
                ),
            }
        for way, value in found.items():
            errors.setdefault(way, []).append(abs(value - truth))
    return {way: float(np.mean(each)) for way, each in errors.items()}


def _calibrated(answers: Floats, labels: Floats, now: Floats) -> float:
    calibration = refit(Binary(), answers, labels)
    return expected_auc(now, recalibrated(calibration, now) if calibration else now)


def density_ratio(old: Floats, new: Floats) -> NDArray[np.float64]:
    """How much likelier each old row [n] is among the new ones, by trees that tell them apart."""
    labels = np.repeat([0.0, 1.0], [len(old), len(new)])
    parameters = {"objective": "binary", "num_leaves": 15, "min_data_in_leaf": 200, "num_threads": 1}
    data = lightgbm.Dataset(np.vstack([old, new]), labels, params={"verbosity": -1})
    trees = lightgbm.train(parameters | {"verbosity": -1, "seed": 0, "deterministic": True}, data, 60)
    chance = np.clip(np.asarray(trees.predict(old), np.float64), 0.02, 0.98)
    return np.asarray(chance / (1 - chance), np.float64)


if __name__ == "__main__":
    sys.exit(main())
