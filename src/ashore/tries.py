"""What a worker does: one try of one request, or the landing or adopting of one set."""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ashore.answers import Answer, Page, Refused, Worth, judge, one_at_a_time
from ashore.catalog import Endpoint, Source
from ashore.errors import Incomplete, LocationUnusable, Violated
from ashore.expectations import Check, Figures
from ashore.fetch import Exchange, Sender
from ashore.landing import LONGEST_REASON, Lander
from ashore.naming import Day
from ashore.planning import Request, SetKey, following_request
from ashore.receipts import KEPT_HEADERS, Origin, Receipt, timestamp
from ashore.redaction import Redactor
from ashore.retrying import Failed, Try, asked_pause
from ashore.sets import Disagreement, Extent, progress
from ashore.sets import judge as judge_set

_EXCERPT = 500
_ECHO = (
    "the answer holds the source's key, and would land with it; if the API takes the key in a "
    "header, send it there (auth)"
)


@dataclass(frozen=True, slots=True)
class HeldPage:
    """An acceptable page, waiting on disk until its set is whole."""

    request: Request
    page: Page
    receipt: Receipt
    file: Path


@dataclass(frozen=True, slots=True)
class Unsent:
    """Nothing was sent, because nothing may be sent any more."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A page came, and waits for the others of its set."""

    tried: Try
    held: HeldPage


@dataclass(frozen=True, slots=True)
class Disagreed:
    """The pages of a set do not agree, or not with what is expected of them."""

    key: SetKey
    set_attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Landed:
    """A whole set lies in the location."""

    key: SetKey
    receipts: list[Receipt]
    pages: list[Page]
    asked: bool = True
    """Whether the source answered for it in this run, whosever answer it was that landed."""


@dataclass(frozen=True, slots=True)
class NotWhole:
    """Of a set, only a part lies in the location: it has to be asked anew."""

    first: Request


@dataclass(frozen=True, slots=True)
class Refuted:
    """Something that landed earlier, or an answer, does not hold up."""

    key: SetKey
    reason: str


Result = Unsent | Held | Failed | Disagreed | Landed | NotWhole | Refuted


@dataclass(frozen=True, slots=True)
class Workshop:
    """All that a worker needs; shared by all threads, each part of it safe to share."""

    source: Source
    day: Day
    sender: Sender
    lander: Lander
    redactor: Redactor
    aside: Path
    """A folder of this machine where pages wait."""
    there: Container[str] | None
    """The paths that had landed when the run began; None where nothing had."""
    alone: Mapping[str, Callable[[Figures], list[Check]]]
    """For each endpoint with a single set: the checks to pass before it lands."""
    pause: Callable[[float], None]

    def attempt(self, tried: Try) -> Result:
        """Send a request once; land the answer at once if it is a whole set by itself."""
        try:
            exchange = self.sender.send(tried.url)
        except Incomplete as used_up:
            return Unsent(str(used_up))
        if exchange is None:
            return Unsent()
        request, endpoint = tried.request, self.source.endpoint(tried.request.key.endpoint)
        verdict = self._judge(endpoint, exchange.answer)
        if isinstance(verdict, Refused):
            return self._failed(tried, verdict, exchange)
        receipt = self._receipt(tried, exchange, verdict)
        try:
            if request.page > 1 or progress(endpoint, [verdict]) is Extent.MORE:
                return Held(tried, self._hold(request, verdict, receipt, exchange.answer.body))
            judge_set(endpoint, [verdict], self._alone(endpoint))
            return self._land(endpoint, request, verdict, receipt, exchange.answer.body)
        except Disagreement as disagreement:
            return Disagreed(request.key, tried.set_attempt, str(disagreement))
        except Violated as violated:
            return Refuted(request.key, str(violated))

    def land(self, key: SetKey, held: list[HeldPage], set_attempt: int) -> Result:
        """Judge the pages of a set that are all there, and land them in their order."""
        endpoint = self.source.endpoint(key.endpoint)
        receipts: list[Receipt] = []
        pages: list[Page] = []
        try:
            judge_set(endpoint, [each.page for each in held], self._alone(endpoint))
            for each in held:
                receipt, page = self.lander.land(each.receipt, each.file), each.page
                if receipt is None:
                    receipt, page = self._same(endpoint, each)
                receipts.append(receipt)
                pages.append(page)
                each.file.unlink(missing_ok=True)
        except Disagreement as disagreement:
            return Disagreed(key, set_attempt, str(disagreement))
        except Violated as violated:
            return Refuted(key, str(violated))
        return Landed(key, receipts, pages)

    def adopt(self, first: Request) -> Result:
        """Take over a set that landed earlier, if all of it is there and holds up."""
        endpoint, request = self.source.endpoint(first.key.endpoint), first
        receipts: list[Receipt] = []
        pages: list[Page] = []
        try:
            while self.there is not None and request.path in self.there:
                receipts.append(self.lander.adopt(request, any_url=request.page > 1))
                if receipts[-1].origin.link_untold:
                    break
                pages.append(self.lander.page(endpoint, receipts[-1]))
                if endpoint.paging is None or progress(endpoint, pages) is Extent.WHOLE:
                    return Landed(first.key, receipts, pages, asked=False)
                request = following_request(self.source, self.day, request, pages)
        except Disagreement:
            pass  # asked anew and compared, page by page, with what lies there
        except Violated as violated:
            return Refuted(first.key, str(violated))
        return NotWhole(first)

    def cut(self) -> None:
        """Cut what is under way: its answers are not waited for any longer."""
        self.sender.cut()

    def close(self) -> None:
        """Let go of what watches over the requests; nothing may be sent afterwards."""
        self.sender.close()

    def _judge(self, endpoint: Endpoint, answer: Answer) -> Page | Refused:
        with one_at_a_time(answer.body):
            verdict = judge(self.source, endpoint, answer)
        if isinstance(verdict, Refused):
            return replace(verdict, reason=self.redactor.beginning(verdict.reason, LONGEST_REASON))
        if self.redactor.leaks(answer.body):
            return Refused(Worth.VIOLATED, _ECHO, answer.status)
        return verdict

    def _failed(self, tried: Try, refused: Refused, exchange: Exchange) -> Failed:
        answer, pause = exchange.answer, None
        if refused.worth is Worth.AGAIN:
            pause = asked_pause(answer.headers.get("retry-after"), dt.datetime.now(dt.UTC))
            if pause is not None:
                self.pause(pause)
        # Without what UTF-16 puts between letters: the key would not be known there.
        text = answer.body.replace(b"\0", b"").decode("utf-8", "replace")
        excerpt = self.redactor.beginning(text, _EXCERPT)
        return Failed(tried, refused, excerpt, pause, answer.headers.get("location"))

    def _receipt(self, tried: Try, exchange: Exchange, page: Page) -> Receipt:
        answer, request, clean = exchange.answer, tried.request, self.redactor.clean
        origin = Origin(
            url=clean(request.url),
            final_url=clean(tried.url) if tried.hops else None,
            status=answer.status or 0,
            fetched_at=timestamp(exchange.sent_at),
            duration_ms=round(exchange.seconds * 1000),
            attempts=tried.attempt,
            headers={n: clean(answer.headers[n]) for n in KEPT_HEADERS if n in answer.headers},
            link=clean(answer.link) if answer.link else None,
        )
        sha256 = hashlib.sha256(answer.body).hexdigest()
        return Receipt(request.path, origin, len(answer.body), sha256, page.records, page.total)

    def _hold(self, request: Request, page: Page, receipt: Receipt, body: bytes) -> HeldPage:
        file = self.aside / uuid.uuid4().hex
        try:
            file.write_bytes(body)
        except OSError as error:
            raise LocationUnusable(f"no room for pages that wait (TMPDIR): {error}") from error
        return HeldPage(request, page, receipt, file)

    def _land(
        self, endpoint: Endpoint, request: Request, page: Page, receipt: Receipt, body: bytes
    ) -> Landed:
        """Land a set of one page, or adopt the one that another run landed meanwhile."""
        if landed := self.lander.land(receipt, body):
            return Landed(request.key, [landed], [page])
        adopted = self.lander.adopt(request)
        there = self.lander.page(endpoint, adopted)
        if endpoint.paging and progress(endpoint, [there]) is Extent.MORE:
            raise self.lander.refused(
                request.path, "it is one of several pages, but now there is one"
            )
        return Landed(request.key, [adopted], [there])

    def _same(self, endpoint: Endpoint, held: HeldPage) -> tuple[Receipt, Page]:
        """Adopt a page that lies there already, if it says the same as the one fetched now."""
        path, page = held.request.path, held.page
        adopted = self.lander.adopt(held.request, any_url=held.request.page > 1)
        there = self.lander.page(endpoint, adopted)
        ends_alike = adopted.origin.link_untold or bool(there.following) == bool(page.following)
        if (there.total, there.pages) != (page.total, page.pages) or not ends_alike:
            raise self.lander.refused(path, "it belongs to another set than the one fetched now")
        if adopted.sha256 != held.receipt.sha256 and not self.lander.same_records(
            endpoint, path, held.file.read_bytes()
        ):
            raise self.lander.refused(path, "it holds other records than the page fetched now")
        return adopted, there

    def _alone(self, endpoint: Endpoint) -> Callable[[Figures], list[Check]]:
        return self.alone.get(endpoint.name, lambda _: [])
