"""The facts of a lifecycle, arranged as its page tells them."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from reports import plots
from reports.pages import NOTHING, count, measure, share, size

Facts = dict[str, Any]
MAX_FEATURES = 30
MAX_CURVES = 12
REFUSED = "\N{MULTIPLICATION SIGN}"
_UNKNOWN: Facts = {
    "status": "accepted",
    "stopped": None,
    "quarantine_reasons": {},
    "auc_interval": None,
    "baseline_auc": None,
    "base_rate": None,
    "calibration_error": None,
    "calibration": [],
    "feature_drift": {},
    "retrained": None,
    "drift_page": None,
}
_SYMBOLS = {"nothing": "○", "watch": "◐", "retrain": "●"}


def arranged(facts: Facts) -> Facts:
    """The values of the template `lifecycle.html`, from a `reports.lifecycle.Summary` of plain JSON."""
    batches = [_batch(batch) for batch in facts["batches"]]
    scored = _scored(batches)
    features = _features(scored, facts.get("importance", {}))
    threshold = facts.get("drift_threshold", 0.2)
    return {
        "project": facts["project"],
        "title": facts.get("title", facts["project"]),
        "lede": _lede(batches),
        "facts": _key_facts(facts, batches),
        "batches": batches,
        "scored": scored,
        "decided": [batch for batch in batches if batch["decision"] or batch["outcome"]],
        "features": features,
        "hidden": max(0, len(features) - MAX_FEATURES),
        "drift_threshold": threshold,
        "plots": _plots(batches, scored, features, threshold),
        "quarantine": _quarantine(batches),
        "versions": [_version(version, batches) for version in facts["versions"]],
    }


def performance(facts: Facts) -> str:
    """The plot of AUC by batch alone, as SVG; empty where no batch was scored."""
    batches = [_batch(batch) for batch in facts["batches"]]
    scored = _scored(batches)
    if not scored:
        return ""
    return _performance_plots(scored, _events(batches, batches.index(scored[0])))["performance"]


def _batch(given: Facts) -> Facts:
    batch = _UNKNOWN | given
    outcome = f"{batch['retrained']} released" if batch["retrained"] else ""
    if batch["decision"] == "retrain" and not outcome:
        outcome = "challenger refused"
    return batch | {"symbol": _SYMBOLS.get(batch["decision"], ""), "outcome": outcome}


def _scored(batches: Sequence[Facts]) -> list[Facts]:
    """From the first batch with a realised AUC to the last."""
    places = [place for place, batch in enumerate(batches) if batch["auc"] is not None]
    return list(batches[places[0] : places[-1] + 1]) if places else []


def _features(scored: Sequence[Facts], importance: Mapping[str, float]) -> dict[str, float | None]:
    """Every feature whose drift was measured, the most important first, with its importance."""
    names = dict.fromkeys(name for batch in scored for name in batch["feature_drift"])
    ranked = sorted(names, key=lambda name: -(importance.get(name) or 0.0))
    return {name: importance.get(name) for name in ranked}


def _lede(batches: Sequence[Facts]) -> str:
    received, accepted, quarantined = (
        count(sum(_of(batches, part))) for part in ("received", "accepted", "quarantined")
    )
    text = f"{received} rows were received: {accepted} accepted, {quarantined} quarantined."
    pairs = zip(_of(batches, "auc"), _of(batches, "baseline_auc"), strict=True)
    ahead = [champion > baseline for champion, baseline in pairs if None not in (champion, baseline)]
    if ahead:
        text += (
            f" The champion ranked better than the linear baseline in {sum(ahead)} of {len(ahead)} batches."
        )
    return text


def _key_facts(facts: Facts, batches: Sequence[Facts]) -> list[dict[str, str]]:
    champions = [version for version in facts["versions"] if version["stage"] == "champion"]
    scores = [auc for auc in _of(batches, "auc") if auc is not None]
    calls = [batch for batch in batches if batch["decision"] == "retrain"]
    released = sum(batch["retrained"] is not None for batch in calls)
    stopped = _of(batches, "status").count("stopped")
    received, quarantined = sum(_of(batches, "received")), sum(_of(batches, "quarantined"))
    mean = sum(scores) / len(scores) if scores else None
    told = [
        ("Champion", *((champions[0]["version"], champions[0]["family"]) if champions else ("none", ""))),
        ("Mean AUC", measure(mean), f"{min(scores):.3f} to {max(scores):.3f}" if scores else ""),
        ("Retrainings", str(len(calls)), f"{released} released, {len(calls) - released} refused"),
        ("Batches", str(len(batches)), f"{stopped or 'none'} stopped"),
        ("Quarantined", count(quarantined), f"{share(quarantined / max(received, 1), 2)} of rows"),
        ("Wall time", f"{facts['wall_seconds']:,.0f} s", "of the flows"),
    ]
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]


def _plots(
    batches: Sequence[Facts], scored: Sequence[Facts], features: Mapping[str, float | None], threshold: float
) -> dict[str, Markup]:
    """The plots as SVG, empty where there is nothing to show."""
    drawn = dict.fromkeys(("performance", "rates", "drift", "calibration"), "")
    drawn["rows"] = plots.rows(_ids(batches), _of(batches, "accepted"), _of(batches, "quarantined"))
    if scored:
        events = _events(batches, batches.index(scored[0]))
        drawn |= _performance_plots(scored, events)
        shown = dict(list(features.items())[:MAX_FEATURES])
        if shown:
            moved = _of(scored, "feature_drift")
            drawn["drift"] = plots.drift_map(_ids(scored), shown, moved, threshold, events)
    return {name: Markup(plot) for name, plot in drawn.items()}


def _performance_plots(scored: Sequence[Facts], events: Sequence[plots.Event]) -> dict[str, str]:
    ids = _ids(scored)
    intervals = [pair if pair and None not in pair else None for pair in _of(scored, "auc_interval")]
    predicted = [_mean_predicted(points) for points in _of(scored, "calibration")]
    errors = _of(scored, "calibration_error")
    curves = [batch for batch in scored if batch["calibration"]][-MAX_CURVES:]
    drawn = {
        "performance": plots.performance(
            ids, _of(scored, "auc"), intervals, _of(scored, "baseline_auc"), events
        ),
        "rates": plots.rates(ids, predicted, _of(scored, "base_rate"), errors, events),
    }
    if curves:
        drawn["calibration"] = plots.calibration(_ids(curves), [_curve(batch) for batch in curves])
    return drawn


def _ids(batches: Sequence[Facts]) -> list[str]:
    return [batch["batch"] for batch in batches]


def _of(batches: Sequence[Facts], fact: str) -> list[Any]:
    return [batch[fact] for batch in batches]


def _events(batches: Sequence[Facts], first: int) -> list[plots.Event]:
    """Releases and refusals, by position among the batches from `first` on."""
    labels = [
        f"v{batch['retrained'].rsplit('/')[-1]}" if batch["retrained"] else REFUSED for batch in batches
    ]
    return [
        plots.Event(place - first, labels[place], batch["retrained"] is not None)
        for place, batch in enumerate(batches)
        if batch["outcome"] and place >= first - 1
    ]


def _mean_predicted(points: Sequence[Facts]) -> float | None:
    rows = sum(point["rows"] for point in points)
    return sum(point["predicted"] * point["rows"] for point in points) / rows if rows else None


def _curve(batch: Facts) -> tuple[list[float], list[float]]:
    points = batch["calibration"]
    return [point["predicted"] for point in points], [point["observed"] for point in points]


def _quarantine(batches: Sequence[Facts]) -> list[Facts]:
    """Each reason with its rows and the batches where it was given, the most frequent first."""
    reasons: dict[str, dict[str, int]] = {}
    for batch in batches:
        for reason, rows in batch["quarantine_reasons"].items():
            reasons.setdefault(reason, {})[batch["batch"]] = rows
    told = [
        {
            "reason": reason,
            "rows": sum(found.values()),
            "batches": ", ".join(f"{batch} ({count(rows)})" for batch, rows in found.items()),
        }
        for reason, found in reasons.items()
    ]
    return sorted(told, key=lambda item: -item["rows"])


def _version(version: Facts, batches: Sequence[Facts]) -> Facts:
    scored = [batch["batch"] for batch in batches if batch["champion"] == version["version"]]
    spell = scored[0] if len(scored) == 1 else f"{scored[0]} to {scored[-1]}" if scored else NOTHING
    files = [{"name": file["name"], "facts": _file_facts(file)} for file in version["files"]]
    return version | {"scored": spell, "files": files}


def _file_facts(file: Facts) -> str:
    told = [size(file["bytes"])] if file.get("bytes") is not None else []
    if file.get("p50_us") is not None:
        told.append(f"{file['p50_us']:.0f} µs")
        if file.get("p99_us") is not None:
            told[-1] = f"{file['p50_us']:.0f} / {file['p99_us']:.0f} µs"
    if not file.get("kept", True):
        told.append("not kept")
    if file.get("note"):
        told.append(file["note"])
    if file.get("sha256"):
        told.append(f"sha256 {file['sha256'][:8]}")
    return ", ".join(told)
