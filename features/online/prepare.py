"""Prepared columns of a request: made by the project's own function, as ingestion makes them."""

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from core.errors import SpecError
from core.spec import Spec
from core.types import DTYPES
from features.derived import Functions
from features.online.values import held, reader


class Prepare:
    """What `prepare` of the events' dataset adds to a delivered row, for single requests."""

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
        lacking = [column for column in columns if column not in request and column not in self._dtypes]
        if self._function is None or not lacking:
            return request
        row = [pl.Series("row", [0], pl.UInt32)]
        for name, dtype in self._dtypes.items():
            value = self._readers[name](request.get(name))
            row.append(pl.Series(name, [value], held(dtype, name)).cast(dtype))
        try:
            made = self._function(pl.LazyFrame(row), self._tables).select(lacking).collect()
        except Exception as error:
            why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            raise SpecError(f"{self._name} in functions.py fails on a request: {why}") from error
        found: dict[str, Any] = made.row(0, named=True)
        return {**request, **found}
