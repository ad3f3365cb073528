"""A shift for each quantile, so that below it lies the share of labels that should."""

import math

import numpy as np

from models.calibration.choose import chosen
from models.calibration.form import Calibration, Floats, Method, uncalibrated
from models.measures.pinball import pinball


def fit_shift(margins: Floats, labels: Floats, levels: tuple[float, ...]) -> Calibration:
    """The shifts of these rows, which come in order of time, or none where they are not surely better.

    `margins` are [n, K], `labels` [n]. The labels' distances from a quantile are a sample of what it is
    to be moved by: by that one of them below which the wanted share lies, rounded outwards as if the row
    to come were among them. That is conformal quantile regression (Romano, Patterson and Candès,
    "Conformalized quantile regression", 2019), each end by itself. It is chosen as any calibration is
    (`models.calibration.choose.fit_calibration`), by the mean pinball loss.

    ValueError when the shapes do not fit, or a number is not finite.

    >>> labels = np.arange(400) % 100.0
    >>> found = fit_shift(np.tile([20.0 + 1e-6, 50.0], (400, 1)) + labels[:, None] * 1e-9, labels, (0.1, 0.9))
    >>> found.method, [round(shift) for shift in found.intercept]
    ('shift', [-11, 40])
    """

    def fits(margins: Floats, labels: Floats, plain: Calibration) -> dict[Method, Calibration]:
        off = np.sort(labels[:, None] - margins, axis=0)
        places = [_place(len(off), level) for level in levels]
        shifts = tuple(float(off[place, output]) for output, place in enumerate(places))
        return {
            "none": plain,
            "shift": Calibration("shift", plain.link, plain.offset, plain.slope, shifts),
        }

    def lost(calibration: Calibration, margins: Floats, labels: Floats) -> Floats:
        return pinball(labels, calibration.apply(margins), levels)

    return chosen(margins, labels, uncalibrated("sorted", (0.0,) * len(levels)), fits, lost)


def _place(rows: int, level: float) -> int:
    """The position of the one of so many sorted distances that is the level's; away from the middle."""
    among = (rows + 1) * level
    # A hair of tolerance: (9 + 1) * 0.9 is no more than 9, whatever floats make of it.
    place = math.ceil(among - 1e-9) if level >= 0.5 else math.floor(among + 1e-9)
    return min(max(place, 1), rows) - 1
