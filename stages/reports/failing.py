"""What failed in the batches of a dataset: by expectation and column, with values and whole rows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import polars as pl

from reports.data.dataset import Example, Failing, SetAside
from stages.workspace import Workspace

Record = Mapping[str, Any]
Key = tuple[str, str]

# The word under which every row of a batch is set aside that stopped by its share of bad rows.
STOP = "batch"
_WORDS = {
    "delivered_once": "rows that were delivered before: the value is the number of the row they repeat",
    "readable": "rows that could not be read",
    "fields": "records that could not be split into their columns",
    "event_time_in_batch": "instants that lie outside the batch",
}
_SEVERITIES = ("critical", "warning", "info")
_EXAMPLES = 5
_SAMPLE, _EACH, _BATCHES = 20, 3, 5
_VALUE, _RECORD = 200, 4_000
_CUT = "\N{HORIZONTAL ELLIPSIS}"


def failing(workspace: Workspace, dataset: str, ingested: Mapping[str, Record]) -> list[Failing]:
    """Each expectation and column that failed in a batch of `ingested` (results, in order of time).

    From the verdicts that were kept, and the reasons on record, with examples from the newest batch
    of each.
    """
    found: dict[Key, Failing] = {}
    for batch, record in ingested.items():
        for key, failed in _failed(workspace, dataset, batch, record).items():
            known = found.setdefault(key, failed)
            graver = min(known["severity"], failed["severity"], key=_SEVERITIES.index)
            batches = {**known["batches"], **failed["batches"]}
            examples = failed["examples"] or known["examples"]
            found[key] = {**failed, "severity": graver, "batches": batches, "examples": examples}
    # What stops a batch is no fault of each row that is set aside for it.
    rows = {key: failed for key, failed in found.items() if failed["severity"] == "warning"}
    newest = {key: list(failed["batches"])[-1] for key, failed in rows.items()}
    values = _values(workspace, dataset, newest)
    return [{**failed, "examples": values.get(key, failed["examples"])} for key, failed in found.items()]


def set_aside(workspace: Workspace, dataset: str, ingested: Mapping[str, Record]) -> list[SetAside]:
    """Some of the newest quarantined rows, at most a few of the same batch and first reason."""
    newest = [batch for batch, record in ingested.items() if record["quarantined"]][: -_BATCHES - 1 : -1]
    if not newest:
        return []
    rows = workspace.lake.scan(f"quarantine/{dataset}", newest)
    schema = rows.collect_schema()
    origin = [
        pl.col(name) if name in schema else pl.lit(None).alias(name) for name in ("delivery", "position")
    ]
    first = pl.col("reasons").list.first()
    alike = ["batch", first.struct.field("expectation"), first.struct.field("column")]
    sample = (
        rows.with_columns(place=_place(newest))
        .sort("place", "row")
        .filter(pl.int_range(pl.len()).over(alike) < _EACH)
        .select("batch", "row", *origin, "reasons", _cut(pl.col("record"), _RECORD))
        .head(_SAMPLE)
        .collect()
    )
    return [cast(SetAside, {**row, "reasons": _reasons(row["reasons"])}) for row in sample.to_dicts()]


def _failed(workspace: Workspace, dataset: str, batch: str, record: Record) -> dict[Key, Failing]:
    """What failed in one batch: by its verdict, and by the reasons of its quarantined rows."""
    path = workspace.settings.home / "verdicts" / workspace.project.name / dataset / f"{batch}.json"
    found = _judged(path, batch)
    for reason, rows in record["reasons"].items():
        column, _, expectation = reason.rpartition(": ")
        if (expectation, column) not in found:
            found[expectation, column] = Failing(
                expectation=expectation,
                column=column,
                severity="critical" if expectation == STOP else "warning",
                batches={batch: rows},
                detail=_said(expectation, record),
                examples=[],
            )
    return found


def _said(expectation: str, record: Record) -> str:
    """What is meant by a reason that is none of a suite."""
    if expectation == STOP:
        return record["stopped"] or ""
    return _WORDS.get(expectation, f"delivered values that are no {expectation.removeprefix('is_')}")


def _judged(path: Path, batch: str) -> dict[Key, Failing]:
    """The failures of a verdict; none where it was not kept. Of several alike the gravest gives the words."""
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    examples = _unexpected(document, batch)
    found: dict[Key, Failing] = {}
    for failure in sorted(
        document["failures"], key=lambda each: _SEVERITIES.index(each["severity"]), reverse=True
    ):
        key = failure["expectation"], failure["column"]
        before = found[key]["batches"][batch] if key in found else 0
        found[key] = Failing(
            expectation=failure["expectation"],
            column=failure["column"],
            severity=failure["severity"],
            batches={batch: before + failure["count"]},
            detail=_shorter(failure["detail"], 3 * _VALUE),
            examples=examples.get(key, []),
        )
    return found


def _unexpected(document: Record, batch: str) -> dict[Key, list[Example]]:
    """Values that the results name, by expectation and column; of which row they are is not known."""
    found: dict[Key, list[Example]] = {}
    for result in document["results"]:
        values = (result.get("result") or {}).get("partial_unexpected_list")
        if not values or result["holds"]:
            continue
        kwargs = result["kwargs"]
        pair = [kwargs[name] for name in ("column_A", "column_B") if name in kwargs]
        columns = kwargs.get("column_list") or pair or [kwargs.get("column", "")]
        texts = dict.fromkeys(None if value is None else _shorter(_text(value), _VALUE) for value in values)
        examples = [Example(value=text, batch=batch, row=None) for text in list(texts)[:_EXAMPLES]]
        found[result["type"], ", ".join(columns)] = examples
    return found


def _text(value: Any) -> str:
    """A value, or those of several columns, as text."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _values(workspace: Workspace, dataset: str, newest: Mapping[Key, str]) -> dict[Key, list[Example]]:
    """Different values that rows were set aside for, from the newest batch of each expectation and column."""
    batches = sorted(set(newest.values()))
    if not batches or not workspace.lake.exists(f"quarantine/{dataset}"):
        return {}
    wanted = pl.LazyFrame(
        [(expectation, column, batch) for (expectation, column), batch in newest.items()],
        schema={"expectation": pl.String, "column": pl.String, "batch": pl.String},
        orient="row",
    )
    rows = (
        workspace.lake.scan(f"quarantine/{dataset}", batches)
        .select("batch", "row", "reasons")
        .explode("reasons")
        .unnest("reasons")
        .join(wanted, on=["expectation", "column", "batch"], how="semi")
        .with_columns(_cut(pl.col("value"), _VALUE))
        .group_by("expectation", "column", "value")
        .agg(pl.col("batch", "row").sort_by("row").first())
        .sort("row")
        .group_by("expectation", "column")
        .agg(pl.struct("value", "batch", "row").head(_EXAMPLES).alias("examples"))
        .collect()
    )
    return {(expectation, column): examples for expectation, column, examples in rows.rows()}


def _place(newest: Sequence[str]) -> pl.Expr:
    places = {batch: place for place, batch in enumerate(newest)}
    return pl.col("batch").replace_strict(places, default=None, return_dtype=pl.Int64)


def _cut(text: pl.Expr, length: int) -> pl.Expr:
    return pl.when(text.str.len_chars() > length).then(text.str.slice(0, length) + _CUT).otherwise(text)


def _shorter(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + _CUT


def _reasons(reasons: Sequence[Record]) -> list[Any]:
    return [{**reason, "value": reason["value"] and _shorter(reason["value"], _VALUE)} for reason in reasons]
