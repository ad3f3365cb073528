"""What a kind of problem offers: how answers are read, how far off they are, and the best constant."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.learning import ProblemKind
from core.spec import Spec
from models.calibration.form import WIDE, Link, uncalibrated
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.quantiles import Quantiles
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from models.rows import Rows

Floats = NDArray[np.float64]


HEADLINES: Mapping[str, tuple[str, str]] = {
    "quantiles": ("pinball", "coverage"),
    "binary": ("auc", "log_loss"),
    "multiclass": ("accuracy", "log_loss"),
    "regression": ("rmse", "mae"),
    "ranking": ("ndcg", "recall"),
}
"""The two measures by which a batch or a version is told in a line: see `headlines`."""


class Problem(Protocol):
    """A kind of problem, as one project has it.

    A model gives margins [n, K], one column for each of `outputs`: log-odds, a value, a score, or a
    column a class or a quantile. Through `link` they become answers: [n], or [n, K] where there are
    classes or quantiles. The graph calls them `output`.
    """

    @property
    def kind(self) -> ProblemKind: ...

    @property
    def metric(self) -> str: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def output(self) -> str: ...

    @property
    def link(self) -> Link: ...

    def units(self, rows: Rows) -> NDArray[np.intp]:
        """The rows that stand for what is judged as one: each row, or the most relevant of each list [u]."""

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """The loss of each unit [u]: their mean is what models are compared by; lower is better."""

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """Every measure by name: `rows`, `loss` (the mean of `losses`), and those of the problem."""

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """The measures that are means, or roots of means, of something of each unit: that, by name [u]."""

    def constant(self, rows: Rows) -> Floats:
        """The answer to every row that would be best on these: [], or [K]."""

    def fault(self, rows: Rows, answers: Floats) -> str | None:
        """What is wrong with answers, however good they are: no numbers, or out of any sound range."""

    def targets(self, rows: Rows) -> Floats:
        """What each output should be high for [n, K]: the label, whether it is the class, or the grade."""

    def selected(self, rows: Rows, answers: Floats) -> Floats:
        """How far the answers select each row [n, K]: for yes, for a class, for the first places of its list.

        [n, 0] where they decide nothing.
        """

    def off(self, rows: Rows, answers: Floats) -> Floats:
        """How far above the truth each answer is [n, K], as a share: 0 on average when it is calibrated.

        [n, 0] where the answers claim no such thing.
        """

    def told(self, rows: Rows, scores: Floats) -> float:
        """How much of the labels scores [n, K] tell, up to 1 for all: an AUC, or a share of what varies."""

    def lack(self, rows: Rows) -> str | None:
        """Why nothing can be learnt or told from the labels of these rows; None when it can."""


def problem_of(spec: Spec) -> Problem:
    """The problem that a spec frames."""
    costs, metric, outcome = spec.objective.costs, spec.metric, spec.outcome
    match spec.problem:
        case "binary":
            return Binary(metric, _flat(costs), spec.objective.recall)
        case "multiclass":
            nested = {name: dict(cost) for name, cost in costs.items() if isinstance(cost, dict)}
            return Multiclass(metric, outcome.classes, nested)
        case "regression" if spec.objective.quantiles:
            return Quantiles(spec.objective.quantiles)
        case "regression":
            return Regression(metric, _flat(costs))
        case "ranking":
            return Ranking(spec.objective.cutoff)


def headlines(spec: Spec) -> tuple[str, str]:
    """The two measures by which a project's batches and versions are told in a line."""
    return HEADLINES["quantiles" if spec.objective.quantiles else spec.problem]


def shape_of(problem: Problem, rows: int) -> tuple[int, ...]:
    """The shape of the answers to so many rows: [n], or [n, K].

    >>> shape_of(Binary(), 5), shape_of(Quantiles((0.1, 0.9)), 5)
    ((5,), (5, 2))
    """
    return (rows, len(problem.outputs)) if problem.link in WIDE else (rows,)


def in_one_number(problem: Problem, answers: Floats) -> Floats:
    """Each answer as one number [n]: the likeliest class's probability, the middle quantile, or as it is.

    >>> in_one_number(Quantiles((0.1, 0.5, 0.9)), np.array([[4.0, 5.0, 9.0]])).tolist()
    [5.0]
    """
    if isinstance(problem, Quantiles):
        return problem.middle(answers)
    return answers.max(axis=1) if answers.ndim == 2 else answers


def relative_loss(problem: Problem, rows: Rows, answers: Floats) -> float:
    """The loss as a share of that of the best constant for these very rows; NaN where that is 0.

    Below 1 the answers tell something. It compares batches of unlike rates, spreads or lists; of log
    loss it is the normalised entropy of He et al., "Practical lessons from predicting clicks on ads
    at Facebook" (2014), of a squared error 1 - R².

    >>> import polars as pl
    >>> rows = Rows(pl.DataFrame({"x": [5, 6]}), np.array([0.0, 1.0]), pl.Series([0, 1]))
    >>> relative_loss(Binary("brier"), rows, np.array([0.25, 0.75]))
    0.25
    """
    if problem.lack(rows):
        return float("nan")
    ours, constant = problem.losses(rows, answers), constant_losses(problem, rows, answers)
    return float(ours.mean() / constant.mean()) if constant.mean() > 0 else float("nan")


def constant_losses(problem: Problem, rows: Rows, answers: Floats) -> Floats:
    """The loss of each unit [u] if the best constant were said in place of these answers."""
    return problem.losses(rows, np.broadcast_to(problem.constant(rows), answers.shape))


def as_answers(link: Link, margins: Floats) -> Floats:
    """Margins [n, K] as answers, without a calibration: [n], or [n, K] of classes and quantiles.

    >>> as_answers("sigmoid", np.array([[0.0]])).tolist(), as_answers("softmax", np.zeros((1, 2))).tolist()
    ([0.5], [[0.5, 0.5]])
    """
    return uncalibrated(link, (0.0,) * margins.shape[1]).apply(margins)


def _flat(costs: object) -> dict[str, float]:
    assert isinstance(costs, dict)
    return {name: float(cost) for name, cost in costs.items() if not isinstance(cost, dict)}
