"""A world of forty requests for rows that end, or overlap, whole runs: pages, items, paged sets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.chaos.world import World, good
from tests.support.api import Call, Reply

WORKERS = 4
PAGES, ITEMS, SHELVES = 4, 20, 8
ALL = PAGES + ITEMS + 2 * SHELVES
"""Requests, and objects: a listing of four pages, its items, and two pages for some of them."""
CATALOG = """
[[source.shop.endpoint]]
name = "items"
path = "items"
paging = { kind = "page", param = "page", pages = "pages" }
records = "rows"
total = "total"

[[source.shop.endpoint]]
name = "item"
path = "item/{id}"
for_each = { endpoint = "items", select = "rows[].id", as = "id" }

[[source.shop.endpoint]]
name = "shelf"
path = "item/{id}/shelf/{shelf}"
paging = { kind = "page", param = "page", pages = "pages" }
records = "rows"
for_each = { endpoint = "item", select = "shelves", as = "shelf" }
"""


def set_out(world: World, source: str = "") -> None:
    """Declare and serve a listing of several pages, its items, and pages below some of these."""
    world.declare(CATALOG, source=f"workers = {WORKERS}\n{source}")
    ids = [f"i{number}" for number in range(1, ITEMS + 1)]
    for page, some in enumerate(_cut(ids, PAGES), start=1):
        rows = [{"id": each, "text": _text(world)} for each in some]
        document = {"pages": PAGES, "total": ITEMS, "rows": rows}
        world.truth[f"items/page={page}.json"] = _body(document)
    for number, each in enumerate(ids):
        shelves = ["a b"] if number < SHELVES else []
        document = {"id": each, "shelves": shelves, "text": _text(world)}
        world.truth[f"item/id={each}.json"] = _body(document)
        for page in (1, 2) if shelves else ():
            name = f"shelf/id={each}/shelf=a%20b/page={page}.json"
            world.truth[name] = _body({"pages": 2, "rows": [_text(world)]})
    world.api.answer(lambda call: answer(world, call))


def answer(world: World, call: Call) -> Reply:
    """Answer well whatever has to land."""
    body = world.truth.get(name_of(call))
    return Reply(404) if body is None else good(body)


def at_request(world: World, number: int, happens: Callable[[], object]) -> None:
    """Let something happen when the source sees so many more requests, just before it answers."""
    seen = itertools.count(1)

    def watch(call: Call) -> Reply:
        if next(seen) == number:
            happens()
        return answer(world, call)

    world.api.answer(watch)


def name_of(call: Call) -> str:
    """The name under which an answer to a request has to land."""
    page = f"page={call.query['page'][0]}.json" if "page" in call.query else ""
    match call.path.strip("/").split("/"):
        case ["items"]:
            return f"items/{page}"
        case ["item", each]:
            return f"item/id={each}.json"
        case ["item", each, "shelf", shelf]:
            return f"shelf/id={each}/shelf={shelf}/{page}"
    return ""


def set_of(name: str) -> str:
    """The set that an object belongs to: all pages of one listing, or the object itself."""
    folder, _, file = name.rpartition("/")
    return folder if file.startswith("page=") else name


def partly(names: Iterable[str], there: Iterable[str]) -> set[str]:
    """Those of some names whose set is not there as a whole: its pages are asked for together."""
    names, there = set(names), set(there)
    wanting = {set_of(name) for name in names - there}
    return {name for name in names if set_of(name) in wanting}


def receipts(world: World) -> dict[str, dict[str, Any]]:
    """The receipts of the complete day, by the names of their objects."""
    everything = world.everything("manifests/")
    manifest = world.manifest()
    assert manifest is not None
    lines = everything[manifest["receipts"]["path"]].decode().splitlines()
    found = [json.loads(line) for line in lines]
    return {each["path"].partition("endpoint=")[2]: each for each in found}


def _cut(ids: Sequence[str], pieces: int) -> list[Sequence[str]]:
    size = -(-len(ids) // pieces)
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _text(world: World) -> str:
    return world.chance.randbytes(40).hex()


def _body(document: object) -> bytes:
    return json.dumps(document).encode()
