"""The gate: a challenger is released only on evidence against the champion, on rows unseen by both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from core.spec import Spec
from models import checks, duel
from models.checks import Check, Contender, Served
from models.duel import Duel
from models.paired import Blocks
from models.rows import Rows, columns

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
    base_rate: float,
    files: Sequence[Served],
) -> GateReport:
    """May the challenger replace the champion, by the rules of `spec.gate`?

    Both answered the same labelled rows. Where there is no champion the challenger must beat
    always saying `base_rate`, the positive share of its training rows. `files` are those that
    would serve it. PerennialError when the probabilities are not one for each row.
    """
    labels: NDArray[np.float64] = np.asarray(rows.labels, np.float64)
    for each in (challenger, champion or challenger):
        if each.answers.shape != labels.shape:
            raise PerennialError(f"{each.id} gave {each.answers.shape} probabilities for {labels.shape} rows")
    blocks = Blocks.draw(_block_names(rows.times, spec), spec.gate.draws, spec.training.seed)
    contenders = [challenger, champion] if champion else [challenger]
    found = [
        checks.unseen(rows.times, contenders),
        checks.sanity(contenders),
        checks.evidence(labels, blocks),
    ]
    if found[1].passed and found[2].passed:  # or else there is nothing to compute with
        base = Contender("the base rate", np.full(len(labels), base_rate), 0, challenger.fitted_until)
        match = Duel(spec.gate, rows.frame, labels, blocks, challenger, champion or base)
        found += [
            duel.better(match),
            duel.ranking(match, must_gain=champion is None),
            duel.slices(match),
            duel.calibration(match),
            checks.leakage(rows.frame, columns(spec), spec.outcome.label, labels, challenger, blocks),
        ]
    found += [
        checks.parity(files),
        checks.latency(spec.constraints, files),
        checks.size(spec.constraints, files),
    ]
    accepted = all(check.passed for check in found)
    name = champion.id if champion else None
    return GateReport(challenger.id, name, len(labels), blocks.count, accepted, tuple(found))


def _block_names(times: pl.Series, spec: Spec) -> NDArray[np.int64]:
    """The block of each row [n]: local time in steps of `gate.block`."""
    local = times.dt.convert_time_zone(spec.batches.timezone).dt.replace_time_zone(None)
    step = int(spec.gate.block.total_seconds() * 1_000_000)
    return np.asarray((local.dt.epoch("us") // step).to_numpy(), np.int64)
