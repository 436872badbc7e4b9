"""The source misbehaves: listings that are empty, too short, or of another shape than yesterday."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial

from tests.chaos.faulty import ALL
from tests.chaos.matrix import row
from tests.chaos.world import TREE, World, good

TRIES = 3
WRAPPED = TREE.replace(
    'path = "items"\n', 'path = "items"\nrecords = "rows"\ntotal = "total"\n'
).replace("[].id", "rows[].id")


def expecting(of_the_listing: str) -> str:
    """The listing and its items, with expectations of the listing."""
    return TREE.replace('path = "items"\n', f'path = "items"\nexpect = {{ {of_the_listing} }}\n')


def listing(world: World, items: int) -> bytes:
    """Serve so many of the items and no others; return their listing."""
    world.truth.clear()
    world.serve(items)
    return world.truth["items/all.json"]


# --- too few records


@row(
    "source",
    "an empty listing",
    made="the listing has no record, until the next run",
    promised="after retry.attempts = 3 fetches nothing lands; the next run asks anew",
    exits=(4, 0),
    requests=TRIES + ALL,
)
def empty(world: World) -> None:
    world.declare()
    world.serve()
    world.fault("/items", [good(b"[]")] * TRIES, "items/all.json")
    world.extract()
    world.is_partly_there(*world.truth)
    world.is_reported("there is no record, and expect.allow_empty is not set")
    world.goes_on()


@row(
    "source",
    "an empty listing for a moment",
    made="the listing has no record when it is asked for the first time",
    promised="it is asked for again, and every answer lands",
    exits=(0,),
    requests=1 + ALL,
    quick=0,
)
def empty_once(world: World) -> None:
    world.declare()
    world.serve()
    world.fault("/items", [good(b"[]")], "items/all.json")
    world.extract()
    world.is_whole()


@row(
    "source",
    "an empty listing that may be",
    made="the listing has no record; allow_empty",
    promised="the day is complete, with the listing alone",
    exits=(0,),
    requests=1,
    quick=0,
)
def may_be_empty(world: World) -> None:
    world.declare(expecting("allow_empty = true"))
    listing(world, 0)
    world.extract()
    world.is_whole()


@row(
    "source",
    "a listing a third smaller than yesterday",
    made="12 items yesterday, 8 today; max_drop = 0.25",
    promised="nothing of today lands, and says what can be accepted; with --accept the day is "
    "whole; yesterday is not touched",
    exits=(0, 4, 0),
    requests=ALL + TRIES + 1 + 8,
    s3=True,
)
def smaller(world: World) -> None:
    world.declare(expecting("max_drop = 0.25"))
    before = yesterday(world)
    listing(world, 8)
    world.extract()
    world.is_partly_there(*world.truth)
    world.is_reported("8 records after 12: 33.3% fewer, 25.0% allowed", "--accept items.max_drop")
    world.goes_on("--accept", "items.max_drop")
    assert (world.manifest() or {})["accepted"] == ["items.max_drop"]
    assert before.items() <= world.everything().items(), "yesterday was touched"


@row(
    "source",
    "a listing a third smaller than yesterday, for a moment",
    made="the same, when it is asked for the first time",
    promised="it is asked for again, and every answer lands",
    exits=(0, 0),
    requests=ALL + 1 + ALL,
    quick=0,
)
def smaller_once(world: World) -> None:
    world.declare(expecting("max_drop = 0.25"))
    yesterday(world)
    short = listing(world, 8)
    listing(world, 12)
    world.fault("/items", [good(short)], "items/all.json")
    world.extract()
    world.is_whole()


def yesterday(world: World) -> dict[str, bytes]:
    """Land all 12 items under the day before; return what lies in the location then."""
    today, world.date = world.date, day_before(world.date)
    listing(world, 12)
    world.extract("--allow-backdate")
    world.is_whole()
    world.date = today
    return world.everything()


def day_before(date: str) -> str:
    """The date before a date."""
    return (dt.date.fromisoformat(date) - dt.timedelta(days=1)).isoformat()


# --- another shape


SHAPES: dict[str, tuple[str, bytes, str]] = {
    "a null where records were": (
        "the listing holds null where its records were",
        b'{"total": 12, "rows": null}',
        "unknown shape: records = rows finds no list",
    ),
    "an envelope of unknown shape": (
        "the listing's records are under another name",
        b'{"total": 12, "data": [{"id": "i1"}]}',
        "unknown shape: records = rows finds no list",
    ),
    "an object where a list was": (
        "the listing holds its records by their ids, no longer one after the other",
        b'{"total": 12, "rows": {"i1": {}}}',
        "unknown shape: records = rows finds no list",
    ),
    "a total that is no number": (
        "the listing declares its total as null or in words",
        b'{"total": "twelve", "rows": []}',
        "unknown shape: total = total finds",
    ),
    "a scalar where an envelope was": (
        "the listing is a string alone",
        b'"ok"',
        "unknown shape: total = total finds null",
    ),
}


def _of_unknown_shape(body: bytes, words: str, world: World) -> None:
    world.declare(WRAPPED)
    wrap(world)
    world.fault("/items", [good(body)], "items/all.json")
    world.extract()
    world.is_partly_there(*world.truth)
    attempt = world.is_reported(words, "if the API has changed, mend the catalog, else run again")
    assert attempt["ledger"]["items"]["expected"] == 1
    world.goes_on()


def wrap(world: World) -> None:
    """Serve the items, and their listing in an envelope."""
    rows = json.loads(listing(world, 12))
    body = json.dumps({"total": len(rows), "rows": rows}).encode()
    world.answer("/items", "items/all.json", body)


for name, (made, body, words) in SHAPES.items():
    row(
        "source",
        name,
        made=f"{made}, until the next run",
        promised="it is not tried again, nothing lands; the next run asks anew",
        exits=(4, 0),
        requests=1 + ALL,
        quick=1 if name.startswith("a null") else 0,
    )(partial(_of_unknown_shape, body, words))


@row(
    "source",
    "an item of unknown shape",
    made="one of 12 items holds null where its records were, until the next run",
    promised="all others land; the next run asks for that one alone",
    exits=(4, 0),
    requests=ALL + 1,
    quick=0,
)
def item_of_unknown_shape(world: World) -> None:
    world.declare(TREE + 'records = "rows"\n')
    listing(world, 12)
    for path, name in world.items():
        world.answer(path, name, b'{"rows": [%s]}' % world.truth[name])
    path, name = world.chance.choice(world.items())
    world.fault(path, [good(b'{"rows": null}')], name)
    world.extract()
    world.is_partly_there(name)
    world.is_reported(name, "unknown shape: records = rows finds no list")
    world.goes_on()
