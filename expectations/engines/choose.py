"""Which engine judges an expectation: Great Expectations on pandas, or one Polars plan."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from expectations.engines import pandas_engine, polars_engine
from expectations.engines.values import named
from expectations.entries import Expectation
from expectations.verdict import Outcome

# Up to here the library itself costs a second at the most, and the batch a few hundred MB.
PANDAS_UP_TO = 200_000


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine of one expectation; `why` says what forced it, empty if the size of the batch decided."""

    engine: str
    why: str = ""


def choose(
    rows: int, schema: pl.Schema, entries: Sequence[Expectation], pandas_up_to: int = PANDAS_UP_TO
) -> list[Choice]:
    """The engine of each entry, over a batch of so many rows with columns of these dtypes.

    A project's own expectations are Polars expressions. The others run on pandas up to
    `pandas_up_to` rows, and above in Polars, unless Polars would judge otherwise than pandas.

    >>> choose(1_000_000, pl.Schema({"row": pl.UInt32}), [])
    []
    """
    ours, theirs = polars_engine.ENGINE, pandas_engine.ENGINE
    if rows <= pandas_up_to:
        return [
            Choice(theirs) if entry.function is None else Choice(ours, "a function of the project")
            for entry in entries
        ]
    reasons = polars_engine.why_not(schema, entries)
    return [Choice(ours) if why is None else Choice(theirs, why) for why in reasons]


def run(
    name: str, frame: pl.DataFrame | pl.LazyFrame, entries: Sequence[Expectation], choices: Sequence[Choice]
) -> list[Outcome]:
    """What the chosen engines find in `frame` (with `row`, unique), for each entry, in their order.

    Of a large batch pandas is given no more than the columns that its entries judge.
    """
    outcomes: dict[int, Outcome] = {}
    for engine in dict.fromkeys(choice.engine for choice in choices):
        places = [place for place, choice in enumerate(choices) if choice.engine == engine]
        mine = [entries[place] for place in places]
        if engine == polars_engine.ENGINE:
            found = polars_engine.run(name, frame, mine)
        else:
            found = pandas_engine.run(name, _held(frame, mine), mine)
        outcomes |= dict(zip(places, found, strict=True))
    return [outcomes[place] for place in range(len(entries))]


def _held(frame: pl.DataFrame | pl.LazyFrame, entries: Sequence[Expectation]) -> pl.DataFrame:
    """The batch in memory, with the columns that the entries judge; with all if one judges the table."""
    lazy = frame.lazy()
    if all(entry.kind != "table" for entry in entries):
        lazy = lazy.select("row", *(named(each) for each in sorted({*_columns(entries)} - {"row"})))
    return lazy.collect()


def _columns(entries: Sequence[Expectation]) -> list[str]:
    return [column for entry in entries for column in entry.columns]
