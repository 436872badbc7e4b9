"""Measure extractions on local Dask clusters of 1, 2 and 4 worker processes, beside threads.

make bench-scale             the whole, into docs/scale.md; at most six minutes
QUICK=1 make bench-scale     smaller cases, one round
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import report
from figures import Spread
from process import Ended, carry_out

_DASK: Any = importlib.import_module("distributed")  # its own types are not complete
_HERE = Path(__file__).resolve().parent
DOCUMENT = _HERE.parent / "docs" / "scale.md"
CLUSTERS = (1, 2, 4)
BATCHES = (1, 2, 4, 8, 16, 32)
_CATALOG = """
[source.scale]
base_url = "http://127.0.0.1:{port}/{size}"
workers = 8

[[source.scale.endpoint]]
name = "items"
path = "items"
params = {{ count = {count} }}
records = "items"
total = "total"

[[source.scale.endpoint]]
name = "item"
path = "item/{{number}}"
for_each = {{ endpoint = "items", select = "items[].number", as = "number" }}
records = "values"
"""
# The program as it is, but with another size of its batches.
_WITH_BATCHES = "from ashore import batches, __main__; batches.MOST = {}; __main__.run()"


@dataclass(frozen=True, slots=True)
class Load:
    """So many answers of one size, in bytes."""

    name: str
    count: int
    size: int


@dataclass(frozen=True, slots=True)
class Took:
    """What one extraction took."""

    seconds: float
    driver_cpu: float
    workers_cpu: float
    peak: float
    """Of the driver, in MiB."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where all is measured."""

    port: int
    folder: Path

    def extract(self, load: Load, cluster: Any = None, most: int | None = None) -> Took:  # noqa: ANN401
        """Extract a day in a process of its own, on threads unless there is a cluster."""
        room = Path(tempfile.mkdtemp(dir=self.folder))
        catalog = room / "scale.toml"
        text = _CATALOG.format(port=self.port, size=load.size, count=load.count)
        catalog.write_text(text, encoding="utf-8")
        program = ["-m", "ashore"] if most is None else ["-c", _WITH_BATCHES.format(most)]
        where = ["--catalog", str(catalog), "--to", str(room / "landing"), "--json"]
        spread = ["--scheduler", cluster.scheduler_address] if cluster else []
        before = _cpu(cluster)
        ended = carry_out([sys.executable, *program, "extract", *where, *spread], _environment())
        took = Took(_seconds(ended, load), ended.cpu, _cpu(cluster) - before, ended.peak)
        shutil.rmtree(room)
        return took


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller cases, one round")
    quick = parser.parse_args().quick
    rounds = 1 if quick else 3
    light = Load("2 KiB, gzipped", 300 if quick else 1_500, 2 * 2**10)
    heavy = Load("4 MiB, gzipped", 16 if quick else 48, 4 * 2**20)
    load = os.getloadavg()[0]
    with _scene() as scene:
        blocks = {"machine": report.machine(scene.folder, rounds, load, quick=quick)}
        measured = {each: _knee(scene, each, rounds) for each in (heavy, light)}
        blocks["knee"] = "\n\n".join(_table(each, took) for each, took in measured.items())
        blocks["batch"] = _call(scene.folder, 200 if quick else 1_000)
        blocks["batches"] = _sizes(scene, light, rounds)
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(report.rewritten(text, blocks), encoding="utf-8")


def _knee(scene: Scene, load: Load, rounds: int) -> dict[str, list[Took]]:
    """Extract on threads and on each cluster in turn, as often as there are rounds."""
    found: dict[str, list[Took]] = {"threads": [scene.extract(load) for _ in range(rounds)]}
    for workers in CLUSTERS:
        with _cluster(workers) as cluster:
            scene.extract(load, cluster)  # what the workers load once is no cost of a run
            name = f"{workers} worker process{'es' if workers > 1 else ''}"
            found[name] = [scene.extract(load, cluster) for _ in range(rounds)]
    for name, took in found.items():
        _say(f"{load.name}, {name}: {_spread(took, lambda each: each.seconds):.2f} s")
    return found


def _table(load: Load, found: dict[str, list[Took]]) -> str:
    head = ["", "run (s)", "requests/s", "gain over 1", "CPU of driver (s)", "of workers (s)"]
    head += ["driver's peak (MiB)"]
    alone = statistics.median(took.seconds for took in found["1 worker process"])
    rows = []
    for name, took in found.items():
        seconds = statistics.median(each.seconds for each in took)
        rows.append(
            [
                name,
                f"{_spread(took, lambda each: each.seconds):.2f}",
                f"{(load.count + 1) / seconds:,.0f}",
                f"{alone / seconds:.2f}",
                f"{_spread(took, lambda each: each.driver_cpu):.2f}",
                f"{_spread(took, lambda each: each.workers_cpu):.2f}",
                f"{_spread(took, lambda each: each.peak):.0f}",
            ]
        )
    return f"**{load.count:,} answers of {load.name}**\n\n{report.table(head, rows)}"


def _sizes(scene: Scene, load: Load, rounds: int) -> str:
    """Extract with batches of several sizes on two workers."""
    rows = []
    with _cluster(2) as cluster:
        scene.extract(load, cluster)
        for most in BATCHES:
            took = [scene.extract(load, cluster, most) for _ in range(rounds)]
            seconds = statistics.median(each.seconds for each in took)
            both = [each.driver_cpu + each.workers_cpu for each in took]
            each_ms = statistics.median(both) / (load.count + 1) * 1000
            _say(f"batches of {most}: {seconds:.2f} s")
            rows.append([f"{most}", f"{(load.count + 1) / seconds:,.0f}", f"{each_ms:.2f}"])
    head = ["tries in a batch, at most", "requests/s", "CPU of driver and workers a request (ms)"]
    return report.table(head, rows)


def _call(folder: Path, calls: int) -> str:
    """Tell what it costs to hand a batch over, without what is in it."""
    from ashore.catalog_file import read_catalog  # noqa: PLC0415
    from ashore.crew import Order  # noqa: PLC0415 - what is measured, and not what measures
    from ashore.folder import Folder  # noqa: PLC0415
    from ashore.naming import Day  # noqa: PLC0415
    from ashore.store import Body  # noqa: PLC0415
    from ashore.workforce import Workforce  # noqa: PLC0415 - as below

    source = next(iter(read_catalog(None).sources.values()))
    day, place = Day(source.name, dt.date(2026, 1, 1)), folder / "calls"
    store = Folder(place)
    store.prepare()
    store.create(f"{day.run('run')}started.json", Body.of(b"{}"))
    order = Order(source, day, str(place), "run", 600.0, {})
    with _cluster(1) as cluster, _DASK.Client(cluster) as client:
        crew = Workforce(client, "local", order, time.monotonic() + 600)
        took = []
        began, cpu = time.monotonic(), time.process_time()
        for _ in range(calls):
            start = time.perf_counter()
            crew.attempt([], 1)
            took.append((time.perf_counter() - start) * 1000)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        crew.close()
    rows = [
        ["there and back, one after the other (ms)", f"{statistics.median(took):.2f}"],
        ["CPU of driver and scheduler for one (ms)", f"{cpu / calls * 1000:.2f}"],
        ["batches a second, one after the other", f"{calls / wall:,.0f}"],
    ]
    return report.table(["an empty batch", ""], rows)


def _spread(took: Sequence[Took], figure: Callable[[Took], float]) -> Spread:
    return Spread.of([figure(each) for each in took])


def _seconds(ended: Ended, load: Load) -> float:
    """How long the run itself took, without the program's start."""
    told = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    run: dict[str, Any] = next((line for line in told if line["event"] == "run_ended"), {})
    if ended.status or run["requests"] != load.count + 1:
        raise SystemExit(f"the extraction failed:\n{ended.stderr}")
    return float(run["seconds"])


def _cpu(cluster: Any) -> float:  # noqa: ANN401
    if cluster is None:
        return 0.0
    times = [psutil.Process(w.pid).cpu_times() for w in cluster.workers.values()]
    return float(sum(each.user + each.system for each in times))


def _environment() -> dict[str, str]:
    return {n: v for n, v in os.environ.items() if not n.startswith(("ASHORE_", "AWS_"))}


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    with _DASK.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        yield cluster


@contextlib.contextmanager
def _scene() -> Iterator[Scene]:
    command = [sys.executable, str(_HERE / "scale_server.py")]
    with (
        tempfile.TemporaryDirectory(prefix="scale-") as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            yield Scene(int(server.stdout.readline()), Path(folder))
        finally:
            server.terminate()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
