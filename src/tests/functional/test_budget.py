"""A quota of the API is kept over runs, counted before each request, and never exceeded."""

from __future__ import annotations

import json

from tests.support.api import Reply, ScriptedApi
from tests.support.process import start
from tests.support.shop import ITEMS, TREE, Shop, read, tree

BUDGET = 'budget = {{ requests = {}, per = "30d" }}'


def used(shop: Shop) -> int:
    state = read(shop.landing / "state/source=shop/budget.json")
    return sum(count for _, count in state["used"])


def test_a_budget_that_is_used_up_stops_the_run(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c", "d"])
    shop.declare(TREE, source=BUDGET.format(3))
    ran = shop.extract()
    assert (ran.status, len(api.calls), used(shop)) == (3, 3, 3)
    assert "budget" in shop.attempt()["reason"]


def test_retries_are_counted(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(503))
    shop.declare(source=BUDGET.format(2))
    assert (shop.extract().status, len(api.calls), used(shop)) == (3, 2, 2)


def test_a_budget_that_cannot_carry_the_first_requests_is_refused(
    shop: Shop, api: ScriptedApi
) -> None:
    three = ITEMS + ITEMS.replace("items", "two") + ITEMS.replace("items", "three")
    shop.declare(three, source=BUDGET.format(2))
    ran = shop.extract("--json")
    assert (ran.status, api.calls, ran.document["exit_status"]) == (2, [], 2)
    assert "budget" in ran.err


def test_what_is_left_of_the_latest_day_is_what_is_needed(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c"])
    shop.declare(TREE, source=BUDGET.format(6))
    assert shop.extract().status == 0
    shop.date = shop.date[:8] + shop.date[8:]
    assert shop.extract().status == 0, "a complete day needs nothing"
    assert used(shop) == 4


def test_two_runs_at_once_share_a_budget(shop: Shop, api: ScriptedApi) -> None:
    tree(api, [f"v{number:02}" for number in range(40)])
    shop.declare(TREE, source=BUDGET.format(20))
    with start(*shop.arguments()) as one, start(*shop.arguments()) as other:
        ended = [one.finish(), other.finish()]
    assert [each.status for each in ended] == [3, 3], ended
    assert len(api.calls) == used(shop) == 20


def test_a_damaged_book_is_named(shop: Shop, api: ScriptedApi) -> None:
    shop.declare(source=BUDGET.format(20))
    book = shop.landing / "state/source=shop/budget.json"
    book.parent.mkdir(parents=True)
    book.write_text(json.dumps({"used": "all"}))
    ran = shop.extract()
    assert (ran.status, api.calls, "budget.json" in ran.err) == (4, [], True)
