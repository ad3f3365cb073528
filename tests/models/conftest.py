"""Feature rows that look like real ones, shared by the tests of this room."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from core.gating import Gate
from core.learning import Outcome
from core.spec import Spec
from models.problem import Problem, as_answers, problem_of
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.quantiles import Quantiles
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from models.rows import Columns, Rows
from models.split import Split


@pytest.fixture(scope="session")
def columns() -> Columns:
    """The features of `rows_frame`."""
    return Columns(numbers=("distance", "wind", "late_rate"), categories=("airline", "route"))


@pytest.fixture(scope="session")
def rows_frame(columns: Columns) -> pl.DataFrame:
    """3,000 feature rows of 40 days with their outcomes, in order of event time.

    The label depends on wind (and on its absence), on late_rate, on the airline and on the route.
    """
    random, rows = np.random.default_rng(7), 3_000
    start = datetime(2013, 1, 1, 5, tzinfo=UTC)
    times = pl.Series(
        [start + timedelta(minutes=19 * row) for row in range(rows)], dtype=pl.Datetime("us", "UTC")
    )
    airline = random.choice(5, rows, p=[0.35, 0.25, 0.2, 0.15, 0.05])
    route = np.minimum(random.geometric(0.06, rows), 60)
    wind, late_rate = random.gamma(2.0, 5.0, rows), random.beta(2, 6, rows)
    no_wind, no_rate, no_route = (random.random(rows) < share for share in (0.1, 0.2, 0.03))
    effect = random.normal(0, 0.6, 61)[route] + np.array([-0.8, -0.3, 0.1, 0.5, 1.2])[airline]
    margin = (
        effect
        + np.where(no_wind, 1.0, 0.12 * (wind - 10))
        + np.where(no_rate, 0.0, 4 * (late_rate - 0.25))
        - 1
    )
    frame = pl.DataFrame(
        {
            "flight": np.arange(rows, dtype=np.int64),
            "event_time": times,
            "decision_time": times - timedelta(hours=2),
            "known_at": times + timedelta(hours=3),
            "label": random.random(rows) < 1 / (1 + np.exp(-margin)),
            "distance": random.uniform(80, 2_600, rows).round(),
            "wind": np.where(no_wind, np.nan, wind),
            "late_rate": np.where(no_rate, np.nan, late_rate),
            "airline": np.array(["UA", "B6", "EV", "DL", "HA"])[airline],
            "route": [
                None if none else f"JFK-{code:03d}" for code, none in zip(route, no_route, strict=True)
            ],
        }
    )
    return frame.with_columns(pl.col(columns.numbers).cast(pl.Float32).fill_nan(None))


@pytest.fixture(scope="session")
def spec() -> Spec:
    """A project whose features are those of `rows_frame`."""
    row, lookup = {"from": "row"}, {"from": "lookup", "dataset": "weather", "by": {"origin": "origin"}}
    return Spec.model_validate(
        {
            "name": "flights",
            "title": "Late arrivals",
            "objective": {"business": "fewer surprises", "learning": "late or not"},
            "problem": "binary",
            "batches": {
                "every": "1mo",
                "timezone": "America/New_York",
                "start": date(2013, 1, 1),
                "end": date(2014, 1, 1),
            },
            "datasets": {
                "flights": {
                    "source": {"kind": "files", "path": "flights.csv"},
                    "columns": {"flight": "integer"},
                    "key": ["flight"],
                }
            },
            "events": "flights",
            "decision": {"before": "event_time", "lead": "2h"},
            "outcome": {"label": "label", "known_at": "known_at", "maturity": "1d"},
            "features": {
                "airline": {**row, "column": "carrier", "kind": "category"},
                "distance": {**row, "column": "distance", "kind": "number"},
                "wind": {
                    **lookup,
                    "column": "wind_speed",
                    "kind": "number",
                    "meaning": "wind at the airport",
                    "unit": "m/s",
                },
                "route": {"from": "function", "function": "route", "kind": "category"},
                "late_rate": {
                    "from": "trailing",
                    "by": ["airline"],
                    "value": "late",
                    "statistic": "mean",
                    "over": "7d",
                },
            },
        }
    )


@dataclass(frozen=True, slots=True)
class Task:
    """A problem on the features of `rows_frame`: rows to fit on, to stop by, and to ask about."""

    problem: Problem
    columns: Columns
    train: Rows
    validation: Rows
    later: Rows


@pytest.fixture(scope="session")
def tasks(rows_frame: pl.DataFrame, columns: Columns) -> dict[str, Task]:
    """A task of each kind, whose labels hang on wind (and its absence), late_rate and the airline."""
    random, wind = np.random.default_rng(11), rows_frame["wind"].to_numpy()
    known = rows_frame["late_rate"].fill_null(0.25).to_numpy()
    carrier = rows_frame["airline"].replace_strict({"UA": -0.8, "B6": -0.3, "EV": 0.1, "DL": 0.5, "HA": 1.2})
    said = np.where(np.isnan(wind), 1.0, 0.12 * (wind - 10)) + 4 * (known - 0.25) + carrier.to_numpy() - 0.5
    heard = said + random.logistic(0, 1, len(said))
    lists = np.arange(len(said)) // 20 * 10 + np.arange(len(said)) % 2  # two at a time, side by side
    labels = {
        "binary": heard > 0,
        "multiclass": np.array(["early", "late", "later"])[np.digitize(heard, [-0.5, 1.5])],
        **dict.fromkeys(("regression", "absolute"), 1_000 + 100 * heard),
        "quantiles": 1_000 + 100 * heard,
        "ranking": np.digitize(heard, [0.0, 1.5, 3.0]),
    }
    problems: dict[str, Problem] = {
        "binary": Binary(),
        "multiclass": Multiclass("log_loss", ("early", "late", "later", "never")),
        "regression": Regression(),
        "absolute": Regression("mae"),
        "quantiles": Quantiles((0.1, 0.5, 0.9)),
        "ranking": Ranking(5),
    }
    found = {}
    for kind, problem in problems.items():
        frame = rows_frame.with_columns(label=pl.Series(labels[kind]), list=pl.Series(lists))
        outcome = Outcome(
            label="label",
            known_at="known_at",
            maturity=timedelta(days=1),
            classes=problem.outputs if kind == "multiclass" else (),
            group=("list",) if kind == "ranking" else (),
        )
        rows = Rows.of(frame, outcome)
        parts = (rows.at(slice(*edges)) for edges in ((0, 1_800), (1_800, 2_400), (2_400, 3_000)))
        found[kind] = Task(problem, columns, *parts)
    return found


@dataclass(frozen=True)
class PlantedModel:
    """A model that goes by wind, which it is known to raise, and by the airline; and by nothing else.

    Of several margins the second falls where the first rises, and others stay 0; quantiles all rise.
    """

    columns: Columns
    outputs: int
    exact: bool
    alike: bool = False

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        return self._added(frame).sum(axis=1)

    def contributions(self, frame: pl.DataFrame) -> NDArray[np.float64] | None:
        return self._added(frame) if self.exact else None

    def _added(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        wind = frame["wind"].cast(pl.Float64).fill_nan(None).fill_null(10.0).to_numpy()
        airline = frame["airline"].cast(pl.String).fill_null("").to_numpy()
        terms = {"wind": 0.25 * (wind - 10), "airline": np.where(airline == "B6", 1.5, 0.0)}
        signs = np.array([1.0, -1.0, *[0.0] * self.outputs])[: self.outputs]
        if self.alike:
            signs = np.ones(self.outputs)
        nothing = np.zeros(frame.height)
        return np.stack([terms.get(name, nothing) for name in self.columns.names], axis=1)[:, :, None] * signs


@dataclass(frozen=True)
class PlantedFit:
    """What `models.card.describe` takes of a `models.fit.Fit`, uncalibrated.

    Quantiles lie about the margins as those of a normal distribution do.
    """

    problem: Problem
    model: PlantedModel
    columns: Columns
    seconds: float = 1.5

    def answers(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        margins = self.model.margins(frame)
        if isinstance(self.problem, Quantiles):
            margins = margins + norm.ppf(self.problem.levels)
        return as_answers(self.problem.link, margins)


@dataclass(frozen=True)
class Planted:
    """A fit, its rows, whose labels are drawn by its own answers, and their spec."""

    fit: PlantedFit
    split: Split
    spec: Spec

    @property
    def holdout(self) -> Rows:
        return self.split.holdout

    @property
    def answers(self) -> NDArray[np.float64]:
        return self.fit.answers(self.holdout.frame)


Plant = Callable[..., Planted]


@pytest.fixture(scope="session")
def plant(rows_frame: pl.DataFrame, columns: Columns, spec: Spec) -> Plant:
    """Make a planted fit of a kind of problem, with SHAP values (`exact`) or without."""

    def planted(kind: str, exact: bool = True) -> Planted:
        classes = ("late", "early", "fine") if kind == "multiclass" else ()
        outcome = spec.outcome.model_copy(
            update={"classes": classes, "group": ("list",) if kind == "ranking" else ()}
        )
        gate = Gate(slices=("airline",), draws=200)
        asked = {"metric": "pinball", "quantiles": (0.1, 0.5, 0.9)} if kind == "quantiles" else {}
        update = {
            "problem": "regression" if kind == "quantiles" else kind,
            "objective": spec.objective.model_copy(update=asked),
            "outcome": outcome,
            "gate": gate,
        }
        framed = spec.model_copy(update=update)
        problem = problem_of(framed)
        model = PlantedModel(columns, len(problem.outputs), exact, alike=kind == "quantiles")
        fit = PlantedFit(problem, model, columns)
        frame = rows_frame.drop("label")
        groups = np.arange(frame.height) // 12 if kind == "ranking" else None
        rows = Rows(frame, _drawn_labels(fit, frame), frame["event_time"], groups)
        parts = rows.at(slice(0, 1500)), rows.at(slice(1500, 2004)), rows.at(slice(2004, 3000))
        return Planted(fit, Split(*parts), framed)

    return planted


def _drawn_labels(fit: PlantedFit, frame: pl.DataFrame) -> NDArray[np.float64]:
    random, answers = np.random.default_rng(11), fit.answers(frame)
    if isinstance(fit.problem, Quantiles):
        return fit.problem.middle(answers) + random.normal(0, 1, len(answers))
    if answers.ndim == 2:
        drawn = random.random((len(answers), 1)) > answers.cumsum(axis=1)[:, :-1]
        return drawn.sum(axis=1).astype(np.float64)
    if fit.problem.kind == "binary":
        return (random.random(len(answers)) < answers).astype(np.float64)
    noisy = answers + random.normal(0, 1, len(answers))
    return noisy if fit.problem.kind == "regression" else np.clip(np.round(noisy), 0, 3)
