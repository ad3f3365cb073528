"""What a change of the champion's errors, day by day, asks for."""

import math
from collections.abc import Iterator, Mapping, Sequence

from core.spec import Monitoring
from monitoring.findings import Call, Finding
from monitoring.performance.concept import Change
from monitoring.performance.findings import mends
from monitoring.performance.realised import Realised

_WHAT = {
    "error": ("The mean error of a day", ""),
    "excess loss": ("The loss of a day beyond what was to be expected", " of a constant's loss"),
}


def of_concept(
    found: Sequence[Change], realised: Realised, reference: Mapping[str, float], rules: Monitoring
) -> Iterator[Finding]:
    """The changes that became sure in this batch, and the last one before it.

    A risen loss of more than `loss_rise` retrains, or recalibrates where that brings the batch back; a
    mean error of more than `calibration_error` recalibrates probabilities where a refit surely wins
    something. What costs less is watched.
    """
    if not realised.blocks or not realised.final:
        return
    since = realised.blocks[0].begins
    earlier = [each for each in found if each.spoke < since]
    for each in found:
        if each.spoke >= since:
            yield Finding(_call(each, realised, reference, rules), _told(each), _numbers(each))
    if earlier and len(earlier) == len(found):
        yield Finding("nothing", f"Concept drift last spoke before this batch: {_told(earlier[-1])}")


def _call(found: Change, realised: Realised, reference: Mapping[str, float], rules: Monitoring) -> Call:
    back = mends(realised, reference, rules.loss_rise)
    if found.signal == "excess loss":
        if found.shift <= rules.loss_rise:
            return "watch"
        return "recalibrate" if back else "retrain"
    claims = not math.isnan(realised.blocks[0].expected)
    return "recalibrate" if back and claims and abs(found.shift) > rules.calibration_error else "watch"


def _told(found: Change) -> str:
    what, unit = _WHAT[found.signal]
    return (
        f"{what} changed, surely on {found.spoke[:10]}: since then it is {found.shift:+.3f}{unit} from"
        f" what was usual ({found.shifts:+.1f} standard deviations of a day)"
    )


def _numbers(found: Change) -> dict[str, float]:
    name = found.signal.replace(" ", "_")
    return {f"{name}_shift": found.shift, f"{name}_shifts": found.shifts}
