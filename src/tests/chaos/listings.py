"""Listings in pages, of all four kinds of paging, that may lie: for rows of the fault matrix."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

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
"""Of each request, and of each set, in a run."""


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
) -> list[Listing]:
    """Declare and serve a listing of each kind."""
    chosen = kinds or tuple(KINDS)
    endpoints = (
        f'[[source.shop.endpoint]]\nname = "{kind}"\npath = "{kind}"\nrecords = "rows"\n'
        f'total = "total"\nkey = "id"\npaging = {KINDS[kind]}\nexpect = {{ unique_key = true }}\n'
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


def never_lands(world: World, listings: list[Listing], words: str) -> None:
    """Extract while every fetch is wrong: nothing lands; and without the fault, all does."""
    world.extract()
    world.is_partly_there(*world.truth)
    attempt = world.is_reported()
    assert attempt["outcome"] == "violated"
    violations = attempt["violations"]
    assert len(violations) == len(listings)
    assert any(words in each for each in violations), violations
    for listing in listings:
        listing.lie, listing.then = honest, lambda _: None
        knows(world, listing)
    world.goes_on()
