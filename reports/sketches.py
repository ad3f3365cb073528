"""Small pictures by the hundred: inline SVG written by hand, in the colours of the page."""

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _TOP = 300, 78, 14
# What lies beyond the first and the last edge stands this far apart.
_GAP = 5
_STRIP, _CELL, _CELLS = 160, 12, 80
_DEPTHS = (0.4, 0.7, 1.0)
_WHOLE_PERCENT = 0.095
_SPARK = 64


def histogram(
    current: Sequence[float],
    reference: Sequence[float] | None,
    ticks: Sequence[tuple[float, str]],
    beyond: tuple[bool, bool],
    description: str,
) -> Markup:
    """Bars of shares (0 to 1) with the outline of the reference's over them.

    `ticks` are labels under the axis, by their place among the bars: 0 is the left edge of the
    first, 1 its right one. `beyond` says whether the first and the last bar are of all that is
    beyond the others.
    """
    most = max([*current, *(reference or ()), 1e-9])
    lefts, width = _places(len(current), beyond)
    bars = "".join(
        _bar(left, width, share / most) for left, share in zip(lefts, current, strict=True) if share
    )
    drawn = [f'<path d="{bars}" fill="var(--blue)" fill-opacity=".55"/>'] if bars else []
    if reference is not None:
        steps = "".join(
            f"M{left:.1f} {_y(share / most):.1f}h{width:.1f}"
            for left, share in zip(lefts, reference, strict=True)
        )
        sides = "".join(_sides(lefts, width, [share / most for share in reference], beyond))
        drawn.append(f'<path d="{steps}{sides}" fill="none" stroke="var(--ink)" stroke-width="1.3"/>')
    drawn.append(f'<path d="M0 {_HEIGHT}H{_WIDTH}M0 {_TOP}h{_WIDTH}" stroke="var(--line)" fill="none"/>')
    drawn.append(f'<text x="0" y="{_TOP - 4}">{_percent(most)}</text>')
    drawn += [_tick(at, text, lefts, width) for at, text in ticks]
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 18}" role="img" '
        f'aria-label="{Markup.escape(description)}" class="sketch">{"".join(drawn)}</svg>'
    )


def strip(depths: Sequence[int], description: str) -> Markup:
    """A row of cells, one a batch in order of time: empty at depth 0, darker up to depth 3.

    Where there are many batches a cell stands for several, as dark as the darkest of them.
    """
    together = -(-len(depths) // _CELLS)
    cells = [max(depths[start : start + together]) for start in range(0, len(depths), together)]
    width = min(_CELL, _STRIP / len(cells))
    gap = 1 if width > 3 else 0
    paths = []
    for depth, opacity in enumerate(_DEPTHS, start=1):
        boxes = "".join(
            f"M{place * width:.1f} 0h{width - gap:.1f}v{_CELL}h-{width - gap:.1f}z"
            for place, cell in enumerate(cells)
            if cell == depth
        )
        if boxes:
            paths.append(f'<path d="{boxes}" fill="var(--vermillion)" fill-opacity="{opacity}"/>')
    total = width * len(cells)
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {_CELL}" width="{total:.0f}" '
        f'height="{_CELL}" role="img" aria-label="{Markup.escape(description)}" class="strip">'
        f'<rect width="{total:.1f}" height="{_CELL}" fill="var(--tint)"/>{"".join(paths)}</svg>'
    )


def _places(bars: int, beyond: tuple[bool, bool]) -> tuple[list[float], float]:
    """The left edge of each bar, and their width."""
    width = (_WIDTH - _GAP * sum(beyond)) / max(bars, 1)
    before, after = _GAP * beyond[0], _GAP * beyond[1]
    lefts = [place * width + (before if place else 0) for place in range(bars)]
    if lefts and after:
        lefts[-1] += after
    return lefts, width


def _y(height: float) -> float:
    return _HEIGHT - (_HEIGHT - _TOP) * height


def _bar(left: float, width: float, height: float) -> str:
    inside = max(width - 1, width * 0.8)
    tall = max((_HEIGHT - _TOP) * height, 0.6)
    return f"M{left + (width - inside) / 2:.1f} {_HEIGHT}v-{tall:.1f}h{inside:.1f}v{tall:.1f}z"


def _sides(
    lefts: Sequence[float], width: float, heights: Sequence[float], beyond: tuple[bool, bool]
) -> list[str]:
    """The upright lines of the outline; a bar that stands apart has its own."""
    lines, last = [], len(lefts) - 1
    for place, left in enumerate(lefts):
        apart = place == 0 or (place == 1 and beyond[0]) or (place == last and beyond[1])
        if apart and place:
            lines.append(f"M{lefts[place - 1] + width:.1f} {_y(heights[place - 1]):.1f}V{_HEIGHT}")
        lines.append(f"M{left:.1f} {_y(0 if apart else heights[place - 1]):.1f}V{_y(heights[place]):.1f}")
    if lefts:
        lines.append(f"M{lefts[-1] + width:.1f} {_y(heights[-1]):.1f}V{_HEIGHT}")
    return lines


def _tick(at: float, text: str, lefts: Sequence[float], width: float) -> str:
    place = min(int(at), len(lefts) - 1)
    x = lefts[place] + (at - place) * width
    anchor = "start" if x < _WIDTH * 0.12 else "end" if x > _WIDTH * 0.88 else "middle"
    return f'<text x="{x:.1f}" y="{_HEIGHT + 13}" text-anchor="{anchor}">{Markup.escape(text)}</text>'


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= _WHOLE_PERCENT else f"{100 * share:.2g}%"


def spark(
    values: Sequence[float | None],
    bands: Sequence[Sequence[float | None] | None],
    marks: Sequence[int],
    description: str,
) -> Markup:
    """A line of values by batch with a gap where there is none, over the bands of their intervals.

    The newest value is a dot; `marks` are the places of batches after which there was a release.
    """
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    ends = [end for band in bands if band and None not in band for end in band if end is not None]
    low, high = min([*ends, *(value for _, value in known)]), max([*ends, *(value for _, value in known)])
    step = (_WIDTH - 2 * _GAP) / max(len(values) - 1, 1)

    def at(place: float, value: float) -> str:
        height = 0.5 if high == low else (value - low) / (high - low)
        return f"{_GAP + place * step:.1f} {_SPARK - _GAP - height * (_SPARK - 2 * _GAP):.1f}"

    apart = [place for place, value in enumerate(values) if value is None]
    line = "".join(
        f"{'M' if not order or place - 1 in apart else 'L'}{at(place, value)}"
        for order, (place, value) in enumerate(known)
    )
    wide = "".join(
        f"M{at(place, band[0])}L{at(place, band[1])}"
        for place, band in enumerate(bands)
        if band and band[0] is not None and band[1] is not None
    )
    upright = "".join(f"M{_GAP + (place + 0.5) * step:.1f} 0V{_SPARK}" for place in marks)
    x, y = at(*known[-1]).split()
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_SPARK}" role="img" '
        f'aria-label="{Markup.escape(description)}" class="spark">'
        f'<path d="{upright}" stroke="var(--muted)" stroke-width="1" fill="none"/>'
        f'<path d="{wide}" stroke="var(--blue)" stroke-opacity=".25" fill="none" '
        f'stroke-width="{min(9.0, step * 0.6):.1f}"/>'
        f'<path d="{line}" stroke="var(--blue)" stroke-width="2" stroke-linejoin="round" fill="none"/>'
        f'<circle cx="{x}" cy="{y}" r="3.5" fill="var(--blue)"/></svg>'
    )
