"""A Dask cluster as the engine of runs: the only module that loads Dask, and only when asked."""

import contextlib
import copy
import importlib
import logging
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from ashore import __version__
from ashore.batches import Spread, batch_size
from ashore.catalog import Source
from ashore.crew import Order
from ashore.engine import Engine, Errand, Hands
from ashore.errors import Misconfigured
from ashore.governor import Governor
from ashore.redaction import printable, without_any
from ashore.tries import Workshop
from ashore.workforce import Workforce

LOCAL = "local"
_ADDRESS = re.compile(r"(?:tcp|tls)://(?:[^/\s:\[\]]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")
_CONNECT = 10.0  # seconds
_START = 60.0
_CLOSE = 1.2
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
        _compare(client, scheduler)
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


def _compare(client: Any, told: str) -> None:  # noqa: ANN401
    """Refuse workers of another version: what is handed over would mean something else there."""
    version = importlib.import_module("importlib.metadata").version
    asking = ThreadPoolExecutor(1)
    try:
        asked = asking.submit(client.run, version, "ashore", on_error="return")
        found = asked.result(timeout=_CONNECT)
    except (TimeoutError, OSError) as error:
        raise Misconfigured(
            f"--scheduler {told}: not all of its workers answer; look at them"
        ) from error
    finally:
        asking.shutdown(wait=False)
    for worker, there in sorted(found.items()):
        if isinstance(there, BaseException):
            raise Misconfigured(f"the worker {worker} has no ashore; install {__version__} there")
        if there != __version__:
            raise Misconfigured(
                f"the worker {worker} has ashore {there}, and here is {__version__}; "
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
        crew = Workforce(self._client, self._told, order, errand.until)
        most = batch_size(local.source, errand.workers)
        return Spread(local, governor, crew, errand.workers, most)
