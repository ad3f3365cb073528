"""The page of what is watched: how far inputs and predictions moved, and what was expected of batches."""

from collections.abc import Mapping, Sequence

from reports.downloads import Drawn, with_data
from reports.headlines import headlines_of, name_of
from reports.lifecycle.batches import Facts, ids_of, of, scored_of, told_batch
from reports.lifecycle.drawn import MAX_FEATURES, drift_plot, drifted_of, estimates_plot, events_of
from reports.lifecycle.facts import DRIFT
from reports.monitoring.plots import shifts
from reports.pages import NOTHING, measure, share


def arranged(site: Facts, history: Facts) -> Facts:
    """The values of the template `monitoring.html`, from the facts of `reports.site` as plain JSON."""
    headlines = headlines_of(history)
    batches = [told_batch(batch, headlines) for batch in history["batches"]]
    scored = scored_of(batches) or [batch for batch in batches if batch["feature_drift"]]
    threshold = history.get("drift_threshold", DRIFT)
    features = _features(scored, history.get("importance", {}))
    return {
        "headline": name_of(headlines[0]),
        "facts": _key_facts(site, scored, features, threshold, headlines[0]),
        "scored": scored,
        "features": features,
        "hidden": max(0, len(features) - MAX_FEATURES),
        "threshold": threshold,
        "drift": drift_plot(batches, scored, features, threshold) if features and threshold else None,
        "shifts": _shifts(batches, scored),
        "estimates": estimates_plot(batches, scored, headlines[0]),
        "expected": [each for batch in batches if (each := _expected(batch, headlines[0]))],
        "pages": [batch for batch in batches if batch["drift_page"]],
        "alerts": site["alerts"],
    }


def _features(scored: Sequence[Facts], importance: Mapping[str, float]) -> dict[str, float | None]:
    """Every feature whose drift was measured, the most important first, with its importance."""
    names = dict.fromkeys(name for batch in scored for name in batch["feature_drift"])
    ranked = sorted(names, key=lambda name: -(importance.get(name) or 0.0))
    return {name: importance.get(name) for name in ranked}


def _shifts(batches: Sequence[Facts], scored: Sequence[Facts]) -> Drawn | None:
    """The drift of the predictions, and the importance in inputs that drifted."""
    said, inputs = of(scored, "prediction_drift"), of(scored, "drift")
    if all(value is None for value in (*said, *inputs)):
        return None
    columns = {"batch": ids_of(scored), "prediction drift": said, "importance that drifted": inputs}
    events = events_of(batches, batches.index(scored[0]))
    return with_data(shifts(ids_of(scored), said, inputs, events), "shifts", columns)


def _expected(batch: Facts, headline: str) -> Facts | None:
    """The estimate of a batch beside what came; None where there is none."""
    found = (batch["estimates"] or {}).get(headline)
    told = {"batch": batch["batch"], "came": batch["score"], "final": batch["final"]}
    return found | told if found else None


def _key_facts(
    site: Facts, scored: Sequence[Facts], features: Mapping[str, float | None], threshold: float | None,
    headline: str,
) -> list[dict[str, str]]:  # fmt: skip
    last = scored[-1] if scored else None
    moved = drifted_of(last, threshold) if last and threshold else []
    judged = [_expected(batch, headline) for batch in scored]
    errors = [abs(each["error"]) for each in judged if each and each["error"] is not None]
    told = [
        ("Newest batch", last["batch"] if last else "none", "that was judged" if last else "none was judged"),
        ("Inputs that moved", f"{len(moved)} of {len(features)}" if features else NOTHING,
         f"with {share(last['drift'], 0)} of the importance" if last and last["drift"] is not None else ""),
        ("Prediction drift", measure(last["prediction_drift"], 2) if last else NOTHING, "stability index"),
        ("Estimates off by", measure(sum(errors) / len(errors)) if errors else NOTHING,
         f"of {name_of(headline)} on average, over {len(errors)} batches" if errors else ""),
        ("Open alerts", str(len(site["alerts"])), ""),
    ]  # fmt: skip
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]
