"""The facts of a fit as the tracker is told them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from models.problem import Floats
from models.problems.binary import Binary
from models.problems.quantiles import Quantiles
from models.tracking import Artifact, dataset
from stages.models.learn import Learnt
from stages.models.tracked import Answers, Tracked, tables_read
from stages.models.tune import trials_of
from stages.workspace import Workspace

QUANTILES = ("q05", "q25", "q50", "q75", "q95")


def told(
    workspace: Workspace, learnt: Learnt, metrics: Mapping[str, Any], files: Mapping[str, str]
) -> Tracked:
    """What the tracker is told of a fit, its metrics as the registry keeps them and its kept files."""
    spec, made, fitted, described = workspace.spec, learnt.lineage, learnt.fit, metrics["described"]
    name = f"{spec.name}-{fitted.family}"
    kept = {title: workspace.registry.kept(digest, f"{name} {title}") for title, digest in files.items()}
    return Tracked(
        data=dataset(f"{spec.name}-data", tables_read(workspace.lake, made.tables, made.batches)),
        model=Artifact(name, "model", kept, metadata={"lineage": made, "files": files}),
        answers=_answers(learnt, described),
        measures={part: metrics[part] for part in ("validation", "holdout")},
        intervals={each: (found["low"], found["high"]) for each, found in described["measures"].items()},
        importance=metrics["importance"],
        contributions=[_contribution(effect) for effect in described["effects"]],
        slices=list(_slices(described["slices"])),
        trials=trials_of(workspace, fitted.family, made.as_of),
        results={"seconds": metrics["seconds"], "serves": metrics["serves"], "rows": metrics["rows"]},
    )


def _answers(learnt: Learnt, described: Mapping[str, Any]) -> Answers:
    problem, holdout = learnt.fit.problem, learnt.parts.holdout
    points = described["curve"] if isinstance(problem, Binary | Quantiles) else []
    answers = learnt.fit.answers(holdout.frame)
    return Answers(
        problem=problem.kind,
        labels=holdout.labels,
        predictions=problem.middle(answers) if isinstance(problem, Quantiles) else answers,
        classes=problem.outputs if problem.kind == "multiclass" else (),
        threshold=problem.threshold if isinstance(problem, Binary) else 0.5,
        calibration=_curve(points) if points else None,
    )


def _curve(points: Sequence[Mapping[str, Any]]) -> tuple[Floats, Floats]:
    """The mean probability and the observed rate of each bin; of quantiles their levels, shares below."""
    predicted = np.array([point["predicted"] for point in points])
    return predicted, np.array([point["observed"]["value"] for point in points])


def _contribution(effect: Mapping[str, Any]) -> dict[str, Any]:
    """What a feature adds, as a row: its mean size or, without SHAP values, what shuffling it costs."""
    quantiles = dict(zip(QUANTILES, effect["quantiles"], strict=True))
    facts = {name: effect[name] for name in ("feature", "output", "direction")}
    return {**facts, "weight": effect["weight"]["value"], **quantiles}


def _slices(sliced: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row a slice, with each measure and its interval."""
    for column in sliced:
        for each in column["shown"]:
            row = {"column": column["column"], "slice": each["name"], "rows": each["rows"]}
            for name, found in each["measures"].items():
                row |= {name: found["value"], f"{name} low": found["low"], f"{name} high": found["high"]}
            yield row
