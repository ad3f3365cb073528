"""The columns of what lies at a source, for those who do not know them yet."""

import json
from contextlib import closing
from itertools import islice
from pathlib import Path

from core.errors import DeliveryError
from core.secrets import Secrets
from core.sources import delimited, delta, files, parquet
from core.sources.connect import connect, shielded
from core.sources.declared import DeltaSource, Source, SqlSource
from core.sources.staging import unpack

_LINES = 10_000  # of a JSON Lines file, whose keys are looked for


def names(folder: Path, source: Source, staging: Path, secrets: Secrets) -> list[str]:
    """The names of the columns in their order, each as often as it is there.

    Of several files, those of the first; of JSON Lines, the keys of its first 10,000 objects. Raises
    DeliveryError when there is nothing, or it cannot be read; and what `core.sources.connect` raises.
    """
    if isinstance(source, SqlSource):
        return shielded(source.table, secrets, lambda: _of_table(folder, source, secrets))
    if isinstance(source, DeltaSource):
        return delta.names(folder, source)
    there = files.items(folder, source, [], {}, secrets)
    if not there:
        raise DeliveryError(f"{source.described}: there is none such")
    item = there[0]
    form = files.form_of(item.name, source)
    with files.delivered(folder, source, item, staging) as (file, _):
        path = unpack(file, staging)
        if form == "csv":
            return delimited.header(path, file)
        if form == "jsonl":
            return _keys(path, file)
        if form == "parquet":
            return parquet.names(path, file)
    raise DeliveryError(f"{file}: the columns of a pickled frame are not looked up: name them in the spec")


def _of_table(folder: Path, source: SqlSource, secrets: Secrets) -> list[str]:
    with closing(connect(folder, source.url, secrets)) as database:
        return database.names(source.table)


def _keys(path: Path, named: object) -> list[str]:
    found: dict[str, None] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in islice(lines, _LINES):
            try:
                held = json.loads(line) if line.strip() else {}
            except (ValueError, RecursionError):
                continue
            found |= dict.fromkeys(held if isinstance(held, dict) else ())
    if not found:
        raise DeliveryError(f"{named}: is no JSON Lines, one object a line")
    return list(found)
