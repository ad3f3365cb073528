"""The picture of lineage as SVG: a row a round of training, a lane a family, each box a link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_SOURCE, _BOX, _LANE, _GAP = 196, 104, 132, 44  # widths
_ROW, _HIGH, _TOP, _LINE = 92, 64, 16, 17
_CUT = 17


@dataclass(frozen=True, slots=True)
class Box:
    """Something that can be clicked: a head, lines below it, and what it is said to be."""

    link: str
    head: str
    lines: tuple[str, ...]
    state: str
    description: str


@dataclass(frozen=True, slots=True)
class Edge:
    """From a version to another that "went on" from it, or that met it and was "released" or "refused"."""

    start: str
    end: str
    kind: str


def picture(
    sources: Sequence[Box], versions: Mapping[str, tuple[int, int, Box]], edges: Sequence[Edge]
) -> Markup:
    """What each round was made from, beside the versions it made (row, lane and box by id)."""
    lanes = 1 + max((lane for _, lane, _ in versions.values()), default=0)
    width, height = _SOURCE + _GAP + lanes * _LANE, len(sources) * _ROW + _TOP
    rows = [[lane for at, lane, _ in versions.values() if at == row] for row in range(len(sources))]
    drawn = [_comb(row, taken) for row, taken in enumerate(rows)]
    drawn += [_edge(versions[edge.start], versions[edge.end], edge.kind) for edge in edges]
    drawn += [_box(box, 1, _y(row), _SOURCE, 36) for row, box in enumerate(sources)]
    drawn += [_box(box, _x(lane), _y(row), _BOX, _CUT) for row, lane, box in versions.values()]
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" class="lineage" '
        f'style="width: {width}px; min-width: {width * 0.8:.0f}px" role="group" '
        f'aria-label="Which data, code and settings made which version">{"".join(drawn)}</svg>'
    )


def _x(lane: int) -> int:
    return _SOURCE + _GAP + lane * _LANE


def _y(row: int) -> int:
    return _TOP + row * _ROW


def _comb(row: int, lanes: Sequence[int]) -> str:
    """A line from the source above all boxes of its row, and down to each."""
    if not lanes:
        return ""
    y = _y(row)
    teeth = "".join(f"M{_x(lane) + _BOX // 2} {y - 8}V{y}" for lane in lanes)
    path = f"M{_SOURCE} {y + 14}H{_SOURCE + 18}V{y - 8}H{_x(max(lanes)) + _BOX // 2}{teeth}"
    return f'<path class="made" d="{path}"/>'


def _edge(start: tuple[int, int, Box], end: tuple[int, int, Box], kind: str) -> str:
    """Round the boxes in the gutter beside them: at the left what went on, at the right what met."""
    name = kind.replace(" ", "-")
    (top, first, _), (bottom, last, _) = start, end
    shift = 10 if kind == "released" else 18
    if kind == "went on":
        side, lane, from_edge, to_edge = _x(last) - 8, last, _x(first), _x(last)
    else:
        lane = max(first, last)
        side, from_edge, to_edge = _x(lane) + _BOX + shift, _x(first) + _BOX, _x(last) + _BOX
    above, below = _y(top) + _HIGH // 2 + (8 if kind == "refused" else 0), _y(bottom) + _HIGH // 2
    path = f"M{from_edge} {above}H{side}V{below}H{to_edge}"
    tip = 5 if to_edge < side else -5
    arrow = f"M{to_edge + tip} {below - 4}L{to_edge} {below}L{to_edge + tip} {below + 4}"
    return f'<path class="{name}" d="{path}"/><path class="{name} tip" d="{arrow}"/>'


def _box(box: Box, x: int, y: int, width: int, cut: int) -> str:
    lines = "".join(
        f'<text x="{x + 9}" y="{y + 36 + _LINE * place - (4 if len(box.lines) > 2 else 0)}" class="line">'
        f"{escape(_short(line, cut))}</text>"
        for place, line in enumerate(box.lines)
    )
    high = _HIGH if len(box.lines) <= 2 else _HIGH + 8
    return (
        f'<a href="{escape(box.link)}" aria-label="{escape(box.description)}" class="{escape(box.state)}">'
        f'<rect x="{x}" y="{y}" width="{width}" height="{high}" rx="7"/>'
        f'<text x="{x + 9}" y="{y + 18}" class="head">{escape(_short(box.head, cut))}</text>{lines}</a>'
    )


def _short(text: str, cut: int) -> str:
    return text if len(text) <= cut else text[: cut - 1] + "…"
