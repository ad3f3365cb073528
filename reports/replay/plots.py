"""The plots of a replay: policies over time, their regret, and quality against cost."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports.plots import BLUE, GREEN, INK, MUTED, VERMILLION, dot, finish, floats
from reports.replay.labels import place_labels
from reports.svg import figure, styled, svg

NEVER, ORACLE = "never", "oracle"
_CUT = 40
_NEAR = 1 / 80  # of an axis: what lies nearer to each other shares a label
_DASHED = (0, (4, 3))


class Look(Enum):
    """How a policy is drawn: colour, shape and line, told apart without colours; all others are muted."""

    CHOSEN = "recommended"
    PRESENT = "present"
    NEVER = "never"
    ORACLE = "oracle"
    OTHER = "other"


_COLOURS = {
    Look.CHOSEN: BLUE,
    Look.PRESENT: VERMILLION,
    Look.NEVER: INK,
    Look.ORACLE: GREEN,
    Look.OTHER: MUTED,
}
_SHAPES = {Look.CHOSEN: "o", Look.PRESENT: "s", Look.NEVER: "D", Look.ORACLE: "^", Look.OTHER: "."}
_LINES = {
    Look.CHOSEN: "-",
    Look.PRESENT: "--",
    Look.NEVER: "-",
    Look.ORACLE: (0, (1, 1.5)),
    Look.OTHER: "-",
}
_BANDED = (Look.CHOSEN, Look.PRESENT)
Facts = Mapping[str, Any]
Point = tuple[float, float]


@styled
def gains(
    loss: str,
    batches: Sequence[str],
    policies: Sequence[Facts],
    lines: Sequence[Sequence[Facts]],
    retrained: Sequence[Sequence[bool]],
) -> str:
    """The gain on never retraining by batch, a line a policy; a ring where one released a new version."""
    drawn = figure(4.4)
    on = drawn.subplots()
    places = np.arange(len(batches))
    for policy, line, rings in sorted(
        zip(policies, lines, retrained, strict=True), key=lambda each: each[0]["look"] is not Look.OTHER
    ):
        look = policy["look"]
        value, low, high = (floats([point.get(part) for point in line]) for part in ("value", "low", "high"))
        colour = _COLOURS[look]
        if look is Look.OTHER:
            on.plot(places, value, color=colour, linewidth=0.8, alpha=0.4)
            continue
        if look in _BANDED:
            on.fill_between(places, low, high, color=colour, alpha=0.14, linewidth=0)
        name = _short(policy["name"], 44)
        label = name if name == look.value else f"{look.value}: {name}"
        style: Any = {"marker": _SHAPES[look], "markersize": dot(4.5, batches), "linestyle": _LINES[look]}
        on.plot(places, value, color=colour, linewidth=1.9, label=label, **style)
        at = np.flatnonzero(np.array(rings, dtype=bool))
        if look in _BANDED and dot(1, batches):
            on.plot(places[at], value[at], "o", markersize=10, markerfacecolor="none", color=colour)
    on.axhline(0, color=MUTED, linewidth=0.9)
    on.set_ylabel(f"gain in {loss} a row, on never")
    finish(on, batches, ())
    if any(policy["look"] is Look.OTHER for policy in policies):
        on.plot([], [], color=MUTED, linewidth=0.8, alpha=0.6, label="other policies")
    drawn.legend(*on.get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=9)
    return svg(drawn, "policies", f"Gain in {loss} on never retraining by batch, a line a policy")


@styled
def regret(loss: str, policies: Sequence[Facts]) -> str:
    """How far each policy is from the oracle, the nearest at the top, with intervals."""
    drawn = figure(1.0 + 0.24 * len(policies))
    on = drawn.subplots()
    for row, policy in enumerate(policies):
        found, look = policy["regret"], policy["look"]
        ends = floats([found["low"], found["high"]])
        on.plot(ends, [row, row], color=_COLOURS[look], linewidth=3, alpha=0.35)
        on.plot([found["value"]], [row], _SHAPES[look], color=_COLOURS[look], markersize=6)
    names = [f"{_short(each['name'], _CUT)} ({each['number']})" for each in policies]
    on.set_yticks(range(len(policies)), names, fontsize=8.5)
    on.set_ylim(len(policies) - 0.4, -0.6)
    on.axvline(0, color=MUTED, linewidth=0.9)
    on.xaxis.set_major_locator(MaxNLocator(5))
    on.grid(True, axis="x")
    on.set_xlabel(f"regret in {loss} a row (left is better)")
    return svg(drawn, "regret", "Regret of each policy against the oracle, with 95% intervals")


@styled
def frontier(loss: str, policies: Sequence[Facts], best: Sequence[str]) -> str:
    """Gain against seconds of training; a line through the policies that no cheaper one equals."""
    drawn = figure(4.2)
    on = drawn.subplots()
    points = [(each["training_seconds"], each["against_never"]["value"]) for each in policies]
    for policy, (seconds, gain) in zip(policies, points, strict=True):
        look, found = policy["look"], policy["against_never"]
        ends = floats([found["low"], found["high"]])
        on.plot([seconds] * 2, ends, color=_COLOURS[look], linewidth=1.6, alpha=0.3)
        size = 7.5 if look is not Look.OTHER else 9
        on.plot([seconds], [gain], _SHAPES[look], color=_COLOURS[look], markersize=size)
    line = {each["name"]: point for each, point in zip(policies, points, strict=True)}
    steps = [line[name] for name in best]
    across, up = ([point[side] for point in steps] for side in (0, 1))
    on.plot(across, up, drawstyle="steps-post", color=INK, linewidth=1.1, linestyle=_DASHED, label="frontier")
    on.axhline(0, color=MUTED, linewidth=0.9)
    on.grid(True, axis="both")
    on.set_xlabel("training (seconds)")
    on.set_ylabel(f"gain in {loss} a row, on never")
    on.margins(x=0.08, y=0.1)
    _legend(on, policies)
    drawn.legend(*on.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    level = [(end, 0.0) for end in on.get_xlim()]
    labels = numbers_at(points, [each["number"] for each in policies])
    place_labels(on, list(labels), list(labels.values()), [steps, level])
    return svg(drawn, "frontier", "Gain of each policy against its seconds of training, with 95% intervals")


def numbers_at(points: Sequence[Point], numbers: Sequence[int]) -> dict[Point, str]:
    """The numbers of the points, those together that lie on each other, at the first of these.

    >>> numbers_at([(0, 0), (9, 9), (0, 0), (0, 0)], [1, 2, 3, 4])
    {(0, 0): '1, 3-4', (9, 9): '2'}
    """
    sides = list(zip(*points, strict=True))
    steps = [(max(side) - min(side)) * _NEAR or 1.0 for side in sides]
    found: dict[tuple[int, ...], tuple[Point, list[int]]] = {}
    for point, number in zip(points, numbers, strict=True):
        place = tuple(round(side / step) for side, step in zip(point, steps, strict=True))
        found.setdefault(place, (point, []))[1].append(number)
    return {point: _runs(sorted(there)) for point, there in found.values()}


def _runs(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _legend(on: Axes, policies: Sequence[Facts]) -> None:
    for look in dict.fromkeys(policy["look"] for policy in policies):
        on.plot([], [], _SHAPES[look], color=_COLOURS[look], linestyle="", label=look.value)


def _short(name: str, cut: int) -> str:
    return name if len(name) <= cut else name[: cut - 1] + "…"
