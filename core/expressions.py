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
        expression, again = pl.sql_expr(text), pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"is no SQL expression: {str(error).splitlines()[0]}") from None
    if clock := _CLOCK.search(_QUOTED.sub("", text)):
        raise ValueError(
            f"reads the clock ({clock[0].rstrip(' (')}): its value would depend on when it is computed"
        )
    is_by_row(expression)
    if str(again) != str(expression):
        raise ValueError("reads the clock: its value would depend on when it is computed")
    if not expression.meta.root_names():
        raise ValueError("reads no column")
    return expression


def is_by_row(node: pl.Expr) -> bool:
    """Whether each value is surely made of its own row alone; of what Python makes, nobody can say.

    Raises ValueError where it is made of other rows, too, whatever they hold.

    >>> is_by_row(pl.col("x") + 1), is_by_row(pl.col("x").map_batches(lambda x: x + 1))
    (True, False)
    """
    parts = node.meta.pop()
    known = _of_operator(node) if parts else _of_leaf(node)
    if known is False:
        raise ValueError(f"reads other rows than the event's own: {node}")
    sure = [is_by_row(part) for part in parts]
    return known is True and all(sure)


def _of_leaf(node: pl.Expr) -> bool | None:
    if node.meta.is_literal():
        return node.meta.is_row_separable() or None  # a column of values, which may be one for each row
    return node.meta.is_column()


def _of_operator(node: pl.Expr) -> bool | None:
    """None where only the columns' dtypes, or a run, could tell; the parts are asked by themselves."""
    try:
        if not node.meta.root_names():
            return node.meta.is_row_separable() or None
        return node.meta.is_row_separable() and node.meta.is_length_preserving()
    except pl.exceptions.ColumnNotFoundError:
        return None
    except pl.exceptions.PolarsError:
        return False
