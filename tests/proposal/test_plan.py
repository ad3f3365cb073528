"""What is proposed for a table: kinds, time, label, key, batches, features, and what knows too much."""

import sqlite3
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import DeliveryError, SpecError
from proposal.plan import Plan
from tests.proposal.tables import ROWS, knowing, orders, plan_at, plan_of


def names(plan: Plan) -> list[str]:
    return [feature.name for feature in plan.features.proposed]


def left(plan: Plan) -> dict[str, str]:
    return {each.column: each.why for each in plan.features.left}


def test_a_clean_table_is_understood(tmp_path: Path) -> None:
    plan = plan_of(orders(), tmp_path)
    assert (plan.label.problem, plan.label.kind, plan.key.columns) == ("binary", "boolean", ("order",))
    assert plan.label.base_rate == pytest.approx(orders()["back"].mean())
    assert (plan.batches.every, plan.batches.start) == ("1mo", date(2020, 1, 1))
    assert sum(plan.batches.rows) == ROWS
    assert names(plan) == ["hour", "weekday", "price", "city"]
    assert left(plan).keys() == {"order"}


@pytest.mark.parametrize("kind", ["csv.gz", "parquet", "jsonl", "delta", "sql"])
def test_however_it_is_delivered_the_same_is_proposed(kind: str, tmp_path: Path) -> None:
    table, path = orders(), tmp_path / f"orders.{kind}"
    data = str(path)
    if kind == "csv.gz":
        table.write_csv(path, compression="gzip")
    elif kind == "parquet":
        table.write_parquet(path)
    elif kind == "jsonl":
        table.write_ndjson(path)
    elif kind == "delta":
        table.write_delta(path)
    else:
        with sqlite3.connect(path) as database:
            database.execute(
                'CREATE TABLE orders ("order" INTEGER, at TEXT, price REAL, city TEXT, back INTEGER)'
            )
            rows = table.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).rows()
            database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", rows)
        data = f"sqlite:///{path}#orders"
    plan, right = plan_at(data, tmp_path), plan_of(table, tmp_path)
    assert (names(plan), plan.key, plan.batches, plan.label.counts) == (
        names(right),
        right.key,
        right.batches,
        right.label.counts,
    )


def test_columns_that_know_the_label_are_left_out_and_honest_ones_stay(tmp_path: Path) -> None:
    plan = plan_of(knowing(orders()), tmp_path)
    suspected = {each.column for each in plan.features.left if each.feature is not None}
    assert suspected == {"refunded", "reason", "is_back"}
    # What is there with each label, and later, says when the label is known.
    assert (plan.known.column, plan.known.after, plan.known.maturity) == ("returned_at", None, "216h")
    assert {"price", "city", "twice", "days_since_opened_at"} <= set(names(plan))
    assert "returned_at" not in names(plan)


def test_what_counts_the_rows_is_no_feature_whatever_its_name(tmp_path: Path) -> None:
    luck, place = np.random.default_rng(9), pl.int_range(pl.len())
    counts = place * 1_000 + pl.Series(luck.integers(0, 999, ROWS))
    swapped = pl.when(place % 400 == 7).then(counts - 5_000).otherwise(counts)  # a few came late
    plan = plan_of(orders().with_columns(seen=swapped, left=-swapped, paid=counts.shuffle(1)), tmp_path)
    assert {"seen", "left"} <= left(plan).keys() and "paid" in names(plan)


def test_a_record_of_a_wrong_length_says_nothing_of_the_label(tmp_path: Path) -> None:
    kind = pl.Series("kind", np.random.default_rng(2).choice(["a", "b", "c"], ROWS))
    path = tmp_path / "table.csv"
    orders().drop("back").with_columns(kind).write_csv(path)
    with path.open("a") as file:
        file.write("7,2020-03-01,1.0\n8,2020-03-01,1.0,Bergen,odd,b\n")
    plan = plan_at(str(path), tmp_path, "kind")
    assert (plan.table.count, plan.table.malformed, plan.label.labelled) == (ROWS + 2, 2, ROWS)
    assert plan.label.classes == ("a", "b", "c")


def test_numbers_that_add_up_to_the_label_are_found_together(tmp_path: Path) -> None:
    luck = np.random.default_rng(3)
    parts = {name: luck.integers(0, 500, ROWS) for name in ("casual", "registered")}
    table = orders().drop("back").with_columns(**{name: pl.Series(part) for name, part in parts.items()})
    plan = plan_of(table.with_columns(total=pl.col("casual") + pl.col("registered")), tmp_path, "total")
    assert {"casual", "registered"} <= set(left(plan)) and {"price", "city"} <= set(names(plan))
    assert plan.label.problem == "regression"


def test_what_is_filled_with_the_outcome_is_seen_by_the_rows_whose_outcome_is_open(tmp_path: Path) -> None:
    open_ = pl.int_range(pl.len()) >= ROWS - 200
    table = orders().with_columns(back=pl.when(~open_).then("back"))
    note = pl.Series(np.random.default_rng(5).choice(["a", "b"], ROWS))
    plan = plan_of(table.with_columns(note=pl.when(~open_).then(note)), tmp_path)
    assert "not known yet" in left(plan)["note"]


def test_a_time_that_mostly_lies_after_the_event_is_suspected(tmp_path: Path) -> None:
    luck = np.random.default_rng(6)
    hours = {"sent_at": (-2, 9), "seen_at": (-9, 2)}
    times = {
        name: pl.col("at") + pl.duration(minutes=pl.Series(luck.integers(60 * low, 60 * high, ROWS)))
        for name, (low, high) in hours.items()
    }
    plan = plan_of(orders().with_columns(**times), tmp_path)
    assert "lies after the event in 8" in left(plan)["sent_at"] and "days_since_seen_at" in names(plan)


def test_what_is_called_as_the_label_and_tells_of_it_is_suspected(tmp_path: Path) -> None:
    luck = np.random.default_rng(6)
    guess = orders()["back"].to_numpy() ^ (luck.random(ROWS) < 0.15)
    calls = pl.Series(luck.integers(0, 9, ROWS))
    table = orders().with_columns(back_flag=pl.Series(guess), angry=pl.Series(guess), back_calls=calls)
    plan = plan_of(table, tmp_path)
    assert "its name is like" in left(plan)["back_flag"] and {"angry", "back_calls"} <= set(names(plan))


def test_what_is_mostly_filled_for_one_label_is_suspected(tmp_path: Path) -> None:
    luck = np.random.default_rng(6)
    filled = (pl.col("back") == 1) ^ pl.Series(luck.random(ROWS) < 0.04)
    table = orders().with_columns(note=pl.when(filled).then(pl.Series(luck.choice(["a", "b"], ROWS))))
    assert "whether it is filled tells the label" in left(plan_of(table, tmp_path))["note"]


@pytest.mark.parametrize(
    ("as_delivered", "form"),
    [
        (pl.col("at").dt.strftime("%d/%m/%Y %H:%M"), "%d/%m/%Y %H:%M"),
        (pl.col("at").dt.strftime("%m/%d/%Y"), "%m/%d/%Y"),
        (pl.col("at").dt.epoch("s"), "s"),
        (pl.col("at").dt.epoch("ms"), "ms"),
        (pl.col("at").dt.strftime("%Y%m%d"), "%Y%m%d"),
    ],
)
def test_a_time_in_another_form_becomes_the_same_instant(
    as_delivered: pl.Expr, form: str, tmp_path: Path
) -> None:
    plan = plan_of(orders().with_columns(as_delivered.alias("at")), tmp_path)
    assert plan.time is not None and plan.time.form == form
    values = pl.col("at").cast(pl.String) if plan.time.kind == "string" else pl.col("at").cast(pl.Int64)
    read = (
        orders()
        .with_columns(as_delivered.alias("at"))
        .with_columns(values)
        .select(plan.time.instant())
        .to_series()
    )
    assert (read.dt.date() == orders()["at"].dt.date()).all()
    made = eval("".join(plan.time.code()), {"pl": pl})
    again = orders().with_columns(as_delivered.alias("at")).with_columns(values).select(made).to_series()
    assert again.equals(read)


@pytest.mark.parametrize(
    ("values", "problem", "name"),
    [
        (["yes", "no"], "binary", "kind"),
        (["bad", "good", "good"], "binary", "kind is bad"),
        (["a", "b", "c"], "multiclass", "kind"),
        (["0", "1", "2"], "multiclass", "kind"),
        (["1.5", "2.25", "8", "9", "11.5"], "regression", "kind"),
    ],
)
def test_the_values_of_a_label_tell_the_problem(
    values: list[str], problem: str, name: str, tmp_path: Path
) -> None:
    some = pl.Series(np.random.default_rng(2).choice(values, ROWS))
    plan = plan_of(orders().with_columns(kind=some), tmp_path, "kind")
    assert (plan.label.problem, plan.label.name) == (problem, name)


def test_an_entity_that_comes_back_has_a_past(tmp_path: Path) -> None:
    who = pl.Series(np.random.default_rng(4).integers(0, 60, ROWS))
    plan = plan_of(orders().drop("order").with_columns(customer=who), tmp_path, key=("customer",))
    assert plan.key.entity == ("customer",)
    assert {"customer_events", "customer_since", "customer_rate"} <= set(names(plan))


def test_without_a_time_the_order_of_rows_stands_for_it(tmp_path: Path) -> None:
    plan = plan_of(orders().drop("at", "order"), tmp_path, time=None)
    assert (plan.event_time, plan.key.columns) == ("counted_at", ("counted_at",))
    assert plan.batches.counted is not None and sum(plan.batches.rows) == ROWS
    assert names(plan) == ["price", "city"]
    assert not plan.batches.doubt
    by_label = plan_of(orders().sort("back").drop("at", "order"), tmp_path, time=None)
    assert "sorted by something" in by_label.batches.doubt


def test_markers_codes_and_money_are_told_apart_from_numbers(tmp_path: Path) -> None:
    place = pl.int_range(pl.len())
    table = orders().with_columns(
        gaps=pl.when(place % 7 == 0).then(pl.lit("?")).otherwise(pl.col("price").cast(pl.String)),
        zip=pl.concat_str(pl.lit("0"), (place % 50 + 1000).cast(pl.String)),
        paid=pl.concat_str(pl.lit("$"), (place + 1000).cast(pl.String)),
    )
    plan = plan_of(table, tmp_path)
    assert plan.readings["gaps"].kind == "float" and plan.readings["gaps"].markers == ("?",)
    assert plan.readings["zip"].kind == "string" and "zip" in names(plan)
    assert "deliver plain ones" in left(plan)["paid"]
    assert plan.unread == {}


WRONG = {
    "ten rows": (orders().head(10), {}, "has 10 rows"),
    "a label all null": (orders().with_columns(back=pl.lit(None, dtype=pl.Int64)), {}, "null in all of"),
    "no such label": (orders(), {"label": "bakc"}, "did you mean 'back'"),
    "no such key": (orders(), {"key": ("oder",)}, "KEY=oder"),
    "times that are none": (orders().with_columns(at=pl.lit("soon")), {}, "no times that can be read"),
    "one time": (orders().with_columns(at=pl.lit("2020-01-01")), {}, "is 2020-01-01 00:00 in every row"),
    "ids as label": (orders(), {"label": "order"}, "it names the rows"),
    "300 texts as label": (
        orders().with_columns(back=pl.concat_str(pl.lit("no. "), pl.int_range(pl.len()) % 300)), {}, "300 di",
    ),
    "a contradiction": (orders(), {"label": "price", "problem": "binary"}, "it takes two values"),
    "a ranking without lists": (orders(), {"problem": "ranking"}, "needs GROUP"),
    "nothing to predict from": (orders().select("at", "back"), {"time": None}, None),
    "a label as key": (orders(), {"key": ("back",)}, "is the LABEL, too"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_said_in_a_sentence(case: str, tmp_path: Path) -> None:
    table, more, why = WRONG[case]
    with pytest.raises(SpecError, match=why or "no column is left"):
        plan_of(table, tmp_path, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("nowhere.csv", "there is no file"),
        ("table.csv.xz", "unpack it first"),
        ("table.xlsx", "Excel is not read"),
        ("", "is a folder"),
        ("https://example.com/a.csv", "download the file first"),
        ("semicolons.csv", "divided by semicolons"),
        ("empty.csv", "is empty"),
        ("sqlite:///shop.db", "which table"),
        ("postgresql://reader:hunter2@db/shop#orders", r"write \$\{NAME\}"),
    ],
)
def test_a_place_that_cannot_be_read_is_said_in_a_sentence(data: str, why: str, tmp_path: Path) -> None:
    for name in ("table.csv.xz", "table.xlsx", "empty.csv"):
        (tmp_path / name).touch()
    orders().write_csv(tmp_path / "semicolons.csv", separator=";")
    with pytest.raises((DeliveryError, SpecError), match=why) as caught:
        plan_at(data or str(tmp_path), tmp_path)
    assert "hunter2" not in str(caught.value)
