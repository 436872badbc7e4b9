"""When the pages of a set are all there, and whether they agree with each other. Pure."""

from collections.abc import Callable, Sequence
from enum import Enum

from ashore.answers import Page
from ashore.catalog import Cursor, Endpoint, Link, Offset, PageNumbers
from ashore.errors import Violated
from ashore.expectations import Check, Figures


class Extent(Enum):
    """Whether another page follows."""

    MORE = "more"
    WHOLE = "whole"


class Disagreement(ValueError):
    """The pages contradict each other, the API's total, or an expectation: ask the set anew."""


def progress(endpoint: Endpoint, pages: Sequence[Page]) -> Extent:
    """Tell whether the pages received, in their order, are all of the set.

    Raises:
        Disagreement: when a page contradicts another one.
        Violated: when there is no end: too many pages, or a cursor that repeats.
    """
    agree(pages[0], pages[-1], len(pages))
    more = _has_more(endpoint, pages)
    limit = endpoint.paging.max_pages if endpoint.paging else 1
    if more and len(pages) >= limit:
        raise Violated(f"{endpoint.name}: there are more pages than max_pages = {limit}")
    return Extent.MORE if more else Extent.WHOLE


def agree(first: Page, page: Page, number: int) -> None:
    """Hold a page against the first one of its set.

    Raises:
        Disagreement: when the API's total, or its number of pages, changed between them.
    """
    if page.total != first.total:
        raise Disagreement(f"page 1 declares {first.total} records, page {number} {page.total}")
    if page.pages != first.pages:
        raise Disagreement(f"page 1 declares {first.pages} pages, page {number} {page.pages}")


def number_of_pages(endpoint: Endpoint, first: Page) -> int:
    """Return how many pages the first one of numbered pages announces, at least one.

    Raises:
        Violated: when they are more than ``max_pages``.
    """
    paging = endpoint.paging
    pages = max(first.pages or 1, 1)
    if paging and pages > paging.max_pages:
        limit = paging.max_pages
        raise Violated(f"{endpoint.name}: {pages} pages are more than max_pages = {limit}")
    return pages


def judge(
    endpoint: Endpoint, pages: Sequence[Page], alone: Callable[[Figures], list[Check]]
) -> None:
    """Hold a whole set against the API's total and against what is expected of it.

    ``alone`` gives the checks over the endpoint for an endpoint that has this one set, and
    nothing for others.

    Raises:
        Disagreement: when something does not hold; nothing of the set may land.
    """
    if isinstance(endpoint.paging, PageNumbers) and not all(p.records for p in pages[:-1]):
        raise Disagreement("a page before the last one is empty")
    records = sum(page.records for page in pages)
    total = pages[0].total
    if total is not None and records != total:
        raise Disagreement(f"the API declares {total} records and sent {records}")
    if records == 0 and not endpoint.expect.allow_empty:
        raise Disagreement("there is no record, and expect.allow_empty is not set")
    figures = Figures(records, duplicates(pages), sum(page.keyless for page in pages))
    for check in alone(figures):
        if not check.holds:
            raise Disagreement(check.problem(endpoint.name))


def duplicates(pages: Sequence[Page]) -> int:
    """Return how many records repeat the key of another one among these pages."""
    seen = set[int]()
    for page in pages:
        seen.update(page.keys)
    return sum(len(page.keys) for page in pages) - len(seen)


def _has_more(endpoint: Endpoint, pages: Sequence[Page]) -> bool:
    paging = endpoint.paging
    if isinstance(paging, PageNumbers):
        return len(pages) < number_of_pages(endpoint, pages[0])
    if isinstance(paging, Offset):
        return _offset_has_more(pages)
    if isinstance(paging, Cursor | Link):
        return _following_has_more(endpoint, pages)
    return False


def _offset_has_more(pages: Sequence[Page]) -> bool:
    total, last = pages[0].total, pages[-1]
    if total is None:
        return last.records > 0
    received = sum(page.records for page in pages)
    if received < total and not last.records:
        raise Disagreement(f"page {len(pages)} is empty after {received} of {total} records")
    return received < total


def _following_has_more(endpoint: Endpoint, pages: Sequence[Page]) -> bool:
    following = pages[-1].following
    if not following:
        return False
    if any(page.following == following for page in pages[:-1]):
        raise Violated(f"{endpoint.name}: page {len(pages)} leads to a page that came before")
    return True
