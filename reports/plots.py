"""The plots of the reports: what happened, batch by batch, as inline SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.svg import COLOURS, figure, name_batches, styled, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = Sequence[float | None]
BLUE, GREEN, VERMILLION = (COLOURS[name] for name in ("blue", "green", "vermillion"))
INK, MUTED = COLOURS["ink"], COLOURS["muted"]
# More columns leave no room for numbers, nor for a dot each.
MAX_WRITTEN = 16
_MAX_DOTS = 60


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened between batches: `after` is the position of the last one before it."""

    after: int
    label: str
    released: bool = True


@styled
def performance(
    name: str,
    batches: Sequence[str],
    values: Values,
    intervals: Sequence[tuple[float, float] | None],
    baseline: Values,
    events: Sequence[Event],
) -> str:
    """The champion's measure of this name by batch, with intervals, the baseline's too, and releases."""
    drawn = figure(3.9)
    on = drawn.subplots()
    places = np.arange(len(batches))
    low, high = (floats([pair[side] if pair else None for pair in intervals]) for side in (0, 1))
    on.fill_between(places, low, high, color=BLUE, alpha=0.16, linewidth=0, label="95% interval")
    if any(value is not None for value in baseline):
        on.plot(
            places,
            floats(baseline),
            "s--",
            color=VERMILLION,
            markersize=dot(4, batches),
            linewidth=1.4,
            label="baseline",
        )
    on.plot(
        places, floats(values), "o-", color=BLUE, markersize=dot(5.5, batches), linewidth=2, label="champion"
    )
    on.set_ylabel(name)
    finish(on, batches, events)
    handles, labels = on.get_legend_handles_labels()
    drawn.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
    return svg(drawn, "performance", f"Line plot of the champion's {name} by batch with 95% intervals")


@styled
def rates(
    batches: Sequence[str], predicted: Values, observed: Values, errors: Values, events: Sequence[Event]
) -> str:
    """The mean predicted and the observed rate by batch, and the calibration error below."""
    drawn = figure(3.9)
    above, below = drawn.subplots(2, sharex=True, height_ratios=[2, 1])
    places = np.arange(len(batches))
    above.plot(
        places, 100 * floats(observed), "D-", color=INK, markersize=4.5, linewidth=1.6, label="observed"
    )
    above.plot(
        places, 100 * floats(predicted), "o--", color=BLUE, markersize=5, linewidth=1.8, label="predicted"
    )
    above.set_ylabel("rate (%)")
    above.set_ylim(bottom=0)
    below.bar(places, floats(errors), color=VERMILLION, alpha=0.75, width=0.62)
    below.set_ylabel("calibration\nerror")
    finish(above, batches, events)
    finish(below, batches, events, labelled=False)
    drawn.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return svg(drawn, "rates", "Predicted and observed rate by batch, and calibration error by batch")


@styled
def calibration(batches: Sequence[str], curves: Sequence[tuple[Values, Values]]) -> str:
    """Small multiples: observed rate against predicted probability, a panel a batch."""
    columns = 4
    rows = -(-len(batches) // columns)
    drawn = figure(0.4 + 1.42 * rows)
    panels = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    known = [value for curve in curves for side in curve for value in side if value is not None]
    top = min(1.0, math.ceil(10 * max([*known, 0.1]) + 0.2) / 10)
    for place, (batch, (predicted, observed)) in enumerate(zip(batches, curves, strict=True)):
        panel = panels[place]
        panel.plot([0, top], [0, top], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        panel.plot(floats(predicted), floats(observed), "o-", color=BLUE, markersize=2.8, linewidth=1.4)
        panel.set_title(batch, fontsize=9.5, color=INK, pad=3)
        panel.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        panel.tick_params(labelsize=8.5)
        panel.tick_params(labelbottom=place + columns >= len(batches))
        panel.grid(True)
    for panel in panels[len(batches) :]:
        panel.remove()
    drawn.supxlabel("predicted probability", fontsize=10.5, color=MUTED)
    drawn.supylabel("observed rate", fontsize=10.5, color=MUTED)
    return svg(drawn, "calibration", "Calibration curves, a panel a batch: on the diagonal is right")


@styled
def rows(batches: Sequence[str], accepted: Values, quarantined: Values) -> str:
    """Accepted rows by batch, and, on their own scale, the quarantined ones below."""
    drawn = figure(3.4)
    above, below = drawn.subplots(2, sharex=True, height_ratios=[1.5, 1])
    places = np.arange(len(batches))
    above.bar(places, floats(accepted) / 1000, color=GREEN, alpha=0.8, width=0.62)
    above.set_ylabel("accepted\n(thousand rows)")
    bars = below.bar(places, floats(quarantined), color=VERMILLION, alpha=0.8, width=0.62)
    if len(batches) <= MAX_WRITTEN:
        labels = ["" if value is None else f"{value:.0f}" for value in quarantined]
        below.bar_label(bars, labels, fontsize=8.5, color=INK, padding=2)
    below.set_ylabel("quarantined\n(rows)")
    below.margins(y=0.25)
    finish(above, batches, ())
    finish(below, batches, ())
    return svg(drawn, "rows", "Bars of accepted and of quarantined rows by batch")


def finish(on: "Axes", batches: Sequence[str], events: Sequence[Event], labelled: bool = True) -> None:
    """Grid, names of the batches, and an upright line for each event."""
    on.grid(True, axis="y")
    name_batches(on, batches)
    for event in events:
        style = "-" if event.released else (0, (1, 2))
        on.axvline(event.after + 0.5, color=MUTED, linewidth=1.1, linestyle=style, zorder=1)
        if labelled:
            on.annotate(
                event.label, (event.after + 0.5, 1), (0, 3), xycoords=("data", "axes fraction"),
                textcoords="offset points", ha="center", fontsize=9.5, color=INK, annotation_clip=False,
            )  # fmt: skip


def dot(size: float, batches: Sequence[str]) -> float:
    """The size of the dots of a line: none where so many would hide it."""
    return size if len(batches) <= _MAX_DOTS else 0.0


def floats(values: Values) -> NDArray[np.float64]:
    """The values, NaN where there is none."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
