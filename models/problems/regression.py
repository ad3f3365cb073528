"""Regression: how much of something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from models.measures.ranks import correlation, ranks
from models.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regression:
    """Answers are values [n] in the label's unit, compared by `rmse` or `mae`.

    `costs` are those of a unit that an answer is `under` or `over` the truth.
    """

    metric: str = "rmse"
    costs: Mapping[str, float] = field(default_factory=dict)

    kind: ClassVar[Literal["regression"]] = "regression"
    output: ClassVar[str] = "value"
    outputs: ClassVar[tuple[str, ...]] = ("value",)
    link: ClassVar[Literal["identity"]] = "identity"

    def units(self, rows: Rows) -> NDArray[np.intp]:
        """Each row."""
        return np.arange(len(rows))

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """The squared (or absolute) error of each row [n], as a share of what a constant has on these rows.

        So they have no unit, and their mean is 1 for a model that knows nothing: 1 - R² for `rmse`.
        """
        errors = self._errors(rows.labels - answers)
        best = np.median(rows.labels) if self.metric == "mae" else rows.labels.mean()
        scale = float(self._errors(rows.labels - best).mean())
        return errors / scale if scale > 0 else errors

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """rows, mean (of the labels), rmse, mae, bias (answer less truth), loss, and cost."""
        parts = self.parts(rows, answers)
        means = {name: float(part.mean()) for name, part in parts.items()}
        means["rmse"] = float(np.sqrt(means.pop("squared_error")))
        return {"rows": float(len(rows)), "mean": float(rows.labels.mean()), **means}

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """squared_error, mae, bias, loss, and cost, of each row."""
        off = answers - rows.labels
        found = {
            "squared_error": off**2,
            "mae": np.abs(off),
            "bias": off,
            "loss": self.losses(rows, answers),
        }
        if not self.costs:
            return found
        return found | {"cost": np.where(off < 0, -off * self.costs["under"], off * self.costs["over"])}

    def constant(self, rows: Rows) -> Floats:
        """The mean of the labels, or their median for `mae`."""
        return np.asarray(np.median(rows.labels) if self.metric == "mae" else rows.labels.mean())

    def fault(self, rows: Rows, answers: Floats) -> str | None:
        """What is no number, or further beyond the labels of these rows than those are apart."""
        wrong = int((~np.isfinite(answers)).sum())
        if wrong:
            return f"{wrong} of {answers.size} answers are no finite numbers"
        low, high = float(rows.labels.min()), float(rows.labels.max())
        span = high - low
        far = int(((answers < low - span) | (answers > high + span)).sum())
        return (
            f"{far} of {answers.size} answers lie far from all labels, {low:g} to {high:g}" if far else None
        )

    def targets(self, rows: Rows) -> Floats:
        """The rank of each label among all, from 0 to 1 [n, 1]: one huge label does not make up the whole."""
        return np.asarray(ranks(rows.labels)[:, None] / len(rows), np.float64)

    def selected(self, rows: Rows, answers: Floats) -> Floats:
        """Nothing is decided [n, 0]."""
        return np.empty((len(rows), 0))

    def off(self, rows: Rows, answers: Floats) -> Floats:
        """The answer less the label, in standard deviations of the labels [n, 1]; nothing for `mae` [n, 0].

        What is best for the mean absolute error is a median: its errors have no mean of 0.
        """
        if self.metric == "mae":
            return np.empty((len(rows), 0))
        spread = float(rows.labels.std())
        return (answers - rows.labels)[:, None] / (spread if spread > 0 else 1.0)

    def told(self, rows: Rows, scores: Floats) -> float:
        """The share of the labels' order that scores [n, 1] tell: Spearman's correlation, squared."""
        if np.ptp(rows.labels) == 0 or (scores == scores[0]).all():
            return 0.0
        return correlation(scores[:, 0], rows.labels) ** 2

    def lack(self, rows: Rows) -> str | None:
        """All labels are the same."""
        return None if np.ptp(rows.labels) > 0 else f"{len(rows)} rows, all with the label {rows.labels[0]:g}"

    def _errors(self, off: Floats) -> Floats:
        return np.abs(off) if self.metric == "mae" else np.asarray(off**2, np.float64)
