"""A spec with some of its keys changed: for a policy that is tried, or a question of what if."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from core.documents import Fault
from core.errors import SpecError
from core.spec import Spec


def changed(spec: Spec, changes: Mapping[str, Any], what: str) -> Spec:
    """The spec with `changes` in it, key by key; `null` stands for a key's default.

    SpecError, which names each key, where that is none; `what` is whose changes they are.
    """
    document = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        return Spec.model_validate(_merged(document, changes))
    except ValidationError as error:
        found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise SpecError("\n".join(f"{what}: {sentence}" for sentence in found)) from None


def policy_faults(spec: Spec, *faults: Callable[[Spec], Iterator[Fault]]) -> Iterator[Fault]:
    """Where a policy of the spec's own would be no spec, or has `faults` that the spec has not."""
    before = {fault for find in faults for fault in find(spec)}
    for name, changes in spec.replay.policies.items():
        keys, what = ("replay", "policies", name), f"policy {name!r}"
        try:
            found = changed(spec, changes.of_spec(), what)
        except SpecError as error:
            for sentence in str(error).splitlines():
                place, _, why = sentence.removeprefix(f"{what}: ").partition(": ")
                yield (*keys, *place.split(".")), why
            continue
        for fault in (fault for find in faults for fault in find(found)):
            if fault not in before:
                yield (*keys, *fault[0]), fault[1]


def _is_another_kind(before: Any, value: Mapping[str, Any]) -> bool:
    """Whether a part becomes one of another kind, whose keys are other ones."""
    kinds = [key for key in ("kind", "from") if key in value]
    return isinstance(before, Mapping) and any(before.get(key) != value[key] for key in kinds)


def _merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(document)
    for key, value in changes.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and not _is_another_kind(found.get(key), value):
            found[key] = _merged(found.get(key) or {}, value)
        else:
            found[key] = value
    return found
