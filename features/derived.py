"""Derived features: expressions over a row, in the spec or, where declarations end, the project's own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from core.errors import SpecError
from core.expressions import is_by_row, parse
from core.projects import blame
from core.spec import Derived, Expression, Spec

Functions = Mapping[str, Callable[..., Any]]

_LAST_BITS = 4  # units in the last place by which a float may differ


def expressions(spec: Spec, functions: Functions, only: Collection[str] | None = None) -> dict[str, pl.Expr]:
    """By derived feature (of `only`, or of all), what the spec says or the project's function of it returns.

    Such a function takes nothing. The expression is over the event's columns, the features that are
    not derived and its inputs, in the dtypes in which they are read; a feature hides the event's
    column of its name.
    Raises SpecError when there is no such function, or it returns something else, or an expression
    that does not name the columns that it reads (among all that there are is the outcome), that
    reads other rows than its own, or that is another one each time.
    """
    found: dict[str, pl.Expr] = {}
    for name in spec.features if only is None else only:
        feature = spec.features[name]
        if isinstance(feature, Expression):
            found[name] = parse(feature.expression).alias(name)
        elif isinstance(feature, Derived):
            found[name] = _made_by(name, feature.function, functions).alias(name)
    return found


def _made_by(name: str, function: str, functions: Functions) -> pl.Expr:
    if function not in functions:
        raise SpecError(f"feature {name}: functions.py has no function {function!r}")
    who = f"feature {name}: {function}()"
    expression, again = _called(who, functions[function]), _called(who, functions[function])
    for leaf in _leaves(expression):
        if leaf.meta.is_column_selection() and not leaf.meta.is_column():
            raise SpecError(f"{who} reads {leaf}: name each column that it reads")
    try:
        is_by_row(expression)
    except ValueError as error:
        raise SpecError(f"feature {name}: its expression {error}") from None
    if str(again) != str(expression):
        raise SpecError(f"{who} returns another expression each time that it is called")
    return expression


def _called(who: str, function: Callable[..., Any]) -> pl.Expr:
    try:
        expression = function()
    except Exception as error:
        raise SpecError(f"{who} fails: {blame(error, Path(function.__code__.co_filename))}") from error
    if not isinstance(expression, pl.Expr):
        raise SpecError(f"{who} must return a Polars expression")
    return expression


def _leaves(expression: pl.Expr) -> Iterator[pl.Expr]:
    parts = expression.meta.pop()
    for part in parts:
        yield from _leaves(part)
    if not parts:
        yield expression


def derive(frame: pl.DataFrame, derived: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """`frame` with the derived features beside its columns.

    Raises SpecError when an expression cannot be computed, or when it reads other rows than its
    own: what it made of a row would depend on the rest of the batch, which may be later.

    >>> frame = pl.DataFrame({"distance": [400, 2400], "hours": [1, 6]})
    >>> derive(frame, {"speed": (pl.col("distance") / pl.col("hours")).alias("speed")})["speed"].to_list()
    [400.0, 400.0]
    >>> derive(frame, {"far": pl.col("distance").map_batches(lambda all: all > all.mean()).alias("far")})
    Traceback (most recent call last):
    core.errors.SpecError: feature far: its expression reads other rows than the event's own
    """
    # with_columns keeps the height: an expression of another length fails, a constant fills.
    built = _with(frame, derived)
    # What its form does not tell is tried: without its neighbours, each row must give the same.
    tried = {name: expression for name, expression in derived.items() if not is_by_row(expression)}
    roots = {root for expression in tried.values() for root in expression.meta.root_names()}
    read = frame.select([name for name in frame.columns if name in roots] or frame.columns[:1])
    parts = ((0, 2), (1, 2), (frame.height - 1, 1)) if tried and frame.height > 1 else ()
    for first, step in parts:
        places = range(first, frame.height, step)
        # A row twice rather than alone: Polars divides one by one otherwise than many by one.
        some = [*places] * 2 if len(places) == 1 else [*places]
        alone = _with(read[some], tried)
        for name in tried:
            if not _same(built[name][some], alone[name]):
                raise SpecError(f"feature {name}: its expression reads other rows than the event's own")
    return built


def _same(among: pl.Series, alone: pl.Series) -> bool:
    """Whether values are the same with other neighbours; floats up to their last bits.

    At the end of an array, a processor computes otherwise than in the midst of it.
    """
    if among.dtype not in (pl.Float32, pl.Float64):
        return among.equals(alone)
    near = _LAST_BITS * float(np.finfo("f4" if among.dtype == pl.Float32 else "f8").eps)
    a, b = pl.lit(among), pl.lit(alone)
    is_near = (a - b).abs() <= near * pl.min_horizontal(a.abs(), b.abs())
    return bool(pl.select((a.eq_missing(b) | is_near.fill_null(False)).all()).item())


def _with(frame: pl.DataFrame, derived: Mapping[str, pl.Expr]) -> pl.DataFrame:
    try:
        return frame.with_columns(derived.values())
    except pl.exceptions.PolarsError as error:
        raise SpecError(f"derived features ({', '.join(derived)}): {str(error).splitlines()[0]}") from error
