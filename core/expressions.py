"""Expressions of a spec: SQL over the columns of one row, as Polars reads it."""

import re

import polars as pl

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_CLOCK = re.compile(r"\bnow\s*\(|\bcurrent_(?:date|time|timestamp)\b|\blocaltime\w*\b", re.IGNORECASE)


def parse(text: str) -> pl.Expr:
    """The expression that `text` says, over the columns of a row and nothing else.

    Raises ValueError when it cannot be read, when it looks at other rows than its own (aggregates,
    windows, subqueries), at no column, or at the clock.

    >>> parse("distance / 100 + \\"taxi out\\"").meta.root_names()
    ['distance', 'taxi out']
    >>> parse("distance - AVG(distance)")
    Traceback (most recent call last):
    ValueError: reads other rows than the event's own: col("distance").mean()
    """
    try:
        expression = pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"is no SQL expression: {str(error).splitlines()[0]}") from None
    if clock := _CLOCK.search(_QUOTED.sub("", text)):
        raise ValueError(
            f"reads the clock ({clock[0].rstrip(' (')}): its value would depend on when it is computed"
        )
    _check(expression)
    if not expression.meta.root_names():
        raise ValueError("reads no column")
    return expression


def _check(node: pl.Expr) -> None:
    parts = node.meta.pop()
    if parts:
        for part in parts:
            _check(part)
        known = _is_by_row(node)
    else:
        known = node.meta.is_column() or node.meta.is_literal()
    if not known:
        raise ValueError(f"reads other rows than the event's own: {node}")


def _is_by_row(node: pl.Expr) -> bool:
    if not node.meta.root_names():
        return True
    try:
        return node.meta.is_row_separable() and node.meta.is_length_preserving()
    except pl.exceptions.ColumnNotFoundError:
        return True  # an operator that waits for the columns' dtypes; its parts are checked by themselves
    except pl.exceptions.PolarsError:
        return False
