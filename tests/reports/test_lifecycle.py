"""The lifecycle's page tells every fact of its summary, offline, whatever the facts are."""

import base64
import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from core.errors import PerennialError
from reports.lifecycle.page import Summary, page, picture
from reports.pages import SITE

DASH, CROSS = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
SVG = "{http://www.w3.org/2000/svg}"
Year = tuple[Summary, Path]


def opened(summary: Summary, folder: Path) -> ElementTree.Element:
    """The page as a tree: it is written so that even an XML parser reads it."""
    return ElementTree.fromstring(page(summary, folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def root(standard: Year) -> ElementTree.Element:
    """The page of the year."""
    return ElementTree.fromstring((standard[1] / "index.html").read_text(encoding="utf-8"))


def tables(root: ElementTree.Element) -> dict[str, list[list[str]]]:
    """The cells of each table's body, by the label of the region that holds it."""
    found = {}
    for region in root.iter("div"):
        table = region.find("table")
        if table is not None:
            rows = table.iterfind("tbody/tr")
            found[region.get("aria-label", "")] = [
                [" ".join("".join(cell.itertext()).split()) for cell in row] for row in rows
            ]
    return found


def test_the_summary_is_kept_beside_the_page_as_strict_json(standard: Year) -> None:
    summary, folder = standard
    kept = json.loads((folder / "summary.json").read_text(), parse_constant=pytest.fail)
    assert kept["report"] == str(folder / "index.html")
    assert kept["wall_seconds"] == 243.7
    assert [set(batch) for batch in kept["batches"]] == [set(batch) for batch in summary["batches"]]
    assert kept["batches"][5]["auc_interval"] == [None, None]
    assert kept["batches"][4]["auc"] == summary["batches"][4]["auc"]
    assert kept["versions"][1]["metrics"]["calibration_error"] is None
    assert {path.name for path in folder.iterdir()} == {"index.html", "summary.json"}


def test_the_page_opens_offline_and_is_small(standard: Year) -> None:
    index = standard[1] / "index.html"
    text = index.read_text()
    assert index.stat().st_size < 3_000_000
    assert "<script" not in text
    links = re.findall(r'(?:href|src)="([^"#][^"]*)"', text) + re.findall(r"url\(([^#)][^)]*)\)", text)
    site = tuple(f"../{page}" for page in SITE.values())
    assert all(link.startswith(("data:", "../drift/", "summary.json", *site)) for link in links)


def test_ids_are_unique_and_every_table_has_headers(root: ElementTree.Element) -> None:
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(header.get("scope") for header in root.iter("th"))
    labelled = {section.get("aria-labelledby") for section in root.iter("section")}
    assert labelled <= set(ids)
    assert root.get("lang") == "en"
    assert root.findtext("head/title") == "Late arrivals from New York: lifecycle"


def test_there_is_a_line_a_batch_with_what_came_of_it(root: ElementTree.Element) -> None:
    lines = {line[0]: line for line in tables(root)["Batches"]}
    assert list(lines) == [f"2013-{month:02d}" for month in range(1, 13)]
    assert lines["2013-05"] == [
        "2013-05", "flights/2", "0.720 [0.69, 0.75]", "0.710", "0.500", DASH, "25.0%", "0.010", "10%",
        "● retrain statelessflights/5 released", "28,005", "28,002", "3",
    ]  # fmt: skip
    assert lines["2013-09"][9] == "● retrain statelessflights/8 refused"
    assert lines["2013-03"][1:3] == [DASH, DASH]
    assert lines["2013-07"][1:3] == ["the file ends in the middle of row 4", "■ stopped"]


def test_each_action_is_told_with_what_came_of_it(summary: Summary, tmp_path: Path) -> None:
    month = iter(summary["batches"][7:])
    for decision, challenger, serves in (
        ("recalibrate", "flights/6", "flights/6"),
        ("retrain stateful", "flights/7", None),
        ("roll back", None, "flights/2"),
        ("roll back", None, None),
        ("watch", None, None),
    ):
        next(month).update(decision=decision, challenger=challenger, retrained=serves)  # type: ignore[call-arg]
    root = opened(summary, tmp_path)
    lines = [line[9] for line in tables(root)["Batches"][-5:]]
    assert lines == [
        "● recalibrateflights/6 released",
        "● retrain statefulflights/7 refused",
        "● roll backflights/2 restored",
        "● roll backnot carried out",
        "◐ watch",
    ]
    (fact,) = [each for each in root.iterfind("body/header/dl/div") if each.findtext("dt") == "Challengers"]
    assert [value.text for value in fact.iterfind("dd")] == ["3", "2 released, 1 refused, 1 rolled back"]


def test_the_key_facts_are_at_the_head(root: ElementTree.Element, standard: Year) -> None:
    facts = {
        fact.findtext("dt"): [value.text for value in fact.iterfind("dd")]
        for fact in root.iterfind("body/header/dl/div")
    }
    assert facts["Champion"] == ["v5", "torch"]
    assert facts["Challengers"] == ["2", "1 released, 1 refused"]
    assert facts["Batches"] == ["12", "1 stopped"]
    assert facts["Wall time"] == ["244 s", "of the flows"]
    assert facts["Quarantined"][0] == str(sum(batch["quarantined"] for batch in standard[0]["batches"]))


def test_decisions_come_with_their_reasons_in_order(root: ElementTree.Element) -> None:
    items = root.find(".//ol[@class='decisions']")
    assert items is not None
    told = [" ".join(" ".join(item.itertext()).split()) for item in items]
    assert len(told) == 9
    assert told[0] == "2013-03 flights/2 released"
    assert told[2].startswith(
        "2013-05 ● retrain stateless flights/5 released "
        "AUC 0.671 is 0.041 below the reference 0.712 (limit 0.020) 1 more reason Prediction drift 0.05"
    )
    assert [link.get("href") for link in items.iter("a")][1] == "../drift/2013-05.html"


def test_releases_and_refusals_are_marked_where_they_happened(root: ElementTree.Element) -> None:
    plot = next(svg for svg in root.iter(f"{SVG}svg") if "AUC" in svg.get("aria-label", ""))
    told = {text.text: float(text.get("x", 0)) for text in plot.iter(f"{SVG}text")}
    assert [text for text in told if text in ("v2", "v5", CROSS)] == ["v2", "v5", CROSS]
    assert told["v2"] < told["v5"] < told["Jun"]
    assert told["v5"] == pytest.approx((told["May"] + told["Jun"]) / 2, abs=0.5)
    assert told[CROSS] == pytest.approx((told["Sep"] + told["Oct"]) / 2, abs=0.5)


def test_the_relative_loss_is_shown_under_the_name_that_its_problem_gives_it(
    summary: Summary, tmp_path: Path
) -> None:
    summary["relative_loss_name"] = "normalised entropy"
    summary["batches"][4]["measures"] = {"auc": 0.7, "log_loss": 0.4, "relative_loss": 0.893}
    root = opened(summary, tmp_path)
    assert tables(root)["Batches"][4][5] == "0.893"
    assert "normalised entropy" in [header.text for header in root.iter("th")]


def test_before_the_first_champion_there_is_a_page_too(summary: Summary, tmp_path: Path) -> None:
    summary["batches"], summary["versions"] = summary["batches"][:2], []
    root = opened(summary, tmp_path)
    assert len(tables(root)["Batches"]) == 2
    assert "No decision was due yet." in "".join(root.itertext())


def test_only_the_required_keys_are_required(summary: Summary, tmp_path: Path) -> None:
    required = ("batch", "received", "accepted", "quarantined", "champion", "auc", "log_loss", "drift",
                "decision", "reasons")  # fmt: skip
    bare = [{name: batch[name] for name in required} for batch in summary["batches"]]  # type: ignore[literal-required]
    least = {"project": "flights", "wall_seconds": 1.0, "batches": bare, "versions": summary["versions"]}
    assert len(tables(opened(least, tmp_path))["Batches"]) == 12  # type: ignore[arg-type]


def test_what_is_not_a_number_is_a_gap(summary: Summary, tmp_path: Path) -> None:
    for batch in summary["batches"]:
        batch["auc"] = batch["log_loss"] = batch["drift"] = math.nan
    assert tables(opened(summary, tmp_path))["Batches"][4][2].startswith(DASH)


def test_names_cannot_become_markup(summary: Summary, tmp_path: Path) -> None:
    evil = '<img src="http://evil">&'
    summary["title"] = evil
    summary["batches"][4]["reasons"] = [evil, evil]
    summary["batches"][4]["feature_drift"] = {evil: 0.4}
    summary["batches"][0]["quarantine_reasons"] = {evil: 1}
    root = opened(summary, tmp_path)
    assert not list(root.iter("img"))
    assert root.findtext("body/header/h1") == evil


def test_no_batches_is_a_clear_error(summary: Summary, tmp_path: Path) -> None:
    summary["batches"] = []
    with pytest.raises(PerennialError, match="flights: a lifecycle without a batch"):
        page(summary, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_same_facts_give_the_same_bytes(standard: Year, tmp_path: Path) -> None:
    first = (standard[1] / "index.html").read_bytes()
    assert page(standard[0], tmp_path).read_bytes() == first


def test_the_picture_stands_alone(standard: Year) -> None:
    """What the Prefect UI shows is one SVG on white, with the batches that were scored."""
    kind, _, content = picture(standard[0]).partition(";base64,")
    assert kind == "data:image/svg+xml"
    root = ElementTree.fromstring(base64.b64decode(content))
    assert root.tag == f"{SVG}svg"
    assert "background: white" in root.attrib["style"]


def test_quantiles_are_told_by_their_loss_and_their_coverage(summary: Summary, tmp_path: Path) -> None:
    summary["headlines"] = ("pinball", "coverage")
    for batch in summary["batches"]:
        if batch["auc"] is not None:
            batch["measures"] = {"pinball": 21.5, "coverage": 0.7312, "nominal": 0.8}
            batch["intervals"] = {"pinball": [20.0, 23.0], "coverage": [0.70, 0.76]}
            batch["baseline"] = {"pinball": 23.25, "coverage": 0.7}
    text = page(summary, tmp_path).read_text()
    assert "claimed, 80%" in text
    assert "<strong>Coverage</strong>" in text
    assert "21.500" in text and "0.731" in text
    assert "By pinball loss, the champion was better than the baseline in" in text


def test_what_is_not_final_yet_says_so(summary: Summary, tmp_path: Path) -> None:
    estimate = {"value": 0.69, "low": 0.66, "high": 0.72, "naive": 0.7, "error": None, "naive_error": None}
    summary["batches"][-2]["final"] = True
    summary["batches"][-1]["final"] = False
    summary["batches"][-1]["estimates"] = {"auc": estimate}  # type: ignore[typeddict-item]
    root = opened(summary, tmp_path)
    lines = {line[0]: line for line in tables(root)["Batches"]}
    assert "provisional" in lines["2013-12"][2] and "provisional" not in lines["2013-11"][2]
    kept = json.loads((tmp_path / "summary.json").read_text())["batches"][-1]
    assert (kept["final"], kept["estimates"]["auc"]["value"]) == (False, 0.69)


def test_a_decision_says_what_became_of_the_retraining_that_it_asked_for(
    summary: Summary, tmp_path: Path
) -> None:
    why = "a retraining was opened 12 hours ago"
    summary["batches"][8].update(challenger=None, request={"number": 4, "state": "skipped", "why": why})
    summary["batches"][4].update(
        challenger=None, retrained=None, request={"number": 3, "state": "open", "why": ""}
    )
    text = page(summary, tmp_path).read_text(encoding="utf-8")
    assert "not opened" in text and f"Retraining 4, skipped: {why}" in text
    assert "waits to be carried out" in text
