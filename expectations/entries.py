"""The entries of a suite."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.projects import Function
from expectations.verdict import Severity
from expectations.vocabulary import Kind


@dataclass(frozen=True, slots=True)
class Expectation:
    """One entry of a suite.

    `kind` is what it speaks about: single "rows" (the failing ones are known), a "column" as a
    whole, or the "table". `columns` are those whose values it judges; `line` is where it stands.
    `function` is the project's own that judges it, None for the types of Great Expectations.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    kind: Kind
    columns: tuple[str, ...]
    line: int
    allow_all_null: bool = False
    function: Function | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """The arguments that are given when the suite is run: argument -> expression."""
        return {key: value["$PARAMETER"] for key, value in self.kwargs.items() if is_parameter(value)}


def is_parameter(value: Any) -> bool:
    """Whether an argument is a parameter, given when the suite is run."""
    return isinstance(value, dict) and value.keys() == {"$PARAMETER"} and isinstance(value["$PARAMETER"], str)
