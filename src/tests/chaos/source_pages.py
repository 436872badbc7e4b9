"""The source misbehaves: pages that have no end, and pages that do not come."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.listings import (
    ONCE,
    PAGES,
    SETS,
    SIZE,
    TRIES,
    Document,
    Listing,
    honest,
    never_lands,
    set_out,
)
from tests.chaos.matrix import row
from tests.chaos.world import World
from tests.support.api import Call, Reply

# --- pages that have no end


@row(
    "source",
    "a cursor or a link that repeats",
    made="the third page leads to the first one, until the next run",
    promised="ends as soon as a page leads where another one led; the next run asks anew",
    exits=(4, 0),
    requests=2 * (PAGES + 1) + 2 * PAGES,
)
def round_and_round(world: World) -> None:
    def lie(_asked: int, _begin: int, document: Document) -> Document:
        return document | {"next": document["next"] or "0"}

    listings = set_out(world, lie, lambda _: None, "cursor", "link")
    never_lands(world, listings, "leads to a page that came before")


@row(
    "source",
    "pages without an end",
    made="four listings, one of each kind of paging; there is always one more page, or 10^6 of "
    "them; max_pages = 5; until the next run",
    promised="ends at max_pages; numbered pages are not even begun; the next run asks anew",
    exits=(4, 0),
    requests=1 + 3 * 5 + ONCE,
)
def no_end(world: World) -> None:
    def lie(_asked: int, begin: int, document: Document) -> Document:
        rows = [{"id": f"r{begin + number}"} for number in range(SIZE)]
        more = {"total": 4 * 10**6, "pages": 10**6, "next": f"{begin + SIZE}"}
        return document | more | {"rows": rows}

    never_lands(world, set_out(world, lie), "more pages than max_pages = 5")


# --- pages that do not come


@row(
    "source",
    "a page that fails now and then",
    made="four listings, one of each kind of paging; every page answers 503 when it is asked for "
    "the first time",
    promised="every set lands, without being fetched again",
    exits=(0,),
    requests=2 * ONCE,
    quick=0,
)
def failing_page(world: World) -> None:
    for listing in set_out(world):
        world.api.on(f"/{listing.kind}", failing_once(listing))
    world.extract()
    world.is_whole()


def failing_once(listing: Listing) -> Callable[[Call], Reply]:
    """Answer 503 to what is asked for the first time."""
    seen = set[str]()

    def answer(call: Call) -> Reply:
        known = call.target in seen
        seen.add(call.target)
        return listing.answer(call) if known else Reply(503)

    return answer


@row(
    "source",
    "a page that fails for good",
    made="four listings, one of each kind of paging; the second page answers 503 in every try of "
    "the first run",
    promised="nothing of the sets lands; the next run asks for all pages anew",
    exits=(3, 0),
    # Of numbered pages, the third one is asked for meanwhile.
    requests=SETS * (1 + TRIES) + 1 + ONCE,
)
def missing_page(world: World) -> None:
    def lie(_asked: int, begin: int, document: Document) -> Document | Reply:
        return Reply(503) if begin == SIZE else document

    listings = set_out(world, lie)
    world.extract()
    world.is_partly_there(*world.truth)
    world.is_reported("page: 1 of 1 failed for good: HTTP 503", "link: 1 of 1")
    for listing in listings:
        listing.lie = honest
    world.goes_on()
