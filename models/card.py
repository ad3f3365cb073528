"""The model card: what a version is for, what made it, how good it is, and where it ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.plain import plain
from core.spec import LocalTime, Spec, Trailing
from models.evaluate import Curve
from models.gate import GateReport
from models.onnx.export import Variant
from models.registry import Version

MEANINGS = {
    "auc": ("AUC", "how often a positive scores above a negative; 0.5 is guessing, higher is better"),
    "log_loss": ("log loss", "the surprise at the outcomes in nats; lower is better"),
    "brier": ("Brier score", "the mean squared error of the probabilities; lower is better"),
    "calibration_error": (
        "calibration error",
        "how far probabilities are from observed rates; lower is better",
    ),
}


def card(
    version: Version,
    spec: Spec,
    *,
    measures: Mapping[str, Mapping[str, float]],
    variants: Sequence[Variant | Mapping[str, Any]],
    importance: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    curve: Curve | Mapping[str, Any] | None = None,
    gate: GateReport | None = None,
) -> dict[str, Any]:
    """The card of a version as JSON can hold it.

    `measures` are by part of the rows, `holdout` among them; `intervals` and the calibration
    `curve` are of the holdout. `variants` are the exported ONNX files, `importance` is the share of
    each feature, `gate` the gate's answer, or None while it was not asked. What came back from the
    registry, and so is made of dicts, is as good.
    """
    lineage, files = version.lineage, plain(variants)
    parts = {"lineage": lineage, "measures": measures, "gate": gate, "variants": files}
    told = {
        "id": version.id,
        "family": version.family,
        "stage": version.stage,
        "title": spec.title,
        "objective": {"business": spec.objective.business, "learning": spec.objective.learning},
        "outcome": spec.outcome.label,
        "decision": {"lead": _lead(spec), "before": spec.decision.before},
        "scores": _scores(measures["holdout"], intervals),
        "curve": curve,
        "features": _features(spec, importance),
        "quantization": [f"{file['name']}: {file['note']}" for file in files if file["note"]],
        "limits": _limits(version, spec, measures["holdout"]),
    }
    return dict(plain(told | parts))


def html(told: Mapping[str, Any]) -> str:
    """A card as one page that needs nothing else: no script, no network, light and dark, wide and narrow."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "size": _size, "instant": _instant}
    return environment.get_template("card.html").render(told)


def _scores(
    holdout: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    return [
        {"name": name, "meaning": meaning, "value": holdout[key], "interval": intervals.get(key)}
        for key, (name, meaning) in MEANINGS.items()
    ]


def _features(spec: Spec, importance: Mapping[str, float]) -> list[dict[str, Any]]:
    """The features, the weightiest first."""
    return [
        {
            "name": name,
            "kind": "number" if isinstance(feature, LocalTime | Trailing) else feature.kind,
            "from": feature.from_,
            "share": importance.get(name, 0.0),
        }
        for name, feature in sorted(spec.features.items(), key=lambda each: -importance.get(each[0], 0.0))
    ]


def _limits(version: Version, spec: Spec, holdout: Mapping[str, float]) -> list[str]:
    """Where what the card says ends; true of every version, in its own numbers."""
    until, batches = version.lineage.trained_until, version.lineage.batches
    return [
        f"It learnt from events up to {until:%Y-%m-%d %H:%M %Z}. What the world did later it cannot know: "
        "its realised figures are watched after release.",
        f"The figures are those of {holdout['rows']:,.0f} events that no fit has seen, from the end of the "
        f"batches {batches[0]} to {batches[-1]}. Other seasons may differ by more than the intervals say.",
        f"Where the share of positives moves away from {holdout['base_rate']:.1%}, calibration suffers "
        "first, ranking later.",
        "Of a category that it never met in training it knows nothing, and goes by the other features.",
        f"It answers for the instant {_lead(spec)} before {spec.decision.before}: fed with what was known "
        "earlier or later, its probabilities are off.",
    ]


def _lead(spec: Spec) -> str:
    return f"{spec.decision.lead.total_seconds() / 3_600:g} h"


def _number(value: float | None, digits: int = 4) -> str:
    return "—" if value is None else f"{value:,.{digits}f}"


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _instant(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %Z}"
