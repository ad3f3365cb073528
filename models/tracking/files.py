"""What a run used and made: files, references to data, and the facts about them."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.plain import plain

KEPT = "artifacts"


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something of a kind such as `model` or `dataset`, by the names its parts are to have.

    `files` are copied, `texts` are written as they are, `references` are addresses whose data stays
    where it is.
    """

    name: str
    kind: str
    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def safe_name(self) -> str:
        """The name as W&B allows it.

        >>> Artifact("shop/3", "model").safe_name
        'shop-3'
        """
        return re.sub(r"[^\w.-]", "-", self.name, flags=re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table at one version: what of it a run read.

    `place` is a folder or URL, `columns` their dtypes by name, `rows` the count of those that were read.
    """

    name: str
    place: str
    version: int
    columns: Mapping[str, str]
    batches: Sequence[str]
    rows: int


def dataset(name: str, tables: Sequence[Table]) -> Artifact:
    """References to tables at their versions, with the facts of each in a file; none of their rows.

    >>> found = dataset("shop-data", [Table("features", "s3://lake/features", 7, {"wind": "f"}, ["1"], 9)])
    >>> found.references
    {'features': 'delta:s3://lake/features?version=7'}
    """
    return Artifact(
        name,
        "dataset",
        texts={f"{table.name}.json": json.dumps(plain(table), indent=2) for table in tables},
        references={table.name: f"delta:{table.place}?version={table.version}" for table in tables},
        # W&B allows few keys here; columns and batches are in the files.
        metadata={table.name: {"version": table.version, "rows": table.rows} for table in tables},
    )


def kept(source: Path, folder: Path, artifact: str, title: str) -> Path:
    """A copy of a file in a run's folder, for as long as the run was not sent.

    A file that does not change is linked, which costs no space; the store's do not.
    """
    copy = folder / KEPT / artifact / title
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    try:
        os.link(source, copy)
    except OSError:  # another file system, or one that has no links
        shutil.copyfile(source, copy)
    return copy
