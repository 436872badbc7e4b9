"""A quota of the API over a rolling window, kept in the location and shared by all runs."""

import datetime as dt
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ashore.catalog import Budget
from ashore.errors import Incomplete, LocationUnusable, Misconfigured, Violated
from ashore.store import Store
from ashore.units import human_seconds

_STEPS = 1_000
"""Requests are counted in steps of a thousandth of the window, so that the file stays small."""
_RACES = 100

_Moment = Annotated[int, Field(ge=0, le=10**11)]
_Count = Annotated[int, Field(ge=0, le=10**9)]


class _State(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    format: int = 1
    used: list[tuple[_Moment, _Count]] = []
    """Pairs: the step's beginning in Unix seconds, and how many requests went out in it."""


class BudgetBook:
    """Counts every request before it is sent; compare-and-swap lets runs at once share it."""

    def __init__(
        self, store: Store, source: str, budget: Budget, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep the book of a source in a location."""
        self._store, self._budget, self._clock = store, budget, clock
        self._path = f"state/source={source}/budget.json"
        self._step = max(1, int(budget.per / _STEPS))
        self._lock = threading.Lock()

    def refuse_beyond(self, needed: int) -> None:
        """Refuse to begin what is known to exceed the budget.

        Raises:
            Misconfigured: when fewer than the needed requests are left.
        """
        used, _ = self._read()
        left = self._budget.requests - used.total()
        if needed > left:
            raise Misconfigured(
                f"the budget of {self._describe()} has {max(left, 0)} left, and at least {needed} "
                f"are needed; wait until {self._next_free(used)}, or declare a larger budget"
            )

    def try_out(self) -> None:
        """Write the book as it is.

        Raises:
            LocationUnusable: when it cannot be kept here.
        """
        try:
            used, version = self._read()
        except Violated as violated:
            raise LocationUnusable(str(violated)) from violated
        self._store.replace(self._path, self._written(used), version)

    def take(self) -> None:
        """Count one request.

        Raises:
            Incomplete: when none is left.
            LocationUnusable: when other runs are in the way for too long.
        """
        with self._lock:
            counted: int | None = None
            for _ in range(_RACES):
                step = self._count(instead_of=counted)
                # What was counted long before it is sent would be free too early: where the
                # location was so slow, it is counted anew, in the step of now.
                if step is not None and self._clock() < step + 2 * self._step:
                    return
                counted = counted if step is None else step
        raise LocationUnusable(f"{self._path}: other runs were in the way {_RACES} times")

    def _count(self, instead_of: int | None) -> int | None:
        """Count a request in the step of now; None where another run was in the way."""
        used, version = self._read()
        if instead_of is not None and used[instead_of]:
            used[instead_of] -= 1
        if used.total() >= self._budget.requests:
            raise Incomplete(
                f"the budget of {self._describe()} is used up; "
                f"run again after {self._next_free(used)}"
            )
        step = self._step_of_now()
        used[step] += 1
        return step if self._store.replace(self._path, self._written(used), version) else None

    def _read(self) -> tuple[Counter[int], str | None]:
        """How many requests count still, by their step, and the version of the book."""
        found, used = self._store.read_version(self._path), Counter[int]()
        if found is None:
            return used, None
        try:
            state = _State.model_validate_json(found[0])
        except ValidationError as error:
            move = self._store.how_to_move(self._path)
            raise Violated(f"{self._path} is damaged. To begin a new one: {move}") from error
        since = self._clock() - self._budget.per - 2 * self._step
        for begin, count in state.used:
            used[begin] += count if begin > since else 0
        return +used, found[1]

    def _step_of_now(self) -> int:
        now = int(self._clock())
        return now - now % self._step

    @staticmethod
    def _written(used: Counter[int]) -> bytes:
        counted = sorted((+used).items())
        return json.dumps({"format": 1, "used": counted}).encode() + b"\n"

    def _next_free(self, used: Counter[int]) -> str:
        begin = min(used, default=int(self._clock()))
        moment = dt.datetime.fromtimestamp(begin + 2 * self._step + self._budget.per, dt.UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    def _describe(self) -> str:
        return f"{self._budget.requests} requests in {human_seconds(self._budget.per)}"
