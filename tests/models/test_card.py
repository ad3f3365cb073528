"""The card tells the facts of its version, as data and as a page that needs nothing else."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from core.projects import load
from core.settings import Settings
from core.spec import Spec
from models.card import card, html
from models.evaluate import calibration_curve, intervals, measures
from models.gate import Check, GateReport
from models.rows import columns
from models.versions import Lineage, Version


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load("flights", Settings()).spec


@pytest.fixture(scope="module")
def version() -> Version:
    lineage = Lineage(
        tables={"features": 3, "outcomes": 3},
        batches=("2013-01", "2013-02", "2013-03"),
        as_of=datetime(2013, 4, 1, 4, tzinfo=UTC),
        code="0123abc",
        settings="f00d",
        packages={"lightgbm": "4.7.0", "onnxruntime": "1.31.1"},
        seed=7,
        trained_until=datetime(2013, 3, 17, 4, tzinfo=UTC),
    )
    return Version("flights", 3, "torch", "champion", {"float32.onnx": "ab" * 32}, {}, lineage)


@pytest.fixture(scope="module")
def facts(spec: Spec) -> dict[str, Any]:
    """Everything but the version, made of 12,000 rows of 14 days."""
    random = np.random.default_rng(1)
    chances = random.beta(1.5, 4.5, 12_000)
    labels = (random.random(12_000) < chances).astype(float)
    names = columns(spec).names
    weights = random.dirichlet(np.geomspace(5, 0.1, len(names)))
    latency = {"p50_us": 31.0, "p99_us": 88.0, "rows_per_second": 240_000.0}
    exact = {
        "name": "float32",
        "bytes": 918_000,
        "parity": {"max_difference": 2e-7},
        "latency": latency,
        "measures": measures(labels, chances),
        "kept": True,
        "note": "",
    }
    note = "3.5 times smaller, 1.80 times as fast, log loss +0.00150, AUC -0.00020"
    small = {**exact, "name": "int8", "bytes": 265_000, "kept": False, "note": note}
    checks = (
        Check("better", True, 0.002, 0.0, "log loss 0.4857 against 0.4937 of flights/1: gain +0.0080"),
        Check("slices", False, -0.03, -0.02, "1 of 3 slices is surely worse: carrier=HA <b>-0.0300</b>"),
    )
    return {
        "measures": {"validation": measures(labels, chances), "holdout": measures(labels, chances)},
        "intervals": intervals(labels, chances, np.arange(12_000) // 860, 200, 0.95, 1),
        "curve": calibration_curve(labels, chances),
        "variants": [exact, small],
        "importance": dict(zip(names, weights, strict=True)),
        "gate": GateReport("flights/3", "flights/1", 12_000, 14, False, checks),
    }


class Page(HTMLParser):
    """The text of a page, and all that it would load or go to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_the_card_is_json_with_the_facts(version: Version, spec: Spec, facts: dict[str, Any]) -> None:
    told = card(version, spec, **facts)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["id"], told["family"], told["stage"]) == ("flights/3", "torch", "champion")
    assert told["objective"]["business"] == spec.objective.business
    assert told["lineage"]["tables"] == {"features": 3, "outcomes": 3}
    assert told["lineage"]["trained_until"] == "2013-03-17T04:00:00+00:00"
    assert [score["name"] for score in told["scores"]] == [
        "AUC",
        "log loss",
        "Brier score",
        "calibration error",
    ]
    for score in told["scores"][:3]:
        low, high = score["interval"]
        assert low < score["value"] < high
    shares = [feature["share"] for feature in told["features"]]
    assert shares == sorted(shares, reverse=True)
    assert {feature["name"] for feature in told["features"]} == set(spec.features)
    assert sum(shares) == pytest.approx(1)
    assert told["gate"]["accepted"] is False
    assert any("up to 2013-03-17 04:00 UTC" in limit for limit in told["limits"])


def test_the_page_needs_nothing_else(version: Version, spec: Spec, facts: dict[str, Any]) -> None:
    text = html(card(version, spec, **facts))
    page = Page(text)
    assert page.links == []
    assert not page.tags & {"script", "link", "iframe", "img"}
    assert not re.search(r"url\(|@import|https?://", text)
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_the_page_tells_the_facts(version: Version, spec: Spec, facts: dict[str, Any]) -> None:
    text = Page(html(card(version, spec, **facts))).text
    found = facts["measures"]["holdout"]
    for fact in (
        spec.objective.business,
        f"AUC {found['auc']:.4f}",
        "{:.4f} to {:.4f}".format(*facts["intervals"]["log_loss"]),
        "float32 yes 918.0 kB 2.0e-07 31 88 240,000",
        "int8 no 265.0 kB",
        "int8: 3.5 times smaller",
        "Refused against flights/1, on 12,000 events in 14 blocks",
        "carrier=HA <b>-0.0300</b>",  # as text: what comes from data is never markup
        "2013-01 to 2013-03 (3)",
        "features 3, outcomes 3",
        "lightgbm 4.7.0, onnxruntime 1.31.1",
        *spec.features,
    ):
        assert fact in text


def test_a_version_that_was_not_judged_yet_has_a_card_too(
    version: Version, spec: Spec, facts: dict[str, Any]
) -> None:
    least = {name: facts[name] for name in ("measures", "variants", "importance")}
    text = Page(html(card(version, spec, **least))).text
    assert "It has not been before the gate." in text
    one_class = {"measures": {"holdout": facts["measures"]["holdout"] | {"auc": float("nan")}}}
    assert "AUC —" in Page(html(card(version, spec, **least | one_class))).text


def test_a_card_kept_as_json_gives_the_same_page(version: Version, spec: Spec, facts: dict[str, Any]) -> None:
    told = card(version, spec, **facts)
    assert html(json.loads(json.dumps(told))) == html(told)
