"""Matplotlib figures as inline SVG that takes its colours from the page, in light and in dark."""

import base64
import html
import io
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
# Okabe and Ito's palette (2008), told apart by the colour-blind; `ink` to `line` are the page's own.
COLOURS = {
    "blue": "#0072b2",
    "green": "#009e73",
    "vermillion": "#d55e00",
    "ink": "#1b2733",
    "muted": "#5c6b7a",
    "line": "#d3dae1",
}
WIDTH = 5.8
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MAX_MONTHS, _MAX_NAMES = 13, 5
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["line"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "legend.frameon": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


def styled(draw: Callable[P, str]) -> Callable[P, str]:
    """Draw in the house style, and leave matplotlib's settings as they were."""

    @wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> str:
        import matplotlib as mpl  # only where something is drawn: it takes half a second

        with mpl.rc_context(_STYLE):
            return draw(*args, **options)

    return drawn


def figure(height: float) -> "Figure":
    """An empty figure, WIDTH by `height` inches; it belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def svg(drawn: "Figure", name: str, description: str) -> str:
    """The figure as an `<svg>` element whose text is text; the same figure gives the same bytes.

    `name` makes its ids unique in a page; `description` is read aloud in place of the picture.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name}):
        drawn.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("xlink:href", "href")
    # Matplotlib's own style element would speak to the whole page.
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="|url\(#|href="#', lambda match: f"{match[0]}{name}-", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    for colour, value in COLOURS.items():
        text = text.replace(value, f"var(--{colour}, {value})")
    head, body = text.split(">", 1)
    box = head[head.index("viewBox") :].split('"')[1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" '
        f'aria-label="{html.escape(description)}" '
        f'style="font-family: system-ui, sans-serif; stroke-linejoin: round">{body.rstrip()}'
    )


def as_image(drawn: str) -> str:
    """An `<svg>` element as a data: URI, on white, for pages that are not ours."""
    white = drawn.replace('style="', 'style="background: white; ', 1)
    return f"data:image/svg+xml;base64,{base64.b64encode(white.encode()).decode()}"


def name_batches(on: "Axes", batches: Sequence[str]) -> None:
    """Ticks for the batches at 0, 1, ...: months as names with the year below, few enough to read."""
    months = [re.fullmatch(r"(\d{4})-(\d{2})", batch) for batch in batches]
    every = -(-len(batches) // (_MAX_MONTHS if all(months) else _MAX_NAMES))
    names, last = [], ""
    for place in range(0, len(batches), every):
        month = months[place]
        if month is None:
            names.append(batches[place])
            continue
        names.append(_MONTHS[int(month[2]) - 1] + ("" if month[1] == last else f"\n{month[1]}"))
        last = month[1]
    on.set_xticks(list(range(0, len(batches), every)), names)
    on.set_xlim(-0.6, len(batches) - 0.4)
