"""The label: which kind of problem its values make, how it is declared, and its base rate."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from core.errors import SpecError
from core.learning import ProblemKind
from core.scalars import Kind
from core.sources.delimited import FIELDS
from core.types import as_text, read_as
from proposal.delivered import Delivered
from proposal.kinds import Reading
from proposal.limits import CLASS_ROWS, CODES, MAX_CLASSES, UNIQUE

_ID = re.compile(r"(^|[^a-z])(id|uuid|number|no|nr)$")


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it is proposed.

    `column` is delivered as `kind`; where `positive` is given, `name` is prepared from it: whether the
    column has this value. `counts` are the rows by value, the commonest first (empty where there are
    many). `why` says how the problem was told, `doubt` what a person has to decide.
    """

    column: str
    name: str
    kind: Kind
    problem: ProblemKind
    labelled: int
    counts: Mapping[str, int]
    positive: str | None = None
    classes: tuple[str, ...] = ()
    why: str = ""
    doubt: str = ""

    def values(self) -> pl.Expr:
        """The label of typed rows."""
        column = pl.col(self.column)
        return column == self.positive if self.positive is not None else column

    @property
    def base_rate(self) -> float | None:
        """The share of positives of a binary problem."""
        if self.problem != "binary" or not self.labelled:
            return None
        if self.positive is not None:
            return self.counts.get(self.positive, 0) / self.labelled
        true = pl.Series("value", list(self.counts), pl.String).to_frame()
        said = true.select(read_as("value", pl.String(), "boolean"))["value"]
        rows = sum(rows for rows, is_true in zip(self.counts.values(), said, strict=True) if is_true)
        return rows / self.labelled


def counted(table: Delivered, column: str, reading: Reading) -> tuple[dict[str, int], int]:
    """The rows by value as text (empty where there are too many), and how many have one."""
    # In a record of a wrong length, what stands under the label may be of any column.
    sound = table.rows.filter(pl.col(FIELDS).is_null())
    rows = sound.select(as_text(column, table.rows.collect_schema()[column]).alias("value"))
    known = rows.filter(pl.col("value").is_not_null(), ~pl.col("value").is_in(list(reading.markers)))
    labelled = known.select(pl.len()).collect(engine="streaming").item()
    if table.sample[column].n_unique() > 2 * MAX_CLASSES:
        return {}, labelled
    counted = known.group_by("value").len().sort(["len", "value"], descending=[True, False])
    return dict(counted.collect(engine="streaming").iter_rows()), labelled


def told(
    column: str,
    reading: Reading,
    counts: Mapping[str, int],
    labelled: int,
    table: Delivered,
    is_amount: bool = False,
) -> Label:
    """The label that its values make; `is_amount` says that whole numbers name no rows.

    SpecError when they make none.
    """
    values = table.sample.select(read_as(column, table.sample.schema[column], reading.kind)).to_series()
    few = 0 < len(counts) <= 2
    if few and _reads(list(counts), "boolean"):
        return _binary(column, column, "boolean", labelled, counts)
    if few:
        return _of_two(column, reading, labelled, counts)
    if reading.kind in ("integer", "float"):
        if not is_amount:
            _refuse_ids(column, values)
        numbers = [int(float(text)) for text in counts if float(text).is_integer()] if counts else []
        codes = 2 < len(numbers) == len(counts) <= CODES and sorted(numbers) in (
            [*range(len(numbers))],
            [*range(1, len(numbers) + 1)],
        )
        if codes and reading.kind == "integer":
            classes = tuple(map(str, sorted(numbers)))
            why = (
                f"whole numbers {classes[0]} to {classes[-1]} look like codes of classes (PROBLEM=regression"
            )
            return Label(
                column,
                column,
                "integer",
                "multiclass",
                labelled,
                counts,
                classes=classes,
                why=f"{why} if they are amounts)",
            )
        return Label(column, column, reading.kind, "regression", labelled, counts, why="it holds numbers")
    return _of_classes(column, reading, labelled, counts, values)


def _binary(column: str, name: str, kind: Kind, labelled: int, counts: Mapping[str, int]) -> Label:
    values = " and ".join(map(repr, sorted(counts)))
    doubt = "" if len(counts) == 2 else _one_value(column, counts, labelled)
    return Label(column, name, kind, "binary", labelled, counts, why=f"it holds {values}", doubt=doubt)


def _of_two(column: str, reading: Reading, labelled: int, counts: Mapping[str, int]) -> Label:
    """Two values that are no booleans: the rarer one is what is looked for."""
    positive = min(counts, key=lambda value: (counts[value], value))
    name = f"{column} is {positive}"
    why = f"it holds {' and '.join(map(repr, sorted(counts)))}, and the rarer, {positive!r}, is looked for"
    doubt = "" if len(counts) == 2 else _one_value(column, counts, labelled)
    return Label(column, name, "string", "binary", labelled, counts, positive=positive, why=why, doubt=doubt)


def _one_value(column: str, counts: Mapping[str, int], labelled: int) -> str:
    (value,) = counts
    return (
        f"the label {column!r} is {value!r} in all of {labelled:,} rows: there is nothing to tell apart yet"
    )


def _of_classes(
    column: str, reading: Reading, labelled: int, counts: Mapping[str, int], values: pl.Series
) -> Label:
    if not counts or len(counts) > MAX_CLASSES:
        distinct = len(counts) or values.n_unique()
        each = (
            " nearly each row has its own, so it names the rows:" if distinct > UNIQUE * len(values) else ""
        )
        raise SpecError(
            f"the label {column!r} holds {distinct:,} distinct texts:{each} a label has up to {MAX_CLASSES}"
            " classes; put the rare ones together, or name another LABEL"
        )
    rare = [value for value, rows in counts.items() if rows < CLASS_ROWS]
    named = ", ".join(map(repr, rare[:5])) + (" and others" if rare[5:] else "")
    doubt = (
        f"of the classes {named} there are fewer than {CLASS_ROWS} rows: put them together" if rare else ""
    )
    why = f"it holds {len(counts)} texts"
    classes = tuple(sorted(counts))
    return Label(
        column, column, "string", "multiclass", labelled, counts, classes=classes, why=why, doubt=doubt
    )


def _refuse_ids(column: str, values: pl.Series) -> None:
    known = values.drop_nulls()
    rises = known.is_sorted() or known.is_sorted(descending=True)
    each_once = known.dtype.is_integer() and known.n_unique() == len(known) > CODES
    if each_once and (rises or _ID.search(column.lower())):
        raise SpecError(
            f"the label {column!r} is another whole number in each row: it names the rows; name"
            " another LABEL, or say PROBLEM=regression if it is an amount after all"
        )


def _reads(texts: Sequence[str], kind: Kind) -> bool:
    read = pl.DataFrame({"value": list(texts)}).select(read_as("value", pl.String(), kind))
    return read["value"].null_count() == 0
