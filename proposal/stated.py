"""The label of a table: as its values tell it, or as a person says it is."""

from dataclasses import replace

from core.errors import SpecError
from core.learning import ProblemKind
from core.scalars import Kind
from proposal.delivered import Delivered
from proposal.kinds import Reading
from proposal.label import Label, counted, told
from proposal.limits import MAX_CLASSES, MIN_LABELLED


def label_of(table: Delivered, column: str, reading: Reading, problem: ProblemKind | None) -> Label:
    """The label that a column makes; `problem` overrides what its values say.

    SpecError when there is nothing to be learnt from it, or when it contradicts the problem.
    """
    counts, labelled = counted(table, column, reading)
    if not labelled:
        raise SpecError(f"the label {column!r} is null in all of {table.count:,} rows: name another LABEL")
    if labelled < MIN_LABELLED:
        raise SpecError(
            f"{labelled:,} of {table.count:,} rows have a label: a fit, its validation and its"
            f" holdout take at least {MIN_LABELLED} together, and a gate that can tell skill from luck"
            " some thousands"
        )
    if reading.kind == "datetime":
        raise SpecError(f"the label {column!r} holds dates: a model predicts classes or numbers")
    found = told(column, reading, counts, labelled, table, is_amount=problem == "regression")
    return found if problem in (None, found.problem) else _overridden(found, problem, reading)


def _overridden(found: Label, problem: ProblemKind, reading: Reading) -> Label:
    """The label as the problem that a person says it is; SpecError where its values contradict that."""
    values = len(found.counts)
    is_number = reading.kind in ("integer", "float")
    why = f"PROBLEM={problem} is said; told from the data it would be {found.problem}"
    plain = Label(found.column, found.column, found.kind, problem, found.labelled, found.counts, why=why)
    if problem == "multiclass" and 2 <= values <= MAX_CLASSES and reading.kind != "float":
        kind: Kind = "integer" if reading.kind == "integer" else "string"
        return replace(plain, kind=kind, classes=tuple(sorted(found.counts)))
    if problem in ("regression", "ranking") and is_number:
        return replace(plain, kind=reading.kind)
    if problem == "ranking" and found.kind == "boolean":
        return plain
    held = f"{values} distinct values" if values else f"many values of the kind {reading.kind}"
    wants = {
        "binary": "two values",
        "multiclass": f"2 to {MAX_CLASSES} classes as texts or whole numbers",
        "regression": "numbers",
        "ranking": "grades as numbers, or true and false",
    }[problem]
    raise SpecError(f"PROBLEM={problem}, but the label {found.column!r} holds {held}: it takes {wants}")
