"""Answers: the version on whose side of the release a row is answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from core.errors import PerennialError
from features.online.rows import Final
from models.registry.releases import Part
from serving.featurise import Known
from serving.loaded import InForce, Loaded
from serving.log.tables import Prediction

WHOLE = 16  # rows from which a frame is quicker than mappings

Said = float | list[float]
"""A number, or one for each class or quantile."""


class VersionFailed(PerennialError):
    """A version that could not answer rows which others may."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a row, by the version with a part; `said` is None where it failed, for the reason `error`."""

    known: Known
    part: Part
    said: Said | None
    error: str | None = None

    def logged(self, request_id: str, at: datetime, seconds: float) -> Prediction:
        """What is put on record of it."""
        known = self.known
        return Prediction(
            request_id=request_id,
            version=self.part.version,
            role=self.part.role,
            at=at,
            decision_time=known.row.decision_time,
            entity=known.entity or request_id,
            key=known.key,
            input=known.row.sent,
            features=known.features,
            prediction=self.said,
            seconds=seconds,
            degraded=known.degraded,
            error=self.error,
        )


def answer(
    in_force: InForce, known: Sequence[Known], request_id: str
) -> tuple[list[Answered], list[Answered]]:
    """The answer to each row, by its side of the release; and what failed on the way to them.

    A row of nobody is on the side of its request. Where another version than the champion fails, the
    champion answers; VersionFailed where it does.
    """
    parts = [in_force.release.part_for(each.entity or request_id) for each in known]
    found: dict[int, Answered] = {}
    failed: list[Answered] = []
    for part in dict.fromkeys(parts):
        places = [place for place, each in enumerate(parts) if each == part]
        own = [known[place] for place in places]
        given = _answered(in_force, part, own)
        if given[0].error is not None:
            failed += given
            given = _answered(in_force, in_force.champion, own)
        if given[0].error is not None:
            raise VersionFailed(f"{given[0].part.version} failed: {given[0].error}")
        found |= zip(places, given, strict=True)
    return [found[place] for place in range(len(known))], failed


def shadowed(in_force: InForce, known: Sequence[Known], request_id: str) -> list[Answered]:
    """What the shadows of a release say to rows that others have answered."""
    found = []
    for part in in_force.release.shadows:
        own = [
            each for each in known if part in in_force.release.shadows_for(each.entity or request_id)
        ]
        found += _answered(in_force, part, own) if own else []
    return found


def _answered(in_force: InForce, part: Part, known: Sequence[Known]) -> list[Answered]:
    """What a version says to some rows, or why it failed, which is the same for all."""
    try:
        said = predict(in_force.of(part), known)
    except Exception as error:  # whatever it is, it is one version's, and told as such
        why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        return [Answered(each, part, None, why) for each in known]
    return [Answered(each, part, one) for each, one in zip(known, said, strict=True)]


def predict(loaded: Loaded, known: Sequence[Known]) -> list[Said]:
    """What a version answers to each row."""
    features = [each.features for each in known]
    if len(features) < WHOLE:
        answers = loaded.model.answer(features)
    else:
        answers = loaded.model.predict(frame_of(loaded, features))
    said: list[Said] = answers.tolist()
    return said


def frame_of(loaded: Loaded, features: Sequence[Mapping[str, Final]]) -> pl.DataFrame:
    """Features as a frame in the dtypes that the graph takes."""
    columns = loaded.model.columns
    schema = {name: pl.Float32 if name in columns.numbers else pl.String for name in columns.names}
    return pl.DataFrame(
        {name: [each[name] for each in features] for name in schema}, schema=schema, strict=False
    )


def told(loaded: Loaded, said: Said) -> float | dict[str, float]:
    """An answer for who asked: a number, or one by class or by quantile."""
    if not isinstance(said, list):
        return said
    names = loaded.model.classes or [f"{level:g}" for level in loaded.model.levels]
    return dict(zip(map(str, names), said, strict=True))
