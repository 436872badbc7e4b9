import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ashore import command
from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.process import ashore
from tests.support.shop import ITEMS, TREE, Shop, number, tree

PAGED = (
    ITEMS + 'paging = { kind = "page", param = "page", pages = "pages" }\n'
    'records = "data"\ntotal = "total"\n'
)
PAGED_ITEMS = TREE.replace('name = "item"', 'name = "item"\nexpect = { allow_missing = 1 }') + (
    'paging = { kind = "page", param = "page", pages = "pages" }\nrecords = "data"\n'
)


def page_of(total: int, page: int) -> Reply:
    numbers = list(range(total))[(page - 1) * 2 : page * 2]
    return json_reply({"total": total, "pages": -(-total // 2), "data": numbers})


def test_a_set_that_another_run_landed_otherwise_adds_nothing_to_its_day(
    shop: Shop, api: ScriptedApi
) -> None:
    """The list shrinks while this run waits for its last page, and another completes the day."""
    others: list[int] = []

    def answer(call: Call) -> Reply:
        page = number(call, "page", 1)
        if page == 3:
            others.append(-1)
            others.append(ashore(*shop.arguments()).status)
        return page_of(4 if others else 5, page) if page < 3 else page_of(5, 3)

    api.on("/items", answer)
    shop.declare(PAGED)
    assert shop.extract().status == 0
    assert others == [-1, 0]
    assert list(shop.landed()) == ["items/page=1.json", "items/page=2.json"]
    assert shop.verify().status == 0


def test_a_day_that_another_run_completed_is_complete_though_requests_failed_here(
    shop: Shop, api: ScriptedApi
) -> None:
    tree(api, ["a"])
    others: list[int] = []

    def answer(_: Call) -> Reply:
        if not others:
            others.append(-1)
            others.append(ashore(*shop.arguments()).status)
            return Reply(404)
        return json_reply("late")

    api.on("/item/a", answer)
    shop.declare(TREE)
    ran = shop.extract()
    assert (ran.status, others) == (0, [-1, 0])
    assert "at the same time" in ran.out
    assert shop.verify().status == 0


def test_children_follow_from_the_landed_page_of_a_set_that_is_completed(
    shop: Shop, api: ScriptedApi
) -> None:
    """The records are the same, and what is selected beside them is not."""
    ids = {"before": "a", "now": "z"}
    when = ["before"]

    def answer(call: Call) -> Reply:
        page = number(call, "page", 1)
        return json_reply({"total": 2, "pages": 2, "data": [page], "ids": [ids[when[0]]]})

    api.on("/items", answer)
    api.answer(lambda call: json_reply(call.path))
    child = TREE[TREE.index("[[source.shop.endpoint]]", 5) :].replace("[].id", "ids")
    shop.declare(PAGED + child)
    assert shop.extract().status == 0
    shop.file("items/page=2.json").unlink()
    shop.file("item/id=a.json").unlink()
    shutil.rmtree(shop.manifests)
    when[0] = "now"
    shop.extract()
    assert "item/id=a.json" in shop.landed()


def test_half_a_set_never_lies_in_a_complete_day(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": 1}]))
    api.on("/item/1", lambda call: json_reply({"pages": 2, "data": [number(call, "page", 1)]}))
    shop.declare(PAGED_ITEMS)
    assert shop.extract().status == 0
    shop.file("item/id=1/page=2.json").unlink()
    shutil.rmtree(shop.manifests)
    api.on("/item/1", Reply(404))
    ran = shop.extract()
    assert (ran.status, shop.manifest_file.exists()) == (4, False)
    assert "mkdir -p" in ran.err
    assert "id=1/page=1.json" in ran.err


def test_a_complete_day_needs_no_right_to_write(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    shutil.rmtree(shop.landing / ".ashore")
    (shop.landing / ".ashore").write_text("nothing can be made here")
    assert shop.extract().status == 0


def test_nothing_is_sent_after_the_deadline(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([1], delay=0.6))
    api.on("/others", json_reply([1]))
    shop.declare()
    second = f'\n[source.second]\nbase_url = "{api.url}"\n[[source.second.endpoint]]\n'
    text = shop.catalog.read_text() + second + 'name = "others"\npath = "others"\n'
    shop.catalog.write_text(text)
    ran = shop.extract("shop", "second", "--deadline", "300ms")
    assert (ran.status, api.paths()) == (3, ["/items"])


def test_a_signal_goes_before_a_location_that_fails(shop: Shop, api: ScriptedApi) -> None:
    def answer(_: Call) -> Reply:
        os.kill(os.getpid(), signal.SIGTERM)
        (shop.raw / "endpoint=items").parent.mkdir(parents=True)
        (shop.raw / "endpoint=items").write_text("a file, no folder")
        return json_reply([1])

    api.on("/items", answer)
    shop.declare()
    assert shop.extract().status == 143


def test_a_damaged_earlier_manifest_leaves_an_attempt(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([1]))
    shop.declare(ITEMS + "expect = { max_drop = 0.5 }\n")
    earlier = shop.manifests.parents[1] / "extraction_date=2020-01-01/source=shop/manifest.json"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("{}")
    assert shop.extract().status == 4
    assert "damaged" in shop.attempt()["reason"]


@pytest.mark.parametrize("part", ["data[0:5]", "data[::2]", "data[:1].{a: b}"])
def test_slices_are_expressions_like_others(shop: Shop, api: ScriptedApi, part: str) -> None:
    api.on("/items", json_reply({"data": [{"b": 1}]}))
    shop.declare(ITEMS + f'records = "{part}"\n')
    assert shop.extract().status == 0


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "TMPDIR"])
def test_what_the_environment_names_has_to_be_there(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    api.on("/items", json_reply([1]))
    shop.declare()
    monkeypatch.setenv(name, str(shop.landing / "nowhere"))
    ran = shop.extract()
    assert ran.status == {"REQUESTS_CA_BUNDLE": 2, "TMPDIR": 5}[name]
    assert name in ran.err


@contextlib.contextmanager
def unhelpful_server(word: bytes) -> Iterator[str]:
    """A server that never answers, or says the same word again and again."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while not over.wait(0.05):
                connection.sendall(word)

    def take() -> None:
        with contextlib.suppress(OSError):
            while not over.is_set():
                threading.Thread(target=talk, args=(listening.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        taking = threading.Thread(target=take)
        taking.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listening.getsockname()).close()
        taking.join()


def test_a_location_that_never_answers_does_not_hold_the_command(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.declare()
    monkeypatch.setattr(command, "_LATE", 0.2)
    with unhelpful_server(b"") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        shop.to = "s3://bucket/prefix"
        began = time.monotonic()
        ran = shop.extract("--deadline", "500ms", "--json")
        assert time.monotonic() - began < 5
    assert ran.status == 3
    assert "did not answer in time" in json.loads(ran.out)["error"]


def test_a_request_has_its_deadline_through_a_proxy_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unhelpful_server(b"HTTP/1.1 100 Continue\r\nX: ") as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        shop.declare(
            source='timeout = { read = "30s", total = "500ms" }',
            retry="retry = { attempts = 1 }",
        )
        text = shop.catalog.read_text().replace("127.0.0.1", "api.example")
        shop.catalog.write_text(text)
        began = time.monotonic()
        ran = shop.extract()
        assert time.monotonic() - began < 5
    assert ran.status == 3
