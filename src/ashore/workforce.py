"""The workers of a Dask cluster that are hired for one run, each with an actor of its own.

An actor is a ``crew.Bench``. Dask repeats tasks by itself, without anybody's turn; it never repeats
what an actor is asked.
"""

import contextlib
import itertools
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

from ashore.batches import WorkerLost
from ashore.crew import Bench, Order, Report
from ashore.errors import AshoreError, Incomplete
from ashore.retrying import Try

_HIRE = 30.0
_IDLE = 30.0
"""Seconds for which a cluster may be without any worker."""
_LOOK_EVERY = 1.0
_SOON = 0.02
_SILENCE = 10.0
"""Seconds after which a worker is asked whether it is still at its batch, and has to answer."""
_BEYOND = 15.0
"""Seconds after the deadline for which a report is waited for."""


@dataclass(slots=True)
class _Hired:
    address: str
    actor: Any
    future: Any
    batches: int = 0


class Workforce:
    """The workers of a cluster, each with an actor of this run."""

    def __init__(self, client: Any, told: str, order: Order, until: float) -> None:  # noqa: ANN401
        """Hire all workers that are there, and from now on those that come.

        Raises:
            AshoreError: when a worker cannot do what the run needs.
        """
        self._client, self._told, self._order, self._until = client, told, order, until
        self._hired: dict[str, _Hired] = {}
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._trouble: AshoreError | None = None
        self._asked: dict[str, Any] = {}
        self._numbers = itertools.count()
        self._present: frozenset[str] = frozenset()
        self._hire_all()
        threading.Thread(target=self._watch, name="workers", daemon=True).start()

    def attempt(self, tries: list[Try], epoch: int) -> Report:
        """Let the worker that has the least to do make a batch."""
        hired = self._choose()
        try:
            batch = next(self._numbers)
            return self._awaited(hired, batch, hired.actor.attempt(batch, tries, epoch))
        except Exception as error:
            self._dismiss(hired)
            raise WorkerLost(str(error)) from error
        finally:
            with self._changed:
                hired.batches -= 1

    def _awaited(self, hired: _Hired, batch: int, answer: Any) -> Report:  # noqa: ANN401
        """Wait for a report as long as its worker is there and at it.

        Dask tries for half a minute to reach a worker that is gone before it says so, and of some
        troubles says nothing.
        """
        until, ask = self._until + _BEYOND, time.monotonic() + _SILENCE
        report: Report
        while True:
            try:
                report = answer.result(timeout=_LOOK_EVERY)
            except TimeoutError:
                now = time.monotonic()
                if hired.address not in self._present or now > until:
                    raise
                if now > ask and not self._is_at(hired, batch):
                    until = now  # its report may be on its way
                ask = ask if now <= ask else now + _SILENCE
            else:
                return report

    @staticmethod
    def _is_at(hired: _Hired, batch: int) -> bool:
        try:
            return bool(hired.actor.is_at(batch).result(timeout=_SILENCE))
        except Exception:  # noqa: BLE001 - whatever it is, it tells nothing of the batch
            return False

    def bar(self, epoch: int) -> None:
        """Tell all workers, and wait for none."""
        self._tell("bar", epoch)

    def end(self) -> None:
        """Tell all workers, and wait for none."""
        self._tell("end")

    def close(self) -> None:
        """Let the workers go; what they had for this run goes with its actors."""
        self._ended.set()
        self._tell("close")
        with self._changed:
            self._hired.clear()
            self._changed.notify_all()

    def _tell(self, what: str, *arguments: object) -> None:
        with self._changed:
            hired = list(self._hired.values())
        for each in hired:
            with contextlib.suppress(Exception):  # a worker that is gone need not be told
                getattr(each.actor, what)(*arguments)

    def _choose(self) -> _Hired:
        until = time.monotonic() + _IDLE
        with self._changed:
            while not self._hired or self._is_gone():
                left = until - time.monotonic()
                if self._trouble is not None:
                    raise self._trouble
                if self._is_gone():
                    raise Incomplete(
                        f"the Dask scheduler {self._told} is gone; what landed stays: run again "
                        "once it is back"
                    )
                if left <= 0 or self._ended.is_set():
                    raise Incomplete(
                        f"the Dask scheduler {self._told} has no workers any more; start some, "
                        "and run again"
                    )
                self._changed.wait(min(left, _LOOK_EVERY))
            hired = min(self._hired.values(), key=lambda each: each.batches)
            hired.batches += 1
            return hired

    def _is_gone(self) -> bool:
        return bool(self._client.status != "running")

    def _dismiss(self, hired: _Hired) -> None:
        """Give a worker nothing more, until it is hired anew."""
        with self._changed:
            self._hired = {a: each for a, each in self._hired.items() if each is not hired}

    def _watch(self) -> None:
        """Hire who comes; who goes is missed by the next batch."""
        while not self._ended.wait(_LOOK_EVERY):
            try:
                self._look()
            except AshoreError as error:
                self._trouble = error
            except Exception:  # noqa: BLE001, S112 - whoever needs the scheduler says it is gone
                continue

    def _hire_all(self) -> None:
        """Wait until the workers that are there can begin, but not for one that goes away.

        Raises:
            AshoreError: when a worker cannot do what the run needs.
        """
        until = time.monotonic() + _HIRE
        self._look()
        while self._asked and time.monotonic() < until:
            time.sleep(_SOON)
            self._welcome()

    def _look(self) -> None:
        """Ask for an actor on each worker that has none yet."""
        present = self._present = frozenset(self._client.scheduler_info()["workers"])
        with self._changed:
            for address in self._hired.keys() - present:
                del self._hired[address]
        self._asked = {a: future for a, future in self._asked.items() if a in present}
        order = replace(self._order, seconds=max(self._until - time.monotonic(), 0.0))
        for address in present - self._hired.keys() - self._asked.keys():
            self._asked[address] = self._client.submit(
                Bench,
                order,
                actor=True,
                workers=[address],
                allow_other_workers=False,
                pure=False,
                key=f"ashore-{uuid.uuid4().hex}",
            )
        self._welcome()

    def _welcome(self) -> None:
        """Take on the actors that are ready."""
        for address, future in [each for each in self._asked.items() if each[1].done()]:
            del self._asked[address]
            try:
                actor = future.result(timeout=_SILENCE)
            except AshoreError as error:
                raise type(error)(f"the worker {address}: {error}") from error
            except Exception:  # noqa: BLE001, S112 - it went away meanwhile
                continue
            with self._changed:
                self._hired[address] = _Hired(address, actor, future)
                self._changed.notify_all()
