"""What the parts of a spec say of each other: each dataset, column and function that is named exists."""

from collections.abc import Collection, Iterator

from core.spec import Dataset, Derived, Input, Kind, LocalTime, Lookup, RowFeature, Spec, Trailing
from core.words import nearest

Fault = tuple[tuple[int | str, ...], str]

_TAKEN = ("row", "batch")  # the lake's own columns


def faults(spec: Spec, functions: Collection[str]) -> Iterator[Fault]:
    """Where a spec names what is not there: the keys, and a sentence on what would be right.

    What `prepare` adds is not known before it runs: a column is only missed where there is none.
    """
    if spec.events not in spec.datasets:
        yield ("events",), f"no dataset {spec.events!r}{nearest(spec.events, spec.datasets)}"
        return
    for name, rules in spec.datasets.items():
        yield from _of_dataset(spec, name, rules, functions)
    if spec.datasets[spec.events].event_time is None:
        yield ("datasets", spec.events, "event_time"), "is missing: the events are cut into batches by it"
    events = spec.events
    yield from _column(spec, ("decision", "before"), events, spec.decision.before, "datetime")
    yield from _column(spec, ("outcome", "label"), events, spec.outcome.label, "boolean")
    yield from _column(spec, ("outcome", "known_at"), events, spec.outcome.known_at, "datetime")
    for name, feature in spec.features.items():
        if not isinstance(feature, Derived):
            yield from _of_feature(spec, ("features", name), feature)
            continue
        if feature.function not in functions:
            yield ("features", name, "function"), _no_function(feature.function, functions)
        for other, declared in feature.inputs.items():
            yield from _of_feature(spec, ("features", name, "inputs", other), declared)
    known = [*spec.features, *spec.datasets[spec.events].key]
    for place, column in enumerate(spec.gate.slices):
        if column not in known:
            yield ("gate", "slices", place), f"no feature or key {column!r}{nearest(column, known)}"


def _of_dataset(spec: Spec, name: str, rules: Dataset, functions: Collection[str]) -> Iterator[Fault]:
    keys = ("datasets", name)
    for column in rules.columns:
        if column in _TAKEN or column.startswith(":"):
            yield (
                (*keys, "columns", column),
                "is a column of the lake's own: leave it out, or have it delivered under another name",
            )
    if rules.prepare and rules.prepare not in functions:
        yield (*keys, "prepare"), _no_function(rules.prepare, functions)
    for place, column in enumerate(rules.key):
        yield from _column(spec, (*keys, "key", place), name, column)
    for key, time in (("event_time", rules.event_time), ("known_at", rules.known_at)):
        if time is not None:
            yield from _column(spec, (*keys, key), name, time, "datetime")
    if rules.source.kind == "files" and "{batch}" in rules.source.path and name != spec.events:
        yield (*keys, "source", "path"), "only the events come in batches: name one file, without {batch}"


def _of_feature(spec: Spec, keys: tuple[int | str, ...], feature: Input) -> Iterator[Fault]:
    if isinstance(feature, RowFeature):
        yield from _column(spec, (*keys, "column"), spec.events, feature.column)
    if isinstance(feature, LocalTime):
        yield from _column(spec, (*keys, "column"), spec.events, feature.column, "datetime")
    if isinstance(feature, Trailing):
        if not feature.by:
            yield (*keys, "by"), "names no column"
        for place, column in enumerate(feature.by):
            yield from _column(spec, (*keys, "by", place), spec.events, column)
        yield from _column(spec, (*keys, "value"), spec.events, feature.value)
        if feature.known_at is not None:
            yield from _column(spec, (*keys, "known_at"), spec.events, feature.known_at, "datetime")
    if isinstance(feature, Lookup):
        if feature.dataset not in spec.datasets:
            sentence = f"no dataset {feature.dataset!r}{nearest(feature.dataset, spec.datasets)}"
            yield (*keys, "dataset"), sentence
        yield from _column(spec, (*keys, "column"), feature.dataset, feature.column)
        for here, there in feature.by.items():
            yield from _column(spec, (*keys, "by", here), spec.events, here)
            yield from _column(spec, (*keys, "by", here), feature.dataset, there)


def _column(
    spec: Spec, keys: tuple[int | str, ...], dataset: str, column: str, kind: Kind | None = None
) -> Iterator[Fault]:
    rules = spec.datasets.get(dataset)
    if rules is None:
        return
    if column not in rules.columns and rules.prepare is None:
        hint = nearest(column, rules.columns)
        yield keys, f"dataset {dataset!r} delivers no column {column!r}, and has no `prepare` to add it{hint}"
    delivered = rules.columns.get(column)
    if kind is not None and delivered not in (kind, None):
        yield keys, f"the column {column!r} of {dataset!r} is delivered as {delivered}: it should be a {kind}"


def _no_function(name: str, functions: Collection[str]) -> str:
    return f"functions.py has no function {name!r}{nearest(name, functions)}"
