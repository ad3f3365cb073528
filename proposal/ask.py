"""What a person asks for: a project of this name, from this table, about this label."""

from dataclasses import dataclass

from core.learning import ProblemKind


@dataclass(frozen=True, slots=True)
class Ask:
    """The arguments of `make new`: columns by name, `key` and `group` perhaps several."""

    name: str
    data: str
    label: str
    time: str | None = None
    key: tuple[str, ...] = ()
    problem: ProblemKind | None = None
    group: tuple[str, ...] = ()
