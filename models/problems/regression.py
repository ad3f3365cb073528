"""Regression: how much of something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

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

    def fault(self, answers: Floats) -> str | None:
        """What is no number, or the same for all."""
        wrong = int((~np.isfinite(answers)).sum())
        if wrong:
            return f"{wrong} of {answers.size} answers are no finite numbers"
        return "it says the same for every row" if np.ptp(answers) == 0 else None

    def lack(self, rows: Rows) -> str | None:
        """All labels are the same."""
        return None if np.ptp(rows.labels) > 0 else f"{len(rows)} rows, all with the label {rows.labels[0]:g}"

    def _errors(self, off: Floats) -> Floats:
        return np.abs(off) if self.metric == "mae" else np.asarray(off**2, np.float64)
