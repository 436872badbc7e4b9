"""APIs of other shapes are extracted by a catalog alone."""

from __future__ import annotations

import json

import pytest

from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.shop import ITEMS, TREE, Shop, bodies, number, paged, tree

PAGES = 'paging = { kind = "page", param = "page", pages = "pages" }\nrecords = "rows"\n'
OFFSET = 'paging = { kind = "offset", param = "skip", size = 2, size_param = "top" }\n'
TOKEN = 'paging = { kind = "cursor", next = "next", param = "after" }\nrecords = "rows"\n'
NEXT_URL = 'paging = { kind = "cursor", next = "next" }\nrecords = "rows"\n'
LINK = 'paging = { kind = "link" }\n'


def names(shop: Shop) -> list[str]:
    return list(shop.landed())


def sliced(call: Call, records: int) -> list[int]:
    first = number(call, "skip")
    return list(range(records))[first : first + number(call, "top", 2)]


def test_numbered_pages_land_in_their_order(shop: Shop, api: ScriptedApi) -> None:
    pages = [{"pages": "3", "rows": [n]} for n in range(3)]
    api.on("/items", paged(pages))
    shop.declare(ITEMS + PAGES)
    assert shop.extract().status == 0
    assert {name: json.loads(body) for name, body in shop.landed().items()} == {
        f"items/page={n + 1}.json": page for n, page in enumerate(pages)
    }
    assert api.calls[0].query["page"] == ["1"]


@pytest.mark.parametrize("said", [0, 1, None], ids=["none", "one", "missing"])
def test_a_single_page_is_a_set_of_one_page_or_of_unknown_shape(
    shop: Shop, api: ScriptedApi, said: int | None
) -> None:
    api.on("/items", json_reply({"pages": said, "rows": [1]}))
    shop.declare(ITEMS + PAGES)
    assert shop.extract().status == (4 if said is None else 0)
    assert names(shop) == ([] if said is None else ["items/page=1.json"])


def test_an_offset_steps_by_the_records_received_to_the_total(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", lambda call: json_reply({"total": "5", "rows": sliced(call, 5)}))
    shop.declare(ITEMS + OFFSET + 'records = "rows"\ntotal = "total"\n')
    assert shop.extract().status == 0
    assert [number(call, "skip", -1) for call in api.calls] == [0, 2, 4]
    assert shop.manifest()["ledger"]["items"]["declared_total"] == 5


def test_an_offset_without_a_total_goes_on_to_the_first_empty_page(
    shop: Shop, api: ScriptedApi
) -> None:
    api.on("/items", lambda call: json_reply(sliced(call, 3)))
    shop.declare(ITEMS + OFFSET)
    assert shop.extract().status == 0
    assert [number(call, "skip", -1) for call in api.calls] == [0, 2, 3]
    assert shop.manifest()["ledger"]["items"]["records"] == 3


def test_an_offset_steps_over_a_short_page(shop: Shop, api: ScriptedApi) -> None:
    def one_at_a_time(call: Call) -> Reply:
        return json_reply({"total": 3, "rows": sliced(call, 3)[:1]})

    api.on("/items", one_at_a_time)
    shop.declare(ITEMS + OFFSET + 'records = "rows"\ntotal = "total"\n')
    assert shop.extract().status == 0
    assert shop.manifest()["ledger"]["items"]["records"] == 3


@pytest.mark.parametrize("end", [None, False, ""])
def test_a_cursor_is_followed_until_it_finds_nothing(
    shop: Shop, api: ScriptedApi, end: object
) -> None:
    following = {"": "a&b=c d", "a&b=c d": 7, "7": end}

    def answer(call: Call) -> Reply:
        token = call.query.get("after", [""])[0]
        return json_reply({"rows": [token], "next": following[token]})

    api.on("/items", answer)
    shop.declare(ITEMS + TOKEN)
    assert shop.extract().status == 0
    assert [call.query.get("after") for call in api.calls] == [None, ["a&b=c d"], ["7"]]


@pytest.mark.parametrize("form", ["absolute", "rooted", "relative", "query"])
def test_a_next_url_may_be_absolute_or_relative(shop: Shop, api: ScriptedApi, form: str) -> None:
    forms = {
        "absolute": f"{api.url}/items?p=2",
        "rooted": "/items?p=2",
        "relative": "items?p=2",
        "query": "?p=2",
    }

    def answer(call: Call) -> Reply:
        last = call.query.get("p") == ["2"]
        return json_reply({"rows": [1], "next": None if last else forms[form]})

    api.on("/items", answer)
    shop.declare(ITEMS + NEXT_URL)
    assert shop.extract().status == 0
    assert [call.target for call in api.calls] == ["/items", "/items?p=2"]


LINKS = {
    "plain": '<{next}>; rel="next"',
    "bare": "<{next}>; rel=next",
    "among others": '<{next}&last=1>; rel="last", <{next}>; rel="next"',
    "upper case name": '<{next}>; REL="next"',
    "upper case value": '<{next}>; rel="NEXT"',
    "two relations": '<{next}>; rel="next last"',
    "a title before": '<{next}>; title="a=b; c, d"; rel="next"',
    "a semicolon in the URL": '<{next}&x=1;y=2>; rel="next"',
    "a comma in the URL": '<{next}&x=1,2>; rel="next"',
    "relative": '</items?p=2>; rel="next"',
}


@pytest.mark.parametrize("form", list(LINKS))
def test_a_link_header_is_followed_in_all_its_forms(
    shop: Shop, api: ScriptedApi, form: str
) -> None:
    link = LINKS[form].replace("{next}", f"{api.url}/items?p=2")

    def answer(call: Call) -> Reply:
        headers = {} if "p" in call.query else {"Link": link}
        return json_reply([call.target], headers=headers)

    api.on("/items", answer)
    shop.declare(ITEMS + LINK)
    assert shop.extract().status == 0
    assert names(shop) == ["items/page=1.json", "items/page=2.json"]
    asked = api.calls[1].target
    assert asked == link[link.rfind("/items", 0, link.rfind(">")) : link.rfind(">")]


NESTED = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name = "years"
path = "item/{id}/years"
for_each = { endpoint = "items", select = "[].id", as = "id" }

[[source.shop.endpoint]]
name = "days"
path = "days"
params = { of = "{id}", year = "{year}" }
for_each = { endpoint = "years", select = "[]", as = "year" }
paging = { kind = "page", param = "page", pages = "pages" }
records = "rows"
"""


def test_two_levels_and_pages_nest(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": "a/b"}, {"id": "é"}]))
    api.on("/item/a%2Fb/years", json_reply([2023, 2024]))
    api.on("/item/%C3%A9/years", json_reply([2024]))
    api.on("/days", lambda call: json_reply({"pages": 2, "rows": [call.query]}))
    shop.declare(NESTED)
    assert shop.extract().status == 0
    assert names(shop) == [
        "days/id=%C3%A9/year=2024/page=1.json",
        "days/id=%C3%A9/year=2024/page=2.json",
        "days/id=a%2Fb/year=2023/page=1.json",
        "days/id=a%2Fb/year=2023/page=2.json",
        "days/id=a%2Fb/year=2024/page=1.json",
        "days/id=a%2Fb/year=2024/page=2.json",
        "items/all.json",
        "years/id=%C3%A9.json",
        "years/id=a%2Fb.json",
    ]
    ledger = shop.manifest()["ledger"]
    assert (ledger["days"]["expected"], ledger["days"]["landed"]) == (3, 3)


def test_numbers_are_asked_as_the_json_writes_them(shop: Shop, api: ScriptedApi) -> None:
    written = ["1", "1.0", "1e3", "-0", "0.10", "151115727451828646838271", "1E+2"]
    body = "[" + ",".join(f'{{"id": {number}}}' for number in written) + "]"
    api.on("/items", Reply(body=body.encode()))
    api.answer(lambda call: json_reply({}))
    shop.declare(TREE)
    assert shop.extract().status == 0
    asked = [path.removeprefix("/item/") for path in api.paths()[1:]]
    assert sorted(asked) == sorted(each.replace("+", "%2B") for each in written)


def test_doubles_are_asked_once_and_counted(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "a", "a"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    assert sorted(api.paths()) == ["/item/a", "/item/b", "/items"]
    entry = shop.manifest()["ledger"]["item"]
    assert (entry["expected"], entry["doubles"]) == (2, 2)


@pytest.mark.parametrize("value", [None, True, False, [], {}, "", ".", "..", "\ud800"], ids=repr)
def test_a_value_that_no_url_can_carry_makes_the_day_violated(
    shop: Shop, api: ScriptedApi, value: object
) -> None:
    # A projection such as [].id drops null by the rules of JMESPath; a plain path does not.
    api.on("/items", json_reply({"ids": ["a", value]}))
    api.answer(lambda call: json_reply({}))
    shop.declare(TREE.replace("[].id", "ids"))
    ran = shop.extract()
    assert ran.status == 4
    assert not shop.manifest_file.exists()
    assert "item: " in ran.err
    assert api.paths() == ["/items", "/item/a"]


def test_numeric_functions_of_jmespath_take_fractions(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(body=b'{"n": 2.0, "rows": [{"id": 1.5}, {"id": 0.5}]}'))
    api.answer(lambda call: json_reply({}))
    text = TREE.replace('"[].id"', '"sort(rows[].id)"')
    text = text.replace('path = "items"\n', 'path = "items"\nrecords = "rows"\ntotal = "ceil(n)"\n')
    shop.declare(text)
    ran = shop.extract()
    assert (ran.status, ran.err.count("cannot be applied")) == (0, 0)
    assert sorted(api.paths()) == ["/item/0.5", "/item/1.5", "/items"]


def test_without_records_a_list_holds_its_elements_and_anything_else_is_one(
    shop: Shop, api: ScriptedApi
) -> None:
    one = ITEMS.replace("items", "one")
    api.on("/items", json_reply([1, 2, 3]))
    api.on("/one", json_reply({"a": [1, 2]}))
    shop.declare(ITEMS + one)
    assert shop.extract().status == 0
    ledger = shop.manifest()["ledger"]
    assert (ledger["items"]["records"], ledger["one"]["records"]) == (3, 1)


def test_a_value_stands_in_a_path_as_one_segment(shop: Shop, api: ScriptedApi) -> None:
    values = ["a b", "a/../b", "%41", "x?y#z", "ü~'*"]
    tree(api, values)
    shop.declare(TREE)
    assert shop.extract().status == 0
    assert sorted(api.paths()[1:]) == sorted(
        [
            "/item/a%20b",
            "/item/a%2F..%2Fb",
            "/item/%2541",
            "/item/x%3Fy%23z",
            "/item/%C3%BC~%27%2A",
        ]
    )
    assert len(shop.landed()) == 1 + len(values)


def test_answers_may_come_one_after_the_other(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", bodies([1, 2]))
    shop.declare()
    assert shop.extract().status == 0
    assert shop.landed() == {"items/all.json": b"[1, 2]"}
