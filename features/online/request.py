"""The features of one request: the event's own fields, and what the online store knows as of now."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import polars as pl

from core.errors import IntegrityError
from core.spec import LocalTime, Lookup, Past, Retrieved, RowFeature, Spec
from features.columns import DECISION
from features.derived import Functions, expressions
from features.online.layout import MICROSECOND, Group, entity_text, layout_of
from features.online.plan import Plan
from features.online.prepare import Prepare
from features.online.publish import datasets, read_schema
from features.online.rows import Final
from features.online.store import Store
from features.online.values import EPOCH, RequestError
from features.online.windows import Rows, lookup_value, past_value

_NONE: Mapping[str, Final] = MappingProxyType({})
_Known = Callable[[Mapping[str, Any], int, Sequence[Group]], Mapping[Group, Rows]]


class Online:
    """Answers single requests with the features that the offline build has of such a row.

    Any number of threads may share one; a process that is forked goes on with it.
    """

    def __init__(
        self,
        spec: Spec,
        functions: Functions,
        store: Store,
        tables: Mapping[str, pl.LazyFrame] | None = None,
        schemas: Mapping[str, pl.Schema] | None = None,
    ) -> None:
        """Nothing is read yet. With `tables`, the project's other datasets by name, prepared columns
        that a request lacks are made from those that it holds, as ingestion makes them; that takes
        some milliseconds. With `schemas`, the dtypes of every dataset that is published, the store need
        not be there to tell them. Raises SpecError when a function of the spec is missing.
        """
        self._spec, self._store, self._told = spec, store, schemas
        self._prepare = None if tables is None else Prepare(spec, functions, tables)
        self._layout = layout_of(spec)
        self._derived = expressions(spec, functions)
        self._plan: Plan | None = None

    def features(
        self, request: Mapping[str, Any], decision_time: datetime, given: Mapping[str, Final] = _NONE
    ) -> dict[str, Final]:
        """By feature, in the spec's order, what a model gets: a 32-bit float, a text, or None.

        `request` holds columns of the event by name, as many as are known, and what a retriever says
        by the names of those features; what it does not hold is null. Of other events, and of other
        datasets, what was known at `decision_time` counts, so far as it is published. Features that are
        `given`, as a model gets them, are taken as they are, and nothing is asked for their sake.
        Raises RequestError for a field that the events do not have or of another kind;
        IntegrityError when nothing is published under these declarations, or a value is damaged;
        PerennialError when the store cannot be read.
        """
        return self._finished(request, decision_time, given, self._known)

    def features_alone(
        self, request: Mapping[str, Any], decision_time: datetime, given: Mapping[str, Final] = _NONE
    ) -> dict[str, Final]:
        """The same without the store: what would have come of other rows is null."""
        return self._finished(request, decision_time, given, lambda event, decision, groups: {})

    def _finished(
        self,
        request: Mapping[str, Any],
        decision_time: datetime,
        given: Mapping[str, Final],
        known: _Known,
    ) -> dict[str, Final]:
        if given.keys() >= self._spec.features.keys():
            return {name: given[name] for name in self._spec.features}
        plan, values = self._computed(request, decision_time, given, known)
        return {
            name: given[name] if name in given else finish(values[name])
            for name, finish in plan.finishers.items()
        }

    def completed(self, requests: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The requests with the prepared columns that they lack, as far as these can be made of all at once.

        `features` makes them of one; that takes as long as of all.
        """
        if self._prepare is None:
            return list(requests)
        return self._prepare.all_completed(requests, self._planned().columns)

    def require_published(self) -> None:
        """Raise as `features` does where the store cannot be read, or nothing is published."""
        self._published()

    def columns(self) -> list[str]:
        """The columns of the event that features read: what else a request holds is of no account."""
        return list(self._planned().columns)

    def values(self, request: Mapping[str, Any], decision_time: datetime) -> dict[str, Any]:
        """The same before numbers are rounded to 32 bits: floats of 64, whole numbers, texts."""
        plan, values = self._computed(request, decision_time, _NONE, self._known)
        return {name: values[name] for name in plan.finishers}

    def _computed(
        self,
        request: Mapping[str, Any],
        decision_time: datetime,
        given: Mapping[str, Final],
        known: _Known,
    ) -> tuple[Plan, dict[str, Any]]:
        if not isinstance(decision_time, datetime) or decision_time.tzinfo is None:
            raise RequestError(f"a decision time needs an offset from UTC: {decision_time!r} has none")
        plan = self._planned()
        decision = (decision_time - EPOCH) // MICROSECOND
        if self._prepare:
            request = self._prepare.completed(request, plan.columns)
        event, taken = plan.read(request), plan.given(given)
        asked = [name for name in self._layout.reads if name not in given]
        groups = dict.fromkeys(group for name in asked for group in self._layout.reads[name])
        found = known(event, decision, list(groups))
        values: dict[str, Any] = {}
        for name, feature in plan.declared.items():
            if isinstance(feature, RowFeature):
                values[name] = event[feature.column]
            elif isinstance(feature, Retrieved):
                values[name] = event[name]
            elif not isinstance(feature, LocalTime) and name not in given:
                values[name] = self._value(name, feature, found, decision)
        context = {f":{name}": value for name, value in event.items()} | event | {DECISION: decision} | values
        context |= taken
        for step in plan.steps:
            context |= step.compute([context[column] for column in step.reads]) | taken
        return plan, context

    def _planned(self) -> Plan:
        # Two threads may both be the first: they make the same.
        self._plan = self._plan or Plan(self._spec, self._schemas(), self._derived)
        return self._plan

    def _known(self, event: Mapping[str, Any], decision: int, groups: Sequence[Group]) -> dict[Group, Rows]:
        """What the store holds of the request's entities, read at once; of a null one, nothing."""
        keys: dict[Group, list[str]] = {}
        for group in groups:
            entity = [event[column] for column in group.asked]
            if None not in entity:
                text = entity_text(entity)
                keys[group] = [self._layout.key(group, text, bucket) for bucket in group.buckets(decision)]
        if not keys:
            return {}
        found = self._store.get([key for each in keys.values() for key in each])
        if not any(found.values()):
            # Nobody was seen before, or all that was published is gone.
            self._published()
        return {group: Rows(group, [(key, found[key]) for key in each]) for group, each in keys.items()}

    def _value(self, name: str, feature: Lookup | Past, known: Mapping[Group, Rows], decision: int) -> Any:
        groups = self._layout.reads[name]
        if any(group not in known for group in groups):
            return None
        if isinstance(feature, Lookup):
            return lookup_value(feature, known[groups[0]], decision)
        return past_value(feature, self._spec.outcome.label, [known[group] for group in groups], decision)

    def _schemas(self) -> dict[str, list[pl.Schema]]:
        """Of each dataset, those under which its parts were published."""
        if self._told is not None:
            return {dataset: [schema] for dataset, schema in self._told.items()}
        return self._published()

    def _published(self) -> dict[str, list[pl.Schema]]:
        wanted = {dataset: self._layout.schema(dataset) for dataset in datasets(self._spec)}
        found = self._store.get(wanted.values())
        for dataset, key in wanted.items():
            if not found[key]:
                raise IntegrityError(
                    f"the online store has no {dataset} that were published as {self._spec.name} declares "
                    "its features now: publish its batches"
                )
        return {dataset: [read_schema(each) for each in set(found[key])] for dataset, key in wanted.items()}
