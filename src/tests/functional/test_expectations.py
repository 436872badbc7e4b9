"""What the catalog expects is judged, told with its figures, and accepted only by name."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.support.api import Reply, ScriptedApi, json_reply
from tests.support.shop import ITEMS, TREE, Shop, tree


def declared(shop: Shop, expect: str, endpoints: str = ITEMS) -> None:
    shop.declare(f'{endpoints}key = "id"\nexpect = {{ {expect} }}\n')


def yesterday() -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).date().isoformat()


UNMET = {
    "min_records": "min_records = 3",
    "max_records": "max_records = 1",
    "unique_key": "unique_key = true",
}


@pytest.mark.parametrize("check", list(UNMET))
def test_an_expectation_that_one_set_does_not_meet_keeps_it_from_landing(
    shop: Shop, api: ScriptedApi, check: str
) -> None:
    api.on("/items", json_reply([{"id": 1}, {"id": 1}]))
    declared(shop, UNMET[check])
    ran = shop.extract()
    assert (ran.status, shop.landed(), len(api.calls)) == (4, {}, 3)
    assert f"--accept items.{check}" in ran.err


def test_what_was_not_counted_to_the_end_is_not_held_against_what_is_expected(
    shop: Shop, api: ScriptedApi
) -> None:
    tree(api, ["a", "b"])
    listing = TREE.replace('path = "items"\n', 'path = "items"\nexpect = { min_records = 3 }\n')
    declared(shop, "min_records = 3", listing)
    assert shop.extract().status == 4
    (violation,) = shop.attempt()["violations"]
    assert "items.min_records is not met: 2 records, at least 3 expected" in violation


@pytest.mark.parametrize("check", list(UNMET))
def test_an_accepted_expectation_completes_the_day_and_is_recorded(
    shop: Shop, api: ScriptedApi, check: str
) -> None:
    api.on("/items", json_reply([{"id": 1}, {"id": 1}]))
    declared(shop, UNMET[check])
    assert shop.extract("--accept", f"items.{check}").status == 0
    assert shop.manifest()["accepted"] == [f"items.{check}"]
    (told,) = shop.manifest()["ledger"]["items"]["checks"]
    assert (told["name"], told["verdict"]) == (check, "accepted")


def test_what_is_accepted_without_need_is_not_recorded(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": 1}]))
    declared(shop, "min_records = 1")
    assert shop.extract("--accept", "items.min_records").status == 0
    assert shop.manifest()["accepted"] == []


def test_keys_are_unique_over_all_sets(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": 1}, {"id": 2}]))
    api.answer(lambda call: json_reply({"id": "same"}))
    declared(shop, "unique_key = true", TREE)
    ran = shop.extract()
    assert ran.status == 4
    assert "--accept item.unique_key" in ran.err
    assert shop.extract("--accept", "item.unique_key").status == 0
    assert len(api.calls) == 3, "all had landed"


def test_a_record_without_its_key_is_not_unique(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": 1}, {}]))
    declared(shop, "unique_key = true")
    assert shop.extract().status == 4


def test_a_drop_is_held_against_the_latest_complete_day(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", [json_reply(list(range(10)))])
    declared(shop, "max_drop = 0.2")
    today, shop.date = shop.date, yesterday()
    assert shop.extract().status == 0
    shop.date = today
    api.on("/items", json_reply(list(range(7))))
    ran = shop.extract()
    assert (ran.status, shop.landed()) == (4, {})
    assert "--accept items.max_drop" in ran.err
    api.on("/items", json_reply(list(range(8))))
    assert shop.extract().status == 0


def test_a_day_completed_by_acceptance_is_compared_with_later(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": 1}]))
    declared(shop, "min_records = 2, max_drop = 0")
    today, shop.date = shop.date, yesterday()
    assert shop.extract("--accept", "items.min_records").status == 0
    shop.date = today
    assert shop.extract("--accept", "items.min_records").status == 0
    names = {c["name"]: c for c in shop.manifest()["ledger"]["items"]["checks"]}
    assert names["max_drop"]["verdict"] == "met"


def one_missing(shop: Shop, api: ScriptedApi, expect: str) -> None:
    tree(api, ["a", "b", "c"])
    api.on("/item/b", Reply(404))
    declared(shop, expect, TREE)


def test_a_set_that_fails_for_good_keeps_the_day_incomplete(shop: Shop, api: ScriptedApi) -> None:
    one_missing(shop, api, "allow_empty = true")
    assert shop.extract().status == 3
    (failure,) = shop.attempt()["failures"]
    assert failure["object"].endswith("endpoint=item/id=b.json")
    assert (failure["last"], failure["attempts"]) == (404, 1)


def test_sets_may_be_missing_as_far_as_that_is_allowed(shop: Shop, api: ScriptedApi) -> None:
    one_missing(shop, api, "allow_missing = 1")
    assert shop.extract().status == 0
    entry = shop.manifest()["ledger"]["item"]
    assert (entry["expected"], entry["landed"], entry["missing"]) == (3, 2, 1)
    assert shop.verify().status == 0


def test_missing_sets_can_be_accepted(shop: Shop, api: ScriptedApi) -> None:
    one_missing(shop, api, "allow_empty = true")
    assert shop.extract("--accept", "item.allow_missing").status == 0
    assert shop.manifest()["accepted"] == ["item.allow_missing"]


@pytest.mark.parametrize("expect", ["min_records = 9", "max_records = 1", "unique_key = true"])
def test_an_allowed_gap_does_not_silence_the_other_expectations(
    shop: Shop, api: ScriptedApi, expect: str
) -> None:
    one_missing(shop, api, f"allow_missing = 1, {expect}")
    ran = shop.extract()
    assert (ran.status, shop.manifest_file.exists()) == (4, False)
    assert "--accept item." in ran.err


def test_a_set_of_many_may_not_be_empty_unless_it_is_allowed(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": "a"}, {"id": "b"}]))
    api.on("/item/a", json_reply([]))
    api.on("/item/b", json_reply([1]))
    shop.declare(TREE)
    assert shop.extract().status == 4
    assert list(shop.landed()) == ["item/id=b.json", "items/all.json"]
    shop.declare(TREE + "expect = { allow_empty = true }\n")
    assert shop.extract().status == 0
