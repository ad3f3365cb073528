"""What a replay says on the terminal, with the spec's costs and without them."""

from typing import Any

import pytest
from rich.console import Console

from flows.show_replay import replay as show
from tests.reports.replays import interval, replay


def said(**facts: Any) -> str:
    console = Console(width=120)
    with console.capture() as found:
        show(console, replay(**facts))
    return found.get()


@pytest.mark.parametrize("in_costs", [True, False])
def test_the_policy_that_is_worth_most_comes_first_and_bounds_last(in_costs: bool) -> None:
    facts = replay()
    if not in_costs:
        for policy in facts["policies"]:
            policy["net_value"] = None
    lines = said(policies=facts["policies"]).split("gain and regret by row")[0].splitlines()
    names = [line[1:45].split("  ")[0].strip() for line in lines if "±" in line]
    assert sorted(names) == sorted(policy["name"] for policy in facts["policies"])
    assert {*names[-2:]} == {"never", "oracle"}
    gains = {policy["name"]: policy["against_never"]["value"] or 0.0 for policy in facts["policies"]}
    assert names[0] == max(names[:-2], key=gains.__getitem__)


def test_what_to_use_is_told_in_costs() -> None:
    text = said()
    assert "Use when performance falls, stateless, expanding" in text
    assert "worth +280 (+50 to +510) in the spec's costs more than 'every 3, stateless, expanding'" in text
    assert "no less in 97% of all draws of days" in " ".join(text.split())
    assert "at 212.50 for an hour of training 'every 1, stateless, expanding'" in text


def test_without_costs_it_is_told_in_the_loss_with_its_decimals() -> None:
    recommended = {**replay()["recommended"], "margin": interval(0.0031, 0.0011)}
    policies = [{**policy, "net_value": None} for policy in replay()["policies"]]
    costs = {"errors": {}, "training_hour": 0.0, "false_alarm": 0.0}
    text = said(costs=costs, recommended=recommended, policies=policies)
    assert "worth +0.0031 (+0.0020 to +0.0042) of log loss more than" in text
    assert "net value" not in text


def test_what_is_worth_the_same_is_no_gain() -> None:
    recommended = {**replay()["recommended"], "margin": interval(0.0, 0.0)}
    assert "worth as much as 'every 3, stateless, expanding', and trains less" in said(
        recommended=recommended
    )
    own = {**recommended, "policy": recommended["against"]}
    assert "trains less" not in said(recommended=own)


def test_a_column_that_says_nothing_is_left_out() -> None:
    facts = replay()
    assert " alarms " in said(policies=facts["policies"])
    for policy in facts["policies"]:
        policy["false_alarms"] = policy["missed_alarms"] = None
    assert "alarms" not in said(policies=facts["policies"]).split("Use ")[0]


def test_a_question_of_what_if_is_told_as_it_was_asked() -> None:
    question = "INJECT='{kind: drift, column: arr_delay, add: 20}' VERSION=flights/5"
    assert said(question=question).startswith(f"What if: {question}\n")
    assert "What if" not in said()
