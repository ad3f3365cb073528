"""What a column looks like in a sample, and the feature that it could be."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from core.framing import ANSWERS
from proposal import limits
from proposal.keys import RESERVED
from proposal.kinds import Reading

_ID = re.compile(r"(^|[^a-z])(id|uuid|guid|code|zip|postcode|number|no|nr|key|rowname)(s|_str)?$|Id$|ID$")
_TAKEN = (*RESERVED, *ANSWERS.values(), "margin", "batch", "row", "row_hash", "weight", "prediction", "group")


@dataclass(frozen=True, slots=True)
class Facts:
    """A column of the typed sample: how many values it has, how many distinct ones, how long they are.

    `words` is the mean number of words of a text. `rises`: the rows are counted up, or down, by it.
    """

    name: str
    dtype: pl.DataType
    rows: int
    known: int
    distinct: int
    words: float
    rises: bool
    example: str

    @property
    def each(self) -> float:
        """How many rows a value has on average."""
        return self.known / max(self.distinct, 1)

    @property
    def names_rows(self) -> bool:
        """Whether nearly each row has its own value, which so says who it is and not how."""
        unique = self.distinct > limits.UNIQUE * self.known and self.known > 20
        if self.dtype == pl.String:
            return unique and self.words < limits.WORDS
        return self.dtype.is_integer() and unique and (self.rises or is_id(self.name))


@dataclass(frozen=True, slots=True)
class Proposed:
    """A feature as it is proposed: its name, its declaration, and what speaks for it."""

    name: str
    declared: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that becomes no feature, and why; a suspected leak has the `feature` that it would be."""

    column: str
    why: str
    feature: Proposed | None = None


def facts(sample: pl.DataFrame, name: str) -> Facts:
    """The facts of a column."""
    column = sample[name]
    known = column.drop_nulls()
    words = 0.0
    if column.dtype == pl.String and len(known):
        words = float(known.head(2_000).str.strip_chars().str.count_matches(r"\S+").mean() or 0.0)  # type: ignore[arg-type]
    distinct = known.n_unique()
    rises = column.dtype.is_integer() and _rises(known)
    example = str(known[0]) if len(known) else ""
    return Facts(name, column.dtype, len(column), len(known), distinct, words, rises, example)


def _rises(known: pl.Series) -> bool:
    """Whether nearly each value is above that before it, or nearly each below, as with what is counted up."""
    steps = known.diff().drop_nulls()
    return max((steps > 0).sum(), (steps < 0).sum()) >= max(limits.COUNTED_UP * len(steps), 1)


def is_id(name: str) -> bool:
    """Whether a column is called as one that names something is.

    >>> [is_id(name) for name in ("customer_id", "hotelId", "id_str", "width", "paid")]
    [True, True, True, False, False]
    """
    return bool(_ID.search(name) or _ID.search(name.lower().replace(" ", "_")))


def as_feature(held: Facts, reading: Reading, name: str, counted: bool) -> Proposed | str:
    """The feature that a column of the event makes as it is; or why it makes none."""
    row = {"from": "row", "column": held.name}
    if isinstance(held.dtype, pl.Datetime):
        return _age(held, name, counted)
    if held.dtype == pl.Boolean:
        return Proposed(name, {**row, "kind": "number"}, "yes or no")
    if held.dtype.is_numeric():
        codes = held.dtype.is_integer() and is_id(held.name)
        if codes and held.distinct > limits.CATEGORY:
            return f"numbers that name something, {held.distinct:,} of them in {held.known:,} rows"
        kind = "category" if codes else "number"
        note = f"numbers that name one of {held.distinct:,}" if codes else ""
        return Proposed(name, {**row, "kind": kind}, note)
    if held.words >= limits.WORDS and held.distinct > 50:
        return Proposed(name, {**row, "kind": "text"}, f"free text, {held.words:.0f} words on average")
    if held.distinct <= limits.CATEGORY and held.each >= limits.REPEATS:
        return Proposed(name, {**row, "kind": "category"}, f"{held.distinct:,} values")
    return (
        reading.why
        or f"{held.distinct:,} distinct texts in {held.known:,} rows, such as {held.example[:30]!r}"
    )


def _age(held: Facts, name: str, counted: bool) -> Proposed | str:
    if counted:
        return "a date, and the events have no time to count its age from"
    column = '"' + held.name.replace('"', '""') + '"'
    # Polars divides many numbers by one with another last bit than one by one; a product is the same.
    text = f"(EXTRACT(epoch FROM decision_time) - EXTRACT(epoch FROM {column})) * (1.0 / 86400)"
    declared = {"from": "expression", "expression": text, "kind": "number", "unit": "days"}
    return Proposed(f"days_since_{name}", declared, "its age when the decision is made")


def feature_name(column: str, taken: Collection[str]) -> str:
    """A name that a feature may have, close to that of its column, and none that is `taken`.

    >>> feature_name("Größe (cm)", ()), feature_name("label", ()), feature_name("price", ("price",))
    ('Grosse_cm', 'label_value', 'price_2')
    """
    plain = unicodedata.normalize("NFKD", column.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_") or "column"
    name = f"c_{name}" if name[0].isdigit() else name
    name = f"{name}_value" if name.lower() in _TAKEN else name
    used = {each.lower() for each in taken}
    if name.lower() not in used:
        return name
    return next(
        f"{name}_{place}" for place in range(2, len(used) + 3) if f"{name.lower()}_{place}" not in used
    )
