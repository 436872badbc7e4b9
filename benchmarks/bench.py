"""Measure ashore against a bare loop of requests and an executor, both on this machine only.

make bench              five rounds, interleaved: floor, ashore, floor, ashore ...
QUICK=1 make bench      two rounds

Nothing is asserted: the bars stand beside the figures. Keep this process small: what it holds
when it starts a child counts into the child's peak memory on Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_MIB = 2**20
# What of the environment would let ashore, requests or Python behave otherwise than is measured.
_UNWANTED = ("ASHORE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHONDONTWRITE")
_CATALOG = """
default = ["bench"]

[source.bench]
base_url = "{url}"
workers  = {workers}

[[source.bench.endpoint]]
name    = "items"
path    = "items"
params  = {{ count = {count} }}
records = "items"
total   = "total"
key     = "id"

[[source.bench.endpoint]]
name     = "item"
for_each = {{ endpoint = "items", select = "items[].id", as = "id" }}
path     = "item/{{id}}"
key      = "id"
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked: so many answers, each so long after it was asked, by so many workers."""

    count: int
    latency_ms: int
    workers: int

    def __str__(self) -> str:
        """Say it in words."""
        latency = f"{self.latency_ms} ms latency" if self.latency_ms else "no latency"
        return f"{self.count:,} requests of 2 KiB, {latency}, {self.workers} workers, into a folder"


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took."""

    wall: float
    """Seconds from its start to its end."""
    work: float
    """Seconds of that from before the first request to behind the last file."""
    cpu: float
    peak: float
    """The most memory that it held, in MiB."""
    server: float
    """CPU seconds of the server meanwhile."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended well: what it told, and what it took."""

    wall: float
    cpu: float
    peak: float
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the runs ask and land."""

    port: int
    folder: Path

    def floor(self, case: Case) -> Run:
        """Run the bare loop once."""
        program = [sys.executable, str(_HERE / "floor.py")]
        landing = self._room() / "landing"
        arguments = [self._url(case), str(case.count), str(case.workers), str(landing)]
        before = self._server_cpu()
        ended = self._carry_out([*program, *arguments])
        server = self._server_cpu() - before
        self._require(landing, case.count + 1)
        return Run(ended.wall, float(ended.stdout), ended.cpu, ended.peak, server)

    def ashore(self, case: Case) -> Run:
        """Run ``ashore extract`` once."""
        room = self._room()
        catalog = room / "bench.toml"
        text = _CATALOG.format(url=self._url(case), workers=case.workers, count=case.count)
        catalog.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "ashore", "extract", "--catalog", str(catalog)]
        before = self._server_cpu()
        ended = self._carry_out([*command, "--to", str(room / "landing")])
        server = self._server_cpu() - before
        self._require(room / "landing" / "raw", case.count + 1)
        return Run(ended.wall, _extraction(ended.stderr), ended.cpu, ended.peak, server)

    def _url(self, case: Case) -> str:
        return f"http://127.0.0.1:{self.port}/{case.latency_ms}"

    def _carry_out(self, command: Sequence[str]) -> Ended:
        """Run a program to its end, which must be a good one."""
        environment = {n: v for n, v in os.environ.items() if not n.upper().startswith(_UNWANTED)}
        # Compiled by the warm-up, as on any machine: what is measured is never the compiler.
        environment["PYTHONPYCACHEPREFIX"] = str(self.folder / "compiled")
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            stdout.seek(0)
            stderr.seek(0)
            told, complained = stdout.read().decode(), stderr.read().decode()
        if process.returncode:
            sys.exit(f"exit status {process.returncode}\n{complained}")
        # ru_maxrss is in KiB, but in bytes on macOS.
        peak = usage.ru_maxrss / (_MIB if sys.platform == "darwin" else 1024)
        return Ended(wall, usage.ru_utime + usage.ru_stime, peak, told, complained)

    def _room(self) -> Path:
        """A new folder for one run; what the run before left to be written is written first.

        None is removed before all is measured: a file system that has just removed many files may
        be slow to make new ones (ext4 without a journal is), whichever program comes next.
        """
        os.sync()
        return Path(tempfile.mkdtemp(dir=self.folder))

    def _server_cpu(self) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/cpu")
            return float(json.load(connection.getresponse())["cpu"])

    @staticmethod
    def _require(folder: Path, files: int) -> None:
        landed = sum(1 for file in folder.rglob("*.json") if file.stat().st_size)
        if landed != files:
            sys.exit(f"{folder} holds {landed} files where {files} were asked for")


def main() -> None:
    """Measure, and print the figures beside the bars."""
    given = _arguments()
    overhead, latency = Case(1000, 0, 8), Case(1000, 50, 8)
    many = Case(20_000, 0, 8)
    with _server() as port, tempfile.TemporaryDirectory(dir=given.folder) as folder:
        bench = Bench(port, Path(folder))
        _introduce(bench.folder, given.rounds)
        rounds = _interleaved(bench, overhead, given.rounds)
        _report(overhead, rounds, bar=1.5)
        _report(latency, _interleaved(bench, latency, given.rounds), bar=1.05)
        _report_memory(overhead, rounds, many, bench.ashore(many))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    quick = os.environ.get("QUICK", "") not in {"", "0"}
    parser.add_argument("--rounds", type=int, default=2 if quick else 5)
    parser.add_argument(
        "--folder", type=Path, help="where the runs land for a while (default: TMPDIR)"
    )
    return parser.parse_args()


@contextlib.contextmanager
def _server() -> Iterator[int]:
    command = [sys.executable, str(_HERE / "server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield int(server.stdout.readline() if server.stdout else "")
        finally:
            server.send_signal(signal.SIGTERM)


def _interleaved(bench: Bench, case: Case, rounds: int) -> list[tuple[Run, Run]]:
    """Run floor and ashore in turn, once to warm up, then so many times that count."""
    pairs = [(bench.floor(case), bench.ashore(case)) for _ in range(rounds + 1)]
    return pairs[1:]


def _extraction(log: str) -> float:
    """The seconds from the beginning of a run to its end, as ashore's own log lines tell them."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    times = {event["event"]: dt.datetime.fromisoformat(event["time"]) for event in events}
    return (times["run_ended"] - times["run_began"]).total_seconds()


def _introduce(folder: Path, rounds: int) -> None:
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()},")
    print(f"{os.cpu_count()} CPUs; {rounds} rounds, interleaved; a server of its own on loopback")
    print(f"One fsync of a new file of 2 KiB takes {_fsync_ms(folder):.2f} ms here (median)")


def _fsync_ms(folder: Path) -> float:
    took = []
    for number in range(100):
        with (folder / f"probe-{number}").open("xb", buffering=0) as file:
            file.write(bytes(2048))
            began = time.monotonic()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
        (folder / f"probe-{number}").unlink()
    return statistics.median(took) * 1000


def _report(case: Case, rounds: Sequence[tuple[Run, Run]], bar: float) -> None:
    print(f"\n{case}\n{'':34}{'min':>9}{'median':>9}{'max':>9}")
    figures: dict[str, Callable[[Run], float]] = {
        "wall, whole process (s)": lambda run: run.wall,
        "wall, the work itself (s)": lambda run: run.work,
        "CPU (s)": lambda run: run.cpu,
        "peak memory (MiB)": lambda run: run.peak,
        "the server's CPU (s)": lambda run: run.server,
    }
    for name, figure in figures.items():
        _row(f"floor   {name}", [figure(floor) for floor, _ in rounds])
        _row(f"ashore  {name}", [figure(ashore) for _, ashore in rounds])
    for name, figure in list(figures.items())[:4]:
        ratios = [figure(ashore) / figure(floor) for floor, ashore in rounds]
        _row(f"ratio   {name}", ratios, bar if name.startswith("wall") else None)


def _report_memory(few: Case, rounds: Sequence[tuple[Run, Run]], many: Case, run: Run) -> None:
    before = statistics.median(ashore.peak for _, ashore in rounds)
    print(f"\nPeak memory of ashore, {few.count:,} requests against {many.count:,}")
    print(f"{few.count:>10,} requests {before:8.1f} MiB")
    print(
        f"{many.count:>10,} requests {run.peak:8.1f} MiB in {run.wall:.1f} s, CPU {run.cpu:.1f} s"
    )
    print(f"{'ratio':>19} {run.peak / before:8.2f}      {_beside(run.peak / before, 1.25)}")


def _row(name: str, values: Sequence[float], bar: float | None = None) -> None:
    shown = (min(values), statistics.median(values), max(values))
    beside = "" if bar is None else f"   {_beside(shown[1], bar)}"
    print(f"{name:<34}{''.join(f'{value:9.2f}' for value in shown)}{beside}")


def _beside(value: float, bar: float) -> str:
    return f"bar {bar:g}: {'within' if value <= bar else f'over by {value - bar:.2f}'}"


if __name__ == "__main__":
    main()
