"""The power goes, and what it costs to be ready for that: rows of the fault matrix."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.chaos import moments, shelves
from tests.chaos.kills import completes
from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.shelves import ALL
from tests.chaos.world import Ran, World
from tests.support import trace
from tests.support.power import Disk, File, Folder, Node
from tests.support.process import Running, environment

OBJECTS = 300
FLUSHES = 100
IN_TURN = 3
"""How often a round runs with flushes and without."""
NO_FLUSH = "import os\nos.fsync = lambda descriptor: None\n"


def traced(world: World, file: Path, **more: str) -> Ran:
    """Extract, and write a trace of what was asked of the disk."""
    arguments = world.arguments()
    command = trace.traced([sys.executable, "-m", "ashore", *arguments], file)
    before = len(world.api.calls)
    variables = environment({**world.environment, **more})
    with Running(command, variables, world.folder) as running:
        return world.keep(arguments, running.finish(), before)


def killed_and_traced(world: World, file: Path) -> Ran:
    """The same, but for a SIGKILL at one of the operations on the disk."""
    number = world.chance.randint(100, moments.OPERATIONS[False])
    code = moments.AT_OPERATION.format(number=number, since="", signal=signal.SIGKILL)
    return traced(world, file, PYTHONPATH=world.double(code))


@dataclass(frozen=True, slots=True)
class Remains:
    """What a loss of power left: names of folders, and of files with the bytes that are certain."""

    folders: list[str]
    files: dict[str, tuple[File, int]]


def lose_power(world: World, disk: Disk) -> Remains:
    """Keep what is certain, and of the rest all, none or some; assert what a manifest promises."""
    by_chance = world.chance.choice((0.0, 0.5, 1.0))
    left = disk.lose_power(lambda: world.chance.random() < by_chance)
    stated = f"{world.to}/manifests/extraction_date={world.date}/source=shop/manifest.json"
    if stated in left:
        wanting = [name for name in world.truth if not is_whole(left.get(raw(world, name)))]
        assert not wanting, f"a manifest stands without {wanting}"
        runs = [path for path in left if "/runs/" in path and is_whole(left[path])]
        for name in ("receipts.jsonl", "SHA256SUMS"):
            assert any(path.endswith(name) for path in runs), f"a manifest stands without {name}"
    folders = [path for path, node in left.items() if isinstance(node, Folder)]
    files = {path: (node, node.bytes) for path, node in left.items() if isinstance(node, File)}
    return Remains(folders, files)


def raw(world: World, name: str) -> str:
    """Where an object lies."""
    return f"{world.to}/raw/extraction_date={world.date}/source=shop/endpoint={name}"


def is_whole(node: Node | None) -> bool:
    """Whether a file is there, and all that was written to it is certain."""
    return isinstance(node, File) and node.is_flushed


def restore(world: World, remains: Remains, disk: Disk) -> None:
    """Make what was left a location of its own, and go on there; lost bytes are zeros by chance."""
    paths = {id(node): path for path, node in disk.nodes.items()}
    top, after = Path(world.to).parent, world.folder / "after"
    for folder in remains.folders:
        (after / Path(folder).relative_to(top)).mkdir(parents=True)
    for path, (node, certain) in remains.files.items():
        there = paths.get(id(node))
        whole = Path(there).read_bytes() if there else bytes(sum(node.pieces))
        lost = len(whole) - certain
        body = whole[:certain] + bytes(world.chance.choice((0, lost)))
        (after / Path(path).relative_to(top)).write_bytes(body)
    world.to = str(after / Path(world.to).relative_to(top))


@row(
    "kill",
    "a loss of power",
    made="the system calls of a run, or of two of which the first is killed, are traced (strace) "
    "and replayed; after each, what was not flushed is lost, all of it or some or nothing; at a "
    "random one, a run goes on in what is left",
    promised="a manifest never stands for less than its day; whatever has a name is whole, and is "
    "taken over: only what is missing is asked for",
    exits=None,
    requests=(ALL, 4 * ALL),
    rounds=10,
)
def power_goes(world: World) -> None:
    if reason := trace.why_not():
        raise CannotBeMadeError(reason)
    shelves.set_out(world)
    top = world.folder / "disk"
    top.mkdir()
    world.to = str(top / "landing")
    traces = [world.folder / "trace-1", world.folder / "trace-2"][-(world.round % 2) - 1 :]
    for file in traces[:-1]:
        killed_and_traced(world, file)
    assert traced(world, traces[-1]).status == 0
    disk = Disk(str(top))
    left = [lose_power(world, disk) for _ in disk.replay(trace.calls(traces, top))]
    restore(world, world.chance.choice(left), disk)
    completes(world)


@row(
    "kill",
    "the cost of being ready for a loss of power",
    made=f"{OBJECTS} small objects from a source that answers at once, with flushes and without "
    f"them (a double of os.fsync), in turn, {IN_TURN} times each; the quickest of each counts",
    promised="the worst case: where a source takes its time, the disk works meanwhile",
    exits=(0,) * 2 * IN_TURN,
    requests=OBJECTS * 2 * IN_TURN,
    quick=0,
    alone=True,
)
def cost_of_flushing(world: World) -> None:
    world.declare()
    world.serve(items=OBJECTS - 1, size=200)
    doubles = {"with": world.double(""), "without": world.double(NO_FLUSH)}
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(IN_TURN):
        for how, double in doubles.items():
            world.to = str(world.folder / f"landing-{how}-{number}")
            ran = world.run(*world.arguments(), timeout=90, PYTHONPATH=double)
            seconds[how].append(ran.named("run_ended")[0]["seconds"])
            world.is_whole()
    world.figures["times as long with flushes"] = min(seconds["with"]) / min(seconds["without"])
    world.figures["ms a flush alone"] = 1000 * median(flushes(world.folder))


def flushes(folder: Path) -> Iterator[float]:
    """How many seconds it takes to flush each of some small files."""
    for number in range(FLUSHES):
        with (folder / f"small-{number}").open("xb", buffering=0) as file:
            file.write(bytes(500))
            began = time.monotonic()
            os.fsync(file.fileno())
            yield time.monotonic() - began
