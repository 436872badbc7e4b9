"""Who makes the tries of a run: the threads of this process, unless an engine does it elsewhere."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Protocol

from ashore.catalog import Source
from ashore.governor import Governor
from ashore.naming import Day
from ashore.planning import Request, SetKey
from ashore.retrying import Try
from ashore.tries import HeldPage, Result, Workshop


class Hands(Protocol):
    """What a run gives its tries to, from many threads at once."""

    @property
    def source(self) -> Source:
        """Whom the tries ask."""

    @property
    def day(self) -> Day:
        """Where their answers belong."""

    @property
    def there(self) -> Container[str] | None:
        """The paths that had landed when the run began; None where nothing had."""

    def attempt(self, tried: Try) -> Result:
        """Send a request once; land the answer at once if it is a whole set by itself."""

    def land(self, key: SetKey, held: list[HeldPage], set_attempt: int) -> Result:
        """Judge the pages of a set that are all there, and land them in their order."""

    def adopt(self, first: Request) -> Result:
        """Take over a set that landed earlier, if all of it is there and holds up."""

    def cut(self) -> None:
        """Cut what is under way: its answers are not waited for any longer."""

    def close(self) -> None:
        """Let go of all that was needed; nothing may be asked afterwards."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What whoever makes tries elsewhere has to know besides the tries."""

    location: str
    """As the user writes it."""
    run_id: str
    workers: int
    """How many requests may be under way at once, wherever they are."""
    until: float
    """The deadline on the monotonic clock."""


class Engine(Protocol):
    """Makes the tries of runs, one run after the other."""

    def threads(self, source: Source, workers: int) -> int:
        """Return how many threads a run needs that may have so many requests under way."""

    def hands(self, local: Workshop, governor: Governor, errand: Errand) -> Hands:
        """Return what makes a run's tries; ``local`` can make each of them here.

        Raises:
            AshoreError: when the engine cannot make them.
        """


class Threads:
    """The engine that needs nothing else: each thread sends, judges and lands by itself."""

    def threads(self, source: Source, workers: int) -> int:  # noqa: ARG002 - as the protocol
        """Return one for each request under way."""
        return workers

    def hands(self, local: Workshop, governor: Governor, errand: Errand) -> Hands:  # noqa: ARG002
        """Return what is here."""
        return local


THREADS = Threads()
