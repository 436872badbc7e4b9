"""The run of one source's day: what to ask next, whom to wait for, when to end."""

import heapq
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue

from ashore import urls
from ashore.answers import Worth
from ashore.backoff import wait_before
from ashore.catalog import Endpoint, PageNumbers, Source
from ashore.dates import in_words
from ashore.errors import AshoreError, LocationUnusable, Violated
from ashore.ledger import Failure, Ledger
from ashore.naming import Day
from ashore.pace import Breaker, Governor
from ashore.planning import Request, SetKey, first_request, following_request, page_request
from ashore.progress import Observer
from ashore.receipts import ReceiptBook
from ashore.sets import Disagreement, Extent, agree, number_of_pages, progress
from ashore.signals import Control
from ashore.tries import (
    Disagreed,
    Failed,
    Held,
    HeldPage,
    Landed,
    NotWhole,
    Refuted,
    Result,
    Try,
    Unsent,
    Workshop,
)

GRACE = 10.0
"""Seconds that requests under way are given when a run ends early."""
_WINDOW = 2
"""Tasks submitted for each worker: one at work, one at hand."""
_MOST_HOPS = 5
_LOOK_EVERY = 0.5

Task = Callable[[], Result]


@dataclass(slots=True)
class _Set:
    """A set that is under way: its pages so far."""

    attempt: int = 1
    held: dict[int, HeldPage] = field(default_factory=dict)

    def in_order(self) -> list[HeldPage]:
        return [self.held[number] for number in sorted(self.held)]

    def forget(self) -> None:
        for held in self.held.values():
            held.file.unlink(missing_ok=True)
        self.held.clear()


class Run:
    """Drives the workers until nothing is left to ask, or something ends the run.

    Only this thread touches the ledger, the receipts and the sets; workers get and give values.
    """

    def __init__(  # noqa: PLR0913 - each part has its own reason to change
        self,
        source: Source,
        day: Day,
        workshop: Workshop,
        governor: Governor,
        ledger: Ledger,
        receipts: ReceiptBook,
        observer: Observer,
        *,
        executor: Executor,
        workers: int,
        until: float,
        folds_case: bool,
        control: Control,
    ) -> None:
        """Prepare a run; ``until`` is the deadline on the monotonic clock."""
        self._source, self._day, self._workshop = source, day, workshop
        self._governor, self._ledger, self._receipts = governor, ledger, receipts
        self._observer, self._executor, self._control = observer, executor, control
        self._window, self._until = workers * _WINDOW, until
        self._breaker = Breaker(source.breaker)
        self._names: set[int] | None = set() if folds_case else None
        self._ready: list[Iterator[Task]] = []
        self._later: list[tuple[float, int, Task]] = []
        self._order = 0
        self.retried = 0
        """Requests that went out because an earlier one, or a whole set, failed."""
        self._sets: dict[SetKey, _Set] = {}
        self._running = 0
        self._done: SimpleQueue[Future[Result]] = SimpleQueue()
        self._ended = False

    def drive(self) -> None:
        """Ask all that there is to ask.

        Raises:
            LocationUnusable: when the location failed under way.
        """
        for endpoint in reversed(self._source.endpoints):
            if endpoint.for_each is None:
                self._plan(endpoint.name, 1, iter([SetKey(endpoint.name)]))
        try:
            while not self._ended and (self._fill() or self._running):
                self._look()
        finally:
            self._governor.stop()
            self._await_stragglers()

    def end(self, reason: str) -> None:
        """Send nothing more; what is under way may still come in."""
        if not self._ended:
            self._ended = True
            self._ledger.ended = reason
            self._governor.stop()

    # --- what to do next

    def _fill(self) -> bool:
        """Submit tasks up to the window; tell whether any are left for later."""
        while not self._ended and self._running < self._window:
            task = self._next_task()
            if task is None:
                break
            self._running += 1
            self._executor.submit(task).add_done_callback(self._done.put)
        return bool(self._later or self._ready)

    def _next_task(self) -> Task | None:
        if self._later and self._later[0][0] <= time.monotonic():
            return heapq.heappop(self._later)[2]
        while self._ready:
            task = next(self._ready[-1], None)
            if task is not None:
                return task
            self._ready.pop()
        return None

    def _plan(self, endpoint: str, sets: int, keys: Iterator[SetKey]) -> None:
        """Add sets, to be begun before those that are planned already: children first."""
        self._ledger.accounts[endpoint].expected += sets
        self._observer.expected(sets)
        self._ready.append(self._beginnings(keys))

    def _beginnings(self, keys: Iterator[SetKey]) -> Iterator[Task]:
        for key in keys:
            request = first_request(self._source, self._day, key)
            self._refuse_twins(request)
            self._sets[key] = _Set()
            if self._workshop.is_there(request.path):
                yield partial(self._workshop.adopt, request)
            else:
                yield self._try(Try(request, request.url))

    def _refuse_twins(self, request: Request) -> None:
        if self._names is None:
            return
        name = hash(request.path.casefold())
        if name in self._names:
            raise LocationUnusable(
                f"{request.path}: this file system takes two names for one that differ in case "
                "only; land in a location that tells them apart"
            )
        self._names.add(name)

    def _try(self, tried: Try) -> Task:
        return partial(self._workshop.attempt, tried)

    def _at_once(self, task: Task) -> None:
        self._after(0.0, task)

    def _after(self, seconds: float, task: Task) -> None:
        self._order += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._order, task))

    # --- what came of it

    def _look(self) -> None:
        """Wait for one result, or until something else is due, and take it in."""
        now = time.monotonic()
        if self._control.signal is not None:
            return self.end(f"ended by {self._control.signal.name.lower()}")
        if now >= self._until:
            return self.end("the deadline of the run has passed; run again to go on")
        wait = min(_LOOK_EVERY, self._until - now)
        if self._later and self._running < self._window:
            wait = min(wait, max(self._later[0][0] - now, 0.0))
        try:
            future = self._done.get(timeout=wait)
        except Empty:
            return None
        self._take(future)
        return None

    def _take(self, future: "Future[Result]") -> None:
        self._running -= 1
        result = future.result()
        self._observer.sent(self._governor.sent)
        match result:
            case Unsent(reason):
                self.end(reason or "ended")
            case Landed():
                self._landed(result)
            case Held():
                self._held(result)
            case Failed():
                self._failed(result)
            case Disagreed(key, set_attempt, reason):
                self._disagreed(key, set_attempt, reason)
            case NotWhole(first):
                self._at_once(self._try(Try(first, first.url)))
            case Refuted(key, reason):
                self._lose(key, Failure(self._name(key), reason, None, 1, ""), violated=True)

    def _landed(self, landed: Landed) -> None:
        fetched = any(not receipt.adopted for receipt in landed.receipts)
        if fetched:
            self._breaker.good()
        self._sets.pop(landed.key, None)
        for receipt in landed.receipts:
            self._receipts.add(receipt)
        self._ledger.accounts[landed.key.endpoint].land(landed.pages)
        self._observer.landed(landed.receipts)
        for child in self._source.children(landed.key.endpoint):
            self._follow(child, landed)

    def _follow(self, child: Endpoint, landed: Landed) -> None:
        """Plan a set of the child for each value that the landed pages hold."""
        name = child.for_each.name if child.for_each else ""
        found = [value for page in landed.pages for value in page.values.get(child.name, ())]
        values = tuple(dict.fromkeys(found))
        self._ledger.accounts[child.name].doubles += len(found) - len(values)
        for page in landed.pages:
            if problem := page.unfit.get(child.name):
                self._ledger.violate(f"{child.name}: {problem}")
        # Made one by one: a million values are kept as text, not as a million keys.
        keys = (SetKey(child.name, (*landed.key.values, (name, value))) for value in values)
        self._plan(child.name, len(values), keys)

    def _held(self, result: Held) -> None:
        tried, key = result.tried, result.tried.request.key
        state = self._sets.get(key)
        if state is None or state.attempt != tried.set_attempt:
            result.held.file.unlink(missing_ok=True)
            return
        self._breaker.good()
        state.held[tried.request.page] = result.held
        try:
            self._go_on(key, state, tried)
        except Disagreement as disagreement:
            self._disagreed(key, state.attempt, str(disagreement))
        except Violated as violated:
            failure = Failure(tried.request.path, str(violated), 200, tried.attempt, "")
            self._lose(key, failure, violated=True)

    def _go_on(self, key: SetKey, state: _Set, tried: Try) -> None:
        endpoint, page = self._source.endpoint(key.endpoint), tried.request.page
        if isinstance(endpoint.paging, PageNumbers):
            first = state.held.get(1)
            if first is None:
                return
            agree(first.page, state.held[page].page, page)
            pages = number_of_pages(endpoint, first.page)
            if page == 1:
                self._observer.expected(pages - 1)
                self._ready.append(self._numbered(key, state.attempt, pages))
            whole = len(state.held) == pages
        else:
            received = [held.page for held in state.in_order()]
            whole = progress(endpoint, received) is Extent.WHOLE
            if not whole:
                request = following_request(self._source, self._day, tried.request, received)
                self._observer.expected(1)
                self._at_once(self._try(Try(request, request.url, set_attempt=state.attempt)))
        if whole:
            held, attempt = state.in_order(), state.attempt
            state.held = {}
            self._at_once(partial(self._workshop.land, key, held, attempt))

    def _numbered(self, key: SetKey, attempt: int, pages: int) -> Iterator[Task]:
        for page in range(2, pages + 1):
            state = self._sets.get(key)
            if state is None or state.attempt != attempt:
                return
            request = page_request(self._source, self._day, key, page)
            yield self._try(Try(request, request.url, set_attempt=attempt))

    # --- what went wrong

    def _failed(self, failed: Failed) -> None:
        tried, refused = failed.tried, failed.refused
        state = self._sets.get(tried.request.key)
        if failed.pause is not None and self._pause_is_too_long(failed):
            return
        if state is None or state.attempt != tried.set_attempt:
            return
        if refused.worth is Worth.ELSEWHERE:
            self._redirect(failed)
        elif refused.worth is Worth.AGAIN:
            self._again(failed)
        else:
            self._lose_request(failed, refused.reason)
            if refused.worth is Worth.SOURCE:
                self.end(f"{refused.reason}; look at the source's key and terms")

    def _pause_is_too_long(self, failed: Failed) -> bool:
        pause, longest = failed.pause or 0.0, self._source.retry.max_pause
        left = self._until - time.monotonic()
        if pause <= longest and pause <= left:
            return False
        why = f"longer than max_pause = {longest:g}s" if pause > longest else "beyond the deadline"
        self._fail(failed, failed.refused.reason)
        self.end(f"the host asks to wait {pause:.0f} s, {why}; come back {in_words(pause)}")
        return True

    def _redirect(self, failed: Failed) -> None:
        tried, found = failed.tried, failed.location or ""
        try:
            url = urls.join(tried.url, found) if found else ""
        except ValueError:
            url = ""
        if not url or not urls.same_host(tried.url, url):
            return self._lose_request(failed, f"{failed.refused.reason}, not on the host asked")
        if tried.hops >= _MOST_HOPS:
            return self._lose_request(failed, f"more than {_MOST_HOPS} redirects")
        auth = self._source.auth
        if auth and auth.param:
            url = urls.without_param(url, auth.param)
        return self._at_once(self._try(replace(tried, url=url, hops=tried.hops + 1)))

    def _again(self, failed: Failed) -> None:
        tried = failed.tried
        wait = wait_before(self._source.retry, tried.attempt)
        if wait is None:
            self._lose_request(failed, failed.refused.reason)
            return
        self.retried += 1
        self._observer.retried(tried.request.path, failed.refused.reason, tried.attempt)
        again = replace(tried, url=tried.request.url, attempt=tried.attempt + 1, hops=0)
        self._after(max(wait, failed.pause or 0.0), self._try(again))

    def _disagreed(self, key: SetKey, set_attempt: int, reason: str) -> None:
        state = self._sets.get(key)
        if state is None or state.attempt != set_attempt:
            return
        self._breaker.good()
        wait = wait_before(self._source.retry, set_attempt)
        if wait is None:
            failure = Failure(self._name(key), reason, 200, set_attempt, "")
            self._lose(key, failure, violated=True)
            return
        state.forget()
        state.attempt = set_attempt + 1
        self.retried += 1
        self._observer.retried(self._name(key), reason, set_attempt)
        first = first_request(self._source, self._day, key)
        self._after(wait, self._try(Try(first, first.url, set_attempt=state.attempt)))

    def _lose_request(self, failed: Failed, reason: str) -> None:
        self._fail(failed, reason)
        if failed.refused.counts_for_breaker and self._breaker.failed():
            count = self._source.breaker
            self.end(f"{count} requests in a row failed for good; the source seems to be down")

    def _fail(self, failed: Failed, reason: str) -> None:
        tried, refused = failed.tried, failed.refused
        path, attempts = tried.request.path, tried.attempt
        failure = Failure(path, reason, refused.status, attempts, failed.excerpt)
        violated = refused.worth is Worth.VIOLATED
        self._lose(tried.request.key, failure, violated=violated)

    def _lose(self, key: SetKey, failure: Failure, *, violated: bool = False) -> None:
        state = self._sets.pop(key, None)
        if state is not None:
            state.forget()
            self._ledger.fail(key.endpoint, failure, violated=violated)
            self._observer.failed(failure)

    def _name(self, key: SetKey) -> str:
        return first_request(self._source, self._day, key).path

    # --- the end

    def _await_stragglers(self) -> None:
        """Give what is under way its grace, take in what still lands, then cut the rest."""
        until = time.monotonic() + (GRACE if self._ended else 0.0)
        cut = False
        while self._running:
            left = until - time.monotonic()
            try:
                future = self._done.get(timeout=max(left, 0.0))
            except Empty:
                if cut:
                    return
                cut, until = True, time.monotonic() + 1.0
                self._workshop.sender.cut()
                continue
            self._running -= 1
            self._straggler(future)

    def _straggler(self, future: "Future[Result]") -> None:
        error = future.exception()
        if error is not None:
            if not isinstance(error, AshoreError):
                raise error
            return
        result = future.result()
        if isinstance(result, Landed):
            self._landed(result)
        elif isinstance(result, Failed) and result.refused.worth is not Worth.AGAIN:
            self._fail(result, result.refused.reason)
