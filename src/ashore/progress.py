"""How a run tells what it is doing, to whoever listens: a progress bar, a log, a test."""

from collections.abc import Sequence

from ashore.job import Outcome
from ashore.ledger import Failure
from ashore.receipts import Receipt


class Observer:
    """Listens to a run and by itself tells nobody. It hears in the run's thread: be quick."""

    def begun(self, source: str, date: str, location: str, run_id: str) -> None:
        """A run begins."""

    def expected(self, sets: int) -> None:
        """So many more requests are known to be needed."""

    def sent(self, requests: int) -> None:
        """So many requests went out so far, retries and redirects included."""

    def landed(self, receipts: Sequence[Receipt]) -> None:
        """A set lies in the location, landed now or adopted."""

    def retried(self, path: str, reason: str, attempt: int) -> None:
        """A request, or a whole set, failed and is tried again."""

    def failed(self, failure: Failure) -> None:
        """A set is lost for good."""

    def ended(self, outcome: Outcome) -> None:
        """A source's day is over, whether a run was begun for it or not."""
