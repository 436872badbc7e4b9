"""The arithmetic of the benchmark: cases, runs, ratios in pairs, and bars that are met or not."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SMALL, LARGE = 2 * 2**10, 2**20


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked: a listing, so many answers that it names, and where they land."""

    count: int
    size: int = SMALL
    latency_ms: int = 0
    workers: int = 8
    rate: int | None = None
    """The declared rate, in requests a second: only ashore knows how to keep one."""
    store: str = "folder"
    landed: int = 0
    """How many of the answers landed in an earlier run that was cut off; not measured."""
    fault: str = ""
    """What the server does wrong: "short" or "html", as it says itself."""
    bar: float | None = None
    """What the wall time may be at most, as a multiple of the floor's; of the limit, if paced."""

    @property
    def requests(self) -> int:
        """How many requests it takes, that of the listing included."""
        return self.count - self.landed + 1

    @property
    def limit(self) -> float | None:
        """The seconds below which nothing can be by its waiting alone; None where none waits."""
        if self.rate:
            return self.requests / self.rate
        if self.latency_ms:
            return self.requests / self.workers * self.latency_ms / 1000
        return None

    @property
    def shape(self) -> str:
        """Say in words what is asked."""
        size = "2 KiB" if self.size == SMALL else f"{self.size // LARGE} MiB"
        words = [f"{self.count:,} of {size}"]
        words += [f"{self.latency_ms} ms latency, {self.workers} workers"] * bool(self.latency_ms)
        words += [f"at a declared {self.rate}/s"] * bool(self.rate)
        words += [f"{self.landed:,} of them landed before"] * bool(self.landed)
        return ", ".join(words)

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.shape}, into {'S3' if self.store == 's3' else 'a folder'}"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took, and what came of it."""

    wall: float
    """Seconds from the start of the process to its end."""
    cpu: float = 0.0
    peak: float = 0.0
    """The most memory that the process and all below it held, in MiB."""
    server: float = 0.0
    """CPU seconds of the server meanwhile."""
    store: float = 0.0
    """CPU seconds of the S3 server meanwhile."""
    intact: int = 0
    """Answers that lie there byte for byte, the listing included."""
    sent: int = 0
    status: int = 0
    first: float = 0.0
    """Seconds from the start of the process to the arrival of its first request."""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """Some values of one figure: the least, the median, the most."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take the three of all values."""
        return cls(min(values), statistics.median(values), max(values))

    def __format__(self, spec: str) -> str:
        """Write the median, and the others behind it where they differ from it."""
        if self.least == self.most:
            return format(self.median, spec)
        return f"{self.median:{spec}} ({self.least:{spec}} to {self.most:{spec}})"


@dataclass(slots=True)
class Measured:
    """The rounds of one case: one run of each contender in each."""

    case: Case
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def spread(self, contender: str, figure: Callable[[Run], float]) -> Spread:
        """Return a figure of one contender over all rounds."""
        return Spread.of([figure(run) for run in self.runs[contender]])

    def ratio(self, figure: Callable[[Run], float], over: str, under: str) -> Spread:
        """Return the ratios of two contenders, taken round by round: machines drift."""
        pairs = zip(self.runs[over], self.runs[under], strict=True)
        return Spread.of([figure(one) / max(figure(two), 1e-9) for one, two in pairs])

    @property
    def beside(self) -> str:
        """Whom ashore is held against: the floor, or the limit where only ashore keeps a pace."""
        return "floor" if "floor" in self.runs else "limit"


@dataclass(frozen=True, slots=True)
class Bar:
    """What was to be reached, and what was."""

    name: str
    figure: Spread
    bar: float
    unit: str = ""
    least: bool = False
    """Whether the figure has to be at least the bar, and not at most."""

    @property
    def met(self) -> bool:
        """Tell whether the median reaches the bar."""
        return self.figure.median >= self.bar if self.least else self.figure.median <= self.bar

    @property
    def verdict(self) -> str:
        """Say whether it is met, or by how much not."""
        if self.met:
            return "met"
        missed = abs(self.figure.median - self.bar)
        return (
            f"**not met**, by {missed / self.bar:.0%}"
            if self.bar
            else f"**not met**, by {missed:g}"
        )


def wall(run: Run) -> float:
    """Return the wall time of a run."""
    return run.wall


def peak(run: Run) -> float:
    """Return the peak memory of a run."""
    return run.peak


def bars(measured: Sequence[Measured]) -> list[Bar]:
    """Return the bars of all cases that have one."""
    return [
        Bar(f"{each.case}: wall ÷ {each.beside}", _ratio(each), each.case.bar)
        for each in measured
        if each.case.bar is not None
    ]


def _ratio(measured: Measured) -> Spread:
    return measured.ratio(wall, "ashore", measured.beside)
