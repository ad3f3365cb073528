"""The heat map of drift: a row a feature, a column a batch."""

import math
from collections.abc import Collection, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from reports.plots import INK, MAX_WRITTEN, MUTED, VERMILLION, Event, finish
from reports.svg import figure, styled, svg

# How opaque a cell is: up to _CALM below the threshold, a step to _DRIFTED at it, and _DEEPEST from
# ten times the threshold on; the text stays legible on all of them.
_CALM, _DRIFTED, _DEEPEST = 0.08, 0.24, 0.62
_DEEPEST_AT = 10
_CELL = (0.94, 0.92)


@styled
def drift_map(
    batches: Sequence[str],
    features: Mapping[str, float | None],
    values: Sequence[Mapping[str, float | None]],
    drifted: Sequence[Collection[str]],
    threshold: float,
    events: Sequence[Event],
) -> str:
    """A cell a feature and batch: its drift, bold where it drifted and the darker the further.

    `features` are drawn from the top, each with its share of the model's importance.
    """
    drawn = figure(0.62 + 0.21 * len(features))
    on = drawn.subplots()
    cells: dict[float, list[tuple[int, int]]] = {}
    for row, feature in enumerate(features):
        for place in range(len(batches)):
            value, bold = values[place].get(feature), feature in drifted[place]
            if value is None:
                continue
            cells.setdefault(_depth(value, bold, threshold), []).append((place, row))
            if len(batches) <= MAX_WRITTEN:
                _write(on, place, row, value, bold)
    for depth, places in cells.items():
        _shade(on, places, depth)
    finish(on, batches, events)
    on.set_ylim(len(features) - 0.5, -0.5)
    on.set_yticks(range(len(features)), list(features), fontsize=9.5)
    shares = ["" if share is None else f"{share:.0%}" for share in features.values()]
    right = on.secondary_yaxis("right")
    right.set_yticks(range(len(features)), shares, fontsize=9.5)
    right.set_ylabel("importance", color=MUTED)
    for side in (on, right):
        side.tick_params(length=0)
        side.spines[:].set_visible(False)
    on.grid(False)
    return svg(drawn, "drift", "Heat map of drift by feature and batch; the table below has the numbers")


def _depth(value: float, drifted: bool, threshold: float) -> float:
    """How opaque the cell of a value is: one of a few depths, for cells of one are drawn together."""
    if not drifted:
        return round(_CALM * min(max(value, 0) / threshold, 1.0), 2)
    beyond = min(1.0, math.log(max(value, threshold) / threshold) / math.log(_DEEPEST_AT))
    return round(_DRIFTED + (_DEEPEST - _DRIFTED) * beyond, 2)


def _shade(on: Axes, cells: Sequence[tuple[int, int]], depth: float) -> None:
    """All cells of one depth as one shape: thousands of shapes would make the page large and slow."""
    wide, high = _CELL
    boxes = [
        Path.unit_rectangle().transformed(Affine2D().scale(wide, high).translate(x - wide / 2, y - high / 2))
        for x, y in cells
    ]
    patch = PathPatch(Path.make_compound_path(*boxes), facecolor=VERMILLION, alpha=depth, linewidth=0)
    on.add_patch(patch)
    patch.set_in_layout(False)


def _write(on: Axes, place: int, row: int, value: float, bold: bool) -> None:
    text = on.text(
        place, row, f"{value:.2f}" if value < 10 else f"{value:.0f}", ha="center", va="center_baseline",
        fontsize=8.5, fontweight="bold" if bold else "normal", color=INK if bold else MUTED,
    )  # fmt: skip
    # The cells lie inside the axes: laying out hundreds of them would only take time.
    text.set_in_layout(False)
