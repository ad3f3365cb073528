"""What a row of a request may hold, and how each field is read: by the spec, in words for who sent it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from core.errors import PerennialError
from core.spec import FeatureKind, RowFeature, Spec
from core.words import nearest
from features.columns import DECISION, INSTANT
from features.entities import entity_columns
from features.online.layout import MICROSECOND, entity_text
from features.online.rows import Final, finisher, singles
from features.online.values import EPOCH, RequestError, reader

KINDS: Mapping[FeatureKind, pl.DataType] = {
    "number": pl.Float64(),
    "category": pl.String(),
    "text": pl.String(),
}
"""What a feature that is sent as such may be."""
_HELD, _GIVEN, _WHEN = range(3)
MOST_FAULTS, LONGEST = 100, 200  # faults of a request that are told, and characters of a reason


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row of a request, counted from 0: the field, if it is of one, and the reason."""

    row: int
    field: str
    reason: str


class Malformed(PerennialError):
    """A request that is not of the form that the spec says, with what is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults in a request")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read: as it was `sent`, its columns of the event as the online store holds them, and
    the features that need no other row, as a model gets them.
    """

    sent: Mapping[str, Any] = field(repr=False)
    held: Mapping[str, Any] = field(repr=False)
    given: Mapping[str, Final] = field(repr=False)
    decision_time: datetime


class Fields:
    """The fields of a project's requests: columns of its events, its features, and `decision_time`.

    Where a column and a feature have one name, the column is meant. A column that no feature reads may be
    there, and is of no account.
    """

    def __init__(self, spec: Spec, events: pl.Schema) -> None:
        """`events` are the dtypes of the events' columns, prepared ones too."""
        features = {name: it for name, it in spec.features.items() if name not in events}
        self._readers: dict[str, tuple[int, Callable[[Any], Any]]] = {
            **{name: (_HELD, reader(name, dtype)) for name, dtype in events.items()},
            **{name: (_GIVEN, _feature(name, it.kind)) for name, it in features.items()},
            DECISION: (_WHEN, reader(DECISION, INSTANT)),
        }
        self._numbers = frozenset(name for name, it in features.items() if it.kind == "number")
        self._own = [
            (name, it.column, finisher(name, it.kind, events[it.column]))
            for name, it in spec.features.items()
            if isinstance(it, RowFeature) and it.column in events
        ]
        self.columns = events
        self.dtypes = {**{name: KINDS[it.kind] for name, it in features.items()}, **events, DECISION: INSTANT}
        by_name = {name for name, column, _ in self._own if name == column}
        self._are_all_named = features.keys() | by_name == spec.features.keys()
        self._features = spec.features.keys()
        self._required = spec.serving.required
        self._key, self._entity = spec.datasets[spec.events].key, entity_columns(spec)

    def give_all(self, names: Collection[str]) -> bool:
        """Whether fields of these names are all features, each by its name."""
        return self._are_all_named and self._features <= set(names)

    def rows(self, sent: Sequence[Any], now: datetime) -> list[Row]:
        """The rows of a request that came at an instant; Malformed where any of them is none."""
        faults: list[Fault] = []
        found = []
        for place, row in enumerate(sent):
            found.append(self._row(place, row, now, faults))
            if len(faults) >= MOST_FAULTS:
                break
        if faults:
            raise Malformed(faults[:MOST_FAULTS])
        return [row for row in found if row is not None]

    def entity(self, row: Row, features: Mapping[str, Final]) -> str | None:
        """Whom a row is about, as `features.entities` tells it; None where the row does not say."""
        own = {name: row.held[name] for name in self._key if name in row.held}
        if not all(name in own or name in features for name in self._entity):
            return None
        return entity_text([own[name] if name in own else features[name] for name in self._entity])

    def key(self, columns: Mapping[str, Any]) -> str | None:
        """The event's key as a text, of its columns as they are held; None where one is not there."""
        if not all(name in columns for name in self._key):
            return None
        return entity_text([columns[name] for name in self._key])

    def read_key(self, sent: Mapping[str, Any]) -> str:
        """The event's key as a text, as it was sent; RequestError where it is none."""
        if set(sent) != set(self._key):
            raise RequestError(f"should have the fields {', '.join(self._key)}")
        return entity_text([self._readers[name][1](sent[name]) for name in self._key])

    def _row(self, place: int, sent: Any, now: datetime, faults: list[Fault]) -> Row | None:
        if not isinstance(sent, Mapping):
            faults.append(Fault(place, "", f"should be an object of fields, not {_shown(sent)}"))
            return None
        (held, given, when), found = self._read(sent)
        try:
            decision_time = instant(when.get(DECISION), now)
        except RequestError as error:
            found[DECISION], decision_time = str(error), now
        for name in self._required:
            if held.get(name) is None and given.get(name) is None:
                found.setdefault(name, "should be there, and not null")
        if found:
            faults += [Fault(place, cut(name), cut(reason)) for name, reason in found.items()]
            return None
        own = {name: finish(held[column]) for name, column, finish in self._own if column in held}
        return Row(sent, held, own | given, decision_time)

    def _read(self, sent: Mapping[str, Any]) -> tuple[tuple[dict[str, Any], ...], dict[str, str]]:
        """What a row holds, gives and says of its instant; and by field what is wrong with it."""
        parts: tuple[dict[str, Any], ...] = ({}, {}, {})
        wrong, numbers = dict[str, str](), dict[str, float]()
        for name, value in sent.items():
            if type(value) is float and name in self._numbers:  # most values: they are read all at once
                numbers[name] = value
                continue
            try:
                part, read = self._readers[name]
                parts[part][name] = read(value)
            except KeyError:
                wrong[name] = f"is no field of these rows{nearest(cut(name), self._readers)}"
            except RequestError as error:
                wrong[name] = str(error).removeprefix(f"request: {name!r} ")
            if len(wrong) == MOST_FAULTS:  # to look for what else was meant takes its time
                break
        parts[_GIVEN].update(zip(numbers, singles([*numbers.values()]), strict=True))
        return parts, wrong


def _feature(name: str, kind: FeatureKind) -> Callable[[Any], Final]:
    """What reads a feature that is sent as such."""
    read, finish = reader(name, KINDS[kind]), finisher(name, kind, KINDS[kind])
    return lambda value: finish(read(value))


def instant(held: int | None, now: datetime) -> datetime:
    """An instant as the online store holds it, now by default; RequestError where it has not come."""
    try:
        found = now if held is None else EPOCH + held * MICROSECOND
    except OverflowError:  # it is in such a year elsewhere only
        raise RequestError("should lie in the years from 1 to 9999, in UTC") from None
    if found > now:
        raise RequestError(f"should not lie after now, {now:%Y-%m-%dT%H:%M:%SZ}: nothing is known then")
    return found


def _shown(value: Any) -> str:
    return cut(repr(value), 60)


def cut(text: str, most: int = LONGEST) -> str:
    """A text as far as it is told."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
