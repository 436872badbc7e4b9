"""What a worker process of a cluster does: batches of single tries, each landed by itself.

It knows nothing of paces, retries and budgets: the driver grants each try beforehand. Nothing here
needs Dask, which only carries the batches.
"""

import asyncio
import functools
import gc
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ashore.answers import Worth
from ashore.catalog import Source
from ashore.errors import AshoreError, LocationUnusable
from ashore.expectations import Check, Figures
from ashore.fetch import Sender
from ashore.landing import Lander
from ashore.location import open_store
from ashore.naming import Day
from ashore.redaction import Redactor, secret_of, without_any
from ashore.retrying import Failed, Try
from ashore.tries import Result, Workshop

PATIENCE = 0.25
"""Seconds after which a batch begins no further try: whoever was asked to wait is heard soon."""
_MOST_THREADS = 256
_YOUNG = 50_000
"""As in the command itself (``__main__``): Python looks for garbage in large answers less often."""
_NO_PAUSE_HERE = {Worth.AGAIN, Worth.SOURCE}
"""After these, others may have to wait: what is left of a batch asks its governor again."""


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker has to know of a run; the source's secret is in its own environment."""

    source: Source
    day: Day
    location: str
    run_id: str
    seconds: float = field(repr=False)
    """Until the run's deadline."""
    alone: Mapping[str, Callable[[Figures], list[Check]]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a batch; the tries beyond the results were not begun."""

    results: list[Result | Exception]
    ago: list[float]
    """How many seconds before this report, at most, each of them was sent."""


class Bench:
    """One run's place in a worker process; its batches are made by threads of its own."""

    def __init__(self, order: Order) -> None:
        """Look whether this process can do what a run needs.

        Raises:
            LocationUnusable: when the location here is not the one that the run lands in.
            Misconfigured: when the source's key is not in this process's environment.
        """
        gc.set_threshold(_YOUNG)
        secret = secret_of(order.source)
        store = open_store(order.location, _MOST_THREADS)
        if store.read(f"{order.day.run(order.run_id)}started.json") is None:
            raise LocationUnusable(
                f"{order.location} is another place there than here: a folder has to be shared by "
                "all machines of a cluster; share it, or land in S3"
            )
        redactor, until = Redactor(secret), time.monotonic() + order.seconds
        self._workshop = Workshop(
            source=order.source,
            day=order.day,
            sender=Sender(order.source, secret, lambda: True, until),
            lander=Lander(store, order.source, order.run_id, redactor),
            redactor=redactor,
            aside=Path(tempfile.gettempdir()),
            there=None,
            alone=order.alone,
            pause=lambda _: None,  # the driver hears of it by the result
        )
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="ashore")
        self._lock = threading.Lock()
        self._barred = 0.0
        self._under_way = set[int]()

    async def attempt(self, batch: int, tries: Sequence[Try], epoch: int) -> Report:
        """Make one try of each request, one after the other, as long as all goes well."""
        loop = asyncio.get_running_loop()
        self._under_way.add(batch)
        work = functools.partial(self.work, tries, epoch)
        try:
            return await loop.run_in_executor(self._threads, work)
        finally:
            self._under_way.discard(batch)

    async def is_at(self, batch: int) -> bool:
        """Tell whether that batch is under way here."""
        return batch in self._under_way

    async def bar(self, epoch: float) -> None:
        """Begin no further try that was granted in that epoch or before."""
        with self._lock:
            self._barred = max(self._barred, epoch)

    async def end(self) -> None:
        """Cut what is under way, and begin nothing any more."""
        await self.bar(float("inf"))
        self._workshop.cut()

    async def close(self) -> None:
        """Let all threads go once they are done."""
        await self.end()
        self._workshop.close()
        self._threads.shutdown(wait=False)

    def work(self, tries: Sequence[Try], epoch: int) -> Report:
        """Make a batch in this thread."""
        results: list[Result | Exception] = []
        begun: list[float] = []
        until = time.monotonic() + PATIENCE
        for tried in tries:
            late = bool(results) and time.monotonic() >= until
            if late or epoch <= self._barred:
                break
            begun.append(time.monotonic())
            results.append(self._attempt(tried))
            if _unsettles(results[-1]):
                break
        now = time.monotonic()
        return Report(results, [now - moment for moment in begun])

    def _attempt(self, tried: Try) -> Result | Exception:
        try:
            return self._workshop.attempt(tried)
        except AshoreError as error:
            return error
        except Exception:  # noqa: BLE001 - a bug: raised again by the driver
            return RuntimeError(without_any(traceback.format_exc()))


def _unsettles(result: Result | Exception) -> bool:
    """Tell whether a result may change what else may be sent."""
    if isinstance(result, Failed):
        return result.refused.worth in _NO_PAUSE_HERE
    return isinstance(result, Exception)
