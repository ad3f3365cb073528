"""What was answered, put on record: in the log of predictions, and in the metrics."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from time import perf_counter

import polars as pl

from core.spec import Spec
from features.columns import INSTANT
from features.entities import entity_columns
from serving.answering.answers import Answered, shadowed
from serving.answering.featurise import Known
from serving.answering.loaded import InForce, shown
from serving.log.tables import PREDICTIONS, Prediction
from serving.metrics import part
from serving.service import Service


def put_on_record(
    service: Service, in_force: InForce, done: Sequence[Answered], at: datetime, seconds: float
) -> list[Prediction]:
    """Count what was answered, or failed, in so many seconds; the rows that the log is to have of it.

    A version is not to be slow for another's sake: what it waited for that is no time of its own.
    """
    meters, spec, rows = service.meters, service.project.spec, []
    spread = meters.predictions(in_force.of(in_force.champion).edges)
    for version, waited in {each.part.version: each.waited for each in done}.items():
        part(meters.row_seconds, version).observe(seconds - waited)
    for each in done:
        version = each.part.version
        if each.said is None:
            part(meters.failed, version).inc()
        else:
            part(meters.rows, version, each.part.role).inc()
            part(spread, version).observe(shown(each.said))
        if each.known.degraded:
            meters.degraded.inc()
        rows.append(logged(spec, in_force, each, at, seconds - each.waited))
    return rows


def shadow_rows(service: Service, in_force: InForce, known: Sequence[Known], at: datetime) -> None:
    """Have the shadows score what was answered, and put that on record."""
    started = perf_counter()
    done = shadowed(in_force, known)
    rows = put_on_record(service, in_force, done, at, perf_counter() - started)
    service.journal.append(PREDICTIONS, rows)


def put_frame_on_record(
    service: Service, in_force: InForce, done: pl.DataFrame, at: datetime, seconds: float
) -> None:
    """Count and log what was answered in bulk; of the answers a thousand are counted by their size.

    `done` has the columns of the log, but for what is the same of all rows, and how long each has `waited`.
    """
    meters, schema = service.meters, service.log[PREDICTIONS]
    spread = meters.predictions(in_force.of(in_force.champion).edges)
    for (version, role), own in done.group_by("version", "role"):
        answered = own["prediction"].drop_nulls()
        meters.row_seconds.labels(version).observe(seconds - own["waited"][0])
        meters.failed.labels(version).inc(own.height - len(answered))
        meters.rows.labels(version, role).inc(len(answered))
        for said in answered.gather_every(max(1, len(answered) // 1_000)).to_list():
            spread.labels(version).observe(shown(said))
    told = _discreet_columns(service.project.spec, done).with_columns(
        release=in_force.release.number,
        at=pl.lit(at, INSTANT),
        seconds=seconds - pl.col("waited"),
        degraded=pl.lit(False),
    )
    service.journal.append_frame(PREDICTIONS, told.select(schema.names()).cast(schema))


async def append(service: Service, rows: Sequence[Prediction], durable: bool) -> bool | None:
    """Have the rows logged; whether they are on disk, where that is waited for."""
    if not durable:
        service.journal.append(PREDICTIONS, rows)
        return None
    return await asyncio.wrap_future(service.journal.durable(PREDICTIONS, rows))


def logged(spec: Spec, in_force: InForce, done: Answered, at: datetime, seconds: float) -> Prediction:
    """What the log is to have of an answer, without the values of personal fields.

    What was sent is there once: as a feature, or else as it was sent. Whom a row is about stays to be told
    apart, by a hash.
    """
    known, personal = done.known, frozenset(spec.serving.personal)
    sent, features = known.row.sent, known.features
    hidden = personal.intersection(entity_columns(spec)) if personal else ()
    return Prediction(
        request_id=known.id,
        version=done.part.version,
        role=done.part.role,
        release=in_force.release.number,
        at=at,
        decision_time=known.row.decision_time,
        entity=disguised(known.entity) if hidden else known.entity,
        key=key_on_record(spec, known.key),
        input={name: sent[name] for name in sent if name not in features and name not in personal},
        features={name: features[name] for name in features if name not in personal}
        if personal
        else features,
        prediction=done.said,
        seconds=seconds,
        degraded=known.degraded,
        error=done.error,
    )


def _discreet_columns(spec: Spec, done: pl.DataFrame) -> pl.DataFrame:
    """The same of columns, whose `input` and `features` have no personal field any more."""
    personal = set(spec.serving.personal)
    named = {"entity": entity_columns(spec), "key": spec.datasets[spec.events].key}
    hidden = [name for name, columns in named.items() if personal.intersection(columns)]
    return done.with_columns(
        pl.Series(name, [text and disguised(text) for text in done[name].to_list()], pl.String)
        for name in hidden
    )


def key_on_record(spec: Spec, key: str | None) -> str | None:
    """An event's key as the log has it: where it is personal, none that can be read."""
    personal = key is not None and set(spec.serving.personal) & set(spec.datasets[spec.events].key)
    return disguised(key) if key is not None and personal else key


def disguised(text: str) -> str:
    """A text that equal ones share, and nobody can read."""
    return hashlib.sha256(text.encode()).hexdigest()
