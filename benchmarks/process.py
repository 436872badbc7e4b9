"""Run a program to its end, and tell what it and all that it started took."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_LOOK_EVERY = 0.1
_LONGEST = 900.0
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended."""

    began: float
    """On the monotonic clock."""
    wall: float
    cpu: float
    peak: float
    """In MiB: of all its processes together at one moment, or of the largest one at any."""
    status: int
    stdout: str
    stderr: str


def carry_out(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> Ended:
    """Run a program to its end, which comes after a quarter of an hour at the latest."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, env=environment,
            cwd=folder,
        )  # fmt: skip
        with _ended(process), _watched(process) as sampled:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        told, complained = stdout.read().decode(), stderr.read().decode()
    # ru_maxrss is in KiB, but in bytes on macOS.
    peak = usage.ru_maxrss / (_MIB if sys.platform == "darwin" else 1024)
    return Ended(
        began,
        wall,
        usage.ru_utime + usage.ru_stime,
        max(peak, *sampled),
        process.returncode,
        told,
        complained,
    )


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a running process, and those below it, have used."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no process behind where the measuring itself is interrupted."""
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _watched(process: subprocess.Popen[bytes]) -> Iterator[list[float]]:
    """Note the memory of a process and all below it now and then, and end it if it hangs."""
    over, sampled = threading.Event(), [0.0]

    def watch() -> None:
        until = time.monotonic() + _LONGEST
        while not over.wait(_LOOK_EVERY):
            sampled.append(_memory(process.pid))
            if time.monotonic() > until:
                process.kill()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sampled
    finally:
        over.set()
        thread.join()


def _memory(pid: int) -> float:
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
    return total / _MIB
