"""Where the contenders run: the server that they ask, the stores that they land in, one at a time.

Keep this process small: what it holds when it starts a child counts into the child's peak memory
on Linux. So whatever needs boto3 or draws is a process of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bodies import answer, names
from figures import Case, Run
from process import Ended, carry_out, cpu_seconds

_HERE = Path(__file__).parent
_BUCKET = "bench"
_EXPORTS = 6
# What of the environment would let a contender, requests or Python behave otherwise than measured.
_UNWANTED = ("ASHORE_", "AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHON")
_CATALOG = """
default = ["bench"]

[source.bench]
base_url = "{url}"
workers  = {workers}
{rate}
[[source.bench.endpoint]]
name    = "items"
path    = "items"
params  = {{ count = {count} }}
records = "items"
total   = "total"
key     = "number"

[[source.bench.endpoint]]
name     = "item"
for_each = {{ endpoint = "items", select = "items[].number", as = "id" }}
path     = "item/{{id}}"
records  = "values"
key      = ["country.id", "date"]
"""


@dataclass(slots=True)
class Stage:
    """The server, the S3 server if there is one, and the folder for all that lands."""

    server: subprocess.Popen[str]
    port: int
    folder: Path
    store: subprocess.Popen[str] | None
    aws: Mapping[str, str] = field(default_factory=dict)
    """The environment that points boto3 at the S3 server."""
    before: Mapping[str, str] = field(default_factory=dict)
    """Where what is measured goes instead, if something that counts stands before the server."""

    def limit(self, case: Case) -> Run:
        """What nothing can be faster than: by its waiting, or by writing the same bytes."""
        if case.limit is not None:
            return Run(case.limit)
        room, took = self.room(), 0.0
        for name in names(case.count)[case.landed :]:
            body = answer(name.encode(), case.size)
            began = time.monotonic()
            (room / name).write_bytes(body)
            took += time.monotonic() - began
        return Run(took, location=str(room))

    def floor(self, case: Case) -> Run:
        """Run the bare loop once."""
        location = self.location(case, self.room())
        program = [sys.executable, str(_HERE / "floor.py"), self.url(case), str(case.count)]
        command = [*program, str(case.workers), location]
        if case.landed:
            self.carry_out([*command, "--most", str(case.landed)])
        return self.run(command, case, location)

    def ashore(self, case: Case) -> Run:
        """Run ``ashore extract`` once."""
        room = self.room()
        command = [*self.extract(case, room), "--to", self.location(case, room)]
        if case.landed:
            self.carry_out([*command, "--max-requests", str(case.landed + 1)])
        return self.run(command, case, self.location(case, room))

    def extract(self, case: Case, room: Path) -> list[str]:
        """Write the catalog of a case, and return the command without its location."""
        rate = f'rate = "{case.rate}/s"\n' if case.rate else ""
        text = _CATALOG.format(
            url=self.url(case), workers=case.workers, count=case.count, rate=rate
        )
        catalog = room / "bench.toml"
        catalog.write_text(text, encoding="utf-8")
        return [sys.executable, "-m", "ashore", "extract", "--catalog", str(catalog)]

    def run(self, command: Sequence[str], case: Case, location: str) -> Run:
        """Run a command, and see what came of it."""
        os.sync()  # what the one before left to be written is no burden of this one
        before, stored = self.figures(), self._store_cpu()
        ended = self.carry_out(command)
        after = self.figures()
        arguments = ["intact", str(case.count), str(case.size), location]
        return Run(
            ended.wall,
            ended.cpu,
            ended.peak,
            server=after["cpu"] - before["cpu"],
            store=self._store_cpu() - stored,
            intact=int(self.landed(*arguments)),
            sent=int(after["requests"]),
            status=ended.status,
            first=max(0.0, after["first"] - ended.began),
            location=location,
        )

    def landed(self, *arguments: str) -> str:
        """Run ``landed.py``, and return what it says."""
        command = [sys.executable, str(_HERE / "landed.py"), *arguments]
        ended = carry_out(command, {**self.environment(), **self.aws})
        if ended.status:
            raise RuntimeError(ended.stderr)
        return ended.stdout

    def carry_out(self, command: Sequence[str], folder: Path | None = None) -> Ended:
        """Run a program to its end, in an environment without surprises."""
        return carry_out(command, self.environment(), folder)

    def environment(self) -> dict[str, str]:
        """Return the environment of all that is measured."""
        kept = {n: v for n, v in os.environ.items() if not n.upper().startswith(_UNWANTED)}
        # Compiled by the warm-up, as on any machine: what is measured is never the compiler.
        kept["PYTHONPYCACHEPREFIX"] = str(self.folder / "compiled")
        return {**kept, "AWS_CONFIG_FILE": os.devnull, **self.aws, **self.before}

    def figures(self) -> dict[str, float]:
        """Return what the server counted since the last time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/figures")
            told: dict[str, float] = json.load(connection.getresponse())
            return told

    def url(self, case: Case) -> str:
        """Return the address below which a case is asked."""
        return f"http://127.0.0.1:{self.port}/{case.fault or case.latency_ms}/{case.size}"

    def room(self) -> Path:
        """Return a new folder for one run.

        None is removed before all is measured: a file system that has just removed many files may
        be slow to make new ones (ext4 without a journal is), whichever program comes next.
        """
        return Path(tempfile.mkdtemp(dir=self.folder))

    @staticmethod
    def location(case: Case, room: Path) -> str:
        """Return where a run lands that has a room."""
        return f"s3://{_BUCKET}/{room.name}" if case.store == "s3" else str(room / "landing")

    def _store_cpu(self) -> float:
        return cpu_seconds(self.store.pid) if self.store else 0.0


@contextlib.contextmanager
def stage(folder: Path | None) -> Iterator[Stage]:
    """Start both servers, and leave nothing behind."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_running(_HERE / "server.py"))
        port = int(_line(server))
        room = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=folder))
        store = stack.enter_context(_local_s3())
        aws = _exports(store)
        yield Stage(server, port, Path(room), store if aws else None, aws)


@contextlib.contextmanager
def _running(program: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(program), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _local_s3() -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return _running(_HERE.parent / "scripts" / "local_s3.py", "--bucket", _BUCKET)


def _exports(store: subprocess.Popen[str]) -> dict[str, str]:
    """The environment that a local S3 server prints when it is ready; empty if there is none."""
    words = [shlex.split(_line(store))[1:] for _ in range(_EXPORTS)]
    return dict(word.split("=", 1) for line in words for word in line)


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout else ""
