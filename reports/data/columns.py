"""The card of a column: its distribution in a batch beside the reference's, drawn and in numbers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from reports.downloads import uri
from reports.pages import NOTHING, count, share
from reports.shown import short
from reports.sketches import histogram

Facts = dict[str, Any]

_DRAWN = ("number", "hour", "weekday")
_SHOWN = 8
_LEAST = 0.001
_KINDS = {
    "number": "number",
    "category": "text",
    "boolean": "true or false",
    "hour": "by hour",
    "weekday": "by weekday",
    "other": "not drawn",
}
_EMPTY, _OTHERS = "(empty text)", "all others"


def card(column: Facts, threshold: float) -> Facts:
    """A column as the template shows it: a `picture` or `bars`, and the `lines` of a table of numbers."""
    current, reference = column["current"], column["reference"]
    known = sum(current["counts"]) + (sum(reference["counts"]) if reference else 0)
    drawn = known and column["kind"] in _DRAWN
    listed = known and column["kind"] in ("category", "boolean")
    return {
        "column": column["column"],
        "kind": _KINDS[column["kind"]],
        "psi": column["psi"],
        "moved": column["psi"] is not None and column["psi"] >= threshold,
        "picture": _picture(column) if drawn else "",
        "bars": _bars(column) if listed else [],
        "empty": not current["rows"],
        "compared": reference is not None,
        "lines": _lines(current, reference),
        "data": _data(column) if drawn or listed else "",
    }


def _data(column: Facts) -> str:
    """The counts of both sides as a file: a row a bin, or a value."""
    edges = [short(edge) for edge in column["edges"]]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    bins = (
        [f"below {edges[0]}", *between, f"{edges[-1]} and above"] if edges else [*column["labels"], _OTHERS]
    )
    sides = {name: side["counts"] for name in ("current", "reference") if (side := column[name])}
    return uri({"value": bins, **sides})


def _shares(side: Facts | None, places: Sequence[int]) -> list[float] | None:
    """The shares of all rows, also of those where the value is missing."""
    return None if side is None else [side["counts"][place] / max(side["rows"], 1) for place in places]


def _picture(column: Facts) -> Markup:
    sides = [side["counts"] for side in (column["current"], column["reference"]) if side]
    if column["kind"] == "number":
        last = len(column["edges"])
        below, above = (any(counts[place] for counts in sides) for place in (0, last))
        places = [place for place in range(last + 1) if below or place][: None if above else -1]
        ticks = _number_ticks(column["edges"], int(below))
    else:
        below = above = False
        places = list(range(len(column["labels"])))
        middle = len(places) // 2
        ticks = [(place + 0.5, column["labels"][place]) for place in (0, middle, len(places) - 1)]
    current = _shares(column["current"], places) or []
    said = f"Distribution of {column['column']}: {', '.join(text for _, text in ticks)}"
    return histogram(current, _shares(column["reference"], places), ticks, (below, above), said)


def _number_ticks(edges: Sequence[float], before: int) -> list[tuple[float, str]]:
    """Labels under the first, a middle and the last edge; under the bars where each is a number."""
    bars = len(edges) - 1
    single = bars == 1 or (edges[1] - edges[0] == 1 and edges[0] % 1)
    if single:
        at = sorted({0, bars // 2, bars - 1})
        return [(before + place + 0.5, short((edges[place] + edges[place + 1]) / 2)) for place in at]
    return [(before + place, short(edges[place])) for place in (0, bars // 2, bars)]


def _bars(column: Facts) -> list[Facts]:
    """The commonest labels of either side, and all others together."""
    places = range(len(column["labels"]) + 1)
    current, reference = _shares(column["current"], places) or [], _shares(column["reference"], places)
    order = sorted(places[:-1], key=lambda at: -max(current[at], reference[at] if reference else 0.0))
    groups = [(column["labels"][at] or _EMPTY, [at]) for at in order[:_SHOWN]]
    groups.append((_OTHERS, [*order[_SHOWN:], places[-1]]))
    told = [
        (label, sum(current[at] for at in group), sum(reference[at] for at in group) if reference else None)
        for label, group in groups
    ]
    # What all others have together would dwarf each of those that are named.
    most = max([1e-9, *(max(now, then or 0.0) for _, now, then in told[:-1])])
    return [
        {
            "label": label,
            "now": _told(now),
            "then": None if then is None else _told(then),
            "others": label == _OTHERS,
            "width": f"{100 * now / most:.1f}",
            "mark": None if then is None else f"{100 * then / most:.1f}",
        }
        for label, now, then in told
        if label != _OTHERS or now or then
    ]


def _lines(current: Facts, reference: Facts | None) -> list[dict[str, str]]:
    """What the table under the picture says of both sides."""
    sides = [current, reference] if reference else [current]

    def line(name: str, cells: Sequence[str]) -> dict[str, str]:
        return {"name": name, "now": cells[0], "then": cells[1] if reference else ""}

    lines = [line("rows", [count(side["rows"]) for side in sides])]
    lines.append(line("missing", [_of(side, "missing") for side in sides]))
    if any(side["infinite"] for side in sides):
        lines.append(line("infinite", [_of(side, "infinite") for side in sides]))
    if any(side["distinct"] is not None for side in sides):
        lines.append(line("different", [count(side["distinct"]) for side in sides]))
    for name, fact in (("least", "least"), ("median", "middle"), ("most", "most")):
        if any(side[fact] is not None for side in sides):
            lines.append(line(name, [short(side[fact]) for side in sides]))
    return lines


def _of(side: Mapping[str, Any], fact: str) -> str:
    return _told(side[fact] / side["rows"]) if side["rows"] else NOTHING


def _told(part: float) -> str:
    """A share that is not told as nothing while it is something."""
    return "0%" if not part else share(part) if part >= _LEAST else "<0.1%"
