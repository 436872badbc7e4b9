"""Run the command line as a real process."""

from __future__ import annotations

import os
import signal as signals
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

SOURCE = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.01
Environment = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a process left."""

    status: int
    """The exit status; negative when a signal ended it."""
    out: str
    err: str
    seconds: float


def ashore(
    *args: str | os.PathLike[str],
    env: Environment | None = None,
    cwd: Path | None = None,
    timeout: float = 60,
) -> Finished:
    """Run `ashore` to its end.

    The environment is the test's own, which the fixtures cleaned, plus `env`; a value of None
    removes a variable.
    """
    with start(*args, env=env, cwd=cwd) as running:
        return running.finish(timeout)


def start(
    *args: str | os.PathLike[str], env: Environment | None = None, cwd: Path | None = None
) -> Running:
    """Start `ashore` and return at once; use it in a `with` statement, which ends it."""
    command = [sys.executable, "-m", "ashore", *(os.fspath(arg) for arg in args)]
    return Running(command, environment(env), cwd)


def environment(extra: Environment | None = None) -> dict[str, str]:
    """The variables of a process that finds this checkout's package first."""
    paths = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    merged = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(extra or {})}
    return {name: value for name, value in merged.items() if value is not None}


class Running:
    """A process under way."""

    def __init__(self, command: list[str], env: Mapping[str, str], cwd: Path | None) -> None:
        # Files, not pipes: they can be read while it runs, and never fill up.
        self._out, self._err = _file(), _file()
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,  # Ctrl-C on the tests is not its business
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def out(self) -> str:
        """Its standard output so far."""
        return _text(self._out)

    @property
    def err(self) -> str:
        """Its standard error so far."""
        return _text(self._err)

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 30) -> None:
        """Return once the predicate holds.

        Raises:
            AssertionError: it did not in time, or the process ended without it.
        """
        deadline = time.monotonic() + timeout
        while True:
            ended = self._process.poll() is not None
            if predicate():
                return
            assert not ended, self._told("ended before what was waited for")
            assert time.monotonic() < deadline, self._told(f"not so after {timeout} s")
            time.sleep(POLL_SECONDS)

    def kill(self, signal: int = signals.SIGKILL) -> None:
        """Send it a signal."""
        self._process.send_signal(signal)

    def finish(self, timeout: float = 60) -> Finished:
        """Wait for its end.

        Raises:
            AssertionError: it did not end in time; it was killed.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            told = self._told(f"still running after {timeout} s")
            self.close()
            raise AssertionError(told) from None
        finished = Finished(status, self.out, self.err, time.monotonic() - self._began)
        self.close()
        return finished

    def close(self) -> None:
        """End it if it runs, and close its files; harmless when it was done before."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=10)
        self._out.close()
        self._err.close()

    def _told(self, what: str) -> str:
        status = self._process.poll()
        return f"{what} (status {status})\n--- out\n{self.out}\n--- err\n{self.err}"


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _text(file: IO[bytes]) -> str:
    # The process writes through the same file offset, so reading must not move it.
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")
