"""What the stand-in was asked: counted over all threads, in bounded memory."""

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

KEPT = 100_000
"""Of how many requests, the latest ones, path and time are kept."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that came: when (monotonic seconds), for what, and what it met.

    ``status`` is 0 where the connection was reset; ``authorized`` tells whether it carried an
    ``Authorization`` header, whatever was in it.
    """

    at: float
    path: str
    query: str
    status: int
    authorized: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What was asked so far; ``by_path`` and ``arrivals`` are of the latest 100,000 requests.

    ``busiest`` is the most requests that were under way at the same time.
    """

    total: int
    by_path: Mapping[str, int]
    by_status: Mapping[int, int]
    first: float | None
    last: float | None
    busiest: int
    arrivals: tuple[Arrival, ...]

    def document(self, *, arrivals: bool = False) -> dict[str, object]:
        """Return the same as JSON has it; each arrival as ``[at, path, query, status]``."""
        document: dict[str, object] = {
            "total": self.total,
            "by_path": self.by_path,
            "by_status": self.by_status,
            "first": self.first,
            "last": self.last,
            "busiest": self.busiest,
        }
        if arrivals:
            document["arrivals"] = [[a.at, a.path, a.query, a.status] for a in self.arrivals]
        return document


class Journal:
    """Counts requests as they come and go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[Arrival] = deque(maxlen=KEPT)
        self._by_status: Counter[int] = Counter()
        self._first: float | None = None
        self._last: float | None = None
        self._running = self._busiest = 0

    def begin(self) -> float:
        """Note that a request came; return when."""
        with self._lock:
            self._running += 1
            self._busiest = max(self._busiest, self._running)
            return time.monotonic()

    def note(self, arrival: Arrival) -> None:
        """Count a request; done before it is answered, so that who has the answer finds it here."""
        with self._lock:
            self._recent.append(arrival)
            self._by_status[arrival.status] += 1
            self._first = arrival.at if self._first is None else min(self._first, arrival.at)
            self._last = arrival.at if self._last is None else max(self._last, arrival.at)

    def end(self) -> None:
        """Note that a request was answered, or that its client has gone."""
        with self._lock:
            self._running -= 1

    def counts(self) -> Counts:
        """Return what was counted so far."""
        with self._lock:
            recent, by_status = tuple(self._recent), dict(self._by_status)
            first, last, busiest = self._first, self._last, self._busiest
        by_path = Counter(arrival.path for arrival in recent)
        return Counts(
            sum(by_status.values()), dict(by_path), by_status, first, last, busiest, recent
        )
