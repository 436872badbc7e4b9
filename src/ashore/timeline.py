"""One axis of time for the requests of a day, with long pauses cut short; pace along it. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

Span = tuple[float, float]
"""When something began, in seconds since the epoch, and how many seconds it lasted."""
_LEAST_GAP, _MOST_GAPS, _GAP = 30.0, 12, 0.02
_LEAST_STRETCH = 0.01
_COLUMNS = 80


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which something was asked, in seconds since the epoch; and where it is drawn."""

    begin: float
    end: float
    left: float
    """From 0 to 1, as ``right`` is: long times in which nothing was asked are cut short."""
    right: float


@dataclass(frozen=True, slots=True)
class Axis:
    """All stretches of a day, the earliest first."""

    stretches: tuple[Stretch, ...] = ()

    def place(self, moment: float) -> float:
        """Return where a moment is drawn: from 0 to 1."""
        begins = [each.begin for each in self.stretches]
        stretch = self.stretches[max(bisect_right(begins, moment) - 1, 0)]
        length = stretch.end - stretch.begin
        share = min((moment - stretch.begin) / length, 1.0) if length else 0.0
        return stretch.left + share * (stretch.right - stretch.left)


@dataclass(frozen=True, slots=True)
class Column:
    """How many requests were sent from a moment on, for so many seconds."""

    begin: float
    seconds: float
    sent: int

    @property
    def pace(self) -> float:
        """Requests per second."""
        return self.sent / self.seconds


def _stretches(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge what overlaps, and what is not far apart; ``spans`` are sorted by their begin."""
    merged: list[tuple[float, float]] = []
    for begin, seconds in spans:
        if merged and begin - merged[-1][1] <= _LEAST_GAP:
            merged[-1] = (merged[-1][0], max(merged[-1][1], begin + seconds))
        else:
            merged.append((begin, begin + seconds))
    busy = sum(end - begin for begin, end in merged)
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(merged)]
    least = max([busy / 10, *sorted(gaps, reverse=True)[_MOST_GAPS : _MOST_GAPS + 1]])
    kept = [merged[0]]
    for stretch, gap in zip(merged[1:], gaps, strict=True):
        if gap <= least or len(kept) > _MOST_GAPS:
            kept[-1] = (kept[-1][0], stretch[1])
        else:
            kept.append(stretch)
    return kept


def axis(spans: Sequence[Span]) -> Axis:
    """Return the axis of spans, at least one, that are sorted by their begin.

    Each stretch gets a part of the width as long as it is, and each gap the same small one.
    """
    stretches = _stretches(spans)
    lengths = [end - begin for begin, end in stretches]
    least = sum(lengths) * _LEAST_STRETCH or 1.0
    shown = [max(length, least) for length in lengths]
    scale = (1 - _GAP * (len(shown) - 1)) / sum(shown)
    placed, left = [], 0.0
    for (begin, end), width in zip(stretches, shown, strict=True):
        placed.append(Stretch(begin, end, left, left + width * scale))
        left += width * scale + _GAP
    return Axis(tuple(placed))


def columns(axis: Axis, sent: Sequence[float], window: float) -> Iterator[Column]:
    """Count moments, sorted, in columns about as wide as each other, of whole windows.

    So no column shows more than the declared rate unless more was sent in a window.
    """
    for stretch in axis.stretches:
        length = stretch.end - stretch.begin
        most = max(round(_COLUMNS * (stretch.right - stretch.left)), 1)
        seconds = max(ceil(length / most / window), 1) * window
        number = max(ceil(length / seconds), 1)
        bounds = [stretch.begin + index * seconds for index in range(number)]
        before = [bisect_left(sent, bound) for bound in bounds]
        # The last column takes all that is left, whatever rounding does to its end.
        before.append(bisect_left(sent, stretch.end + 1))
        for bound, (low, high) in zip(bounds, pairwise(before), strict=True):
            yield Column(bound, seconds, high - low)


def most_in_a_window(sent: Sequence[float], window: float) -> int:
    """Return the most moments, of a sorted list in seconds, that any window of a length holds.

    Receipts tell a thousandth of a second: so much less than the window counts as within it.
    """
    most = first = 0
    for last, moment in enumerate(sent):
        while moment - sent[first] > window - 0.0015:
            first += 1
        most = max(most, last - first + 1)
    return most


def at_once(begins: Sequence[float], ends: Sequence[float]) -> int:
    """Return how many spans overlap at most, from their begins and their ends, both sorted."""
    most = ended = 0
    for begun, begin in enumerate(begins, start=1):
        while ended < begun - 1 and ends[ended] <= begin:
            ended += 1
        most = max(most, begun - ended)
    return most
