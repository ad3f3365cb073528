"""Mean and spread of numbers that come piece by piece."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moments:
    """How many numbers there are, their mean, and the sum of squares about it (Chan et al., 1983).

    >>> whole = Moments.of(np.array([1.0, 2.0])) + Moments.of(np.array([6.0]))
    >>> whole.mean, round(whole.std, 4)
    (3.0, 2.1602)
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Moments":
        """Those of finite numbers [n]; where they are too large to be squared, the spread is infinite."""
        if not values.size:
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            return cls(values.size, mean, _or_infinite(float(np.square(values - mean).sum())))

    @property
    def std(self) -> float:
        """The standard deviation of the population; 0 of none."""
        return float(np.sqrt(self.squares / self.count)) if self.count else 0.0

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        with np.errstate(over="ignore", invalid="ignore"):
            between = np.float64(apart) * apart * (self.count * other.count / count)
            squares = _or_infinite(float(self.squares + other.squares + between))
        return Moments(count, self.mean + apart * other.count / count, squares)


def _or_infinite(number: float) -> float:
    return number if np.isfinite(number) else float("inf")
