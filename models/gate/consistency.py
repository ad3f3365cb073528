"""The rows just before: does a challenger gain on them, too, or was it fitted on those that judge it?"""

from dataclasses import replace

import numpy as np

from core.spec import Spec
from models.gate import duel
from models.gate.checks import MIN_BLOCKS, Check, Floats
from models.gate.duel import Duel
from models.measures.intervals import drawn_blocks
from models.problem import constant_losses
from models.rows import Rows


def consistent(match: Duel, spec: Spec, earlier: Rows | None, base: Floats) -> list[Check]:
    """The gain on the rows before: over the champion, on those that it was not fitted on, or the constant."""
    ours, theirs = match.ours, match.theirs
    if earlier is None or ours.earlier is None:
        return []
    some = (earlier.times >= theirs.fitted_until).to_numpy()
    champion = theirs.earlier is not None and _enough(earlier.at(some), spec)
    if not champion:
        some = np.ones_like(some)
        answers, before = (duel.constant(base, each) for each in (ours.answers, ours.earlier))
        theirs = replace(theirs, id=duel.CONSTANT, answers=answers, earlier=before)
    rows = earlier.at(some)
    if match.problem.lack(rows):
        return []
    then = [replace(each, answers=np.asarray(each.earlier)[some]) for each in (ours, theirs)]
    there = Duel(match.problem, match.rules, rows, drawn_blocks(rows, spec), then[0], then[1])
    return [_check(replace(match, theirs=theirs), there, champion=champion)]


def _enough(rows: Rows, spec: Spec) -> bool:
    return len(rows) > 0 and drawn_blocks(rows, spec).count >= MIN_BLOCKS


def _check(now: Duel, before: Duel, *, champion: bool) -> Check:
    """The gain is not far above that on the rows before, which the fit only stopped and calibrated on.

    What was fitted on the rows to be judged by knows them better than those. More than chance explains is
    too much from the spec's gain on (over a constant from twice that, for months differ in what there is to
    know), but it may be twice the gain before, or half of the loss left. Over a `champion` it is suspect only
    where the challenger by itself does better than before by as much: else it is the champion that has aged.
    """
    here, there, worth = now.gain, before.gain, now.rules.gain
    more, alone = here.value - there.value, _alone(now) - _alone(before)
    reach = float(np.hypot(here.value - here.low, there.value - there.low))
    left = float(before.problem.losses(before.rows, before.ours.answers).mean())
    limit = max(worth if champion else 2 * worth, min(there.value, left / 2))
    detail = (
        f"gains {here.value:+.4f} on {now.theirs.id}, and {there.value:+.4f} on the {len(before.rows)} rows "
        f"before: {more:+.4f} more ({more - reach:+.4f} to {more + reach:+.4f}), at most {limit:.4f}"
    )
    aged = champion and more > limit >= alone
    detail += f"; by itself it gains {alone:+.4f} more: the champion has aged" if aged else ""
    passed = more <= limit or more - reach <= 0 or aged
    return Check("as before", passed, more, limit, detail, more - reach, more + reach)


def _alone(match: Duel) -> float:
    """What ours saves on the best constant of these very rows."""
    problem, rows, answers = match.problem, match.rows, match.ours.answers
    saved = constant_losses(problem, rows, answers) - problem.losses(rows, answers)
    return float(saved.mean())
