"""The plot of how far predictions and inputs moved, batch by batch."""

from collections.abc import Sequence

import numpy as np

from reports.plots import BLUE, VERMILLION, Event, Values, dot, finish, floats
from reports.svg import figure, styled, svg


@styled
def shifts(batches: Sequence[str], said: Values, inputs: Values, events: Sequence[Event]) -> str:
    """The stability index of the predictions by batch; below, the importance in inputs that drifted."""
    drawn = figure(3.6)
    above, below = drawn.subplots(2, sharex=True)
    places = np.arange(len(batches))
    above.plot(places, floats(said), "o-", color=BLUE, markersize=dot(5, batches), linewidth=1.8)
    above.set_ylabel("predictions\n(stability index)")
    above.set_ylim(bottom=0)
    below.bar(places, 100 * floats(inputs), color=VERMILLION, alpha=0.75, width=0.62)
    below.set_ylabel("inputs\n(% of importance)")
    below.set_ylim(bottom=0)
    finish(above, batches, events)
    finish(below, batches, events, labelled=False)
    return svg(drawn, "shifts", "Drift of the predictions by batch, and importance in inputs that drifted")
