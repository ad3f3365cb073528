"""`make check`: every problem of a project at once, each with its place, and nothing is run or raised."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SpecError
from core.settings import Settings
from stages.check import Checked, check

SPEC = """\
name: shop
title: Orders that come back
objective: {business: know, learning: predict}
problem: binary
batches: {every: 1d, start: 2013-03-09, end: 2013-03-12}
events: orders
datasets:
  orders:
    source: {kind: files, path: "inbox/{batch}.csv"}
    columns: {id: integer, at: datetime, shop: string, paid: float, back: boolean, seen: datetime}
    key: [id]
    prepare: tidy
    event_time: at
    known_at: seen
  shops:
    source: {kind: sql, url: "postgresql://ann:${SHOP_PASSWORD}@db/shop", table: shops}
    columns: {shop: string, opened: integer}
    key: [shop]
decision: {before: at, lead: 1h}
outcome: {label: back, known_at: seen, maturity: 1d}
features:
  shop: {from: row, column: shop, kind: category}
  opened: {from: lookup, dataset: shops, column: opened, kind: number, by: {shop: shop}}
  spent: {from: function, function: spent, kind: number}
training:
  families: [linear, lightgbm]
  parameters: {lightgbm: {num_leaves: 15}}
  tuning: {families: [linear], space: {linear: {strength: {low: 0.1, high: 1.0}}}}
gate: {slices: [shop]}
"""
FUNCTIONS = """\
import polars as pl

def tidy(frame, tables):
    return frame

def spent():
    return pl.col("paid") * 2

def expect_paid(column):
    return pl.col(column) > 0
"""
ORDERS = """\
name: orders
version: 1
expectations:
  - {type: expect_column_values_to_not_be_null, severity: warning, kwargs: {column: id}}
  - {type: expect_paid, severity: info, kwargs: {column: paid}}
  - type: expect_column_values_to_be_in_set
    severity: info
    kwargs: {column: shop, value_set: {$PARAMETER: shops.shop}}
"""
SHOPS = """\
name: shops
version: 1
expectations:
  - {type: expect_column_values_to_be_unique, severity: critical, kwargs: {column: shop}}
"""
FILES = {
    "projects/shop/project.yaml": SPEC,
    "projects/shop/functions.py": FUNCTIONS,
    "expectations/shop/orders.yaml": ORDERS,
    "expectations/shop/shops.yaml": SHOPS,
}
Judge = Callable[..., Checked]


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Checks the shop, in whose files texts were replaced: `judge({file: {old: new}})`."""
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    (tmp_path / "projects/shop/inbox").mkdir(parents=True)
    (tmp_path / "projects/shop/inbox/2013-03-09.csv").touch()

    def of(changes: dict[str, dict[str, str]] | None = None) -> Checked:
        for name, right in FILES.items():
            path, text = tmp_path / name, right
            for old, new in (changes or {}).get(path.name, {}).items():
                assert old in text, old
                text = text.replace(old, new, 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        settings = Settings(
            home=tmp_path / "home", projects=tmp_path / "projects", suites=tmp_path / "expectations"
        )
        return check("shop", settings)

    return of


def places(found: Checked) -> list[str]:
    """File, line and key of each problem."""
    return [re.sub(r"^.*/(\w+\.\w+:\d+: [\w.]+).*", r"\1", sentence) for sentence in found.problems]


def test_a_project_that_is_in_order_has_no_problem(judge: Judge) -> None:
    assert judge() == Checked((), ())


def test_a_policy_of_a_replay_is_checked_as_the_spec_is(judge: Judge) -> None:
    policies = "replay: {policies: {mine: {training: {families: [linaer]}}, fine: {gate: {gain: 0.1}}}}"
    found = judge({"project.yaml": {"gate: {slices": f"{policies}\ngate: {{slices"}})
    line = 1 + SPEC.splitlines().index("gate: {slices: [shop]}")
    assert places(found) == [f"project.yaml:{line}: replay.policies.mine.training.families.0"]
    assert "did you mean 'linear'" in found.problems[0]


def test_two_dozen_problems_are_said_at_once_and_nothing_that_follows_from_them(judge: Judge) -> None:
    found = judge(
        {
            "project.yaml": {
                "title: Orders": "titel: Orders",
                "problem: binary": "problem: binry",
                "start: 2013-03-09": "start: yesterday",
                "shop: string, paid: float": "shop: text, paid: float",
                "known_at: seen": "known_at: 7",
                "prepare: tidy": "prepare: tidi",
                "opened: integer": "opened: integer, row: integer",
                "lead: 1h": "lead: soon",
                "before: at": "before: [at]",
                "shop: {from: row": "shop: {form: row",
                "dataset: shops, column": "dataset: shop, column",
                "function: spent,": "function: spend,",
                "families: [linear, lightgbm]": "families: [linaer, lightgbm]",
                "num_leaves": "num_leafs",
                "strength": "strenth",
                "gate: {slices: [shop]": "gate: {slices: [shp], margin: low",
                "SHOP_PASSWORD": "SHOP_PASWORD",
            },
            "orders.yaml": {
                "version: 1": "version: one",
                "to_not_be_null, severity": "to_not_be_nul, severty",
                "kwargs: {column: paid}": "kwargs: {colum: paid}",
            },
            "shops.yaml": {
                "severity: critical, kwargs: {column: shop}": "severity: fatal, kwargs: {column: town}"
            },
        }
    )
    assert places(found) == [
        "orders.yaml:2: version",
        "orders.yaml:4: unknown",
        "orders.yaml:4: unknown",
        "orders.yaml:5: unknown",
        "shops.yaml:4: unknown",
        "project.yaml:2: titel",
        "project.yaml:4: problem",
        "project.yaml:5: batches.start",
        "project.yaml:10: datasets.orders.columns.shop",
        "project.yaml:12: datasets.orders.prepare",
        "project.yaml:14: datasets.orders.known_at",
        "project.yaml:16: datasets.shops.source.url",
        "project.yaml:17: datasets.shops.columns.row",
        "project.yaml:19: decision.before",
        "project.yaml:19: decision.lead",
        "project.yaml:22: features.shop.form",
        "project.yaml:23: features.opened.dataset",
        "project.yaml:24: features.spent.function",
        "project.yaml:26: training.families.0",
        "project.yaml:27: training.parameters.lightgbm.num_leafs",
        "project.yaml:29: gate.margin",
        "project.yaml:29: gate.slices.0",
    ]
    assert all("hunter2" not in sentence for sentence in found.problems)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("functions.py", "def tidy(", "def tidy((", r"functions\.py:3: is no valid Python"),
        (
            "functions.py",
            'pl.col("paid") * 2',
            "7",
            r"project\.yaml:24: features\.spent\.function: spent\(\) must",
        ),
        (
            "functions.py",
            'pl.col("paid") * 2',
            "1 / 0",
            r"features\.spent\.function: spent\(\) fails: .*:7: Zero",
        ),
        (
            "functions.py",
            "expect_paid",
            "expect_payed",
            r"orders\.yaml:5: unknown .* did you mean 'expect_payed'",
        ),
        (
            "project.yaml",
            "  opened: {",
            "  label: {",
            r"features\.label: every feature table has",
        ),
        ("orders.yaml", "shops.shop", "shops.town", r"orders\.yaml:6: .*'shops\.town'.* no column 'town'"),
        (
            "orders.yaml",
            "shops.shop",
            "shop.shop",
            r"orders\.yaml:6: .* no other dataset 'shop'; did you mean 'shops'",
        ),
        (
            "shops.yaml",
            "column: shop",
            "column: town",
            r"shops\.yaml:4: .*dataset 'shops' has no column 'town'",
        ),
        ("shops.yaml", "name: shops", "name: [", r"shops\.yaml:3: is no valid YAML"),
        (
            "project.yaml",
            "strength",
            "strenth",
            r":28: .*\.space\.linear\.strenth: .* did you mean 'strength'",
        ),
        (
            "project.yaml",
            "gate: {slices: [shop]}",
            "alerts: [{block: slack-webhook/day}, {block: slack/night}]",
            r":29: alerts\.1\.block: no block of type 'slack' notifies; there is 'apprise',",
        ),
    ],
)
def test_a_problem_is_told_alone(judge: Judge, file: str, old: str, new: str, said: str) -> None:
    (found,) = judge({file: {old: new}}).problems
    assert re.search(said, found), found


def test_a_secret_that_is_not_set_is_a_problem(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD")
    (found,) = judge().problems
    assert "project.yaml:16: datasets.shops.source.url: ${SHOP_PASSWORD}: the environment variable" in found


def test_suites_without_datasets_and_datasets_without_suites_are_told(judge: Judge, tmp_path: Path) -> None:
    judge()
    folder = tmp_path / "expectations/shop"
    (folder / "order.yaml").write_text(ORDERS.replace("orders", "order", 1))
    (folder / "orders.proposed.yaml").write_text("name: [")
    (wrong,) = judge().problems
    assert wrong.endswith("order.yaml:1: is the suite of no dataset; did you mean 'orders'?")
    found = judge({"project.yaml": {"  shops:": "  stores:", "dataset: shops": "dataset: stores"}}).problems
    assert any("stores.yaml: there is no such file: begin with" in sentence for sentence in found)
    assert any("shops.yaml:1: is the suite of no dataset" in sentence for sentence in found)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{kind: files, path: outbox/orders.csv}", r"outbox/orders\.csv is missing"),
        ('{kind: files, path: "outbox/{batch}.csv"}', r"there is no outbox/\{batch\}\.csv"),
        ("{kind: files, path: 'outbox/*.csv'}", r"there is no file .*outbox/\*\.csv"),
        ("{kind: delta, path: orders}", "there is no orders"),
        (
            "{kind: package, package: no_such_package, file: x.csv}",
            "'no_such_package' is not installed: `make data",
        ),
    ],
)
def test_a_source_that_is_not_there_is_a_warning(judge: Judge, source: str, said: str) -> None:
    found = judge({"project.yaml": {'{kind: files, path: "inbox/{batch}.csv"}': source}})
    assert found.problems == ()
    (warning,) = found.absent
    assert re.search(rf"project\.yaml:9: datasets\.orders\.source: .*{said}", warning), warning


def test_what_is_no_yaml_is_a_sentence(judge: Judge) -> None:
    for text in ("", "\tname: shop", "name: [", "\x00\x01", "- a\n- b", "shop"):
        with_text = {"project.yaml": {SPEC: text or " "}}
        try:
            found = judge(with_text).problems
        except SpecError as error:
            found = tuple(str(error).splitlines())
        (sentence,) = found
        assert "project.yaml" in sentence


def test_sentences_are_in_the_order_of_lines(judge: Judge) -> None:
    found = judge({"project.yaml": {"1h": "x", "columns": "colums"}})
    lines = [int(place.split(":")[1]) for place in places(found)]
    assert lines == sorted(lines) and len(lines) == 2
