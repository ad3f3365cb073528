"""A card as one page that needs nothing else: no script, no network; for screens and for paper."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from models.card.disguise import TRICKS

Trial = dict[str, Any]

NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
TICKS = 5
CHANGES = {
    "missing": "missing",
    "unseen": "unseen",
    "noise 0.1": "noise of 0.1",
    "noise 0.5": "noise of 0.5",
    "beyond": "beyond",
    **{trick: trick for trick in TRICKS},
}
MARGINS = {
    "binary": "log-odds",
    "multiclass": "logits",
    "regression": "the unit of the answer",
    "ranking": "score",
}


def html(told: Mapping[str, Any]) -> str:
    """A card, as `models.card.card` made it, as HTML.

    Each of its numbers is a `data` element that has the unrounded number as its value.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "signed": signed, "share": share, "count": count, "size": size}
    environment.filters |= {"short": short, "tick": tick, "instant": instant, "breakable": breakable}
    environment.globals |= {"axis": axis, "place": place, "rates": _rates}
    joint, alone = _tried(told["trials"])
    tried = {change for _, found in alone for change in found}
    changes = {change: name for change, name in CHANGES.items() if change in tried}
    return environment.get_template("card.html").render(
        told, joint=joint, alone=alone, changes=changes, margin=MARGINS[told["use"]["problem"]]
    )


def _tried(trials: Sequence[Trial]) -> tuple[list[Trial], list[tuple[str, dict[str, Trial]]]]:
    """The disturbances of many features, and those of each alone by change; what hurts most comes first."""
    joint = []
    alone: dict[str, dict[str, Trial]] = {}
    for trial in trials:
        what, change, features = trial["what"], trial["change"], trial["features"]
        if [what] == features:
            alone.setdefault(what, {})[change] = trial
        else:
            joint.append(trial | {"name": f"{what}: {CHANGES.get(change, change)}"})
    worst = {what: max(_rise(each) for each in tried.values()) for what, tried in alone.items()}
    return joint, sorted(alone.items(), key=lambda each: -worst[each[0]])


def _rates(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each group or, where there are classes, for each class of it: `selection_rate of late`."""
    found = []
    for group in groups:
        by_class: dict[str, dict[str, Any]] = {}
        for name, rate in group["rates"].items():
            measure, _, of = name.partition(" of ")
            by_class.setdefault(of, {})[measure] = rate
        found += [{**group, "of": of, "rates": rates} for of, rates in (by_class or {"": {}}).items()]
    return found


def _rise(trial: Trial) -> float:
    found = trial["rise"]["value"]
    return math.inf if found is None else float(found)


def short(value: float | str | None) -> str:
    """A number in about four digits, for people; a text as it is.

    >>> [short(value) for value in (0.51234, 23.456, 1234.5, 7.0, 2e-7, "UA")]
    ['0.5123', '23.46', '1,234', '7', '2.0e-07', 'UA']
    """
    if value is None or isinstance(value, str):
        return value or NOTHING
    value += 0.0  # no minus before a zero
    size = abs(value)
    if 0 < size < 0.00005:
        told = f"{value:.1e}"
    elif size >= 1000 or value == round(value):
        told = f"{value:,.0f}"
    else:
        told = f"{value:.{1 if size >= 100 else 2 if size >= 10 else 4}f}"
    return told.replace("-", MINUS, 1) if value < 0 else told


def tick(value: float) -> str:
    """The number at a tick of an axis.

    >>> tick(0.2), tick(25000.0)
    ('0.2', '25,000')
    """
    return (f"{value:,.0f}" if value == round(value) else f"{value:g}").replace("-", MINUS, 1)


def number(value: float | None) -> Markup:
    """A number in about four digits."""
    return _data(value, short(value))


def signed(value: float | None) -> Markup:
    """A number in about four digits, with its sign."""
    return _data(value, ("+" if value is not None and value > 0 else "") + short(value))


def share(value: float | None) -> Markup:
    """A share as a percentage.

    >>> [str(share(value).striptags()) for value in (0.95, 0.2345, 0.0001)]
    ['95%', '23.4%', '<0.1%']
    """
    if value is None:
        return _data(value, NOTHING)
    return _data(value, "<0.1%" if 0 < value < 0.0005 else f"{value:.1%}".replace(".0%", "%"))


def count(value: float | None) -> Markup:
    """A whole number, its thousands apart."""
    return _data(value, NOTHING if value is None else f"{value:,.0f}")


def size(value: float) -> Markup:
    """A number of bytes.

    >>> str(size(918_000))
    '<data value="918000">918.0 kB</data>'
    """
    return _data(value, f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB")


def instant(text: str) -> str:
    """An instant to the minute."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %Z}".strip()


def breakable(name: str) -> Markup:
    """A name that may be broken after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def axis(values: Iterable[float | None], around: float | None = None) -> list[float]:
    """Round numbers for the ticks of an axis that holds all of the values that there are, and `around`.

    >>> axis([0.21, None, 0.68])
    [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    """
    from matplotlib.ticker import MaxNLocator

    known = [value for value in (*values, around) if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    ticks = MaxNLocator(nbins=TICKS + 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(f"{tick:.12g}") for tick in ticks]


def place(value: float, ticks: list[float], start: float, end: float) -> float:
    """Where a value lies on an axis that is drawn from `start` to `end`; what is off it, at its edge."""
    part = (value - ticks[0]) / (ticks[-1] - ticks[0])
    return round(start + min(max(part, 0.0), 1.0) * (end - start), 1)


def _data(value: float | None, text: str) -> Markup:
    return Markup(text) if value is None else Markup('<data value="{}">{}</data>').format(value, text)
