"""The order in which families are fitted: those that others are made of first."""

from collections.abc import Mapping, Sequence

from core.errors import SpecError
from core.words import nearest
from models.family import Parameter, family
from models.family import families as known_families


def waves(families: Sequence[str], parameters: Mapping[str, Mapping[str, Parameter]]) -> list[list[str]]:
    """The families, and those that they are made of, in groups that can each be fitted side by side.

    Within a group the most complex come first: they take longest. SpecError when a family is made of
    itself, or there is none of a name.

    >>> waves(["linear", "lightgbm"], {})
    [['lightgbm', 'linear']]
    """
    takes = _takes(families, parameters)
    found: list[list[str]] = []
    done: set[str] = set()
    while len(done) < len(takes):
        ready = [name for name in takes if name not in done and done.issuperset(takes[name])]
        if not ready:
            circle = sorted(set(takes) - done)
            raise SpecError(f"training.parameters: the families {circle} are made of each other")
        found.append(sorted(ready, key=lambda name: (-family(name).complexity, name)))
        done.update(ready)
    return found


def _takes(
    families: Sequence[str], parameters: Mapping[str, Mapping[str, Parameter]]
) -> dict[str, tuple[str, ...]]:
    """Each family that is to be fitted, with those that it is made of."""
    found: dict[str, tuple[str, ...]] = {}
    waiting = list(families)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = family(name).takes(parameters.get(name, {}))
            for taken in found[name]:
                if taken not in known_families():
                    known = nearest(taken, known_families())
                    raise SpecError(f"training.parameters.{name}: no family {taken!r}{known}")
            waiting += found[name]
    return found
