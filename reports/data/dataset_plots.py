"""The plot of a dataset's batches over time, as inline SVG."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.svg import COLOURS, figure, name_batches, styled, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREEN, VERMILLION, INK, MUTED = (COLOURS[name] for name in ("green", "vermillion", "ink", "muted"))
# More batches are drawn as one outline: a bar each would be too thin to see, and too much to load.
_MAX_BARS = 60
_FEWEST_PLACES = 6
_LEAST_SHARE = 1e-5


@styled
def batches(
    names: Sequence[str],
    accepted: Sequence[int],
    quarantined: Sequence[int],
    stopped: Sequence[bool],
    refused: Sequence[bool],
    max_share: float,
) -> str:
    """Rows by batch, accepted, quarantined or stopped; below, the share quarantined, on a log scale."""
    from matplotlib.ticker import EngFormatter

    drawn = figure(4.2)
    above, below = drawn.subplots(2, sharex=True, height_ratios=[1.5, 1])
    good, bad, all_bad = np.array(accepted), np.array(quarantined), np.array(stopped, dtype=bool)
    _stack(above, good, "accepted", GREEN, np.zeros_like(good))
    _stack(above, np.where(all_bad, 0, bad), "quarantined", VERMILLION, good)
    if all_bad.any():
        _stack(above, np.where(all_bad, bad, 0), "stopped", MUTED, np.zeros_like(good))
    if any(refused):
        places = np.flatnonzero(refused)
        above.plot(
            places, np.zeros(len(places)), "x", color=INK, markersize=7, markeredgewidth=1.8,
            label="refused", linestyle="", clip_on=False,
        )  # fmt: skip
    above.set_ylabel("rows")
    above.set_ylim(bottom=0)
    above.yaxis.set_major_formatter(EngFormatter(sep=""))
    _shares(below, bad / np.maximum(good + bad, 1), max_share)
    for on in (above, below):
        on.grid(True, axis="y")
        name_batches(on, names)
        spare = max(0.0, (_FEWEST_PLACES - len(names)) / 2)
        on.tick_params(axis="x", labelsize=9.5)
        on.set_xlim(-0.6 - spare, len(names) - 0.4 + spare)
    # Bars first: matplotlib lists the crosses before them.
    handles, labels = above.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: labels[place] == "refused")
    drawn.legend(
        [handles[place] for place in order], [labels[place] for place in order],
        loc="outside lower center", ncols=4, columnspacing=1.4,
    )  # fmt: skip
    return svg(drawn, "batches", "Rows by batch, accepted and quarantined, and the share quarantined below")


def _stack(on: "Axes", rows: NDArray[np.int64], label: str, colour: str, base: NDArray[np.int64]) -> None:
    if len(rows) <= _MAX_BARS:
        on.bar(np.arange(len(rows)), rows, 0.62, base, color=colour, alpha=0.85, linewidth=0, label=label)
    else:
        edges = np.arange(len(rows) + 1) - 0.5
        on.stairs(
            base + rows, edges, baseline=base, fill=True, color=colour, alpha=0.85, linewidth=0, label=label
        )


def _shares(on: "Axes", shares: NDArray[np.float64], max_share: float) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    places = np.flatnonzero(shares)
    least = min([*shares[places], max_share or 1.0, 0.01])
    low = max(_LEAST_SHARE, 10 ** np.floor(np.log10(least)))
    on.set_yscale("log")
    on.set_ylim(low, 1.6)
    few = len(shares) <= _MAX_BARS
    if few:
        on.vlines(places, low, shares[places], color=VERMILLION, linewidth=1.4)
    on.plot(places, np.maximum(shares[places], low), "o", color=VERMILLION, markersize=5 if few else 2.2)
    if max_share > 0:
        on.axhline(max_share, color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)))
        on.annotate(
            f"limit\n{100 * max_share:.3g}%", (1, max_share), (4, 0), color=MUTED, va="center",
            xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8.5,
        )  # fmt: skip
    on.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    on.yaxis.set_minor_formatter(NullFormatter())
    on.set_ylabel("quarantined\n(log scale)")
