"""A day that is not complete is gone on with: only what has not landed is asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.process import ashore, start
from tests.support.shop import ITEMS, TREE, Shop, paged, tree

PAGES = 'paging = { kind = "page", param = "page", pages = "pages" }\nrecords = "rows"\n'
LINK = 'paging = { kind = "link" }\n'


def three_pages(shop: Shop, api: ScriptedApi) -> list[object]:
    pages: list[object] = [{"pages": 3, "rows": [n]} for n in range(3)]
    api.on("/items", paged(pages))
    shop.declare(ITEMS + PAGES)
    return pages


def forget(shop: Shop, *names: str) -> None:
    """Leave the day as a run leaves it that was killed before these landed."""
    for name in names:
        shop.file(name).unlink()
    shutil.rmtree(shop.manifests)


def way_out(text: str) -> str:
    """The command that an error names."""
    line = next(line for line in text.splitlines() if "mkdir -p" in line)
    if line.startswith("{"):
        line = next(v for v in json.loads(line).values() if "mkdir -p" in str(v))
    command = line[line.index("mkdir -p") :]
    return command.split("; ")[0]


def follow(shop: Shop, text: str) -> None:
    subprocess.run(["sh", "-c", way_out(text)], check=True)


def test_a_complete_day_is_extracted_again_without_a_request(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    before = shop.written()
    again = shop.extract()
    assert (again.status, len(api.calls)) == (0, 2)
    assert "no request" in again.out + again.err
    assert shop.written() == before


def test_a_complete_day_of_a_changed_catalog_says_so(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([1]))
    shop.declare()
    shop.extract()
    shop.declare(ITEMS + "expect = { min_records = 1 }\n")
    again = shop.extract()
    assert (again.status, len(api.calls)) == (0, 1)
    assert "changed" in again.out + again.err


def test_what_failed_is_asked_again_and_nothing_else(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c"])
    api.on("/item/b", Reply(500))
    shop.declare(TREE)
    assert shop.extract().status == 3
    first = shop.landed()
    api.calls.clear()
    api.on("/item/b", json_reply("late"))
    assert shop.extract().status == 0
    assert api.paths() == ["/item/b"]
    assert {**shop.landed(), **first} == shop.landed()
    assert shop.manifest()["requests"] == {"sent": 1, "retried": 0, "adopted": 3}
    adopted = {name: receipt["adopted"] for name, receipt in shop.receipts().items()}
    assert adopted == {
        "items/all.json": True,
        "item/id=a.json": True,
        "item/id=b.json": False,
        "item/id=c.json": True,
    }


def test_the_receipt_of_an_adopted_object_is_that_of_its_own_request(
    shop: Shop, api: ScriptedApi
) -> None:
    headers = {"ETag": '"' + "e" * 64 + '"', "Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT"}
    reply = json_reply([1], headers=headers)
    api.on("/items", reply)
    shop.declare()
    shop.extract()
    before = shop.receipts()["items/all.json"]
    forget(shop)
    assert shop.extract().status == 0
    assert shop.receipts()["items/all.json"] == {**before, "adopted": True}


def test_children_follow_from_the_landed_listing(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    api.on("/item/a", Reply(500))
    shop.declare(TREE)
    shop.extract()
    tree(api, ["z"])
    api.on("/item/a", json_reply(1))
    assert shop.extract().status == 0
    assert list(shop.landed()) == ["item/id=a.json", "items/all.json"]


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_set_that_landed_in_part_is_fetched_again_and_completed(
    shop: Shop, api: ScriptedApi, gone: int
) -> None:
    three_pages(shop, api)
    assert shop.extract().status == 0
    before = shop.landed()
    forget(shop, f"items/page={gone}.json")
    api.calls.clear()
    assert shop.extract().status == 0
    assert (len(api.calls), shop.landed()) == (3, before)
    assert shop.manifest()["requests"]["adopted"] == 2


def test_a_set_that_landed_whole_is_adopted_without_a_request(shop: Shop, api: ScriptedApi) -> None:
    three_pages(shop, api)
    shop.extract()
    forget(shop)
    api.calls.clear()
    assert shop.extract().status == 0
    assert (api.calls, shop.manifest()["requests"]["adopted"]) == ([], 3)


def test_a_whole_set_with_an_empty_page_is_adopted_without_a_request(
    shop: Shop, api: ScriptedApi
) -> None:
    api.on("/items", paged([{"pages": 3, "rows": rows} for rows in ([1], [], [2])]))
    shop.declare(ITEMS + PAGES)
    status = shop.extract().status
    if status == 4:
        return  # it may be taken for a disagreement: then it is one every time
    forget(shop)
    api.calls.clear()
    assert (shop.extract().status, len(api.calls)) == (0, 0)


def test_a_part_of_a_set_with_other_bytes_but_the_same_records_stays(
    shop: Shop, api: ScriptedApi
) -> None:
    pages = three_pages(shop, api)
    shop.extract()
    before = shop.landed()
    forget(shop, "items/page=2.json")
    api.on("/items", paged([{**page, "asked": "later"} for page in pages]))  # type: ignore[dict-item]
    assert shop.extract().status == 0
    assert shop.landed()["items/page=1.json"] == before["items/page=1.json"]


def test_a_part_of_a_set_with_other_records_is_violated_and_can_be_moved_away(
    shop: Shop, api: ScriptedApi
) -> None:
    three_pages(shop, api)
    shop.extract()
    forget(shop, "items/page=2.json")
    api.on("/items", paged([{"pages": 3, "rows": [n + 1]} for n in range(3)]))
    for _ in range(2):
        ran = shop.extract()
        assert (ran.status, shop.manifest_file.exists()) == (4, False)
        follow(shop, ran.err)
    assert shop.extract().status == 0
    assert [json.loads(body)["rows"] for body in shop.landed().values()] == [[1], [2], [3]]


def test_each_page_in_the_way_is_named_once_so_that_one_run_tells_all(
    shop: Shop, api: ScriptedApi
) -> None:
    three_pages(shop, api)
    shop.extract()
    forget(shop, "items/page=3.json")
    api.on("/items", paged([{"pages": 3, "rows": [n + 1]} for n in range(3)]))
    assert shop.extract().status == 4
    violations = shop.attempt()["violations"]
    assert [text.split()[0].rpartition("/")[2] for text in violations] == [
        "page=1.json",
        "page=2.json",
    ]
    for text in violations:
        follow(shop, text)
    assert shop.extract().status == 0


@pytest.mark.parametrize("length", [10, 3000])
def test_a_part_of_a_set_of_links_is_never_taken_for_the_whole(
    shop: Shop, api: ScriptedApi, length: int
) -> None:
    def answer(call: Call) -> Reply:
        link = f'</items?p=2&filler={"x" * length}>; rel="next"'
        return json_reply(
            [call.query.get("p")], headers={} if "p" in call.query else {"Link": link}
        )

    api.on("/items", answer)
    shop.declare(ITEMS + LINK)
    assert shop.extract().status == 0
    before = shop.landed()
    forget(shop, "items/page=2.json")
    assert shop.extract().status == 0
    assert shop.landed() == before


def damaged(shop: Shop, file: Path) -> None:
    file.write_bytes(b'{"asked": "someone else"}')


def nameless(shop: Shop, file: Path) -> None:
    shutil.rmtree(shop.landing / ".ashore")


def empty(shop: Shop, file: Path) -> None:
    file.write_bytes(b"")


def other_url(shop: Shop, file: Path) -> None:
    shop.declare(TREE + 'params = { of = "{id}" }\n')


@pytest.mark.parametrize("harm", [damaged, nameless, empty, other_url])
def test_what_does_not_hold_up_is_named_and_its_command_mends_it(
    shop: Shop, api: ScriptedApi, harm: Callable[[Shop, Path], None]
) -> None:
    tree(api, ["it's", "b"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    name = "item/id=it%27s.json"
    forget(shop)
    harm(shop, shop.file(name))
    before = shop.landed()
    for _ in range(5):
        ran = shop.extract()
        if ran.status == 0:
            break
        assert ran.status == 4
        assert {**shop.landed(), **before} == shop.landed(), "nothing is replaced"
        follow(shop, ran.err)
        before = shop.landed()
    assert ran.status == 0
    assert len(shop.landed()) == 3
    assert shop.verify().status == 0


def test_a_foreign_object_is_named_and_its_command_mends_it(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    shop.raw.mkdir(parents=True)
    (shop.raw / "endpoint=item").mkdir()
    shop.file("item/id=of another catalog.json").write_bytes(b"{}")
    ran = shop.extract()
    assert (ran.status, shop.manifest_file.exists()) == (4, False)
    follow(shop, ran.err)
    assert shop.extract().status == 0
    assert len(api.calls) == 2, "all of it had landed"


def test_nobodys_files_are_ignored(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    folder = shop.raw / "endpoint=item"
    folder.mkdir(parents=True)
    for name in (".DS_Store", "_SUCCESS", "x_$folder$", "._id=a.json"):
        (folder / name).write_bytes(b"nobody's")
    assert shop.extract().status == 0
    assert shop.verify().status == 0


def test_an_object_that_cannot_be_adopted_counts_when_the_run_ends_early(
    shop: Shop, api: ScriptedApi
) -> None:
    tree(api, ["a", "b", "c"])
    shop.declare(TREE, source="workers = 1")
    shop.extract()
    forget(shop, "item/id=c.json")
    damaged(shop, shop.file("item/id=b.json"))
    ran = shop.extract("--max-requests", "0")
    assert ran.status == 4, "violated is graver than incomplete"


def test_a_run_that_may_ask_nothing_counts_what_lies_there(shop: Shop, api: ScriptedApi) -> None:
    values = [f"v{number:02}" for number in range(30)]
    tree(api, values)
    shop.declare(TREE)
    shop.extract()
    forget(shop, "item/id=v07.json")
    assert shop.extract("--max-requests", "0").status == 3
    entry = shop.attempt()["ledger"]["item"]
    assert (entry["expected"], entry["landed"], entry["missing"]) == (30, 29, 1)


def test_what_is_missing_is_asked_before_what_lies_there_is_looked_at(
    shop: Shop, api: ScriptedApi, on_threads: None
) -> None:
    tree(api, ["a", "b", "c"])
    shop.declare(TREE, source="workers = 1")
    shop.extract()
    forget(shop, "item/id=c.json")

    def spoil(_call: Call) -> Reply:
        damaged(shop, shop.file("item/id=a.json"))
        return json_reply("c")

    api.on("/item/c", spoil)
    assert shop.extract().status == 4, "what lies there was looked at before anything was asked"


def test_a_killed_run_is_resumed_by_a_new_process(
    shop: Shop, api: ScriptedApi, on_threads: None
) -> None:
    values = [f"v{number:02}" for number in range(12)]
    tree(api, values)
    api.on("/item/v05", Reply(delay=60))
    shop.declare(TREE, source="workers = 2")
    arguments = shop.arguments()
    with start(*arguments) as running:
        running.wait_for(lambda: len(shop.landed()) >= 8)
        running.kill()
        running.finish()
    there = shop.landed()
    api.calls.clear()
    api.on("/item/v05", json_reply("late"))
    finished = ashore(*arguments)
    assert finished.status == 0, finished.err
    asked = set(api.paths())
    assert asked == {f"/item/{v}" for v in values if f"item/id={v}.json" not in there}
    assert len(shop.landed()) == 13
    assert shop.verify().status == 0


def test_slices_complete_a_day(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c", "d", "e"])
    shop.declare(TREE)
    statuses = [shop.extract("--max-requests", "2").status for _ in range(3)]
    assert statuses == [3, 3, 0]
    assert len(api.calls) == 6


def test_a_slice_that_is_just_enough_completes_the_day(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b"])
    shop.declare(TREE)
    assert shop.extract("--max-requests", "3").status == 0


def test_two_runs_at_once_end_with_one_manifest(shop: Shop, api: ScriptedApi) -> None:
    values = [f"v{number:02}" for number in range(30)]
    tree(api, values)
    api.answer(lambda call: json_reply({"asked": call.path, "number": call.number}, delay=0.005))
    shop.declare(TREE)
    with start(*shop.arguments()) as one, start(*shop.arguments()) as other:
        ended = [one.finish(), other.finish()]
    assert [each.status for each in ended] == [0, 0], ended
    assert len(list(shop.landing.rglob("manifest.json"))) == 1
    assert len(shop.landed()) == 31
    assert shop.verify().status == 0
