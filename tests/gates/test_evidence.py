"""What the gate is told of the contenders, its slices, and what it writes down."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError, PerennialError
from core.plain import plain
from core.spec import Spec
from models.gate.judge import Check, Contender, GateReport, Served
from models.registry.registry import Lineage, Registry

Gate = Callable[..., GateReport]


def failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def found(report: GateReport, name: str) -> Any:
    return next(check for check in report.checks if check.name == name)


def with_gate(spec: Spec, **rules: Any) -> Spec:
    return spec.model_copy(update={"gate": spec.gate.model_copy(update=rules)})


def priced(spec: Spec, loss_per_ms: float) -> Spec:
    constraints = spec.constraints.model_copy(update={"loss_per_ms": loss_per_ms})
    return spec.model_copy(update={"constraints": constraints})


# Accuracy against latency


def test_a_slower_one_must_gain_what_its_latency_costs(
    gate: Gate, spec: Spec, challenger: Contender, champion: Contender, served: Served
) -> None:
    """It gains some 0.05 nats, and takes 2 ms more."""
    slow = replace(challenger, files=(replace(served, p99_us=2_040),))
    assert failed(gate(slow, champion, spec=priced(spec, 0.01))) == set()
    report = gate(slow, champion, spec=priced(spec, 0.03))
    assert failed(report) == {"better"}
    assert "must be above 0.06, with 0.0600 for being slower" in report.reasons[0]
    assert found(report, "better").limit == pytest.approx(0.06)


def test_a_faster_one_is_credited(
    gate: Gate, spec: Spec, world: Any, challenger: Contender, served: Served
) -> None:
    a_little_worse = world.model("flights/3", noise=0.35, seed=12)
    slow = replace(challenger, files=(replace(served, p99_us=3_040),))
    assert "better" in failed(gate(a_little_worse, slow))
    report = gate(a_little_worse, slow, spec=priced(spec, 0.02))
    assert failed(report) == set()
    assert "for being faster" in report.reasons[0]


def test_latency_has_no_price_against_a_constant(
    gate: Gate, spec: Spec, challenger: Contender, served: Served
) -> None:
    slow = replace(challenger, files=(replace(served, p99_us=4_000),))
    assert failed(gate(slow, None, spec=priced(spec, 1.0))) == set()


# What is on record


def test_a_champion_whose_answers_were_read_from_the_challenger_is_found_out(
    gate: Gate, challenger: Contender, champion: Contender
) -> None:
    """As in a pipeline that looks the champion's metrics up under the challenger's name."""
    mistaken = replace(champion, answers=challenger.answers, complexity=3)
    report = gate(challenger, mistaken)
    assert failed(report) == {"scored afresh"}
    rounded = replace(mistaken, answers=challenger.answers.astype(np.float32).astype(np.float64))
    assert failed(gate(challenger, rounded)) == {"scored afresh"}


def test_the_champion_is_not_its_own_challenger(gate: Gate, champion: Contender, world: Any) -> None:
    again = world.model("flights/1", noise=0.2, seed=12)
    assert "scored afresh" in failed(gate(again, champion))


@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_one_that_answers_otherwise_than_on_its_record_is_refused(
    gate: Gate, challenger: Contender, champion: Contender, who: str
) -> None:
    pair = {"challenger": challenger, "champion": champion}
    pair[who] = replace(pair[who], off_record=0.02)
    report = gate(pair["challenger"], pair["champion"])
    assert failed(report) == {"scored afresh"}
    assert f"the answers of {pair[who].id} are 0.02 off those on its record" in report.reasons[0]


def test_keys_on_record_tell_what_time_does_not(
    gate: Gate, world: Any, challenger: Contender, champion: Contender
) -> None:
    flights = pl.DataFrame({"flight": [-1, 5, 17, 17], "tail": ["a", "b", "c", "d"]})
    report = gate(replace(challenger, fitted=flights), champion)
    assert failed(report) == {"unseen rows"}
    assert found(report, "unseen rows").value == 2
    strangers = pl.DataFrame({"tail": ["a"]})
    with pytest.raises(PerennialError, match=r"known by \['tail'\]"):
        gate(replace(challenger, fitted=strangers), champion)


def test_a_corrupted_file_does_not_come_to_the_gate(
    tmp_path: Path, gate: Gate, challenger: Contender, champion: Contender, served: Served
) -> None:
    registry, folder = Registry(f"sqlite:///{tmp_path}/registry.db", tmp_path / "store"), tmp_path / "bundle"
    folder.mkdir()
    (folder / "float32.onnx").write_bytes(b"a graph")
    instant = challenger.fitted_until
    lineage = Lineage({}, (), instant, "", "", {}, 0, instant)
    version = registry.register("flights", "lightgbm", folder, {}, lineage)
    path = registry.file(version, "float32.onnx")
    path.chmod(0o644)
    path.write_bytes(b"a_graph")
    with pytest.raises(IntegrityError, match=r"flights/1 float32\.onnx"):
        registry.file(version, "float32.onnx")
    broken = replace(served, parity=False, difference=0.4)
    report = gate(challenger, champion, files=(broken,))
    assert failed(report) == {"parity"}
    assert "float32 is 4.0e-01 off the native model" in report.reasons[0]


# Slices


def test_slices_by_number_and_by_missing_values(
    gate: Gate, spec: Spec, world: Any, challenger: Contender, champion: Contender
) -> None:
    wind = world.rows.frame["wind"]
    rows = replace(world.rows, frame=world.rows.frame.with_columns(wind=wind.set(wind > 1.2, None)))
    calm = np.where((wind > 1.2).to_numpy(), 1 - challenger.answers, challenger.answers)
    report = gate(
        replace(challenger, answers=calm), champion, rows=rows, spec=with_gate(spec, slices=("wind",))
    )
    check = found(report, "slices")
    assert not check.passed
    assert check.detail.startswith("1 of 6 slices are surely worse by over 0.02; the worst: wind=missing -")


def test_ten_thousand_values_are_judged_where_they_have_rows(
    gate: Gate, spec: Spec, world: Any, challenger: Contender, champion: Contender
) -> None:
    names = [f"N{row}" if row % 2 else "often" for row in range(len(world.rows))]
    rows = replace(world.rows, frame=world.rows.frame.with_columns(tail=pl.Series(names)))
    report = gate(challenger, champion, rows=rows, spec=with_gate(spec, slices=("tail",)))
    assert failed(report) == set()
    assert found(report, "slices").detail.startswith("0 of 1 slices")


def test_by_chance_alone_slices_are_seldom_worse(gate: Gate, spec: Spec, make_world: Any) -> None:
    """Nine slices of an equal model: of 60 worlds 3 may have one; over 9 has a chance of 1 in 1,000."""
    quick, refused = with_gate(spec, draws=200, slices=("letter",), slice_margin=0.0), 0
    for seed in range(60):
        month = make_world(seed=seed, days=14, daily=150)
        letters = pl.Series(
            "letter", np.random.default_rng(seed + 500).choice(list("abcdefghi"), len(month.rows))
        )
        rows = replace(month.rows, frame=month.rows.frame.with_columns(letters))
        pair = month.model("flights/2", 0.5, 1000 + seed), month.model("flights/1", 0.5, 2000 + seed)
        refused += not found(gate(*pair, rows=rows, spec=quick), "slices").passed
    assert refused <= 9


# What is written down


def test_the_report_is_plain_and_reads_back_as_it_was(stage: Any) -> None:
    for champion in (stage.champion, None):
        report = stage.judged(stage.challenger, champion)
        kept = json.loads(json.dumps(plain(report), allow_nan=False))
        assert GateReport(**{**kept, "checks": tuple(Check(**check) for check in kept["checks"])}) == report


def test_each_reason_is_one_short_sentence_with_its_number(
    stage: Any, challenger: Contender, champion: Contender
) -> None:
    report = stage.judged(replace(stage.champion, id="flights/2"), stage.challenger)
    for check in report.checks:
        assert len(check.detail) <= 230, check.detail
        assert "\n" not in check.detail
