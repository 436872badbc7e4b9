import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.answers import Page
from ashore.catalog import Source
from ashore.errors import Violated
from ashore.naming import Day
from ashore.planning import (
    Request,
    SetKey,
    first_request,
    following_request,
    page_request,
)
from ashore.sets import Extent, progress
from tests.unit.conftest import Declare

DAY = Day("api", dt.date(2026, 11, 24))
BASE = "http://api.example/v1"
KEY = SetKey("things")
HEAD = '[[source.api.endpoint]]\nname = "things"\npath = "things"\nparams = { format = "json" }\n'
CHILD = """
[[source.api.endpoint]]
name = "thing"
path = "things/{id}"
params = { of = "{id}" }
for_each = { endpoint = "things", select = "[]", as = "id" }
"""
NUMBERED = HEAD + 'paging = { kind = "page", param = "page", pages = "pages" }'
OFFSET = HEAD + 'paging = { kind = "offset", param = "offset", size = 7, size_param = "limit" }'
TOTALLED = OFFSET + '\ntotal = "total"'
CURSOR = HEAD + 'paging = { kind = "cursor", next = "next", param = "cursor" }'
LINK = HEAD + 'paging = { kind = "link" }'
NEXT_URL = HEAD + 'paging = { kind = "cursor", next = "next" }'


def after(source: Source, *pages: Page, asked: str = f"{BASE}/things") -> Request:
    last = Request(KEY, len(pages), asked, "raw/x.json")
    return following_request(source, DAY, last, list(pages))


def test_a_set_without_paging_is_one_request(declare: Declare) -> None:
    request = first_request(declare(HEAD), DAY, KEY)
    assert request.url == f"{BASE}/things?format=json"
    assert request.path == "raw/extraction_date=2026-11-24/source=api/endpoint=things/all.json"


def test_a_value_stands_in_the_path_the_parameters_and_the_name(declare: Declare) -> None:
    key = SetKey("thing", (("id", "a/b"),))
    request = first_request(declare(HEAD + CHILD), DAY, key)
    assert request.url == f"{BASE}/things/a%2Fb?of=a%2Fb"
    assert request.path == f"{DAY.raw}endpoint=thing/id=a%2Fb.json"


def test_numbered_pages_begin_at_one(declare: Declare) -> None:
    source = declare(NUMBERED)
    assert first_request(source, DAY, KEY).url == f"{BASE}/things?format=json&page=1"
    third = page_request(source, DAY, KEY, 3)
    assert (third.url, third.page) == (f"{BASE}/things?format=json&page=3", 3)
    assert third.path == f"{DAY.raw}endpoint=things/page=3.json"


def test_only_numbered_pages_can_be_asked_by_number(declare: Declare) -> None:
    with pytest.raises(TypeError, match="numbered"):
        page_request(declare(OFFSET), DAY, KEY, 2)


def test_an_offset_begins_at_zero_and_steps_by_what_was_received(declare: Declare) -> None:
    source = declare(OFFSET)
    assert first_request(source, DAY, KEY).url == f"{BASE}/things?format=json&offset=0&limit=7"
    third = after(source, Page(7), Page(3))
    assert third.url == f"{BASE}/things?format=json&offset=10&limit=7"
    assert (third.page, third.path) == (3, f"{DAY.raw}endpoint=things/page=3.json")


def test_a_cursor_is_sent_beside_the_parameters(declare: Declare) -> None:
    source = declare(CURSOR)
    assert first_request(source, DAY, KEY).url == f"{BASE}/things?format=json"
    second = after(source, Page(1, following="a&b={x}"))
    assert second.url == f"{BASE}/things?format=json&cursor=a%26b%3D%7Bx%7D"


@pytest.mark.parametrize("shape", [LINK, NEXT_URL])
@pytest.mark.parametrize(
    ("found", "url"),
    [
        ("?page=2", f"{BASE}/things?page=2"),
        ("http://api.example/v1/more", f"{BASE}/more"),
        ("https://api.example/v1/more", "https://api.example/v1/more"),
        ("more#top", f"{BASE}/more"),
    ],
)
def test_a_next_url_is_seen_from_the_one_that_was_asked(
    declare: Declare, shape: str, found: str, url: str
) -> None:
    second = after(declare(shape), Page(1, following=found))
    assert (second.url, second.page) == (url, 2)
    assert second.path == f"{DAY.raw}endpoint=things/page=2.json"


@pytest.mark.parametrize("shape", [LINK, NEXT_URL])
@pytest.mark.parametrize(
    "found",
    [
        "http://other.example/things",
        "//other.example/x",
        "http://api.example:8080/",
        "http://user@api.example/",
        "ftp://api.example/",
        "javascript:alert(1)",
        "http://[",
    ],
)
def test_a_next_url_elsewhere_is_violated(declare: Declare, shape: str, found: str) -> None:
    with pytest.raises(Violated, match="not on the host"):
        after(declare(shape), Page(1, following=found))


def test_a_next_url_never_goes_back_to_http(declare: Declare) -> None:
    with pytest.raises(Violated, match="not on the host"):
        after(
            declare(LINK),
            Page(1, following="http://api.example/v1/x"),
            asked="https://api.example/v1/things",
        )


def test_a_key_that_an_api_repeats_in_its_next_url_is_taken_out(declare: Declare) -> None:
    source = declare('auth = { param = "api_key", env = "KEY" }\n' + LINK)
    second = after(source, Page(1, following="?page=2&api_key=0123456789"))
    assert second.url == f"{BASE}/things?page=2"


@given(st.text(max_size=40))
def test_no_next_url_raises_anything_else_or_leaves_the_host(declare: Declare, found: str) -> None:
    for shape in (LINK, NEXT_URL, CURSOR):
        try:
            url = after(declare(shape), Page(1, following=found)).url
        except Violated:
            continue
        assert url.startswith(
            ("http://api.example/", "https://api.example/", "http://api.example?")
        )


def collected(source: Source, sizes: list[int], told: list[Page]) -> list[Request]:
    """Ask for pages until the set is whole, as an honest API would answer them."""
    requests = [first_request(source, DAY, KEY)]
    while progress(source.endpoints[0], told[: len(requests)]) is Extent.MORE:
        assert len(requests) < len(told), sizes
        requests.append(following_request(source, DAY, requests[-1], told[: len(requests)]))
    return requests


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(SIZES)
def test_numbered_pages_are_all_collected(declare: Declare, sizes: list[int]) -> None:
    told = [Page(size, pages=len(sizes)) for size in sizes]
    requests = collected(declare(NUMBERED), sizes, told)
    numbers = [f"{BASE}/things?format=json&page={n}" for n in range(1, len(sizes) + 1)]
    assert [request.url for request in requests] == numbers


@given(SIZES)
def test_an_offset_with_a_total_is_collected_to_its_last_record(
    declare: Declare, sizes: list[int]
) -> None:
    told = [Page(size, total=sum(sizes)) for size in sizes]
    requests = collected(declare(TOTALLED), sizes, told)
    assert len(requests) == len(sizes)
    offsets = [int(r.url.partition("offset=")[2].partition("&")[0]) for r in requests]
    assert offsets == [sum(sizes[:n]) for n in range(len(sizes))]


@given(SIZES)
def test_an_offset_without_a_total_is_collected_to_the_first_empty_page(
    declare: Declare, sizes: list[int]
) -> None:
    told = [Page(size) for size in [*sizes, 0]]
    requests = collected(declare(OFFSET), sizes, told)
    assert len(requests) == len(sizes) + 1
    assert f"offset={sum(sizes)}&" in requests[-1].url


@given(SIZES, st.sampled_from([CURSOR, LINK, NEXT_URL]))
def test_pages_that_lead_to_each_other_are_all_collected(
    declare: Declare, sizes: list[int], shape: str
) -> None:
    last = len(sizes)
    told = [
        Page(size, following=f"t{number}" if number < last else None)
        for number, size in enumerate(sizes, 1)
    ]
    requests = collected(declare(shape), sizes, told)
    assert [request.page for request in requests] == list(range(1, last + 1))
    assert all(f"t{n.page}" in after.url for n, after in pairwise(requests))
    assert len({request.path for request in requests}) == last
