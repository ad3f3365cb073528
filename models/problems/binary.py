"""Binary classification: the probability that something is so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from models.measures.probabilities import auc, log_losses, measures
from models.measures.recall import precision_at_recall
from models.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Binary:
    """Answers are probabilities [n], compared by `log_loss` or `brier`.

    `costs` are those of a `missed` positive and of a `false_alarm`; `recall` is the share of positives
    that have to be found, where one is asked for.
    """

    metric: str = "log_loss"
    costs: Mapping[str, float] = field(default_factory=dict)
    recall: float | None = None

    kind: ClassVar[Literal["binary"]] = "binary"
    output: ClassVar[str] = "probability"
    outputs: ClassVar[tuple[str, ...]] = ("log_odds",)
    link: ClassVar[Literal["sigmoid"]] = "sigmoid"

    @property
    def threshold(self) -> float:
        """The probability from which saying yes costs least: a false alarm's share of both costs.

        Elkan, "The foundations of cost-sensitive learning" (2001). 0.5 where no costs are known.

        >>> Binary(costs={"missed": 3, "false_alarm": 1}).threshold
        0.25
        """
        missed, alarm = self.costs.get("missed", 1.0), self.costs.get("false_alarm", 1.0)
        return alarm / (missed + alarm) if missed + alarm > 0 else 0.5

    def units(self, rows: Rows) -> NDArray[np.intp]:
        """Each row."""
        return np.arange(len(rows))

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """The log loss in nats, or the squared error, of each row [n]."""
        if self.metric == "brier":
            return np.asarray((answers - rows.labels) ** 2, np.float64)
        return log_losses(rows.labels, answers)

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """rows, base_rate, auc, log_loss, brier, calibration_error, loss; cost and precision where asked."""
        found = measures(rows.labels, answers) | {"loss": float(self.losses(rows, answers).mean())}
        if self.recall is not None:
            found["precision_at_recall"] = precision_at_recall(rows.labels, answers, self.recall)
        return found | ({"cost": float(self._costs(rows, answers).mean())} if self.costs else {})

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """log_loss, brier, loss, and cost, of each row."""
        found = {
            "log_loss": log_losses(rows.labels, answers),
            "brier": np.asarray((answers - rows.labels) ** 2, np.float64),
            "loss": self.losses(rows, answers),
        }
        return found | ({"cost": self._costs(rows, answers)} if self.costs else {})

    def constant(self, rows: Rows) -> Floats:
        """The share of positives, a little off 0 and 1 (Laplace's rule of succession)."""
        return np.asarray((rows.labels.sum() + 1) / (len(rows) + 2), np.float64)

    def fault(self, rows: Rows, answers: Floats) -> str | None:
        """What is no probability."""
        wrong = int((~((answers >= 0) & (answers <= 1))).sum())
        return f"{wrong} of {answers.size} probabilities are not between 0 and 1" if wrong else None

    def targets(self, rows: Rows) -> Floats:
        """1 for a positive, else 0 [n, 1]."""
        return np.asarray(rows.labels[:, None] > 0, np.float64)

    def selected(self, rows: Rows, answers: Floats) -> Floats:
        """1 where the threshold says yes, else 0 [n, 1]."""
        return np.asarray(answers[:, None] >= self.threshold, np.float64)

    def off(self, rows: Rows, answers: Floats) -> Floats:
        """The probability less what came of it [n, 1]."""
        return answers[:, None] - self.targets(rows)

    def told(self, rows: Rows, scores: Floats) -> float:
        """The AUC of scores [n, 1]."""
        return auc(rows.labels, scores[:, 0])

    def lack(self, rows: Rows) -> str | None:
        """One of the classes is missing."""
        positives = int((rows.labels > 0).sum())
        if 0 < positives < len(rows):
            return None
        return f"{len(rows)} rows, {positives} of them positive: it takes both classes"

    def _costs(self, rows: Rows, answers: Floats) -> Floats:
        """What deciding by the threshold costs on each row."""
        said, true = answers >= self.threshold, rows.labels > 0
        return self.costs["missed"] * (true & ~said) + self.costs["false_alarm"] * (said & ~true)
