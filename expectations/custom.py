"""Custom expectations: functions of a project, `expect_*`, that say with Polars which rows are good."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Never

import polars as pl

from core.errors import SpecError
from core.projects import Function, blame
from expectations.parameters import example
from expectations.vocabulary import Word

PREFIX = "expect_"


def word(name: str, function: Function) -> Word:
    """The expectation that a function is: its arguments by name, and `mostly`.

    Raises SpecError if the function does not name its arguments.

    >>> word("expect_late_after", lambda column, hour=22: pl.col(column) > hour)
    Word(type='expect_late_after', kind='rows', arguments=('column', 'hour', 'mostly'), needed=('column',))
    """
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            fail(function, f"{name} should take its arguments by name: not {parameter}")
        if parameter.name == "mostly":
            fail(function, f"{name} should not take `mostly`: it is understood without the function")
    arguments = tuple(parameter.name for parameter in parameters)
    needed = tuple(parameter.name for parameter in parameters if parameter.default is parameter.empty)
    return Word(name, "rows", (*arguments, "mostly"), needed)


def wrong_values(kwargs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The arguments that cannot be as they are, each with the reason: only `mostly` has a rule."""
    mostly = kwargs.get("mostly", 1)
    if isinstance(mostly, bool) or not isinstance(mostly, int | float) or not 0 < mostly <= 1:
        return [("mostly", f"{mostly!r} should be a share above 0, at most 1")]
    return []


def expression(name: str, function: Function, kwargs: Mapping[str, Any]) -> pl.Expr:
    """What the function makes of the arguments of an entry: true for a good row, null for no judgement.

    Raises SpecError, with the function's line, if it fails or returns no single expression.
    """
    try:
        made = function(**{key: value for key, value in kwargs.items() if key != "mostly"})
    except Exception as error:
        raise SpecError(f"{name} fails: {blame(error, _file(function))}") from error
    if not isinstance(made, pl.Expr):
        fail(function, f"{name} should return a boolean Polars expression, not {type(made).__name__}")
    if made.meta.has_multiple_outputs():
        fail(function, f"{name} should return one boolean expression: {made} stands for several")
    return made


def columns(name: str, function: Function, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that an entry judges: those that its arguments name, or else its expression.

    A parameter without its value yet is stood in for. Raises SpecError if there is no column.
    """
    named = _named(kwargs)
    if named is None:
        made = expression(name, function, {key: _stand_in(value) for key, value in kwargs.items()})
        named = tuple(dict.fromkeys(made.meta.root_names()))
    if not named:
        fail(function, f"{name} looks at no column: no row could be told from another")
    return named


def fail(function: Function, message: str) -> Never:
    """Raise SpecError with the function's file and line."""
    line = inspect.unwrap(function).__code__.co_firstlineno
    raise SpecError(f"{_file(function)}:{line}: {message}")


def _named(kwargs: Mapping[str, Any]) -> tuple[str, ...] | None:
    if isinstance(kwargs.get("column"), str):
        return (kwargs["column"],)
    if isinstance(kwargs.get("column_list"), list):
        return tuple(map(str, kwargs["column_list"]))
    first, second = kwargs.get("column_A"), kwargs.get("column_B")
    return (first, second) if isinstance(first, str) and isinstance(second, str) else None


def _stand_in(value: Any) -> Any:
    return example(value["$PARAMETER"]) if isinstance(value, dict) and "$PARAMETER" in value else value


def _file(function: Function) -> Path:
    return Path(inspect.unwrap(function).__code__.co_filename)
