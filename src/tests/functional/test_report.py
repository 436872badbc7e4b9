"""A report in a real browser: it opens, shows the figures of the location, and runs nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from ashore.catalog_file import text_of
from ashore.naming import Day
from ashore.standin import Standin, catalog_text, parse_fault
from tests.conftest import go_without
from tests.support.process import ashore
from tests.support.reported import entry, fail, land, line, state_many
from tests.support.shop import ITEMS, Shop, bodies, today

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">\u202e"
NARROW, WIDE = ViewportSize(width=360, height=740), ViewportSize(width=1600, height=1000)
TODAY = dt.date.fromisoformat(today())


def before(days: int) -> Day:
    """A day of the shop, so many days ago."""
    return Day("shop", TODAY - dt.timedelta(days=days))


@pytest.fixture(scope="module")
def browser(outer_environment: Mapping[str, str]) -> Iterator[Browser]:
    """Chromium, as Debian has it, or what it is called elsewhere."""
    names = ("chromium", "google-chrome", "chromium-browser")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        go_without("no Chromium: apt-get install chromium", outer_environment)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        yield started
        started.close()


class Reader:
    """Opens reports, and takes note of all that a browser complains of."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []
        self.asked: list[str] = []

    def open(
        self,
        file: Path,
        viewport: ViewportSize = WIDE,
        scheme: Any = "light",
        *,
        unfold: bool = True,
    ) -> Page:
        context = self._browser.new_context(viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(file.absolute().as_uri())
        if unfold:
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        return page


@pytest.fixture
def reader(browser: Browser) -> Iterator[Reader]:
    """A reader who wants nothing to complain of, and nothing asked of any network."""
    found = Reader(browser)
    yield found
    for context in browser.contexts:
        context.close()
    assert found.complaints == []
    assert [url for url in found.asked if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two editions of the recorded answers on two days, the second in two runs."""
    folder = tmp_path_factory.mktemp("world")
    with Standin(edition="2024-04") as standin:
        catalog = folder / "catalog.toml"
        catalog.write_text(catalog_text(standin.url, "300/s", text_of(None)), encoding="utf-8")
        where = ("--catalog", str(catalog), "--to", str(folder / "landing"), "--json")
        yesterday = str(TODAY - dt.timedelta(days=1))
        assert ashore("extract", *where, "--date", yesterday).status == 0
        standin.edition = "2025-01"
        standin.faults = [parse_fault("status=503,path=*/country/ZWE/*,first=1")]
        most = ("--max-requests", "120")
        assert ashore("extract", *where, "--date", str(TODAY), *most).status == 3
        assert ashore("extract", *where, "--date", str(TODAY)).status == 0
    return folder


def report(folder: Path, *more: str) -> tuple[Path, dict[str, Any]]:
    """Write a report of a folder's location beside it; and what ``--json`` said."""
    output = folder / "report.html"
    where = ("--catalog", str(folder / "catalog.toml"), "--to", str(folder / "landing"))
    done = ashore("report", *where, "--output", str(output), "--json", *more)
    assert done.status == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    return output, document


def declared(folder: Path) -> Path:
    """A catalog of the shop for days that were written by hand."""
    source = '[source.shop]\nbase_url = "http://127.0.0.1:9"\nrate = "30/s"\n'
    (folder / "catalog.toml").write_text(source + ITEMS, encoding="utf-8")
    (folder / "landing").mkdir(exist_ok=True)
    return folder


def rows(page: Page, label: str) -> list[list[str]]:
    """The cells of the table in the group of a label, row by row."""
    found: list[list[str]] = page.get_by_role("group", name=label, exact=True).evaluate(
        "group => [...group.querySelectorAll('tbody tr')].map("
        "row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder, by what they hold."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_page_shows_the_figures_of_the_location(world: Path, reader: Reader) -> None:
    landing, name = world / "landing", f"{TODAY}, world_bank"
    untouched = tree(landing)
    page = reader.open(report(world)[0])
    assert tree(landing) == untouched
    day = Day("world_bank", TODAY)
    manifest = json.loads((landing / day.manifest).read_text())
    receipts = [
        json.loads(text)
        for text in (landing / manifest["receipts"]["path"]).read_text().split("\n")[:-1]
    ]
    ledger = {row[0]: row[1:] for row in rows(page, f"Ledger of {name}")}
    for endpoint, said in manifest["ledger"].items():
        keys = ("expected", "landed", "missing", "objects", "records", "declared_total")
        assert ledger[endpoint][:6] == [f"{said[key]:,}" for key in keys]
        assert all(
            f"{c['name']}: {c['verdict']}, {c['said']}" in ledger[endpoint][6]
            for c in said["checks"]
        )
    waterfall = rows(page, f"Waterfall of {name}")
    shown = {row[0]: (row[4], row[5], row[6]) for row in waterfall}
    assert shown == {
        each["path"].partition("endpoint=")[2]: (
            str(each["attempts"]),
            "yes" if each["adopted"] else "",
            f"{each['records']:,}",
        )
        for each in receipts
    }
    assert {row[0] for row in waterfall if row[4] == "2"} == {"population/country=ZWE.json"}
    pace = rows(page, f"Pace of {name}")
    assert sum(int(row[2].replace(",", "")) for row in pace) == len(receipts)
    days = rows(page, "Days of world_bank")
    assert [(row[0], row[1], row[2]) for row in days] == [
        (str(TODAY), "complete", "218"),
        (str(TODAY - dt.timedelta(days=1)), "complete", "218"),
    ]


def test_the_page_says_what_changed_as_the_command_does(world: Path, reader: Reader) -> None:
    page = reader.open(world / "report.html")
    where = ("--catalog", str(world / "catalog.toml"), "--to", str(world / "landing"), "--json")
    done = ashore("diff", str(TODAY - dt.timedelta(days=1)), str(TODAY), "world_bank", *where)
    said = json.loads(done.out)["sources"][0]["endpoints"]
    keys = ("records_earlier", "records_later", "added", "removed", "changed")
    expected = [[each["endpoint"], *(f"{each[key]:,}" for key in keys)] for each in said]
    changes = rows(page, f"What changed on {TODAY}, world_bank")
    assert [row[:6] for row in changes] == expected
    assert any(each["changed"] for each in said)


def test_a_link_leads_to_the_bytes_that_landed(world: Path, reader: Reader) -> None:
    page = reader.open(world / "report.html")
    page.get_by_role("link", name="population/country=FRA.json").first.click()
    landed = (
        world / "landing" / Day("world_bank", TODAY).raw / "endpoint=population/country=FRA.json"
    )
    assert page.url == landed.absolute().as_uri().replace("=", "%3D") or page.url == landed.as_uri()
    assert page.locator("body").inner_text().strip() == landed.read_text().strip()


@pytest.mark.parametrize(
    ("scheme", "viewport", "background"),
    [("light", WIDE, "rgb(246, 248, 250)"), ("dark", NARROW, "rgb(14, 19, 25)")],
    ids=["light-wide", "dark-narrow"],
)
def test_everybody_can_read_it(
    shop: Shop, reader: Reader, scheme: str, viewport: ViewportSize, background: str
) -> None:
    shop.declare(ITEMS + 'key = "id"\n')
    lists = [[{"id": 1, "name": "a"}, {"id": 2}], [{"id": 1, "name": 7}, {"id": 3}]]
    shop.api.on("/items", bodies(*lists))
    for days in (1, 0):
        shop.date = str(TODAY - dt.timedelta(days=days))
        assert shop.extract().status == 0
    page = reader.open(report(shop.landing.parent)[0], viewport, scheme)
    drift = rows(page, f"Drift of items on {TODAY}, shop")
    assert [(row[0], row[1]) for row in drift] == [("name", "type")]
    changes = rows(page, f"Changed records of items on {TODAY}, shop")
    assert changes == [["1", "name", '"a"', "7"]]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background


def test_a_keyboard_reaches_what_folds_and_what_scrolls(world: Path, reader: Reader) -> None:
    page = reader.open(world / "report.html", unfold=False)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    summary = page.locator(f"#world_bank-{TODAY - dt.timedelta(days=1)} > summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"#world_bank-{TODAY - dt.timedelta(days=1)}").get_attribute("open") == ""
    waterfall = page.get_by_role("group", name=f"Waterfall of {TODAY}, world_bank", exact=True)
    waterfall.focus()
    page.keyboard.press("End")
    page.wait_for_function("document.activeElement.scrollTop > 0", timeout=5_000)


def test_a_day_that_failed_says_why_and_runs_nothing(tmp_path: Path, reader: Reader) -> None:
    root, day = declared(tmp_path) / "landing", before(1)
    land(root, before(2), [line(before(2), "endpoint=items/all.json", records=5)])
    fail(
        root,
        day,
        [line(day, f"endpoint=items/id={n}.json", n) for n in range(40)],
        reason=f"items: 60 of 100 failed for good: {HOSTILE}",
        violations=[HOSTILE],
        failures=[
            {
                "object": f"{n}{HOSTILE}",
                "reason": f"HTTP 503 {HOSTILE}",
                "attempts": 5,
                "body": HOSTILE,
            }
            for n in range(60)
        ],
        failures_untold=7,
        ledger={HOSTILE: entry(40, [{"name": HOSTILE, "verdict": "not met", "said": HOSTILE}])},
    )
    page = reader.open(report(tmp_path)[0])
    text = page.locator(f"#shop-{day.date}").inner_text()
    assert "60 of 100 failed for good: <script>" in text
    assert "17 more failures are left out" in text
    assert len(rows(page, f"What failed on {day.date}, shop")) == 50
    assert len(rows(page, f"Waterfall of {day.date}, shop")) == 40
    assert page.title().startswith("What landed in ")
    assert page.locator("script, img").count() == 0


def test_an_empty_location_and_a_damaged_manifest_are_told(tmp_path: Path, reader: Reader) -> None:
    root, day = declared(tmp_path) / "landing", before(1)
    page = reader.open(report(tmp_path)[0])
    assert "Nothing is stated about any day" in page.locator("main").inner_text()
    assert Axe().run(page).violations_count == 0
    (root / day.manifests).mkdir(parents=True)
    (root / day.manifest).write_text(f'{{"format": "{HOSTILE!a}')
    page = reader.open(report(tmp_path)[0])
    assert "damaged" in page.locator(f"#shop-{day.date}").inner_text()


def test_of_many_thousand_requests_a_few_are_drawn(tmp_path: Path, reader: Reader) -> None:
    root, day = declared(tmp_path) / "landing", before(1)
    lines = (line(day, f"endpoint=items/id={n}.json", n / 30) for n in range(30_000))
    land(root, day, lines)
    output, document = report(tmp_path)
    page = reader.open(output)
    assert document["bytes"] < 500_000
    assert len(rows(page, f"Waterfall of {day.date}, shop")) <= 240
    text = page.locator(f"#shop-{day.date}").inner_text()
    shown, of, left = re.findall(r"([\d,]+) of ([\d,]+) requests.*?([\d,]+) are left out", text)[0]
    assert of == "30,000"
    assert int(shown) + int(left.replace(",", "")) == 30_000
    assert "30 at most in any second" in text


def test_ten_years_are_one_page_that_opens_at_once(tmp_path: Path, reader: Reader) -> None:
    state_many(declared(tmp_path) / "landing", TODAY, 3_653)
    output, document = report(tmp_path, "--days", "3653")
    assert document["bytes"] == output.stat().st_size < 5 * 2**20
    assert document["sources"][0]["current"]["days"] == 3_653
    page = reader.open(output, unfold=False)
    # As the browser counts it, and the best of three: a busy machine is not the page's doing.
    opened = []
    for _ in range(3):
        page.reload()
        opened.append(page.evaluate("performance.getEntriesByType('navigation')[0].duration"))
    assert 0 < min(opened) < 2_000
    marks = page.evaluate("document.querySelectorAll('.months path.complete').length")
    assert marks == 3_653
    row = "[aria-label='Days of shop'] tbody tr"
    assert page.evaluate(f'document.querySelectorAll("{row}").length') == 3_653


def test_a_report_never_lies_in_the_location_or_over_another_file(shop: Shop) -> None:
    shop.declare()
    shop.api.on("/items", bodies([{"id": 1}]))
    assert shop.extract().status == 0
    untouched = tree(shop.landing)
    where = ["report", "--catalog", str(shop.catalog), "--to", shop.to, "--json", "--output"]
    refused = shop.run(*where, str(shop.landing / "report.html"))
    assert (refused.status, refused.document["exit_status"]) == (2, 2)
    mine = shop.landing.parent / "mine.html"
    mine.write_text("mine")
    assert shop.run(*where, str(mine)).status == 2
    assert mine.read_text() == "mine"
    assert shop.run(*where, str(mine), "--force").status == 0
    assert shop.run(*where, str(mine)).status == 0
    assert tree(shop.landing) == untouched


def test_a_location_that_is_not_there_is_the_operators(shop: Shop) -> None:
    shop.declare()
    output = shop.landing.parent / "report.html"
    done = shop.run(
        "report", "--catalog", str(shop.catalog), "--to", shop.to, "--output", str(output)
    )
    assert done.status == 5
    assert "there is no such folder" in done.err
    assert not output.exists()


def test_a_location_in_s3_is_shown_and_its_objects_are_named(
    shop: Shop, s3_location: str, reader: Reader
) -> None:
    shop.declare()
    shop.to = s3_location
    shop.api.on("/items", bodies([{"id": 1}]))
    assert shop.extract().status == 0
    output = shop.catalog.with_name("report.html")
    where = ["--catalog", str(shop.catalog), "--to", shop.to]
    assert shop.run("report", *where, "--output", str(output)).status == 0
    page = reader.open(output)
    waterfall = rows(page, f"Waterfall of {shop.date}, shop")
    assert [row[0] for row in waterfall] == ["items/all.json"]
    assert page.get_by_role("link", name="items/all.json").count() == 0
    assert f"{s3_location}/{Day('shop', TODAY).raw}" in page.locator("main").inner_text()
