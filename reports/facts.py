"""The facts of a lifecycle, arranged as its page tells them."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from reports import plots
from reports.coverage import coverage
from reports.estimated import estimated
from reports.headlines import LOWER_IS_BETTER, headlines_of, meaning_of, name_of
from reports.pages import count, measure, share
from reports.versions import told

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
    "measures": {},
    "intervals": {},
    "baseline": {},
    "base_rate": None,
    "calibration_error": None,
    "calibration": [],
    "feature_drift": {},
    "challenger": None,
    "retrained": None,
    "drift_page": None,
    "final": None,
    "estimates": {},
    "request": None,
}
# What is said of a decision that nothing has come of yet, by the state of what it asked for.
_OPEN = {
    "open": "waits to be carried out",
    "running": "is being carried out",
    "failed": "failed",
    "skipped": "not opened",
}
_SYMBOLS = {
    "nothing": "○",
    "watch": "◐",
    "recalibrate": "●",
    "retrain stateful": "●",
    "retrain stateless": "●",
    "roll back": "●",
}


def arranged(facts: Facts) -> Facts:
    """The values of the template `lifecycle.html`, from a `reports.lifecycle.Summary` of plain JSON."""
    headlines = headlines_of(facts)
    relative = facts.get("relative_loss_name", name_of("relative_loss"))
    batches = [_batch(batch, headlines) for batch in facts["batches"]]
    scored = _scored(batches)
    features = _features(scored, facts.get("importance", {}))
    threshold = facts.get("drift_threshold", 0.2)
    return {
        "project": facts["project"],
        "title": facts.get("title", facts["project"]),
        "lede": _lede(batches, headlines[0]),
        "headlines": [name_of(headline) for headline in headlines],
        "relative_name": relative,
        "has_rates": facts["versions"] == [] or any(batch["base_rate"] is not None for batch in batches),
        "facts": _key_facts(facts, batches),
        "batches": batches,
        "scored": scored,
        "decided": [batch for batch in batches if batch["decision"] or batch["outcome"]],
        "features": features,
        "hidden": max(0, len(features) - MAX_FEATURES),
        "drift_threshold": threshold,
        "plots": _plots(batches, scored, features, threshold, headlines[0]),
        "quarantine": _quarantine(batches),
        "versions": [told(version, batches, headlines) for version in facts["versions"]],
        "meanings": [
            *((name_of(headline), meaning_of(headline)) for headline in headlines),
            (relative, meaning_of("relative_loss")),
        ],
    }


def performance(facts: Facts) -> str:
    """The plot of the first headline by batch alone, as SVG; empty where no batch was scored."""
    headlines = headlines_of(facts)
    batches = [_batch(batch, headlines) for batch in facts["batches"]]
    scored = _scored(batches)
    if not scored:
        return ""
    events = _events(batches, batches.index(scored[0]))
    return _performance_plots(scored, events, headlines[0])["performance"]


def _batch(given: Facts, headlines: tuple[str, str]) -> Facts:
    batch = _UNKNOWN | given
    first, second = headlines
    found = batch["measures"] or {"auc": batch["auc"], "log_loss": batch["log_loss"]}
    batch |= {"score": found.get(first), "second": found.get(second), "relative": found.get("relative_loss")}
    batch["score_interval"] = (batch["intervals"] or {"auc": batch["auc_interval"]}).get(first)
    batch["baseline_score"] = (batch["baseline"] or {"auc": batch["baseline_auc"]}).get(first)
    batch["symbol"] = _SYMBOLS.get(batch["decision"], "")
    if (asked := batch["request"]) and asked["why"]:
        batch["reasons"] = [
            *batch["reasons"],
            f"Retraining {asked['number']}, {asked['state']}: {asked['why']}",
        ]
    return batch | {"outcome": _outcome(batch)}


def _outcome(batch: Facts) -> str:
    """What came of the decision, in words; empty where nothing was to come of it."""
    if batch["retrained"]:
        return f"{batch['retrained']} {'restored' if batch['decision'] == 'roll back' else 'released'}"
    if batch["challenger"]:
        return f"{batch['challenger']} refused"
    if batch["symbol"] != "●":
        return ""
    return _OPEN.get((batch["request"] or {}).get("state", ""), "not carried out")


def _scored(batches: Sequence[Facts]) -> list[Facts]:
    """From the first batch with a realised headline to the last."""
    places = [place for place, batch in enumerate(batches) if batch["score"] is not None]
    return list(batches[places[0] : places[-1] + 1]) if places else []


def _expected(batches: Sequence[Facts], scored: Sequence[Facts], headline: str) -> list[Facts]:
    """From the first batch with a realised headline to the last that has one or an estimate; or none."""
    known = [place for place, batch in enumerate(batches) if headline in (batch["estimates"] or {})]
    first = batches.index(scored[0])
    return list(batches[first : max(known[-1] + 1, first + len(scored))]) if known else []


def _features(scored: Sequence[Facts], importance: Mapping[str, float]) -> dict[str, float | None]:
    """Every feature whose drift was measured, the most important first, with its importance."""
    names = dict.fromkeys(name for batch in scored for name in batch["feature_drift"])
    ranked = sorted(names, key=lambda name: -(importance.get(name) or 0.0))
    return {name: importance.get(name) for name in ranked}


def _lede(batches: Sequence[Facts], headline: str) -> str:
    received, accepted, quarantined = (
        count(sum(_of(batches, part))) for part in ("received", "accepted", "quarantined")
    )
    text = f"{received} rows were received: {accepted} accepted, {quarantined} quarantined."
    pairs = zip(_of(batches, "score"), _of(batches, "baseline_score"), strict=True)
    sign = -1 if headline in LOWER_IS_BETTER else 1
    ahead = [sign * (champion - other) > 0 for champion, other in pairs if None not in (champion, other)]
    if ahead:
        told = f"in {sum(ahead)} of {len(ahead)} batches"
        text += f" By {name_of(headline)}, the champion was better than the baseline {told}."
    return text


def _short(version: str) -> str:
    """`v2` of `shop/2`: a page is of one project."""
    return f"v{version.rpartition('/')[2]}"


def _key_facts(facts: Facts, batches: Sequence[Facts]) -> list[dict[str, str]]:
    champions = [version for version in facts["versions"] if version["stage"] == "champion"]
    scores = [score for score in _of(batches, "score") if score is not None]
    challenged = [batch for batch in batches if batch["challenger"] and batch["decision"]]
    released = sum(batch["retrained"] is not None for batch in challenged)
    restored = sum(batch["decision"] == "roll back" and batch["retrained"] is not None for batch in batches)
    stopped = _of(batches, "status").count("stopped")
    received, quarantined = sum(_of(batches, "received")), sum(_of(batches, "quarantined"))
    mean = sum(scores) / len(scores) if scores else None
    told = [
        (
            "Champion",
            *((_short(champions[0]["version"]), champions[0]["family"]) if champions else ("none", "")),
        ),
        (
            f"Mean {name_of(headlines_of(facts)[0])}",
            measure(mean),
            f"{min(scores):.3f} to {max(scores):.3f}" if scores else "",
        ),
        (
            "Challengers",
            str(len(challenged)),
            f"{released} released, {len(challenged) - released} refused"
            + (f", {restored} rolled back" if restored else ""),
        ),
        ("Batches", str(len(batches)), f"{stopped or 'none'} stopped"),
        ("Quarantined", count(quarantined), f"{share(quarantined / max(received, 1), 2)} of rows"),
        ("Wall time", f"{facts['wall_seconds']:,.0f} s", "of the flows"),
    ]
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]


def _plots(
    batches: Sequence[Facts],
    scored: Sequence[Facts],
    features: Mapping[str, float | None],
    threshold: float | None,
    headline: str,
) -> dict[str, Markup]:
    """The plots as SVG, empty where there is nothing to show."""
    drawn = dict.fromkeys(("performance", "estimates", "coverage", "rates", "drift", "calibration"), "")
    drawn["rows"] = plots.rows(_ids(batches), _of(batches, "accepted"), _of(batches, "quarantined"))
    if scored:
        events = _events(batches, batches.index(scored[0]))
        drawn |= _performance_plots(scored, events, headline)
        expected = _expected(batches, scored, headline)
        if expected:
            drawn["estimates"] = estimated(name_of(headline), headline, expected, events)
        shown = dict(list(features.items())[:MAX_FEATURES])
        if shown and threshold is not None:
            moved = _of(scored, "feature_drift")
            drawn["drift"] = plots.drift_map(_ids(scored), shown, moved, threshold, events)
    return {name: Markup(plot) for name, plot in drawn.items()}


def _performance_plots(
    scored: Sequence[Facts], events: Sequence[plots.Event], headline: str
) -> dict[str, str]:
    ids = _ids(scored)
    intervals = [pair if pair and None not in pair else None for pair in _of(scored, "score_interval")]
    predicted = [_mean_predicted(points) for points in _of(scored, "calibration")]
    errors = _of(scored, "calibration_error")
    curves = [batch for batch in scored if batch["calibration"]][-MAX_CURVES:]
    scores, baseline = _of(scored, "score"), _of(scored, "baseline_score")
    name = name_of(headline) + (" (0.5 = guessing)" if headline == "auc" else "")
    drawn = {"performance": plots.performance(name, ids, scores, intervals, baseline, events)}
    if any("coverage" in batch["measures"] for batch in scored):
        drawn["coverage"] = coverage(scored, events)
    if any(rate is not None for rate in _of(scored, "base_rate")):
        drawn["rates"] = plots.rates(ids, predicted, _of(scored, "base_rate"), errors, events)
    if curves:
        drawn["calibration"] = plots.calibration(_ids(curves), [_curve(batch) for batch in curves])
    return drawn


def _ids(batches: Sequence[Facts]) -> list[str]:
    return [batch["batch"] for batch in batches]


def _of(batches: Sequence[Facts], fact: str) -> list[Any]:
    return [batch[fact] for batch in batches]


def _events(batches: Sequence[Facts], first: int) -> list[plots.Event]:
    """Releases and refusals, by position among the batches from `first` on."""
    labels = [_short(batch["retrained"]) if batch["retrained"] else REFUSED for batch in batches]
    return [
        plots.Event(place - first, labels[place], batch["retrained"] is not None)
        for place, batch in enumerate(batches)
        if (batch["retrained"] or batch["challenger"]) and place >= first - 1
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
