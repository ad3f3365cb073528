"""Entities: whom the answer to a row is about, as a text that tells which side of a release it is on."""

import polars as pl

from core.spec import Spec
from features.online.layout import entity_text
from features.online.values import as_held


def entity_columns(spec: Spec) -> tuple[str, ...]:
    """The columns of a feature row that make its entity: those of the spec, else its list or its key."""
    return spec.serving.entity or spec.outcome.group or spec.datasets[spec.events].key


def entities(spec: Spec, rows: pl.DataFrame) -> list[str]:
    """Of each feature row, its entity as a text; a request about the same has the same."""
    columns = [as_held(rows[name], f"column {name!r}").to_list() for name in entity_columns(spec)]
    return [entity_text(values) for values in zip(*columns, strict=True)]
