"""What is to be done: tasks at hand, tasks for later, and those that workers are at."""

import heapq
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from queue import Empty, Queue
from typing import Generic, TypeVar

Result = TypeVar("Result")
Task = Callable[[], Result]

_WINDOW = 2
"""Tasks submitted for each worker: one at work, one at hand. So a million requests that are yet to
be sent cost no memory, and no worker waits for the next one."""


class Agenda(Generic[Result]):
    """Hands tasks to workers, a few at a time, and gives their results back one by one."""

    def __init__(self, executor: Executor, workers: int) -> None:
        """Use an executor that somebody else owns."""
        self._executor = executor
        self._window = workers * _WINDOW
        self._ready: list[Iterator[Task[Result]]] = []
        self._later: list[tuple[float, int, Task[Result]]] = []
        self._order = 0
        self._done: Queue[Future[Result]] = Queue()
        self.running = 0

    def first(self, tasks: Iterator[Task[Result]]) -> None:
        """Add tasks, made only as they are needed, before those that are there already."""
        self._ready.append(tasks)

    def after(self, seconds: float, task: Task[Result]) -> None:
        """Add a task for later; one of no delay comes before all others."""
        self._order += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._order, task))

    def forget_later(self) -> None:
        """Drop the tasks for later."""
        self._later.clear()

    def fill(self, most: int | None = None) -> bool:
        """Give the workers what they can take; tell whether anything is left to wait for.

        While as many as ``most`` are under way or wait for another try, none is begun.
        """
        most = self._window if most is None else min(most, self._window)
        while self.running < self._window:
            task = self._due() or self._at_hand(most)
            if task is None:
                break
            self.running += 1
            self._executor.submit(task).add_done_callback(self._done.put)
        return bool(self.running or self._later or self._ready)

    def wait(self, seconds: float) -> "Future[Result] | None":
        """Return a task that is done, or None when the time is up or another task is due."""
        if self._later and self.running < self._window:
            seconds = min(seconds, self._later[0][0] - time.monotonic())
        return self.collect(seconds)

    def collect(self, seconds: float) -> "Future[Result] | None":
        """Return a task that is done, or None when the time is up."""
        try:
            future = self._done.get(timeout=max(seconds, 0.0))
        except Empty:
            return None
        self.running -= 1
        return future

    def _due(self) -> Task[Result] | None:
        if self._later and self._later[0][0] <= time.monotonic():
            return heapq.heappop(self._later)[2]
        return None

    def _at_hand(self, most: int) -> Task[Result] | None:
        # What waits for another try counts: of a source that is down, no more is begun meanwhile.
        if self.running + len(self._later) >= most:
            return None
        while self._ready:
            task = next(self._ready[-1], None)
            if task is not None:
                return task
            self._ready.pop()
        return None
