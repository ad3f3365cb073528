"""Delta tables as deliveries: the data files of the newest version, each with its partition's values."""

import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import DeltaTable, write_deltalake

from core.errors import DeliveryError
from core.secrets import Secrets
from core.sources import delta, objects
from core.sources.declared import DeltaSource
from core.sources.items import Fetched, Item

NEVER = datetime(2013, 3, 10, 5, 30, tzinfo=UTC)


def items(path: str | Path) -> list[Item]:
    return delta.items(Path("/no/folder"), DeltaSource(kind="delta", path=str(path)), [], {}, Secrets())


def fetch(path: str | Path, item: Item, staging: Path, *columns: str) -> Fetched:
    source, kinds = DeltaSource(kind="delta", path=str(path)), dict.fromkeys(columns, "string")
    return delta.fetch(Path("/no/folder"), source, item, kinds, [], staging, Secrets())  # type: ignore[arg-type]


def rows(path: str | Path, staging: Path, *columns: str) -> list[tuple[Any, ...]]:
    """What all files hold, sorted by the first of the columns."""
    found = [pl.read_parquet(fetch(path, item, staging, *columns).path, glob=False) for item in items(path)]
    for frame in found:
        assert frame["row"].to_list() == list(range(frame.height))
        assert frame[":fields"].null_count() == frame.height
    return pl.concat(found).select(columns).sort(columns[0]).rows()


def append(path: str | Path, frame: pl.DataFrame, **options: Any) -> None:
    if objects.is_url(str(path)):
        options["storage_options"] = objects.storage_options() | {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    write_deltalake(str(path), frame.to_arrow(), mode="append", **options)


def test_each_file_of_the_newest_version_is_an_item(tmp_path: Path) -> None:
    table = tmp_path / "table"
    append(table, pl.DataFrame({"n": [1, 2]}))
    (first,) = items(table)
    assert (table / first.name).is_file()
    assert first.size == (table / first.name).stat().st_size
    append(table, pl.DataFrame({"n": [3]}))
    assert first in items(table)
    assert len(items(table)) == 2
    fetched = fetch(table, first, tmp_path / "staging", "n")
    assert (fetched.mark, fetched.rows) == (first.mark, 2)
    assert rows(table, tmp_path / "staging", "n") == [(1,), (2,), (3,)]
    relative = DeltaSource(kind="delta", path="table")
    assert delta.items(tmp_path, relative, [], {}, Secrets()) == items(table)


def test_a_table_may_lie_in_a_folder_with_spaces(tmp_path: Path) -> None:
    table = tmp_path / "a b é"
    append(table, pl.DataFrame({"n": [1], "p": ["%"]}), partition_by=["p"])
    assert rows(table, tmp_path / "staging", "n", "p") == [(1, "%")]


def test_what_is_rewritten_or_deleted_is_other_items(tmp_path: Path) -> None:
    table = tmp_path / "table"
    for number in range(3):
        append(table, pl.DataFrame({"n": [number, number + 10]}))
    before = items(table)
    DeltaTable(table).delete("n = 1")
    kept = [item for item in items(table) if item in before]
    assert len(kept) == 2
    assert rows(table, tmp_path / "staging", "n") == [(0,), (2,), (10,), (11,), (12,)]
    DeltaTable(table).optimize.compact()
    assert len(items(table)) == 1
    assert rows(table, tmp_path / "staging", "n") == [(0,), (2,), (10,), (11,), (12,)]
    DeltaTable(table).delete()
    assert items(table) == []


def test_what_is_rewritten_after_it_was_listed_is_read_as_it_was(tmp_path: Path) -> None:
    table, staging = tmp_path / "table", tmp_path / "staging"
    for number in range(2):
        append(table, pl.DataFrame({"n": [number], "p": ["a b"]}), partition_by=["p"])
    listed = items(table)
    DeltaTable(table).optimize.compact()
    append(table, pl.DataFrame({"n": [2], "p": ["c"]}))
    found = [pl.read_parquet(fetch(table, item, staging, "n", "p").path) for item in listed]
    assert pl.concat(found).select("n", "p").sort("n").rows() == [(0, "a b"), (1, "a b")]
    (table / listed[0].name).unlink()  # as by a vacuum
    with pytest.raises(DeliveryError, match="is missing"):
        fetch(table, listed[0], staging, "n", "p")
    with pytest.raises(DeliveryError, match="the file x is no part of the table any more"):
        fetch(table, Item("x", None), staging, "n")


PARTITIONS = {
    "text": ["a b", "é/%25", "x:y=z", None, "__HIVE"],
    "day": [date(2013, 1, 1), date(2013, 1, 2), None, None, date(1, 1, 1)],
    "at": [NEVER, None, NEVER, None, NEVER],
    "whole": [2**62, None, -1, 0, 1],
    "yes": [True, False, None, None, True],
    "share": [0.1, None, 1e30, -0.0, 2.0],
    "price": [Decimal("1.10"), None, Decimal("0.00"), None, Decimal("-1.00")],
}


def test_partitions_have_their_values_in_the_types_of_the_table(tmp_path: Path) -> None:
    table = tmp_path / "table"
    frame = pl.DataFrame({"n": [0, 1, 2, 3, 4], **PARTITIONS}).with_columns(
        pl.col("price").cast(pl.Decimal(10, 2))
    )
    append(table, frame, partition_by=list(PARTITIONS))
    assert len(items(table)) == 5
    assert rows(table, tmp_path / "staging", *frame.columns) == frame.rows()
    assert len(rows(table, tmp_path / "staging", "whole", "text")) == 5  # no column of the files themselves


def test_files_that_differ_in_their_partition_alone_are_other_content(tmp_path: Path) -> None:
    table = tmp_path / "table"
    append(table, pl.DataFrame({"n": [1, 1], "p": ["x", "y"]}), partition_by=["p"])
    one, two = items(table)
    (table / two.name).write_bytes((table / one.name).read_bytes())
    first, second = (fetch(table, item, tmp_path / "staging", "n", "p") for item in (one, two))
    assert first.digest != second.digest
    assert first.path != second.path


def test_a_file_from_before_a_column_was_added_has_nulls_there(tmp_path: Path) -> None:
    table = tmp_path / "table"
    append(table, pl.DataFrame({"n": [1]}))
    append(table, pl.DataFrame({"n": [2], "at": [NEVER], "text": ["x"]}), schema_mode="merge")
    assert rows(table, tmp_path / "staging", "n", "text", "at") == [(1, None, None), (2, "x", NEVER)]
    with pytest.raises(DeliveryError, match="has no column 'tex'; did you mean 'text'"):
        rows(table, tmp_path / "staging", "n", "tex")


def test_where_there_is_no_table_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("nothing", "folder", "file"):
        with pytest.raises(DeliveryError, match=f"{name}: "):
            items(tmp_path / name)
    with pytest.raises(DeliveryError, match="only local paths and s3:// URLs"):
        items("gs://bucket/table")
    with pytest.raises(DeliveryError, match="bears credentials"):
        items("s3://key:secret@bucket/table")


def test_a_file_that_is_gone_or_damaged_is_named(tmp_path: Path) -> None:
    table = tmp_path / "table"
    append(table, pl.DataFrame({"n": [1]}))
    (item,) = items(table)
    path = table / item.name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DeliveryError, match=f"{item.name}: .*truncated or damaged"):
        fetch(table, item, tmp_path / "staging", "n")
    path.unlink()
    with pytest.raises(DeliveryError, match=f"{item.name} is missing"):
        fetch(table, item, tmp_path / "staging", "n")
    assert not (tmp_path / "staging").exists() or not list((tmp_path / "staging").iterdir())


# -- tables that other writers make


def handmade(
    folder: Path, features: list[str], configuration: dict[str, str] | None = None, **added: Any
) -> Path:
    """A table of the rows 1, 2, 3 in the column n, as its log says."""
    (folder / "_delta_log").mkdir(parents=True)
    pa.parquet.write_table(pa.table({"n": pa.array([1, 2, 3], pa.int32())}), folder / "a.parquet")
    field = {"name": "n", "type": "long", "nullable": True, "metadata": {}}
    if configuration and "delta.columnMapping.mode" in configuration:
        field["metadata"] = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1"}
    protocol: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 2}
    if features:
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
        protocol |= {"readerFeatures": features, "writerFeatures": features}
    metadata = {
        "id": "x",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": [field]}),
        "partitionColumns": [],
        "configuration": configuration or {},
        "createdTime": 1,
    }
    add = {"path": "a.parquet", "partitionValues": {}, "size": 9, "modificationTime": 1, "dataChange": True}
    log = [{"protocol": protocol}, {"metaData": metadata}, {"add": add | added}]
    (folder / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, log)))
    return folder


def test_a_table_that_one_file_does_not_tell_is_refused(tmp_path: Path) -> None:
    vector = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40}
    vector["cardinality"] = 1
    with pytest.raises(DeliveryError, match="the table uses deletionVectors, which is not read here"):
        items(handmade(tmp_path / "deleted", ["deletionVectors"], deletionVector=vector))
    mapping = {"delta.columnMapping.mode": "name"}
    with pytest.raises(DeliveryError, match="the table uses columnMapping, which is not read here"):
        items(handmade(tmp_path / "mapped", ["columnMapping"], mapping))
    with pytest.raises(DeliveryError, match=r"unknown: .*magic"):
        items(handmade(tmp_path / "unknown", ["magic"]))
    with pytest.raises(DeliveryError, match="of another table"):
        items(handmade(tmp_path / "cloned", [], path="s3://elsewhere/a.parquet"))


def test_a_table_that_may_delete_or_widen_but_has_not_lost_rows_is_read(tmp_path: Path) -> None:
    for features in (["deletionVectors", "timestampNtz"], ["typeWidening"]):
        table = handmade(tmp_path / features[0], features)
        (item,) = items(table)
        staged = pl.read_parquet(fetch(table, item, tmp_path / "staging", "n").path)
        assert staged["n"].to_list() == [1, 2, 3]
        assert staged.schema["n"] == pl.Int64


# -- in a bucket


def test_a_table_in_a_bucket_is_read(bucket: Any, tmp_path: Path) -> None:
    table = f"s3://{bucket.name}/lake/trips é"
    frame = pl.DataFrame({"n": [1, 2], "p": ["a b", None]})
    append(table, frame, partition_by=["p"])
    append(table, frame.with_columns(pl.col("n") + 2))
    assert rows(table, tmp_path / "staging", "n", "p") == [(1, "a b"), (2, None), (3, "a b"), (4, None)]
    assert not [path for path in (tmp_path / "staging").iterdir() if path.name.startswith(".")]
    with pytest.raises(DeliveryError, match="lake/none: there is no Delta table"):
        items(f"s3://{bucket.name}/lake/none")


def test_a_server_that_is_not_there_fails_in_seconds(aws: pytest.MonkeyPatch, closed_port: str) -> None:
    aws.setenv("AWS_ENDPOINT_URL", f"http://planted:word@{closed_port}")
    started = time.perf_counter()
    with pytest.raises(DeliveryError, match=r"s3://bucket/table: .*refused") as error:
        items("s3://bucket/table")
    assert time.perf_counter() - started < 15
    assert "planted" not in str(error.value)
    assert "\x1b" not in str(error.value)
