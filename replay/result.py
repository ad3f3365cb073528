"""The result of a replay: the facts that its page, its table and its summary are made of."""

from collections.abc import Iterator
from typing import Any

from core.plain import plain
from core.spec import Spec
from models.measures.paired import Interval
from models.problem import headlines
from replay.compared import Compared
from replay.days import UNKNOWN
from replay.findings import contrasts, sentences
from replay.lived import Step
from replay.plan import Plan
from replay.policies import NEVER, ORACLE, PRESENT, told
from reports.headlines import name_of

Facts = dict[str, Any]
_ORACLE = "Of all fits there were, the one that loses least on the batch to come"


def result(found: Compared, plan: Plan) -> Facts:
    """All that there is to say of a replay."""
    spec = found.spec
    seen = contrasts(found.days, found.sums, len(found.batches))
    facts: Facts = plain(
        {
            "project": plan.project,
            "title": spec.title,
            "as_of": plan.as_of,
            "batches": found.batches,
            "loss_name": spec.metric,
            "headline_name": headlines(spec)[0],
            "rows": int(found.days.units.sum()),
            "costs": {"errors": spec.objective.costs, **spec.replay.costs.model_dump()},
            "policies": [_policy(found, name) for name in found.histories],
            "present": PRESENT if PRESENT in found.specs else None,
            "recommended": _recommended(found),
            "break_even": _break_even(found),
            "contrasts": seen,
            "findings": [*sentences(seen, found.batches, name_of(spec.metric)), *_left_out(found)],
        }
    )
    return facts


def _policy(found: Compared, name: str) -> Facts:
    lived, spec, held = found.histories[name], found.specs.get(name), found.alarms.get(name)
    outcomes = [attempt.outcome for attempt in lived.attempts]
    days, sums = found.days, found.sums
    return {
        "name": name,
        "told": told(spec) if spec else _ORACLE,
        "settings": _settings(spec) if spec else {},
        "bound": name in (NEVER, ORACLE),
        "batches": [_point(found, name, place, step) for place, step in enumerate(lived.steps)],
        "loss": days.mean(sums[name]).value,
        "headline": _headline(found, name),
        "against_never": days.mean(sums[NEVER] - sums[name]),
        "regret": days.mean(sums[name] - sums[ORACLE]),
        "retrainings": len(outcomes),
        "promoted": outcomes.count("promoted"),
        "refused": outcomes.count("refused"),
        "rolled_back": outcomes.count("rolled back"),
        "training_seconds": lived.seconds,
        "false_alarms": held.count("false") if held else None,
        "missed_alarms": held.count("missed") if held else None,
        "batches_to_mend": held.to_mend if held else None,
        "net_value": found.worth.of(name) if found.in_costs and spec else None,
    }


def _headline(found: Compared, name: str) -> float | None:
    """The mean of a policy's first headline over the batches; None where it is not known of each."""
    values = [step.measures.get(headlines(found.spec)[0]) for step in found.histories[name].steps]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _point(found: Compared, name: str, place: int, step: Step) -> Facts:
    loss, units = sum(step.outcome.loss), sum(step.outcome.units)
    days, sums, held = found.days, found.sums, found.alarms.get(name)
    return {
        "batch": step.batch.id,
        "version": step.version.id,
        "made_at": step.version.lineage.as_of,
        "loss": loss / units if units else None,
        "headline": step.measures.get(headlines(found.spec)[0]),
        "against_never": days.mean(sums[NEVER] - sums[name], place) if units else UNKNOWN,
        "regret": days.mean(sums[name] - sums[ORACLE], place) if units else UNKNOWN,
        "decision": step.decision,
        "answer": step.attempt.outcome if step.attempt else None,
        "alarm": held.by_batch[place] if held else None,
    }


def _settings(spec: Spec) -> Facts:
    """What a spec says of its policy."""
    monitoring = spec.monitoring.model_dump(mode="json", include={"opened_by", "every"})
    training = spec.training.model_dump(mode="json", include={"stateful", "window"})
    return {"monitoring": monitoring, "training": training}


def _recommended(found: Compared) -> Facts:
    """The policy to use: how much more than the present one it is worth, and how sure that is."""
    names, value = list(found.specs), found.worth
    best = value.best(names)
    against = PRESENT if PRESENT in names else NEVER
    return {
        "policy": best,
        "against": against,
        "margin": value.beyond(best, against),
        "sure": value.sure(best, [against]),
        "best_of_all": value.sure(best, names),
        "why": _why(found, best, against),
    }


def _why(found: Compared, best: str, against: str) -> list[str]:
    value, unit = found.worth, "in the spec's costs" if found.in_costs else f"of {name_of(found.spec.metric)}"
    others = [name for name in found.specs if name != best]
    if best != against and value.beyond(best, against) == Interval(0.0, 0.0, 0.0):
        return [f"It was worth as much as {against}, and trains less"]
    if best != against or not others:
        return [f"It was worth {_told(value.beyond(best, against), found)} {unit} more than {against}"]
    runner = value.best(others)
    told = _told(value.beyond(best, runner), found)
    return [f"None was worth more; {runner} comes next, with {told} {unit} less"]


def _told(margin: Interval, found: Compared) -> str:
    digits = 0 if found.in_costs else 4
    return f"{margin.value:,.{digits}f} ({margin.low:,.{digits}f} to {margin.high:,.{digits}f})"


def _break_even(found: Compared) -> list[Facts]:
    """At which price of a training hour another policy would be worth as much as the recommended one."""
    if not found.in_costs:
        return []
    names = list(found.specs)
    prices = found.worth.break_even(found.worth.best(names), names)
    return [{"policy": name, "cost": "training_hour", "at": price} for name, price in prices.items()]


def _left_out(found: Compared) -> Iterator[str]:
    if found.left_out:
        yield f"{', '.join(found.left_out)} never had a champion, and cannot be compared."
