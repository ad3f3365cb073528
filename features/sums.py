"""Exact sums of many windows at once: differences of running totals that lose no bit.

A running sum of floats rounds at every step, and the difference of two keeps what was lost. Here
each value is cut into whole numbers of 30 bits (limbs), whose running sums are exact in 64; the
difference of two is put together and rounded once. That is `math.fsum` of the window, to the bit:
nothing that lies outside the window, nor the order in it, changes the result.
"""

from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
D = TypeVar("D", np.float64, np.int64)

_WIDTH = 30
_MASK = (1 << _WIDTH) - 1
_DIGITS = 53  # the bits of a float's whole number


class Parts:
    """Finite values as limbs: `values = sum(limb * 2 ** (base + 30 * place))`, exactly.

    Where even the sum of all fits the digits of a float there is one limb, the values themselves.
    """

    def __init__(self, values: Floats) -> None:
        self._values = values
        mantissa, exponent = np.frexp(values)
        self._whole = np.ldexp(mantissa, _DIGITS).astype(np.int64)
        self._exponent = exponent.astype(np.int64) - _DIGITS
        lowest = np.frexp((self._whole & -self._whole).astype(np.float64))[1] - 1 + self._exponent
        something = self._whole != 0
        self.base = int(lowest[something].min()) if something.any() else 0
        with np.errstate(over="ignore"):
            self.fits = bool(np.ldexp(np.abs(values).sum(), -self.base) < 2.0 ** (_DIGITS - 1))

    @cached_property
    def limbs(self) -> list[Whole]:
        """From the lowest place to the highest, each less than 2 ** 30 in size, signed."""
        shift = self._exponent - self.base
        whole = np.abs(self._whole) >> np.clip(-shift, 0, _DIGITS)
        shift, sign = np.maximum(shift, 0), np.sign(self._whole)
        highest = int((shift + _DIGITS).max()) if len(shift) else 0
        found = []
        for place in range(0, highest, _WIDTH):
            down, up = np.clip(place - shift, 0, 63), np.clip(shift - place, 0, _WIDTH)
            found.append(sign * (((whole >> down) & (_MASK >> up)) << up))
        return found

    def sums(self, order: Whole, low: Whole, high: Whole) -> Floats:
        """The sum of `values[order][low:high]` for each pair of `low` and `high`."""
        if self.fits:
            return _between(_running(self._values[order]), low, high) + 0.0  # not -0.0
        limbs = [_between(_running(limb[order]), low, high) for limb in self.limbs]
        return _rounded([*limbs, np.zeros_like(low), np.zeros_like(low)], self.base)


def _running(values: NDArray[D]) -> NDArray[D]:
    found = np.zeros(len(values) + 1, values.dtype)
    np.cumsum(values, out=found[1:])
    return found


def _between(running: NDArray[D], low: Whole, high: Whole) -> NDArray[D]:
    return running[high] - running[low]


def _carried(limbs: list[Whole]) -> list[Whole]:
    """The same numbers with every limb in [0, 2 ** 30) but the highest, which has the sign."""
    found, carry = [], np.zeros_like(limbs[0])
    for limb in limbs[:-1]:
        whole = limb + carry
        found.append(whole & _MASK)
        carry = whole >> _WIDTH
    return [*found, limbs[-1] + carry]


def _rounded(limbs: list[Whole], base: int) -> Floats:
    """The floats nearest to `sum(limb * 2 ** (base + 30 * place))`; of two, the even one."""
    sign = np.where(_carried(limbs)[-1] < 0, -1, 1)
    # Three zeros below: the highest limb that is not 0 always has two under it, and a rest.
    places = np.stack([np.zeros_like(sign)] * 3 + _carried([sign * limb for limb in limbs]))
    some = places != 0
    top = np.maximum(len(places) - 1 - np.argmax(some[::-1], axis=0), 3)
    column = np.arange(len(sign))
    first, second, third = (places[top - below, column] for below in range(3))
    rest = np.cumsum(some, axis=0)[top - 3, column] > 0
    length = np.frexp(first.astype(np.float64))[1].astype(np.int64)
    # The first 60 bits, and whether there is anything under them: enough to round once, rightly.
    bits = (first << (2 * _WIDTH - length)) | (second << (_WIDTH - length)) | (third >> length)
    rest |= (third & ((1 << length) - 1)) != 0
    with np.errstate(over="ignore"):
        exponent = length + _WIDTH * (top - 5) + base
        found: Floats = sign * np.ldexp((bits | rest).astype(np.float64), exponent) + 0.0
    return found
