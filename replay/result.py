"""The result of a replay: the facts that its page, its table and its summary are made of."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import PerennialError
from core.plain import plain
from models.measures.paired import Interval
from models.problem import headlines
from replay.alarms import Alarms, alarms
from replay.days import UNKNOWN, Days
from replay.findings import contrasts, sentences
from replay.lived import Lived, Step, lived
from replay.oracle import fits, oracle
from replay.plan import Plan
from replay.policies import NEVER, ORACLE, PRESENT, REFERENCE, told
from replay.values import Worth, worth
from stages.workspace import Workspace

Histories = Mapping[str, tuple[Workspace, Lived]]


def result(workspaces: Mapping[str, Workspace], plan: Plan) -> dict[str, Any]:
    """All that there is to say of a replay whose histories are lived through.

    What is compared are the batches that were answered under every policy; PerennialError without one.
    """
    as_of = plan.as_of
    of = _in_common(
        {name: (workspace, lived(workspace, name, as_of)) for name, workspace in workspaces.items()}
    )
    spec = workspaces[NEVER].spec
    steps = of[NEVER][1].steps
    if not any(step.outcome.days for step in steps):
        why = f"by {as_of:%Y-%m-%d} no labelled batch was answered under every policy"
        raise PerennialError(f"{plan.project}: {why}")
    whole = {name: each for name, (_, each) in of.items()}
    whole[ORACLE] = oracle(fits(list(of.values())), [step.batch for step in steps], as_of)
    days = Days.of([step.outcome for step in steps], spec.training.seed)
    held = {name: alarms(each, of[REFERENCE], as_of) for name, each in of.items() if REFERENCE in of}
    in_costs = bool(spec.objective.costs)
    value = worth(whole, days, held, spec.replay.costs, in_costs=in_costs)
    sums = {name: days.sums(each.outcomes) for name, each in whole.items()}
    batches = [step.batch.id for step in steps]
    found = contrasts(days, sums, len(batches))
    facts: dict[str, Any] = plain(
        {
            "project": plan.project,
            "title": spec.title,
            "as_of": as_of,
            "batches": batches,
            "loss_name": spec.metric,
            "headline_name": headlines(spec)[0],
            "rows": int(days.units.sum()),
            "costs": {"errors": spec.objective.costs, **spec.replay.costs.model_dump()},
            "policies": [
                _policy(name, whole, of, days, sums, held.get(name), value, in_costs=in_costs)
                for name in whole
            ],
            "present": PRESENT if PRESENT in of else None,
            "recommended": _recommended(value, of),
            "break_even": _break_even(value, of, in_costs=in_costs),
            "contrasts": found,
            "findings": list(sentences(found, batches, spec.metric)),
        }
    )
    return facts


def _in_common(of: Histories) -> Histories:
    """The histories with the steps that all of them have: under some policy the first champion comes late."""
    batches = set.intersection(*({step.batch.id for step in each.steps} for _, each in of.values()))
    return {
        name: (workspace, replace(each, steps=tuple(one for one in each.steps if one.batch.id in batches)))
        for name, (workspace, each) in of.items()
    }


def _policy(
    name: str,
    whole: Mapping[str, Lived],
    of: Histories,
    days: Days,
    sums: Mapping[str, Any],
    held: Alarms | None,
    value: Worth,
    *,
    in_costs: bool,
) -> dict[str, Any]:
    lived, is_policy = whole[name], name in of
    gained, regret = sums[NEVER] - sums[name], sums[name] - sums[ORACLE]
    outcomes = [attempt.outcome for attempt in lived.attempts]
    spec = of[name][0].spec if is_policy else None
    points = [
        _point(step, days, gained, regret, held, place, of[NEVER][0].spec)
        for place, step in enumerate(lived.steps)
    ]
    return {
        "name": name,
        "told": told(spec) if spec else "Of all fits there were, the one that loses least on the next batch",
        "settings": _settings(spec) if spec else {},
        "bound": name in (NEVER, ORACLE),
        "batches": points,
        "loss": days.mean(sums[name]).value,
        "headline": None,
        "against_never": days.mean(gained),
        "regret": days.mean(regret),
        "retrainings": len(outcomes),
        "promoted": outcomes.count("promoted"),
        "refused": outcomes.count("refused"),
        "rolled_back": outcomes.count("rolled back"),
        "training_seconds": lived.seconds,
        "false_alarms": held.count("false") if held else 0,
        "missed_alarms": held.count("missed") if held else 0,
        "batches_to_mend": held.to_mend if held else None,
        "net_value": value.of(name) if in_costs and is_policy else None,
    }


def _point(
    step: Step, days: Days, gained: Any, regret: Any, held: Alarms | None, place: int, spec: Any
) -> dict[str, Any]:
    loss, units = sum(step.outcome.loss), sum(step.outcome.units)
    return {
        "batch": step.batch.id,
        "version": step.version.id,
        "made_at": step.version.lineage.as_of,
        "loss": loss / units if units else None,
        "headline": step.measures.get(headlines(spec)[0]),
        "against_never": days.mean(gained, place) if units else UNKNOWN,
        "regret": days.mean(regret, place) if units else UNKNOWN,
        "decision": step.decision,
        "answer": step.attempt.outcome if step.attempt else None,
        "alarm": held.by_batch[place] if held else None,
    }


def _settings(spec: Any) -> dict[str, Any]:
    """What a spec says of its policy."""
    monitoring = spec.monitoring.model_dump(mode="json", include={"opened_by", "every"})
    training = spec.training.model_dump(mode="json", include={"stateful", "window"})
    return {"monitoring": monitoring, "training": training}


def _recommended(value: Worth, of: Histories) -> dict[str, Any]:
    """The policy to use: how much more than the present one it is worth, and how sure that is."""
    names = list(of)
    best = value.best(names)
    against = PRESENT if PRESENT in of else NEVER
    margin: Interval = value.beyond(best, against)
    return {
        "policy": best,
        "against": against,
        "margin": margin,
        "sure": value.sure(best, [best, against]),
        "best_of_all": value.sure(best, names),
        "why": list(_why(value, best, names, against)),
    }


def _why(value: Worth, best: str, names: list[str], against: str) -> list[str]:
    if best == against:
        runner = value.best([name for name in names if name != best])
        return [f"No policy was worth more; next is {runner}, {value.beyond(best, runner)} behind"]
    return [f"It was worth {value.beyond(best, against)} more than {against}"]


def _break_even(value: Worth, of: Histories, *, in_costs: bool) -> list[dict[str, Any]]:
    if not in_costs:
        return []
    found = value.break_even(value.best(list(of)), list(of))
    return [{"policy": name, "cost": "training_hour", "at": price} for name, price in found.items()]
