"""A calibration: from a model's margins to answers that mean what they say."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from core.errors import PerennialError

Floats = NDArray[np.float64]
Link = Literal["sigmoid", "softmax", "identity", "sorted"]
Method = Literal["none", "temperature", "platt", "linear", "isotonic", "shift"]

# The links whose answers are as wide as the margins: [n, K].
WIDE: tuple[Link, ...] = ("softmax", "sorted")

# The methods that suit each link, the simplest first.
METHODS: Mapping[Link, tuple[Method, ...]] = {
    "sigmoid": ("none", "temperature", "platt", "isotonic"),
    "softmax": ("none", "temperature", "shift", "platt"),
    "identity": ("none", "linear", "isotonic"),
    "sorted": ("none", "shift"),
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """answer = link(curve(slope * (margin + offset) + intercept)), for K margins a row.

    `offset`, `slope` and `intercept` are [K]: 1 for the links sigmoid and identity, the number of
    classes for softmax, of quantiles for sorted. The offset corrects for a training set in which the
    classes are not as frequent as in truth, so that margins fitted there are log-odds here (Elkan, "The
    foundations of cost-sensitive learning", 2001): the log of the share of the negative rows that was
    kept, or minus the log of the weight of each class.

    The methods: `none` has slope 1 and intercept 0; `temperature` one slope for all classes (Guo et
    al., "On calibration of modern neural networks", 2017); `platt` slopes and intercepts (Platt,
    1999; for softmax the vector scaling of Guo et al.); `linear` the same for values; `shift` an
    intercept for each quantile or class, which for classes that have become more or less frequent is all
    that is amiss (Saerens et al., "Adjusting the outputs of a classifier to new a priori probabilities",
    2002).

    The link `sorted` lets the quantiles of a row rise: those that crossed change places, which makes
    none of their losses greater in sum (Chernozhukov et al., "Quantile and probability curves without
    crossing", 2010).

    `isotonic` has a curve besides: straight lines through the points (knots, values), both strictly
    rising, and of slope 1 beyond the first and the last. A slope is never negative or 0, so the order
    of the rows is kept, but for differences that float64 cannot hold. ValueError when a part does not
    fit the method or the link.
    """

    method: Method
    link: Link
    offset: tuple[float, ...]
    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        fault = next(self._faults(), None)
        if fault:
            raise ValueError(f"a calibration cannot have {fault}")

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """What `core.plain.plain` wrote; PerennialError says what is wrong with anything else.

        >>> Calibration.read({"method": "none", "link": "sigmoid", "offset": [0.5],
        ...                   "slope": [1.0], "intercept": [0.0]}).offset
        (0.5,)
        """
        parts: dict[str, Any] = {
            name: tuple(part) if isinstance(part, list) else part for name, part in document.items()
        }
        try:
            return cls(**parts)
        except (TypeError, ValueError) as error:
            raise PerennialError(f"{dict(document)} is no calibration: {error}") from error

    def apply(self, margins: Floats) -> Floats:
        """The answer to each row of margins [n, K]: [n], or [n, K] for classes and quantiles; NaN gives NaN.

        >>> double = Calibration("temperature", "sigmoid", (0.0,), (2.0,), (0.0,))
        >>> double.apply(np.array([[-1000.0], [0.0], [1000.0]])).tolist()
        [0.0, 0.5, 1.0]
        """
        scores = self.scores(margins)
        if self.link == "softmax":
            chances: Floats = softmax(scores, axis=1)
            return chances
        if self.link == "sorted":
            return np.where(np.isnan(scores).any(axis=1, keepdims=True), np.nan, np.sort(scores, axis=1))
        return sigmoid(scores[:, 0]) if self.link == "sigmoid" else scores[:, 0]

    def scores(self, margins: Floats) -> Floats:
        """The calibrated margins [n, K], before the link; ValueError for margins of another shape."""
        margins = np.asarray(margins, np.float64)
        if margins.ndim != 2 or margins.shape[1] != len(self.offset):
            raise ValueError(f"the margins are {margins.shape}, not [n, {len(self.offset)}]")
        scores: Floats = (margins + self.offset) * self.slope + self.intercept
        if not self.knots:
            return scores
        place = np.searchsorted(self.knots, scores, side="right")
        start, value, slope, ceiling = np.moveaxis(self.lines()[place], -1, 0)
        bent: Floats = np.minimum((scores - start) * slope + value, ceiling)
        return bent

    def lines(self) -> Floats:
        """Each straight line of the curve [knots + 1, 4]: its start, value there, slope, highest value.

        The first goes down from the first knot, each other up from a knot. The highest value is that of
        the next knot: rounding must not lift the end of a line above the start of the next.
        """
        knots, values = np.array(self.knots), np.array(self.values)
        slopes = np.concatenate([[1.0], np.diff(values) / np.diff(knots), [1.0]])
        starts, first_values = (np.concatenate([part[:1], part]) for part in (knots, values))
        return np.column_stack([starts, first_values, slopes, np.append(values, np.inf)])

    def _faults(self) -> Iterator[str]:
        if self.method not in METHODS.get(self.link, ()):
            known = {link: methods for link, methods in METHODS.items() if link == self.link} or METHODS
            yield f"method {self.method!r} with link {self.link!r}: there are {dict(known)}"
        parts = (self.offset, self.slope, self.intercept)
        sizes = [len(part) for part in parts]
        fits = {"softmax": sizes[0] > 1, "sorted": sizes[0] > 0}.get(self.link, sizes[0] == 1)
        if len(set(sizes)) > 1 or not fits:
            yield f"offset, slope and intercept of {sizes} numbers with link {self.link!r}"
        if not all(math.isfinite(number) for part in (*parts, self.knots, self.values) for number in part):
            yield f"a number that is not finite: {self}"
        if min(self.slope) <= 0:
            yield f"slope {self.slope}: one that is not positive turns the order of the rows round"
        yield from self._excess()

    def _excess(self) -> Iterator[str]:
        """What the method does not allow."""
        if self.method in ("none", "shift") and set(self.slope) != {1}:
            yield f"slope {self.slope} with method {self.method!r}, which has 1"
        if self.method == "temperature" and len(set(self.slope)) > 1:
            yield f"slopes {self.slope} with method 'temperature', which has one for all"
        if self.method in ("none", "temperature") and any(self.intercept):
            yield f"intercept {self.intercept} with method {self.method!r}, which has 0"
        if (self.method == "isotonic") != (len(self.knots) > 1) or len(self.knots) != len(self.values):
            yield f"{len(self.knots)} knots and {len(self.values)} values with method {self.method!r}"
        if not all(np.all(np.diff(part) > 0) for part in (self.knots, self.values)):
            yield f"knots or values that do not rise: {self.knots}, {self.values}"


def uncalibrated(link: Link, offset: tuple[float, ...]) -> Calibration:
    """The calibration that only adds the offset [K].

    >>> uncalibrated("identity", (0.0,)).apply(np.array([[2.5]])).tolist()
    [2.5]
    """
    return Calibration("none", link, offset, (1.0,) * len(offset), (0.0,) * len(offset))


def sigmoid(margins: Floats) -> Floats:
    """1 / (1 + exp(-margin)), of the same shape, without overflow.

    >>> sigmoid(np.array([0.0, np.log(3.0)])).round(12).tolist()
    [0.5, 0.75]
    """
    small = np.exp(-np.abs(margins))
    return np.where(margins >= 0, 1.0, small) / (1.0 + small)
