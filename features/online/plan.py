"""What a request is made into features by, compiled once from the spec and the published dtypes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from core.errors import IntegrityError, SpecError
from core.spec import Input, Lag, LocalTime, Lookup, Retrieved, RowFeature, Spec, Trailing
from core.words import nearest
from features.columns import DECISION, INSTANT, of_event, require
from features.declared import check_known, columns_asked, columns_read, in_key, plain
from features.online.rows import Final, OneRow, finisher
from features.online.values import RequestError, reader


class Plan:
    """The steps from a request to its features, apart from what the store is asked for.

    `declared` are the features that read no other; `steps` compute parts of local time, and features
    that read others; `finishers` make each what a model gets. To the steps a column of the event is
    known by its name, where no feature hides it, and always with a colon before it.
    """

    def __init__(
        self, spec: Spec, schemas: Mapping[str, Sequence[pl.Schema]], derived: Mapping[str, pl.Expr]
    ) -> None:
        """`schemas` are, by dataset, those of its published parts.

        Raises SpecError when a declaration does not fit them, IntegrityError when they differ.
        """
        self.declared = plain(spec)
        self._events = schemas[spec.events][-1]
        self._retrieved = {name for name, it in self.declared.items() if isinstance(it, Retrieved)}
        made_here = {name: it for name, it in self.declared.items() if name not in self._retrieved}
        columns_read(spec, made_here, self._events)
        in_key(spec, self._events)
        own = [root for root in _roots(derived.values()) if root not in self.declared and root != DECISION]
        require(own, self._events, "a derived feature", spec.events)
        check_known(spec, "of an expression", own)
        asked = (*columns_asked(self.declared), *own)
        self._readers = {name: reader(name, self._events[name]) for name in asked}
        _check(spec, self.declared, schemas, list(self._readers))
        self.steps, self._dtypes = self._steps(schemas, derived)
        kinds = {name: it.kind for name, it in spec.features.items()}
        self.finishers = {name: finisher(name, kind, self._dtypes[name]) for name, kind in kinds.items()}

    @property
    def columns(self) -> Collection[str]:
        """The columns of the event that features read."""
        return self._readers.keys()

    def read(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of the event that features read, as the store holds values; RequestError if wrong.

        What a retriever says of the row comes with the request, by the name of the feature that it is.
        """
        for field in request:
            if field not in self._events and field not in self._retrieved:
                raise RequestError(
                    f"request: the events have no column {field!r}{nearest(field, self._events)}"
                )
        said = {name: reader(name, pl.Float32()) for name in sorted(self._retrieved)}
        return {name: read(request.get(name)) for name, read in (self._readers | said).items()}

    def given(self, values: Mapping[str, Final]) -> dict[str, Any]:
        """Features that are given as models get them, as the store would hold those that others read.

        RequestError for a text that is no value of the feature's dtype.
        """
        return {name: self._held(name, value) for name, value in values.items() if name in self.declared}

    def _held(self, name: str, value: Final) -> Any:
        dtype = self._dtypes[name]
        if value is None or not (dtype.is_integer() or dtype == pl.Boolean):
            return value
        try:
            return value in ("true", 1.0) if dtype == pl.Boolean else int(value)
        except ValueError:
            raise RequestError(f"request: {name!r} should be a whole number, not {value!r}") from None

    def _steps(
        self, schemas: Mapping[str, Sequence[pl.Schema]], derived: Mapping[str, pl.Expr]
    ) -> tuple[list[OneRow], dict[str, pl.DataType]]:
        """What is computed at once, and then of it; and the dtypes of all that there is in the end."""
        times = {name: it for name, it in self.declared.items() if isinstance(it, LocalTime)}
        dtypes = {**self._events, **{f":{name}": dtype for name, dtype in self._events.items()}}
        dtypes |= {DECISION: INSTANT}
        dtypes |= {name: self._dtype(it, schemas) for name, it in self.declared.items() if name not in times}
        first = {
            name: of_event(name, it.model_copy(update={"column": f":{it.column}"}), pl.Schema(dtypes))
            for name, it in times.items()
        }
        first |= {name: each for name, each in derived.items() if times.keys().isdisjoint(_roots([each]))}
        then = {name: each for name, each in derived.items() if name not in first}
        steps = []
        for expressions in filter(None, (first, then)):
            steps.append(OneRow({root: dtypes[root] for root in _roots(expressions.values())}, expressions))
            dtypes |= steps[-1].dtypes
        return steps, dtypes

    def _dtype(self, feature: Input, schemas: Mapping[str, Sequence[pl.Schema]]) -> pl.DataType:
        """In which the offline build has the feature before it is finished."""
        if isinstance(feature, RowFeature):
            return self._events[feature.column]
        if isinstance(feature, Lookup):
            return schemas[feature.dataset][-1][feature.column]
        if isinstance(feature, Lag):
            return self._events[feature.value]
        if isinstance(feature, Retrieved):
            return pl.Float32()
        count = isinstance(feature, Trailing) and feature.statistic in ("count", "distinct")
        return pl.Int64() if count else pl.Float64()


def _roots(expressions: Iterable[pl.Expr]) -> list[str]:
    return list(dict.fromkeys(root for each in expressions for root in each.meta.root_names()))


def _check(
    spec: Spec,
    declared: Mapping[str, Input],
    schemas: Mapping[str, Sequence[pl.Schema]],
    asked: Sequence[str],
) -> None:
    """Raise unless all parts of a dataset agree on the columns read, and lookups compare like with like."""
    read: dict[str, list[str]] = {spec.events: list(asked)}
    for name, it in declared.items():
        if isinstance(it, Lookup):
            read.setdefault(it.dataset, []).extend([it.column, *it.by.values()])
            for here, there in it.by.items():
                events, other = schemas[spec.events][-1][here], schemas[it.dataset][-1][there]
                if events != other:
                    raise SpecError(
                        f"feature {name}: the events' {here!r} is {events}, "
                        f"but {it.dataset}'s {there!r} is {other}"
                    )
        elif isinstance(it, Lag):
            read[spec.events].append(it.value)
    for dataset, columns in read.items():
        for column in columns:
            found = {str(schema.get(column)) for schema in schemas[dataset]}
            if len(found) > 1:
                raise IntegrityError(
                    f"the online store holds {dataset}'s {column!r} as {' and as '.join(sorted(found))}: "
                    "publish its batches again"
                )
