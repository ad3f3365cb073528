"""Under which keys the online store holds what a spec's features are made of."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from core.spec import Lag, Lookup, Past, Spec, TargetRate, Trailing
from features.columns import alike
from features.declared import plain

_ENCODER = json.JSONEncoder(separators=(",", ":"))
MICROSECOND = timedelta(microseconds=1)
_LEAST = timedelta(hours=1)  # shorter buckets would only be more keys


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of a dataset that are kept by entity, because features read them by it.

    `columns` of the dataset make the entity, which a request names in its columns `asked`. `known`
    is the column of the instants, which are cut into buckets `width` microseconds long (None: one
    for all time); without it an entity has one row. `values` are the columns that are read. `past`
    says that the rows are facts of events; facts of one instant are in order of `ties`.
    """

    dataset: str
    columns: tuple[str, ...]
    asked: tuple[str, ...]
    known: str | None
    values: tuple[str, ...]
    ties: tuple[str, ...]
    width: int | None
    past: bool

    @cached_property
    def name(self) -> str:
        """What tells it from the others of its layout, as a text for the eye."""
        by = ",".join(f"{here}={there}" for here, there in zip(self.asked, self.columns, strict=True))
        tie = f"~{self.ties[-1]}" if self.ties else ""
        return f"{self.dataset}[{by}]@{self.known or ''}{tie}/{self.width or ''}"

    def buckets(self, decision: int) -> tuple[int, ...]:
        """Those in which what a decision can reach lies, in order of time."""
        if self.width is None:
            return (0,)
        newest = decision // self.width
        return (newest - 1, newest)


@dataclass(frozen=True)
class Layout:
    """By feature, the groups that it reads: one, or for a target rate its entity's and that of all.

    `rules` is what else the rows that are stored depend on.
    """

    reads: Mapping[str, tuple[Group, ...]]
    rules: str

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Each once."""
        return tuple(dict.fromkeys(group for groups in self.reads.values() for group in groups))

    @cached_property
    def digest(self) -> str:
        """Of all that says what is stored: under other declarations all keys and parts are others."""
        text = f"{self.rules}{sorted(map(repr, self.groups))}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def key(self, group: Group, entity: str, bucket: int) -> str:
        """Where the group's rows of an entity lie, written as `entity_text` does."""
        return f"{self.digest}/{group.name}/{entity}/{bucket}"

    def schema(self, dataset: str) -> str:
        """Where the dtypes of a dataset's columns lie."""
        return f"{self.digest}/{dataset}"

    def part(self, dataset: str, batch: str) -> str:
        """The part that a batch of a dataset is."""
        return f"{self.digest}/{dataset}/{batch}"


def layout_of(spec: Spec) -> Layout:
    """What the spec's features read of other rows than the event's own; what they can share, they do."""
    declared = plain(spec)
    pasts = {name: it for name, it in declared.items() if isinstance(it, Trailing | TargetRate | Lag)}
    ways = {name: _ways(spec, it) for name, it in pasts.items()}
    facts = {
        way: _facts(spec, way, [it for name, it in pasts.items() if way in ways[name]])
        for way in dict.fromkeys(way for each in ways.values() for way in each)
    }
    reads = {name: tuple(facts[way] for way in each) for name, each in ways.items()}
    lookups = {name: it for name, it in declared.items() if isinstance(it, Lookup)}
    for found in alike(lookups, lambda it: (it.dataset, tuple(it.by.items()), _bucket(spec, it))):
        reads |= dict.fromkeys(found, (_rows(spec, list(found.values())),))
    events = spec.datasets[spec.events]
    rules = (spec.events, events.key, events.event_time, spec.decision.model_dump(mode="json"))
    return Layout(reads, json.dumps(rules))


def entity_text(values: Sequence[object]) -> str:
    """The parts of an entity (texts, booleans, whole numbers, floats) as a text that equal ones share.

    >>> entity_text(["A", 7, -0.0]), entity_text(["A,7"])
    ('["A",7,0.0]', '["A,7"]')
    """
    same = [value + 0.0 if isinstance(value, float) else value for value in values]
    return _ENCODER.encode(same)


_Way = tuple[tuple[str, ...], str, str | None, bool]


def _ways(spec: Spec, feature: Past) -> list[_Way]:
    """Entity, instants, the value that orders facts of one instant, whether the past has no end."""
    if isinstance(feature, TargetRate):
        return [(by, spec.outcome.known_at, None, False) for by in dict.fromkeys((feature.by, ()))]
    known = feature.known_at or spec.outcome.known_at
    if isinstance(feature, Lag):
        return [(feature.by, known, feature.value, feature.within is None)]
    return [(feature.by, known, None, False)]


def _facts(spec: Spec, way: _Way, features: Sequence[Past]) -> Group:
    by, known, last, endless = way
    rules = spec.datasets[spec.events]
    values = {value_of(spec, feature) for feature in features} - {None}
    spans = [it.within if isinstance(it, Lag) else it.over for it in features]
    return Group(
        dataset=spec.events,
        columns=by,
        asked=by,
        known=known,
        values=tuple(sorted(value for value in values if value)),
        ties=(rules.event_time or "", *rules.key, last) if last is not None else (),
        width=None if endless else _width(max(span for span in spans if span is not None)),
        past=True,
    )


def _rows(spec: Spec, features: Sequence[Lookup]) -> Group:
    first = features[0]
    return Group(
        dataset=first.dataset,
        columns=tuple(first.by.values()),
        asked=tuple(first.by),
        known=spec.datasets[first.dataset].known_at,
        values=tuple(sorted({feature.column for feature in features})),
        ties=(),
        width=_bucket(spec, first),
        past=False,
    )


def _bucket(spec: Spec, feature: Lookup) -> int | None:
    known = spec.datasets[feature.dataset].known_at
    return None if known is None or feature.within is None else _width(feature.within)


def value_of(spec: Spec, feature: Past) -> str | None:
    """The events' column that the feature is a statistic of; None where it is of the events as such."""
    return spec.outcome.label if isinstance(feature, TargetRate) else feature.value


def _width(span: timedelta) -> int:
    return max(span, _LEAST) // MICROSECOND
