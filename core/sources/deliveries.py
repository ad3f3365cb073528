"""What the manifest holds: deliveries, their parts, and the tables of both."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, MetaData, String, Table, Text

from core.contents import Content

METADATA = MetaData()
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("project", String(128), nullable=False),
    Column("dataset", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("mark", Text),
    Column("batch", String(64)),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger),
    Column("rows", BigInteger, nullable=False),
    Column("staged", Text, nullable=False),
    Column("read_by", String(64), nullable=False),
    Column("placed_by", String(64), nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    Column("present", Boolean, nullable=False),
    Index("deliveries_by_name", "project", "dataset", "present", "name"),
    Index("deliveries_by_digest", "project", "dataset", "present", "digest"),
)
PARTS = Table(
    "parts",
    METADATA,
    Column("project", String(128), primary_key=True),
    Column("dataset", String(128), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("placed_by", String(64), primary_key=True),
    Column("batch", String(64), primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Index("parts_by_batch", "project", "dataset", "batch"),
)
COUNTED = Table(
    "counted",
    METADATA,
    Column("project", String(128), primary_key=True),
    Column("dataset", String(128), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one delivery that belong to one batch: some of those from `first` to `last`.

    `staged` names the file of the staging folder that holds them. Where rows are counted, `after` so
    many others those of the delivery begin.
    """

    digest: str
    placed_by: str
    batch: str
    content: Content
    first: int
    last: int
    name: str = ""
    staged: str = ""
    after: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery as it was seen: under which name, how large (bytes), with what content.

    `batch` is the one that its source cut it for, if it did.
    `read_by` fingerprints the rules by which it was staged as `staged`.
    `placed_by` fingerprints the rules by which its rows were placed in batches. `present` is False
    once another delivery of the same name has replaced it, or it was withdrawn. `repeats` names the
    earlier delivery of the very same content, whose rows are not received twice.
    """

    name: str
    mark: str | None
    batch: str | None
    digest: str
    size: int | None
    rows: int
    staged: str
    read_by: str
    placed_by: str
    as_of: datetime
    present: bool = True
    repeats: str | None = None
