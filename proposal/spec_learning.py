"""The second half of `project.yaml`: decision, outcome, features, and how is learnt and judged."""

from collections.abc import Iterator

from proposal.columns import LeftOut
from proposal.limits import NETWORK_ROWS
from proposal.page import Comment, Decision, Part, value
from proposal.plan import Plan

_SHOWN = 60  # columns that are left out, by name


def decision(plan: Plan) -> Iterator[Part]:
    """When a prediction is asked for."""
    if plan.time is None:
        why = "The decision falls when the event is there; the column is made (`batches.rows`)."
    else:
        why = f"The decision falls at {plan.time.column!r}. If it falls earlier, say how much: lead: 2h."
        if not plan.time.form:
            why += " Times without an offset are taken as UTC."
    yield Comment(why)
    if plan.time and plan.time.doubt:
        yield Decision(plan.time.doubt)
    yield "decision:"
    yield f"  before: {value(plan.event_time)}"
    yield "  lead: 0s"
    yield ""


def outcome(plan: Plan) -> Iterator[Part]:
    """The label, and when it is known."""
    label, known = plan.label, plan.known
    yield "outcome:"
    yield f"  label: {value(label.name)}"
    if label.classes:
        yield f"  classes: {value(label.classes)}"
    if plan.ask.group:
        yield f"  group: {value(plan.ask.group)}"
    if known.after is None:
        yield Decision(
            f"{known.column!r} is there with each label, and later than the event: it is taken for the time"
            " at which the label is known. If it is another, name a column that says so, or make one",
            2,
        )
    elif plan.batches.counted:
        yield Comment(
            "Nothing says when a label is known: an hour of the made time, which is a 24th of a batch.", 2
        )
    else:
        yield Comment(
            f"Nothing says when a label is known: {known.after} after the event is a guess, made in"
            " functions.py. Set it there to the time that an outcome really takes: what is held to be"
            " known too early flatters every model.",
            2,
        )
    yield f"  known_at: {value(known.column)}"
    yield Comment("A batch is judged so long after its end.", 2)
    yield f"  maturity: {known.maturity}"
    yield ""


def features(plan: Plan) -> Iterator[Part]:
    """The features; suspected leaks as comments, which come back when their mark is taken."""
    suspected = [each for each in plan.features.left if each.feature is not None]
    yield "features:"
    for feature in plan.features.proposed:
        if feature.note:
            yield Comment(f"{feature.note}.", 2)
        yield f"  {value(feature.name)}: {value(feature.declared)}"
    for each in suspected:
        yield ""
        yield Decision(
            f"{each.column!r} may know the label: {each.why}. If it is known when the decision is"
            " made, take the mark from the line.",
            2,
        )
        assert each.feature is not None
        yield f"  # {value(each.feature.name)}: {value(each.feature.declared)}"
    plain = [each for each in plan.features.left if each.feature is None]
    if plain:
        yield ""
        yield Comment("Left out:", 2)
        for each in plain[:_SHOWN]:
            yield Comment(f"  {each.column!r}: {_said(each)}.", 2)
        if plain[_SHOWN:]:
            yield Comment(f"  and {len(plain) - _SHOWN:,} more, {_said(plain[-1])}.", 2)
    yield ""


def _said(left: LeftOut) -> str:
    return left.why.rstrip(".")


def training(plan: Plan) -> Iterator[Part]:
    """The families, and what the first fit waits for."""
    cut, rows = plan.batches, plan.label.labelled
    families = ["linear", "lightgbm", *(["torch"] if rows >= NETWORK_ROWS else [])]
    first = sum(cut.rows[: cut.first])
    yield "training:"
    more = "" if "torch" in families else f"; a network is worth its time from some {NETWORK_ROWS:,} rows on"
    yield Comment(f"{rows:,} labelled rows{more}.", 2)
    yield f"  families: {value(families)}"
    yield Comment(f"The first fit waits for {cut.first} batches: {first:,} rows.", 2)
    yield f"  first_batches: {cut.first}"
    if (cut.validation, cut.holdout) != (0.15, 0.15):
        yield Comment("Larger parts than usual, so that so few rows and times can show something.", 2)
        yield f"  validation: {cut.validation}"
        yield f"  holdout: {cut.holdout}"
    if cut.window:
        yield Comment("Only so far back, for a fit holds its rows in memory: about a million of them.", 2)
        yield f"  window: {cut.window}"
    yield ""


def gate(plan: Plan) -> Iterator[Part]:
    """What skill is told from luck by."""
    cut = plan.batches
    yield "gate:"
    yield Comment(
        f"What is drawn to tell skill from luck: {cut.blocks} such blocks lie in the rows that the"
        f" first challenger is judged by. See `make gate-power PROJECT={plan.ask.name}`.",
        2,
    )
    if cut.doubt and len(cut.rows) > 1:
        yield Decision(cut.doubt, 2)
    yield f"  block: {cut.block}"
    yield Comment("Categories in which a challenger may be nowhere worse: slices: [country]", 2)
    yield ""


def monitoring(plan: Plan) -> Iterator[Part]:
    """What decides about a retraining."""
    usual = sorted(plan.batches.rows)[len(plan.batches.rows) // 2]
    yield "monitoring:"
    if plan.batches.counted:
        yield Comment(
            "Off: the order of the rows is no time, and a drift along it means nothing. Performance decides.",
            2,
        )
        yield "  drift: null"
    yield Comment("Fewer rows, or fewer labels, decide nothing.", 2)
    yield f"  min_rows: {max(10, min(500, usual // 2))}"
