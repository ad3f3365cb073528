"""The text of `functions.py`: the columns that are made and not delivered."""

import re
from collections.abc import Iterator

from core.batches import duration
from proposal.features import SERIES
from proposal.plan import Plan
from proposal.spec_text import HASHED, PREPARE, prepares

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def functions_text(plan: Plan) -> str:
    """The file for a plan; empty where everything is delivered."""
    if not prepares(plan):
        return ""
    added = [*_first(plan)]
    names = ", ".join(f"`{name}`" for name, _, _ in [*added, *_known(plan)])
    lines = [
        f'"""What the project {plan.ask.name} adds to its declarations: columns that are made, not'
        ' delivered."""',
        "",
        "from collections.abc import Mapping",
        "",
        "import polars as pl",
        "",
        "",
        f"def {PREPARE}(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:",
        f'    """Add {names}."""',
        *([*_added(added, "frame")] if added else []),
        *_added([*_known(plan)], "frame"),
        "    return frame",
    ]
    return "\n".join(lines) + "\n"


def _added(columns: list[tuple[str, str, str]], frame: str) -> Iterator[str]:
    if not columns:
        return
    yield f"    {frame} = {frame}.with_columns("
    for name, code, why in columns:
        yield f"        # {why}"
        yield f"        ({code}).alias({name!r}),"
    yield "    )"


def _first(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """The columns that are made of delivered ones: name, code, reason."""
    time, label = plan.time, plan.label
    if time is not None and time.form:
        yield time.name, time.code(), f"Delivered as {time.example!r}."
    if label.positive is not None:
        code = f"pl.col({label.column!r}) == {label.positive!r}"
        yield label.name, code, f"The rarer of the two values is what is looked for: {label.base_rate:.2%}."
    if plan.key.made:
        yield (
            HASHED,
            'pl.col("row_hash").cast(pl.String)',
            "Nothing delivered tells the rows apart: the hash of the whole row does.",
        )
    if plan.series:
        yield SERIES, 'pl.lit("all")', "The events are one series, whose own past is asked for."


def _known(plan: Plan) -> Iterator[tuple[str, str, str]]:
    after = plan.known.after
    if after is None:
        return
    duration(after)
    number, unit = re.fullmatch(r"(\d+)([a-z])", after).groups()  # type: ignore[union-attr]
    code = f"pl.col({plan.event_time!r}) + pl.duration({_UNITS[unit]}={number})"
    yield plan.known.column, code, "A guess: how long after the event is its label known?"
