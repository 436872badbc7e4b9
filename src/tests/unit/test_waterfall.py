import datetime as dt
import json
import random
from statistics import median
from typing import Any

import pytest

from ashore.naming import Day
from ashore.units import Rate
from ashore.waterfall import Requests, read_requests
from tests.support.reported import line

DAY = Day("shop", dt.date(2026, 11, 24))


def read(lines: list[dict[str, Any]], limit: int = 240, rate: Rate | None = None) -> Requests:
    encoded = [json.dumps(each).encode() for each in lines]
    return read_requests(encoded, DAY.raw, len(lines), limit, rate)


def many(number: int) -> list[dict[str, Any]]:
    chance = random.Random(7)  # noqa: S311 - no secret
    return [
        line(
            DAY,
            f"endpoint=item/id={n}.json",
            n / 10,
            round(chance.expovariate(3), 3),
            1 + (n % 50 == 0),
        )
        for n in range(number)
    ]


def test_the_figures_are_of_all_requests_and_the_rows_of_a_few() -> None:
    lines = many(5_000)
    found = read(lines, 90, Rate(10, 1.0))
    lasting = [each["duration_ms"] / 1000 for each in lines]
    assert found.known == 5_000
    assert (found.typical, found.slowest) == (median(lasting), max(lasting))
    assert found.retried == 100
    assert found.most == 10
    assert 60 <= len(found.shown) <= 90
    assert found.left_out == 5_000 - len(found.shown)


def test_the_slowest_and_those_that_were_tried_most_have_a_row() -> None:
    lines = many(3_000)
    lines[1_234]["duration_ms"], lines[2_001]["attempts"] = 99_000, 9
    shown = {each.path for each in read(lines, 30).shown}
    assert {lines[1_234]["path"], lines[2_001]["path"]} <= shown


def test_few_requests_all_have_a_row_in_the_order_in_which_they_were_sent() -> None:
    lines = [line(DAY, f"endpoint=item/id={n}.json", 100 - n) for n in range(50)]
    shown = read(lines, 50).shown
    assert [each.path for each in shown] == [each["path"] for each in reversed(lines)]


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        json.dumps({"path": f"{DAY.raw}endpoint=a/all.json"}).encode(),
        json.dumps(line(DAY, "endpoint=a/all.json") | {"fetched_at": "2026-11-24"}).encode(),
        json.dumps(line(DAY, "endpoint=a/all.json") | {"fetched_at": 5}).encode(),
        json.dumps(line(DAY, "endpoint=a/all.json") | {"duration_ms": -1}).encode(),
        json.dumps(line(DAY, "endpoint=a/all.json") | {"path": "/etc/passwd"}).encode(),
        json.dumps(line(DAY, "endpoint=a/all.json") | {"path": "javascript:alert(1)"}).encode(),
        json.dumps(line(DAY, "endpoint=../../x/all.json")).encode(),
    ],
)
def test_a_damaged_receipt_is_counted_and_left_out(spoilt: bytes) -> None:
    good = json.dumps(line(DAY, "endpoint=items/all.json")).encode()
    found = read_requests([spoilt, good], DAY.raw, 2, 10, None)
    assert (found.known, found.damaged) == (1, 1)
    assert read_requests([spoilt], DAY.raw, 1, 10, None) == Requests(damaged=1)


def test_a_receipt_of_another_age_is_shown_too() -> None:
    lines = [
        line(DAY, "endpoint=items/all.json") | {"duration_ms": 10**40, "attempts": 10**40},
        line(DAY, "endpoint=item/id=1.json") | {"fetched_at": "0001-01-01T00:00:00Z"},
    ]
    assert read([lines[1]]).known == 1
    assert read(lines[:1]).damaged == 1  # beyond all that is a number of anything
