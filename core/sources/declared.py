"""Where a dataset is delivered, as a spec declares it."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.scalars import SHA256, Duration, Model, example
from core.secrets import holds_password

Nulls = tuple[str, ...]
FileFormat = Literal["parquet", "csv", "jsonl"]


def is_pickle(file: str) -> bool:
    """Whether a file, as its name tells, is a pickle, be it packed or not."""
    return not {".pkl", ".pickle"}.isdisjoint(PurePosixPath(file.lower()).suffixes)


class PackageSource(Model):
    """A data file inside an installed Python package (which is located, never imported)."""

    model_config = example(
        {
            "kind": "package",
            "package": "shop_data",
            "version": "1.2.0",
            "file": "data/orders.csv.xz",
            "terms": "CC BY 4.0",
        }
    )

    kind: Literal["package"]
    """Says that it is this kind of source."""
    package: str
    """The name of the package, as pip and Python have it."""
    file: str
    """The path of the file within the package. A pickled pandas frame (`.pkl`) is read only by its
    `sha256`."""
    version: str | None = None
    """The version that `make data` installs; no other is read."""
    sha256: Annotated[str, Field(pattern=SHA256)] | None = None
    """The SHA-256 of the file; one with another is not read."""
    terms: str = ""
    """On what terms the data may be used, for people."""
    nulls: Nulls = ("", "NA")
    """The texts that stand for a missing value in CSV and JSON Lines."""

    @model_validator(mode="after")
    def _trusted(self) -> Self:
        if is_pickle(self.file) and self.sha256 is None:
            raise ValueError(
                "is a pickle, which can run code: it is read only where `sha256` declares its hash"
            )
        return self

    @property
    def by_batch(self) -> bool:
        """Whether each batch is a delivery of its own."""
        return False

    @property
    def described(self) -> str:
        """Where it is, in words."""
        return f"the file {self.file} of the package {self.package}"


class FilesSource(Model):
    """Files: Parquet, CSV or JSON Lines, each also as gzip, xz or zip; local or `s3://`."""

    model_config = example({"kind": "files", "path": "s3://bucket/{batch}/*.parquet"})

    kind: Literal["files"]
    """Says that it is this kind of source."""
    path: str
    """One file, or many by `*`, `?` and `**`; a relative path is taken from the project's folder.
    `{batch}` stands for a batch's id, so that each batch is a delivery of its own; without it a row belongs
    to the batch of its event time."""
    format: FileFormat | None = None
    """The format, where the suffix does not tell it."""
    nulls: Nulls = ("", "NA")
    """The texts that stand for a missing value in CSV and JSON Lines."""

    @property
    def by_batch(self) -> bool:
        """Whether each batch is a delivery of its own."""
        return "{batch}" in self.path

    @property
    def described(self) -> str:
        """Where it is, in words; `{batch}` stands for the batch."""
        return f"the file {self.path}"


class SqlSource(Model):
    """A table of a database, by its SQLAlchemy URL.

    With `time`, each batch is asked for by that column. With `key`, what lies above the highest key seen
    is new. With neither, the whole table is read each time: fit for a small one.
    """

    model_config = example(
        {
            "kind": "sql",
            "url": "postgresql://reader:${PASSWORD}@db/shop",
            "table": "shop.orders",
            "time": "created_at",
            "lookback": "7d",
        }
    )

    kind: Literal["sql"]
    """Says that it is this kind of source."""
    url: str
    """The URL, with secrets as `${NAME}` or `${block:name}`. A secret is kept as it is,
    not percent-encoded, unless the URL begins with it."""
    table: str
    """The table, which may name its schema, too: `shop.orders`."""
    time: str | None = None
    """The column by which each batch is asked for."""
    key: str | None = None
    """A column that only ever rises."""
    lookback: Duration | None = None
    """How long after a batch's end its rows may still change; without it, each batch is asked for
    whenever it is ingested."""

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if holds_password(url):
            raise ValueError(
                "holds a password: a spec holds none; put it in the environment, or in a Prefect block, "
                "and write ${NAME} or ${block:name} in its place"
            )
        return url

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.time is not None and self.key is not None:
            raise ValueError("has both `time` and `key`: by which of them is it read on?")
        if self.lookback is not None and self.time is None:
            raise ValueError("`lookback` goes with `time`: what a rising key has passed is not read again")
        return self

    @property
    def by_batch(self) -> bool:
        """Whether each batch is a delivery of its own."""
        return self.time is not None

    @property
    def described(self) -> str:
        """Where it is, in words."""
        return f"the table {self.table}"


class DeltaSource(Model):
    """A Delta table."""

    model_config = example({"kind": "delta", "path": "s3://lake/orders"})

    kind: Literal["delta"]
    """Says that it is this kind of source."""
    path: str
    """A path (a relative one from the project's folder) or an `s3://` URL."""

    @property
    def by_batch(self) -> bool:
        """Whether each batch is a delivery of its own."""
        return False

    @property
    def described(self) -> str:
        """Where it is, in words."""
        return f"the Delta table {self.path}"


Source = Annotated[PackageSource | FilesSource | SqlSource | DeltaSource, Field(discriminator="kind")]
