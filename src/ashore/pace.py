"""When a request may be sent: the declared rate, the host's pauses, the limits, the breaker."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from ashore.errors import Incomplete
from ashore.units import Rate

_SLACK = 0.025
"""The share of a window, or of a second if it is shorter, that is left unused: requests arrive a
little later than they are sent, and not all by the same little, so that a window that is full to
its edge may look overfull."""


class Limit(Protocol):
    """Something that a request is taken from: a budget, or a number of requests."""

    def take(self) -> None:
        """Count one request.

        Raises:
            Incomplete: when there is none left; nothing was counted.
        """


class Schedule:
    """The rules of pace, on any clock: at most the rate in any window, and nothing in a pause."""

    def __init__(self, rate: Rate | None) -> None:
        """Begin with nothing sent."""
        self._window = rate.seconds + max(rate.seconds, 1.0) * _SLACK if rate else 0.0
        # Half of the even spacing: a run starts swiftly, and yet never in one burst.
        self._spacing = rate.seconds / rate.requests / 2 if rate else 0.0
        self._sent: deque[float] = deque(maxlen=rate.requests if rate else 1)
        self._paused_until = 0.0

    def earliest(self, now: float) -> float:
        """Return the time at which the next request may be sent; ``now`` if at once."""
        times = [now, self._paused_until]
        if self._window and self._sent:
            times.append(self._sent[-1] + self._spacing)
            if len(self._sent) == self._sent.maxlen:
                times.append(self._sent[0] + self._window)
        return max(times)

    def record(self, now: float) -> None:
        """Take note that a request is sent."""
        self._sent.append(now)

    def pause(self, until: float) -> None:
        """Let nothing be sent before a time; a pause is never shortened."""
        self._paused_until = max(self._paused_until, until)


class Governor:
    """One for a host, shared by all threads: every request waits here for its turn."""

    def __init__(
        self,
        rate: Rate | None,
        limits: Sequence[Limit] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Govern requests at a rate, each of them taken from all the limits."""
        self._schedule = Schedule(rate)
        self._limits = limits
        self._clock = clock
        self._changed = threading.Condition()
        self._taking = threading.Lock()
        self._stopped = False
        self.sent = 0

    def turn(self) -> bool:
        """Wait until one request may be sent; return False when none may any more.

        Raises:
            Incomplete: when a limit is used up.
        """
        with self._taking:
            if not self._wait():
                return False
            # Counting may take a while, in S3 say: whoever pauses or stops does not wait for it.
            for limit in self._limits:
                limit.take()
            return self._wait(send=True)

    def _wait(self, *, send: bool = False) -> bool:
        """Wait until a request may be sent, and take note of it; False when none may any more."""
        with self._changed:
            while not self._stopped:
                now = self._clock()
                wait = self._schedule.earliest(now) - now
                if wait <= 0:
                    if send:
                        self._schedule.record(now)
                        self.sent += 1
                    return True
                self._changed.wait(wait)
            return False

    def pause(self, seconds: float) -> None:
        """Let nobody send for that long: the host asked for it."""
        with self._changed:
            self._schedule.pause(self._clock() + seconds)

    def stop(self) -> None:
        """Give nobody a turn any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class RequestLimit:
    """``--max-requests``: so many requests over all sources of a command, and no more."""

    def __init__(self, requests: int) -> None:
        """Allow that many requests."""
        self._left = requests
        self._lock = threading.Lock()

    def take(self) -> None:
        """Count one request.

        Raises:
            Incomplete: when all are used.
        """
        with self._lock:
            if self._left <= 0:
                raise Incomplete("--max-requests is used up; run again to go on from what landed")
            self._left -= 1


class Breaker:
    """Ends a source that is dead: so many requests in a row that failed for good."""

    def __init__(self, limit: int) -> None:
        """Break at that many failures in a row, in the order in which requests ended."""
        self._limit = limit
        self._failed = 0

    def good(self) -> None:
        """Begin anew: an answer came."""
        self._failed = 0

    def failed(self) -> bool:
        """Count a request that failed for good by the source's fault; True when it is enough."""
        self._failed += 1
        return self._failed >= self._limit
