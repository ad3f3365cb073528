"""A stream of Arrow batches, staged: written to Parquet as it comes, and hashed as it comes."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from core.ledger import fingerprint
from core.sources.delimited import FIELDS
from core.sources.items import Fetched
from core.sources.queries import ARROW_TYPES, Form

Read = Callable[[pa.RecordBatch], pa.RecordBatch]

_ROWS = 1 << 17  # of a row group
_FAR = 9_000_000_000_000  # seconds: some 285,000 years, which an Int64 of microseconds just holds


def stage(batches: Iterable[pa.RecordBatch], schema: pa.Schema, staging: Path) -> Fetched:
    """Write the rows, in their order, with `row` and `:fields`, under a name made from their content.

    `schema` holds the names and types of the batches' columns, which are flat. The file is there
    whole or not at all; equal rows of equal columns are one file. Raises what reading `batches` does.
    """
    staging.mkdir(parents=True, exist_ok=True)
    content, count = _Content(schema), 0
    written = pa.schema([("row", pa.uint32()), *schema, (FIELDS, pa.string())])
    with tempfile.TemporaryDirectory(dir=staging, prefix=".query-") as folder:
        draft = Path(folder) / "rows.parquet"
        with pyarrow.parquet.ParquetWriter(draft, written, compression="lz4") as writer:
            for rows in _groups(batches, schema):
                content.add(rows)
                numbers = np.arange(count, count + rows.num_rows, dtype=np.uint32)
                count += rows.num_rows
                blank = pa.nulls(rows.num_rows, pa.string())
                writer.write_table(pa.Table.from_arrays([numbers, *rows.columns, blank], schema=written))
        with draft.open("rb") as whole:
            os.fsync(whole.fileno())
        digest = content.digest()
        target = staging / f"{fingerprint(digest, schema.names)}.parquet"
        draft.replace(target)
    return Fetched(digest, target, count, None)


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= _ROWS:
            yield pa.Table.from_batches(held, schema)
            held = []
    yield pa.Table.from_batches(held, schema)


def typed(forms: Mapping[str, Form], times: Collection[str]) -> tuple[pa.Schema, Read]:
    """The schema of columns of these forms, and what makes it of the batches of a query.

    `times` are columns that, where they hold numbers, hold seconds since 1970.
    """
    numbers = [name in times and form in ("integer", "float") for name, form in forms.items()]
    kinds = [
        ARROW_TYPES["instant" if is_time else form]
        for is_time, form in zip(numbers, forms.values(), strict=True)
    ]
    schema = pa.schema(list(zip(forms, kinds, strict=True)))

    def read(batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [
            _instants(held) if is_time else held for held, is_time in zip(batch.columns, numbers, strict=True)
        ]
        return pa.record_batch(
            [held.cast(kind) for held, kind in zip(arrays, kinds, strict=True)], schema=schema
        )

    return schema, read


def _instants(seconds: pa.Array) -> pa.Array:
    """Seconds as instants; those that are beyond what can be held stay beyond the calendar."""
    near = pc.max_element_wise(pc.min_element_wise(seconds, _FAR, skip_nulls=False), -_FAR, skip_nulls=False)
    return pc.round(pc.multiply(near, 1_000_000)).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))


class _Content:
    """The SHA-256 of rows, however they are cut into batches, and whatever writes them."""

    def __init__(self, schema: pa.Schema) -> None:
        self._named = [(field.name, str(field.type)) for field in schema]
        self._hashes = [(hashlib.sha256(), hashlib.sha256()) for _ in schema]

    def add(self, rows: pa.Table) -> None:
        for column, (shapes, values) in zip(rows.columns, self._hashes, strict=True):
            for array in column.chunks:
                shapes.update(_shape(array))
                values.update(_values(array))

    def digest(self) -> str:
        return fingerprint(self._named, [[each.hexdigest() for each in pair] for pair in self._hashes])


def _shape(array: pa.Array) -> Any:
    """Where values are null, and how long texts are."""
    if pa.types.is_string(array.type):
        return pc.fill_null(pc.binary_length(array), -1).to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(array.is_valid().to_numpy(zero_copy_only=False))


def _values(array: pa.Array) -> Any:
    if pa.types.is_string(array.type):
        filled = pc.fill_null(array, "")
        ends = np.frombuffer(filled.buffers()[1], np.int32)[filled.offset : filled.offset + len(filled) + 1]
        return memoryview(filled.buffers()[2] or b"")[ends[0] : ends[-1]] if len(filled) else b""
    if pa.types.is_boolean(array.type):
        return np.ascontiguousarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False))
    width = np.dtype(f"i{array.type.bit_width // 8}")
    bits = array.view(pa.from_numpy_dtype(width)) if not pa.types.is_integer(array.type) else array
    return np.ascontiguousarray(pc.fill_null(bits, 0).to_numpy(zero_copy_only=False))
