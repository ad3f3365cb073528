"""A canary held against the champion by the log of both over the same stretch of time.

All five watches use a test that may be looked at again and again (`models.measures.sequential`), of entities
rather than rows, since an entity's key picks its version. With all of them together a canary that is no
worse is alarmed about in less than `1 - confidence` of releases, at whatever looks of a step.
"""

from collections.abc import Mapping

import polars as pl

from core.spec import Spec
from models.calibration.form import Calibration
from models.problem import problem_of
from monitoring.release.answering import errors, latency
from monitoring.release.losses import estimated_loss, realised_loss
from monitoring.release.shift import prediction_shift
from monitoring.release.sides import Sides
from monitoring.release.watches import Watch


def compare(
    spec: Spec,
    rows: pl.DataFrame,
    canary: str,
    champion: str,
    calibrations: Mapping[str, Calibration] | None = None,
) -> tuple[Watch, ...]:
    """What five watches say of a canary, in the order of `monitoring.release.watches.WATCHES`.

    `rows` are those of `served/predictions` over the stretch in which both took the shares that they have
    now, with `label` (null while unknown) where outcomes are told; rows of other versions are passed over.
    An entity is on one side only. `calibrations` by version are those that recent labels ask for
    (`monitoring.performance.refit.refit`); without one a version's probabilities are believed.

    PerennialError when a column is missing, or a label is none of the classes.
    """
    sides, problem, rules = Sides.of(rows, canary, champion), problem_of(spec), spec.release
    return (
        errors(sides, rules),
        latency(sides, rules),
        prediction_shift(sides, problem, rules),
        estimated_loss(sides, problem, rules, calibrations or {}),
        realised_loss(sides, problem, spec.outcome, rules),
    )
