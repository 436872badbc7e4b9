"""A Dask cluster as the engine of runs: the only module that knows Dask, and loads it when asked.

On each worker lies one actor for a run, a ``crew.Bench``. Dask repeats tasks by itself, without
anybody's turn; it never repeats what an actor is asked.
"""

import contextlib
import copy
import importlib
import logging
import os
import re
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from ashore import __version__
from ashore.batches import Spread, WorkerLost, batch_size
from ashore.catalog import Source
from ashore.crew import Bench, Order, Report
from ashore.engine import Engine, Errand, Hands
from ashore.errors import AshoreError, Incomplete, Misconfigured
from ashore.governor import Governor
from ashore.redaction import printable, without_any
from ashore.retrying import Try
from ashore.tries import Workshop

LOCAL = "local"
_ADDRESS = re.compile(r"(?:tcp|tls)://(?:[^/\s:\[\]]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")
_CONNECT = 10.0  # seconds
_START = 60.0
_HIRE = 30.0
_IDLE = 30.0
"""Seconds for which a cluster may be without any worker."""
_LOOK_EVERY = 1.0
_SOON = 0.02
_CLOSE = 1.2
_BEYOND = 15.0
_TALKATIVE = ("distributed", "tornado", "asyncio")


@contextlib.contextmanager
def reached(scheduler: str) -> Iterator[Engine]:
    """Give the cluster of a Dask scheduler: its address, or ``local`` for one on this machine.

    Raises:
        Misconfigured: when Dask is not installed, or the cluster cannot be used.
    """
    if scheduler != LOCAL and not _ADDRESS.fullmatch(scheduler):
        raise Misconfigured(
            f"--scheduler {printable(scheduler)} is no address; give tcp://host:8786, or local"
        )
    distributed = _loaded()
    with contextlib.ExitStack() as opened:
        if scheduler == LOCAL:
            address = opened.enter_context(_workers_here(distributed))
        else:
            address = scheduler
        client = _connected(distributed, address, scheduler)
        opened.callback(_close, lambda: client.close(timeout=_CLOSE))
        _compare(client)
        yield Cluster(client, scheduler)


def _loaded() -> Any:  # noqa: ANN401 - its own types are not complete
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise Misconfigured(
            f"--scheduler needs Dask ({error}); pip install 'ashore[dask]'"
        ) from error
    for name in filter(_talks, logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # standard error is ours
    return distributed


def _talks(name: str) -> bool:
    return name.partition(".")[0] in _TALKATIVE


@contextlib.contextmanager
def _workers_here(distributed: Any) -> Iterator[str]:  # noqa: ANN401
    """Start a worker process for each core of this machine, on loopback only."""
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(
            tempfile.TemporaryDirectory(prefix="ashore-", ignore_cleanup_errors=True)
        )
        with _unheard_by_children():
            cluster = distributed.LocalCluster(
                n_workers=_cores(),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                worker_dashboard_address=None,
                memory_limit=0,
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
        # Last: what the processes shared is given back, which nothing does where a process ends by
        # itself, and multiprocessing would complain on standard error.
        shared: Any = importlib.import_module("multiprocessing.util")
        opened.callback(shared._run_finalizers, 0)  # noqa: SLF001
        opened.callback(_close, lambda: cluster.close(timeout=_CLOSE))
        yield cluster.scheduler_address


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _unheard_by_children() -> Iterator[None]:
    """Let Ctrl-C on a terminal, which reaches every process there, end none but the driver.

    What is blocked in a thread is blocked in the threads and processes that it starts.
    """
    resource_tracker.ensure_running()  # it would unblock them when it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _connected(distributed: Any, address: str, told: str) -> Any:  # noqa: ANN401
    try:
        client = distributed.Client(
            address, timeout=_CONNECT, name="ashore", direct_to_workers=told == LOCAL
        )
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(
            f"--scheduler {told}: there is no Dask scheduler ({_line(error)}); "
            "give tcp://host:8786, or local"
        ) from error
    try:
        client.wait_for_workers(1, timeout=_START if told == LOCAL else _CONNECT)
    except TimeoutError as error:
        _close(lambda: client.close(timeout=_CLOSE))
        raise Misconfigured(f"--scheduler {told}: it has no workers; start some") from error
    return client


def _compare(client: Any) -> None:  # noqa: ANN401
    """Refuse workers of another version: what is handed over would mean something else there."""
    found = client.run(
        importlib.import_module("importlib.metadata").version, "ashore", on_error="return"
    )
    for worker, version in sorted(found.items()):
        if isinstance(version, BaseException):
            raise Misconfigured(f"the worker {worker} has no ashore; install {__version__} there")
        if version != __version__:
            raise Misconfigured(
                f"the worker {worker} has ashore {version}, and here is {__version__}; "
                "install the same everywhere"
            )


def _close(close: Callable[[], object]) -> None:
    """Close what may hang, and wait for it a moment only: the end of the process closes it too."""

    def carry_out() -> None:
        with contextlib.suppress(Exception):
            close()

    thread = threading.Thread(target=carry_out, name="close", daemon=True)
    thread.start()
    thread.join(_CLOSE)


def _line(error: BaseException) -> str:
    return printable(without_any(" ".join(str(error).split()))[:300]) or type(error).__name__


class Cluster:
    """The engine that makes tries on the workers of one cluster."""

    def __init__(self, client: Any, told: str) -> None:  # noqa: ANN401
        """Use a connected client; the user called its scheduler so."""
        self._client, self._told = client, told

    def threads(self, source: Source, workers: int) -> int:
        """Return as many threads as there may be tries in batches under way: they only wait."""
        return workers * batch_size(source, workers)

    def hands(self, local: Workshop, governor: Governor, errand: Errand) -> Hands:
        """Hire the workers that are there.

        Raises:
            LocationUnusable: when a worker lands in another place.
            Misconfigured: when a worker cannot do what the run needs.
        """
        where = errand.location
        order = Order(
            source=local.source,
            day=local.day,
            location=where if where.startswith("s3://") else str(Path(where).absolute()),
            run_id=errand.run_id,
            seconds=0.0,
            alone=copy.deepcopy(dict(local.alone)),
        )
        crew = DaskCrew(self._client, self._told, order, errand.until)
        most = batch_size(local.source, errand.workers)
        return Spread(local, governor, crew, errand.workers, most)


@dataclass(slots=True)
class _Hired:
    address: str
    actor: Any
    future: Any
    batches: int = 0


class DaskCrew:
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
        self._present: frozenset[str] = frozenset()
        self._hire_all()
        threading.Thread(target=self._watch, name="workers", daemon=True).start()

    def attempt(self, tries: list[Try], epoch: int) -> Report:
        """Let the worker that has the least to do make a batch."""
        hired = self._choose()
        try:
            return self._awaited(hired, hired.actor.attempt(tries, epoch))
        except Exception as error:
            self._dismiss(hired)
            raise WorkerLost(str(error)) from error
        finally:
            with self._changed:
                hired.batches -= 1

    def _awaited(self, hired: _Hired, answer: Any) -> Report:  # noqa: ANN401
        """Wait for a report as long as its worker is there.

        Dask tries for half a minute to reach a worker that is gone before it says so.
        """
        until = self._until + _BEYOND
        while True:
            try:
                report: Report = answer.result(timeout=_LOOK_EVERY)
            except TimeoutError:
                if hired.address not in self._present or time.monotonic() > until:
                    raise
            else:
                return report

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
                actor = future.result(timeout=_LOOK_EVERY)
            except AshoreError as error:
                raise type(error)(f"the worker {address}: {error}") from error
            except Exception:  # noqa: BLE001, S112 - it went away meanwhile
                continue
            with self._changed:
                self._hired[address] = _Hired(address, actor, future)
                self._changed.notify_all()
