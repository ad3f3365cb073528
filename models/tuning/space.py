"""Where the parameters of a family are looked for: its own ranges, and those of the spec, in its types."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from core.errors import SpecError
from core.learning import Range, Training, Tuning
from core.words import nearest
from models.family import Parameter, family, read_parameters

Space = Mapping[str, Range]


def space_of(name: str, training: Training) -> Space:
    """The range of each parameter of a family that is looked for, by name; ends of its own type.

    SpecError names the key under `training.tuning` whose parameter the family does not have, or
    whose range holds what the family does not take; and the family that has no range at all, or is
    made of others.

    >>> space_of("linear", Training())["strength"].high
    10.0
    """
    chosen, tuning = family(name), training.tuning or Tuning()
    said, given = tuning.space.get(name, {}), training.parameters.get(name, {})
    if members := chosen.takes(given):
        raise SpecError(f"training.tuning.families: {name} is made of {list(members)}: tune those instead")
    for key in said:
        if key not in chosen.Parameters.model_fields:
            known = nearest(key, chosen.Parameters.model_fields)
            raise SpecError(f"{_place(name, key)}: the family {name} has no such parameter{known}")
    found = {**chosen.space, **said}
    if not found:
        raise SpecError(f"training.tuning.space.{name} is missing: the family brings no ranges of its own")
    return {key: _typed(chosen.Parameters, given, name, key, each) for key, each in found.items()}


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


def _typed(kind: type[BaseModel], given: Mapping[str, Parameter], name: str, key: str, where: Range) -> Range:
    """The range with its values as the family reads them: a whole number stays one, 0 becomes 0.0."""

    def read(value: Any) -> Any:
        try:
            return getattr(kind.model_validate({**given, key: value}), key)
        except ValidationError as error:
            for fault in error.errors():
                if fault["loc"][:1] == (key,):
                    why = fault["msg"].replace("Input should", "should")
                    raise SpecError(f"{_place(name, key)}: {value!r} {why}") from error
            return value  # at odds with another parameter only, which may be looked for as well

    if where.choices:
        return Range(choices=tuple(read(value) for value in where.choices))
    return Range(low=read(where.low), high=read(where.high), log=where.log)


def _place(name: str, key: str) -> str:
    return f"training.tuning.space.{name}.{key}"
