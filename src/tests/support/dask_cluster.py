"""A Dask scheduler and its workers on loopback, each a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Self

from tests.support.process import Environment, environment

HOST = "127.0.0.1"
START_SECONDS = 60.0
SCHEDULER = ["scheduler", "--host", HOST, "--no-dashboard"]
# Without a nanny: a worker that is killed stays dead.
WORKER = ["worker", "--host", HOST, "--no-dashboard", "--no-nanny", "--nthreads", "1"]


class DaskCluster:
    """Ended, with all its processes, when the context ends."""

    def __init__(self, folder: Path, workers: int = 2, env: Environment | None = None) -> None:
        self._folder = folder
        self._env = environment(env)
        self.address = f"tcp://{HOST}:{_free_port()}"
        self.scheduler = self._start(*SCHEDULER, "--port", self.address.rpartition(":")[2])
        self.workers = [self.add_worker() for _ in range(workers)]

    def __enter__(self) -> Self:
        self._wait_for("Registered to", len(self.workers))
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
        for process in [*self.workers, self.scheduler]:
            process.wait(10)

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start another worker."""
        return self._start(*WORKER, self.address, "--local-directory", str(self._folder))

    def kill_worker(self, number: int) -> None:
        """End a worker as a machine that fails would."""
        self.workers[number].send_signal(signal.SIGKILL)

    @property
    def told(self) -> str:
        """What all processes logged so far."""
        return "".join(file.read_text("utf-8") for file in self._folder.glob("*.log"))

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with self._log() as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _log(self) -> IO[bytes]:
        number = len(list(self._folder.glob("*.log")))
        return (self._folder / f"{number}.log").open("wb")

    def _wait_for(self, words: str, times: int) -> None:
        until = time.monotonic() + START_SECONDS
        while self.told.count(words) < times:
            assert time.monotonic() < until, self.told
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port
