"""The site in a browser: drawn, quiet, whole, and asking for nothing beyond its own files."""

import base64
import csv
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from reports.pages import SITE
from tests.reports.sites import every_page, history, replay

PAGES = [*SITE.values(), "datasets/flights/index.html", "datasets/planes/index.html"]
every = pytest.mark.parametrize("name", PAGES)
PHONE, DESK = 390, 1280
LINKS = "all => all.map(one => new URL(one.href.baseVal ?? one.href, document.baseURI).href)"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of the system, without a window."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        why = "Chromium is not installed (Debian: apt-get install chromium)"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Opened:
    """A page in the browser, with all that it said and all that it asked for beyond its files."""

    def __init__(self, browser: Browser, path: Path, width: int = DESK) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))
        self.page.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
        self.page.goto(path.as_uri())

    def _note(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.asked.append(url)

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, *_: object) -> None:
        self.page.close()


@every
def test_a_page_is_quiet_whole_and_drawn(browser: Browser, folder: Path, name: str) -> None:
    """Nothing on the console, no request beyond its files, no plot that is empty, under 3 MB."""
    path = folder / name
    assert path.stat().st_size < 3_000_000
    with (opened := Opened(browser, path)) as page:
        boxes = page.eval_on_selector_all(
            "main svg",
            """all => all.map(svg => ({
                name: svg.getAttribute("aria-label"), box: svg.getBoundingClientRect(),
                shapes: [...svg.querySelectorAll("path, rect")].filter(
                    one => { const box = one.getBBox(); return box.width + box.height > 0; }).length}))""",
        )
        for each in boxes:
            assert each["box"]["width"] > 20 and each["box"]["height"] > 5, each
            assert each["shapes"] > 0, each
        figures = page.locator("figure").count()
        assert page.locator("figure svg").count() == figures
    assert opened.said == []
    assert opened.asked == []


def test_a_page_that_asks_for_something_is_noticed(browser: Browser, folder: Path) -> None:
    """The test above can fail."""
    loud = folder / "loud.html"
    loud.write_text('<img src="http://127.0.0.1:9/x.png"><script>console.error("no")</script>')
    with (opened := Opened(browser, loud)) as page:
        page.wait_for_load_state()
    assert opened.asked == ["http://127.0.0.1:9/x.png"]
    assert "no" in opened.said


@every
def test_a_phone_need_not_scroll_sideways_by_day_or_night(browser: Browser, folder: Path, name: str) -> None:
    with Opened(browser, folder / name, PHONE) as page:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, ground[4:-1].split(","))) < 200) is (scheme == "dark")


def test_links_hold(browser: Browser, folder: Path) -> None:
    """Each leads to a file that is there, and to an anchor that is in it."""
    targets: dict[Path, set[str]] = {}
    anchors: dict[Path, set[str]] = {}
    for path in every_page(folder):
        with Opened(browser, path) as page:
            links = page.eval_on_selector_all("[href]", LINKS)
            anchors[path] = set(page.eval_on_selector_all("[id]", "all => all.map(one => one.id)"))
            assert len(anchors[path]) == page.locator("[id]").count()
        for link in links:
            if link.startswith("data:"):
                continue
            parts = urlparse(link)
            assert parts.scheme == "file", link
            target = Path(unquote(parts.path))
            assert target.is_file(), f"{path} leads to {target}"
            targets.setdefault(target, set()).add(parts.fragment)
    for target, wanted in targets.items():
        assert wanted - {""} <= anchors.get(target, set()), target
    assert {folder / page for page in SITE.values()} <= targets.keys()


def test_a_click_on_the_picture_leads_to_the_facts_of_a_version(browser: Browser, folder: Path) -> None:
    with Opened(browser, folder / SITE["Lineage"]) as page:
        page.get_by_label("flights/8, linear: refused").click()
        assert page.url.endswith("#version-8")
        told = page.locator("#version-8").inner_text()
        assert "keeps" in told and "flights/5" in told
        page.locator("#version-8 a").filter(has_text="the data of").click()
        assert "features 12, outcomes 11" in page.locator(":target").inner_text()
        page.locator("#version-8 h3 a").click()
        assert page.url.endswith("models/8.html")


def test_on_paper_nothing_is_folded_and_there_is_no_navigation(browser: Browser, folder: Path) -> None:
    with Opened(browser, folder / SITE["Replay"]) as page:
        page.emulate_media(media="print")
        assert not page.locator("nav.site").is_visible()
        assert page.get_by_text("what `every 6, stateful, expanding` says").is_visible()
        assert not page.locator("a.data").first.is_visible()


def files(browser: Browser, path: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of each file that can be saved from a page, by its name."""
    with Opened(browser, path) as page:
        found = page.eval_on_selector_all("a[download]", "all => all.map(one => [one.download, one.href])")
    read = {}
    for name, link in found:
        text = base64.b64decode(link.partition(";base64,")[2]).decode()
        read[name] = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(read) == len(found)
    return read


@every
def test_every_plot_comes_with_its_data(browser: Browser, folder: Path, name: str) -> None:
    with Opened(browser, folder / name) as page:
        plots = page.locator("figure svg, .spark, .sketch").count()
    assert len(files(browser, folder / name)) == plots


def test_the_data_are_the_facts_that_were_drawn(browser: Browser, folder: Path) -> None:
    past, policies = history(), replay()
    scored = [batch for batch in past["batches"] if batch["auc"] is not None]
    performance = {row["batch"]: row for row in files(browser, folder / SITE["History"])["performance.csv"]}
    assert {name: float(row["AUC"]) for name, row in performance.items() if row["AUC"]} == {
        batch["batch"]: batch["auc"] for batch in scored
    }
    assert performance["2013-07"]["AUC"] == ""
    moved = files(browser, folder / SITE["Monitoring"])
    drift = {row["feature"]: row for row in moved["drift.csv"]}
    for batch in scored:
        for feature, value in batch["feature_drift"].items():
            assert float(drift[feature][batch["batch"]]) == value
    estimated = {row["batch"]: row for row in moved["estimated.csv"]}
    assert float(estimated["2013-05"]["estimated value"]) == scored[1]["estimates"]["auc"]["value"]
    rows = files(browser, folder / SITE["Data"])["rows.csv"]
    assert [int(row["accepted"]) for row in rows] == [batch["accepted"] for batch in past["batches"]]
    replayed = files(browser, folder / SITE["Replay"])
    regret = {row["policy"]: float(row["value"]) for row in replayed["regret.csv"]}
    assert regret == {each["name"]: each["regret"]["value"] for each in policies["policies"]}
    gains = {(row["policy"], row["batch"]): row["value"] for row in replayed["gains.csv"]}
    for each in policies["policies"]:
        for point in each["batches"]:
            assert float(gains[each["name"], point["batch"]]) == point["against_never"]["value"]
    lineage = files(browser, folder / SITE["Lineage"])["lineage.csv"]
    assert [row["version"] for row in lineage] == ["flights/2", "flights/5", "flights/8"]
    assert [row["went on from"] for row in lineage] == ["", "flights/2", "flights/5"]


def test_a_click_saves_the_data(browser: Browser, folder: Path) -> None:
    with Opened(browser, folder / SITE["Overview"]) as page:
        with page.expect_download() as saved:
            page.locator("a.data").first.click()
        assert saved.value.suggested_filename == "AUC.csv"
