"""When a request may be sent: pace, pauses, deadline, budget and limit, and when a source is dead.

One host has one pace and one pause, whatever asks it. The rules read a clock that is given, and
wait by it, so that they can be held against years of made-up time.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from ashore.dates import in_words
from ashore.errors import Incomplete
from ashore.units import Rate

_SLACK = 0.025
"""The share of a window, or of a second if it is shorter, that is left unused: requests arrive a
little later than they are sent, and not all by the same little, so that a window that is full to
its edge may look overfull."""
_ROUNDING = 0.001
DEADLINE_PASSED = "the deadline of the run has passed"


class Limit(Protocol):
    """Something that a request is taken from: a budget, or a number of requests."""

    def take(self) -> None:
        """Count one request.

        Raises:
            Incomplete: when there is none left; nothing was counted.
        """


class Clock:
    """The monotonic clock of this machine, in seconds."""

    def now(self) -> float:
        """Return the time."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Return when the time is up, or something changed."""
        changed.wait(min(seconds, threading.TIMEOUT_MAX))


class _Window:
    """One declared rate: what was sent lately, and when the next request may follow."""

    def __init__(self, rate: Rate) -> None:
        self._most = rate.requests
        self._length = rate.seconds + max(rate.seconds, 1.0) * _SLACK
        # Half of the even spacing: a run starts swiftly, and yet never in one burst.
        self._spacing = rate.seconds / rate.requests / 2
        self._sent: deque[float] = deque(maxlen=rate.requests)
        self._granted = float("-inf")
        self._elsewhere = 0

    def earliest(self) -> float:
        spaced = self._granted + self._spacing
        room = self._most - self._elsewhere
        if room <= 0:
            return float("inf")
        full = len(self._sent) >= room
        return max(spaced, self._sent[-room] + self._length) if full else spaced

    def record(self, now: float) -> None:
        self._granted = now
        self._insert(now)

    def hand_over(self, now: float) -> None:
        self._granted = now
        self._elsewhere += 1

    def take_back(self, sent: float | None) -> None:
        self._elsewhere -= 1
        if sent is not None:
            self._insert(sent)

    def _insert(self, sent: float) -> None:
        """Keep the latest ones, in order: what was sent elsewhere becomes known in any order."""
        later = deque[float]()
        while self._sent and self._sent[-1] > sent:
            later.appendleft(self._sent.pop())
        self._sent.extend((sent, *later))


class Schedule:
    """The rules of pace: at most each rate in any window of it, and nothing in a pause."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        """Begin with nothing sent."""
        self._windows = [_Window(rate) for rate in rates]
        self.paused_until = float("-inf")

    def earliest(self, now: float) -> float:
        """Return the time at which the next request may be sent; ``now`` if at once."""
        return max([now, self.paused_until, *(window.earliest() for window in self._windows)])

    def record(self, now: float) -> None:
        """Take note that a request is sent."""
        for window in self._windows:
            window.record(now)

    def hand_over(self, now: float) -> None:
        """Take note that somebody else may send a request at any time from now on."""
        for window in self._windows:
            window.hand_over(now)

    def take_back(self, sent: float | None) -> None:
        """Take note that it was sent at that time at the latest, or not at all."""
        for window in self._windows:
            window.take_back(sent)

    def pause(self, until: float) -> None:
        """Let nothing be sent before a time; a pause is never shortened."""
        self.paused_until = max(self.paused_until, until)


class Host:
    """One host, as all threads and all sources of a command share it."""

    def __init__(self, rates: Iterable[Rate] = (), clock: Clock | None = None) -> None:
        """Ask a host at the rates that its sources declare; all of them hold for all."""
        self.schedule = Schedule(rates)
        self.clock = clock or Clock()
        self.changed = threading.Condition()


class Governor:
    """Gives one source its turns at a host: every request waits here, in whatever thread."""

    def __init__(
        self,
        host: Host,
        *,
        until: float = float("inf"),
        max_pause: float = float("inf"),
        budget: Limit | None = None,
        limit: "RequestLimit | None" = None,
    ) -> None:
        """Govern a source's requests.

        Args:
            host: whom they are sent to.
            until: the run's deadline on the host's clock.
            max_pause: the longest pause, in seconds, that is worth waiting for.
            budget: a quota that is kept elsewhere and may be slow to ask.
            limit: a number of requests, counted here.
        """
        self._host, self._clock = host, host.clock
        self._until, self._max_pause = until, max_pause
        self._budget, self._limit = budget, limit
        self._one_by_one = threading.Lock()
        self._stopped = False
        self.sent = 0

    def turn(self, *, elsewhere: bool = False) -> bool:
        """Wait until one request may be sent, and count it; return False when none may any more.

        What is sent ``elsewhere`` may be sent at any time until it ``came_back``.

        Raises:
            Incomplete: when the deadline has passed, the budget or the limit is used up, or the
                host asks for a pause that is too long; it says when to come back.
        """
        with self._one_by_one:
            while self._wait():
                # Counted where whoever pauses or stops does not wait for it; and counted again
                # after a pause that came meanwhile: what is counted early is free too early.
                if self._budget is not None:
                    self._budget.take()
                if self._send(elsewhere=elsewhere):
                    return True
        return False

    def came_back(self, ago: float | None) -> None:
        """Take note of when a request was sent elsewhere: at most so many seconds ago, or never."""
        with self._host.changed:
            sent = None if ago is None else self._clock.now() - ago
            self._host.schedule.take_back(sent)
            if sent is None:
                self.sent -= 1
                if self._limit is not None:
                    self._limit.give_back()
            self._host.changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Let nobody send to the host for that long: it asked for it."""
        with self._host.changed:
            self._host.schedule.pause(self._clock.now() + seconds)
            self._host.changed.notify_all()

    def stop(self) -> None:
        """Give nobody a turn any more."""
        with self._host.changed:
            self._stopped = True
            self._host.changed.notify_all()

    def _wait(self) -> bool:
        """Wait until a request may be sent; False when none may any more."""
        with self._host.changed:
            while not self._stopped:
                now = self._clock.now()
                self._refuse(now)
                seconds = self._host.schedule.earliest(now) - now
                if seconds <= 0:
                    return True
                self._clock.wait(self._host.changed, seconds)
        return False

    def _send(self, *, elsewhere: bool) -> bool:
        """Count a request that is sent now, if it still may be."""
        with self._host.changed:
            now = self._clock.now()
            late = now >= self._until
            if self._stopped or late or self._host.schedule.earliest(now) > now:
                return False
            if self._limit is not None:
                self._limit.take()
            schedule = self._host.schedule
            (schedule.hand_over if elsewhere else schedule.record)(now)
            self.sent += 1
            return True

    def _refuse(self, now: float) -> None:
        """Wait for nothing that comes too late."""
        pause, left = self._host.schedule.paused_until - now, self._until - now
        if left <= 0:
            raise Incomplete(DEADLINE_PASSED)
        if pause > min(self._max_pause, left) + _ROUNDING:
            raise Incomplete(too_long(pause, self._max_pause))


def too_long(pause: float, max_pause: float) -> str:
    """Say that a host asks for a longer pause than there is time for, and when to come back."""
    longest = pause > max_pause
    why = f"longer than max_pause = {max_pause:g}s" if longest else "beyond the deadline"
    return f"the host asks to wait {pause:.0f} s, {why}; come back {in_words(pause)}"


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
                raise Incomplete("--max-requests is used up")
            self._left -= 1

    def give_back(self) -> None:
        """Count one request less: it was not sent."""
        with self._lock:
            self._left += 1


class Breaker:
    """Ends a source that is dead: so many requests in a row that failed for good."""

    def __init__(self, limit: int) -> None:
        """Break at that many failures in a row, in the order in which requests ended."""
        self._limit = limit
        self._failed = 0

    @property
    def left(self) -> int | None:
        """How many more failures it takes to tell; None while there is no doubt."""
        return self._limit - self._failed if self._failed else None

    def good(self) -> None:
        """Begin anew: an answer came."""
        self._failed = 0

    def failed(self) -> bool:
        """Count a request that failed for good by the source's fault; True when it is enough."""
        self._failed += 1
        return self._failed >= self._limit
