"""A made-up API, honest or not: all records come once and in order, or it is told what is wrong."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from ashore.answers import Answer, Page, Refused, judge
from ashore.catalog import PageNumbers, Source
from ashore.errors import Violated
from ashore.expectations import checks
from ashore.naming import Day
from ashore.planning import Request, SetKey, first_request, following_request, page_request
from ashore.sets import Disagreement, Extent, agree, number_of_pages, progress
from ashore.sets import judge as judge_set
from tests.unit.conftest import Declare

DAY = Day("api", dt.date(2026, 11, 24))
KEY = SetKey("things")
MOST = 12
HEAD = """
[[source.api.endpoint]]
name = "things"
path = "things"
records = "rows"
key = "id"
expect = { allow_empty = true, unique_key = true }
"""
KINDS = {
    "page": f'{{ kind = "page", param = "page", pages = "pages", max_pages = {MOST} }}',
    "offset": f'{{ kind = "offset", param = "at", max_pages = {MOST} }}',
    "cursor": f'{{ kind = "cursor", next = "next", param = "after", max_pages = {MOST} }}',
    "url": f'{{ kind = "cursor", next = "next", max_pages = {MOST} }}',
    "link": f'{{ kind = "link", max_pages = {MOST} }}',
}


@dataclass(frozen=True)
class Told:
    """What an answer says, before something is done to it."""

    rows: list[dict[str, Any]]
    total: Any
    pages: Any
    following: Any


Fault = Callable[[Told], Told]
LOSSY: dict[str, Fault] = {
    "short": lambda told: replace(told, rows=told.rows[:-1]),
    "empty": lambda told: replace(told, rows=[]),
    "a record twice": lambda told: replace(told, rows=[*told.rows, *told.rows[:1]]),
    "a stranger's record": lambda told: replace(told, rows=[*told.rows, {"id": "?"}]),
    "cut off": lambda told: replace(told, following=None),
}
TOLD: dict[str, Fault] = {
    "another total": lambda told: replace(told, total=(told.total or 0) + 1),
    "no total": lambda told: replace(told, total=None),
    "a total of text": lambda told: replace(told, total=str(told.total)),
    "another number of pages": lambda told: replace(told, pages=told.pages + 1),
    "endless pages": lambda told: replace(told, pages=10**30),
    "no pages": lambda told: replace(told, pages=None),
    "null": lambda told: replace(told, rows=None),  # type: ignore[arg-type]
    "the first again": lambda told: replace(told, following="1"),
    "elsewhere": lambda told: replace(told, following="http://other.example/things"),
    "credentials": lambda told: replace(told, following="http://api.example@other.example/"),
    "a list": lambda told: replace(told, following=["1"]),
    "nonsense": lambda told: replace(told, following="http://["),
}
FAULTS = LOSSY | TOLD


@dataclass
class Api:
    """Answers as paging of a kind has it; of some answers, something is wrong."""

    kind: str
    records: list[dict[str, Any]]
    size: int
    totalled: bool
    faults: Mapping[int, str]
    asked: list[str] = field(default_factory=list)

    def answer(self, url: str) -> Answer:
        self.asked.append(url)
        assert urlsplit(url).hostname == "api.example"
        assert len(self.asked) <= MOST, "asked without an end"
        query = {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}
        if not all(text.isdigit() for text in query.values()):
            return Answer(200, b'{"error": "this was never given out"}')
        told = self._told(query)
        if name := self.faults.get(len(self.asked)):
            told = FAULTS[name](told)
        document = {"rows": told.rows, "pages": told.pages, "next": told.following}
        if self.totalled:
            document["total"] = told.total
        link = str(told.following) if told.following and self.kind == "link" else None
        return Answer(200, json.dumps(document).encode(), link=link)

    def _told(self, query: dict[str, str]) -> Told:
        names = {"page": "page", "offset": "at"}
        text = query.get(names.get(self.kind, "after"), "1" if self.kind == "page" else "0")
        asked = int(text)
        begin = (asked - 1) * self.size if self.kind == "page" else asked
        end = begin + self.size
        following = self._following(end) if end < len(self.records) else None
        pages = -(-len(self.records) // self.size)
        return Told(self.records[begin:end], len(self.records), pages, following)

    def _following(self, end: int) -> Any:
        return f"?after={end}" if self.kind in {"url", "link"} else end


@dataclass
class Asker:
    """Asks for a set as a run does, and keeps what it is given."""

    source: Source
    api: Api
    rows: dict[int, list[Any]] = field(default_factory=dict)

    def whole(self) -> list[Any]:
        """Return the records of the set in order; raise what a run would call a failure."""
        endpoint = self.source.endpoints[0]
        first = first_request(self.source, DAY, KEY)
        pages, requests = [self._page(first)], [first]
        if isinstance(endpoint.paging, PageNumbers):
            agree(pages[0], pages[0], 1)
            for number in range(2, number_of_pages(endpoint, pages[0]) + 1):
                pages.append(self._page(page_request(self.source, DAY, KEY, number)))
                agree(pages[0], pages[-1], number)
        else:
            while progress(endpoint, pages) is Extent.MORE:
                requests.append(following_request(self.source, DAY, requests[-1], pages))
                pages.append(self._page(requests[-1]))
        judge_set(endpoint, pages, lambda figures: checks(endpoint.expect, figures))
        return [row for number in sorted(self.rows) for row in self.rows[number]]

    def _page(self, request: Request) -> Page:
        answer = self.api.answer(request.url)
        page = judge(self.source, self.source.endpoints[0], answer)
        if isinstance(page, Refused):
            raise Violated(page.reason)
        assert request.page not in self.rows
        self.rows[request.page] = json.loads(answer.body)["rows"] or []
        return page


def asked(declare: Declare, api: Api) -> list[Any] | None:
    """The records of a set, or None where something was said against it."""
    text = HEAD + f"paging = {KINDS[api.kind]}\n" + ('total = "total"\n' if api.totalled else "")
    try:
        return Asker(declare(text), api).whole()
    except (Disagreement, Violated) as said:
        event(f"{type(said).__name__}")
        return None


COUNTS = st.integers(0, 30)
SIZES = st.integers(1, 5)


@pytest.mark.parametrize("kind", KINDS)
@given(COUNTS, SIZES, st.booleans())
@example(0, 3, True)
@example(MOST * 3, 3, False)
def test_of_an_honest_api_all_records_come_once_and_in_order(
    declare: Declare, kind: str, count: int, size: int, totalled: bool
) -> None:
    records = [{"id": number} for number in range(count)]
    api = Api(kind, records, size, totalled, {})
    found = asked(declare, api)
    pages = max(-(-count // size), 1)
    # Without a total, only an empty page is the end of an offset.
    needed = pages + (kind == "offset" and not totalled and count > 0)
    assert found == (records if needed <= MOST else None)
    assert len(api.asked) == (needed if needed <= MOST else 1 if kind == "page" else MOST)


@pytest.mark.parametrize("kind", KINDS)
@given(
    COUNTS,
    SIZES,
    st.booleans(),
    st.dictionaries(st.integers(1, 6), st.sampled_from(list(FAULTS)), min_size=1, max_size=3),
)
def test_of_a_faulty_api_all_records_come_once_and_in_order_or_it_is_told(
    declare: Declare, kind: str, count: int, size: int, totalled: bool, faults: dict[int, str]
) -> None:
    records = [{"id": number} for number in range(count)]
    api = Api(kind, records, size, totalled, faults)
    found = asked(declare, api)
    met = {faults[number] for number in range(1, len(api.asked) + 1) if number in faults}
    if found is None:
        assert met or len(api.asked) in {1, MOST}
        return
    # What is added may make up in number for what is lost, as it does where an offset goes on
    # behind it; nobody could tell.
    lossy = met & LOSSY.keys()
    assume("a stranger's record" not in met or (kind != "offset" and len(lossy) == 1))
    if totalled or not lossy:
        assert found == records
    else:
        event("lost without a total")
