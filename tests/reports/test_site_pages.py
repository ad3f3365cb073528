"""The pages of the site tell every fact of theirs, whatever the facts are."""

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reports.lifecycle.page import Batch, Summary
from reports.pages import SITE
from reports.site import Site
from tests.reports.conftest import batch, scored
from tests.reports.sites import (
    FAMILIES,
    NASTY,
    build_site,
    duel,
    every_page,
    history,
    made,
    replay,
    site,
)
from tests.reports.test_lifecycle import DASH, SVG, tables

Element = ElementTree.Element
BUILT = [name for name in SITE if name != "History"]


def opened(folder: Path, name: str) -> Element:
    """A page as a tree: it is written so that even an XML parser reads it."""
    return ElementTree.fromstring((folder / SITE[name]).read_text(encoding="utf-8"))


def text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def facts(root: Element) -> dict[str, str]:
    """The key facts at the head of a page."""
    return {each.findtext("dt", ""): each.findtext("dd", "") for each in root.iterfind("body/header/dl/div")}


def health(root: Element) -> dict[str, str]:
    (found,) = [each for each in root.iter("ul") if each.get("class") == "health"]
    return {item.findtext("strong", ""): text(item) for item in found}


def test_all_pages_share_one_navigation_that_says_where_one_is(folder: Path) -> None:
    for name, place in SITE.items():
        root = opened(folder, name)
        nav = root.find("body/nav")
        assert nav is not None
        assert [link.text for link in nav.iter("a")] == list(SITE)
        assert [link.text for link in nav.iter("a") if link.get("aria-current") == "page"] == [name]
        up = "../" if "/" in place else ""
        assert [link.get("href") for link in nav.iter("a")] == [up + each for each in SITE.values()]


def test_pages_have_unique_ids_labelled_sections_and_no_script(folder: Path) -> None:
    for path in every_page(folder):
        written = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(written)
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids)), path
        assert {section.get("aria-labelledby") for section in root.iter("section")} <= set(ids)
        assert "<script" not in written
        assert all(svg.get("aria-label") for svg in root.iter(f"{SVG}svg"))


def test_the_overview_says_who_is_champion_and_whether_all_is_well(folder: Path) -> None:
    root = opened(folder, "Overview")
    assert facts(root)["Champion"] == "v5"
    assert "torch since 2013-06-03 04:00 UTC" in text(root)
    told = health(root)
    assert list(told) == ["Data", "Model", "Retraining", "Alerts", "Policy"]
    assert "good" in told["Data"] and "1 open: retrain after 2013-09" in told["Alerts"]
    assert (
        "“when performance falls, stateless, expanding”, not “every 3, stateless, expanding”"
        in told["Policy"]
    )
    decisions = root.find(".//ol[@class='decisions']")
    assert decisions is not None
    assert [item.findtext("div/strong") for item in decisions] == [
        "2013-12", "2013-11", "2013-10", "2013-09", "2013-08", "2013-06"
    ]  # fmt: skip
    kept = json.loads((folder / "summary.json").read_text(), parse_constant=pytest.fail)
    assert kept["reigns"][1]["version"] == "flights/5" and kept["made"][2]["keeps"] == "flights/5"


def test_the_data_page_leads_to_each_dataset_and_tells_what_failed(folder: Path) -> None:
    root = opened(folder, "Data")
    found = tables(root)
    assert [line[:2] for line in found["Datasets"]] == [["flights", "2013-12"], ["planes", DASH]]
    assert found["Datasets"][0][5] == "■ 1"
    assert found["Failing expectations"][0][:4] == [
        "flights", "expect_column_values_to_be_between", "distance", "warning"
    ]  # fmt: skip
    ((reason, rows, batches),) = found["Quarantine"]
    expected = {
        each["batch"]: count
        for each in history()["batches"]
        for count in each.get("quarantine_reasons", {}).values()
    }
    assert (reason, rows) == ("distance: not between 0 and 6000", str(sum(expected.values())))
    assert batches.split(", ") == [f"{name} ({count})" for name, count in expected.items()]


def test_the_models_page_lists_versions_with_their_files_newest_first(folder: Path) -> None:
    eighth, fifth, second = tables(opened(folder, "Models"))["Versions"]
    assert second[:5] == ["flights/2", "lightgbm", "retired", "2013-04 to 2013-05", "0.7123"]
    assert fifth[2] == "★ champion"
    assert fifth[5] == "0.4857"
    assert fifth[6] == (
        "model.onnx and 1 more"
        "model.onnx 918 kB, 9 / 14 µs, sha256 ababababmodel.int8.onnx 265 kB, not kept, AUC fell by 0.004"
    )
    assert eighth[3:] == [DASH, DASH, DASH, ""]


def test_drift_is_told_as_numbers_most_important_first(folder: Path) -> None:
    lines = tables(opened(folder, "Monitoring"))["Drift"]
    assert [line[0] for line in lines] == ["late_rate", "hour", "temperature", "wind"]
    assert lines[0][:3] == ["late_rate", "50.0%", f"{0.03 * 4 * 0.5:.2f}"]
    assert lines[0][5] == DASH


def test_estimates_stand_beside_what_came(folder: Path) -> None:
    lines = tables(opened(folder, "Monitoring"))["Estimates"]
    assert lines[1] == ["2013-05", "0.730 [0.68, 0.78]", "0.720", "0.010", "0.020"]


def test_an_estimate_is_shown_before_any_outcome_of_the_batch_is_known(tmp_path: Path) -> None:
    past = history()
    past["batches"][-1].update(auc=None, measures={}, intervals={}, baseline_auc=None, final=False)
    build_site(tmp_path, past=past)
    line = tables(opened(tmp_path, "Monitoring"))["Estimates"][-1]
    assert line[0] == "2013-12" and line[2] == f"{DASH} provisional"


def test_before_there_is_a_champion_there_is_a_site(tmp_path: Path) -> None:
    past = history()
    past["batches"], past["versions"] = past["batches"][:1], []
    build_site(tmp_path, site(reigns=[], duels=[], made=[], alerts=[]), past)
    assert facts(opened(tmp_path, "Overview"))["Champion"] == "none"
    assert "There is no champion." in text(opened(tmp_path, "Models"))
    assert "No batch was judged yet." in text(opened(tmp_path, "Monitoring"))
    assert "No version was made yet." in text(opened(tmp_path, "Lineage"))
    assert "make replay PROJECT=flights" in text(opened(tmp_path, "Replay"))


def test_one_version_and_one_scored_batch_are_enough(tmp_path: Path) -> None:
    past, told = history(), site()
    past["batches"], past["versions"] = past["batches"][2:4], past["versions"][:1]
    told["made"], told["duels"], told["reigns"] = told["made"][:1], told["duels"][:1], told["reigns"][1:]
    build_site(tmp_path, told, past)
    assert "1 version was made; 1 met the gate." in text(opened(tmp_path, "Models"))
    assert len(tables(opened(tmp_path, "Monitoring"))["Drift"]) == 4


def test_a_newest_batch_that_was_stopped_is_the_first_thing_said(tmp_path: Path) -> None:
    past = history()
    past["batches"] = past["batches"][:7]
    build_site(tmp_path, past=past)
    assert "actThe newest batch of flights was stopped" in health(opened(tmp_path, "Overview"))["Data"]


@pytest.mark.parametrize(
    ("headlines", "names"),
    [
        (("accuracy", "log_loss"), ("accuracy", "log loss")),
        (("ndcg", "recall"), ("nDCG", "recall")),
        (("pinball", "coverage"), ("pinball loss", "coverage")),
    ],
)
def test_each_kind_of_problem_is_told_by_its_own_measures(
    tmp_path: Path, headlines: tuple[str, str], names: tuple[str, str]
) -> None:
    past, told = history(), site()
    past["headlines"] = headlines
    for each in past["batches"]:
        if each["auc"] is not None:
            each["measures"] = {**dict.fromkeys(headlines, 0.5), "nominal": 0.8}
            each["estimates"] = {headlines[0]: each["estimates"]["auc"]}
    for version in told["made"]:
        version["holdout"] = {headlines[0]: {"value": 0.5, "low": 0.4, "high": 0.6}}
    build_site(tmp_path, told, past)
    assert f"Newest {names[0]}" in facts(opened(tmp_path, "Overview"))
    headers = {header.text for header in opened(tmp_path, "Models").iter("th")}
    assert set(names) <= headers
    assert f"Estimated {names[0]}" in {header.text for header in opened(tmp_path, "Monitoring").iter("th")}


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    past, told, replayed = history(), site(title=NASTY, business=NASTY), replay(title=NASTY)
    past["title"] = NASTY
    past["batches"][4]["reasons"] = [NASTY, NASTY]
    past["batches"][4]["feature_drift"] = {NASTY: 0.4}
    past["batches"][0]["quarantine_reasons"] = {NASTY: 1}
    past["versions"][0]["family"] = NASTY
    told["made"][0]["family"] = told["made"][1]["code"] = told["made"][2]["settings"] = NASTY
    told["made"][0]["parameters"] = {NASTY: {NASTY: NASTY}}
    told["duels"][0]["reasons"] = [NASTY]
    told["alerts"][0]["title"] = NASTY
    replayed["findings"] = replayed["recommended"]["why"] = [NASTY]
    replayed["policies"][3]["name"] = replayed["policies"][3]["told"] = replayed["loss_name"] = NASTY
    replayed["policies"][4]["settings"] = {NASTY: NASTY}
    build_site(tmp_path, told, past, replayed)
    for name in BUILT:
        root = opened(tmp_path, name)
        assert not list(root.iter("img"))
        assert root.findtext("body/header/h1") == NASTY


def bare(past: Summary) -> Summary:
    """The history with no number in it that may be missing."""
    for each in past["batches"]:
        for name in set(each) - {"batch", "received", "accepted", "quarantined", "reasons", "status"}:
            each[name] = None  # type: ignore[literal-required]
        each["feature_drift"], each["estimates"], each["calibration"] = {"wind": math.nan}, {}, []
        each["measures"], each["intervals"], each["baseline"] = {"auc": math.nan}, {}, {}
        each["quarantine_reasons"] = {}
    for version in past["versions"]:
        version["metrics"] = {}
    return past


def test_what_is_missing_is_a_dash_or_is_left_out(tmp_path: Path) -> None:
    nothing = {"value": None, "low": None, "high": None}
    lost = [
        made(number, "torch", "2013-04-03T04:00:00+00:00", seconds=None, learnt_until=None,
             holdout={"auc": nothing}, batches=[], tables={})
        for number in (2, 5, 8)
    ]  # fmt: skip
    replayed = replay(
        present=None,
        break_even=[],
        findings=[],
        costs={"errors": {}, "training_hour": 0.0, "false_alarm": 0.0},
        wall_seconds=None,
    )
    replayed["recommended"].update(margin=nothing, sure=None, why=[])  # type: ignore[typeddict-item]
    for policy in replayed["policies"]:
        policy.update(against_never=nothing, regret=nothing, net_value=None, loss=None, headline=None)  # type: ignore[typeddict-item]
        policy["training_seconds"] = policy["batches_to_mend"] = None
        for point in policy["batches"]:
            point.update(against_never=nothing, regret=nothing, loss=None)  # type: ignore[typeddict-item]
    told = site(made=lost, duels=[duel(2, None, "2013-04-03T04:00:00+00:00", False, gain=None, limit=None)])
    build_site(tmp_path, told, bare(history()), replayed)
    for name in BUILT:
        written = text(opened(tmp_path, name))
        assert not {"None", "nan", "NaN"} & set(written.replace("(", " ").split()), name
    assert "figure" not in {each.tag for each in opened(tmp_path, "Replay").iter()}


def test_without_a_watch_for_drift_the_page_says_so(tmp_path: Path) -> None:
    past = history()
    past["drift_threshold"] = None
    build_site(tmp_path, past=past)
    assert "Drift is not watched: the spec turns it off." in text(opened(tmp_path, "Monitoring"))


def large() -> tuple[Site, Summary]:
    """Four years of weeks with 30 features, and 60 versions of three families."""
    past, told = history(), site()
    weeks = [f"{2010 + place // 50}-W{place % 50:02d}" for place in range(200)]
    features = {f"feature_{place}": 1 / 30 for place in range(30)}
    batches: list[Batch] = []
    for place, week in enumerate(weeks):
        drift = {name: 0.01 * ((place * number) % 60) for number, name in enumerate(features)}
        facts = scored(1, 5, "watch", ["calm"], feature_drift=drift, batch=week, drift_page=None)
        batches.append(facts if place > 2 else batch(1, batch=week))
    past["batches"], past["importance"] = batches, features
    rounds = [f"{2010 + place // 12}-{place % 12 + 1:02d}-03T04:00:00+00:00" for place in range(20)]
    told["made"] = [
        made(3 * order + place + 1, family, at, batches=weeks[: 3 + 10 * order])
        for order, at in enumerate(rounds)
        for place, family in enumerate(FAMILIES)
    ]
    told["duels"] = [
        duel(3 * order + 1, f"flights/{3 * order - 2}", at, order % 2 == 0)
        for order, at in enumerate(rounds)
        if order
    ]
    past["versions"] = [
        {"version": each["version"], "family": each["family"], "stage": "retired", "metrics": {"auc": 0.7},
         "files": []}
        for each in told["made"]
    ]  # fmt: skip
    return told, past


def test_a_long_history_of_many_versions_stays_small(tmp_path: Path) -> None:
    told, past = large()
    build_site(tmp_path, told, past, replay([each["batch"] for each in past["batches"]]))
    for name in BUILT:
        assert (tmp_path / SITE[name]).stat().st_size < 3_000_000, name
    assert len(list(opened(tmp_path, "Lineage").iter(f"{SVG}a"))) == 80
    assert len(tables(opened(tmp_path, "Models"))["Versions"]) == 60


def test_two_fits_of_a_family_in_a_round_stand_side_by_side(tmp_path: Path) -> None:
    first = "2013-04-03T04:00:00+00:00"
    told = site(made=[made(number, "torch", first) for number in (1, 2)], duels=[])
    build_site(tmp_path, told)
    boxes = {
        link.get("href"): link.find(f"{SVG}rect") for link in opened(tmp_path, "Lineage").iter(f"{SVG}a")
    }
    places = [box.get("x") for link, box in boxes.items() if box is not None and "version" in str(link)]
    assert len(places) == len(set(places)) == 2
    assert len(boxes) == 3


def test_the_same_facts_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    build_site(tmp_path, replayed=replay())
    for name in BUILT:
        assert (tmp_path / SITE[name]).read_bytes() == (folder / SITE[name]).read_bytes(), name
