"""What is measured: cases in rounds, reading back, the start of the program, growth, resuming."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from counting import Counting
from figures import Bar, Case, Measured, Run, Spread, peak, wall
from process import cpu_seconds
from stage import Stage

MISSING = 10
"""How many answers, the last ones by name, a day lacks that is to be resumed."""
_A_MINUTE = 60.0
_MUCH = 2**26  # bytes, of which no more is kept than is needed
VERSION = "`ashore --version`, wall (s)"
FIRSTS = {
    "CPU before the first request, into a folder (s)": "folder",
    "CPU before the first request, into S3 (s)": "s3",
}


@dataclass(frozen=True, slots=True)
class Resumed:
    """A day of which all but a few answers had landed, gone on with."""

    case: Case
    run: Run
    calls: Counter[str]
    """The calls to S3 by kind; empty for a folder."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The same, larger and larger: one run of each contender for each size."""

    sizes: list[Measured]
    resumed: Resumed
    calls: list[Counter[str]]
    """Ashore's calls to S3 by kind, a count for each size; empty for a folder."""
    verified: Measured | None = None


def in_rounds(stage: Stage, case: Case, rounds: int) -> Measured:
    """Run all contenders in turn, so many times, the order turned round each time."""
    contenders: list[Callable[[Case], Run]] = [stage.limit, stage.floor, stage.ashore]
    if case.rate:
        contenders.remove(stage.floor)  # it keeps no pace
    measured = Measured(case, {each.__name__: [] for each in contenders})
    for number in range(rounds):
        for contender in contenders[:: -1 if number % 2 else 1]:
            run = contender(case)
            measured.runs[contender.__name__].append(run)
            if number and run.location.startswith("/") and case.size * case.count > _MUCH:
                shutil.rmtree(run.location)
    return measured


def verify(stage: Stage, landed: Measured, rounds: int) -> Measured:
    """Read a day back with ``ashore verify``, and with ``sha256sum`` over the same files."""
    location = landed.runs["ashore"][0].location
    (sums,) = Path(location).rglob("SHA256SUMS")
    program = ["sha256sum"] if shutil.which("sha256sum") else ["shasum", "-a", "256"]
    commands = {
        "sha256sum": [*program, "-c", str(sums)],
        "ashore": [sys.executable, "-m", "ashore", "verify", "--to", location],
    }
    measured = Measured(landed.case, {name: [] for name in commands})
    for _ in range(rounds):
        for name, command in commands.items():
            ended = stage.carry_out(command, Path(location))
            run = Run(ended.wall, ended.cpu, ended.peak, status=ended.status)
            measured.runs[name].append(run)
    return measured


def starts(stage: Stage, times: int) -> dict[str, Spread]:
    """Measure how long it takes until something happens."""
    program = str(Path(sys.executable).with_name("ashore"))
    commands = {
        "`python -c pass`, wall (s)": [sys.executable, "-c", "pass"],
        "`python -c 'import requests'`, wall (s)": [sys.executable, "-c", "import requests"],
        VERSION: [program, "--version"],
    }
    took = {
        name: Spread.of([stage.carry_out(command).wall for _ in range(times)])
        for name, command in commands.items()
    }
    stores = {name: store for name, store in FIRSTS.items() if store == "folder" or stage.store}
    for name, store in stores.items():
        took[name] = Spread.of([_before_first(stage, store) for _ in range(times)])
    return took


def _before_first(stage: Stage, store: str) -> float:
    """The CPU seconds that ``extract`` has used when its first request is out, unanswered."""
    case, room = Case(1, latency_ms=60_000, store=store), stage.room()
    command = [*stage.extract(case, room), "--to", stage.location(case, room)]
    stage.figures()
    with subprocess.Popen(
        command, env=stage.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until = time.monotonic() + _A_MINUTE
            while not stage.figures()["requests"] and time.monotonic() < until:
                time.sleep(0.01)
            return cpu_seconds(process.pid)
        finally:
            process.kill()


def growth(stage: Stage, cases: Sequence[Case]) -> Growth:
    """Run larger and larger cases once each, then resume the largest."""
    sizes, calls = list[Measured](), list[Counter[str]]()
    for case in cases:
        runs = {"floor": [stage.floor(case)]}
        with _counted(stage, case) as (counting, counted):
            runs["ashore"] = [counting.ashore(case)]
        sizes.append(Measured(case, runs))
        calls.append(counted)
    verified = verify(stage, sizes[-1], 1) if cases[-1].store == "folder" else None
    location = sizes[-1].runs["ashore"][0].location
    return Growth(sizes, _resume(stage, cases[-1], location), calls, verified)


def _resume(stage: Stage, case: Case, location: str) -> Resumed:
    """Go on with a day whose last answers, and whose manifest, are not there."""
    left = int(stage.landed("undo", str(MISSING), location))
    with _counted(stage, case) as (counting, calls):
        command = [*counting.extract(case, stage.room()), "--to", location]
        return Resumed(replace(case, landed=left), counting.run(command, case, location), calls)


@contextlib.contextmanager
def _counted(stage: Stage, case: Case) -> Iterator[tuple[Stage, Counter[str]]]:
    """A stage whose S3 server is behind a proxy that counts; of a folder nothing is counted."""
    if case.store == "folder":
        yield stage, Counter()
        return
    with Counting(stage.aws["AWS_ENDPOINT_URL"]) as counting:
        before = {"AWS_ENDPOINT_URL": counting.endpoint}
        yield replace(stage, before=before), counting.calls


def bars_of_start(took: dict[str, Spread]) -> list[Bar]:
    """The bars of the program's start."""
    bars = [Bar(VERSION, took[VERSION], 0.25, " s")]
    return bars + [Bar(name, took[name], 0.6, " s") for name in FIRSTS if name in took]


def bars_of_verify(verified: Sequence[Measured]) -> list[Bar]:
    """The bars of reading back: its speed as a share of that of ``sha256sum``."""
    ratio = partial(Measured.ratio, figure=wall, over="sha256sum", under="ashore")
    return [
        Bar(f"verify {each.case.shape}: speed ÷ `sha256sum`'s", ratio(each), 0.7, least=True)
        for each in verified
    ]


def bars_of_growth(grown: Growth, seconds: float) -> list[Bar]:
    """The bars of memory that stays flat, of the first request of a resume, of calls to S3."""
    first, last = grown.sizes[0], grown.sizes[-1]
    ratio = Spread.of([peak(last.runs["ashore"][0]) / peak(first.runs["ashore"][0])])
    where = "into S3" if first.case.store == "s3" else "into a folder"
    few, many = f"{first.case.count:,}", f"{last.case.count:,}"
    begun = Spread.of([grown.resumed.run.first])
    bars = [
        Bar(f"peak memory {where}: {many} ÷ {few} requests", ratio, 1.15),
        Bar(f"first request of a resume of {many} {where}", begun, seconds, " s"),
    ]
    return bars + (_bars_of_calls(grown) if grown.resumed.calls else [])


def _bars_of_calls(grown: Growth) -> list[Bar]:
    puts = [calls["PUT a body"] / each.case.count for each, calls in _with_calls(grown)]
    others = [_others(calls) for calls in grown.calls]
    got = float(grown.resumed.calls["GET a body"])
    return [
        Bar("PUTs an answer into S3", Spread.of(puts), 1.0),
        Bar(
            "other calls to S3 but listings: most less fewest over all sizes",
            Spread.of([float(max(others) - min(others))]),
            0.0,
        ),
        Bar("GETs of bodies in a resume in S3", Spread.of([got]), 0.0),
    ]


def _with_calls(grown: Growth) -> Iterator[tuple[Measured, Counter[str]]]:
    return zip(grown.sizes, grown.calls, strict=True)


def _others(calls: Counter[str]) -> int:
    return sum(calls.values()) - calls["PUT a body"] - calls["list objects"]
