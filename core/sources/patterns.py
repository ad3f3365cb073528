"""Which names a path stands for: `*`, `?` and `**`, and `{batch}` for a batch's id."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

from core.batches import Batch

BATCH = "{batch}"
_UNFINISHED = (".tmp", ".part", ".crdownload")  # as programs name what they are still writing
_TOKENS = re.compile(r"(?P<deep>(?<![^/])\*\*(?:/|$))|(?P<star>\*+)|(?P<one>\?)|(?P<batch>\{batch\})|.", re.S)
_NOT_HIDDEN = "(?![._])"


def is_pattern(path: str) -> bool:
    """Whether the path may stand for several names."""
    return has_wildcards(path) or BATCH in path


def has_wildcards(path: str) -> bool:
    """Whether the path holds `*` or `?`."""
    return "*" in path or "?" in path


def root(path: str) -> str:
    """The folder of a path above the first part that may stand for several names.

    >>> root("in/trips/{batch}/*.csv"), root("trips.csv"), root("/*.csv")
    ('in/trips', '', '/')
    """
    parts = takewhile(lambda part: not is_pattern(part), path.split("/")[:-1])
    return "/".join(parts) or ("/" if path.startswith("/") else "")


def chosen(names: Iterable[str], pattern: str, batches: Sequence[Batch]) -> list[tuple[str, str | None]]:
    """Those of the names that the pattern stands for, sorted, each with the batch id that it holds.

    A wildcard stands for no `/`, but `**` for any number of folders. None stands for what is hidden or
    set apart (`.` or `_` at the beginning), nor for a file that is still being written.

    >>> from datetime import UTC, datetime
    >>> months = [Batch(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC), "2013-01")]
    >>> chosen(["a/2013-01.csv", "a/2013-02.csv", "a/_2013-01.csv", "2013-01.csv"], "*/{batch}.csv", months)
    [('a/2013-01.csv', '2013-01')]
    """
    regex, ids = _regex(pattern, batches), {batch.id for batch in batches}
    found: list[tuple[str, str | None]] = []
    for name in names:
        match = regex.fullmatch(name)
        if match is None or (name.endswith(_UNFINISHED) and not pattern.endswith(_UNFINISHED)):
            continue
        batch = match["batch"] if BATCH in pattern else None
        if batch is None or batch in ids:
            found.append((name, batch))
    return sorted(found)


def tidy(path: str) -> str:
    """The path without `.`, doubled slashes and folders that it leaves again."""
    return posixpath.normpath(path)


def _regex(pattern: str, batches: Sequence[Batch]) -> re.Pattern[str]:
    text = ""
    for token in _TOKENS.finditer(pattern):
        begins = token.start() == 0 or pattern[token.start() - 1] == "/"
        if token["deep"]:
            text += f"(?:{_NOT_HIDDEN}[^/]+/)*" + ("" if token["deep"] == "**/" else f"{_NOT_HIDDEN}[^/]+")
        elif token["star"] or token["one"]:
            text += (_NOT_HIDDEN if begins else "") + ("[^/]*?" if token["star"] else "[^/]")
        elif token["batch"]:
            text += "(?P=batch)" if "(?P<batch>" in text else _shapes(pattern, token, batches)
        else:
            text += re.escape(token[0])
    return re.compile(text, re.S)


def _shapes(pattern: str, token: re.Match[str], batches: Sequence[Batch]) -> str:
    """What looks like the id of one of the batches, and is no part of a longer number."""
    shapes = sorted({re.sub("[0-9]", "[0-9]", re.escape(batch.id)) for batch in batches}) or ["(?!)"]
    before, after = pattern[: token.start()][-1:], pattern[token.end() :][:1]
    left = "(?<![0-9])" if before in ("*", "?") else ""
    right = "(?![0-9])" if after in ("*", "?") else ""
    return f"(?P<batch>{left}(?:{'|'.join(shapes)}){right})"
