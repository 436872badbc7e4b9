"""The requests of one day as its receipts tell them: when each was sent, how long it took. Pure.

However many there were, what is kept is bounded: figures of all of them, a few of them as rows.
"""

import datetime as dt
import heapq
import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ashore import timeline
from ashore.naming import is_within
from ashore.timeline import Axis, Column
from ashore.units import Rate, whole_number

_MOST = 10**15
"""No count of a request is larger than this; a damaged receipt may say anything."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request whose answer landed, or was adopted: the try that the receipt tells of."""

    path: str
    """Of the object; none of this day's where a receipt is damaged."""
    sent: float
    """Seconds since the epoch."""
    seconds: float
    attempts: int
    adopted: bool
    bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class Requests:
    """All requests of a day whose answers landed."""

    known: int = 0
    damaged: int = 0
    """Receipts without what has to be known: they are in no other figure."""
    retried: int = 0
    """Those that took more than one try."""
    adopted: int = 0
    shown: tuple[Asked, ...] = ()
    """In the order in which they were sent."""
    axis: Axis = field(default_factory=Axis)
    columns: tuple[Column, ...] = ()
    typical: float = 0.0
    """The median of the seconds that an answer took."""
    slowest: float = 0.0
    at_once: int = 0
    """The most that were under way at one moment."""
    most: int = 0
    """The most that were sent in any window of the declared rate, or of one second."""
    window: float = 1.0

    @property
    def left_out(self) -> int:
        """How many have no row of their own."""
        return self.known - len(self.shown)


def read_requests(
    lines: Iterable[bytes], folder: str, expected: int, limit: int, rate: Rate | None
) -> Requests:
    """Return the requests of a day from the lines of its receipts.

    Args:
        lines: one receipt each.
        folder: where the day's objects lie; a receipt of another place is damaged.
        expected: about how many lines there are.
        limit: how many rows are kept: all, or else those with the most tries, the slowest, and
            every so-manieth of the others, a third of each.
        rate: the pace that the source declares.
    """
    choice, begins, lasting = _Choice(expected, limit), array("d"), array("d")
    damaged = retried = adopted = 0
    for asked in (_asked(line, folder) for line in lines):
        if asked is None:
            damaged += 1
            continue
        choice.offer(asked)
        begins.append(asked.sent)
        lasting.append(asked.seconds)
        retried += asked.attempts > 1
        adopted += asked.adopted
    if not begins:
        return Requests(damaged=damaged)
    spans = sorted(zip(begins, lasting, strict=True))
    day, window = timeline.axis(spans), rate.seconds if rate else 1.0
    sent = [begin for begin, _ in spans]
    return Requests(
        known=len(spans),
        damaged=damaged,
        retried=retried,
        adopted=adopted,
        shown=choice.chosen(),
        axis=day,
        columns=tuple(timeline.columns(day, sent, window)),
        typical=median(lasting),
        slowest=max(lasting),
        at_once=timeline.at_once(sent, sorted(begin + seconds for begin, seconds in spans)),
        most=timeline.most_in_a_window(sent, window),
        window=window,
    )


def _asked(line: bytes, folder: str) -> Asked | None:
    try:
        receipt = json.loads(line)
        path, sent = receipt["path"], dt.datetime.fromisoformat(receipt["fetched_at"])
        if not is_within(path, folder) or sent.tzinfo is None:
            return None
        return Asked(
            path,
            sent.timestamp(),
            _count(receipt["duration_ms"]) / 1000,
            _count(receipt["attempts"]),
            receipt.get("adopted") is True,
            _count(receipt["bytes"]),
            _count(receipt.get("records", 0)),
        )
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None


def _count(value: Any) -> int:  # noqa: ANN401 - whatever a damaged receipt holds
    number = whole_number(value)
    if number is None:
        raise ValueError("a count is no number")
    return min(number, _MOST)


class _Choice:
    """Chooses some of many requests, while they pass by once."""

    def __init__(self, expected: int, limit: int) -> None:
        self._limit, self._third = limit, max(limit // 3, 1)
        self._step = max(expected // self._third, 1)
        self._all: list[Asked] = []
        self._some: list[Asked] = []
        self._slowest: list[tuple[float, int, Asked]] = []
        self._tried: list[tuple[int, int, Asked]] = []
        self._seen = 0

    def offer(self, asked: Asked) -> None:
        # The number keeps two that are alike apart, and the earlier of them.
        self._seen += 1
        if self._seen <= self._limit:
            self._all.append(asked)
        if self._seen % self._step == 0 and len(self._some) < self._third:
            self._some.append(asked)
        self._keep(self._slowest, (asked.seconds, -self._seen, asked))
        if asked.attempts > 1:
            self._keep(self._tried, (asked.attempts, -self._seen, asked))

    def chosen(self) -> tuple[Asked, ...]:
        found = self._all
        if self._seen > self._limit:
            ranked = [each[2] for each in (*self._tried, *self._slowest)]
            found = list({each.path: each for each in (*ranked, *self._some)}.values())
        return tuple(sorted(found, key=lambda each: (each.sent, each.path))[: self._limit])

    def _keep(self, heap: list[Any], item: tuple[float, int, Asked]) -> None:
        if len(heap) < self._third:
            heapq.heappush(heap, item)
        else:
            heapq.heappushpop(heap, item)
