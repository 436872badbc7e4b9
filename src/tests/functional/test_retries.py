"""What is tried again, what is final, and how politely."""

from __future__ import annotations

import datetime as dt
import socket
import time
from email.utils import format_datetime
from itertools import pairwise

import pytest

from tests.support.api import Call, Reply, ScriptedApi, html_reply, json_reply, redirect_reply
from tests.support.shop import ITEMS, TREE, Shop, tree

SWIFT_400 = 'retry = { attempts = 3, max_wait = "10ms", statuses = [400, 403] }'


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 503, 599])
def test_what_may_pass_is_tried_again(shop: Shop, api: ScriptedApi, status: int) -> None:
    api.on("/items", [json_reply({}, status), Reply(status), json_reply([1])])
    shop.declare()
    assert shop.extract().status == 0
    assert shop.manifest()["requests"] == {"sent": 3, "retried": 2, "adopted": 0}


def test_attempts_bound_the_tries(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", html_reply(503, "down " * 500))
    shop.declare()
    assert shop.extract().status == 3
    assert len(api.calls) == 3
    (failure,) = shop.attempt()["failures"]
    assert (failure["last"], failure["attempts"], len(failure["body"])) == (503, 3, 500)
    assert shop.attempt()["reason"] == "items: 1 of 1 failed for good: HTTP 503"


def test_of_many_failures_the_reason_tells_the_first(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c"])
    api.on("/item/a", Reply(404))
    api.on("/item/b", Reply(404))
    shop.declare(TREE)
    assert shop.extract().status == 3
    assert shop.attempt()["reason"] == "item: 2 of 3 failed for good, the first: HTTP 404"


def test_what_keeps_tls_from_being_spoken_is_told(shop: Shop, api: ScriptedApi) -> None:
    shop.declare()
    shop.catalog.write_text(shop.catalog.read_text().replace("http://", "https://"))
    assert (shop.extract().status, api.calls) == (3, [])
    assert "the TLS connection failed: wrong version number" in shop.attempt()["reason"]


def test_a_host_that_never_speaks_tls_is_told_from_one_that_does_not_answer(shop: Shop) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        shop.declare(source='timeout = { connect = "200ms" }')
        catalog = shop.catalog.read_text().replace(
            shop.api.url, f"https://127.0.0.1:{silent.getsockname()[1]}"
        )
        shop.catalog.write_text(catalog)
        assert shop.extract().status == 3
    assert "no TLS connection within timeout.connect" in shop.attempt()["reason"]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), "what came is no HTTP"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\n", forever=b"A: b\r\n"), "the headers have no end"),
        (Reply(body=b"[]", headers={"Content-Encoding": "br"}), "'br' was not asked for"),
    ],
    ids=["another protocol", "endless headers", "an unknown coding"],
)
def test_what_is_no_answer_is_told_in_words(
    shop: Shop, api: ScriptedApi, reply: Reply, told: str
) -> None:
    api.on("/items", reply)
    shop.declare()
    assert shop.extract().status == 3
    assert told in shop.attempt()["reason"]


@pytest.mark.parametrize("status", [400, 403])
def test_a_listed_status_is_tried_again_unless_its_body_is_json(
    shop: Shop, api: ScriptedApi, status: int
) -> None:
    api.on("/items", [html_reply(status), Reply(status), json_reply({"no": 1}, status)])
    shop.declare(retry=SWIFT_400)
    assert (shop.extract().status, len(api.calls)) == (3, 3)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("retry", ["", "retry = { statuses = [401] }"])
def test_a_refusal_ends_the_source_at_once(
    shop: Shop, api: ScriptedApi, status: int, retry: str
) -> None:
    tree(api, [f"v{number}" for number in range(50)])
    api.answer(lambda call: html_reply(status))
    shop.declare(TREE, source="workers = 1", retry=retry)
    ran = shop.extract()
    assert (ran.status, str(status) in ran.err) == (3, True)
    assert len(api.calls) <= 4


def test_a_404_is_final(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", html_reply(404))
    shop.declare(retry=SWIFT_400)
    assert (shop.extract().status, len(api.calls)) == (3, 1)


def test_the_breaker_bounds_what_a_dead_source_is_asked(shop: Shop, api: ScriptedApi) -> None:
    tree(api, [f"v{number}" for number in range(400)])
    api.answer(lambda call: Reply(503))
    retry = 'retry = { attempts = 3, max_wait = "200ms" }'
    shop.declare(TREE, source="breaker = 3\nworkers = 2", retry=retry)
    ran = shop.extract()
    assert (ran.status, "3 requests in a row" in ran.err) == (3, True)
    assert len(api.calls) <= 100, "sets that wait for another try count as under way"


def test_failures_that_are_no_outage_do_not_break(shop: Shop, api: ScriptedApi) -> None:
    tree(api, [f"v{number}" for number in range(20)])
    api.answer(lambda call: Reply(404))
    shop.declare(TREE + "expect = { allow_missing = 20 }\n", source="breaker = 2")
    assert (shop.extract().status, len(api.calls)) == (0, 21)


def test_damaged_bodies_do_not_break(shop: Shop, api: ScriptedApi) -> None:
    tree(api, [f"v{number}" for number in range(20)])
    api.answer(lambda call: Reply(body=b"{}", headers={"Content-Encoding": "gzip"}))
    once = "retry = { attempts = 1 }"
    shop.declare(TREE, source="breaker = 2\nworkers = 2", retry=once)
    assert (shop.extract().status, len(api.calls)) == (3, 21)


def test_a_connection_that_is_refused_counts_for_the_breaker(shop: Shop, api: ScriptedApi) -> None:
    api.close()
    two = ITEMS + ITEMS.replace("items", "two") + ITEMS.replace("items", "three")
    shop.declare(two, source="breaker = 2\nworkers = 1")
    ran = shop.extract()
    assert (ran.status, "refused" in ran.err, "in a row" in ran.err) == (3, True, True)


def soon(seconds: float) -> str:
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_nobody_asks_while_the_host_asks_to_wait(shop: Shop, api: ScriptedApi, form: str) -> None:
    tree(api, [f"v{number}" for number in range(12)])

    def answer(call: Call) -> Reply:
        if call.path == "/item/v3" and call.number == 1:
            return Reply(429, headers={"Retry-After": "1" if form == "seconds" else soon(2)})
        return json_reply({}, delay=0.02)

    api.answer(answer)
    shop.declare(TREE, source="workers = 4")
    assert shop.extract().status == 0
    moments = [call.at for call in api.calls]
    gap = max(later - sooner for sooner, later in pairwise(moments))
    assert gap > 0.85


@pytest.mark.parametrize(
    "header", ["-1", "soon", "", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT", "\u00b2", "1e9"]
)
def test_nonsense_in_retry_after_counts_as_absent(
    shop: Shop, api: ScriptedApi, header: str
) -> None:
    value = header.encode().decode("latin-1")
    api.on("/items", [Reply(503, headers={"Retry-After": value}), json_reply([1])])
    shop.declare()
    began = time.monotonic()
    assert shop.extract().status == 0
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("pause", ["6", "999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_that_is_too_long_ends_the_source_and_says_when_to_come_back(
    shop: Shop, api: ScriptedApi, pause: str
) -> None:
    tree(api, [f"v{number}" for number in range(50)])
    api.answer(lambda call: Reply(429, headers={"Retry-After": pause}))
    shop.declare(TREE, source="workers = 1")
    assert shop.extract().status == 3
    assert len(api.calls) <= 4
    assert "come back after 20" in shop.attempt()["reason"]


def test_a_pause_beyond_the_deadline_ends_the_source_at_once(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(503, headers={"Retry-After": "4"}))
    shop.declare()
    began = time.monotonic()
    assert shop.extract("--deadline", "3s").status == 3
    assert (time.monotonic() - began < 2, len(api.calls)) == (True, 1)
    assert "deadline" in shop.attempt()["reason"]


def hops(api: ScriptedApi, number: int) -> None:
    for hop in range(number):
        api.on("/items" if hop == 0 else f"/hop{hop}", redirect_reply(f"/hop{hop + 1}", 307))
    api.on(f"/hop{number}", json_reply([1]))


@pytest.mark.parametrize(("number", "status"), [(1, 0), (5, 0), (6, 3)])
def test_redirects_are_followed_five_times(
    shop: Shop, api: ScriptedApi, number: int, status: int
) -> None:
    hops(api, number)
    shop.declare()
    assert shop.extract().status == status
    assert len(api.calls) == min(number, 5) + 1
    if status == 0:
        receipt = shop.receipts()["items/all.json"]
        assert receipt["url"] == f"{api.url}/items"
        assert receipt["final_url"] == f"{api.url}/hop{number}"
        assert shop.manifest()["requests"]["sent"] == number + 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_all_kinds_of_redirects_are_followed(shop: Shop, api: ScriptedApi, status: int) -> None:
    api.on("/items", redirect_reply("there?a=b%20c#part", status))
    api.on("/there", json_reply([1]))
    shop.declare()
    assert shop.extract().status == 0
    assert api.calls[1].target == "/there?a=b%20c"


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:{port}/x",
        "http://127.0.0.1:9/x",
        "//example.org/x",
        "ftp://127.0.0.1/x",
        "http://u:p@127.0.0.1:{port}/x",
        "http://[",
        "",
    ],
)
def test_a_redirect_elsewhere_is_an_error(shop: Shop, api: ScriptedApi, target: str) -> None:
    api.on("/items", redirect_reply(target.replace("{port}", api.url.rpartition(":")[2])))
    shop.declare()
    assert (shop.extract().status, len(api.calls)) == (3, 1)


def test_a_redirect_without_a_place_is_an_error(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(302))
    shop.declare()
    assert (shop.extract().status, len(api.calls)) == (3, 1)


def test_the_rate_holds_in_any_window_for_retries_and_redirects_too(
    shop: Shop, api: ScriptedApi
) -> None:
    tree(api, [f"v{number}" for number in range(10)])

    def answer(call: Call) -> Reply:
        if call.number == 1:
            return Reply(503)
        if call.number == 2:
            return redirect_reply(f"{call.path}?moved=1")
        return json_reply({})

    api.answer(answer)
    shop.declare(TREE, source='rate = "10/2s"\nworkers = 6')
    assert shop.extract().status == 0
    moments = [call.at for call in api.calls]
    assert len(moments) == 31
    spans = [later - sooner for sooner, later in zip(moments, moments[10:], strict=False)]
    # A busy server sees a request some time after it was sent, the first of a window too.
    assert min(spans) > 1.5


def test_the_workers_bound_what_is_asked_at_once(shop: Shop, api: ScriptedApi) -> None:
    tree(api, [f"v{number}" for number in range(20)])
    under_way, most = set[str](), []

    def answer(call: Call) -> Reply:
        under_way.add(call.path)
        most.append(len(under_way))
        time.sleep(0.01)
        under_way.discard(call.path)
        return json_reply({})

    api.answer(answer)
    shop.declare(TREE, source="workers = 8")
    assert shop.extract("--workers", "3").status == 0
    assert max(most) <= 3


def test_the_body_of_a_redirect_is_bounded_too(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(302, b"x" * 300, {"Location": "/there"}, drip=0.02))
    api.on("/there", json_reply([1]))
    shop.declare(source='max_body = "10B"')
    began = time.monotonic()
    shop.extract()
    assert time.monotonic() - began < 3
