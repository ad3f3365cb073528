"""What is told of a project's champions beside its baselines: tables for people, measures for machines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich import box
from rich.table import Table

from benchmarks.baselines import Benchmark
from benchmarks.measures import Measure
from benchmarks.meeting import CHAMPION, Meeting
from models.card.card import titles
from models.measures.paired import Interval
from models.problem import headlines


@dataclass(frozen=True, slots=True)
class Figures:
    """Everybody's measures by name on the same rows, and what the champion gains on each baseline.

    A gain is in the loss that models are compared by; `versions` gave the champion's answers.
    """

    rows: int
    versions: tuple[str, ...]
    headlines: tuple[str, ...]
    measures: Mapping[str, Mapping[str, float]]
    gains: Mapping[str, Interval]

    @property
    def strongest(self) -> str:
        """The baseline of the least loss."""
        return min(self.gains, key=lambda name: self.gains[name].value)


def figures(met: Meeting, against: Benchmark) -> Figures:
    """The problem's measures under the names that people know them by, and the project's own."""
    measures = {name: _measures(met, name, against) for name in met.answers}
    gains = {name: met.gain(name) for name in against.baselines}
    versions = tuple(met.rows["version"].unique(maintain_order=True))
    shown = tuple(titles(met.spec, headlines(met.spec)).values())
    return Figures(met.rows.height, versions, shown, measures, gains)


def _measures(met: Meeting, name: str, against: Benchmark) -> dict[str, float]:
    found = met.measures(name)
    shown = {title: found[key] for key, title in titles(met.spec, found).items()}
    return shown | against.measures(met.rows, met.answers[name])


def overall(found: Figures) -> Table:
    """A line for the champion, and for each baseline what the champion gains on it."""
    shown = list(found.measures[CHAMPION])
    table = _table(f"over all {found.rows:,} rows", "", *shown, "the champion gains")
    for name, measures in found.measures.items():
        gain = f"{found.gains[name]}" if name in found.gains else ""
        table.add_row(name, *(f"{measures[each]:.4f}" for each in shown), gain)
    return table


def by_batch(batches: Mapping[str, Figures], strongest: str) -> Table:
    """A line a batch: the champion beside the baseline that is the strongest over all."""
    headlines = next(iter(batches.values())).headlines
    beside = [f"{headline}, {who}" for headline in headlines for who in (CHAMPION, strongest)]
    table = _table("by batch", "batch", "rows", *beside, "the champion gains", "version")
    for batch, found in batches.items():
        values = [found.measures[who][headline] for headline in headlines for who in (CHAMPION, strongest)]
        told = (f"{value:.4f}" for value in values)
        table.add_row(batch, f"{found.rows:,}", *told, f"{found.gains[strongest]}", ", ".join(found.versions))
    return table


def measures(project: str, whole: Figures, batches: Mapping[str, Figures]) -> Iterator[Measure]:
    """The same for machines. The champion is to gain on the strongest baseline, beyond chance."""
    for who, found in whole.measures.items():
        for name, value in found.items():
            yield Measure(f"{project}: {name}, {who}", value, "")
    for name, gain in whole.gains.items():
        yield from _gain(f"{project}: gain on {name}", gain, name == whole.strongest)
    for batch, figures in batches.items():
        yield from _gain(f"{project} {batch}: gain on {whole.strongest}", figures.gains[whole.strongest])


def _gain(what: str, gain: Interval, to_hold: bool = False) -> Iterator[Measure]:
    yield Measure(what, gain.value, "loss")
    yield Measure(
        f"{what}, low end", gain.low, "loss", "above 0" if to_hold else "", gain.low > 0 or not to_hold
    )
    yield Measure(f"{what}, high end", gain.high, "loss")


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(first, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
