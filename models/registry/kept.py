"""Facts that are kept as JSON, and read from it by who asks for one of them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Kept(Mapping[str, Any]):
    """What a JSON object says. What is measured of a version is long, and who lists hundreds seldom looks.

    >>> Kept('{"seconds": 1.5}')["seconds"]
    1.5
    """

    __slots__ = ("_facts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._facts: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

    def _read(self) -> dict[str, Any]:
        if self._facts is None:
            self._facts = json.loads(self._text)
        return self._facts
