"""Reading the rows of a batch out of what was delivered, typed, with every row accounted for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from core.batches import Batch
from core.contents import ROW_HASH, content, row_hash
from core.errors import DeliveryError, IntegrityError
from core.prepare import Tables, prepare
from core.projects import Project
from core.sources.counted import instant
from core.sources.delimited import FIELDS
from core.sources.manifest import Part
from core.sources.place import places_path, rows_of
from core.spec import Dataset
from core.types import FAILING, as_text, read_as, type_failures

MALFORMED = "fields"  # the reason of a record that could not be split into its columns
_POSITION, _DELIVERY, _PLACE = ":position", ":delivery", ":place"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The rows that were delivered for one batch, in the order of their deliveries.

    `delivered` holds them as they came: numbers, booleans and texts. `rows` are typed and prepared.
    `failing` are the values that are not what the spec says (row, expectation, column, value).
    `origin` says for each row in which `delivery` it came, at which `position`, and its `row_hash`.
    `row` (UInt32, from 0) joins the four.
    """

    delivered: pl.DataFrame
    rows: pl.DataFrame
    failing: pl.DataFrame
    origin: pl.DataFrame


def read(
    project: Project,
    dataset: str,
    batch: Batch | None,
    parts: Sequence[Part],
    tables: Tables,
    staging: Path,
) -> Delivery:
    """Read the rows of a batch from its staged parts; `tables` is what `prepare` may look up.

    Raises DeliveryError when staged rows cannot be read, IntegrityError when they are not those that
    were placed, and SpecError when `prepare` does not do what it should.
    """
    rules = project.spec.datasets[dataset]
    position = project.spec.batches.calendar().batches().index(batch) if batch and rules.event_time else 0
    try:
        frames = [_rows(part, rules, position, staging) for part in parts]
    except (pl.exceptions.PolarsError, OSError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        said = f"dataset {dataset!r}, batch {batch}: {staging} cannot be read: {why}"
        raise DeliveryError(said) from error
    raw = _joined(frames or [_nothing(rules)])
    return judged(project, dataset, batch, raw, tables)


def judged(
    project: Project, dataset: str, batch: Batch | None, raw: pl.DataFrame, tables: Tables
) -> Delivery:
    """Type and prepare rows as they were delivered, and say which values are not what the spec says.

    `raw` holds `row`, the declared columns, `row_hash`, `:fields`, `:delivery`, `:position` and `:place`,
    which counts the rows of all deliveries.
    """
    rules, made = project.spec.datasets[dataset], project.spec.counted(dataset)
    times = [instant(project.spec.batches, pl.col(_PLACE)).alias(made)] if made else []
    typed = raw.select("row", *_read_as(rules, raw.schema), ROW_HASH, *times)
    rows = prepare(project, dataset, typed, tables)
    failing = [type_failures(raw, typed, rules.columns)]
    if batch is not None and rules.event_time is not None:
        every = project.spec.batches.calendar().batches()
        # What happened before the first batch is no event, but may well be known of something else.
        earlier = dataset != project.spec.events and batch == every[0]
        failing.append(_outside(rows, rules.event_time, batch, earlier))
    # In a record of a wrong length the values stand under the wrong names: that they fail says nothing.
    ragged = _ragged(raw)
    failing = [ragged, *(found.join(ragged, on="row", how="anti") for found in failing)]
    origin = raw.select("row", ROW_HASH, delivery=_DELIVERY, position=_POSITION)
    return Delivery(_as_delivered(raw, rules), rows, pl.concat(failing), origin)


def _rows(part: Part, rules: Dataset, position: int, staging: Path) -> pl.DataFrame:
    """The rows of a part as they were delivered, with their `:position` in the delivery."""
    path = staging / part.staged
    if not path.is_file():
        raise DeliveryError(
            f"{part.name}: its rows are no longer in {staging}, nor can they be read from its source: "
            "deliver it again"
        )
    scanned = pl.scan_parquet(path, glob=False).filter(pl.col("row").is_between(part.first, part.last))
    # A delivery without rows, too, is of its batch.
    if part.content.rows not in (0, part.last - part.first + 1):
        places = rows_of(places_path(staging, part.digest, part.placed_by), position, part)
        scanned = scanned.join(places, on="row", how="semi")
    rows = scanned.collect(engine="streaming").sort("row").rename({"row": _POSITION})
    rows = rows.with_columns(row_hash(rules.columns, rows.schema))
    found = content(rows.lazy())
    if found != part.content:
        raise IntegrityError(
            f"{path}: holds {found} of batch {part.batch} of {part.name}, where {part.content} was placed: "
            "delete it, and it is staged anew"
        )
    place = (pl.col(_POSITION).cast(pl.Int64) + part.after).alias(_PLACE)
    return rows.with_columns(pl.lit(part.name).alias(_DELIVERY), place)


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all parts one after the other; a column that came in several dtypes as text."""
    schemas = [frame.schema for frame in frames]
    mixed = [name for name in schemas[0] if len({schema[name] for schema in schemas}) > 1]
    alike = [
        frame.with_columns(as_text(name, schema[name]) for name in mixed)
        for frame, schema in zip(frames, schemas, strict=True)
    ]
    return pl.concat([frame.select(frames[0].columns) for frame in alike]).with_row_index("row")


def _nothing(rules: Dataset) -> pl.DataFrame:
    texts = [*rules.columns, FIELDS, _DELIVERY]
    whole = {ROW_HASH: pl.Int64, _PLACE: pl.Int64}
    return pl.DataFrame(schema={_POSITION: pl.UInt32, **dict.fromkeys(texts, pl.String), **whole})


def from_records(
    aside: pl.DataFrame, columns: Sequence[str], begun: Mapping[str, int] = MappingProxyType({})
) -> pl.DataFrame:
    """Rows of a quarantine as they were delivered, ready to be judged; their values are texts.

    `aside` holds `row`, `delivery`, `position`, `reasons`, `record` (the delivered row as JSON) and
    `row_hash`; `begun` says after how many others the rows of a delivery are counted.
    """
    found: dict[str, list[str | None]] = {column: [] for column in columns}
    for record in aside["record"]:
        # As the digits stand there: a float would round long numbers.
        values = json.loads(record, parse_int=str, parse_float=str)
        for column, texts in found.items():
            value = values.get(column)
            texts.append(str(value).lower() if isinstance(value, bool) else value)
    values_of = pl.DataFrame(found, schema=dict.fromkeys(columns, pl.String))
    named = {"delivery": _DELIVERY, "position": _POSITION}
    kept = aside.select("row", ROW_HASH, *named, _malformed().alias(FIELDS)).rename(named)
    after = pl.col(_DELIVERY).replace_strict(begun, default=0, return_dtype=pl.Int64)
    return kept.hstack(values_of).with_columns((pl.col(_POSITION) + after).alias(_PLACE))


def _malformed() -> pl.Expr:
    """What was wrong with a record that could not be split into its columns, out of its reasons."""
    said = pl.element().struct
    found = pl.col("reasons").list.eval(
        pl.when(said.field("expectation") == MALFORMED).then(said.field("value"))
    )
    return found.list.drop_nulls().list.first()


def _read_as(rules: Dataset, schema: pl.Schema) -> list[pl.Expr]:
    return [read_as(column, schema[column], kind) for column, kind in rules.columns.items()]


def _ragged(raw: pl.DataFrame) -> pl.DataFrame:
    columns = {"expectation": pl.lit(MALFORMED), "column": pl.lit(""), "value": pl.col(FIELDS)}
    return raw.filter(pl.col(FIELDS).is_not_null()).select("row", **columns).cast(FAILING)


def _outside(rows: pl.DataFrame, event_time: str, batch: Batch, earlier: bool) -> pl.DataFrame:
    time = pl.col(event_time)
    within = (time < batch.end) & (pl.lit(earlier) | (time >= batch.start))
    found = rows.filter(~within.fill_null(False))
    return found.select(
        "row",
        expectation=pl.lit("event_time_in_batch"),
        column=pl.lit(event_time),
        value=time.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ).cast(FAILING)


def _as_delivered(raw: pl.DataFrame, rules: Dataset) -> pl.DataFrame:
    """What JSON can hold as it is, all else as text."""
    schema = raw.schema
    dtypes = {column: schema[column] for column in rules.columns}
    as_it_is = {
        column for column, dtype in dtypes.items() if dtype.is_numeric() or dtype in (pl.Boolean, pl.String)
    }
    return raw.select(
        "row",
        *(column if column in as_it_is else as_text(column, dtypes[column]) for column in rules.columns),
    )
