"""Prepared columns of requests: made by the project's own function, as ingestion makes them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import polars as pl

from core.errors import SpecError
from core.spec import Spec
from core.types import DTYPES
from features.derived import Functions
from features.online.values import RequestError, held, reader


class Prepare:
    """What `prepare` of the events' dataset adds to delivered rows, for requests of one or of some."""

    def __init__(self, spec: Spec, functions: Functions, tables: Mapping[str, pl.LazyFrame]) -> None:
        """`tables` are the other datasets, by name, as ingestion hands them to the function."""
        rules = spec.datasets[spec.events]
        self._name = rules.prepare or ""
        self._function, self._tables = functions[self._name] if rules.prepare else None, tables
        self._dtypes = {name: DTYPES[kind] for name, kind in rules.columns.items()}
        self._readers = {name: reader(name, dtype) for name, dtype in self._dtypes.items()}

    def completed(self, request: Mapping[str, Any], columns: Collection[str]) -> Mapping[str, Any]:
        """The request, and those of `columns` that it lacks and that are prepared, made from the others.

        Raises RequestError for a delivered column of another kind, SpecError when the function fails.
        """
        return self._completed([request], columns)[0]

    def all_completed(
        self, requests: Sequence[Mapping[str, Any]], columns: Collection[str]
    ) -> list[Mapping[str, Any]]:
        """The same of many, made at once; all as they are where that fails: alone each tells why."""
        try:
            return self._completed(requests, columns)
        except (RequestError, SpecError):
            return list(requests)

    def _completed(
        self, requests: Sequence[Mapping[str, Any]], columns: Collection[str]
    ) -> list[Mapping[str, Any]]:
        prepared = [column for column in columns if column not in self._dtypes]
        lacking = [[column for column in prepared if column not in request] for request in requests]
        wanted = dict.fromkeys(column for each in lacking for column in each)
        if self._function is None or not wanted:
            return list(requests)
        made = self._made(self._function, requests, [*wanted])
        return [
            {**request, **{column: row[column] for column in own}}
            for request, own, row in zip(requests, lacking, made, strict=True)
        ]

    def _made(
        self, function: Callable[..., Any], requests: Sequence[Mapping[str, Any]], wanted: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Of each request these columns; to make them of one takes as long as of a thousand."""
        rows = [pl.Series("row", range(len(requests)), pl.UInt32)]
        for name, dtype in self._dtypes.items():
            values = [self._readers[name](request.get(name)) for request in requests]
            rows.append(pl.Series(name, values, held(dtype, name)).cast(dtype))
        try:
            made: pl.DataFrame = (
                function(pl.LazyFrame(rows), self._tables).select("row", *wanted).collect().sort("row")
            )
        except Exception as error:
            why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            raise SpecError(f"{self._name} in functions.py fails on a request: {why}") from error
        if not made["row"].equals(rows[0]):
            raise SpecError(f"{self._name} in functions.py drops or repeats rows: it should keep each, once")
        return made.to_dicts()
