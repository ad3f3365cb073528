"""Parameters: what an argument of a suite is when only the run knows it, such as the start of a batch."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from core.batches import duration
from core.errors import SpecError
from core.words import nearest
from expectations.entries import Expectation
from expectations.vocabulary import whole_bounds, wrong_values

Sort = Literal["instant", "number", "list", "distribution"]

# Every other `<dataset>.<column>` is the list of that column's values.
NAMES: dict[str, Sort] = {
    "as_of": "instant",
    "batch.start": "instant",
    "batch.end": "instant",
    "trailing.rows": "number",
}
_FORMS = (*NAMES, "reference.<column>", "<dataset>.<column>")
_MATHS = re.compile(r"(?P<name>\S.*?)\s+(?P<sign>[*+-])\s+(?P<operand>\S+)")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Expression:
    """A parameter by its name, times `factor` or moved by `shift` if that is said."""

    name: str
    sort: Sort
    factor: float = 1
    shift: timedelta = timedelta()


def parse(text: str) -> Expression:
    """Read `NAME`, `NAME * number`, `NAME + duration` or `NAME - duration`.

    The names: the instants `batch.start`, `batch.end`, `as_of`; the number `trailing.rows`;
    `reference.<column>`, a distribution; `<dataset>.<column>`, a list of values. Raises ValueError
    with what would be right.

    >>> parse("batch.end - 2h")
    Expression(name='batch.end', sort='instant', factor=1, shift=datetime.timedelta(days=-1, seconds=79200))
    """
    maths = _MATHS.fullmatch(text.strip())
    if maths is None:
        return Expression(text.strip(), _sort(text.strip()))
    name, sign, operand = maths["name"], maths["sign"], maths["operand"]
    sort = _sort(name)
    if sort in ("list", "distribution"):
        if not _is_operand(operand):
            return Expression(text.strip(), sort)  # a column may be called so
        raise ValueError(
            f"{name!r} is a {'list of values' if sort == 'list' else sort}: it stands alone, without"
            f" '{sign} {operand}'{_close(name)}"
        )
    if (sign == "*") != (sort == "number"):
        right = "times a number, as in 'trailing.rows * 0.5'" if sort == "number" else _INSTANT
        raise ValueError(f"{name!r} is {'an' if sort == 'instant' else 'a'} {sort}: it can be {right}")
    if sort == "number":
        if not _NUMBER.fullmatch(operand) or not float(operand):
            raise ValueError(f"{operand!r} is no number above 0, such as 0.5")
        return Expression(name, sort, factor=float(operand))
    moved = duration(operand)
    return Expression(name, sort, shift=moved if sign == "+" else -moved)


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression; None where its parameter is None: there is nothing to compare with yet.

    Raises SpecError if the parameter has no value, or one that cannot be reckoned with so.

    >>> evaluate("trailing.rows * 0.5", {"trailing.rows": 27_004})
    13502
    """
    try:
        parsed = parse(expression)
    except ValueError as error:
        raise SpecError(f"parameter {expression!r}: {error}") from None
    if parsed.name not in values:
        raise SpecError(f"parameter {parsed.name!r} has no value{nearest(parsed.name, values)}")
    value = values[parsed.name]
    if value is None:
        return None
    if parsed.shift:
        return _moved(expression, value, parsed.shift)
    if parsed.factor != 1:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SpecError(f"parameter {expression!r}: {_told(value)} cannot be multiplied: it is no number")
        product = value * parsed.factor
        return int(product) if product == int(product) else product
    return value


def example(expression: str) -> Any:
    """A value of the sort that the expression will have, for what must be known before there is one."""
    examples: dict[Sort, Any] = {
        "instant": datetime(2000, 1, 1, tzinfo=UTC),
        "number": 1.0,
        "list": [],
        "distribution": {"values": [], "weights": []},
    }
    return examples[parse(expression).sort]


def not_judged(entry: Expectation, values: Mapping[str, Any]) -> str | None:
    """Why the entry cannot be judged yet: a parameter of it is None; None if it can be judged."""
    names = [parse(expression).name for expression in entry.parameters.values()]
    waiting = [name for name in dict.fromkeys(names) if name in values and values[name] is None]
    if not waiting:
        return None
    return f"not judged: {' and '.join(waiting)} {'have' if waiting[1:] else 'has'} no value yet"


def filled(entry: Expectation, values: Mapping[str, Any], where: str = "") -> dict[str, Any] | None:
    """The arguments of an entry with its parameters' values in them; None if it is `not_judged`.

    `where` (file and line) begins the SpecError that is raised where a value is missing or unfit.
    Nulls are left out of lists. A bound on a count is rounded to the whole number that means the same.
    """
    kwargs = dict(entry.kwargs)
    place = f"{where}: " if where else ""
    for key, expression in entry.parameters.items():
        try:
            value = evaluate(expression, values)
        except SpecError as error:
            raise SpecError(f"{place}{error}") from None
        listed = isinstance(value, Collection) and not isinstance(value, str | Mapping)
        kwargs[key] = [item for item in value if item is not None] if listed else value
    if not_judged(entry, values):
        return None
    if entry.function is not None or not entry.parameters:
        return kwargs
    kwargs = whole_bounds(entry.type, kwargs, tuple(entry.parameters))
    for key, reason in wrong_values(entry.type, kwargs):
        if key in entry.parameters and kwargs[key] == []:
            continue  # that a list is empty today is no fault of the suite
        raise SpecError(f"{place}{entry.type} with its parameters: {key} {reason}")
    return kwargs


_INSTANT = "moved by a duration, as in 'batch.end - 2h'"


def _sort(name: str) -> Sort:
    first, dot, rest = name.partition(".")
    if name in NAMES:
        return NAMES[name]
    if not (first and dot and rest) or first in ("batch", "trailing"):
        raise ValueError(f"unknown parameter {name!r}{_close(name) or '; there is ' + ', '.join(_FORMS)}")
    return "distribution" if first == "reference" else "list"


def _close(name: str) -> str:
    said = nearest(name, NAMES)
    return said if "did you mean" in said else ""


def _is_operand(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or re.fullmatch(r"[0-9]+[smhdw]", text))


def _moved(expression: str, value: Any, shift: timedelta) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(instant, datetime):
            raise SpecError(f"parameter {expression!r}: {_told(value)} cannot be moved: it is no instant")
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) + shift
    except (ValueError, OverflowError) as error:
        raise SpecError(f"parameter {expression!r}: {error}") from None


def _told(value: Any) -> str:
    listed = isinstance(value, Collection) and not isinstance(value, str | Mapping)
    return f"a list of {len(value):,}" if listed else f"{type(value).__name__} {str(value)[:60]!r}"
