"""What the parts of a spec say of each other: each dataset, column and function that is named exists."""

from collections.abc import Collection, Iterator

from core.candidate_faults import candidate_faults
from core.changes import policy_faults
from core.documents import Fault, Keys
from core.expressions import parse
from core.framing import LABELS, framing_faults
from core.spec import (
    Dataset,
    Derived,
    Expression,
    Input,
    Kind,
    Lag,
    LocalTime,
    Lookup,
    Past,
    RowFeature,
    Spec,
    TargetRate,
    Trailing,
)
from core.words import nearest

_TAKEN = ("row", "row_hash", "batch")  # the lake's own columns

# What a statistic can be of, where it cannot be of everything.
_NUMBERS: tuple[Kind, ...] = ("float", "integer", "boolean")
_OF: dict[str, tuple[Kind, ...]] = {
    "mean": _NUMBERS,
    "sum": _NUMBERS,
    "quantile": _NUMBERS,
    "rate": ("boolean",),
}


def faults(spec: Spec, functions: Collection[str] | None) -> Iterator[Fault]:
    """Where a spec names what is not there: the keys, and a sentence on what would be right.

    What `prepare` adds is not known before it runs: a column is only missed where there is none.
    `functions` are those of functions.py; None where that cannot be read.
    """
    for key in ("datasets", "features"):
        if not getattr(spec, key):
            yield (key,), "is empty"
    if spec.datasets and spec.events not in spec.datasets:
        yield ("events",), f"no dataset {spec.events!r}{nearest(spec.events, spec.datasets)}"
    for name, rules in spec.datasets.items():
        yield from _of_dataset(spec, name, rules, functions)
    if spec.events in spec.datasets and spec.datasets[spec.events].event_time is None:
        yield ("datasets", spec.events, "event_time"), "is missing: the events are cut into batches by it"
    events = spec.events
    yield from _column(spec, ("decision", "before"), events, spec.decision.before, "datetime")
    yield from _column(spec, ("outcome", "label"), events, spec.outcome.label, *LABELS[spec.problem])
    yield from _column(spec, ("outcome", "known_at"), events, spec.outcome.known_at, "datetime")
    for name, feature in spec.features.items():
        if isinstance(feature, Expression):
            yield from _of_expression(spec, ("features", name, "expression"), feature)
        elif not isinstance(feature, Derived):
            yield from _of_feature(spec, ("features", name), feature)
        else:
            yield from _function(("features", name, "function"), feature.function, functions)
            for other, declared in feature.inputs.items():
                yield from _of_feature(spec, ("features", name, "inputs", other), declared)
    for place, column in enumerate(spec.candidates.about if spec.candidates else ()):
        yield from _column(spec, ("candidates", "about", place), events, column)
    for key in ("required", "personal"):
        for place, column in enumerate(getattr(spec.serving, key)):
            if column not in spec.features:
                yield from _column(spec, ("serving", key, place), events, column)
    yield from framing_faults(spec)
    yield from policy_faults(spec, framing_faults)
    if spec.events in spec.datasets:
        yield from candidate_faults(spec)


def _of_dataset(spec: Spec, name: str, rules: Dataset, functions: Collection[str] | None) -> Iterator[Fault]:
    keys = ("datasets", name)
    for column in rules.columns:
        if column in _TAKEN or column.startswith(":"):
            yield (
                (*keys, "columns", column),
                "is a column of the lake's own: leave it out, or have it delivered under another name",
            )
    if rules.prepare:
        yield from _function((*keys, "prepare"), rules.prepare, functions)
    if spec.counted(name) is not None:
        yield from _of_counted(keys, rules)
    for place, column in enumerate(rules.key):
        yield from _column(spec, (*keys, "key", place), name, column)
    for key, time in (("event_time", rules.event_time), ("known_at", rules.known_at)):
        if time is not None:
            yield from _column(spec, (*keys, key), name, time, "datetime")
    if rules.source.by_batch and rules.event_time is None and name != spec.events:
        yield (*keys, "source"), "comes in batches: it needs an `event_time` to be cut into them by"
    ids = [batch.id for batch in spec.batches.calendar().batches()]
    if rules.reference is not None and rules.reference not in ids:
        yield (*keys, "reference"), f"no batch {rules.reference!r}{nearest(rules.reference, ids)}"


def _of_counted(keys: Keys, rules: Dataset) -> Iterator[Fault]:
    if rules.event_time in rules.columns:
        sentence = (
            "is delivered, but `batches.rows` has a time made: leave `rows` out, or name another column"
        )
        yield (*keys, "event_time"), sentence
    if rules.source.by_batch:
        yield (*keys, "source"), "comes in batches: `batches.rows` counts rows that come in none"


def known_otherwise(spec: Spec, feature: Input) -> Iterator[Fault]:
    """Where a feature would have the outcome of events as known at another time than it was."""
    truly = spec.outcome.known_at
    read, said = dict[Keys, str | None](), None
    if isinstance(feature, Trailing | Lag):
        read, said = {("value",): feature.value}, feature.known_at or truly
    elif isinstance(feature, Lookup) and feature.dataset == spec.events and spec.events in spec.datasets:
        there: dict[Keys, str | None] = {("by", here): column for here, column in feature.by.items()}
        read, said = {("column",): feature.column, **there}, spec.datasets[spec.events].known_at
    for keys, column in read.items():
        if column in (spec.outcome.label, truly) and said != truly:
            yield keys, f"{column!r} is known at {truly!r}, and not {f'at {said!r}' if said else 'always'}"


def _of_feature(spec: Spec, keys: Keys, feature: Input) -> Iterator[Fault]:
    if isinstance(feature, RowFeature):
        yield from _column(spec, (*keys, "column"), spec.events, feature.column)
        yield from _own(spec, (*keys, "column"), feature.column)
    if isinstance(feature, LocalTime):
        yield from _column(spec, (*keys, "column"), spec.events, feature.column, "datetime")
        yield from _own(spec, (*keys, "column"), feature.column)
    if isinstance(feature, Past):
        yield from _of_past(spec, keys, feature)
    if isinstance(feature, Lookup):
        if spec.datasets and feature.dataset not in spec.datasets:
            sentence = f"no dataset {feature.dataset!r}{nearest(feature.dataset, spec.datasets)}"
            yield (*keys, "dataset"), sentence
        rules = spec.datasets.get(feature.dataset)
        if feature.within is not None and rules is not None and rules.known_at is None:
            yield (*keys, "within"), f"needs a dataset with `known_at`, and {feature.dataset!r} has none"
        yield from _at(keys, known_otherwise(spec, feature))
        yield from _column(spec, (*keys, "column"), feature.dataset, feature.column)
        for here, there in feature.by.items():
            yield from _column(spec, (*keys, "by", here), spec.events, here)
            yield from _own(spec, (*keys, "by", here), here)
            yield from _column(spec, (*keys, "by", here), feature.dataset, there)


def _at(keys: Keys, found: Iterator[Fault]) -> Iterator[Fault]:
    return (((*keys, *inner), sentence) for inner, sentence in found)


def _of_past(spec: Spec, keys: Keys, feature: Past) -> Iterator[Fault]:
    if not feature.by:
        yield (*keys, "by"), "names no column"
    for place, column in enumerate(feature.by):
        yield from _column(spec, (*keys, "by", place), spec.events, column)
        yield from _own(spec, (*keys, "by", place), column)
    if isinstance(feature, TargetRate):
        return
    if feature.value is not None:
        statistic = feature.statistic if isinstance(feature, Trailing) else "lag"
        yield from _column(spec, (*keys, "value"), spec.events, feature.value, *_OF.get(statistic, ()))
    missing = []
    if feature.known_at is not None:
        missing = [*_column(spec, (*keys, "known_at"), spec.events, feature.known_at, "datetime")]
    yield from missing or _at(keys, known_otherwise(spec, feature))


def _of_expression(spec: Spec, keys: Keys, feature: Expression) -> Iterator[Fault]:
    events = spec.datasets.get(spec.events)
    for name in dict.fromkeys(parse(feature.expression).meta.root_names()):
        other = spec.features.get(name)
        if isinstance(other, Derived | Expression) and not (events and name in events.columns):
            yield keys, f"reads the feature {name!r}, which is itself made of others: say what it is made of"
        elif other is None and name != "decision_time":
            yield from _column(spec, keys, spec.events, name)
            yield from _own(spec, keys, name)


def _own(spec: Spec, keys: Keys, column: str) -> Iterator[Fault]:
    if column in (spec.outcome.label, spec.outcome.known_at):
        yield keys, f"reads {column!r} of the event itself, which is not known at decision time"


def _column(spec: Spec, keys: Keys, dataset: str, column: str, *kinds: Kind) -> Iterator[Fault]:
    rules = spec.datasets.get(dataset)
    if rules is None or column == spec.counted(dataset):
        return
    if column not in rules.columns and rules.prepare is None:
        hint = nearest(column, rules.columns)
        yield keys, f"dataset {dataset!r} delivers no column {column!r}, and has no `prepare` to add it{hint}"
    delivered = rules.columns.get(column)
    if kinds and delivered not in (*kinds, None):
        right = " or ".join(f"an {kind}" if kind == "integer" else f"a {kind}" for kind in kinds)
        yield (
            keys,
            f"the column {column!r} of {dataset!r} is delivered as {delivered}: it should be {right}",
        )


def _function(keys: Keys, name: str, functions: Collection[str] | None) -> Iterator[Fault]:
    if functions is not None and name not in functions:
        yield keys, f"functions.py has no function {name!r}{nearest(name, functions)}"
