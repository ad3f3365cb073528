"""The README of a proposed project: its framing, its columns, what was left out, what to look at."""

from collections.abc import Iterator, Sequence

from core.sources.declared import Source
from proposal.page import Found
from proposal.plan import Plan


def readme_text(plan: Plan, source: Source, decisions: Sequence[tuple[str, Found]], ingested: str) -> str:
    """The text; `decisions` stand each with its file; `ingested` says what the suite made of the table."""
    return "\n".join(_lines(plan, source, decisions, ingested)) + "\n"


def _lines(
    plan: Plan, source: Source, decisions: Sequence[tuple[str, Found]], ingested: str
) -> Iterator[str]:
    name, label, cut = plan.ask.name, plan.label, plan.batches
    yield f"# {name.replace('_', ' ').capitalize()}"
    yield ""
    yield "What is decided by the answer, for whom, and what a wrong one costs: for those to write who know."
    yield ""
    yield "## Framing, as it was inferred"
    yield ""
    rate = f", true in {label.base_rate:.2%}" if label.base_rate is not None else ""
    yield f"- **Problem**: {label.problem}, for {label.why}."
    yield f"- **Label**: `{label.name}`, known of {label.labelled:,} of {plan.table.count:,} rows{rate}."
    key = ", ".join(f"`{column}`" for column in plan.key.columns)
    yield f"- **Event**: told apart by {key}: {plan.key.why}."
    if plan.time:
        yield f"- **Decision**: at `{plan.time.column}`."
    else:
        yield "- **Decision**: there is no time; the order of the rows stands for it, drift is not watched."
    when = (
        f"at `{plan.known.column}`"
        if plan.known.after is None
        else f"{plan.known.after} after the event, a guess"
    )
    yield f"- **Label known**: {when}."
    rows = f"{min(cut.rows):,} to {max(cut.rows):,} rows"
    yield f"- **Batches**: {len(cut.rows)}, every {cut.every}, of {rows}."
    yield ""
    yield "## Data"
    yield ""
    yield f"{source.described[0].upper()}{source.described[1:]}: {plan.table.count:,} rows. {ingested}"
    yield ""
    yield from _table(plan)
    yield from _left(plan)
    yield from _checks(plan, decisions)
    yield "## Commands"
    yield ""
    yield f"    make demo PROJECT={name}      # live through its history"
    yield f"    make status PROJECT={name}    # how it stands"
    yield f"    make suite PROJECT={name}     # propose its suite anew, from what was ingested"


def _table(plan: Plan) -> Iterator[str]:
    yield "## Features"
    yield ""
    yield "| feature | made from | kind |"
    yield "| --- | --- | --- |"
    for each in plan.features.proposed:
        held = each.declared
        made = held.get("column") or held.get("expression") or ", ".join(held.get("by", ()))
        how = f"{held['from']} of {made}" if held["from"] != "row" else str(made)
        yield f"| `{each.name}` | {_cell(how)} | {_cell(each.note or held.get('kind', 'number'))} |"
    yield ""


def _left(plan: Plan) -> Iterator[str]:
    if plan.features.left or plan.table.unusable:
        yield "## Left out"
        yield ""
        for each in plan.features.left[:100]:
            yield f"- `{each.column}`: {each.why}"
        for column, why in plan.table.unusable.items():
            yield f"- `{column}`: {why}"
        yield ""


def _checks(plan: Plan, decisions: Sequence[tuple[str, Found]]) -> Iterator[str]:
    yield "## To look at"
    yield ""
    for file, each in decisions:
        yield f"- `{file}:{each.line}`: {each.text.rstrip('.')}."
    for name, strength in plan.features.strong:
        yield f"- `{name}` tells {strength:.3f} by itself: is it known when the decision is made?"
    yield "- The objective, the costs of an error and the title in `project.yaml` are yours to write."
    yield "- `expectations/` holds what the batches had in common: read it, and edit it."
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
