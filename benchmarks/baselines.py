"""What a project's champions are held against: the protocol of `projects/<name>/benchmark.py`.

Such a file names its baselines, and may measure what the problem does not. It imports nothing of ours:

    BASELINES = {"base rate": base_rate, "last week's value": last_week}

    def measures(rows: pl.DataFrame, answers: NDArray[np.float64]) -> dict[str, float]: ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import SpecError
from core.projects import Project, blame, run

Floats = NDArray[np.float64]

Baseline = Callable[[pl.DataFrame, pl.DataFrame], Floats]
"""Answers the `rows` of a batch by what was `known` when it began: `baseline(known, rows)`.

`known` are all rows whose outcome was known by then, in order of event time: the events' columns, the
features, `event_time`, `decision_time`, `label` and `known_at`. `rows` are the batch's rows that have an
outcome: of the same columns those that are known when the decision falls, which are the key, the features
and what the features read of the event itself. It is called for each batch, so it may be fitted anew each
time. The answers are in the shape of the problem's own: a number a row [n], or [n, K].
"""

Measures = Callable[[pl.DataFrame, Floats], dict[str, float]]
"""Figures by name beyond the problem's own, of the answers to `rows`: all columns, and the outcome."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The baselines of a project by name, its own measures, and the file that has them."""

    path: Path
    baselines: Mapping[str, Baseline]
    own: Measures | None = None

    def answers(self, name: str, known: pl.DataFrame, rows: pl.DataFrame, shape: tuple[int, ...]) -> Floats:
        """What a baseline answers, in this shape; SpecError, with the line, when it fails to."""
        found = self._called(f"baseline {name!r}", self.baselines[name], known, rows)
        try:
            answers = np.asarray(found, np.float64)
        except (TypeError, ValueError):
            raise SpecError(
                f"{self.path}: baseline {name!r} should answer with numbers, not {found!r:.80}"
            ) from None
        if answers.shape != shape:
            raise SpecError(
                f"{self.path}: baseline {name!r} answers in the shape {answers.shape}: it should be {shape}"
            )
        if wrong := int((~np.isfinite(answers)).sum()):
            raise SpecError(
                f"{self.path}: {wrong} of {answers.size} answers of baseline {name!r} are no finite numbers"
            )
        return answers

    def measures(self, rows: pl.DataFrame, answers: Floats) -> dict[str, float]:
        """The project's own measures of these answers; none where it has none."""
        if self.own is None:
            return {}
        found = self._called("measures", self.own, rows, answers)
        if not isinstance(found, dict) or not all(isinstance(value, float | int) for value in found.values()):
            raise SpecError(f"{self.path}: measures should return numbers by name, not {found!r:.80}")
        return {str(name): float(value) for name, value in found.items()}

    def _called(self, who: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            raise SpecError(f"{blame(error, self.path)} (in {who})") from error


def benchmark(project: Project) -> Benchmark:
    """Read `benchmark.py` of the project; SpecError with the file and the line when it cannot be used."""
    path = project.folder / "benchmark.py"
    if not path.is_file():
        raise SpecError(
            f"{path} is missing: it should name the baselines of {project.name}, as BASELINES = {{...}}"
        )
    found = vars(run(path.read_text(encoding="utf-8", errors="replace"), path))
    baselines, own = found.get("BASELINES"), found.get("measures")
    if not isinstance(baselines, dict) or not baselines or not all(map(callable, baselines.values())):
        raise SpecError(
            f"{path}: should name its baselines: BASELINES = {{'base rate': base_rate}}, each a function"
        )
    if own is not None and not callable(own):
        raise SpecError(f"{path}: measures should be a function of rows and answers, not {own!r:.80}")
    return Benchmark(path, baselines, own)
