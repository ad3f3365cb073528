"""Whether quantiles held what they claimed, batch by batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports.plots import BLUE, INK, Event, finish, floats
from reports.svg import figure, styled, svg


@styled
def coverage(scored: Sequence[Mapping[str, Any]], events: Sequence[Event]) -> str:
    """The share of outcomes between the outermost quantiles by batch, with intervals, and the nominal one.

    `scored` are batches of `reports.lifecycle.page.Batch`, one of which at least has the measure.
    """
    found = [batch["measures"] for batch in scored]
    nominal = next(measures["nominal"] for measures in found if measures.get("nominal") is not None)
    pairs = [batch["intervals"].get("coverage") or (None, None) for batch in scored]
    low, high = (100 * floats([pair[end] for pair in pairs]) for end in (0, 1))
    places, shares = np.arange(len(scored)), 100 * floats([each.get("coverage") for each in found])
    drawn = figure(3.9)
    on = drawn.subplots()
    on.vlines(places, low, high, color=BLUE, alpha=0.4, linewidth=3, label="95% interval")
    dashed, claimed = (0, (5, 3)), f"claimed, {nominal:.0%}"
    on.axhline(100 * nominal, color=INK, linewidth=1.4, linestyle=dashed, label=claimed)
    on.plot(places, shares, "o", color=BLUE, markersize=5.5, label="realised")
    on.set_ylabel("coverage (%)")
    finish(on, [batch["batch"] for batch in scored], events)
    drawn.legend(*on.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    told = "Share of outcomes between the outermost quantiles by batch, with 95% intervals"
    return svg(drawn, "coverage", told)
