"""The source misbehaves: listings in pages, of all four kinds, that do not hold together."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.chaos.listings import (
    KINDS,
    ONCE,
    PAGES,
    RECORDS,
    SETS,
    SIZE,
    TRIES,
    Document,
    Lie,
    Listing,
    honest,
    knows,
    never_lands,
    set_out,
)
from tests.chaos.matrix import row
from tests.chaos.world import World


def heals(world: World) -> None:
    """Extract: what was wrong the first time is right the second time."""
    ran = world.extract()
    assert len(ran.named("tried_again")) == SETS
    world.is_whole()


# --- figures that cannot be true


def first_time(lie: Lie) -> Lie:
    """Lie in the first fetch of a set only."""
    return lambda asked, begin, document: (lie if asked == 1 else honest)(asked, begin, document)


def one_less(_asked: int, _begin: int, document: Document) -> Document:
    return document | {"total": document["total"] - 1}


def one_less_at_the_end(asked: int, begin: int, document: Document) -> Document:
    return document if begin + SIZE < RECORDS else one_less(asked, begin, document)


def more_pages_at_the_end(_asked: int, begin: int, document: Document) -> Document:
    return document if begin + SIZE < RECORDS else document | {"pages": PAGES + 1}


@row(
    "source",
    "a total that disagrees for a moment",
    made="four listings, one of each kind of paging; each declares one record less than it sends, "
    "in its first fetch",
    promised="each set is fetched again as a whole, and lands",
    exits=(0,),
    requests=2 * ONCE,
    quick=0,
)
def total_once(world: World) -> None:
    set_out(world, first_time(one_less))
    heals(world)


@row(
    "source",
    "a total that disagrees",
    made="the same in every fetch, until the next run",
    promised="after retry.attempts = 3 fetches nothing of the sets lands; the next run asks anew",
    exits=(4, 0),
    requests=(TRIES + 1) * ONCE,
    s3=True,
)
def total_always(world: World) -> None:
    listings = set_out(world, one_less)
    never_lands(world, listings, "the API declares 11 records and sent 12")


@row(
    "source",
    "pages that declare another total",
    made="four listings, one of each kind of paging; their last pages declare one record less, in "
    "the first fetch",
    promised="each set is fetched again as a whole, and lands",
    exits=(0,),
    requests=2 * ONCE,
    quick=0,
)
def another_total(world: World) -> None:
    set_out(world, first_time(one_less_at_the_end))
    heals(world)


@row(
    "source",
    "pages that always declare another total",
    made="the same in every fetch, until the next run",
    promised="nothing of the sets lands; the next run asks anew",
    exits=(4, 0),
    requests=(TRIES + 1) * ONCE,
    quick=0,
)
def always_another_total(world: World) -> None:
    listings = set_out(world, one_less_at_the_end)
    never_lands(world, listings, "page 1 declares 12 records, page 3 11")


@row(
    "source",
    "pages that declare another number of pages",
    made="a listing of numbered pages; the last one declares four pages, the others three, until "
    "the next run",
    promised="nothing of the set lands; the next run asks anew",
    exits=(4, 0),
    requests=(TRIES + 1) * PAGES,
    quick=0,
)
def another_number_of_pages(world: World) -> None:
    listings = set_out(world, more_pages_at_the_end, lambda _: None, "page")
    never_lands(world, listings, "page 1 declares 3 pages, page 3 4")


# --- records that are twice there, or not at all


def overlapping(listing: Listing) -> Lie:
    """All pages but the first begin one record too early."""
    return lambda _, begin, document: (
        document | {"rows": listing.document(max(begin - 1, 0))["rows"]}
    )


def with_a_gap(_asked: int, begin: int, document: Document) -> Document:
    """The second page lacks its second record."""
    rows = document["rows"]
    return document | {"rows": [rows[0], *rows[2:]] if begin == SIZE else rows}


@row(
    "source",
    "a record on two pages",
    made="four listings, one of each kind of paging; all pages but the first begin one record "
    "too early; unique_key",
    promised="nothing lands, and says what can be accepted; with --accept the day is whole",
    exits=(4, 0),
    requests=(TRIES + 1) * ONCE,
)
def on_two_pages(world: World) -> None:
    listings = set_out(world)
    for listing in listings:
        listing.lie = overlapping(listing)
    world.extract()
    world.is_partly_there(*world.truth)
    world.is_reported("1 records repeat a key", "--accept page.unique_key")
    for listing in listings:
        for begin in range(0, RECORDS, SIZE):
            lied = listing.lie(1, begin, listing.document(begin))
            assert isinstance(lied, dict)
            world.truth[f"{listing.kind}/page={begin // SIZE + 1}.json"] = json.dumps(lied).encode()
    world.goes_on(*(option for kind in KINDS for option in ("--accept", f"{kind}.unique_key")))
    accepted = (world.manifest() or {})["accepted"]
    assert accepted == sorted(f"{kind}.unique_key" for kind in KINDS)


@row(
    "source",
    "a record on no page, for a moment",
    made="four listings, one of each kind of paging; one record of the second page is not sent, in "
    "the first fetch",
    promised="each set is fetched again as a whole, and lands",
    exits=(0,),
    requests=2 * ONCE + 1,
    quick=0,
)
def on_no_page_once(world: World) -> None:
    set_out(world, first_time(with_a_gap))
    heals(world)


@row(
    "source",
    "a record on no page",
    made="the same in every fetch, until the next run",
    promised="nothing of the sets lands; the next run asks anew",
    exits=(4, 0),
    # What steps by the records received asks for a fourth page.
    requests=TRIES * (ONCE + 1) + ONCE,
    quick=0,
)
def on_no_page(world: World) -> None:
    never_lands(world, set_out(world, with_a_gap), "the API declares 12 records and sent 11")


@row(
    "source",
    "an empty page before the end",
    made="four listings, one of each kind of paging; the second page has no record, until the next "
    "run",
    promised="nothing of the sets lands; the next run asks anew",
    exits=(4, 0),
    # What steps by the records received cannot go on.
    requests=TRIES * (ONCE - 1) + ONCE,
    quick=0,
)
def empty_page(world: World) -> None:
    def lie(_asked: int, begin: int, document: Document) -> Document:
        return document | {"rows": [] if begin == SIZE else document["rows"]}

    never_lands(world, set_out(world, lie), "a page before the last one is empty")


# --- a list that changes meanwhile


def swaps(listing: Listing) -> None:
    """A new record comes first, and the last one goes: no page declares another total."""
    listing.records = [f"new{listing.asked}", *listing.records[:-1]]


def grows(listing: Listing) -> None:
    """A new record comes first."""
    listing.records = ["new", *listing.records]


def once(happens: Callable[[Listing], None]) -> Callable[[Listing], None]:
    """Let something happen after the first fetch has begun, and never again."""

    def then(listing: Listing) -> None:
        listing.then = lambda _: None
        happens(listing)

    return then


@row(
    "source",
    "a list that grows between page 1 and page 2",
    made="four listings, one of each kind of paging; a record is put first once page 1 was sent",
    promised="each set is fetched again as a whole: never a mixture lands",
    exits=(0,),
    # Of numbered pages, the third one may have been asked for before the second one disagreed.
    requests=(SETS * (2 + PAGES + 1), SETS * (2 + PAGES + 1) + 1),
)
def grown(world: World) -> None:
    listings = set_out(world, then=once(grows))
    world.extract()
    for listing in listings:
        knows(world, listing)
    world.is_whole()


@row(
    "source",
    "a list that changes between page 1 and page 2 and keeps its length",
    made="four listings, one of each kind of paging; a record is put first and the last one taken "
    "away once page 1 was sent; unique_key",
    promised="each set is fetched again as a whole: never a mixture lands",
    exits=(0,),
    requests=2 * ONCE,
    s3=True,
)
def swapped(world: World) -> None:
    listings = set_out(world, then=once(swaps))
    world.extract()
    for listing in listings:
        knows(world, listing)
    world.is_whole()


@row(
    "source",
    "a list that never stands still",
    made="the same after every first page, until the next run",
    promised="nothing of the sets lands; the next run asks anew",
    exits=(4, 0),
    requests=(TRIES + 1) * ONCE,
    quick=0,
)
def restless(world: World) -> None:
    never_lands(world, set_out(world, then=swaps), "1 records repeat a key")
