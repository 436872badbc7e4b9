"""Which requests follow from a catalog and from earlier answers. Pure: nothing here sends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ashore import urls
from ashore.answers import Page
from ashore.catalog import Cursor, Endpoint, Link, Offset, PageNumbers, Scalar, Source
from ashore.errors import Violated
from ashore.naming import Day, Values, object_path


@dataclass(frozen=True, slots=True)
class SetKey:
    """One set: an endpoint, and the values that it is asked for."""

    endpoint: str
    values: Values = ()


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of one endpoint; made one by one, since a million values cost less than their keys."""

    endpoint: str
    above: Values = ()
    """The values of the set that they follow from."""
    name: str = ""
    values: Sequence[str] | None = None
    """None for the only set of an endpoint that follows from none."""

    def __len__(self) -> int:
        """Return how many there are."""
        return 1 if self.values is None else len(self.values)

    def __iter__(self) -> Iterator[SetKey]:
        """Yield the key of each."""
        if self.values is None:
            yield SetKey(self.endpoint)
            return
        for value in self.values:
            yield SetKey(self.endpoint, (*self.above, (self.name, value)))


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a value: what to ask, and under which path its answer lands."""

    key: SetKey
    page: int
    url: str
    path: str


def first_request(source: Source, day: Day, key: SetKey) -> Request:
    """Return the request of the first page of a set; without paging there is no other."""
    endpoint = source.endpoint(key.endpoint)
    return _request(source, day, key, 1, _url(source, endpoint, key, _first_params(endpoint)))


def page_request(source: Source, day: Day, key: SetKey, page: int) -> Request:
    """Return the request of a numbered page of a set."""
    endpoint = source.endpoint(key.endpoint)
    paging = endpoint.paging
    if not isinstance(paging, PageNumbers):
        raise TypeError(f"{key.endpoint} has no numbered pages")
    return _request(source, day, key, page, _url(source, endpoint, key, {paging.param: page}))


def following_request(source: Source, day: Day, last: Request, pages: list[Page]) -> Request:
    """Return the request that follows the pages received so far, which must not be all.

    Raises:
        Violated: when an answer names a next page on another host.
    """
    endpoint = source.endpoint(last.key.endpoint)
    paging, page = endpoint.paging, len(pages) + 1
    token = pages[-1].following or ""
    if isinstance(paging, Offset):
        params = _first_params(endpoint) | {paging.param: sum(p.records for p in pages)}
        url = _url(source, endpoint, last.key, params)
    elif isinstance(paging, Cursor) and paging.param is not None:
        url = _url(source, endpoint, last.key, {paging.param: token})
    elif isinstance(paging, Cursor | Link):
        url = _next_url(source, last, token)
    else:
        return page_request(source, day, last.key, page)
    return _request(source, day, last.key, page, url)


def _request(source: Source, day: Day, key: SetKey, page: int, url: str) -> Request:
    paged = source.endpoint(key.endpoint).paging is not None
    return Request(
        key, page, url, object_path(day, key.endpoint, key.values, page if paged else None)
    )


def _first_params(endpoint: Endpoint) -> dict[str, Scalar]:
    paging = endpoint.paging
    if isinstance(paging, PageNumbers):
        return {paging.param: 1}
    if isinstance(paging, Offset):
        size = {paging.size_param: paging.size} if paging.size_param and paging.size else {}
        return {paging.param: 0, **size}
    return {}


def _url(source: Source, endpoint: Endpoint, key: SetKey, more: dict[str, Scalar]) -> str:
    # What paging adds is never a template: a token may hold braces of its own.
    url = urls.build(source.base_url, endpoint.path, endpoint.params, dict(key.values))
    return urls.with_params(url, {name: str(value) for name, value in more.items()})


def _next_url(source: Source, last: Request, found: str) -> str:
    try:
        url = urls.join(last.url, found)
    except ValueError:
        url = ""
    if not urls.same_host(last.url, url):
        raise Violated(f"{last.path}: the next page is not on the host that was asked")
    secret = source.auth.param if source.auth else None
    return urls.without_param(url, secret) if secret else url
