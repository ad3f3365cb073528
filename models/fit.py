"""From rows in three parts to a fitted, calibrated and measured model."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from core.spec import Spec
from models.balance import balanced
from models.calibration.choose import Calibration, fit_calibration, uncalibrated
from models.calibration.shift import fit_shift
from models.family import Fitted, Job, Parameter, Report, family
from models.problem import Floats, Problem, problem_of, relative_loss
from models.problems.quantiles import Quantiles
from models.rows import Columns, Rows, columns
from models.split import Split


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted, calibrated family; `measures` are those of its validation and its holdout rows."""

    family: str
    complexity: int
    problem: Problem
    model: Fitted
    calibration: Calibration
    columns: Columns
    parameters: Mapping[str, Parameter]
    measures: dict[str, dict[str, float]]
    seconds: float

    def answers(self, frame: pl.DataFrame) -> Floats:
        """The calibrated answer to each row of a feature frame: [n], or [n, K] of classes and quantiles."""
        return self.calibration.apply(self.model.margins(frame))


@dataclass(frozen=True, slots=True)
class Given:
    """What a fit begins with: parameters by family, a fit to go on from, fits that it is made of."""

    parameters: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)
    start: Fitted | None = None
    members: Mapping[str, Fitted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """A model that was fitted before; `offset` undoes how its rows were balanced (see Calibration)."""

    family: str
    model: Fitted
    parameters: Mapping[str, Parameter]
    offset: tuple[float, ...]


def fit(name: str, split: Split, spec: Spec, report: Report, given: Given | None = None) -> Fit:
    """Fit the family of this name with the project's seed and parameters, calibrate it, measure it.

    Parameters that are given stand in place of the spec's. The same rows, spec and given parts give
    the same model. `report` is told the losses as they fall. SpecError when the family or one of its
    parameters is unknown, or it cannot do what the spec asks for.
    """
    started = time.monotonic()
    fitted = calibrated(name, split.train, split.validation, spec, report, given)
    return _measured(fitted, split, started)


def recalibrated(kept: Kept, split: Split, spec: Spec) -> Fit:
    """A model as it was fitted before, calibrated on the validation rows, which it was not fitted on."""
    started, problem = time.monotonic(), problem_of(spec)
    margins = kept.model.margins(split.validation.frame)
    calibration = calibration_of(problem, margins, split.validation, kept.offset)
    complexity, parameters = family(kept.family).complexity, kept.parameters
    fitted = Fit(
        kept.family, complexity, problem, kept.model, calibration, columns(spec), parameters, {}, 0.0
    )
    return _measured(fitted, split, started)


def _measured(fitted: Fit, split: Split, started: float) -> Fit:
    for part, rows in (("validation", split.validation), ("holdout", split.holdout)):
        answers = fitted.answers(rows.frame)
        relative = {"relative_loss": relative_loss(fitted.problem, rows, answers)}
        fitted.measures[part] = fitted.problem.measures(rows, answers) | relative
    return replace(fitted, seconds=time.monotonic() - started)


def calibrated(
    name: str, train: Rows, validation: Rows, spec: Spec, report: Report, given: Given | None = None
) -> Fit:
    """The same on any rows, stopped and calibrated on `validation`, neither measured nor timed."""
    given, chosen, problem = given or Given(), family(name), problem_of(spec)
    settings = spec.training.parameters | dict(given.parameters)
    seen = balanced(train, validation, problem, spec.training)
    job = Job(
        problem=problem,
        columns=columns(spec),
        train=seen.train,
        validation=seen.validation,
        parameters=settings.get(name, {}),
        settings=settings,
        seed=spec.training.seed,
        report=report,
        monotone={one: 1 if way == "increasing" else -1 for one, way in spec.training.monotone.items()},
        focal=spec.training.imbalance == "focal",
        start=given.start,
        members=given.members,
    )
    model = chosen.fit(job)
    calibration = calibration_of(problem, model.margins(validation.frame), validation, seen.offset)
    return Fit(
        chosen.name, chosen.complexity, problem, model, calibration, job.columns, job.parameters, {}, 0.0
    )


def calibrates(problem: Problem) -> bool:
    """Whether the answers to such a problem are calibrated: scores are not, nor is what is no mean."""
    return problem.metric not in ("ndcg", "mae")


def calibration_of(problem: Problem, margins: Floats, rows: Rows, offset: tuple[float, ...]) -> Calibration:
    """The calibration that these rows, with their margins [n, K], show to be best.

    There is none for scores, and for what is no mean.
    """
    if not calibrates(problem):
        return uncalibrated(problem.link, offset)
    if isinstance(problem, Quantiles):
        return fit_shift(margins, rows.labels, problem.levels)
    return fit_calibration(margins, rows.labels, problem.link, offset)
