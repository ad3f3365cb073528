"""A story with something of everything, for the tests of the W&B report."""

from dataclasses import replace
from typing import Any

from reports.wandb.story import Measured, Model, Replay, Story, Watched


def policy(name: str, loss: float | None, **facts: Any) -> dict[str, Any]:
    points = [{"batch": "2013-04", "loss": loss}, {"batch": "2013-05", "loss": None}]
    sure = {"value": 0.0123, "low": 0.0045, "high": 0.0201}
    return {"name": name, "batches": points, "loss": loss, "against_never": sure, "regret": sure} | facts


REPLAY: dict[str, Any] = {
    "project": "flights",
    "batches": ["2013-04", "2013-05"],
    "loss_name": "log_loss",
    "policies": [
        policy("never", 0.5211, bound=True, retrainings=0, promoted=0),
        policy("every 2, stateless", 0.4987, retrainings=4, promoted=3, false_alarms=1, missed_alarms=2),
        policy("on drift", None, net_value={"value": -1250.0, "low": -2000.0, "high": None}),
    ],
    "present": "on drift",
    "recommended": {"policy": "every 2, stateless", "margin": {}, "sure": 0.97, "why": ["It gains 0.0224."]},
    "findings": ["Retraining pays from 2013-05 to 2013-09."],
}


def model(number: int, stage: str, **facts: Any) -> Model:
    measures = {"auc": Measured(0.7012, 0.6801, 0.7223), "log_loss": Measured(0.5131)}
    made = Model(f"flights/{number}", "lightgbm", stage, "2013-04-03", measures)
    return replace(made, **facts)


def watched(batch: str, **facts: Any) -> Watched:
    found = Watched(
        batch=batch,
        version="flights/2",
        measures={"auc": Measured(0.6875, 0.6613, 0.7137), "log_loss": Measured(0.5432, 0.51, 0.57)},
        baseline={"auc": 0.6543},
        drift=0.2468,
        prediction_drift=0.3579,
        decision="retrain stateless",
        outcome="flights/3 serves",
        reasons=["AUC 0.6875 is low"],
        final=True,
    )
    return replace(found, **facts)


STORY = Story(
    project="flights",
    title="Late arrivals",
    as_of="2014-01-15",
    headlines=("auc", "log_loss"),
    models=(model(1, "retired"), model(2, "champion", gate="accepted; better: gain +0.02", run="gq2fhspu")),
    watched=(watched("2013-04"), watched("2013-05", final=False)),
    drift_threshold=0.2,
    replay=Replay.read(REPLAY, "summary.json"),
)
