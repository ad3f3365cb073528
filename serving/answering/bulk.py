"""Arrow streams: many rows at once, whose columns go to the graph as they are where no feature lacks."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from time import perf_counter

import numpy as np
import polars as pl
from starlette.responses import Response

from features.entities import entity_columns
from models.answers import are_finite, to_column
from models.registry.releases import Part
from serving.answering.answers import NOT_FINITE, VersionFailed, answer, why
from serving.answering.loaded import InForce
from serving.answering.record import put_frame_on_record, put_on_record, shadow_rows
from serving.log.tables import PREDICTIONS
from serving.request.bodies import ARROW
from serving.request.columns import decided, features_of, texts, typed
from serving.request.streams import frame_of
from serving.service import Service


def answer_stream(
    service: Service, in_force: InForce, body: bytes, request_id: str, at: datetime, started: float
) -> tuple[Response, Callable[[], None]]:
    """Answer the rows of a stream by one of `request_id`, `version`, `prediction` and `degraded`.

    With the answer comes what has the shadows score the rows, once nobody waits. Raises Malformed,
    StoreLost and VersionFailed as single rows do; Problem where the body is no stream.
    """
    sent = typed(service.fields.dtypes, frame_of(body, service.project.spec.serving.max_rows))
    ids = pl.Series("request_id", [f"{request_id}-{place}" for place in range(sent.height)])
    if service.fields.give_all(sent.columns):
        done, shadow = _answer_columns(service, in_force, sent, ids, at, started)
    else:
        done, shadow = _answer_rows(service, in_force, sent, ids, at, started)
    written = io.BytesIO()
    done.write_ipc_stream(written)
    headers = {"X-Request-Id": request_id}
    return Response(written.getvalue(), headers=headers, media_type=ARROW), shadow


def _answer_rows(
    service: Service, in_force: InForce, sent: pl.DataFrame, ids: pl.Series, at: datetime, started: float
) -> tuple[pl.DataFrame, Callable[[], None]]:
    rows = service.fields.rows(sent.to_dicts(), at)
    done, failed = answer(in_force, service.featuriser.known(rows, ids.to_list()))
    seconds = perf_counter() - started
    service.journal.append(PREDICTIONS, put_on_record(service, in_force, [*done, *failed], at, seconds))
    said = to_column(np.array([each.said for each in done], np.float64))
    told = pl.DataFrame(
        [
            ids,
            pl.Series("version", [each.part.version for each in done]),
            said,
            pl.Series("degraded", [each.known.degraded for each in done]),
        ]
    )
    return told, lambda: shadow_rows(service, in_force, [each.known for each in done], at)


def _answer_columns(
    service: Service, in_force: InForce, sent: pl.DataFrame, ids: pl.Series, at: datetime, started: float
) -> tuple[pl.DataFrame, Callable[[], None]]:
    spec, rules = service.project.spec, service.project.spec.datasets[service.project.spec.events]
    features, when = features_of(spec, sent), decided(sent, at)
    about = texts(entity_columns(spec), sent.with_columns(features)) or ids.to_list()
    keys = texts(rules.key, sent)
    rows = pl.DataFrame({"request_id": ids, "decision_time": when, "entity": about}).with_columns(
        pl.Series("key", keys if keys else [None] * sent.height, pl.String)
    )
    found: list[tuple[pl.DataFrame, float]] = []
    for part, mask in _sides(in_force, about).items():
        began, own = perf_counter(), (rows.filter(mask), features.filter(mask), sent.filter(mask))
        done = _said(in_force, part, *own)
        wrong = done["error"].is_not_null()
        if part != in_force.champion and wrong.any():
            again = _said(in_force, in_force.champion, *(each.filter(wrong) for each in own))
            done = pl.concat([done, again])
        found.append((done, perf_counter() - began))
    total = sum(taken for _, taken in found)
    every = pl.concat(done.with_columns(waited=total - taken) for done, taken in found)
    put_frame_on_record(service, in_force, every, at, perf_counter() - started)
    every = every.filter(pl.col("error").is_null())
    if every.height < sent.height:
        raise VersionFailed(in_force.champion)
    in_order = ids.to_frame().join(every, on="request_id", how="left", maintain_order="left")
    told = in_order.select("request_id", "version", "prediction", degraded=pl.lit(False))
    return told, lambda: _shadow_columns(service, in_force, rows, features, sent, at)


def _shadow_columns(
    service: Service,
    in_force: InForce,
    rows: pl.DataFrame,
    features: pl.DataFrame,
    sent: pl.DataFrame,
    at: datetime,
) -> None:
    """Have the shadows score what was answered, and put that on record."""
    for part in in_force.release.shadows:
        started = perf_counter()
        mask = pl.Series([part in in_force.release.shadows_for(entity) for entity in rows["entity"]])
        if mask.any():
            done = _said(in_force, part, rows.filter(mask), features.filter(mask), sent.filter(mask))
            done = done.with_columns(waited=pl.lit(0.0))
            put_frame_on_record(service, in_force, done, at, perf_counter() - started)


def _sides(in_force: InForce, about: Sequence[str]) -> dict[Part, pl.Series]:
    """By part which rows it answers; of those that have none, nothing."""
    if not in_force.is_shared:
        return {in_force.champion: pl.repeat(True, len(about), eager=True)}
    parts = [in_force.release.part_for(entity) for entity in about]
    return {part: pl.Series([each == part for each in parts]) for part in dict.fromkeys(parts)}


def _said(
    in_force: InForce, part: Part, rows: pl.DataFrame, features: pl.DataFrame, sent: pl.DataFrame
) -> pl.DataFrame:
    """What a version says to some rows, or why it failed, with all that the log is to have of them."""
    loaded, personal = in_force.of(part), in_force.spec.serving.personal
    others = [name for name in sent.columns if name not in (*features.columns, *personal)]
    try:
        answers = loaded.model.predict(features)
        said, sound, error = to_column(answers), pl.Series(are_finite(answers)), NOT_FINITE
    except Exception as failure:  # whatever it is, it is one version's, and told as such
        said = to_column(loaded.model.predict(features.clear())).extend_constant(None, rows.height)
        sound, error = pl.repeat(False, rows.height, eager=True), why(failure)
    return rows.with_columns(
        pl.when(sound).then(said).alias("prediction"),
        pl.lit(part.version).alias("version"),
        pl.lit(part.role).alias("role"),
        pl.Series("input", _json(sent.select(others), rows.height)),
        pl.Series("features", _json(features.drop(personal, strict=False), rows.height)),
        pl.when(~sound).then(pl.lit(error)).alias("error"),
    )


def _json(rows: pl.DataFrame, height: int) -> pl.Series:
    """Each of so many rows as an object of JSON; without a column, a frame does not tell how many it has."""
    if not rows.width:
        return pl.repeat("{}", height, eager=True)
    return rows.select(pl.struct(pl.all()).struct.json_encode()).to_series()
