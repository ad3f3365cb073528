"""Parquet files as staged tables: the declared columns, in dtypes that Polars reads."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from core.errors import DeliveryError
from core.sources.delimited import FIELDS, require

_ROWS = 1 << 17  # of a row group: what is read at the least to find the rows of one batch
_BUFFER = 1 << 20  # bytes of a column that are read at a time, however large its row group is

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_DAMAGES = (pa.ArrowException, OSError, UnicodeError)


def copy(
    path: Path,
    target: Path,
    columns: Sequence[str],
    named: object,
    types: Mapping[str, pa.DataType] | None = None,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Write the rows of a Parquet file to another, in a stream and in their order.

    Its columns are `row` (UInt32, counted from 0), `columns` and `:fields` (String, null). Categories
    become their values, instants with a zone UTC, UUIDs text; bytes in a text that are not UTF-8 become
    replacement characters. A column of `types` becomes of that type; where the file lacks it, it holds
    its value in `given` in every row, by default null.

    Raises DeliveryError when the file is damaged, or lacks a column or has it twice; it calls the
    file `named`.
    """
    types, given = types or {}, given or {}
    held, there = _opened(path, named)
    with held:
        delivered = [name for name in there.names if name not in given]
        require(named, columns, [*delivered, *(types.keys() - set(delivered))])
        own = [name for name in columns if name in delivered]
        kinds = {name: types.get(name) or _plain(there.field(name).type) for name in columns}
        schema = pa.schema([("row", pa.uint32()), *kinds.items(), (FIELDS, pa.string())])
        count = 0
        with pa.parquet.ParquetWriter(target, schema, compression="lz4") as writer:
            for rows, arrays in _read(held, own, kinds, named):
                for name in set(columns) - set(own):
                    arrays[name] = pa.repeat(pa.scalar(given.get(name), kinds[name]), rows)
                arrays["row"] = pa.array(range(count, count + rows), pa.uint32())
                arrays[FIELDS] = pa.nulls(rows, pa.string())
                writer.write_table(pa.table(arrays).select(schema.names).cast(schema))
                count += rows


def names(path: Path, named: object) -> list[str]:
    """The columns of a Parquet file; DeliveryError when it is damaged."""
    held, there = _opened(path, named)
    with held:
        return list(there.names)


def count(path: Path) -> int:
    """How many rows a Parquet file holds."""
    return int(pa.parquet.read_metadata(path).num_rows)


def _opened(path: Path, named: object) -> tuple[Any, Any]:
    """The file and its Arrow schema."""
    try:
        held = pa.parquet.ParquetFile(
            path,
            buffer_size=_BUFFER,
            # In nanoseconds, what Spark writes for years before 1677 or after 2262 would be other years.
            coerce_int96_timestamp_unit="us",
            page_checksum_verification=True,
        )
        return held, held.schema_arrow
    except _DAMAGES as error:
        raise _damaged(named, error) from error


def _read(
    held: Any, own: Sequence[str], kinds: Mapping[str, pa.DataType], named: object
) -> Iterator[tuple[int, dict[str, pa.Array]]]:
    """How many rows come next, and what they hold."""
    try:
        for batch in held.iter_batches(_ROWS, columns=list(own)):
            yield batch.num_rows, {name: _as(batch.column(name), kinds[name]) for name in own}
    except _DAMAGES as error:
        raise _damaged(named, error) from error


def _damaged(named: object, error: Exception) -> DeliveryError:
    why = (str(error).splitlines() or [type(error).__name__])[0]
    return DeliveryError(f"{named}: is no Parquet file that can be read, it is truncated or damaged: {why}")


def _as(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ExtensionArray):
        if pa.types.is_string(kind):
            return pa.array([None if value is None else str(value) for value in values.to_pylist()], kind)
        values = values.storage
    if values.type != kind:
        values = values.cast(kind, safe=not pa.types.is_temporal(kind))
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        if not pa.types.is_string(kind) and not pa.types.is_large_string(kind):
            raise
        held = values.cast(pa.large_binary()).to_pylist()
        return pa.array([None if text is None else text.decode("utf-8", "replace") for text in held], kind)
    return values


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type in which the values are staged: Polars would panic at some of the others."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if pa.types.is_timestamp(kind) and kind.tz:
        return pa.timestamp(kind.unit, "UTC")
    if isinstance(kind, pa.UuidType) or pa.types.is_decimal256(kind):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type)
    if any(is_list(kind) for is_list in _LISTS):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return pa.date32() if pa.types.is_date64(kind) else kind
