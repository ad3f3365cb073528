"""Labels beside points that cover neither each other nor another point."""

import math
from collections.abc import Sequence
from itertools import chain, pairwise

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from reports.svg import COLOURS

Spot = tuple[float, float, float, float]  # left, bottom, right, top
_SIZE, _WIDE, _HIGH, _POINT = 8.5, 0.62, 1.05, 4.5  # in points; of the size
_RINGS, _WAYS = 9, 12


def place_labels(
    on: Axes,
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    lines: Sequence[Sequence[tuple[float, float]]] = (),
) -> None:
    """Write each label as near to its point as there is room within the axes, and off the `lines`.

    What lies far gets a thread to its point. The axes must be final.
    """
    canvas = FigureCanvasAgg(on.figure)
    canvas.draw()  # which lays it out
    scale = 72 / canvas.figure.dpi
    spots, *bent = ([scale * on.transData.transform(point) for point in some] for some in (points, *lines))
    left, bottom, right, top = (float(scale * end) for end in on.bbox.extents)
    far = math.inf
    taken: list[Spot] = [(-far, -far, left, far), (right, -far, far, far)]
    taken += [(-far, -far, far, bottom), (-far, top, far, far)]
    taken += [(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in spots]
    for (left, bottom), (right, top) in chain.from_iterable(map(pairwise, bent)):
        taken.append((left, bottom - 1, right, bottom + 1))
        taken.append((right - 1, min(bottom, top), right + 1, max(bottom, top)))
    for (x, y), point, label in zip(spots, points, labels, strict=True):
        right, up = room(x, y, len(label), taken)
        is_far = math.hypot(right, up) > 16
        thread = {"arrowstyle": "-", "color": COLOURS["muted"], "linewidth": 0.5, "shrinkB": 3}
        on.annotate(
            label, point, (right, up), textcoords="offset points", fontsize=_SIZE, ha="center", va="center",
            arrowprops=thread if is_far else None,
        ).set_in_layout(False)  # fmt: skip


def room(x: float, y: float, letters: int, taken: list[Spot]) -> tuple[float, float]:
    """Where a label of so many letters may be centred beside a point, which it then takes.

    >>> taken = [(-4.5, -4.5, 4.5, 4.5)]
    >>> [tuple(round(part) for part in room(0, 0, 1, taken)) for _ in range(2)]
    [(9, 0), (-7, 3)]
    """
    wide, high = _SIZE * _WIDE * letters / 2, _SIZE * _HIGH / 2
    offsets = (
        (radius * math.cos(way) + wide * math.cos(way), radius * math.sin(way))
        for radius in (6 + 5 * ring for ring in range(_RINGS))
        for way in (2 * math.pi * part / _WAYS for part in range(_WAYS))
    )
    right, up = next(
        (each for each in offsets if not _covers(_spot(x, y, each, wide, high), taken)), (6 + wide, 0.0)
    )
    taken.append(_spot(x, y, (right, up), wide, high))
    return right, up


def _spot(x: float, y: float, offset: tuple[float, float], wide: float, high: float) -> Spot:
    x, y = x + offset[0], y + offset[1]
    return x - wide, y - high, x + wide, y + high


def _covers(spot: Spot, taken: Sequence[Spot]) -> bool:
    left, bottom, right, top = spot
    return any(left < each[2] and each[0] < right and bottom < each[3] and each[1] < top for each in taken)
