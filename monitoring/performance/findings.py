"""What the outcomes of a batch say of the champion, held against its reference."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from core.spec import Monitoring
from monitoring.findings import Call, Finding
from monitoring.performance.realised import Realised


def of_performance(
    realised: Realised, reference: Mapping[str, float], rules: Monitoring, strange: float = 0.0
) -> Iterator[Finding]:
    """What the outcomes say, held against the champion's `reference` measures.

    Probabilities that are worse than the reference, but as good as they promise of these rows, are
    watched: the rows are harder. That is no excuse where the inputs are not what they were (values or
    columns that are new or missing), with a share of the importance, `strange`, that matters.

    Before all outcomes are due they ask for no more than a watch: those that come early are no random
    sample of the batch.
    """
    found = _found(realised, reference, rules, strange < rules.drifted_importance)
    if realised.final:
        yield from found
        return
    yield Finding(
        "nothing",
        f"Provisional: the outcomes of {realised.labelled} of {realised.scored} predictions are known, and"
        " not all are due; those that come early are no random sample",
        {"labelled_share": realised.labelled_share},
    )
    for each in found:
        yield each if each.call == "nothing" else replace(each, call="watch")


def _found(
    realised: Realised, reference: Mapping[str, float], rules: Monitoring, excused: bool
) -> Iterator[Finding]:
    if "auc" in realised.measures:
        found = _compared("AUC", "auc", realised, reference, rules.auc_drop)
        yield _promised(found, realised) if excused and found.call == "retrain" else found
    if "relative_loss" in realised.measures:
        yield _lost(realised, reference, rules.loss_rise, excused)
    if "coverage" in realised.measures:
        yield _covered(realised, rules.coverage_gap)
    if "calibration_error" in realised.measures:
        yield _calibration(realised, rules.calibration_error)


def _compared(
    what: str, name: str, realised: Realised, against: Mapping[str, float], limit: float
) -> Finding:
    """A measure beyond its limit retrains, unless its interval reaches the reference (then: watch)."""
    value, (low, high) = realised.measures[name], realised.intervals[name]
    reference = against.get(name, math.nan)
    if math.isnan(value) or math.isnan(reference):
        return Finding("watch", f"{what} {value:.3f} cannot be compared with the reference {reference:.3f}")
    worse = reference - value if name == "auc" else value - reference
    numbers = {name: value, f"{name}_reference": reference}
    reason = f"{what} {value:.3f} is {abs(value - reference):.3f} "
    reason += f"{'above' if value > reference else 'below'} the reference {reference:.3f}"
    if worse > 0:
        reason += f" (limit {limit:.3f})"
    if worse <= limit:
        return Finding("nothing", reason, numbers)
    if not (high < reference or low > reference):
        return Finding("watch", f"{reason}, {_unsure(low, high, 'the reference')}", numbers)
    return Finding("retrain", reason, numbers)


def _promised(found: Finding, realised: Realised) -> Finding:
    """An AUC below the reference is watched where the probabilities promise no more of these rows.

    That they do is looked for over several batches by `monitoring.performance.promises`.
    """
    gap = realised.measures.get("auc_gap", math.nan)
    if math.isnan(gap):
        return found
    told = f"{found.reason}, but within days the answers tell labels apart as well as they promise"
    if gap < 0:
        told = f"{found.reason}; within days it is {-gap:.3f} of AUC less than the answers promise"
    return replace(found, call="watch", reason=told, numbers=found.numbers | {"auc_gap": gap})


def _lost(realised: Realised, against: Mapping[str, float], limit: float, excused: bool) -> Finding:
    """The relative loss; one that a recalibration surely brings back within the limit asks for that alone."""
    found = _compared("Relative loss", "relative_loss", realised, against, limit)
    if found.call in ("nothing", "watch"):
        return found
    excess, won = (realised.measures.get(name, math.nan) for name in ("excess_loss", "calibration_loss"))
    if excused and not math.isnan(excess) and not _is_above_zero(realised, "excess_loss"):
        reason = f"{found.reason}, but as the answers themselves lead to expect of these rows"
        return replace(found, call="watch", reason=reason, numbers=found.numbers | {"excess_loss": excess})
    if math.isnan(won):
        return found
    rest = found.numbers["relative_loss"] - won - found.numbers["relative_loss_reference"]
    reason = f"{found.reason}: {won:.3f} of it is calibration, {rest:.3f} is what the answers tell"
    call: Call = "recalibrate" if mends(realised, against, limit, excused=excused) else "retrain"
    if excused and call == "retrain" and "auc_gap" in realised.measures:
        # Of this some is harder rows: what is not is looked for within days, where it is seen far better.
        call = "watch"
    return Finding(call, reason, found.numbers | {"calibration_loss": won})


def mends(realised: Realised, against: Mapping[str, float], limit: float, *, excused: bool = True) -> bool:
    """Whether a refit of intercept and slope surely wins something, and leaves the loss within the limit.

    Within the limit of the reference or, where rows may be harder, of what the answers lead to expect.
    """
    measures = realised.measures
    rest = measures.get("refinement_loss", math.nan) - against.get("relative_loss", math.nan)
    if excused and "excess_loss" in measures:
        rest = min(rest, measures["excess_loss"] - measures.get("calibration_loss", math.nan))
    return rest <= limit and _is_above_zero(realised, "calibration_loss")


def _covered(realised: Realised, limit: float) -> Finding:
    """A coverage beyond its limit recalibrates, unless its interval reaches the nominal one (then: watch)."""
    value, nominal = realised.measures["coverage"], realised.measures["nominal"]
    low, high = realised.intervals["coverage"]
    numbers = {"coverage": value, "nominal": nominal}
    reason = f"Coverage {value:.3f} where {nominal:.3f} was claimed (limit {limit:.3f} to either side)"
    if abs(value - nominal) <= limit:
        return Finding("nothing", reason, numbers)
    if not (high < nominal or low > nominal):
        return Finding("watch", f"{reason}, {_unsure(low, high, 'that')}", numbers)
    return Finding("recalibrate", reason, numbers)


def _calibration(realised: Realised, limit: float) -> Finding:
    """An error of calibration beyond its limit recalibrates where a refit surely wins something back."""
    error = realised.measures["calibration_error"]
    numbers = {"calibration_error": error}
    if error <= limit:
        return Finding("nothing", f"Calibration error {error:.3f} (limit {limit:.3f})", numbers)
    reason = f"Calibration error {error:.3f} is above its limit {limit:.3f}"
    if not _is_above_zero(realised, "calibration_loss"):
        return Finding("watch", f"{reason}, but what a refit would win back may be chance", numbers)
    won = realised.measures["calibration_loss"]
    reason += f": a refit of intercept and slope wins back {won:.3f} of the relative loss"
    return Finding("recalibrate", reason, numbers | {"calibration_loss": won})


def _unsure(low: float, high: float, what: str) -> str:
    if math.isnan(low):
        return "but of one day alone nobody can tell how much is chance"
    return f"but its 95% interval by day, {low:.3f} to {high:.3f}, reaches {what}"


def _is_above_zero(realised: Realised, name: str) -> bool:
    """Whether a measure is surely above 0: its interval by day does not reach it."""
    return realised.intervals.get(name, (math.nan, math.nan))[0] > 0


def not_judged(realised: Realised | None, rules: Monitoring) -> Finding:
    """How many outcomes are known, when they are too few to judge by."""
    if realised is None or not realised.labelled:
        return Finding("nothing", "No outcomes are known yet: performance is not judged")
    reason = (
        f"Outcomes are known for {realised.labelled} of {realised.scored} predictions: "
        f"{rules.min_rows} are needed to judge performance"
    )
    return Finding("nothing", reason, {"labelled_share": realised.labelled_share})
