"""Calibration chosen on validation rows: the simplest one that is not beaten by more than chance."""

import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration.form import METHODS, Calibration, Floats, Link, Method, sigmoid, uncalibrated
from models.calibration.isotonic import fit_curve
from models.calibration.scaling import fit_scaling, losses, targets_of

__all__ = ["Calibration", "Link", "Method", "chosen", "fit_calibration", "sigmoid", "uncalibrated"]

# A calibration by each method, the simplest first, of margins and labels; and what one loses by row.
Fits = Callable[[Floats, Floats, Calibration], dict[Method, Calibration]]
Lost = Callable[[Calibration, Floats, Floats], Floats]

# Fewer rows say nothing of calibration.
MIN_ROWS = 20
# Each method is fitted on the rows before each of these shares, and judged on those up to the next.
SHARES = (1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
# A richer method has to lower the loss by this share, and in so many of these stretches of time that
# chance does it no more often than that.
WORTH, STRETCHES, CHANCE = 0.001, 20, 0.05

_log = logging.getLogger(__name__)


@np.errstate(over="ignore", invalid="ignore")  # numbers too large to be squared have no scaling
def fit_calibration(
    margins: Floats, labels: NDArray[Any], link: Link, offset: tuple[float, ...]
) -> Calibration:
    """The calibration of these rows, which come in order of time, by the method that they show to be best.

    `margins` are [n, K], `labels` [n]: 0 or 1, codes of classes, or values. Every method that suits
    the link is fitted on the first third of the rows and judged on the next sixth, by log loss or
    squared error, and so on forward to the end. From the simplest to the richest, one takes the place
    of the best so far when its mean loss is lower by 0.1 %, and that not by chance: by Wilcoxon's
    signed-rank test (1945) at 5 %, on the gains of 20 stretches of time, because rows of a day hang
    together, and a few rows of huge loss should not decide. The one chosen is fitted on all rows.

    A slope that is not positive would turn the order of the rows round, so a method that asks for one is
    left out; when none is left, the margins are used as they are, with a warning. There is no isotonic
    method for softmax: curves of single classes, normalised, need not keep the order of the classes.

    ValueError when the shapes do not fit, a number is not finite, or a label is none of the link's.

    >>> sure = np.tile([[4.0], [4.0], [-4.0], [-4.0]], (100, 1))  # log-odds of 4, and right 3 times of 4
    >>> found = fit_calibration(sure, np.tile([1, 1, 0, 0, 1, 0, 0, 1], 50), "sigmoid", (0.0,))
    >>> found.method, found.apply(sure[:1]).round(2).tolist()
    ('temperature', [0.75])
    """
    return chosen(margins, np.asarray(labels, np.float64), uncalibrated(link, offset), _fits, _lost)


def chosen(margins: Floats, labels: Floats, plain: Calibration, fits: Fits, lost: Lost) -> Calibration:
    """The one of several fits on these rows that they show to be best, as `fit_calibration` says.

    `plain` is the one that calibrates nothing; `fits` gives the others, `lost` what one loses by row.
    """
    margins = np.asarray(margins, np.float64)
    _require(margins, labels, plain)
    why = _nothing_to_learn(margins, labels)
    found = {} if why else fits(margins, labels, plain)
    if list(found) == ["none"]:
        why = "no scaling of a positive slope fits"
    if why:
        _log.warning("no calibration, the margins are used as they are: %s", why)
        return plain
    judged = _judged(margins, labels, plain, fits, lost)
    return found[_best({method: judged[method] for method in found})]


def _fits(margins: Floats, labels: Floats, plain: Calibration) -> dict[Method, Calibration]:
    """A calibration by each method that has one on these rows, the simplest first."""
    found: dict[Method, Calibration] = {"none": plain}
    moved = margins + plain.offset
    targets = targets_of(labels, plain.link, len(plain.offset))
    for method in METHODS[plain.link]:
        if method in ("none", "isotonic"):
            continue
        scaling = fit_scaling(method, moved, targets, plain.link)
        if scaling:
            slope, intercept = (tuple(part.tolist()) for part in scaling)
            found[method] = Calibration(method, plain.link, plain.offset, slope, intercept)
    richest = list(found.values())[-1]
    if "isotonic" in METHODS[plain.link] and richest.method in ("platt", "linear"):
        found |= _bent(margins, labels, richest)
    return found


def _bent(margins: Floats, labels: Floats, scaled: Calibration) -> dict[Method, Calibration]:
    """The scaled calibration with a curve behind it; none when there are too few rows for one."""
    curve = fit_curve(scaled.scores(margins)[:, 0], labels, scaled.link)
    if curve is None:
        return {}
    parts = (tuple(part.tolist()) for part in curve)
    return {
        "isotonic": Calibration(
            "isotonic", scaled.link, scaled.offset, scaled.slope, scaled.intercept, *parts
        )
    }


def _lost(calibration: Calibration, margins: Floats, labels: Floats) -> Floats:
    """The log loss or squared error of each row."""
    link = calibration.link
    return losses(calibration.scores(margins), targets_of(labels, link, len(calibration.offset)), link)


def _judged(
    margins: Floats, labels: Floats, plain: Calibration, fits: Fits, lost: Lost
) -> dict[Method, Floats]:
    """The losses of the later rows [rows] by each method, fitted on the earlier ones.

    Where these give no fit by a method, as when a class is not among them, a simpler one stands in.
    """
    cuts = [round(share * len(labels)) for share in SHARES]
    found: dict[Method, list[Floats]] = {method: [] for method in METHODS[plain.link]}
    for start, end in pairwise(cuts):
        earlier, calibration = fits(margins[:start], labels[:start], plain), plain
        for method, parts in found.items():
            calibration = earlier.get(method, calibration)
            parts.append(lost(calibration, margins[start:end], labels[start:end]))
    return {method: np.concatenate(parts) for method, parts in found.items()}


def _best(judged: dict[Method, Floats]) -> Method:
    """The method, of those in order, that none before it holds against and none after it beats."""
    best: Method = "none"
    for method, lost in judged.items():
        if _beats(lost, judged[best]):
            best = method
    _log.info("calibration %s: %s", best, {method: float(lost.mean()) for method, lost in judged.items()})
    return best


def _beats(lost: Floats, other: Floats) -> bool:
    """Whether the mean loss is lower than the other's by what is worth it and is not chance."""
    gains = np.array([part.mean() for part in np.array_split(other - lost, min(STRETCHES, len(lost)))])
    if not gains.mean() > WORTH * other.mean():
        return False
    from scipy.stats import wilcoxon  # whose import takes most of a second

    # Stretches that gain nothing count half for each side: a method fitted on the last part alone has few.
    return bool(wilcoxon(gains, alternative="greater", zero_method="zsplit").pvalue < CHANCE)


def _require(margins: Floats, labels: Floats, plain: Calibration) -> None:
    width = len(plain.offset)
    if margins.ndim != 2 or margins.shape[1] != width or labels.shape != margins.shape[:1]:
        raise ValueError(f"margins {margins.shape} and labels {labels.shape} are not [n, {width}] and [n]")
    for name, numbers in (("margins", margins), ("labels", labels)):
        if not np.isfinite(numbers).all():
            raise ValueError(f"{(~np.isfinite(numbers)).sum()} of {numbers.size} {name} are not finite")
    strange = ~np.isin(labels, np.arange(max(2, width)))
    if plain.link in ("sigmoid", "softmax") and strange.any():
        raise ValueError(f"{strange.sum()} of {len(labels)} labels are none of 0 to {max(2, width) - 1}")


def _nothing_to_learn(margins: Floats, labels: Floats) -> str:
    """Why these rows say nothing of a calibration; empty when they do."""
    if len(labels) < MIN_ROWS:
        return f"there are {len(labels)} rows, and it takes {MIN_ROWS}"
    if np.all(labels == labels[0]):
        return "all labels are the same"
    apart = np.ptp(margins, axis=0)
    return "" if np.any(apart > 1e-9 * np.abs(margins).max()) else "all margins are the same"
