"""The plots of a lifecycle with their numbers, drawn from its batches as they are told."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports import plots
from reports.downloads import Drawn, with_data
from reports.headlines import name_of
from reports.lifecycle.batches import Facts, ids_of, of, short
from reports.lifecycle.coverage import coverage
from reports.lifecycle.estimated import estimated
from reports.monitoring.drift_map import drift_map

MAX_FEATURES = 30
MAX_CURVES = 12
REFUSED = "\N{MULTIPLICATION SIGN}"
_ENDS = ("value", "low", "high")


def history_plots(batches: Sequence[Facts], scored: Sequence[Facts], headline: str) -> dict[str, Drawn]:
    """What was realised: the plots that there is something to show on."""
    if not scored:
        return {}
    events = events_of(batches, batches.index(scored[0]))
    ids = ids_of(scored)
    drawn = {"performance": _performance(scored, events, headline)}
    if any("coverage" in batch["measures"] for batch in scored):
        drawn["coverage"] = with_data(
            coverage(scored, events), "coverage", {"batch": ids, **_parts(scored, "coverage")}
        )
    observed = of(scored, "base_rate")
    if any(rate is not None for rate in observed):
        predicted = [_mean_predicted(points) for points in of(scored, "calibration")]
        errors = of(scored, "calibration_error")
        drawn["rates"] = with_data(
            plots.rates(ids, predicted, observed, errors, events),
            "rates",
            {"batch": ids, "predicted": predicted, "observed": observed, "calibration error": errors},
        )
    curves = [batch for batch in scored if batch["calibration"]][-MAX_CURVES:]
    if curves:
        drawn["calibration"] = _calibration(curves)
    return drawn


def drift_plot(
    batches: Sequence[Facts], scored: Sequence[Facts], features: Mapping[str, float | None], threshold: float
) -> Drawn:
    """The heat map of the most important features' drift; the numbers are those of all."""
    ids, moved = ids_of(scored), of(scored, "feature_drift")
    drifted = [drifted_of(batch, threshold) for batch in scored]
    shown = dict(list(features.items())[:MAX_FEATURES])
    events = events_of(batches, batches.index(scored[0]))
    columns: dict[str, list[Any]] = {"feature": list(features), "importance": list(features.values())}
    for batch, values in zip(ids, moved, strict=True):
        columns[batch] = [values.get(name) for name in features]
    return with_data(drift_map(ids, shown, moved, drifted, threshold, events), "drift", columns)


def drifted_of(batch: Facts, threshold: float) -> list[str]:
    """The features of a batch that drifted; where it does not say, those from the threshold on."""
    if batch["drifted"] is not None:
        return list(batch["drifted"])
    known = {name: value for name, value in batch["feature_drift"].items() if value is not None}
    return [name for name, value in known.items() if value >= threshold]


def estimates_plot(batches: Sequence[Facts], scored: Sequence[Facts], headline: str) -> Drawn | None:
    """The headline as it was estimated without labels, beside what came; None without an estimate."""
    known = [place for place, batch in enumerate(batches) if headline in (batch["estimates"] or {})]
    if not known or not scored:
        return None
    first = batches.index(scored[0])
    shown = batches[first : max(known[-1] + 1, first + len(scored))]
    found = [(batch["estimates"] or {}).get(headline) or {} for batch in shown]
    columns: dict[str, list[Any]] = {"batch": ids_of(shown)}
    columns |= {f"estimated {part}": [each.get(part) for each in found] for part in _ENDS}
    columns |= {"realised": of(shown, "score"), "final": of(shown, "final")}
    drawn = estimated(name_of(headline), headline, shown, events_of(batches, first))
    return with_data(drawn, "estimated", columns)


def rows_plot(batches: Sequence[Facts]) -> Drawn:
    """Rows accepted and quarantined, by batch."""
    ids, accepted, quarantined = ids_of(batches), of(batches, "accepted"), of(batches, "quarantined")
    columns = {"batch": ids, "accepted": accepted, "quarantined": quarantined}
    return with_data(plots.rows(ids, accepted, quarantined), "rows", columns)


def events_of(batches: Sequence[Facts], first: int) -> list[plots.Event]:
    """Releases and refusals, by position among the batches from `first` on."""
    labels = [short(batch["retrained"]) if batch["retrained"] else REFUSED for batch in batches]
    return [
        plots.Event(place - first, labels[place], batch["retrained"] is not None)
        for place, batch in enumerate(batches)
        if (batch["retrained"] or batch["challenger"]) and place >= first - 1
    ]


def _performance(scored: Sequence[Facts], events: Sequence[plots.Event], headline: str) -> Drawn:
    ids, scores, baseline = ids_of(scored), of(scored, "score"), of(scored, "baseline_score")
    intervals = [pair if pair and None not in pair else None for pair in of(scored, "score_interval")]
    name = name_of(headline) + (" (0.5 = guessing)" if headline == "auc" else "")
    low, high = ([pair[end] if pair else None for pair in intervals] for end in (0, 1))
    columns = {
        "batch": ids,
        "version": of(scored, "champion"),
        name_of(headline): scores,
        "low": low,
        "high": high,
        "baseline": baseline,
    }
    return with_data(
        plots.performance(name, ids, scores, intervals, baseline, events), "performance", columns
    )


def _calibration(curves: Sequence[Facts]) -> Drawn:
    points = [(batch["batch"], point) for batch in curves for point in batch["calibration"]]
    columns: dict[str, list[Any]] = {"batch": [batch for batch, _ in points]}
    columns |= {part: [point[part] for _, point in points] for part in ("predicted", "observed", "rows")}
    return with_data(
        plots.calibration(ids_of(curves), [_curve(batch) for batch in curves]), "calibration", columns
    )


def _parts(scored: Sequence[Facts], measure: str) -> dict[str, list[Any]]:
    """A realised measure and its interval, by batch."""
    pairs = [batch["intervals"].get(measure) or (None, None) for batch in scored]
    values = [batch["measures"].get(measure) for batch in scored]
    return {measure: values, "low": [low for low, _ in pairs], "high": [high for _, high in pairs]}


def _mean_predicted(points: Sequence[Facts]) -> float | None:
    rows = sum(point["rows"] for point in points)
    return sum(point["predicted"] * point["rows"] for point in points) / rows if rows else None


def _curve(batch: Facts) -> tuple[list[float], list[float]]:
    points = batch["calibration"]
    return [point["predicted"] for point in points], [point["observed"] for point in points]
