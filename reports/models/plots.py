"""The plots of model versions: on their holdouts, and before the gate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports.lifecycle.batches import short
from reports.plots import BLUE, GREEN, INK, MUTED, VERMILLION, floats
from reports.svg import figure, styled, svg

# A shape each, so that families are told apart without colours.
_SHAPES = ("o", "s", "D", "^", "v", "P", "X")
_COLOURS = (BLUE, VERMILLION, GREEN, INK, MUTED)
_MAX_NAMES = 20


@styled
def holdouts(
    name: str,
    versions: Sequence[str],
    families: Sequence[str],
    rounds: Sequence[str],
    found: Sequence[Mapping[str, float | None]],
    champion: Sequence[bool],
) -> str:
    """A measure of each version on its holdout with its interval; those of one round share their rows."""
    drawn = figure(3.7)
    on = drawn.subplots()
    places = np.arange(len(versions))
    value, low, high = (floats([each[part] for each in found]) for part in ("value", "low", "high"))
    for order, family in enumerate(dict.fromkeys(families)):
        its = np.array([each == family for each in families])
        colour = _COLOURS[order % len(_COLOURS)]
        on.vlines(places[its], low[its], high[its], color=colour, alpha=0.4, linewidth=2.5)
        shape = _SHAPES[order % len(_SHAPES)]
        on.plot(places[its], value[its], shape, color=colour, markersize=5.5, linestyle="", label=family)
    for place in places[np.array(champion, dtype=bool)]:
        on.annotate("★", (place, np.nanmax([value[place], high[place]])), (0, 3),
                    textcoords="offset points", ha="center", color=GREEN)  # fmt: skip
    for place in places[1:]:
        if rounds[place] != rounds[place - 1]:
            on.axvline(place - 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    every = -(-len(versions) // _MAX_NAMES)
    on.set_xticks(list(places[::every]), list(versions[::every]), fontsize=9)
    on.set_xlim(-0.6, len(versions) - 0.4)
    on.margins(y=0.12)
    on.set_ylabel(f"{name} on the holdout")
    on.grid(True, axis="y")
    drawn.legend(*on.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    told = f"{name} of each version on its holdout with 95% intervals, by family"
    return svg(drawn, "holdouts", told)


@styled
def gains(metric: str, duels: Sequence[Mapping[str, Any]]) -> str:
    """What each challenger gains on who it met: an interval, and the limit that its low end must exceed."""
    drawn = figure(1.2 + 0.3 * len(duels))
    on = drawn.subplots()
    for row, duel in enumerate(duels):
        colour, shape = (GREEN, "o") if duel["accepted"] else (VERMILLION, "X")
        gain = duel["gain"]
        on.plot([gain["low"], gain["high"]], [row, row], color=colour, linewidth=3, alpha=0.5)
        on.plot([(gain["low"] + gain["high"]) / 2], [row], shape, color=colour, markersize=6)
        if duel["limit"] is not None:
            on.plot([duel["limit"]] * 2, [row - 0.35, row + 0.35], color=INK, linewidth=1.6)
    against = ["constant" if each["against"] is None else short(each["against"]) for each in duels]
    names = [f"{short(each['version'])} on {other}" for each, other in zip(duels, against, strict=True)]
    on.set_yticks(range(len(duels)), names, fontsize=9)
    on.set_ylim(len(duels) - 0.4, -0.6)
    on.grid(True, axis="x")
    on.axvline(0, color=MUTED, linewidth=0.9)
    on.set_xlabel(f"gain in {metric} a row (right is better)")
    for colour, shape, label in ((GREEN, "o", "released"), (VERMILLION, "X", "refused")):
        on.plot([], [], shape, color=colour, label=label)
    on.plot([], [], "|", color=INK, markersize=11, label="to be exceeded by the low end")
    drawn.legend(*on.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return svg(drawn, "gains", "What each challenger gains on the champion of its time, with 95% intervals")
