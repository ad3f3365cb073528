"""The text of `project.yaml`: each choice with its reason beside it."""

from collections.abc import Iterator

from core.sources.declared import DeltaSource, FilesSource, Source, SqlSource
from proposal.label import Label
from proposal.page import Comment, Decision, Found, Part, rendered, value
from proposal.plan import Plan
from proposal.spec_learning import decision, features, gate, monitoring, outcome, training

PREPARE = "prepare"


def spec_text(plan: Plan, source: Source) -> tuple[str, list[Found]]:
    """The file for a plan, whose events lie at `source`, and the lines with what a person has to decide."""
    return rendered(_parts(plan, source))


def prepares(plan: Plan) -> bool:
    """Whether columns are made that are not delivered, so that the project has functions."""
    made = plan.time is not None and bool(plan.time.form)
    return (
        made
        or plan.known.after is not None
        or plan.label.positive is not None
        or plan.series
        or bool(plan.key.made)
    )


def _parts(plan: Plan, source: Source) -> Iterator[Part]:
    name, table = plan.ask.name, plan.table
    yield "# yaml-language-server: $schema=../../docs/project.schema.json"
    yield Comment(
        f"Proposed by `make new` from {source.described}: {table.count:,} rows, {len(table.columns)} columns."
        " Each choice has its reason beside it; what is for a person to decide is marked DECIDE."
    )
    yield f"name: {name}"
    yield f"title: {value(name.replace('_', ' ').capitalize())}"
    yield ""
    yield from _objective(plan)
    yield from _batches(plan)
    yield f"events: {name}"
    yield ""
    yield from _dataset(plan, source)
    yield from decision(plan)
    yield from outcome(plan)
    yield from features(plan)
    yield from training(plan)
    yield from gate(plan)
    yield from monitoring(plan)


def _objective(plan: Plan) -> Iterator[Part]:
    label, rate = plan.label, plan.label.base_rate
    yield Comment("What it is for is yours to say: the three sentences below are shown on every card.")
    yield "objective:"
    yield "  business: What is decided by the answer, and what it is worth"
    what = {
        "binary": f"the probability that {_named(label)}",
        "multiclass": f"the probability of each class of {label.name}",
        "regression": f"the value of {label.name}",
        "ranking": f"an order of the events of one list by {label.name}",
    }[label.problem]
    yield f"  learning: {value(what[0].upper() + what[1:])}"
    yield f"  output: {value(what)}"
    if label.problem in ("binary", "regression"):
        costs = "missed: 5, false_alarm: 1" if label.problem == "binary" else "under: 2, over: 1"
        yield Comment(f"With costs, a card says what decisions cost, too: costs: {{{costs}}}", 2)
    told = f" True in {rate:.2%} of the labelled rows." if rate is not None else ""
    yield Comment(f"{label.problem}: the label {label.column!r}: {label.why}.{told}")
    if label.doubt:
        yield Decision(label.doubt)
    yield f"problem: {label.problem}"
    yield ""


def _named(label: Label) -> str:
    """What is so where the label is true."""
    return label.name if label.positive is not None else f"{label.name} is true"


def _batches(plan: Plan) -> Iterator[Part]:
    cut = plan.batches
    low, high = min(cut.rows), max(cut.rows)
    rows = f"{low:,} to {high:,} rows each" if low < high else f"{low:,} rows each"
    yield Comment(
        f"{len(cut.rows)} batches of {rows}: enough of them to live through, each large enough to be judged."
    )
    if cut.counted:
        yield Comment(
            "There is no time: the rows are counted in the order of their delivery, and so many"
            " stand for a day that never was. Let `end` grow with the data (docs/decisions/0016)."
        )
        said = "without a TIME the order of the rows stands for the order of events: if they are sorted by"
        said += " anything but time, shuffle them, or name a column of time"
        if isinstance(plan.table.source, DeltaSource):
            said += "; the files of a Delta table come in the order of their names, which is that of no event"
        yield Decision(said)
    if (empty := cut.rows.count(0)) and len(cut.rows) > 1:
        yield Decision(
            f"{empty} of {len(cut.rows)} batches have no rows: such a batch stops, and the others go on"
        )
    if cut.stray:
        yield Comment(
            f"{cut.stray:,} rows lie outside, in nearly empty stretches at the ends: they are set aside."
        )
    yield "batches:"
    if len(cut.rows) == 1:
        yield Decision(cut.doubt, 2)
    yield f"  every: {cut.every}"
    if cut.counted:
        yield f"  rows: {cut.counted}"
    yield "  timezone: UTC"
    yield f"  start: {cut.start}"
    yield f"  end: {cut.end}"
    yield ""


def _dataset(plan: Plan, source: Source) -> Iterator[Part]:
    name, table = plan.ask.name, plan.table
    yield "datasets:"
    yield f"  {name}:"
    yield from _source(plan, source)
    for column, why in table.unusable.items():
        yield Comment(f"Not declared: the column {column!r} {why}.", 4)
    if many := plan.features.many:
        yield Comment(
            f"Not declared: {len(many):,} columns that tell less than the others (Left out, below).", 4
        )
    yield "    columns:"
    for column, reading in plan.readings.items():
        if lost := plan.unread.get(column):
            yield Comment(
                f"{lost:,} of {table.count:,} values are no {reading.kind}: these rows are set aside.", 6
            )
        yield f"      {value(column)}: {reading.kind}"
    yield Comment(f"{plan.key.why}.", 4)
    if plan.key.repeated:
        share = plan.key.repeated / table.count
        said = f"{plan.key.repeated:,} rows ({share:.1%}) repeat another in every column, and are set aside"
        yield Decision(f"{said}: is that so, or does a column lack that tells them apart?", 4)
    yield f"    key: {value(plan.key.columns)}"
    if prepares(plan):
        yield Comment("functions.py: the columns that are made and not delivered.", 4)
        yield f"    prepare: {PREPARE}"
    yield f"    event_time: {value(plan.event_time)}"
    yield f"    known_at: {value(plan.known.column)}"
    yield ""
    if plan.key.repeated > 0.05 * table.count:
        yield Comment("Above this share of failing rows a batch stops: the repetitions need room.")
        yield f"quarantine: {{max_share: {min(0.9, round(2 * plan.key.repeated / table.count + 0.1, 1))}}}"
        yield ""


def _source(plan: Plan, source: Source) -> Iterator[Part]:
    markers = sorted({marker for each in plan.readings.values() for marker in each.markers})
    if isinstance(source, SqlSource):
        declared = {"kind": "sql", "url": source.url, "table": source.table}
        if plan.time and not plan.time.form:
            yield Comment(
                "Each batch is asked for by its time; without `time`, the whole table is read each time.", 4
            )
            declared["time"] = plan.time.column
        elif plan.time is None:
            yield Comment(
                f"{plan.ask.key[0]!r} only rises: what lies above the highest that was seen is new.", 4
            )
            declared["key"] = plan.ask.key[0]
        yield f"    source: {value(declared)}"
    elif isinstance(source, DeltaSource):
        yield f"    source: {value({'kind': 'delta', 'path': source.path})}"
    else:
        assert isinstance(source, FilesSource)
        declared = {"kind": "files", "path": source.path}
        if markers:
            yield Comment(f"{', '.join(map(repr, markers))} stand for what is missing, as well.", 4)
        more = {"nulls": [*source.nulls, *markers]} if markers else {}
        yield f"    source: {value({**declared, **more})}"
