"""Answers: rows become features, the version on whose side each is answers it, and why it says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from features.online.rows import Final
from models.registry.releases import Part
from serving.featurise import Known
from serving.loaded import InForce, Loaded

WHOLE = 16  # rows from which a frame is quicker than mappings

Prediction = float | list[float]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a row: a number, or one for each class or quantile, by the version with a part."""

    known: Known
    part: Part
    prediction: Prediction


def answer(in_force: InForce, known: Sequence[Known], request_id: str) -> list[Answered]:
    """The answer to each row, by its side of the release; a row of nobody is on that of its request."""
    parts = [in_force.release.part_for(each.entity or request_id) for each in known]
    if len(known) == 1 or len({part.version for part in parts}) == 1:
        said = predict(in_force.of(parts[0]), known)
        return [Answered(*each) for each in zip(known, parts, said, strict=True)]
    found: dict[int, Answered] = {}
    for part in dict.fromkeys(parts):
        places = [place for place, each in enumerate(parts) if each == part]
        said = predict(in_force.of(part), [known[place] for place in places])
        found |= {place: Answered(known[place], part, each) for place, each in zip(places, said, strict=True)}
    return [found[place] for place in range(len(known))]


def predict(loaded: Loaded, known: Sequence[Known]) -> list[Prediction]:
    """What a version answers to each row."""
    features = [each.features for each in known]
    if len(features) < WHOLE:
        answers = loaded.model.answer(features)
    else:
        answers = loaded.model.predict(frame_of(loaded, features))
    said: list[Prediction] = answers.tolist()
    return said


def frame_of(loaded: Loaded, features: Sequence[Mapping[str, Final]]) -> pl.DataFrame:
    """Features as a frame in the dtypes that the graph takes."""
    columns = loaded.model.columns
    schema = {name: pl.Float32 if name in columns.numbers else pl.String for name in columns.names}
    return pl.DataFrame(
        {name: [each[name] for each in features] for name in schema}, schema=schema, strict=False
    )


def told(loaded: Loaded, prediction: Prediction) -> float | dict[str, float]:
    """A prediction for who asked: a number, or one by class or by quantile."""
    if not isinstance(prediction, list):
        return prediction
    names = loaded.model.classes or [f"{level:g}" for level in loaded.model.levels]
    return dict(zip(map(str, names), prediction, strict=True))


def log_row(answered: Answered, request_id: str, asked_at: datetime, seconds: float) -> tuple[Any, ...]:
    """What is put on record of an answer, as a row of `serving.log.tables`."""
    known = answered.known
    return (
        request_id,
        answered.part.version,
        answered.part.role,
        asked_at,
        known.row.decision_time,
        known.entity or request_id,
        known.key,
        known.row.sent,
        known.features,
        answered.prediction,
        seconds,
        known.degraded,
        None,
    )
