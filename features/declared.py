"""The declarations of a spec's features: which there are, and what they may read and be called."""

from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from core.candidate_faults import row_columns, unknown
from core.documents import Fault, told
from core.errors import SpecError
from core.references import known_otherwise
from core.spec import (
    Derived,
    Expression,
    Input,
    Lag,
    LocalTime,
    Lookup,
    Retrieved,
    RowFeature,
    Spec,
    Trailing,
)
from features.columns import DECISION, require, retrieved

# The other columns of the tables in which features lie, and of those that they are joined with.
_RESERVED = ("batch", "event_time", DECISION, "known_at", "label")
_OTHERWISE = "choose another"


def plain(spec: Spec) -> dict[str, Input]:
    """The features that read no other, and the inputs of those that do, by name.

    Raises SpecError when the name of an input is taken.
    """
    if taken := [fault for fault in naming_faults(spec) if "inputs" in fault[0]]:
        raise SpecError(told(taken))
    return _themselves(spec) | {
        other: declared
        for feature in spec.features.values()
        for other, declared in (feature.inputs.items() if isinstance(feature, Derived) else ())
    }


def naming_faults(spec: Spec) -> Iterator[Fault]:
    """Where a feature or an input has a name that is taken: the keys, and what would be right."""
    events = spec.datasets.get(spec.events)
    for name, feature in spec.features.items():
        as_it_is = isinstance(feature, RowFeature) and feature.column == name and feature.kind == "category"
        if name in _RESERVED:
            yield ("features", name), f"every feature table has a column of this name; {_OTHERWISE}"
        elif events is not None and name in events.key and not as_it_is:
            yield ("features", name), f"a column of the key has this name; {_OTHERWISE}"
    found = _themselves(spec)
    for name, feature in spec.features.items():
        for other, declared in feature.inputs.items() if isinstance(feature, Derived) else ():
            if other in (DECISION, *spec.features) or found.get(other, declared) != declared:
                yield ("features", name, "inputs", other), f"the name is taken; {_OTHERWISE}"
            found.setdefault(other, declared)


def _themselves(spec: Spec) -> dict[str, Input]:
    return {
        name: feature
        for name, feature in spec.features.items()
        if not isinstance(feature, Derived | Expression)
    }


def columns_read(spec: Spec, features: Mapping[str, Input], schema: pl.Schema) -> list[str]:
    """The events' columns that rows of these features are made from.

    Raises SpecError when the events have no such column, or when it is not known at decision time.
    """
    rules = spec.datasets[spec.events]
    read = [*rules.key, rules.event_time or "", spec.decision.before]
    require(read, schema, "the spec", spec.events)
    for name, feature in features.items():
        columns = _columns(spec, feature)
        require(columns, schema, f"feature {name}", spec.events)
        check_known(spec, name, _own(feature))
        for _, sentence in known_otherwise(spec, feature):
            raise SpecError(f"feature {name}: {sentence}")
        read += columns
    return list(dict.fromkeys(read))


def columns_asked(features: Mapping[str, Input]) -> list[str]:
    """The columns that these read in the event's own row: what is known when it is decided on."""
    return list(dict.fromkeys(column for feature in features.values() for column in _own(feature)))


def check_known(spec: Spec, name: str, columns: Iterable[str]) -> None:
    """Raise SpecError when a feature reads the outcome of its own event, or what no candidate has."""
    had = row_columns(spec, spec.candidates) if spec.candidates else None
    for column in columns:
        if had is not None and column not in had:
            raise SpecError(f"feature {name}: {unknown(column, had)}")
        if column in (spec.outcome.label, spec.outcome.known_at):
            raise SpecError(f"feature {name}: reads {column!r}, which is not known at decision time")


def in_key(spec: Spec, schema: pl.Schema) -> list[str]:
    """The features that are columns of the key as they are: a table holds them once.

    Raises SpecError when a feature has the name of another column of its table.
    """
    taken = [fault for fault in naming_faults(spec) if "inputs" not in fault[0]]
    same = [name for name in spec.features if name in spec.datasets[spec.events].key]
    for name in same:
        if schema[name] != pl.String:
            taken.append((("features", name), f"a column of the key has this name; {_OTHERWISE}"))
    if taken:
        raise SpecError(told(taken))
    return same


def _own(feature: Input) -> list[str]:
    """The columns that it reads in the row of the event itself."""
    if isinstance(feature, Retrieved):
        return []
    return [feature.column] if isinstance(feature, RowFeature | LocalTime) else list(feature.by)


def _columns(spec: Spec, feature: Input) -> list[str]:
    if isinstance(feature, Retrieved):
        return [retrieved(feature)]
    if isinstance(feature, RowFeature | LocalTime | Lookup):
        return _own(feature)
    if not isinstance(feature, Trailing | Lag):
        return [*feature.by, spec.outcome.label, spec.outcome.known_at]
    value = [] if feature.value is None else [feature.value]
    return [*feature.by, *value, feature.known_at or spec.outcome.known_at]
