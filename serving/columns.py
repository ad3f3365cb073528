"""Columns of an Arrow stream, read as the rows of the spec: features, instants, and whom they are about."""

from collections.abc import Collection, Sequence
from datetime import datetime

import polars as pl

from core.errors import SpecError
from core.spec import Spec
from core.words import nearest
from features.columns import DECISION, INSTANT, finished
from features.online.layout import entity_text
from features.online.values import as_held
from serving.fields import Fault, Malformed


def features_of(spec: Spec, known: Collection[str], sent: pl.DataFrame) -> pl.DataFrame:
    """The features as models get them; Malformed where a column is not `known`, of another kind, or lacks a
    value that is required.
    """
    faults = list[Fault]()
    for name in sent.columns:
        if name not in known:
            faults.append(Fault(0, name, f"is no column of these rows{nearest(name, known)}"))
    for name in spec.serving.required:
        if name not in sent.columns or sent[name].null_count():
            faults.append(Fault(0, name, "should be there, and not null in any row"))
    casts = []
    for name, feature in spec.features.items():
        try:
            casts.append(finished(name, feature.kind, sent.schema[name]))
        except SpecError as error:
            faults.append(Fault(0, name, str(error).removeprefix(f"feature {name}: ")))
    if faults:
        raise Malformed(faults)
    return sent.select(casts)


def decided(sent: pl.DataFrame, at: datetime) -> pl.Series:
    """The instant of each row's decision; Malformed where it is none, or has not come."""
    if DECISION not in sent.columns:
        return pl.Series(DECISION, [at], dtype=INSTANT).new_from_index(0, sent.height)
    dtype = sent.schema[DECISION]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise Malformed([Fault(0, DECISION, f"should be instants with a time zone, not {dtype}")])
    found = sent[DECISION].cast(INSTANT).fill_null(at)
    if (late := (found > at).arg_max()) is not None and found[late] > at:
        raise Malformed([Fault(late, DECISION, f"should not lie after now, {at:%Y-%m-%dT%H:%M:%SZ}")])
    return found


def texts(columns: Sequence[str], rows: pl.DataFrame) -> list[str] | None:
    """The entity that these columns make, of each row; None where one of them is not there."""
    if not set(columns) <= set(rows.columns):
        return None
    values = [as_held(rows[name], f"column {name!r}").to_list() for name in columns]
    return [entity_text(each) for each in zip(*values, strict=True)]
