"""A quota of the API over a rolling window, kept in the location and shared by all runs."""

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from ashore.catalog import Budget
from ashore.errors import Incomplete, LocationUnusable, Misconfigured, Violated
from ashore.store import Store
from ashore.units import human_seconds

_STEPS = 1_000
"""Requests are counted in steps of a thousandth of the window, so that the file stays small."""
_RACES = 100


class _State(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    format: int = 1
    used: list[tuple[int, int]] = []
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
        state, _ = self._read()
        left = self._budget.requests - sum(count for _, count in state.used)
        if needed > left:
            raise Misconfigured(
                f"the budget of {self._describe()} has {max(left, 0)} left, and at least {needed} "
                f"are needed; wait until {self._next_free(state)}, or declare a larger budget"
            )

    def try_out(self) -> None:
        """Write the book as it is.

        Raises:
            LocationUnusable: when it cannot be kept here.
        """
        try:
            state, version = self._read()
        except Violated as violated:
            raise LocationUnusable(str(violated)) from violated
        self._store.replace(self._path, self._written(state.used), version)

    def take(self) -> None:
        """Count one request.

        Raises:
            Incomplete: when none is left.
            LocationUnusable: when other runs are in the way for too long.
        """
        with self._lock:
            for _ in range(_RACES):
                state, version = self._read()
                if sum(count for _, count in state.used) >= self._budget.requests:
                    raise Incomplete(
                        f"the budget of {self._describe()} is used up; "
                        f"run again after {self._next_free(state)}"
                    )
                if self._store.replace(self._path, self._with_one_more(state), version):
                    return
        raise LocationUnusable(f"{self._path}: other runs were in the way {_RACES} times")

    def _read(self) -> tuple[_State, str | None]:
        found = self._store.read_version(self._path)
        if found is None:
            return _State(), None
        try:
            state = _State.model_validate_json(found[0])
        except ValidationError as error:
            move = self._store.how_to_move(self._path)
            raise Violated(f"{self._path} is damaged. To begin a new one: {move}") from error
        since = self._clock() - self._budget.per - self._step
        state.used = [(begin, count) for begin, count in state.used if begin > since]
        return state, found[1]

    def _with_one_more(self, state: _State) -> bytes:
        now = int(self._clock())
        step = now - now % self._step
        used = dict(state.used)
        used[step] = used.get(step, 0) + 1
        return self._written(used.items())

    @staticmethod
    def _written(used: Iterable[tuple[int, int]]) -> bytes:
        return json.dumps({"format": 1, "used": sorted(used)}).encode() + b"\n"

    def _next_free(self, state: _State) -> str:
        begin = min((begin for begin, _ in state.used), default=int(self._clock()))
        moment = dt.datetime.fromtimestamp(begin + self._step + self._budget.per, dt.UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    def _describe(self) -> str:
        return f"{self._budget.requests} requests in {human_seconds(self._budget.per)}"
