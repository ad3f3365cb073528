"""The facts of a lifecycle, arranged as its page tells them."""

from collections.abc import Sequence

from reports.headlines import LOWER_IS_BETTER, headlines_of, meaning_of, name_of
from reports.lifecycle.batches import Facts, of, scored_of, short, told_batch
from reports.lifecycle.drawn import history_plots
from reports.pages import NOTHING, count, measure, share

DRIFT = 0.2  # the threshold of a summary that names none


def arranged(facts: Facts) -> Facts:
    """The values of the template `lifecycle.html`, from a `reports.lifecycle.page.Summary` of plain JSON."""
    headlines = headlines_of(facts)
    relative = facts.get("relative_loss_name", name_of("relative_loss"))
    batches = [told_batch(batch, headlines) for batch in facts["batches"]]
    return {
        "project": facts["project"],
        "title": facts.get("title", facts["project"]),
        "lede": _lede(batches, headlines[0]),
        "headlines": [name_of(headline) for headline in headlines],
        "relative_name": relative,
        "has_rates": facts["versions"] == [] or any(batch["base_rate"] is not None for batch in batches),
        "facts": _key_facts(facts, batches),
        "batches": batches,
        "decided": [batch for batch in batches if batch["decision"] or batch["outcome"]],
        "drift_threshold": facts.get("drift_threshold", DRIFT),
        "plots": history_plots(batches, scored_of(batches), headlines[0]),
        "meanings": [
            *((name_of(headline), meaning_of(headline)) for headline in headlines),
            (relative, meaning_of("relative_loss")),
        ],
    }


def performance(facts: Facts) -> str:
    """The plot of the first headline by batch alone, as SVG; empty where no batch was scored."""
    headlines = headlines_of(facts)
    batches = [told_batch(batch, headlines) for batch in facts["batches"]]
    plots = history_plots(batches, scored_of(batches), headlines[0])
    return str(plots["performance"].svg) if plots else ""


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
    seconds = facts["wall_seconds"]
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
        ("Wall time", f"{seconds:,.0f} s" if seconds else NOTHING, "of the flows"),
    ]
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]
