"""The features that are proposed, and the columns that are left out, each with its reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from core.batches import Every
from proposal import limits
from proposal.columns import Facts, LeftOut, Proposed, as_feature, facts, feature_name
from proposal.keys import Key
from proposal.kinds import Reading
from proposal.label import Label
from proposal.leaks import Told, told

_WINDOWS: Mapping[Every, str] = {
    "1h": "1d",
    "1d": "14d",
    "1w": "60d",
    "1mo": "180d",
    "3mo": "365d",
    "6mo": "730d",
    "1y": "1095d",
}
SERIES = "series"
_WEIGHT = 20  # outcomes that the share of all counts for beside an entity's own


@dataclass(frozen=True, slots=True)
class Features:
    """What is proposed, what is left out, and what tells much and yet stays (name, strength).

    `many` are the columns that are left out because there are so many: they are not even declared.
    """

    proposed: tuple[Proposed, ...]
    left: tuple[LeftOut, ...]
    strong: tuple[tuple[str, float], ...]
    many: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of the table before its features: the typed `sample` in an order of time."""

    sample: pl.DataFrame
    readings: Mapping[str, Reading]
    label: Label
    key: Key
    time: str | None
    known_at: str | None
    aside: tuple[str, ...]
    every: Every


def features(looked: Looked) -> Features:
    """The features for a table. A suspected leak is left out, beside the feature that it would be."""
    names = [name for name in looked.readings if name not in looked.aside]
    held = {name: facts(looked.sample, name) for name in names}
    left = [LeftOut(name, why) for name, each in held.items() if (why := _useless(each, looked))]
    useful = [name for name in names if name not in {each.column for each in left}]
    strengths = told(looked.sample, useful, looked.label, looked.time)
    parts = list(_parts(looked))
    found: dict[str, Proposed] = {}
    recurring: list[str] = []
    for name in useful:
        free = _named(name, [*parts, *found.values()], looked)
        feature = as_feature(held[name], looked.readings[name], free, looked.time is None)
        if leak := strengths[name].leak:
            left.append(LeftOut(name, leak, feature if isinstance(feature, Proposed) else None))
        elif isinstance(feature, Proposed):
            found[name] = feature
        elif _recurs(held[name], looked):
            recurring.append(name)
            left.append(LeftOut(name, f"{feature}: only how such events went before is used"))
        else:
            left.append(LeftOut(name, feature))
    found, many = _strongest(found, strengths)
    made = [*parts, *found.values()]
    made += _past(looked, recurring, [each.name for each in made])
    strong = [(found[name].name, each.strength) for name, each in strengths.items() if name in found]
    much = tuple(each for each in strong if each[1] >= limits.TELLS_MUCH)
    return Features(tuple(made), (*left, *many), much, tuple(each.column for each in many))


def _useless(held: Facts, looked: Looked) -> str:
    """Why a column says nothing of how an event will go; nothing where it may."""
    if not held.known:
        return "is empty"
    if held.distinct == 1 and held.known == held.rows:
        return f"is {held.example[:30]!r} in every row"
    if held.name in looked.key.columns and not looked.key.entity:
        return "is the key, which names the event"
    if held.names_rows and not looked.readings[held.name].why:
        return f"is another in nearly each row, such as {held.example[:30]!r}: it names the event"
    return ""


def _named(column: str, found: Sequence[Proposed], looked: Looked) -> str:
    return feature_name(column, [*(each.name for each in found), *looked.key.columns])


def _recurs(held: Facts, looked: Looked) -> bool:
    """Whether a column names something that comes back, so that its past may be asked for."""
    return (
        looked.time is not None and held.each >= 2 and held.distinct > 20 and not held.words >= limits.WORDS
    )


def _strongest(
    found: Mapping[str, Proposed], strengths: Mapping[str, Told]
) -> tuple[dict[str, Proposed], list[LeftOut]]:
    """Not more features than can be borne: those columns that tell most by themselves."""
    if len(found) <= limits.MAX_FEATURES:
        return dict(found), []
    order = sorted(found, key=lambda name: -strengths[name].strength)
    kept = set(order[: limits.MAX_FEATURES])
    why = f"of {len(found):,} columns the {limits.MAX_FEATURES} that tell most by themselves are features"
    left = [
        LeftOut(name, f"{why}; this one tells {strengths[name].strength:.3f}")
        for name in found
        if name not in kept
    ]
    return {name: each for name, each in found.items() if name in kept}, left


def _parts(looked: Looked) -> Iterator[Proposed]:
    """Hour and weekday, where times have them; no month: a model has not seen the one it is asked about."""
    if looked.time is None:
        return
    times = looked.sample[looked.time].drop_nulls()
    days = times.dt.date().n_unique()
    common = {"from": "time", "column": looked.time}
    if times.dt.hour().n_unique() > 3 and days >= 7:
        yield Proposed("hour", {**common, "part": "hour", "timezone": "UTC"}, "of the event, in UTC")
    if times.dt.weekday().n_unique() > 1 and times.dt.day().n_unique() > 20 and days >= 28:
        yield Proposed("weekday", {**common, "part": "weekday", "timezone": "UTC"}, "1 is Monday")


def _past(looked: Looked, recurring: Sequence[str], taken: Sequence[str]) -> list[Proposed]:
    """How earlier events of the same entities went, as far as that was known by then."""
    if looked.time is None:
        return []
    entities = [looked.key.entity] if looked.key.entity else []
    entities += [(name,) for name in recurring if (name,) not in entities][: limits.ENTITIES]
    made: list[Proposed] = []
    for entity in entities:
        made += _of_entity(looked, entity, [*taken, *(each.name for each in made)])
    return made


def _of_entity(looked: Looked, entity: tuple[str, ...], taken: Sequence[str]) -> list[Proposed]:
    by, over, label = {"by": list(entity)}, _WINDOWS[looked.every], looked.label
    stem = "_".join(feature_name(name, ()) for name in entity)
    trailing = {"from": "trailing", **by}
    found = [
        Proposed(
            f"{stem}_events",
            {**trailing, "statistic": "count", "over": over},
            "with an outcome known by then",
        ),
        Proposed(f"{stem}_since", {**trailing, "statistic": "since_last", "over": over, "unit": "s"}),
    ]
    if label.problem == "binary":
        rate = {"from": "target_rate", **by, "over": over, "weight": _WEIGHT}
        found.append(Proposed(f"{stem}_rate", rate, "drawn towards that of all"))
    elif label.problem == "multiclass":
        found.append(Proposed(f"{stem}_last", {"from": "lag", **by, "value": label.name, "kind": "category"}))
    else:
        mean = {**trailing, "value": label.name, "statistic": "mean", "over": over}
        found.append(Proposed(f"{stem}_mean", mean))
        found.append(Proposed(f"{stem}_last", {"from": "lag", **by, "value": label.name}))
    return [replace(each, name=feature_name(each.name, taken)) for each in found]
