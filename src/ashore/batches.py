"""Hand tries to workers elsewhere, a batch at a time, each with a turn of the one governor."""

import threading
from collections import deque
from collections.abc import Container
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Protocol

from ashore.answers import Refused, Worth
from ashore.catalog import Source
from ashore.crew import PATIENCE, Report
from ashore.errors import Incomplete
from ashore.governor import Governor
from ashore.naming import Day
from ashore.planning import Request, SetKey
from ashore.retrying import Failed, Try
from ashore.tries import HeldPage, Result, Unsent, Workshop

MOST = 8
"""Tries in one batch: see docs/scale.md for what larger ones would gain."""
_MOST_THREADS = 512
_GATHERING = 0.002  # seconds in which others may join a batch
_FULL = PATIENCE / 2
_LOST = "the worker that made this request was lost"


class WorkerLost(Exception):
    """A worker went away with a batch: nobody knows what it has sent."""


class Crew(Protocol):
    """The workers of a cluster, as one."""

    def attempt(self, tries: list[Try], epoch: int) -> Report:
        """Let a worker make a batch.

        Raises:
            Incomplete: when there is no worker any more, and none comes.
            WorkerLost: when the worker went away.
        """

    def bar(self, epoch: int) -> None:
        """Let no worker begin what was granted in that epoch or before."""

    def end(self) -> None:
        """Let all workers cut what is under way."""

    def close(self) -> None:
        """Let the workers go."""


def batch_size(source: Source, workers: int) -> int:
    """Return how many tries a batch may hold: one where each has to be counted by itself."""
    if source.rate or source.budget:
        return 1
    return max(1, min(MOST, _MOST_THREADS // workers))


@dataclass(frozen=True, slots=True)
class _Waiting:
    tried: Try
    result: "Future[Result]" = field(default_factory=Future)


class Spread:
    """The hands of a run whose tries are made by a crew.

    As many batches are under way as a run may have requests under way, since a batch sends one
    after the other. What belongs to a set of pages is done here: pages wait on one disk.
    """

    def __init__(
        self, local: Workshop, governor: Governor, crew: Crew, workers: int, most: int
    ) -> None:
        """Begin with nothing under way."""
        self._local, self._governor, self._crew = local, governor, crew
        self._workers, self._most, self._size = workers, most, 1
        self._slots = threading.Semaphore(workers)
        # No SimpleQueue: where another takes what it woke up for, its time-out may turn
        # negative, and then it waits for ever (CPython 3.11).
        self._queue: Queue[_Waiting | None] = Queue()
        self._epoch = 1
        self._lock = threading.Lock()
        self._away: set[Future[Result]] = set()
        self._ends = 0
        for number in range(workers):
            threading.Thread(target=self._serve, name=f"batches-{number}", daemon=True).start()

    @property
    def source(self) -> Source:
        """Whom the tries ask."""
        return self._local.source

    @property
    def day(self) -> Day:
        """Where their answers belong."""
        return self._local.day

    @property
    def there(self) -> Container[str] | None:
        """The paths that had landed when the run began."""
        return self._local.there

    def attempt(self, tried: Try) -> Result:
        """Let a worker send a request once, or send it from here if it belongs to pages."""
        if self.source.endpoint(tried.request.key.endpoint).paging is not None:
            with self._slots:
                return self._local.attempt(tried)
        waiting = _Waiting(tried)
        self._queue.put(waiting)
        return waiting.result.result()

    def land(self, key: SetKey, held: list[HeldPage], set_attempt: int) -> Result:
        """Land the pages of a set, which wait here."""
        return self._local.land(key, held, set_attempt)

    def adopt(self, first: Request) -> Result:
        """Adopt what landed earlier: nothing has to be asked for it."""
        return self._local.adopt(first)

    def cut(self) -> None:
        """Cut what is under way, here and there; the second time, wait for no worker any more."""
        self._local.cut()
        self._crew.end()
        self._ends += 1
        if self._ends > 1:
            with self._lock:
                away = list(self._away)
            for result in away:
                _settle(result, Unsent())

    def close(self) -> None:
        """Let the threads and the workers go."""
        for _ in range(self._workers):
            self._queue.put(None)
        self._crew.close()
        self._local.close()

    # --- one batch after the other

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            with self._slots:
                self._make([first, *self._others()])

    def _others(self) -> list[_Waiting]:
        """What is ready as well, if it would fill the batches of more than this thread."""
        others: list[_Waiting] = []
        fair = min(self._size - 1, self._queue.qsize() // self._workers + 1)
        while len(others) < fair:
            try:
                found = self._queue.get(timeout=_GATHERING)
            except Empty:
                break
            if found is None:
                self._queue.put(None)
                break
            others.append(found)
        return others

    def _make(self, batch: list[_Waiting]) -> None:
        epoch = self._epoch  # of before the turns: a pause that comes meanwhile holds for them
        granted = [waiting for waiting in batch if self._is_granted(waiting)]
        if not granted:
            return
        with self._lock:
            self._away.update(waiting.result for waiting in granted)
        try:
            self._take(granted, self._crew.attempt([each.tried for each in granted], epoch))
        except Incomplete as gone:
            self._lose(granted, Unsent(str(gone)))
        except WorkerLost:
            self._lose(granted, None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            for waiting in granted:
                _fail(waiting.result, error)
        finally:
            with self._lock:
                self._away.difference_update(waiting.result for waiting in granted)

    def _is_granted(self, waiting: _Waiting) -> bool:
        try:
            if self._governor.turn(elsewhere=True):
                return True
            _settle(waiting.result, Unsent())
        except Incomplete as used_up:
            _settle(waiting.result, Unsent(str(used_up)))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            _fail(waiting.result, error)
        return False

    def _take(self, batch: list[_Waiting], report: Report) -> None:
        """Take in what came of a batch; what was not begun waits for another turn."""
        made = deque(zip(report.results, report.ago, strict=True))
        self._size = self._fitting(report, len(batch))
        for waiting in batch:
            if not made:
                self._governor.came_back(None)
                self._queue.put(waiting)
                continue
            result, ago = made.popleft()
            self._governor.came_back(ago)
            if isinstance(result, Exception):
                _fail(waiting.result, result)
                continue
            if isinstance(result, Failed) and result.pause is not None:
                self._pause(result.pause)
            _settle(waiting.result, result)

    def _lose(self, batch: list[_Waiting], result: Result | None) -> None:
        """Count all as sent, which some may have been, and let each be tried like any other."""
        for waiting in batch:
            self._governor.came_back(0.0)
            lost = Failed(waiting.tried, Refused(Worth.AGAIN, _LOST))
            _settle(waiting.result, result or lost)

    def _pause(self, seconds: float) -> None:
        with self._lock:
            epoch, self._epoch = self._epoch, self._epoch + 1
        self._governor.pause(seconds)
        self._crew.bar(epoch)

    def _fitting(self, report: Report, size: int) -> int:
        """How many tries the next batch may hold: so many as are made in half its patience."""
        if len(report.results) < size:
            return max(1, len(report.results))
        each = report.ago[0] / size
        return max(1, min(self._most, 2 * self._size, int(_FULL / max(each, 1e-6))))


def _settle(future: "Future[Result]", result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "Future[Result]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
