"""The source misbehaves: listings in pages, of all four kinds, that do not hold together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.matrix import row
from tests.chaos.world import SWIFT, World, good
from tests.support.api import Call, Reply

Document = dict[str, Any]
Lie = Callable[[int, int, Document], Document | Reply]
"""Makes of the truth what is sent: the how-manieth fetch of the set it is, the number of the first
record of the page, and what would be right."""

KINDS = {
    "page": '{ kind = "page", param = "page", pages = "pages", max_pages = 5 }',
    "offset": '{ kind = "offset", param = "at", size = 4, size_param = "take", max_pages = 5 }',
    "cursor": '{ kind = "cursor", next = "next", param = "at", max_pages = 5 }',
    "link": '{ kind = "link", max_pages = 5 }',
}
SIZE = 4
RECORDS = 12
PAGES = 3
SETS = len(KINDS)
ONCE = PAGES * SETS
"""Requests for one fetch of every listing."""
TRIES = 3


@dataclass(slots=True)
class Listing:
    """Records in pages of four, served in one of the four kinds of paging; it may lie."""

    kind: str
    lie: Lie
    records: list[str]
    """Those that lie there now."""
    asked: int = 0
    """How often the first page was asked for."""
    then: Callable[[Listing], None] = field(default=lambda _: None)
    """What happens to the records after the first page was sent."""

    def answer(self, call: Call) -> Reply:
        """Answer a request for a page."""
        begin = self._begin(call)
        self.asked += not begin
        sent = self.lie(self.asked, begin, self.document(begin))
        if not begin:
            self.then(self)
        return sent if isinstance(sent, Reply) else self.reply(sent)

    def document(self, begin: int) -> Document:
        """What a page that begins at a record says."""
        end = begin + SIZE
        return {
            "total": len(self.records),
            "pages": -(-len(self.records) // SIZE),
            "rows": [{"id": each} for each in self.records[begin:end]],
            "next": f"{end}" if end < len(self.records) else None,
        }

    def reply(self, document: Document) -> Reply:
        """An answer; a link to the next page goes into a header."""
        body, following = json.dumps(document).encode(), document["next"]
        if self.kind != "link" or not following:
            return good(body)
        return Reply(body=body, headers={"Link": f'</link?at={following}>; rel="next"'})

    def _begin(self, call: Call) -> int:
        if self.kind == "page":
            return (int(call.query["page"][0]) - 1) * SIZE
        return int(call.query.get("at", ["0"])[0])


def honest(_asked: int, _begin: int, document: Document) -> Document:
    """No lie."""
    return document


def set_out(
    world: World,
    lie: Lie = honest,
    then: Callable[[Listing], None] = lambda _: None,
    *kinds: str,
    expect: str = "unique_key = true",
) -> list[Listing]:
    """Declare and serve a listing of each kind."""
    chosen = kinds or tuple(KINDS)
    endpoints = (
        f'[[source.shop.endpoint]]\nname = "{kind}"\npath = "{kind}"\nrecords = "rows"\n'
        f'total = "total"\nkey = "id"\npaging = {KINDS[kind]}\nexpect = {{ {expect} }}\n'
        for kind in chosen
    )
    world.declare("".join(endpoints), retry=SWIFT)
    records = [f"r{number}" for number in range(RECORDS)]
    listings = [Listing(kind, lie, list(records), then=then) for kind in chosen]
    for listing in listings:
        world.api.on(f"/{listing.kind}", listing.answer)
        knows(world, listing)
    return listings


def knows(world: World, listing: Listing) -> None:
    """Let the pages as they would be sent now be what has to land."""
    for begin in range(0, len(listing.records), SIZE):
        name = f"{listing.kind}/page={begin // SIZE + 1}.json"
        world.truth[name] = listing.reply(listing.document(begin)).body


def heals(world: World) -> None:
    """Extract: what was wrong the first time is right the second time."""
    ran = world.extract()
    assert len(ran.named("tried_again")) == SETS
    world.is_whole()


def never_lands(world: World, listings: list[Listing], *words: str) -> None:
    """Extract while every fetch is wrong: nothing lands; and without the fault, all does."""
    world.extract()
    world.is_partly_there(*world.truth)
    attempt = world.is_reported(*words)
    assert attempt["outcome"] == "violated"
    assert len(attempt["violations"]) == len(listings)
    for listing in listings:
        listing.lie, listing.then = honest, lambda _: None
        knows(world, listing)
    world.goes_on()


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
    s3=True,
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
)
def restless(world: World) -> None:
    never_lands(world, set_out(world, then=swaps), "1 records repeat a key")


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
