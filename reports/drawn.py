"""The plots of a lifecycle, drawn from its batches as they are told."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from reports import plots
from reports.batches import Facts, ids_of, of, short
from reports.coverage import coverage
from reports.estimated import estimated
from reports.headlines import name_of

MAX_FEATURES = 30
MAX_CURVES = 12
REFUSED = "\N{MULTIPLICATION SIGN}"


def plots_of(
    batches: Sequence[Facts],
    scored: Sequence[Facts],
    features: Mapping[str, float | None],
    threshold: float | None,
    headline: str,
) -> dict[str, Markup]:
    """The plots as SVG, empty where there is nothing to show."""
    drawn = dict.fromkeys(("performance", "estimates", "coverage", "rates", "drift", "calibration"), "")
    drawn["rows"] = plots.rows(ids_of(batches), of(batches, "accepted"), of(batches, "quarantined"))
    if scored:
        events = events_of(batches, batches.index(scored[0]))
        drawn |= performance_plots(scored, events, headline)
        expected = _expected(batches, scored, headline)
        if expected:
            drawn["estimates"] = estimated(name_of(headline), headline, expected, events)
        shown = dict(list(features.items())[:MAX_FEATURES])
        if shown and threshold is not None:
            moved = of(scored, "feature_drift")
            drawn["drift"] = plots.drift_map(ids_of(scored), shown, moved, threshold, events)
    return {name: Markup(plot) for name, plot in drawn.items()}


def performance_plots(
    scored: Sequence[Facts], events: Sequence[plots.Event], headline: str
) -> dict[str, str]:
    """The plots of what was realised, as SVG."""
    ids = ids_of(scored)
    intervals = [pair if pair and None not in pair else None for pair in of(scored, "score_interval")]
    predicted = [_mean_predicted(points) for points in of(scored, "calibration")]
    errors = of(scored, "calibration_error")
    curves = [batch for batch in scored if batch["calibration"]][-MAX_CURVES:]
    scores, baseline = of(scored, "score"), of(scored, "baseline_score")
    name = name_of(headline) + (" (0.5 = guessing)" if headline == "auc" else "")
    drawn = {"performance": plots.performance(name, ids, scores, intervals, baseline, events)}
    if any("coverage" in batch["measures"] for batch in scored):
        drawn["coverage"] = coverage(scored, events)
    if any(rate is not None for rate in of(scored, "base_rate")):
        drawn["rates"] = plots.rates(ids, predicted, of(scored, "base_rate"), errors, events)
    if curves:
        drawn["calibration"] = plots.calibration(ids_of(curves), [_curve(batch) for batch in curves])
    return drawn


def events_of(batches: Sequence[Facts], first: int) -> list[plots.Event]:
    """Releases and refusals, by position among the batches from `first` on."""
    labels = [short(batch["retrained"]) if batch["retrained"] else REFUSED for batch in batches]
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


def _expected(batches: Sequence[Facts], scored: Sequence[Facts], headline: str) -> list[Facts]:
    """From the first batch with a realised headline to the last that has one or an estimate; or none."""
    known = [place for place, batch in enumerate(batches) if headline in (batch["estimates"] or {})]
    first = batches.index(scored[0])
    return list(batches[first : max(known[-1] + 1, first + len(scored))]) if known else []
