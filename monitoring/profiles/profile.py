"""A batch in a few sketches a feature, so that later questions need not read its rows again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from monitoring.profiles.frequencies import Frequencies
from monitoring.profiles.moments import Moments
from monitoring.profiles.quantiles import Quantiles
from monitoring.profiles.sketches import sealed, unsealed

Kind = Literal["number", "category", "text"]
SCHEMA = pl.Schema(
    {
        "feature": pl.String(),
        "kind": pl.String(),
        "rows": pl.Int64(),
        "nulls": pl.Int64(),
        "document": pl.String(),
        "sketch": pl.Binary(),
    }
)
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
TOP = 20


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows there are, and what they are besides their values.

    `missing` rows are null or NaN, an empty category or a text without words. `infinite` ones are not
    missing. `strange` ones, which are, hold what is no number; `absent` ones lie in a batch without
    the column. `blocks` says of how many days, or shorter stretches, they are.
    """

    rows: int = 0
    missing: int = 0
    infinite: int = 0
    strange: int = 0
    absent: int = 0
    blocks: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One feature of a batch, or of any number of them: `numbers` of one, or of the words of a text;
    `values` of a category, or the words of a text. Of texts, `rows` counts those that were read.
    """

    feature: str
    kind: Kind
    tally: Tally
    moments: Moments = field(default_factory=Moments)
    numbers: Quantiles | None = None
    values: Frequencies | None = None

    def row(self) -> dict[str, Any]:
        """Its row in a table of profiles (SCHEMA).

        `document` is JSON for a person. A number's: mean, std (population), min, max and quantiles,
        null where no value is known. A category's: distinct, and its TOP most frequent values with
        their counts (ties in order of the value). A text's: that of its words, and of how many
        there are of these. Infinite numbers count as nulls in it, and in `nulls`.
        """
        facts = {"tally": asdict(self.tally), "moments": asdict(self.moments)}
        told = _numbers(self.numbers, self.moments) if self.numbers is not None else {}
        return {
            "feature": self.feature,
            "kind": self.kind,
            "rows": self.tally.rows,
            "nulls": self.tally.missing + self.tally.infinite,
            "document": json.dumps(told | (_values(self.values) if self.values is not None else {})),
            "sketch": sealed(facts, self.numbers, self.values),
        }


Profiles = Mapping[str, Profile]


def to_table(profiles: Profiles) -> pl.DataFrame:
    """One row a feature, in the order of the profiles."""
    return pl.DataFrame([profile.row() for profile in profiles.values()], schema=SCHEMA)


def from_table(table: pl.DataFrame, where: str) -> dict[str, Profile]:
    """The profiles of a table with one row a feature; IntegrityError when a sketch is damaged."""
    found = (_read(row, where) for row in _rows(table))
    return {profile.feature: profile for profile in found}


def over(table: pl.DataFrame, where: str) -> dict[str, Profile]:
    """The profiles of all rows behind a table with one row a feature and batch, merged."""
    found: dict[str, list[Profile]] = {}
    for row in _rows(table):
        found.setdefault(row["feature"], []).append(_read(row, where))
    return {feature: merged(profiles) for feature, profiles in found.items()}


def merged(profiles: Sequence[Profile]) -> Profile:
    """The profile of all rows behind those of one feature, in order; ValueError when there is none."""
    if not profiles:
        raise ValueError("there is no profile to merge: name at least one batch")
    tally, moments = Tally(), Moments()
    for each in profiles:
        tally, moments = tally + each.tally, moments + each.moments
    numbers = [each.numbers for each in profiles if each.numbers is not None]
    values = [each.values for each in profiles if each.values is not None]
    newest = profiles[-1]
    return Profile(
        newest.feature,
        newest.kind,
        tally,
        moments,
        Quantiles.merged(numbers) if numbers else None,
        Frequencies.merged(values) if values else None,
    )


def _rows(table: pl.DataFrame) -> Sequence[dict[str, Any]]:
    return table.select("feature", "kind", "sketch").rows(named=True)


def _read(row: Mapping[str, Any], where: str) -> Profile:
    facts, numbers, values = unsealed(row["sketch"], f"{where}, feature {row['feature']!r}")
    tally, moments = Tally(**facts["tally"]), Moments(**facts["moments"])
    return Profile(row["feature"], row["kind"], tally, moments, numbers, values)


def _numbers(numbers: Quantiles, moments: Moments) -> dict[str, Any]:
    """What a person reads of numbers."""
    finite = numbers.finite
    ends = finite.values[[0, -1]].tolist() if finite.known else [None, None]
    shares = finite.at(QUANTILES).tolist() if finite.known else [None] * len(QUANTILES)
    mean, std = (each if np.isfinite(each) else None for each in (moments.mean, moments.std))
    return {
        "mean": mean if moments.count else None,
        "std": std if moments.count else None,
        "min": ends[0],
        "max": ends[1],
        "quantiles": dict(zip(map(str, QUANTILES), shares, strict=True)),
    }


def _values(values: Frequencies) -> dict[str, Any]:
    """What a person reads of categories."""
    top = list(values.counts().items())[:TOP]
    return {"distinct": values.distinct, "top": [{"value": value, "count": rows} for value, rows in top]}
