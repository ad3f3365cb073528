"""Derived features: expressions over a row, in the spec or, where declarations end, the project's own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from core.errors import SpecError
from core.expressions import parse
from core.spec import Derived, Expression, Spec

_SOME = 2048  # rows

Functions = Mapping[str, Callable[..., Any]]


def expressions(spec: Spec, functions: Functions) -> dict[str, pl.Expr]:
    """By derived feature, what the spec says or the project's function of it returns.

    Such a function takes nothing. The expression is over the event's columns, the features that are
    not derived and its inputs, in the dtypes in which they are read; a feature hides the event's
    column of its name.
    Raises SpecError when there is no such function, or it returns something else, or an expression
    that does not name the columns that it reads: among all that there are is the outcome.
    """
    found: dict[str, pl.Expr] = {}
    for name, feature in spec.features.items():
        if isinstance(feature, Expression):
            found[name] = parse(feature.expression).alias(name)
        elif isinstance(feature, Derived):
            found[name] = _made_by(name, feature.function, functions).alias(name)
    return found


def _made_by(name: str, function: str, functions: Functions) -> pl.Expr:
    if function not in functions:
        raise SpecError(f"feature {name}: functions.py has no function {function!r}")
    expression = functions[function]()
    if not isinstance(expression, pl.Expr):
        raise SpecError(f"feature {name}: {function}() must return a Polars expression")
    for leaf in _leaves(expression):
        if leaf.meta.is_column_selection() and not leaf.meta.is_column():
            raise SpecError(f"feature {name}: {function}() reads {leaf}: name each column that it reads")
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
    >>> derive(frame, {"far": (pl.col("distance") > pl.col("distance").mean()).alias("far")})
    Traceback (most recent call last):
    core.errors.SpecError: feature far: its expression reads other rows than the event's own
    """
    # with_columns keeps the height: an expression of another length fails, a constant fills.
    built = _with(frame, derived)
    roots = {root for expression in derived.values() for root in expression.meta.root_names()}
    read = frame.select([name for name in frame.columns if name in roots] or frame.columns[:1])
    # Some rows are enough to tell: without their neighbours and all the others, they must give the same.
    some, last = _with(read.head(_SOME).gather_every(2), derived), _with(read.tail(1), derived)
    for name in derived:
        own = built[name]
        if not (own.head(_SOME).gather_every(2).equals(some[name]) and own.tail(1).equals(last[name])):
            raise SpecError(f"feature {name}: its expression reads other rows than the event's own")
    return built


def _with(frame: pl.DataFrame, derived: Mapping[str, pl.Expr]) -> pl.DataFrame:
    try:
        return frame.with_columns(derived.values())
    except pl.exceptions.PolarsError as error:
        raise SpecError(f"derived features ({', '.join(derived)}): {str(error).splitlines()[0]}") from error
