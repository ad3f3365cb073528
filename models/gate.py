"""The gate: a challenger is released only on evidence against the champion, on rows unseen by both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.errors import PerennialError
from core.spec import Spec
from models import checks, duel
from models.checks import Check, Contender, Floats, Served
from models.duel import Duel
from models.fairness import fairness
from models.intervals import drawn_blocks
from models.leakage import leakage
from models.problem import problem_of
from models.rows import Rows

__all__ = ["Check", "Contender", "GateReport", "Served", "judge"]


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's answer: accepted when every check passed."""

    challenger: str
    champion: str | None
    rows: int
    blocks: int
    accepted: bool
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was refused, a sentence for each failed check; what it gained when it was accepted."""
        told = [
            check for check in self.checks if not check.passed or (self.accepted and check.name == "better")
        ]
        return tuple(f"{check.name}: {check.detail}" for check in told)


def judge(
    spec: Spec,
    rows: Rows,
    challenger: Contender,
    champion: Contender | None,
    *,
    base: Floats,
    earlier: Rows | None = None,
) -> GateReport:
    """May the challenger replace the champion, by the rules of `spec.gate` and `spec.constraints`?

    Both answered the same labelled rows. Where there is no champion the challenger must beat always
    saying `base`, [] or [K]: the best constant of its training rows. `earlier` are the rows that
    the contenders' `earlier` answers are to. PerennialError when the answers are not of the rows.
    """
    contenders = [challenger, champion] if champion else [challenger]
    _require_alike(spec, rows, contenders)
    problem, blocks = problem_of(spec), drawn_blocks(rows, spec)
    found = [
        checks.unseen(rows, contenders),
        checks.sanity(problem, rows, contenders),
        checks.evidence(problem, rows, blocks),
    ]
    if found[1].passed and found[2].passed:  # or else there is nothing to compute with
        best = "the best constant"
        theirs = champion or Contender(best, duel.constant(base, challenger), 0, challenger.fitted_until)
        match = Duel(problem, spec.gate, rows, blocks, challenger, theirs, spec.constraints.loss_per_ms)
        found += [checks.scored_afresh(challenger, champion), *_compared(match, champion is None)]
        found += _consistent(match, spec, earlier, base)
        found += [fairness(match), leakage(match, spec)]
    found += [
        checks.parity(challenger.files),
        checks.latency(spec.constraints, challenger.files),
        checks.size(spec.constraints, challenger.files),
    ]
    accepted = all(check.passed for check in found)
    name = champion.id if champion else None
    return GateReport(challenger.id, name, len(rows), int(found[2].value), accepted, tuple(found))


def _require_alike(spec: Spec, rows: Rows, contenders: Sequence[Contender]) -> None:
    classes = len(spec.outcome.classes)
    wanted = (len(rows), classes) if spec.problem == "multiclass" else (len(rows),)
    for each in contenders:
        if each.answers.shape != wanted:
            raise PerennialError(f"{each.id} gave answers {each.answers.shape}, and {wanted} are needed")


def _compared(match: Duel, first: bool) -> list[Check]:
    ranked = [duel.ranking(match, must_gain=first)] if match.problem.kind == "binary" else []
    return [duel.better(match), *ranked, duel.slices(match), duel.calibration(match)]


def _consistent(match: Duel, spec: Spec, earlier: Rows | None, base: Floats) -> list[Check]:
    """The gain on the rows before, by the champion if those are unseen by it, or else by the constant."""
    ours, theirs = match.ours, match.theirs
    if earlier is None or ours.earlier is None or match.problem.lack(earlier):
        return []
    if theirs.earlier is None or (earlier.times < theirs.fitted_until).any():
        theirs = replace(
            theirs,
            id="the best constant",
            answers=duel.constant(base, ours),
            earlier=np.broadcast_to(base, ours.earlier.shape),
        )
    assert theirs.earlier is not None
    then = [replace(each, answers=np.asarray(each.earlier)) for each in (ours, theirs)]
    before = Duel(match.problem, match.rules, earlier, drawn_blocks(earlier, spec), then[0], then[1])
    return [duel.consistent(replace(match, theirs=theirs), before)]
