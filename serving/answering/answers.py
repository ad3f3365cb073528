"""Answers: the version on whose side of the release a row is answers it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import polars as pl

from core.errors import PerennialError
from features.online.rows import Final
from models.registry.releases import Part
from models.runtime.model import FEW
from serving.answering.featurise import Known
from serving.answering.loaded import InForce, Loaded, Said


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a row, by the version with a part; None where it failed, for the reason `error`.

    It has `waited` so many seconds for what other versions answered to others.
    """

    known: Known
    part: Part
    said: Said | None
    error: str | None = None
    waited: float = 0.0


NOT_FINITE = "NotFinite"
"""What is put on record of an answer that is no number, or beyond all numbers."""
Answers = tuple[list[Answered], list[Answered]]
"""The answers to some rows in their order, and what failed on the way to them."""


class VersionFailed(PerennialError):
    """A champion that could not answer, and what `failed` so, where that is not on record yet."""

    def __init__(self, champion: Part, failed: Sequence[Answered] = ()) -> None:
        super().__init__(f"{champion.version} could not answer")
        self.failed = failed


def answer(in_force: InForce, known: Sequence[Known]) -> Answers:
    """The answer to each row, by its side of the release.

    Where another version than the champion fails, the champion answers; VersionFailed where it fails, too.
    """
    found: dict[int, Answered] = {}
    failed: list[Answered] = []
    sides, seconds = _sides(in_force, known), list[float]()
    for part, places in sides:
        started = perf_counter()
        given = dict(zip(places, _answered(in_force, part, [known[place] for place in places]), strict=True))
        wrong = {place: each for place, each in given.items() if each.error is not None}
        if wrong and part != in_force.champion:
            failed += wrong.values()
            again = _answered(in_force, in_force.champion, [known[place] for place in wrong])
            given |= zip(wrong, again, strict=True)
            wrong = {place: given[place] for place in wrong if given[place].error is not None}
        if wrong:
            raise VersionFailed(in_force.champion, [*failed, *wrong.values()])
        found |= given
        seconds.append(perf_counter() - started)
    if len(sides) > 1:
        for (_, places), taken in zip(sides, seconds, strict=True):
            waited = sum(seconds) - taken
            found |= {place: replace(found[place], waited=waited) for place in places}
    return [found[place] for place in range(len(known))], failed


def _sides(in_force: InForce, known: Sequence[Known]) -> list[tuple[Part, Sequence[int]]]:
    """The places of the rows that each version answers."""
    if not in_force.is_shared:
        return [(in_force.champion, range(len(known)))]
    parts = [in_force.release.part_for(each.entity) for each in known]
    return [
        (part, [place for place, each in enumerate(parts) if each == part]) for part in dict.fromkeys(parts)
    ]


def shadowed(in_force: InForce, known: Sequence[Known]) -> list[Answered]:
    """What the shadows of a release say to rows that others have answered."""
    found = []
    for part in in_force.release.shadows:
        own = [each for each in known if part in in_force.release.shadows_for(each.entity)]
        found += _answered(in_force, part, own) if own else []
    return found


def _answered(in_force: InForce, part: Part, known: Sequence[Known]) -> list[Answered]:
    """What a version says to some rows, or why it failed: at all of them, or where it says no number."""
    try:
        said = predict(in_force.of(part), known)
    except Exception as error:  # whatever it is, it is one version's, and told as such
        return [Answered(each, part, None, why(error)) for each in known]
    return [
        Answered(each, part, one) if _is_finite(one) else Answered(each, part, None, NOT_FINITE)
        for each, one in zip(known, said, strict=True)
    ]


def _is_finite(said: Said) -> bool:
    """Whether an answer is a number, or numbers, that can be told."""
    return all(map(math.isfinite, said)) if isinstance(said, list) else math.isfinite(said)


def why(error: Exception) -> str:
    """What is put on record of a version's failure: what kind it is, for its words may hold what was sent."""
    return type(error).__name__


def predict(loaded: Loaded, known: Sequence[Known]) -> list[Said]:
    """What a version answers to each row."""
    features = [each.features for each in known]
    if len(features) <= FEW:  # of more it is quicker to make a frame
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
