"""The arguments of a suite's entries: those that their types take, with values and parameters in place."""

from typing import Any

from core.errors import Gathered
from core.projects import Function
from core.words import nearest
from expectations import custom, parameters, vocabulary
from expectations.entries import is_parameter
from expectations.marked import Marked
from expectations.vocabulary import Word


def arguments(given: Marked, word: Word, function: Function | None) -> dict[str, Any]:
    """The arguments of an entry whose type is `word`, the project's own `function` where it is one.

    Raises SpecError with each that is unknown, missing, or cannot be as it is.
    """
    parts, wrong = given.parts(word.arguments, needed=word.needed)
    kwargs = {key: part.value for key, part in parts.items()}
    for key, value in kwargs.items():
        if reason := _misplaced(value) or (_unfit(key, value) if function is None else None):
            wrong.append(parts[key].said(f"{key}: {reason}"))
    Gathered(wrong).refuse()
    reasons = custom.wrong_values(kwargs) if function else vocabulary.wrong_values(word.type, kwargs)
    Gathered(
        parts.get(key, given).said(f"{word.type}: {key + ': ' if key else ''}{reason}")
        for key, reason in reasons
    ).refuse()
    return kwargs


def _unfit(key: str, value: Any) -> str | None:
    """Why an argument of Great Expectations' own types cannot be this mapping; None if it can be."""
    if not is_parameter(value):
        return f"{value!r} should be a list" if key == "value_set" and isinstance(value, dict) else None
    right = {"value_set": "list", "partition_object": "distribution"}.get(key)
    parsed = parameters.parse(value["$PARAMETER"])
    if parsed.sort == right or (right is None and parsed.sort in ("instant", "number")):
        return None
    article = "an" if parsed.sort == "instant" else "a"
    return f"{parsed.name!r} is {article} {parsed.sort} here{nearest(parsed.name, parameters.NAMES)}"


def _misplaced(value: Any, inside: bool = False) -> str | None:
    """What is wrong with the parameters in an argument; None if nothing is."""
    if isinstance(value, dict) and "$PARAMETER" in value:
        if not is_parameter(value):
            return "should hold nothing but $PARAMETER and its name"
        if inside:
            return "a parameter stands for a whole argument, not for a part of one"
        try:
            parameters.parse(value["$PARAMETER"])
        except ValueError as error:
            return str(error)
    for key in value if isinstance(value, dict) else ():
        if str(key).startswith("$") and key != "$PARAMETER":
            return f"unknown key {key!r}{nearest(key, ['$PARAMETER'])}"
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, (_misplaced(part, inside=True) for part in parts)), None)
