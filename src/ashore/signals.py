"""What SIGINT and SIGTERM do: the first one ends a run in order, the second one at once."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from ashore.errors import ExitStatus

_STATUS = {signal.SIGINT: ExitStatus.INTERRUPTED, signal.SIGTERM: ExitStatus.TERMINATED}
_Handler = Callable[[int, FrameType | None], None]


class Terminated(BaseException):
    """SIGTERM came where nothing has to be ended in order."""


class Control:
    """Lets a signal end what is under way; safe to call from a signal handler."""

    def __init__(self) -> None:
        """Begin without a signal."""
        self.signal: ExitStatus | None = None
        self.stopped_at = float("inf")
        """When the signal came, on the monotonic clock."""

    def stop(self, status: ExitStatus) -> None:
        """Ask the run to end in order; it looks at least twice a second."""
        self.stopped_at = time.monotonic()
        self.signal = status


@contextlib.contextmanager
def hear_while_loading() -> Iterator[None]:
    """Let both signals end the process at once, and in silence: nothing has been begun.

    SIGTERM goes on to do so wherever nothing else handles it, so that there is no gap.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        os._exit(_STATUS[signal.Signals(number)])

    before = signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a command as SIGINT does; process 1 of a container has no such default.

    Raises:
        Terminated: when it comes.
    """
    with _handling({signal.SIGTERM: _terminate}):
        yield


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let both signals end what has nothing to end in order, within what would stop a run.

    Raises:
        Terminated: when SIGTERM comes.
        KeyboardInterrupt: when SIGINT comes.
    """
    with _handling({signal.SIGTERM: _terminate, signal.SIGINT: signal.default_int_handler}):
        yield


@contextlib.contextmanager
def stopped_by_signals(control: Control) -> Iterator[None]:
    """Let the first signal stop a run through its control, and the second end the process."""

    def handle(number: int, _frame: FrameType | None) -> None:
        status = _STATUS[signal.Signals(number)]
        if control.signal is not None:
            os._exit(status)
        control.stop(status)

    with _handling(dict.fromkeys(_STATUS, handle)):
        yield


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


@contextlib.contextmanager
def _handling(handlers: dict[signal.Signals, _Handler]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of signals
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
