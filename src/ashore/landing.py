"""Land one answer: create its object, or adopt what lies there already, if that holds up."""

import hashlib
from pathlib import Path

from ashore import receipts
from ashore.answers import ErrorAnswer, NotJson, Page, examine, one_at_a_time, parse
from ashore.catalog import Endpoint, Source
from ashore.errors import Violated
from ashore.planning import Request
from ashore.receipts import Receipt, url_sha256
from ashore.redaction import Redactor
from ashore.store import Body, Description, Metadata, Store

LONGEST_REASON = 300


class Lander:
    """Lands the answers of one run in one location."""

    def __init__(self, store: Store, source: Source, run_id: str, redactor: Redactor) -> None:
        """Land in a store; objects remember the run by its id."""
        self._store = store
        self._redactor = redactor
        self._source = source
        self._run_id = run_id

    def land(self, receipt: Receipt, content: bytes | Path) -> Receipt | None:
        """Create an object; return its receipt, or None where its name is taken by another's."""
        body = Body(content, receipt.bytes, receipt.sha256)
        if self._store.create(receipt.path, body, receipt.metadata(self._run_id)):
            return receipt
        # A write that was repeated, because its first answer was lost, meets its own object.
        there = self._store.describe(receipt.path)
        if there and there.metadata and there.metadata.get("run") == self._run_id:
            return receipt if there.sha256 == receipt.sha256 else None
        return None

    def adopt(self, request: Request, *, any_url: bool = False) -> Receipt:
        """Return the receipt of what lies under a request's path already.

        Raises:
            Violated: when it does not hold up; nothing is replaced.
        """
        there = self._store.describe(request.path)
        problem = _problem(there, None if any_url else request.url)
        if problem or there is None or there.metadata is None:
            raise self.refused(request.path, problem or "it went away while it was looked at")
        try:
            url = self._redactor.clean(request.url)
            return receipts.adopted(request.path, url, there.metadata)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.refused(request.path, "its metadata are damaged") from error

    def page(self, endpoint: Endpoint, receipt: Receipt) -> Page:
        """Return what an adopted body says; the body is read again only where that is needed.

        Raises:
            Violated: when it says nothing acceptable.
        """
        follows = self._source.children(endpoint.name)
        if not (follows or endpoint.paging or endpoint.expect.unique_key):
            return Page(receipt.records, receipt.total)
        body = self._store.read(receipt.path) or b""
        if hashlib.sha256(body).hexdigest() != receipt.sha256:
            raise self.refused(receipt.path, "its bytes have another SHA-256 than when they landed")
        try:
            with one_at_a_time(body):
                return examine(self._source, endpoint, body, receipt.origin.link)
        except (NotJson, ErrorAnswer, Violated) as error:
            reason = self._redactor.beginning(str(error), LONGEST_REASON)
            raise self.refused(receipt.path, reason) from error

    def same_records(self, endpoint: Endpoint, path: str, fetched: bytes) -> bool:
        """Tell whether a landed page holds the same records as one fetched now."""
        landed = self._store.read(path)
        if landed is None:
            return False
        with one_at_a_time(landed):
            return _records(endpoint, landed) == _records(endpoint, fetched)

    def refused(self, path: str, problem: str) -> Violated:
        """Return the error for an object that does not hold up, with the way out."""
        move = self._store.how_to_move(path)
        return Violated(f"{path} does not hold up: {problem}. To fetch it anew: {move}")


def _problem(there: Description | None, url: str | None) -> str | None:
    """Why an object may not be adopted, or None."""
    if there is None:
        return "it went away while it was looked at"
    notes: Metadata | None = there.metadata
    if notes is None:
        return "it carries no metadata of ashore's"
    if notes.get("sha256") != there.sha256 or notes.get("bytes") != there.size:
        return "its bytes have another SHA-256 than when they landed"
    if url is not None and notes.get("url_sha256") != url_sha256(url):
        return "it was asked with another URL than would be asked now"
    return None


def _records(endpoint: Endpoint, body: bytes) -> object:
    document = parse(body)
    return endpoint.records.find(document) if endpoint.records else document
