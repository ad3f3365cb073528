"""Multiclass classification: the probability of each class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from models.measures.probabilities import auc, calibration_error
from models.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Multiclass:
    """Answers are probabilities [n, K] of the `classes`, compared by `log_loss` or `brier`.

    `costs[actual][said]` is that of taking one class for another.
    """

    metric: str
    classes: tuple[str, ...]
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    kind: ClassVar[Literal["multiclass"]] = "multiclass"
    output: ClassVar[str] = "probabilities"
    link: ClassVar[Literal["softmax"]] = "softmax"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    def units(self, rows: Rows) -> NDArray[np.intp]:
        """Each row."""
        return np.arange(len(rows))

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """The log loss in nats, or the squared error over all classes, of each row [n]."""
        return self._brier(rows, answers) if self.metric == "brier" else self._log_losses(rows, answers)

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """rows, accuracy, balanced_accuracy, log_loss, brier, calibration_error, loss, and cost.

        `calibration_error` is that of the likeliest class's probability (Guo et al., 2017).
        """
        means = {name: float(part.mean()) for name, part in self.parts(rows, answers).items()}
        right = self._said(answers) == rows.labels
        recalls = [right[rows.labels == code].mean() for code in np.unique(rows.labels)]
        return {
            "rows": float(len(rows)),
            **means,
            "balanced_accuracy": float(np.mean(recalls)),
            "calibration_error": calibration_error(right.astype(np.float64), answers.max(axis=1)),
        }

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """log_loss, brier, accuracy, loss, and cost, of each row."""
        found = {
            "log_loss": self._log_losses(rows, answers),
            "brier": self._brier(rows, answers),
            "accuracy": (self._said(answers) == rows.labels).astype(np.float64),
            "loss": self.losses(rows, answers),
        }
        return found | ({"cost": self._costs(rows, answers)} if self.costs else {})

    def constant(self, rows: Rows) -> Floats:
        """The share of each class, a little off 0 [K]."""
        counts = np.bincount(rows.labels.astype(np.int64), minlength=len(self.classes)) + 1.0
        return np.asarray(counts / counts.sum(), np.float64)

    def fault(self, rows: Rows, answers: Floats) -> str | None:
        """What is no probability, or does not sum to 1."""
        wrong = int((~((answers >= 0) & (answers <= 1)).all(axis=1)).sum())
        if wrong:
            return f"{wrong} of {len(answers)} rows have probabilities that are not between 0 and 1"
        loose = int((np.abs(answers.sum(axis=1) - 1) > 1e-4).sum())
        return f"the probabilities of {loose} of {len(answers)} rows do not sum to 1" if loose else None

    def targets(self, rows: Rows) -> Floats:
        """1 for the row's class, else 0 [n, K]."""
        return np.asarray(np.arange(len(self.classes)) == rows.labels[:, None], np.float64)

    def selected(self, rows: Rows, answers: Floats) -> Floats:
        """1 for the class that is said, else 0 [n, K]."""
        return np.asarray(np.arange(len(self.classes)) == self._said(answers)[:, None], np.float64)

    def off(self, rows: Rows, answers: Floats) -> Floats:
        """The probability of each class less whether it came [n, K]."""
        return answers - self.targets(rows)

    def told(self, rows: Rows, scores: Floats) -> float:
        """The mean AUC of each class against the rest, by their shares of the rows; scores are [n, K]."""
        targets = self.targets(rows)
        shares = targets.mean(axis=0)
        some = np.flatnonzero((shares > 0) & (shares < 1))
        found = [auc(targets[:, code], scores[:, code]) for code in some]
        return float(np.average(found, weights=shares[some]))

    def lack(self, rows: Rows) -> str | None:
        """There is but one class."""
        found = np.unique(rows.labels)
        return None if len(found) > 1 else f"{len(rows)} rows, all of one class: it takes two or more"

    def _said(self, answers: Floats) -> NDArray[np.intp]:
        """The class that is said [n]: the one that costs least or, without costs, the likeliest."""
        expected = answers @ self._table() if self.costs else -answers
        return np.asarray(expected.argmin(axis=1), np.intp)

    def _table(self) -> Floats:
        """The cost of saying a class (column) for another (row)."""
        rows = [[self.costs.get(one, {}).get(other, 0.0) for other in self.classes] for one in self.classes]
        return np.array(rows)

    def _costs(self, rows: Rows, answers: Floats) -> Floats:
        return self._table()[rows.labels.astype(np.int64), self._said(answers)]

    def _log_losses(self, rows: Rows, answers: Floats) -> Floats:
        true = answers[np.arange(len(rows)), rows.labels.astype(np.int64)]
        return -np.log(np.clip(true, 1e-15, 1))

    def _brier(self, rows: Rows, answers: Floats) -> Floats:
        return np.asarray((self.off(rows, answers) ** 2).sum(axis=1), np.float64)
