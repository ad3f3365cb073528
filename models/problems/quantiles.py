"""Quantile regression: between which values something will lie, and how surely."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from models.measures.pinball import pinball
from models.measures.ranks import correlation, ranks
from models.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Answers are values [n, K] in the label's unit, below which shares `levels` of the labels lie.

    They rise from one to the next, and are compared by the pinball loss, a mean over the levels.
    """

    levels: tuple[float, ...]

    kind: ClassVar[Literal["regression"]] = "regression"
    metric: ClassVar[str] = "pinball"
    output: ClassVar[str] = "quantiles"
    link: ClassVar[Literal["sorted"]] = "sorted"

    @property
    def outputs(self) -> tuple[str, ...]:
        """What each quantile is called.

        >>> Quantiles((0.025, 0.5)).outputs
        ('q2.5', 'q50')
        """
        return tuple(f"q{100 * level:.10g}" for level in self.levels)

    @property
    def nominal(self) -> float:
        """The share of labels that should lie between the outermost quantiles, or below the only one.

        >>> round(Quantiles((0.1, 0.5, 0.9)).nominal, 4), Quantiles((0.9,)).nominal
        (0.8, 0.9)
        """
        return self.levels[-1] - (self.levels[0] if len(self.levels) > 1 else 0.0)

    def units(self, rows: Rows) -> NDArray[np.intp]:
        """Each row."""
        return np.arange(len(rows))

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """The pinball loss of each row [n], as a share of what constant quantiles have on these rows.

        Those are the best ones, so that losses have no unit, and a mean of 1 for a model that knows nothing.
        """
        losses = pinball(rows.labels, answers, self.levels)
        best = np.broadcast_to(self.constant(rows), answers.shape)
        scale = float(pinball(rows.labels, best, self.levels).mean())
        return losses / scale if scale > 0 else losses

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """rows, mean (of the labels), pinball, loss, coverage, nominal, width, and of a median mae and bias.

        `coverage` is the share of labels between the outermost quantiles, or up to the only one.
        """
        means = {name: float(part.mean()) for name, part in self.parts(rows, answers).items()}
        about = {"rows": float(len(rows)), "mean": float(rows.labels.mean()), "nominal": self.nominal}
        return about | means

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """pinball, loss, coverage, width, mae and bias of each row: see `measures`."""
        lowest, highest = answers[:, 0], answers[:, -1]
        found = {"pinball": pinball(rows.labels, answers, self.levels), "loss": self.losses(rows, answers)}
        covered = rows.labels <= highest
        if len(self.levels) > 1:
            covered &= rows.labels >= lowest
            found["width"] = highest - lowest
        found["coverage"] = covered.astype(np.float64)
        if 0.5 in self.levels:
            off = self.middle(answers) - rows.labels
            found |= {"mae": np.abs(off), "bias": off}
        return found

    def middle(self, answers: Floats) -> Floats:
        """The quantile [n] by which an answer is told in one number: the one nearest to the median."""
        return answers[:, int(np.abs(np.array(self.levels) - 0.5).argmin())]

    def constant(self, rows: Rows) -> Floats:
        """The quantiles of the labels [K]."""
        return np.asarray(np.quantile(rows.labels, self.levels, method="inverted_cdf"), np.float64)

    def fault(self, rows: Rows, answers: Floats) -> str | None:
        """What is no number, falls from one quantile to the next, or lies far beyond the labels."""
        wrong = int((~np.isfinite(answers)).any(axis=1).sum())
        if wrong:
            return f"{wrong} of {len(answers)} rows have quantiles that are no finite numbers"
        crossed = int((np.diff(answers, axis=1) < 0).any(axis=1).sum())
        if crossed:
            return f"{crossed} of {len(answers)} rows have quantiles that cross"
        low, high = float(rows.labels.min()), float(rows.labels.max())
        span = high - low
        far = int(((answers < low - span) | (answers > high + span)).any(axis=1).sum())
        told = f"{far} of {len(answers)} rows have quantiles far from all labels, {low:g} to {high:g}"
        return told if far else None

    def targets(self, rows: Rows) -> Floats:
        """The rank of each label among all, from 0 to 1 [n, 1]: one huge label does not make up the whole."""
        return np.asarray(ranks(rows.labels)[:, None] / len(rows), np.float64)

    def selected(self, rows: Rows, answers: Floats) -> Floats:
        """Nothing is decided [n, 0]."""
        return np.empty((len(rows), 0))

    def off(self, rows: Rows, answers: Floats) -> Floats:
        """Whether the label is not above each quantile, less the quantile's level [n, K].

        Where many labels are one value, more of them than the level may rightly lie at a quantile.
        """
        return np.asarray((rows.labels[:, None] <= answers) - np.array(self.levels), np.float64)

    def told(self, rows: Rows, scores: Floats) -> float:
        """The share of the labels' order that scores [n, 1], or the middle of [n, K], tell (Spearman)."""
        said = self.middle(scores) if scores.shape[1] == len(self.levels) else scores[:, 0]
        if np.ptp(rows.labels) == 0 or np.ptp(said) == 0:
            return 0.0
        return correlation(said, rows.labels) ** 2

    def lack(self, rows: Rows) -> str | None:
        """All labels are the same."""
        return None if np.ptp(rows.labels) > 0 else f"{len(rows)} rows, all with the label {rows.labels[0]:g}"
