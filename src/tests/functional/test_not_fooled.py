"""What looks like an answer, but is none, never lands as one."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.api import Call, Reply, ScriptedApi, html_reply, json_reply
from tests.support.shop import ITEMS, Shop, bodies, number, paged

PAGES = 'paging = { kind = "page", param = "page", pages = "pages" }\nrecords = "rows"\n'
TOTAL = 'total = "total"\n'
OFFSET = 'paging = { kind = "offset", param = "skip" }\nrecords = "rows"\n'
TOKEN = 'paging = { kind = "cursor", next = "next", param = "after" }\nrecords = "rows"\n'
NEXT_URL = 'paging = { kind = "cursor", next = "next" }\nrecords = "rows"\n'
GOOD = b'[{"id": 1}]'


def refused(shop: Shop, status: int) -> str:
    """Extract; the day must end with that status and with nothing landed. Returns stderr."""
    ran = shop.extract()
    assert (ran.status, shop.landed()) == (status, {}), ran.err
    assert not shop.manifest_file.exists()
    assert shop.attempt()["failures"], "the attempt names what failed"
    return ran.err


@pytest.mark.parametrize(
    "reply",
    [
        html_reply(),
        Reply(),
        Reply(body=b"  \n"),
        Reply(body=b'[{"id": 1}, {"id"'),
        Reply(body=b'[{"id": 1}] trailing'),
        Reply(body=b'["\xff\xfe"]'),
        Reply(body='["é"]'.encode("latin-1")),
        Reply(body='["a"]'.encode("utf-16")),
        json_reply({"error": "overloaded"}),
        json_reply({"error": 0}),
        Reply(body=GOOD, content_length=50, cut_after=5),
        Reply(body=GOOD, headers={"Content-Length": "ten", "Connection": "close"}),
        Reply(body=GOOD, headers={"Content-Length": "9" * 5000, "Connection": "close"}),
        Reply(body=GOOD, chunked=True, cut_after=5),
        Reply(body=GOOD, headers={"Content-Encoding": "gzip"}),
        Reply(body=GOOD, headers={"Content-Encoding": "br"}),
        Reply(reset=True),
        Reply(raw=b"HTTP/1.1 2"),
        Reply(raw=b""),
    ],
    ids=str,
)
def test_no_answer_is_tried_again_and_its_successor_lands(
    shop: Shop, api: ScriptedApi, reply: Reply
) -> None:
    api.on("/items", [reply, Reply(body=GOOD)])
    shop.declare(source='error = "error"')
    assert shop.extract().status == 0
    assert shop.landed() == {"items/all.json": GOOD}
    requests = shop.manifest()["requests"]
    assert requests == {"sent": 2, "retried": 1, "adopted": 0}
    assert shop.receipts()["items/all.json"]["attempts"] == 2


@pytest.mark.parametrize("nothing", [None, False, "", [], {}], ids=repr)
def test_an_error_expression_that_finds_nothing_is_no_error(
    shop: Shop, api: ScriptedApi, nothing: object
) -> None:
    api.on("/items", json_reply({"error": nothing}))
    shop.declare(source='error = "error"')
    assert shop.extract().status == 0


def test_error_answers_are_final_where_the_catalog_says_so(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply({"error": "no such thing"}))
    shop.declare(source='error = "error"', retry="retry = { attempts = 3, errors = false }")
    assert "no such thing" in refused(shop, 3)
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf[1]",
        b'[NaN, Infinity, 1e999, {"a": 1, "a": 2}]\r\n\t ',
        b"[151115727451828646838271, 0.10, 1E2]",
        b"[" + b"9" * 5000 + b"]",
        '["\\ud800", "é", "\u2028"]'.encode(),
        b"[" + b" " * 200_000 + b"]",
    ],
    ids=["mark", "lax", "numbers", "long integer", "surrogate", "blanks"],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_odd_json_lands_byte_for_byte(
    shop: Shop, api: ScriptedApi, body: bytes, chunked: bool
) -> None:
    api.on("/items", Reply(body=body, chunked=chunked))
    shop.declare(ITEMS + "expect = { allow_empty = true }\n")
    assert shop.extract().status == 0
    assert shop.landed() == {"items/all.json": body}
    assert shop.receipts()["items/all.json"]["bytes"] == len(body)


@pytest.mark.parametrize("found", [None, {}, "rows", 1], ids=repr)
def test_records_that_are_no_list_are_an_unknown_shape(
    shop: Shop, api: ScriptedApi, found: object
) -> None:
    api.on("/items", json_reply({"rows": found}))
    shop.declare(ITEMS + 'records = "rows"\nexpect = { allow_empty = true }\n')
    assert "unknown shape" in refused(shop, 4)
    assert len(api.calls) == 1, "another try would find the same"


@pytest.mark.parametrize(
    ("total", "status"), [(0, 0), ("0", 0), (1, 4), (None, 4)], ids=["0", "text", "1", "null"]
)
def test_records_may_be_no_list_only_where_this_answer_declares_none(
    shop: Shop, api: ScriptedApi, total: object, status: int
) -> None:
    api.on("/items", json_reply({"rows": None, "total": total}))
    shop.declare(ITEMS + 'records = "rows"\nexpect = { allow_empty = true }\n' + TOTAL)
    assert shop.extract().status == status


@pytest.mark.parametrize("total", [None, "many", -1, 1.5, True, [1]], ids=repr)
def test_a_total_that_is_no_number_is_an_unknown_shape(
    shop: Shop, api: ScriptedApi, total: object
) -> None:
    api.on("/items", json_reply({"rows": [1], "total": total}))
    shop.declare(ITEMS + 'records = "rows"\n' + TOTAL)
    assert "total" in refused(shop, 4)


def test_a_total_that_disagrees_is_asked_again_and_never_lands(
    shop: Shop, api: ScriptedApi
) -> None:
    api.on("/items", json_reply({"rows": [1], "total": 2}))
    shop.declare(ITEMS + 'records = "rows"\n' + TOTAL)
    refused(shop, 4)
    assert len(api.calls) == 3


@pytest.mark.parametrize("more", ["", OFFSET, TOKEN], ids=["one", "offset", "cursor"])
def test_no_record_is_violated_unless_it_is_expected(
    shop: Shop, api: ScriptedApi, more: str
) -> None:
    api.on("/items", json_reply({"rows": [], "next": None}))
    shop.declare(ITEMS + (more or 'records = "rows"\n'))
    assert "allow_empty" in refused(shop, 4)


def test_a_short_page_is_not_the_end(shop: Shop, api: ScriptedApi) -> None:
    pages = [{"pages": 2, "total": 4, "rows": rows} for rows in ([1, 2], [3])]
    api.on("/items", paged(pages))
    shop.declare(ITEMS + PAGES + TOTAL)
    refused(shop, 4)
    assert len(api.calls) == 6, "the whole set, three times"


def test_an_empty_page_before_the_total_is_a_disagreement(shop: Shop, api: ScriptedApi) -> None:
    def answer(call: Call) -> Reply:
        rows = [1, 2] if number(call, "skip") == 0 else []
        return json_reply({"total": 5, "rows": rows})

    api.on("/items", answer)
    shop.declare(ITEMS + OFFSET + TOTAL)
    refused(shop, 4)
    assert len(api.calls) == 6


@pytest.mark.parametrize("key", ["total", "pages"])
def test_a_figure_that_changes_between_pages_is_asked_again(
    shop: Shop, api: ScriptedApi, key: str
) -> None:
    first = {"pages": 2, "total": 2, "rows": [1]}
    api.on("/items", bodies(first, {**first, key: 3}, first, {**first, "rows": [2]}))
    shop.declare(ITEMS + PAGES + TOTAL, source="workers = 1")
    assert shop.extract().status == 0
    assert [json.loads(body)["rows"] for body in shop.landed().values()] == [[1], [2]]
    assert shop.manifest()["requests"]["sent"] == 4


@pytest.mark.parametrize("rest", [{"rows": [2]}, {"rows": [2], "pages": "many"}], ids=str)
def test_pages_must_be_a_number_on_every_page(
    shop: Shop, api: ScriptedApi, rest: dict[str, object]
) -> None:
    api.on("/items", paged([{"pages": 2, "rows": [1]}, rest]))
    shop.declare(ITEMS + PAGES)
    assert "pages" in refused(shop, 4)


@pytest.mark.parametrize("more", [TOKEN, NEXT_URL])
@pytest.mark.parametrize("after", ["same", "first"])
def test_a_cursor_that_repeats_is_violated(
    shop: Shop, api: ScriptedApi, more: str, after: str
) -> None:
    def answer(call: Call) -> Reply:
        back = call.target == "/items" or after == "same"
        return json_reply({"rows": [1], "next": "/items?after=x" if back else "/items"})

    api.on("/items", answer)
    shop.declare(ITEMS + more)
    refused(shop, 4)
    assert len(api.calls) <= 5


@pytest.mark.parametrize(
    "more",
    [PAGES, OFFSET, TOKEN, 'paging = { kind = "link" }\n'],
    ids=["page", "skip", "next", "link"],
)
def test_max_pages_ends_what_has_no_end(shop: Shop, api: ScriptedApi, more: str) -> None:
    def answer(call: Call) -> Reply:
        headers = {"Link": f'</items?n={len(api.calls)}>; rel="next"'}
        body = {"rows": [1], "pages": 99, "next": str(len(api.calls))}
        return json_reply(body, headers=headers)

    api.on("/items", answer)
    shop.declare(ITEMS + more.replace(" }", ", max_pages = 3 }"))
    assert "max_pages" in refused(shop, 4)
    assert len(api.calls) <= 4


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://localhost:{port}/items",
        "http://127.0.0.1:1/items",
        "//example.org/items",
        "file:///etc/passwd",
        "http://[x",
    ],
)
@pytest.mark.parametrize("kind", ["cursor", "link"])
def test_a_next_page_elsewhere_is_an_error(
    shop: Shop, api: ScriptedApi, elsewhere: str, kind: str
) -> None:
    url = elsewhere.replace("{port}", api.url.rpartition(":")[2])
    more = NEXT_URL if kind == "cursor" else 'paging = { kind = "link" }\n'
    reply = json_reply({"rows": [1], "next": url}, headers={"Link": f'<{url}>; rel="next"'})
    api.on("/items", reply)
    shop.declare(ITEMS + more)
    assert "host" in refused(shop, 4)
    assert len(api.calls) == 1


def test_a_cursor_that_no_url_can_carry_is_violated(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(body=b'{"rows": [1], "next": "\\ud800"}'))
    shop.declare(ITEMS + TOKEN)
    refused(shop, 4)


def test_a_next_url_that_no_url_can_be_is_violated(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(body=b'{"rows": [1], "next": "/items?\\ud800"}'))
    shop.declare(ITEMS + NEXT_URL)
    refused(shop, 4)


@pytest.mark.parametrize("token", [True, ["a"], {"a": 1}], ids=repr)
def test_a_cursor_that_is_no_token_is_an_unknown_shape(
    shop: Shop, api: ScriptedApi, token: object
) -> None:
    api.on("/items", json_reply({"rows": [1], "next": token}))
    shop.declare(ITEMS + TOKEN)
    refused(shop, 4)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 300, 304, 404, 410, 451])
def test_only_status_200_is_an_answer(shop: Shop, api: ScriptedApi, status: int) -> None:
    api.on("/items", Reply(status, GOOD if status not in (204, 304) else b""))
    shop.declare()
    assert str(status) in refused(shop, 3)
    assert len(api.calls) == 1


@pytest.mark.parametrize(("size", "status"), [(100, 0), (101, 3)])
@pytest.mark.parametrize("chunked", [False, True])
def test_max_body_is_inclusive(
    shop: Shop, api: ScriptedApi, size: int, status: int, chunked: bool
) -> None:
    body = b"[1" + b" " * (size - 3) + b"]"
    api.on("/items", Reply(body=body, chunked=chunked))
    shop.declare(source='max_body = "100B"')
    assert shop.extract().status == status
    assert len(api.calls) == 1


def test_a_body_that_has_no_end_is_not_read_to_its_end(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(body=b"[" + b" " * 50_000_000, chunked=True))
    shop.declare(source='max_body = "1kB"')
    began = time.monotonic()
    assert "max_body" in refused(shop, 3)
    assert time.monotonic() - began < 2


SLOW = Reply(body=b"[" + b"1" * 1000 + b"]", drip=0.05)
SLOW_HEAD = Reply(raw=b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 1000, drip=0.05)


@pytest.mark.parametrize(
    "reply", [SLOW, SLOW_HEAD, Reply(delay=60)], ids=["body", "head", "silence"]
)
def test_a_dripping_answer_ends_at_its_deadline(shop: Shop, api: ScriptedApi, reply: Reply) -> None:
    api.on("/items", [reply, Reply(body=GOOD)])
    shop.declare(source='timeout = { total = "300ms" }')
    began = time.monotonic()
    assert shop.extract().status == 0
    assert time.monotonic() - began < 3


def test_records_are_counted_on_the_day_not_by_the_page(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([1, 2, 3]))
    shop.declare(ITEMS + "expect = { min_records = 3, max_records = 3 }\n")
    assert shop.extract().status == 0
    verdicts = [check["verdict"] for check in shop.manifest()["ledger"]["items"]["checks"]]
    assert verdicts == ["met", "met"]
