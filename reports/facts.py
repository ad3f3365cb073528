"""The facts of a lifecycle, arranged as its page tells them."""

from collections.abc import Mapping, Sequence

from reports.batches import Facts, of, scored_of, short, told_batch
from reports.drawn import MAX_FEATURES, events_of, performance_plots, plots_of
from reports.headlines import LOWER_IS_BETTER, headlines_of, meaning_of, name_of
from reports.pages import count, measure, share
from reports.versions import told


def arranged(facts: Facts) -> Facts:
    """The values of the template `lifecycle.html`, from a `reports.lifecycle.Summary` of plain JSON."""
    headlines = headlines_of(facts)
    relative = facts.get("relative_loss_name", name_of("relative_loss"))
    batches = [told_batch(batch, headlines) for batch in facts["batches"]]
    scored = scored_of(batches)
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
        "plots": plots_of(batches, scored, features, threshold, headlines[0]),
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
    batches = [told_batch(batch, headlines) for batch in facts["batches"]]
    scored = scored_of(batches)
    if not scored:
        return ""
    events = events_of(batches, batches.index(scored[0]))
    return performance_plots(scored, events, headlines[0])["performance"]


def _features(scored: Sequence[Facts], importance: Mapping[str, float]) -> dict[str, float | None]:
    """Every feature whose drift was measured, the most important first, with its importance."""
    names = dict.fromkeys(name for batch in scored for name in batch["feature_drift"])
    ranked = sorted(names, key=lambda name: -(importance.get(name) or 0.0))
    return {name: importance.get(name) for name in ranked}


def _lede(batches: Sequence[Facts], headline: str) -> str:
    received, accepted, quarantined = (
        count(sum(of(batches, part))) for part in ("received", "accepted", "quarantined")
    )
    text = f"{received} rows were received: {accepted} accepted, {quarantined} quarantined."
    pairs = zip(of(batches, "score"), of(batches, "baseline_score"), strict=True)
    sign = -1 if headline in LOWER_IS_BETTER else 1
    ahead = [sign * (champion - other) > 0 for champion, other in pairs if None not in (champion, other)]
    if ahead:
        told = f"in {sum(ahead)} of {len(ahead)} batches"
        text += f" By {name_of(headline)}, the champion was better than the baseline {told}."
    return text


def _key_facts(facts: Facts, batches: Sequence[Facts]) -> list[dict[str, str]]:
    champions = [version for version in facts["versions"] if version["stage"] == "champion"]
    scores = [score for score in of(batches, "score") if score is not None]
    challenged = [batch for batch in batches if batch["challenger"] and batch["decision"]]
    released = sum(batch["retrained"] is not None for batch in challenged)
    restored = sum(batch["decision"] == "roll back" and batch["retrained"] is not None for batch in batches)
    stopped = of(batches, "status").count("stopped")
    received, quarantined = sum(of(batches, "received")), sum(of(batches, "quarantined"))
    mean = sum(scores) / len(scores) if scores else None
    told = [
        (
            "Champion",
            *((short(champions[0]["version"]), champions[0]["family"]) if champions else ("none", "")),
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
