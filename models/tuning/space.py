"""Where the parameters of a family are looked for: its own ranges, and those of the spec, in its types."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from core.documents import Fault, told
from core.errors import SpecError
from core.learning import Range, Training
from core.words import nearest
from models.family import Parameter, family, read_parameters

Space = Mapping[str, Range]

_SPACE = ("training", "tuning", "space")


def space_of(name: str, training: Training) -> Space:
    """The range of each parameter of a family that is looked for, by name; ends of its own type.

    SpecError with all `space_faults`.

    >>> space_of("linear", Training())["strength"].high
    10.0
    """
    if found := list(space_faults(name, training)):
        raise SpecError(told(found))
    kind, given = family(name).Parameters, training.parameters.get(name, {})
    space = {**family(name).space, **_said(name, training)}
    return {key: _typed(kind, given, key, each) for key, each in space.items()}


def space_faults(name: str, training: Training) -> Iterator[Fault]:
    """What keeps a family from being tuned: the keys, and a sentence on what would be right.

    That is a parameter under `training.tuning` that the family does not have, or a range of what it does
    not take; that it has no range at all, or is made of others.
    """
    chosen, said, given = family(name), _said(name, training), training.parameters.get(name, {})
    if members := chosen.takes(given):
        yield (
            ("training", "tuning", "families"),
            f"{name} is made of {list(members)}: tune those instead",
        )
        return
    if not {**chosen.space, **said}:
        yield (*_SPACE, name), "is missing: the family brings no ranges of its own"
    for key, where in said.items():
        if key not in chosen.Parameters.model_fields:
            known = nearest(key, chosen.Parameters.model_fields)
            yield (*_SPACE, name, key), f"the family {name} has no such parameter{known}"
            continue
        for value in _ends(where):
            if why := _refused(chosen.Parameters, given, key, value):
                yield (*_SPACE, name, key), f"{value!r} {why}"


def present(name: str, training: Training, space: Space) -> dict[str, Parameter]:
    """The values that the project has of the parameters in a space: the spec's, else the family's own."""
    chosen = read_parameters(family(name).Parameters, name, training.parameters.get(name, {}))
    return {key: getattr(chosen, key) for key in space}


def holds(space: Space, parameters: Mapping[str, Parameter]) -> bool:
    """Whether each of the parameters lies in its range.

    >>> holds({"depth": Range(low=2, high=5)}, {"depth": 6})
    False
    """
    return all(_in(space[key], value) for key, value in parameters.items())


def _in(where: Range, value: Parameter) -> bool:
    if where.low is None or where.high is None:
        return value in where.choices
    return isinstance(value, int | float) and where.low <= value <= where.high


def _said(name: str, training: Training) -> Space:
    return training.tuning.space.get(name, {}) if training.tuning else {}


def _ends(where: Range) -> tuple[Any, ...]:
    return where.choices or (where.low, where.high)


def _typed(kind: type[BaseModel], given: Mapping[str, Parameter], key: str, where: Range) -> Range:
    """The range with its values as the family reads them: a whole number stays one, 0 becomes 0.0."""

    def read(value: Any) -> Any:
        try:
            return getattr(kind.model_validate({**given, key: value}), key)
        except ValidationError:
            return value  # at odds with another parameter only, which may be looked for as well

    if where.choices:
        return Range(choices=tuple(read(value) for value in where.choices))
    return Range(low=read(where.low), high=read(where.high), log=where.log)


def _refused(kind: type[BaseModel], given: Mapping[str, Parameter], key: str, value: Any) -> str | None:
    """Why a family does not take a value, whatever its other parameters are."""
    try:
        kind.model_validate({**given, key: value})
    except ValidationError as error:
        found = [fault["msg"] for fault in error.errors() if fault["loc"][:1] == (key,)]
        return found[0].replace("Input should", "should") if found else None
    return None
