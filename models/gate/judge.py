"""The gate: a challenger is released only on evidence against the champion, on rows unseen by both."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import PerennialError
from core.spec import Spec
from models.gate import checks, duel
from models.gate.checks import Check, Contender, Floats, Served
from models.gate.consistency import consistent
from models.gate.duel import Duel
from models.gate.fairness import fairness
from models.gate.leakage import leakage
from models.measures.intervals import drawn_blocks
from models.problem import Problem, problem_of, shape_of
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
    problem, blocks = problem_of(spec), drawn_blocks(rows, spec)
    _require_alike(problem, rows, contenders)
    seen, sane = checks.unseen(rows, contenders), checks.sanity(problem, rows, contenders)
    evidence = checks.evidence(problem, rows, blocks)
    found = [seen, sane, evidence]
    if sane.passed and evidence.passed:  # or else there is nothing to compute with
        always = duel.constant(base, challenger.answers)
        theirs = champion or Contender(duel.CONSTANT, always, 0, challenger.fitted_until)
        match = Duel(problem, spec.gate, rows, blocks, challenger, theirs, spec.constraints.loss_per_ms)
        found += [checks.scored_afresh(challenger, champion), *_compared(match, champion is None)]
        found += [*consistent(match, spec, earlier, base), fairness(match), leakage(match, spec)]
    limits, files = spec.constraints, challenger.files
    found += [checks.parity(files), checks.latency(limits, files), checks.size(limits, files)]
    accepted = all(check.passed for check in found)
    name = champion.id if champion else None
    return GateReport(challenger.id, name, len(rows), int(evidence.value), accepted, tuple(found))


def _require_alike(problem: Problem, rows: Rows, contenders: Sequence[Contender]) -> None:
    wanted = shape_of(problem, len(rows))
    for each in contenders:
        if each.answers.shape != wanted:
            raise PerennialError(f"{each.id} gave answers {each.answers.shape}, and {wanted} are needed")


def _compared(match: Duel, first: bool) -> list[Check]:
    ranked = [duel.ranking(match, must_gain=first)] if match.problem.kind == "binary" else []
    return [duel.better(match), *ranked, duel.slices(match), duel.calibration(match)]
