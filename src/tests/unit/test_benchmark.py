"""What the benchmark counts: ratios in pairs, bars, limits, tables, and what its server sends."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import bodies
import counting
import report
from figures import LARGE, SMALL, Bar, Case, Measured, Run, Spread, bars, wall

ROOT = Path(__file__).parents[3]
FLOOR = [Run(1.0), Run(2.0), Run(4.0)]
ASHORE = [Run(1.5), Run(2.2), Run(4.8)]


def three_rounds(case: Case) -> Measured:
    return Measured(case, {"limit": [Run(0.1)] * 3, "floor": FLOOR, "ashore": ASHORE})


def test_ratios_are_taken_round_by_round() -> None:
    ratio = three_rounds(Case(10)).ratio(wall, "ashore", "floor")
    assert (ratio.least, ratio.median, ratio.most) == pytest.approx((1.1, 1.2, 1.5))


@pytest.mark.parametrize(
    ("case", "limit"),
    [
        (Case(1_000), None),
        (Case(1_999, latency_ms=50, workers=32), 3.125),
        (Case(59, rate=20), 3.0),
        (Case(99, landed=50, rate=10), 5.0),
    ],
    ids=str,
)
def test_the_limit_counts_every_request_and_nothing_else(case: Case, limit: float | None) -> None:
    assert case.limit == limit


@pytest.mark.parametrize(
    ("figure", "bar", "least", "verdict"),
    [
        (1.25, 1.25, False, "met"),
        (1.5, 1.25, False, "**not met**, by 20%"),
        (0.7, 0.7, True, "met"),
        (0.35, 0.7, True, "**not met**, by 50%"),
        (2.0, 0.0, False, "**not met**, by 2"),
    ],
)
def test_a_bar_says_by_how_much_it_is_missed(
    figure: float, bar: float, least: bool, verdict: str
) -> None:
    assert Bar("", Spread.of([figure]), bar, least=least).verdict == verdict


def test_bars_are_those_of_the_cases_that_have_one() -> None:
    paced = Measured(Case(60, rate=20, bar=1.03), {"limit": [Run(3)], "ashore": [Run(3.3)]})
    with_floor, against_limit = bars(
        [three_rounds(Case(10, bar=1.25)), three_rounds(Case(10)), paced]
    )
    assert with_floor.met
    assert against_limit.verdict == "**not met**, by 7%"
    assert against_limit.name.endswith("wall ÷ limit")


def test_a_spread_shows_the_median_first() -> None:
    assert f"{Spread.of([3, 1, 2]):.1f}" == "2.0 (1.0 to 3.0)"
    assert f"{Spread.of([2]):.0f}" == "2"


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_an_answer_is_json_of_just_its_size(size: int) -> None:
    body = bodies.answer(b"0000007", size)
    assert len(body) == size
    assert json.loads(body)["id"] == "0000007"


def test_every_answer_can_be_told_apart() -> None:
    assert len(bodies.digests(50, SMALL)) == 51


@pytest.mark.slow  # a server
def test_the_server_sends_what_is_looked_for_and_counts_it() -> None:
    program = [sys.executable, str(ROOT / "benchmarks" / "server.py")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            root = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            asked = [f"{root}/0/2048/items?count=1", f"{root}/10/2048/item/0000000"]
            opened = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            found = {bodies.md5(opened.open(each, timeout=10).read()) for each in asked}
            told = json.load(opened.open(f"{root}/figures", timeout=10))
        finally:
            server.terminate()
    assert found == bodies.digests(1, 2048)
    assert told["requests"] == 2
    assert 0 < told["first"] <= told["last"]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (
            "PUT /b/p/raw/extraction_date%3D2026/source%3Db/endpoint%3Ditem/id%3D1.json",
            "PUT a body",
        ),
        ("GET /b/p/raw/source=b/endpoint=items/all.json", "GET the listing"),
        ("GET /b?list-type=2&prefix=raw", "list objects"),
        ("PUT /b/p/manifests/x/manifest.json", "PUT a statement"),
    ],
)
def test_calls_to_s3_are_told_apart(target: str, kind: str) -> None:
    assert counting.kind_of(f"{target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) == kind


def test_only_what_stands_between_markers_is_written() -> None:
    kept = "b\n<!-- measured: peers -->\nkept\n<!-- end -->\n"
    text = f"a\n<!-- measured: bars -->\nold\n<!-- end -->\n{kept}"
    after = report.rewritten(text, {"bars": report.table(["x", "y"], [["1", "2"]])})
    assert after == (
        "a\n<!-- measured: bars -->\n\n| x | y |\n| --- | ---: |\n| 1 | 2 |\n\n<!-- end -->\n"
        f"{kept}"
    )


def test_a_case_shows_each_contender_and_its_ratios() -> None:
    shown = report.case(three_rounds(Case(10)))
    assert "| floor | 2.00 (1.00 to 4.00) |" in shown
    assert "| ashore ÷ floor | 1.20 (1.10 to 1.50) |" in shown
    assert len({line.count("|") for line in shown.splitlines()[2:]}) == 1
