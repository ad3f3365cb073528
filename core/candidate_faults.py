"""Whether a spec's `candidates` are of one piece: no row of a list may know what another does not."""

from collections.abc import Iterator

from core.candidates import Candidates
from core.documents import Fault
from core.expressions import parse
from core.spec import (
    Derived,
    Expression,
    Feature,
    Lag,
    LocalTime,
    Lookup,
    Past,
    Retrieved,
    RowFeature,
    Spec,
    Trailing,
)
from core.words import nearest


def candidate_faults(spec: Spec) -> Iterator[Fault]:
    """Where `candidates` do not fit their spec: the keys, and a sentence on what would be right."""
    if spec.candidates is None:
        for keys, feature in _declared(spec):
            if isinstance(feature, Retrieved):
                yield (*keys, "from"), "is of a project that declares `candidates`, and this one does not"
    elif spec.problem != "ranking":
        yield ("candidates",), f"are of a ranking problem, and this is a {spec.problem} one"
    elif spec.outcome.group:
        yield from _lists(spec, spec.candidates)
        yield from _instants(spec)
        yield from _about(spec, spec.candidates)
        yield from _features(spec, row_columns(spec, spec.candidates))


def row_columns(spec: Spec, rules: Candidates) -> list[str]:
    """The columns of the event that a row of a list has, chosen or not."""
    return [*spec.outcome.group, rules.item, *rules.about]


def unknown(column: str, known: list[str]) -> str:
    """What is wrong with a feature that reads a column which only events that were chosen have."""
    return f"reads {column!r}, which no candidate has: it would tell what was chosen{nearest(column, known)}"


def _lists(spec: Spec, rules: Candidates) -> Iterator[Fault]:
    """A list is the key without the item; it is asked for by one entity, at one instant."""
    events, group = spec.datasets[spec.events], spec.outcome.group
    if rules.item not in events.key:
        yield ("candidates", "item"), f"no column {rules.item!r} of the key{nearest(rules.item, events.key)}"
    elif rules.item in group:
        yield ("candidates", "item"), "is a column of outcome.group: each list would hold one item"
    for place, column in enumerate(events.key):
        if column != rules.item and column not in group:
            yield (
                ("datasets", spec.events, "key", place),
                f"{column!r} is neither of outcome.group nor candidates.item: no candidate would have it",
            )
    for place, column in enumerate(group):
        if column not in events.key:
            yield ("outcome", "group", place), f"no column {column!r} of the key{nearest(column, events.key)}"
    for place, column in enumerate(rules.by):
        if column not in group:
            yield (
                ("candidates", "by", place),
                f"no column {column!r} of outcome.group{nearest(column, group)}",
            )


def _instants(spec: Spec) -> Iterator[Fault]:
    instants = {
        ("decision", "before"): spec.decision.before,
        ("datasets", spec.events, "event_time"): spec.datasets[spec.events].event_time,
    }
    for keys, time in instants.items():
        if time is not None and time not in spec.outcome.group:
            yield keys, f"{time!r} should be of outcome.group: all rows of a list are decided on at once"


def _about(spec: Spec, rules: Candidates) -> Iterator[Fault]:
    taken = {*spec.datasets[spec.events].key, spec.outcome.label, spec.outcome.known_at}
    for place, column in enumerate(rules.about):
        if column in taken:
            yield (
                ("candidates", "about", place),
                f"{column!r} is of the key or the outcome, not about the item",
            )


def _features(spec: Spec, known: list[str]) -> Iterator[Fault]:
    for keys, feature in _declared(spec):
        for column in _own(spec, feature):
            if column not in known:
                yield keys, unknown(column, known)
        if isinstance(feature, Trailing | Lag) and feature.known_at in known:
            why = f"{feature.known_at!r} is known of candidates, too: they would count as events"
            yield (*keys, "known_at"), why


def _declared(spec: Spec) -> Iterator[tuple[tuple[str, ...], Feature]]:
    """The features and the inputs of those that are made by functions, with their keys."""
    for name, feature in spec.features.items():
        yield ("features", name), feature
        for other, each in feature.inputs.items() if isinstance(feature, Derived) else ():
            yield ("features", name, "inputs", other), each


def _own(spec: Spec, feature: Feature) -> list[str]:
    """The columns that a feature reads in its own row; those of functions are known when they are called."""
    if isinstance(feature, RowFeature | LocalTime):
        return [feature.column]
    if isinstance(feature, Lookup | Past):
        return list(feature.by)
    if isinstance(feature, Expression):
        roots = parse(feature.expression).meta.root_names()
        return [root for root in roots if root not in spec.features and root != "decision_time"]
    return []
