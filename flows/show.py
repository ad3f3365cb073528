"""What the commands print for people: tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from models.card.card import MEASURES
from models.family import Parameter
from models.gate.judge import GateReport
from models.problem import HEADLINES
from models.registry.versions import Version
from reports.lifecycle.page import Batch, Summary
from stages.data.ingest import Ingested
from stages.data.packages import Package
from stages.models.reproduce import Reproduced
from stages.models.tune import Tuned


def lifecycle(console: Console, facts: Summary, page: Path) -> None:
    """A line a batch, and where to look further."""
    console.print(_batches(facts))
    champion = next((each["version"] for each in facts["versions"] if each["stage"] == "champion"), "none")
    console.print(f"champion   {champion}, of {len(facts['versions'])} versions")
    if champion == "none":
        for reason in next((each["reasons"] for each in reversed(facts["batches"]) if each["reasons"]), ()):
            console.print(f"           {reason}", soft_wrap=True, highlight=False)
    console.print(f"report     {page}", soft_wrap=True, highlight=False)
    console.print("Prefect UI make ui", highlight=False)


def status(console: Console, facts: Summary) -> None:
    """The batches and the versions."""
    console.print(_batches(facts))
    names = [MEASURES[headline][0] for headline in _headlines(facts)]
    table = headed_table("versions, measured on their holdout", "version", "family", "stage", *names)
    for each in facts["versions"]:
        measures = each["metrics"]
        table.add_row(
            each["version"],
            each["family"],
            each["stage"],
            *(_number(measures.get(headline)) for headline in _headlines(facts)),
        )
    console.print(table)


def stale(console: Console, found: Mapping[str, Sequence[str]]) -> None:
    """What the next run makes again; nothing, where nothing has changed."""
    for what, batches in found.items():
        if batches:
            console.print(f"stale: {what} of {', '.join(batches)}")


def packages(console: Console, project: str, found: Sequence[Package]) -> None:
    """The packages of a project's data, their files, and on what terms they may be used."""
    if not found:
        console.print(f"{project} takes no data from packages", highlight=False)
    for each in found:
        console.print(f"{project}: {each.name} {each.version}", highlight=False)
        console.print(*(f"  {file}" for file in each.files), sep="\n", highlight=False)
        terms = "; ".join(each.terms) or "not said in the spec"
        console.print(f"  terms: {terms}", soft_wrap=True, highlight=False)


def versions(console: Console, found: Sequence[Version]) -> None:
    """Versions, with their measures on the holdout."""
    for version in found:
        measures = version.metrics["holdout"]
        names = [name for pair in HEADLINES.values() for name in pair if name in measures][:2]
        told = "  ".join(f"{MEASURES[name][0]} {_number(measures[name])}" for name in names)
        console.print(f"{version.id}  {version.family:9} {told}")


def reproduced(console: Console, found: Reproduced) -> None:
    """Each measure then and now, and whether they are the same to the last bit."""
    table = headed_table(f"{found.version}, made again", "measure", "registered", "now", "same")
    for each in found.measures:
        table.add_row(each.name, _exact(each.registered), _exact(each.now), "yes" if each.same else "NO")
    console.print(table)
    console.print("the same to the last bit" if found.same else "NOT the same")
    for change in found.changed:
        console.print(f"changed: {change}", highlight=False)


def _exact(value: float | None) -> str:
    return "-" if value is None else repr(value)


def gate(console: Console, report: GateReport) -> None:
    """Each check of the gate, and its answer."""
    title = f"{report.challenger} against {report.champion or 'the base rate'}"
    table = headed_table(title, "check", "passed", "found")
    for check in report.checks:
        table.add_row(check.name, "yes" if check.passed else "[bold red]no[/]", check.detail)
    console.print(table)
    console.print(f"{report.challenger} {'is champion' if report.accepted else 'is refused'}")


def tuned(console: Console, found: Tuned) -> None:
    """Each trial of a family, and the best against the project's own parameters."""
    table = headed_table(
        f"{found.family}: losses of what was tried", "trial", "state", "loss", "by fold", "seconds"
    )
    table.add_column("parameters, or why it ended", overflow="fold")
    for trial in found.trials:
        told = trial.reason if trial.state == "failed" else _parameters(trial.parameters)
        folds = " ".join(f"{loss:.4f}" for loss in trial.losses)
        table.add_row(
            str(trial.number), trial.state, _number(trial.loss), folds, f"{trial.seconds:.1f}", told
        )
    console.print(table)
    console.print(_gained(found))
    console.print(f"training.parameters.{found.family}: {_parameters(found.parameters)}", soft_wrap=True)


def ingested(console: Console, found: Sequence[Ingested]) -> None:
    """What became of each delivery."""
    table = headed_table("received = accepted + quarantined", "dataset", "batch")
    for heading in ("received", "accepted", "quarantined"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("reasons")
    for each in found:
        reasons = "; ".join(f"{reason} ({count:,})" for reason, count in each.reasons.items())
        counts = (f"{count:,}" for count in (each.received, each.accepted, each.quarantined))
        table.add_row(each.dataset, each.batch, *counts, reasons)
    console.print(table)


def _headlines(facts: Summary) -> Sequence[str]:
    return facts.get("headlines") or HEADLINES["binary"]


def _batches(facts: Summary) -> Table:
    table = headed_table(facts.get("title", facts["project"]), "batch")
    table.padding = 0  # a space between columns: the decision with what came of it is to stay on one line
    for heading in ("received", "accepted", "quarantined"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("champion", no_wrap=True)
    for headline in _headlines(facts):
        table.add_column(MEASURES[headline][0], justify="right", no_wrap=True)
    relative = facts.get("relative_loss_name", "relative loss").replace(" ", "\n")  # a narrow column
    table.add_column(relative, justify="right", no_wrap=True)
    table.add_column("drift", justify="right", no_wrap=True)
    table.add_column("decision")
    for batch in facts["batches"]:
        measures = batch.get("measures") or {}
        table.add_row(
            batch["batch"],
            *(f"{batch[name]:,}" for name in ("received", "accepted", "quarantined")),
            _number_of(batch["champion"]) if batch["champion"] else "-",
            *(_number(measures.get(name)) for name in (*_headlines(facts), "relative_loss")),
            _drift(batch, facts),
            _decision(batch),
        )
    return table


def headed_table(title: str, *headings: str) -> Table:
    """An empty table as all commands print them; its first column is never broken."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for heading in headings:
        table.add_column(heading, no_wrap=heading == headings[0])
    return table


def _gained(found: Tuned) -> str:
    best, (mean, error) = found.best, found.gain
    told = f"trial {best.number} has the least loss"
    if found.first.loss is None:
        return f"{told}; the project's own parameters failed: {found.first.reason}"
    if best is found.first:
        return f"{told}: that of the project's own parameters"
    return (
        f"{told}: {mean:.4f} less than the project's own parameters (standard error over folds {error:.4f})"
    )


def _parameters(parameters: Mapping[str, Parameter]) -> str:
    told = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in parameters.items()}
    return "{" + ", ".join(f"{name}: {value}" for name, value in told.items()) + "}"


def _drift(batch: Batch, facts: Summary) -> str:
    if facts.get("drift_threshold", 0.0) is None:
        return "off"
    return "-" if batch["drift"] is None else f"{batch['drift']:.0%}"


def _decision(batch: Batch) -> str:
    if batch.get("status") == "stopped":
        return "[bold red]stopped[/]"
    if released := batch.get("retrained"):
        return f"{batch['decision'] or 'first'} → {_number_of(released)}"
    return f"{batch['decision'] or 'first'}, refused" if batch.get("challenger") else batch["decision"] or "-"


def _number_of(version: str) -> str:
    """`2` of `shop/2`: the table is of one project."""
    return version.rpartition("/")[2]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
