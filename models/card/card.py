"""The model card: what a version is for, what made it, how good it is, and where it ends."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.declarations import Lookup
from core.past import Past
from core.plain import plain
from core.spec import Derived, Feature, Spec
from models.card.limits import asked, limits
from models.gate.judge import GateReport
from models.onnx.variants import Variant
from models.problem import problem_of
from models.problems.quantiles import Quantiles
from models.registry.versions import Version

MEASURES = {
    "log_loss": ("log loss", "the surprise at the outcomes in nats; lower is better"),
    "brier": ("Brier score", "the mean squared error of the probabilities; lower is better"),
    "auc": ("AUC", "how often a positive scores above a negative; 0.5 is guessing, higher is better"),
    "accuracy": ("accuracy", "how often the class that is said is right; higher is better"),
    "calibration_error": ("calibration error", "how far answers are from observed rates; lower is better"),
    "rmse": ("RMSE", "the root of the mean squared error, in the unit of the answer; lower is better"),
    "mae": ("MAE", "the mean size of the error, in the unit of the answer; lower is better"),
    "pinball": ("pinball loss", "the mean loss of the quantiles, in the unit of the answer; lower is better"),
    "coverage": (
        "coverage",
        "the share of outcomes between the outermost quantiles; best where it is as claimed",
    ),
    "width": ("width", "how far the outermost quantiles are apart; narrower is better, at one coverage"),
    "bias": ("bias", "the mean of answer less truth, in the unit of the answer; 0 is best"),
    "ndcg": ("nDCG", "how near the order of each list is to the best one; 1 is best"),
    "map": ("MAP", "the mean precision at the places of what is relevant; 1 is best"),
    "recall": ("recall", "the share of what is relevant among the first places; higher is better"),
    "precision_at_recall": (
        "precision",
        "the share of positives among the surest answers, so many as find that share; higher is better",
    ),
    "cost": ("cost", "what the errors of a row cost on average, by the costs of the spec; lower is better"),
    "relative_loss": (
        "relative loss",
        "the loss as a share of what the best constant answer has on the same rows; below 1 is better",
    ),
}
"""What measures are called, and how to read them, in the order in which they are shown."""


def card(
    version: Version,
    spec: Spec,
    described: Mapping[str, Any],
    variants: Sequence[Variant | Mapping[str, Any]],
    gate: GateReport | Mapping[str, Any] | None = None,
    report: str = "",
) -> dict[str, Any]:
    """The card of a version as JSON can hold it.

    `described` is what `core.plain.plain` makes of a `models.card.describe.Description`, `variants` are
    the exported ONNX files, `gate` is the gate's answer, or None while it was not asked. What came
    back from the registry, and so is made of dicts, is as good. `report` leads to the project's W&B report,
    if there is one.
    """
    files = plain(variants)
    names = titles(spec, described["measures"])
    told = {
        "id": version.id,
        "family": version.family,
        "stage": version.stage,
        "title": spec.title,
        "use": _use(spec),
        "data": {"parts": described["parts"], "label": spec.outcome.label, "classes": spec.outcome.classes},
        "scores": [_score(name, title, described["measures"][name], spec) for name, title in names.items()],
        "blocks": {"count": described["blocks"], "every": _span(spec.gate.block.total_seconds())},
        "confidence": spec.gate.confidence,
        "features": _features(spec),
        "files": files,
        "serves": version.metrics.get("serves"),
        "retrieval": version.metrics.get("retrieval"),
        "gate": gate,
        "limits": limits(version, spec, described),
        "lineage": version.lineage,
        "report": report,
        "reproduce": f"make reproduce VERSION={version.id}",
    }
    shown = ("periods", "slices", "curve", "sampled", "method", "effects", "examples", "fairness")
    told |= {name: described[name] for name in (*shown, "trials", "outside", "cost")}
    return dict(plain(told))


def _use(spec: Spec) -> dict[str, Any]:
    """What the spec says of the problem, word for word."""
    goal = spec.objective
    return {
        "problem": spec.problem,
        "business": goal.business,
        "learning": goal.learning,
        "inputs": goal.inputs,
        "output": goal.output,
        "unit": goal.unit,
        "online": goal.online,
        "metric": spec.metric,
        "quantiles": goal.quantiles,
        "costs": goal.costs,
        "max_latency_ms": spec.constraints.max_latency_ms,
        "max_size_mb": spec.constraints.max_size_mb,
        "slice_margin": spec.gate.slice_margin,
        "attributes": spec.gate.fairness.attributes,
        "min_rows": spec.gate.fairness.min_rows,
        "asked": asked(spec),
    }


def titles(spec: Spec, among: Collection[str]) -> dict[str, str]:
    """What the measures `among` these are called that are shown, first what models are compared by."""
    own = {"ndcg": f"nDCG at {spec.objective.cutoff}"}
    if spec.metric == "log_loss":  # by the name that He et al. (2014) gave it
        own["relative_loss"] = "normalised entropy"
    shown = [name for name in MEASURES if name in among]
    return {
        name: own.get(name, MEASURES[name][0]) for name in sorted(shown, key=lambda name: name != spec.metric)
    }


def _score(name: str, title: str, found: Mapping[str, float], spec: Spec) -> dict[str, Any]:
    meaning, problem = MEASURES[name][1], problem_of(spec)
    if name == "coverage" and isinstance(problem, Quantiles):
        meaning += f", at {problem.nominal:.0%}"
    return {"key": name, "name": title, "meaning": meaning, **found}


def _features(spec: Spec) -> dict[str, dict[str, str]]:
    """What each feature is, by name, in the words of the spec."""
    return {
        name: {"kind": each.kind, "meaning": each.meaning, "unit": each.unit, "from": _origin(each, spec)}
        for name, each in spec.features.items()
    }


def _origin(feature: Feature, spec: Spec) -> str:
    """Where a feature comes from, in a few words."""
    if isinstance(feature, Lookup):
        return f"{feature.dataset}: {feature.column}"
    if isinstance(feature, Past):
        return f"past {spec.events} by {', '.join(feature.by)}"
    if isinstance(feature, Derived):
        return f"function {feature.function}"
    told = {"row": f"{spec.events}", "time": "the clock", "retrieval": "the retriever"}
    return told.get(feature.from_, "an expression")


def _span(seconds: float) -> str:
    days = seconds / 86_400
    return ("day" if days == 1 else f"{days:g} days") if days >= 1 else f"{seconds / 3_600:g} h"
