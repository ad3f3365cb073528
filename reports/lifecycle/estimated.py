"""What was to be expected of each batch without its labels, beside what came."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports.plots import BLUE, GREEN, Event, dot, finish, floats
from reports.svg import figure, styled, svg


@styled
def estimated(name: str, measure: str, batches: Sequence[Mapping[str, Any]], events: Sequence[Event]) -> str:
    """The estimate of a measure by batch with its 95% interval, and the realised one where it is final.

    `batches` are those of `reports.lifecycle.page.Batch`; `name` is what the measure is called.
    """
    found = [(batch["estimates"] or {}).get(measure) or {} for batch in batches]
    came = [batch["score"] if batch["final"] is not False else None for batch in batches]
    names = [batch["batch"] for batch in batches]
    places = np.arange(len(names))
    low, high, value = (floats([each.get(part) for each in found]) for part in ("low", "high", "value"))
    drawn = figure(3.9)
    on = drawn.subplots()
    on.vlines(places, low, high, color=GREEN, alpha=0.3, linewidth=7, label="95% interval")
    on.plot(
        places,
        value,
        "D--",
        color=GREEN,
        markersize=dot(4.5, names),
        linewidth=1.4,
        label="estimated without labels",
    )
    on.plot(places, floats(came), "o-", color=BLUE, markersize=dot(5.5, names), linewidth=2, label="realised")
    on.set_ylabel(name)
    finish(on, names, events)
    drawn.legend(*on.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return svg(
        drawn, "estimated", f"{name} by batch as estimated without labels, with 95% intervals, and realised"
    )
