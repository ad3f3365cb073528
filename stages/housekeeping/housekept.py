"""What housekeeping has done: a line a thing, and a sentence a fault."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec

from core.errors import PerennialError

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Line:
    """What was done to one thing, or why it was left; `rows`, `files` and `bytes` are those removed."""

    step: str
    subject: str
    done: str
    rows: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Instants:
    """The instant at which housekeeping stands, by which batches and versions are old; and that of the
    machine's own clock, by which files are. They differ where history is lived through.
    """

    as_of: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Housekept:
    """What became of a project's state: lines of what was done, and a sentence for each fault."""

    project: str
    as_of: datetime
    lines: list[Line] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def attempt(self, what: str, act: Callable[P, Iterable[Line]], *given: P.args, **named: P.kwargs) -> None:
        """Do a part of the work; whatever goes wrong is told at the end, and the rest goes on."""
        try:
            for line in act(*given, **named):
                self.lines.append(line)
        except Exception as error:  # a full disk, a table that is broken, a server that is gone
            self.faults.append(f"{what}: {' '.join(str(error).split()) or type(error).__name__}")

    def told(self) -> list[dict[str, str]]:
        """The lines as rows of a table for people."""
        return [
            {
                "step": line.step,
                "subject": line.subject,
                "done": line.done,
                "rows": f"{line.rows:,}" if line.rows else "",
                "files": f"{line.files:,}" if line.files else "",
                "MB": f"{line.bytes / 1e6:,.1f}" if line.bytes else "",
            }
            for line in self.lines
        ]

    def add(self, other: "Housekept") -> None:
        """Take in what another step did."""
        self.lines.extend(other.lines)
        self.faults.extend(other.faults)


class Unfinished(PerennialError):
    """Housekeeping of which some part failed; `found` is what was done all the same."""

    def __init__(self, found: Housekept) -> None:
        super().__init__(
            f"housekeeping of {found.project}: {len(found.faults)} parts failed, the others are done; mend "
            "what is said here and call `make housekeeping` again, or leave it to the next run:\n"
            + "\n".join(found.faults)
        )
        self.found = found
