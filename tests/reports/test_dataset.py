"""The page of a dataset tells every fact, offline, whatever the facts are."""

import json
import math
import re
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from reports.data.dataset import Batch, Column, DatasetFacts, Failing, Side, page
from reports.pages import SITE

SVG = "{http://www.w3.org/2000/svg}"
CROSS, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
NASTY = "<script>alert('x')</script> & \"q\" \0\x1b\x85\ufffe\u202eevil 日本語 مرحبا 👩\u200d🚀"


def batch(name: str, accepted: int = 990, quarantined: int = 10, **facts: Any) -> Batch:
    told = {
        "batch": name,
        "received": accepted + quarantined,
        "accepted": accepted,
        "quarantined": quarantined,
        "stopped": None,
        "engine": "great_expectations on pandas",
        "held": {"accepted": accepted, "quarantined": quarantined},
    }
    return cast(Batch, told | facts)


def side(counts: list[int], missing: int = 0, **facts: Any) -> Side:
    told: Any = {
        "rows": sum(counts) + missing,
        "missing": missing,
        "infinite": 0,
        "distinct": None,
        "least": None,
        "middle": None,
        "most": None,
        "counts": counts,
    }
    return cast(Side, told | facts)


def number(name: str, psi: float | None, current: Side, reference: Side | None, *edges: float) -> Column:
    return Column(
        column=name, kind="number", edges=edges, labels=[], psi=psi, current=current, reference=reference
    )


def failing(expectation: str, column: str, severity: Any, batches: dict[str, int], *values: Any) -> Failing:
    examples: Any = [{"value": value, "batch": list(batches)[-1], "row": 7} for value in values]
    return Failing(
        expectation=expectation,
        column=column,
        severity=severity,
        batches=batches,
        detail=f"{column} is wrong",
        examples=examples,
    )


def year() -> DatasetFacts:
    """Some months: one stopped, one refused, one that was not ingested."""
    numbers = {"least": -3.5, "middle": 2, "most": 1e300}
    return {
        "project": "flights",
        "dataset": "flights",
        "title": "Late arrivals",
        "source": "the file flights.csv",
        "key": ["carrier", "flight"],
        "event_time": "departed",
        "known_at": "arrived",
        "max_share": 0.1,
        "batches": [
            batch("2013-01"),
            batch("2013-02", 0, 500, stopped="distance: mean -1 is not between 500 and 2,000"),
            batch("2013-04", gap=["2013-03"], refused="2013-04.csv ends in the middle of row 4"),
            batch("2013-05", 99_999, 1, alerts=["delay: mean 16 is above 15"]),
        ],
        "failing": [
            failing("expect_column_values_to_be_in_set", "dest", "info", {"2013-01": 70}, "SJU"),
            failing("expect_column_mean_to_be_between", "distance", "critical", {"2013-02": 0}),
            failing("is_integer", NASTY, "warning", {"2013-01": 3, "2013-05": 1}, NASTY, None, ""),
            failing("expect_column_values_to_be_between", "delay", "warning", {"2013-01": 9}, "1301"),
        ],
        "quarantine": [
            {
                "batch": "2013-05",
                "row": 7,
                "delivery": "2013-05.csv",
                "position": 3,
                "reasons": [{"expectation": "is_integer", "column": NASTY, "value": NASTY}],
                "record": json.dumps({"note": NASTY}),
            }
        ],
        "distributions": {
            "batch": "2013-05",
            "reference": "2013-01",
            "timezone": "UTC",
            "threshold": 0.2,
            "columns": [
                number("calm", 0.01, side([0, 5, 5, 0]), side([0, 6, 4, 0]), 0, 1, 2),
                number("moved", 0.7, side([3, 5, 2, 0], 2, **numbers), side([0, 1, 9, 0]), 0, 1, 2),
                number("unknown", None, side([0], 10), side([0], 10)),
                number("new", None, side([0, 10, 0]), None, 4.0, 4.0),
                Column(
                    column=NASTY,
                    kind="category",
                    edges=[],
                    labels=["", "ж", NASTY],
                    psi=None,
                    current=side([5, 3, 1, 1], distinct=4),
                    reference=side([5, 0, 1, 0], distinct=2),
                ),
            ],
        },
        "refused": [{"name": "stray.csv", "why": "is no CSV"}],
        "deliveries": [
            {"name": "2013-01.csv", "rows": 1000, "digest": "ab" * 32, "as_of": "2013-02-01T05:00:00+00:00",
             "repeats": None, "present": True},
            {"name": "again.csv", "rows": 1000, "digest": "ab" * 32, "as_of": "2013-02-02T05:00:00+00:00",
             "repeats": "2013-01.csv", "present": True},
        ],
    }  # fmt: skip


def opened(facts: DatasetFacts, folder: Path) -> ElementTree.Element:
    """The page as a tree: it is written so that even an XML parser reads it."""
    return ElementTree.fromstring(page(facts, folder).read_text(encoding="utf-8"))


def text(element: ElementTree.Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def lines(root: ElementTree.Element, label: str) -> list[list[str]]:
    found = root.find(f".//div[@aria-label='{label}']/table/tbody")
    assert found is not None
    return [[text(cell) for cell in row] for row in found]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> ElementTree.Element:
    return opened(year(), tmp_path_factory.mktemp("dataset"))


def test_the_same_facts_are_beside_the_page_as_strict_json(tmp_path: Path) -> None:
    facts = year()
    assert facts["distributions"]
    facts["distributions"]["columns"][1]["current"]["most"] = math.inf
    path = page(facts, tmp_path)
    kept = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert kept.pop("report") == str(path)
    assert kept["distributions"]["columns"][1]["current"].pop("most") is None
    del facts["distributions"]["columns"][1]["current"]["most"]
    assert kept == json.loads(json.dumps(facts))


def test_the_page_opens_offline_and_no_value_becomes_markup(tmp_path: Path) -> None:
    written = page(year(), tmp_path).read_text()
    links = re.findall(r'(?:href|src)="([^"#][^"]*)"', written) + re.findall(r"url\(([^#)][^)]*)\)", written)
    assert {link for link in links if not link.startswith("data:text/csv")} == {"data:,", "summary.json"}
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe\uffff]", written)
    assert "␀␛" in written
    assert "[U+202E]evil 日本語 مرحبا 👩\u200d🚀" in written


def test_ids_are_unique_and_every_table_has_headers(root: ElementTree.Element) -> None:
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(header.get("scope") for header in root.iter("th"))
    assert {section.get("aria-labelledby") for section in root.iter("section")} <= set(ids)
    assert all(drawn.get("aria-label") for drawn in root.iter(f"{SVG}svg"))
    assert root.findtext("head/title") == "flights: Late arrivals"


def test_there_is_a_line_a_batch_newest_first(root: ElementTree.Element) -> None:
    assert lines(root, "Batches") == [
        ["2013-05", "✓ accepted", "100,000", "99,999", "1", "<0.01%", "▲ delay: mean 16 is above 15"],
        [
            "2013-04",
            f"{CROSS} refused",
            "1,000",
            "990",
            "10",
            "1%",
            "2013-04.csv ends in the middle of row 4",
        ],
        ["2013-02", "■ stopped", "500", "0", "500", "100%", "distance: mean -1 is not between 500 and 2,000"],
        ["2013-01", "✓ accepted", "1,000", "990", "10", "1%", ""],
    ]
    assert "102,500 = 101,979 + 521" in text(root)


def test_what_to_look_at_names_all_that_went_wrong(root: ElementTree.Element) -> None:
    listed = root.find(".//ol[@class='decisions']")
    assert listed is not None
    assert [text(item) for item in listed] == [
        f"{CROSS} refused Batch 2013-04 2013-04.csv ends in the middle of row 4",
        f"{CROSS} refused stray.csv is no CSV",
        "■ stopped Batch 2013-02 distance: mean -1 is not between 500 and 2,000",
        "▲ alert Batch 2013-05 delay: mean 16 is above 15",
        "○ missing Gap Between the first and the last a batch was not ingested: 2013-03",
        "● moved Distribution moved in batch 2013-05 against 2013-01",
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"received": 1001}, "1,001 received, but 1,000 accepted or quarantined"),
        ({"held": {"accepted": 989, "quarantined": 10}}, "the lake holds 989 accepted and 10 quarantined"),
        ({"held": {"accepted": 980, "quarantined": 20}}, "the lake holds 980 accepted and 20 quarantined"),
    ],
)
def test_a_lost_row_cannot_be_overlooked(facts: Any, said: str, tmp_path: Path) -> None:
    told = year()
    told["batches"] = [batch("2013-01", **facts)]
    root = opened(told, tmp_path)
    assert f"≠ lost Batch 2013-01 {said}" in text(root.find(".//ol[@class='decisions']"))
    assert said in lines(root, "Batches")[0][-1]
    assert "Received = accepted + quarantined" not in text(root)


def test_failures_come_gravest_first_then_by_rows(root: ElementTree.Element) -> None:
    found = lines(root, "Failing expectations")
    assert [(line[0], line[1].split()[0], line[2], line[3], line[4]) for line in found] == [
        ("■ critical", "distance", DASH, "1 of 4", "2013-02"),
        ("▲ warning", "delay", "9", "1 of 4", "2013-01"),
        ("▲ warning", "<script>alert('x')</script>", "4", "2 of 4", "2013-05"),
        ("● info", "dest", "70", "1 of 4", "2013-01"),
    ]
    assert found[1][5] == "1301 row 7"
    assert found[2][5].endswith("row 7null row 7(empty text) row 7")


def test_a_column_is_drawn_beside_the_reference_what_moved_most_first(root: ElementTree.Element) -> None:
    cards = {text(card.find("h3/bdi")): card for card in root.iter("article")}
    assert list(cards)[:2] == ["moved", "calm"]
    assert "moved, 0.70" in text(cards["moved"].find("h3"))
    rows = [[text(cell) for cell in row] for row in cards["moved"].iterfind("table/tbody/tr")]
    assert rows[:2] == [["rows", "12", "10"], ["missing", "16.7%", "0%"]]
    assert ["most", "1e+300", DASH] in rows
    drawn = cards["moved"].find(f"{SVG}svg")
    assert drawn is not None
    # Three bars are not empty, one of them of what lies below the first edge; the highest is 90 % of rows.
    assert next(drawn.iter(f"{SVG}path")).get("d", "").count("z") == 3
    assert [label.text for label in drawn.iter(f"{SVG}text")] == ["90%", "0", "1", "2"]
    assert "No value to draw." in text(cards["unknown"])
    assert "The reference has no such column." in text(cards["new"])


def test_categories_are_listed_with_their_shares(root: ElementTree.Element) -> None:
    bars = [text(bar) for bar in root.findall(".//div[@class='bars compared']/div")]
    assert bars[0] == "(empty text)50.0%83.3%"
    assert bars[1] == "ж30.0%0%"
    assert bars[3] == "all others10.0%0%"


def test_a_delivery_that_repeats_another_says_so(root: ElementTree.Element) -> None:
    newest, oldest = lines(root, "Deliveries")
    assert newest[0] == "again.csv"
    assert newest[-1] == "repeats 2013-01.csv: received once"
    assert oldest == ["2013-01.csv", "1,000", "2013-02-01 05:00 UTC", "ababababab", ""]


def test_a_dataset_that_is_ingested_whole_has_no_plot_over_time(tmp_path: Path) -> None:
    told: Any = year() | {"event_time": None, "batches": [batch("whole")]}
    root = opened(told, tmp_path)
    assert "ingested whole" in text(root.find("body/header"))
    assert root.find("body/main//figure") is None
    assert lines(root, "Batches")[0][0] == "whole"


def test_nothing_is_told_of_nothing(tmp_path: Path) -> None:
    told: Any = year() | {"batches": [], "failing": [], "quarantine": [], "distributions": None}
    root = opened(told | {"refused": [], "deliveries": []}, tmp_path)
    assert "Nothing has been ingested yet." in text(root)
    assert "holds" not in text(root.find("body/main"))
    assert not list(root.iter("table"))


@pytest.mark.parametrize("many", [1, 61])
def test_any_number_of_batches_is_drawn(many: int, tmp_path: Path) -> None:
    told = year()
    told["batches"] = [batch(f"{place:05d}", 10 * place, place % 3) for place in range(many)]
    root = opened(told, tmp_path)
    named = {label.text for label in root.iter(f"{SVG}text")}
    assert {"00000", "rows", "limit", "accepted", "quarantined"} <= named


def test_a_thousand_batches_and_two_hundred_columns_fit_a_page(tmp_path: Path) -> None:
    told: Any = year()
    told["batches"] = [batch(f"{place:05d}", quarantined=place % 7) for place in range(1000)]
    rows = {each["batch"]: each["quarantined"] for each in told["batches"] if each["quarantined"]}
    told["failing"] = [failing("is_integer", f"c{place}", "warning", rows, "x" * 200) for place in range(30)]
    wide = number("c", 0.1, side(list(range(32))), side(list(range(32))), *range(31))
    told["distributions"]["columns"] = [wide | {"column": f"c{place}"} for place in range(200)]
    path = page(told, tmp_path)
    assert path.stat().st_size < 3_000_000
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    shown = [line[0] for label in ("Batches", "Older batches") for line in lines(root, label)]
    assert shown == [f"{place:05d}" for place in reversed(range(1000))]
    assert len(list(root.iter("article"))) == 200


def test_it_leads_to_the_site_once_there_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "orders" / "datasets" / "orders"
    alone = ElementTree.fromstring(page(year(), folder).read_text())
    assert alone.find("body/nav") is None
    (tmp_path / "orders" / SITE["Overview"]).touch()
    nav = ElementTree.fromstring(page(year(), folder).read_text()).find("body/nav")
    assert nav is not None
    assert [link.text for link in nav.iter("a")] == list(SITE)
