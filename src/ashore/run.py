"""The run of one source's day: what follows from each result, and when to end."""

import time
from collections.abc import Container, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial

from ashore.agenda import Agenda, Task
from ashore.answers import Page, Worth
from ashore.catalog import Endpoint, PageNumbers
from ashore.engine import Hands
from ashore.errors import LocationUnusable, Violated
from ashore.governor import DEADLINE_PASSED, Breaker, Governor
from ashore.ledger import Failure, Ledger
from ashore.planning import Request, SetKey, Sets, first_request, following_request, page_request
from ashore.progress import Observer
from ashore.receipts import ReceiptBook
from ashore.retrying import Again, Failed, Try, wait_before, what_next
from ashore.sets import Disagreement, Extent, agree, number_of_pages, progress
from ashore.signals import Control
from ashore.tries import (
    Disagreed,
    Held,
    HeldPage,
    Landed,
    NotWhole,
    Refuted,
    Result,
    Unsent,
)

GRACE = 10.0
"""Seconds that requests under way are given when a signal ends the run; half of it otherwise."""
_LOOK_EVERY = 0.5
_FINAL = {Worth.FINAL, Worth.SOURCE, Worth.VIOLATED}


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


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a run may go: its workers, its deadline, and what can stop it."""

    executor: Executor
    workers: int
    until: float
    """The deadline on the monotonic clock."""
    folds_case: bool
    """Whether the location takes two names for one that differ in case only."""
    control: Control


class Run:
    """Drives the workers until nothing is left to ask, or something ends the run.

    Only the run's own thread touches the ledger, the receipts and the sets; workers get values
    and give values back.
    """

    def __init__(  # noqa: PLR0913 - each part has its own reason to change
        self,
        workshop: Hands,
        governor: Governor,
        ledger: Ledger,
        receipts: ReceiptBook,
        observer: Observer,
        bounds: Bounds,
    ) -> None:
        """Prepare a run."""
        self._source, self._day, self._workshop = workshop.source, workshop.day, workshop
        self._governor, self._ledger, self._receipts = governor, ledger, receipts
        self._observer, self._bounds = observer, bounds
        self._agenda: Agenda[Result] = Agenda(bounds.executor, bounds.workers)
        self._breaker = Breaker(self._source.breaker)
        self._names = set[int]()
        self._sets: dict[SetKey, _Set] = {}
        self._ended = False
        self._trouble: BaseException | None = None
        self.retried = 0
        """Requests, and whole sets, that were asked again."""

    def drive(self) -> None:
        """Ask all that there is to ask.

        Raises:
            LocationUnusable: when the location failed under way.
        """
        for endpoint in reversed(self._source.endpoints):
            if endpoint.for_each is None:
                self._plan(Sets(endpoint.name))
        try:
            # Where the source may be dead, no more is begun than it takes to tell.
            while not self._is_over() and self._agenda.fill(self._breaker.left):
                self._look()
        finally:
            self._governor.stop()
            self._await_stragglers()
        if self._trouble is not None:
            raise self._trouble
        if not self._agenda.running:
            self._take_over()

    def _take_over(self) -> None:
        """Look at all that landed before, though nothing may be asked any more: it counts."""
        self._agenda.forget_later()
        while not self._is_stopped() and self._agenda.fill():
            self._look()

    def _look(self) -> None:
        """Wait for one result, or until something else is due, and take it in."""
        left = self._bounds.until - time.monotonic()
        if future := self._agenda.wait(min(_LOOK_EVERY, left)):
            self._take(future.result())
            self._observer.sent(self._governor.sent)

    def _is_over(self) -> bool:
        """Tell whether a signal, the deadline or anything else has ended the run."""
        return self._is_stopped() or self._ended

    def _is_stopped(self) -> bool:
        """Tell whether a signal or the deadline has ended all that is done."""
        signal = self._bounds.control.signal
        late = time.monotonic() >= self._bounds.until
        if signal is not None:
            self._end(f"{signal.name.lower()} by a signal")
        elif late:
            self._end(DEADLINE_PASSED)
        return late or signal is not None

    def _end(self, reason: str) -> None:
        """Send nothing more; what is under way may still come in."""
        if not self._ended:
            self._ended = True
            self._ledger.ended = reason
            self._governor.stop()

    # --- what to ask

    def _plan(self, sets: Sets) -> None:
        """Add sets, to be begun before those that are planned already: children first."""
        self._ledger.accounts[sets.endpoint].expected += len(sets)
        self._observer.expected(len(sets))
        # What did not land yet comes first: the source, not the location, is what takes its time.
        there = self._workshop.there
        if there is not None:
            self._agenda.first(self._adoptions(sets, there))
        self._agenda.first(self._beginnings(sets, () if there is None else there))

    def _adoptions(self, sets: Sets, there: Container[str]) -> Iterator[Task[Result]]:
        for request in self._first_requests(sets):
            if request.path in there:
                self._begin(request)
                yield partial(self._workshop.adopt, request)

    def _beginnings(self, sets: Sets, there: Container[str]) -> Iterator[Task[Result]]:
        for request in self._first_requests(sets):
            if self._ended:
                return
            if request.path not in there:
                self._begin(request)
                yield self._try(Try(request, request.url))

    def _first_requests(self, sets: Sets) -> Iterator[Request]:
        return (first_request(self._source, self._day, key) for key in sets)

    def _begin(self, request: Request) -> None:
        self._refuse_twins(request)
        self._sets[request.key] = _Set()

    def _refuse_twins(self, request: Request) -> None:
        if not self._bounds.folds_case:
            return
        name = hash(request.path.casefold())
        if name in self._names:
            raise LocationUnusable(
                f"{request.path}: this file system takes two names for one that differ in case "
                "only; land in a location that tells them apart"
            )
        self._names.add(name)

    def _try(self, tried: Try) -> Task[Result]:
        return partial(self._workshop.attempt, tried)

    def _numbered(self, key: SetKey, attempt: int, pages: int) -> Iterator[Task[Result]]:
        for page in range(2, pages + 1):
            if self._under_way(key, attempt) is None:
                return
            request = page_request(self._source, self._day, key, page)
            yield self._try(Try(request, request.url, set_attempt=attempt))

    def _under_way(self, key: SetKey, attempt: int) -> _Set | None:
        """The set, unless it is over or was begun anew since."""
        state = self._sets.get(key)
        return state if state is not None and state.attempt == attempt else None

    # --- what came of it

    def _take(self, result: Result) -> None:
        match result:
            case Unsent(reason):
                self._end(reason or "ended")
            case Landed():
                self._landed(result)
            case Held(tried, held):
                self._held(tried, held)
            case Failed():
                self._failed(result)
            case Disagreed(key, set_attempt, reason):
                self._disagreed(key, set_attempt, reason)
            case NotWhole(first):
                self._agenda.after(0.0, self._try(Try(first, first.url)))
            case Refuted(key, reason):
                self._lose(
                    key, Failure(key.endpoint, self._path(key), reason, None, 1, ""), violated=True
                )

    def _landed(self, landed: Landed) -> None:
        if landed.asked:
            self._breaker.good()
        self._sets.pop(landed.key, None)
        for receipt in landed.receipts:
            self._receipts.add(receipt)
        self._ledger.accounts[landed.key.endpoint].land(landed.pages)
        self._observer.landed(landed.receipts)
        for child in self._source.children(landed.key.endpoint):
            self._follow(child, landed.key, landed.pages)

    def _follow(self, child: Endpoint, parent: SetKey, pages: list[Page]) -> None:
        """Plan a set of the child for each value that the landed pages hold."""
        name = child.for_each.name if child.for_each else ""
        found = [value for page in pages for value in page.values.get(child.name, ())]
        values = tuple(dict.fromkeys(found))
        self._ledger.accounts[child.name].doubles += len(found) - len(values)
        for page in pages:
            if problem := page.unfit.get(child.name):
                self._ledger.violate(f"{child.name}: {problem}")
        self._plan(Sets(child.name, parent.values, name, values))

    def _held(self, tried: Try, held: HeldPage) -> None:
        key = tried.request.key
        state = self._under_way(key, tried.set_attempt)
        if state is None:
            held.file.unlink(missing_ok=True)
            return
        self._breaker.good()
        state.held[tried.request.page] = held
        try:
            if self._is_whole(key, state, tried):
                pages, state.held = state.in_order(), {}
                task = partial(self._workshop.land, key, pages, state.attempt)
                self._agenda.after(0.0, task)
        except Disagreement as disagreement:
            self._disagreed(key, state.attempt, str(disagreement))
        except Violated as violated:
            failure = Failure(
                key.endpoint, tried.request.path, str(violated), 200, tried.attempt, ""
            )
            self._lose(key, failure, violated=True)

    def _is_whole(self, key: SetKey, state: _Set, tried: Try) -> bool:
        """Tell whether all pages of a set are there; if not, see to it that they are asked for."""
        endpoint, page = self._source.endpoint(key.endpoint), tried.request.page
        if isinstance(endpoint.paging, PageNumbers):
            first = state.held[1].page  # the others are asked for only once it is there
            agree(first, state.held[page].page, page)
            pages = number_of_pages(endpoint, first)
            if page == 1:
                self._observer.expected(pages - 1)
                self._agenda.first(self._numbered(key, state.attempt, pages))
            return len(state.held) == pages
        received = [held.page for held in state.in_order()]
        if progress(endpoint, received) is Extent.WHOLE:
            return True
        request = following_request(self._source, self._day, tried.request, received)
        self._observer.expected(1)
        self._agenda.after(0.0, self._try(Try(request, request.url, set_attempt=state.attempt)))
        return False

    # --- what went wrong

    def _failed(self, failed: Failed) -> None:
        tried = failed.tried
        if self._under_way(tried.request.key, tried.set_attempt) is None:
            return
        step = what_next(self._source, failed, self._bounds.until - time.monotonic())
        if isinstance(step, Again):
            if step.retry:
                self._tell_retry(tried.request.path, failed.refused.reason, tried.attempt)
            self._agenda.after(step.wait, self._try(step.tried))
            return
        self._lose_request(failed, step.reason)
        if step.ends:
            self._end(step.ends)

    def _lose_request(self, failed: Failed, reason: str) -> None:
        tried, refused = failed.tried, failed.refused
        path = tried.request.path
        failure = Failure(
            tried.request.key.endpoint, path, reason, refused.status, tried.attempt, failed.excerpt
        )
        violated = refused.worth is Worth.VIOLATED
        self._lose(tried.request.key, failure, violated=violated)
        if refused.counts_for_breaker and self._breaker.failed():
            count = self._source.breaker
            self._end(f"{count} requests in a row failed for good; the source seems to be down")

    def _disagreed(self, key: SetKey, set_attempt: int, reason: str) -> None:
        state = self._under_way(key, set_attempt)
        if state is None:
            return
        self._breaker.good()
        state.forget()
        wait = wait_before(self._source.retry, set_attempt)
        if wait is None:
            failure = Failure(key.endpoint, self._path(key), reason, 200, set_attempt, "")
            self._lose(key, failure, violated=True)
            return
        state.attempt = set_attempt + 1
        self._tell_retry(self._path(key), reason, set_attempt)
        first = first_request(self._source, self._day, key)
        self._agenda.after(wait, self._try(Try(first, first.url, set_attempt=state.attempt)))

    def _tell_retry(self, path: str, reason: str, attempt: int) -> None:
        self.retried += 1
        self._observer.retried(path, reason, attempt)

    def _lose(self, key: SetKey, failure: Failure, *, violated: bool) -> None:
        state = self._sets.pop(key, None)
        if state is not None:
            state.forget()
            self._ledger.fail(failure, violated=violated)
            self._observer.failed(failure)

    def _path(self, key: SetKey) -> str:
        return first_request(self._source, self._day, key).path

    # --- the end

    def _await_stragglers(self) -> None:
        """Give what is under way its grace, take in what still lands, then cut the rest."""
        grace = GRACE if self._bounds.control.signal is not None else GRACE / 2
        for seconds in (grace if self._ended else 0.0, 1.0):
            until = time.monotonic() + seconds
            while self._agenda.running:
                future = self._agenda.collect(until - time.monotonic())
                if future is None:
                    break
                self._straggler(future)
            self._workshop.cut()
        if self._agenda.running and self._ledger.ended:
            # Whoever waits for the source has been cut off: mostly it is the location that hangs.
            self._ledger.ended += (
                "; calls under way did not end: look at the location and the name server as well"
            )

    def _straggler(self, future: "Future[Result]") -> None:
        """Take in what came too late to be gone on with, and what is graver than the end."""
        error = future.exception()
        if error is not None:
            self._trouble = self._trouble or error
            return
        result = future.result()
        if isinstance(result, Landed | Refuted):
            self._take(result)
        elif isinstance(result, Disagreed):
            if wait_before(self._source.retry, result.set_attempt) is None:
                self._take(result)
        elif isinstance(result, Failed) and result.refused.worth in _FINAL:
            self._lose_request(result, result.refused.reason)
