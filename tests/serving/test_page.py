"""The pages of a service in a browser, while it is asked, released anew and killed."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.settings import Settings
from models.registry.releases import Part
from serving.access.keys import Keys, Scope
from stages.monitoring.monitor import judge_batch
from stages.score import score
from tests.serving.running import PREDICT, Running, running, wait
from tests.serving.shop import NOW, Shop
from tests.serving.visits import DESK, PHONE, Visit, chromium

pytestmark = pytest.mark.slow
TRAFFIC = "/v1/orders/traffic"
AHEAD = NOW + timedelta(days=7)  # when what came of all orders is known
SOON = 15_000  # milliseconds: some looks of the page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def judged(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A copy of the project, whose last batches were scored and judged."""
    own = shop.copied(tmp_path_factory.mktemp("judged") / "shop")
    workspace = own.workspace
    for name in ("2013-04", "2013-05"):
        score(workspace, workspace.batch(name), AHEAD)
        assert judge_batch(workspace, workspace.batch(name), AHEAD)
    return own


@pytest.fixture(scope="module")
def service(judged: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Its service, in two workers, open to all."""
    with running(judged.settings, tmp_path_factory.mktemp("outputs"), workers=2) as started:
        yield started


def key_to(settings: Settings, *scopes: Scope) -> str:
    name = "-".join(scopes)
    return Keys(settings.registry, "orders").create(name, scopes, at=NOW, by="tests")


def texts(page: Page | Locator, selector: str) -> list[str]:
    return [each.strip() for each in page.locator(selector).all_text_contents()]


def table(page: Page) -> dict[str, list[str]]:
    """The lines of the release, by version."""
    lines = [texts(line, "th, td") for line in page.locator("#versions tr").all()]
    return {version: rest for version, *rest in lines}


def ask(service: Running, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each row is answered with, asked one by one."""
    with service.client() as client:
        return [client.post(PREDICT, json=row).raise_for_status().json() for row in rows]


def test_the_page_tells_who_answers_and_what_was_decided_last(
    browser: Browser, service: Running, judged: Shop
) -> None:
    visit = Visit(browser, service.url)
    with visit as page:
        expect(page.locator("#state")).to_contain_text("answers")
        assert texts(page, "#champion") == [judged.linear]
        assert table(page)[judged.linear][:2] == ["champion, linear", "100%"]
        told = judged.workspace.ledger.result("monitor", "2013-05")
        assert told and texts(page, "#reasons li") == told["reasons"]
        assert told["decision"] in page.locator("#decision").inner_text()
        assert "2013-05" in page.locator("#judged").inner_text()
        assert len(texts(page, "#drifts li")) == min(8, len(told["drift"]))
        assert not page.locator(".badge.act", has_text="act").count()
    assert visit.said == []
    assert visit.hosts == {service.url.removeprefix("http://")}


def test_requests_appear_as_they_are_made(browser: Browser, service: Running, judged: Shop) -> None:
    visit = Visit(browser, service.url)
    with visit as page:
        expect(page.locator("#state")).to_contain_text("answers")
        before = int(table(page)[judged.linear][3])
        answers = ask(service, judged.rows(30))
        with service.client() as client:
            assert client.post(PREDICT, json={"nothing": 1}).status_code == 422
        expect(page.locator("#health")).to_contain_text("1 \N{MULTIPLICATION SIGN} 422", timeout=SOON)
        assert {answer["version"] for answer in answers} == {judged.linear}
        version, failed = table(page)[judged.linear], page.locator("#failed")
        assert int(version[3]) == before + 30 and version[4].endswith("ms") and version[6] == "0"
        assert failed.inner_text() == "0"
        for name in ("requests", "latency", "answers", "shares"):
            shapes = page.locator(f"#{name} svg").locator(".line, .dot, .bar")
            assert max(box["height"] for shape in shapes.all() if (box := shape.bounding_box())) > 5, name
        assert re.search(r"answered 0\.\d|answered [1-9]", drawn(page, "requests"))
        assert re.search(r"median [\d.]+ ms", drawn(page, "latency"))
        assert f"{judged.linear}, {before + 30} answers" in drawn(page, "answers")
    assert visit.said == []


def drawn(page: Page, figure: str) -> str:
    """What is read aloud in place of a plot."""
    return page.locator(f"#{figure} svg").get_attribute("aria-label") or ""


def test_a_new_release_appears_without_a_reload(browser: Browser, service: Running, judged: Shop) -> None:
    visit = Visit(browser, service.url)
    with visit as page:
        expect(page.locator("#versions tr")).to_have_count(1)
        judged.release(Part(judged.trees, "canary", 0.25), Part(judged.constant, "shadow", 1.0))
        expect(page.locator("#versions tr")).to_have_count(3, timeout=SOON)
        assert table(page)[judged.trees][:2] == ["canary, lightgbm", "25%"]
        assert table(page)[judged.constant][:2] == ["shadow, constant", "100%, unseen"]
        assert "75%" in texts(page, "#shares svg text")
        answers = ask(service, judged.rows(60, seed=2))
        own = str(sum(answer["version"] == judged.trees for answer in answers))
        expect(page.locator("#versions tr", has_text=judged.trees).locator("td").nth(3)).to_have_text(
            own, timeout=SOON
        )
        assert own != "0" and judged.trees in drawn(page, "answers")
        judged.release(hours=2)
        expect(page.locator("#versions tr")).to_have_count(1, timeout=SOON)
    assert visit.said == []


@pytest.mark.parametrize("path", ["", "docs"])
def test_pages_fit_on_a_phone(browser: Browser, service: Running, path: str) -> None:
    for width in (PHONE, DESK):
        visit = Visit(browser, f"{service.url}/{path}", width)
        with visit as page:
            expect(page.locator("main")).to_contain_text("orders")
            if not path:
                expect(page.locator("#state")).to_contain_text("answers")
            assert page.evaluate("document.documentElement.scrollWidth") == width
        assert visit.said == []


def test_the_documentation_tells_each_field_and_an_example_that_works(
    browser: Browser, service: Running
) -> None:
    with service.client() as client:
        told = client.get("/openapi.json").json()
    with Visit(browser, f"{service.url}/docs") as page:
        page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
        names = texts(page, "tbody th code")
        assert set(told["components"]["schemas"]["Row"]["properties"]) <= set(names)
        assert set(texts(page, "h2 code")) == set(told["paths"])
        curl, *_ = texts(page, "pre")
    body = re.search(r"-d '(.*)'", curl, re.DOTALL)
    assert body and f"{service.url}{PREDICT}" in curl
    with service.client() as client:
        answer = client.post(PREDICT, content=body[1], headers={"Content-Type": "application/json"})
    assert answer.status_code == 200 and not answer.json()["degraded"]


def test_a_page_is_allowed_nothing_but_its_own(service: Running) -> None:
    with service.client() as client:
        for path in ("/", "/docs"):
            policy = client.get(path).headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in policy and "http" not in policy and "*" not in policy


def test_who_opens_the_page_sees_the_last_minutes(browser: Browser, service: Running, judged: Shop) -> None:
    ask(service, judged.rows(5))

    def looks() -> int:
        with service.client() as client:
            return len(client.get(TRAFFIC, params={"past": True}).json()["past"])

    wait(lambda: looks() >= 3)
    with Visit(browser, service.url) as page:
        expect(page.locator("#requests polyline").first).to_be_visible()
        line = page.locator("#requests polyline").first.get_attribute("points") or ""
        first, *_, last = (float(point.split(",")[0]) for point in re.findall(r"[\d.]+,[\d.]+", line))
        width = page.locator("#requests svg").bounding_box()
        assert width and last - first > width["width"] * 10 / 400  # ten seconds of six or seven minutes


def test_keys_are_asked_for_and_a_service_that_is_killed_is_told(
    browser: Browser, judged: Shop, tmp_path: Path
) -> None:
    right, wrong = key_to(judged.settings, "admin"), key_to(judged.settings, "predict")
    with running(judged.settings, tmp_path, open=False) as service:
        assert nothing_leaks(service.url, judged)
        with Visit(browser, service.url) as page:
            expect(page.locator("#door")).to_be_visible()
            for key, why in ((wrong, "no scope 'admin'"), (f"{right}x", "not, or no longer")):
                page.fill("#key", key)
                page.press("#key", "Enter")
                expect(page.locator("#refused")).to_contain_text(why)
                expect(page.locator("#figures")).to_be_hidden()
            page.fill("#key", right)
            page.click("#door button")
            expect(page.locator("#champion")).to_have_text(judged.linear)
            expect(page.locator("#door")).to_be_hidden()
            page.reload()
            expect(page.locator("#champion")).to_have_text(judged.linear)
            assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
            service.kill()
            expect(page.locator("#state")).to_contain_text("The service has not answered since", timeout=SOON)
            expect(page.locator("main")).to_have_class(re.compile("stale"))
            assert texts(page, "#champion") == [judged.linear]


def nothing_leaks(url: str, judged: Shop) -> bool:
    """Whether who has no key is told neither figures nor values."""
    assert httpx.get(url + TRAFFIC).status_code == 401
    pages = httpx.get(url).text + httpx.get(f"{url}/docs").text
    versions = (judged.constant, judged.linear, judged.trees)
    cities = judged.orders()["city"].unique().to_list()
    return not any(value in pages for value in (*versions, *cities))
