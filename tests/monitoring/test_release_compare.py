"""A canary that is the same is let through, and one that went wrong is found, in whatever way it did."""

from collections.abc import Iterator

import polars as pl
import pytest

from core.errors import PerennialError
from core.spec import Spec
from models.measures.sequential import LEAST
from models.problem import problem_of
from monitoring.performance.refit import refit
from monitoring.release.compare import compare
from monitoring.release.shift import histograms
from monitoring.release.sides import Sides
from monitoring.release.watches import WATCHES, Watch
from tests.monitoring.released import CANARY, CHAMPION, Log, broken, spec

ROW, LAST = pl.int_range(pl.len()), pl.col("prediction")
EVEN = Log(rows=6_000, share=0.5)
SPEC = spec()


def looks(rows: pl.DataFrame, framed: Spec = SPEC, every: int = 400) -> Iterator[tuple[int, str]]:
    """How many rows the canary had when a watch alarmed first, and which, after every batch of rows."""
    seen = set[str]()
    for end in range(every, rows.height + 1, every):
        so_far = rows[:end]
        for watch in compare(framed, so_far, CANARY, CHAMPION):
            if watch.state == "alarm" and watch.name not in seen:
                seen.add(watch.name)
                yield so_far.filter(version=CANARY).height, watch.name


def watch(name: str, rows: pl.DataFrame, framed: Spec = SPEC) -> Watch:
    return next(each for each in compare(framed, rows, CANARY, CHAMPION) if each.name == name)


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_a_canary_that_is_the_same_is_let_through(share: float) -> None:
    """At 95 % 1 of 20 may be alarmed about: more than 4 have a chance of 1 in 300."""
    alarmed = [any(True for _ in looks(Log(share=share).frame(seed))) for seed in range(20)]
    assert sum(alarmed) <= 4


def test_a_canary_no_worse_than_the_limits_is_let_through_too() -> None:
    """It fails 1 in 200 requests more, and is a tenth slower."""
    fails = pl.when(ROW % 200 == 0).then(pl.lit("model"))
    alarmed = [
        any(True for _ in looks(broken(EVEN.frame(seed), error=fails, seconds=pl.col("seconds") * 1.1)))
        for seed in range(10)
    ]
    assert sum(alarmed) <= 2


PLANTED = {
    "fails 1 in 5 requests": ({"error": pl.when(ROW % 5 == 0).then(pl.lit("model"))}, "errors", 400),
    "fails for one region only": (
        {"error": pl.when(pl.col("region") == "islands").then(pl.lit("model"))},
        "errors",
        900,
    ),
    "answers no numbers": ({"prediction": pl.lit(float("nan"))}, "errors", 250),
    "answers nothing": ({"prediction": pl.lit(None, pl.Float64)}, "errors", 250),
    "is three times as slow": ({"seconds": pl.col("seconds") * 3}, "latency", 400),
    "is slow 1 time in 5": (
        {"seconds": pl.when(ROW % 5 == 0).then(1.0).otherwise("seconds")},
        "latency",
        600,
    ),
    "says the same of all": ({"prediction": pl.lit(0.3)}, "prediction shift", 900),
    "says half the chances": ({"prediction": LAST / 2}, "prediction shift", 1_200),
    "knows less": ({"prediction": 0.27 + 0.5 * (LAST - 0.27)}, "estimated loss", 1_600),
    "says the opposite": ({"prediction": 1 - LAST}, "realised loss", 800),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_canary_gone_wrong_is_found(name: str) -> None:
    columns, watched, within = PLANTED[name]
    for seed in range(3):
        found = {which: count for count, which in looks(broken(EVEN.frame(seed), **columns))}
        assert found.get(watched, within + 1) <= within, found


def test_a_canary_of_few_requests_that_fails_altogether_is_found() -> None:
    """At 1 % of the traffic, of an hour of 6,000 requests."""
    rows = broken(Log(share=0.02).frame(1), error=pl.lit("model"))
    assert watch("errors", rows).state == "alarm"
    assert rows.filter(version=CANARY).height < 150


WORSE = {
    "regression": (-LAST, 1_600),
    "quantiles": (LAST.list.eval(pl.element() + 30), 1_600),
    "multiclass": (LAST.list.reverse(), 1_600),
    "ranking": (-LAST, 3_000),
}


@pytest.mark.parametrize("kind", WORSE)
def test_each_kind_of_problem_is_judged_by_its_own_losses(kind: str) -> None:
    made, within = WORSE[kind]
    rows, framed = Log(kind, 6_000, 0.5).frame(1), spec(kind)
    assert not list(looks(rows, framed, 1_000))
    found = {which: count for count, which in looks(broken(rows, prediction=made), framed, 400)}
    assert found.get("realised loss", within + 1) <= within, found


@pytest.mark.parametrize("kind", ["regression", "quantiles", "ranking"])
def test_answers_that_are_no_probabilities_expect_no_loss(kind: str) -> None:
    found = watch("estimated loss", Log(kind, 1_000, 0.5).frame(1), spec(kind))
    assert (found.state, found.numbers) == ("unknown", {})
    assert "do not say what they may lose" in found.reason


def test_an_honest_canary_is_not_blamed_for_a_champion_that_is_too_sure_of_itself() -> None:
    rows, canary = EVEN.frame(1), pl.col("version") == CANARY
    sure = 1 / (1 + (1 / LAST - 1) ** 2)
    rows = rows.with_columns(prediction=pl.when(canary).then("prediction").otherwise(sure))
    past = rows.filter(version=CHAMPION).drop_nulls("label")
    found = refit(problem_of(SPEC), past["prediction"].to_numpy(), past["label"].cast(pl.Float64).to_numpy())
    believed, honest = (
        next(each for each in compare(SPEC, rows, CANARY, CHAMPION, given) if each.name == "estimated loss")
        for given in (None, {CHAMPION: found})
    )
    assert (believed.state, honest.state) == ("alarm", "calm")
    assert honest.numbers["champion"] > believed.numbers["champion"]


def test_what_cannot_be_told_yet_is_unknown_and_says_why() -> None:
    few = compare(SPEC, EVEN.frame(1)[:15], CANARY, CHAMPION)
    assert [each.name for each in few] == list(WATCHES)
    assert {each.state for each in few} == {"unknown"}
    assert f"{LEAST} of each are needed" in few[0].reason
    none = compare(SPEC, EVEN.frame(1)[:0], CANARY, CHAMPION)
    assert {each.state for each in none} == {"unknown"}
    assert none[-1].reason == "No outcomes are known yet"


@pytest.mark.parametrize("kind", ["binary", *WORSE])
def test_sides_without_rows_or_answers_break_nothing(kind: str) -> None:
    rows, framed = Log(kind, 600, 0.5).frame(1), spec(kind)
    alone = compare(framed, rows.filter(version=CANARY), CANARY, CHAMPION)
    assert {each.state for each in (*alone, *compare(framed, rows[:0], CANARY, CHAMPION))} == {"unknown"}
    both_fail = compare(framed, rows.with_columns(error=pl.lit("model")), CANARY, CHAMPION)
    assert [each.state for each in both_fail] == ["calm", "calm", "unknown", "unknown", "unknown"]


def test_without_labels_all_but_the_realised_loss_is_watched() -> None:
    states = [each.state for each in compare(SPEC, EVEN.frame(1).drop("label"), CANARY, CHAMPION)]
    assert states == ["calm", "calm", "calm", "calm", "unknown"]


def test_few_answers_in_many_bins_are_not_held_against_a_canary() -> None:
    found = watch("prediction shift", Log(rows=400, share=0.3).frame(1))
    assert found.state == "unknown"
    assert found.numbers["by_chance"] > SPEC.release.prediction_shift / 2
    assert "more answers are needed" in found.reason


def test_a_reason_says_what_happened_in_numbers() -> None:
    fails = pl.when(ROW % 5 == 0).then(pl.lit("model"))
    found = watch("errors", broken(EVEN.frame(1), error=fails))
    assert found.state == "alarm"
    assert f"requests to {CANARY} had no answer, 0.00% of" in found.reason
    assert found.reason.endswith("the limit is 1.0")
    assert found.numbers["low"] > found.numbers["limit"] == 0.01


def test_a_looser_limit_lets_more_through() -> None:
    rows = broken(EVEN.frame(1), error=pl.when(ROW % 20 == 0).then(pl.lit("model")))
    assert watch("errors", rows).state == "alarm"
    assert watch("errors", rows, spec(errors=0.1)).state == "calm"


def test_one_customer_who_asks_again_and_again_is_no_alarm() -> None:
    """A fifth of the canary's requests fail, all of one of its entities."""
    rows = EVEN.frame(1)
    one = rows.filter(version=CANARY)["entity"][0]
    nagging = rows.filter(pl.col("version") == CANARY).with_columns(
        entity=pl.when(ROW % 5 == 0).then(pl.lit(one)).otherwise("entity")
    )
    nagging = nagging.with_columns(error=pl.when(entity=one).then(pl.lit("model")))
    both = pl.concat([rows.filter(version=CHAMPION), nagging])
    assert watch("errors", both).numbers["canary"] > 0.15
    assert watch("errors", both).state == "calm"


def test_a_request_of_many_rows_fails_once() -> None:
    """One of its rows is enough."""
    rows = EVEN.frame(1).with_columns(request_id=pl.format("r{}-{}", ROW // 50, "version"))
    first = pl.when(ROW.over("request_id") == ROW.min().over("request_id")).then(pl.lit("model"))
    found = watch("errors", broken(rows, error=first))
    assert found.numbers["canary_rows"] + found.numbers["champion_rows"] == rows["request_id"].n_unique()
    assert (found.numbers["canary"], found.numbers["champion"]) == (1, 0)


def test_rows_without_an_entity_stand_for_themselves() -> None:
    rows = broken(EVEN.frame(1), error=pl.when(ROW % 5 == 0).then(pl.lit("model")))
    for nothing in (None, ""):
        found = watch("errors", rows.with_columns(entity=pl.lit(nothing, pl.String)))
        assert found.state == "alarm"


def test_other_versions_are_passed_over() -> None:
    rows = EVEN.frame(1)
    shadow = rows.with_columns(version=pl.lit("shop/6"), error=pl.lit("model"))
    assert compare(SPEC, pl.concat([rows, shadow]), CANARY, CHAMPION) == compare(SPEC, rows, CANARY, CHAMPION)


def test_a_log_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(PerennialError, match="lack the columns \\['seconds'\\]"):
        compare(SPEC, EVEN.frame(1).drop("seconds"), CANARY, CHAMPION)


def test_what_samples_reach_by_chance_is_no_shift() -> None:
    """Both are the same: beyond chance the PSI is 0 on average, at any size."""
    found = [watch("prediction shift", Log(rows=1_500, share=0.5).frame(seed)).numbers for seed in range(30)]
    beyond = sum(each["psi"] - each["by_chance"] for each in found) / 30
    assert abs(beyond) < 0.25 * sum(each["by_chance"] for each in found) / 30
    assert all(each["low"] < each["psi"] - each["by_chance"] for each in found)
    (one,) = histograms(Sides.of(EVEN.frame(1), CANARY, CHAMPION).answered(), problem_of(SPEC))
    assert one.beyond_chance(1_000, 0.98).value == pytest.approx(one.distance - one.by_chance)


def test_a_shift_below_the_limit_is_no_alarm_while_samples_are_small() -> None:
    """The PSI of the answers of all is 0.15: of a thousand it may be above 0.2."""
    frames = [broken(Log(rows=2_000, share=0.5).frame(seed), prediction=LAST**1.35) for seed in range(10)]
    assert sum(watch("prediction shift", each).numbers["psi"] > 0.2 for each in frames) >= 1
    assert all(watch("prediction shift", each).state == "calm" for each in frames)
