"""A replay as its engine would leave it: some policies over a year, with what each earned and cost."""

import math
from collections.abc import Sequence
from typing import Any, cast

from reports.replay.page import Interval, Point, Policy, Replay

BATCHES = [f"2013-{month:02d}" for month in range(4, 13)]
KINDS = ("stateless, expanding", "stateful, expanding", "stateless, last 3")


def interval(value: float | None, half: float = 0.002) -> Interval:
    """A value with an interval around it."""
    known = value is not None
    return Interval(value=value, low=value - half if known else None, high=value + half if known else None)


def replay(batches: Sequence[str] = BATCHES, **facts: Any) -> Replay:
    """Fourteen policies and their bounds: what retrains more gains more, with ever less to gain."""
    bounds = (("never", 0.0), ("oracle", 0.0125))
    policies = [_policy(name, gain, 0, batches, bound=True) for name, gain in bounds]
    for every in (1, 2, 3, 6):
        for place, kind in enumerate(KINDS):
            gain = 0.01 * math.exp(-0.16 * every) - 0.0012 * place
            policies.append(_policy(f"every {every}, {kind}", gain, len(batches) // every, batches))
    policies.append(_policy("when drift lasts, stateless, expanding", 0.0061, 3, batches))
    policies.append(_policy("when performance falls, stateless, expanding", 0.0078, 3, batches))
    told: dict[str, Any] = {
        "project": "flights",
        "title": "Late arrivals from New York",
        "as_of": "2014-01-03T05:00:00+00:00",
        "batches": list(batches),
        "loss_name": "log_loss",
        "headline_name": "auc",
        "rows": 254_061,
        "costs": {
            "errors": {"missed": 5.0, "false_alarm": 1.0},
            "training_hour": 40.0,
            "false_alarm": 10.0,
        },
        "policies": policies,
        "present": "every 3, stateless, expanding",
        "recommended": {
            "policy": "when performance falls, stateless, expanding",
            "against": "every 3, stateless, expanding",
            "margin": interval(280.0, 230.0),
            "sure": 0.97,
            "best_of_all": 0.41,
            "why": ["It is worth most of the policies that train for less than two minutes in all."],
        },
        "break_even": [{"policy": "every 1, stateless, expanding", "cost": "training_hour", "at": 212.5}],
        "findings": ["Retraining pays from 2013-06 to 2013-09 and is of little use before and after."],
        "wall_seconds": 612.0,
        "report": "",
    }
    return cast(Replay, told | facts)


def _policy(name: str, gain: float, times: int, batches: Sequence[str], bound: bool = False) -> Policy:
    points = [_point(batch, gain * (0.4 + place / 4), place, times) for place, batch in enumerate(batches)]
    return {
        "name": name,
        "told": f"what `{name}` says",
        "settings": {"every": times, "stateful": "stateful" in name},
        "bound": bound,
        "batches": points,
        "loss": 0.45 - gain,
        "headline": 0.74 + gain,
        "against_never": interval(gain),
        "regret": interval(0.0125 - gain),
        "retrainings": times,
        "promoted": times // 2,
        "refused": times - times // 2,
        "rolled_back": 0,
        "training_seconds": 31.5 * times * (0.6 if "stateful" in name else 1.0),
        "false_alarms": times // 3,
        "missed_alarms": 1 if times < 3 else 0,
        "batches_to_mend": 1.5 if times else None,
        "net_value": interval(254_061 * gain - 3 * times, 400.0),
    }


def _point(batch: str, gain: float, place: int, times: int) -> Point:
    retrained = bool(times) and place % max(1, 9 // times) == 0
    wave = gain + 0.002 * math.sin(1.7 * place + times) * (times > 0)
    return {
        "batch": batch,
        "version": "flights/1",
        "made_at": "2013-04-03T04:00:00+00:00",
        "loss": 0.45 - wave,
        "headline": 0.74 + wave,
        "against_never": interval(wave),
        "regret": interval(0.0125 - wave),
        "decision": "retrain stateless" if retrained else "nothing",
        "answer": ("promoted" if place % 2 else "refused") if retrained else None,
        "alarm": ("true" if place % 2 else "false") if retrained else "missed" if place == 5 else None,
    }
