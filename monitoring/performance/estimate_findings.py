"""What was estimated without labels, what came of it, and what it says: by default no more than a watch."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from core.spec import Monitoring
from monitoring.findings import Call, Finding
from monitoring.performance.estimates import Estimate
from monitoring.performance.realised import Realised

# The measure by which an estimate is told, by what there is.
_TOLD = {"auc": "AUC", "accuracy": "Accuracy", "rmse": "RMSE", "pinball": "Pinball loss"}


@dataclass(frozen=True, slots=True)
class Checked:
    """An estimate beside the naive guess, and how far off both were (each less the measure).

    The naive guess is that the batch is as the newest final one was, or else as the reference. Before
    all outcomes are in, the errors are None.
    """

    value: float
    low: float
    high: float
    naive: float | None
    error: float | None
    naive_error: float | None


def checked(
    found: Mapping[str, Estimate], naive: Mapping[str, float], realised: Realised
) -> dict[str, Checked]:
    """Each estimate by what the labels say, where all of them are in."""
    told = realised.measures if realised.final else {}
    kept = {}
    for name, each in found.items():
        guess, truth = naive.get(name), told.get(name, math.nan)
        error = None if math.isnan(truth) else each.value - truth
        naive_error = None if error is None or guess is None else guess - truth
        kept[name] = Checked(**asdict(each), naive=guess, error=error, naive_error=naive_error)
    return kept


def of_estimates(
    found: Mapping[str, Checked], realised: Realised, reference: Mapping[str, float], rules: Monitoring
) -> Iterator[Finding]:
    """What the estimate says, or said; it opens nothing, unless the spec lets it (`opened_by`).

    It asks for a watch while the outcomes are not in, where it is surely worse than the reference by
    more than `auc_drop` (of an AUC) or `loss_rise` (of the relative loss).
    """
    name = next((name for name in _TOLD if name in found), None)
    if name is None:
        return
    each, what = found[name], _TOLD[name]
    numbers = {f"{name}_estimated": each.value}
    reason = f"Without labels {what} is estimated at {each.value:.3f}{_reach(each)}"
    if each.error is not None:
        reason += f", and was off by {abs(each.error):.3f}"
        numbers[f"{name}_estimate_error"] = each.error
        if each.naive_error is not None:
            reason += f"; that it stays as it was, by {abs(each.naive_error):.3f}"
            numbers[f"{name}_naive_error"] = each.naive_error
    opens = "estimates" in rules.opened_by
    worse = (opens or not realised.final) and _worse(found, reference, rules)
    if worse:
        reason += ", surely worse than the reference" + ("" if opens else "; an estimate alone opens nothing")
    call: Call = ("retrain" if opens else "watch") if worse else "nothing"
    yield Finding(call, reason, numbers, source="estimates")


def _worse(found: Mapping[str, Checked], reference: Mapping[str, float], rules: Monitoring) -> bool:
    """Whether a measure is estimated beyond its limit, with an interval that does not reach the reference."""
    for name, limit, sign in (("auc", rules.auc_drop, 1), ("relative_loss", rules.loss_rise, -1)):
        if name in found:
            each, known = found[name], reference.get(name, math.nan)
            nearest = each.high if sign > 0 else each.low
            if sign * (known - each.value) > limit and sign * (known - nearest) > 0:
                return True
    return False


def _reach(each: Checked) -> str:
    return f" ({each.low:.3f} to {each.high:.3f})" if math.isfinite(each.low) else ""
