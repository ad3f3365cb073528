"""The text of `functions.py`: the columns that are made and not delivered."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.batches import duration
from proposal.features import SERIES
from proposal.keys import HASHED
from proposal.page import Found
from proposal.plan import Plan
from proposal.spec_text import PREPARE, prepares
from proposal.times import literal

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WIDE = 110
_GUESS = "A guess: how long after the event is its label known?"


@dataclass(frozen=True, slots=True)
class Made:
    """A column that is made: its name, the code as an expression and calls on it, and why.

    `alone` is an expression that has to stand in parentheses before anything is called on it.
    """

    name: str
    code: tuple[str, ...]
    why: str
    alone: bool = False


def functions_text(plan: Plan) -> str:
    """The file for a plan, as a formatter would have it; empty where everything is delivered."""
    if not prepares(plan):
        return ""
    first, known = list(_first(plan)), list(_known(plan))
    names = ", ".join(f"`{each.name}`" for each in [*first, *known])
    lines = [
        f'"""What {plan.ask.name} adds to its declarations: columns that are made, not delivered."""',
        "",
        "from collections.abc import Mapping",
        "",
        "import polars as pl",
        "",
        "",
        f"def {PREPARE}(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:",
        f'    """Add {names}."""',
        *(_added("frame =", first) if known else ()),
        *_added("return", known or first),
    ]
    return "\n".join(lines) + "\n"


def guessed(plan: Plan) -> Found | None:
    """The line of the file that guesses when a label is known; None where nothing is guessed."""
    if plan.known.after is None or plan.time is None:
        return None
    lines = functions_text(plan).splitlines()
    line = next(number for number, text in enumerate(lines, 1) if _GUESS in text) + 1
    return Found(
        line,
        f"the label is taken to be known {plan.known.after} after its event: a guess, with which it runs."
        " Set how long it really takes: what is held to be known too early flatters every model",
    )


def _added(begin: str, columns: list[Made]) -> Iterator[str]:
    if not columns:
        return
    yield f"    {begin} frame.with_columns("
    for each in sorted(columns, key=lambda each: each.name.isidentifier()):  # keywords come last
        yield f"        # {each.why}"
        yield from _column(each)
    yield "    )"


def _column(made: Made) -> Iterator[str]:
    """A column as a keyword or, where its name is none, by its alias; a call a line where it is long."""
    begin, code = "        ", made.code
    if made.name.isidentifier():
        begin += f"{made.name}="
    else:
        base = f"({code[0]})" if made.alone else code[0]
        code = (base, *code[1:], f".alias({literal(made.name)})")
    if len(line := f"{begin}{''.join(code)},") <= _WIDE:
        yield line
        return
    yield begin + code[0]
    yield from (f"        {call}" for call in code[1:-1])
    yield f"        {code[-1]},"


def _first(plan: Plan) -> Iterator[Made]:
    """The columns that are made of delivered ones."""
    time, label = plan.time, plan.label
    if time is not None and time.form:
        yield Made(time.name, time.code(), f"Delivered as {literal(time.example)}.")
    if label.positive is not None:
        code = f"pl.col({literal(label.column)}) == {literal(label.positive)}"
        why = f"The rarer of the two values is what is looked for: {label.base_rate:.2%}."
        yield Made(label.name, (code,), why, alone=True)
    if plan.key.made:
        why = "Nothing delivered tells the rows apart: the hash of the whole row does."
        yield Made(HASHED, ('pl.col("row_hash").cast(pl.String)',), why)
    if plan.series:
        yield Made(SERIES, ('pl.lit("all")',), "The events are one series, whose own past is asked for.")


def _known(plan: Plan) -> Iterator[Made]:
    after = plan.known.after
    if after is None:
        return
    length = re.fullmatch(r"(\d+)([smhdw])", after)
    assert length is not None and duration(after)
    code = f"pl.col({literal(plan.event_time)}) + pl.duration({_UNITS[length[2]]}={length[1]})"
    yield Made(plan.known.column, (code,), _GUESS, alone=True)
