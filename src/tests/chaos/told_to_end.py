"""The run is told to end, by SIGTERM and SIGINT: rows of the fault matrix."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import moments, shelves
from tests.chaos.kills import completes, is_in_order, status_tells
from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.proxy import Proxy, hang
from tests.chaos.shelves import ALL
from tests.chaos.world import Ran, World
from tests.support.api import Call, Reply
from tests.support.process import Running, environment

STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}
IN_ORDER = 20.0
"""Seconds within which a run ends after a signal; one who starts containers gives it more."""
AT_ONCE = 2.0
SAID = {143: "terminated by a signal", 130: "interrupted by a signal"}
HANGING_DISK = """
import itertools, os, time
count, fsync = itertools.count(1), os.fsync
def hanging(descriptor):
    if next(count) >= {number}:
        open("hanging", "w").close()
        time.sleep(600)
    fsync(descriptor)
os.fsync = hanging
"""


def one_of(world: World) -> signal.Signals:
    """SIGTERM and SIGINT in turn."""
    return (signal.SIGTERM, signal.SIGINT)[world.round % 2]


def ended_in_order(world: World, ran: Ran, sent: signal.Signals, lost: int = 0) -> None:
    """Assert that a run ended as a signal asked it to, or had completed its day before.

    What it had asked for came in, but for so many answers that stayed away, and sets in part.
    """
    is_in_order(world, ran, set(), lost)
    if world.manifest() is not None:
        assert ran.status == 0, ran
        return
    assert ran.status == STATUS[sent], ran
    paths = world.everything("manifests/")
    for path in paths:
        if path.endswith("started.json"):
            assert path.replace("started", "attempt") in paths, f"{path}: no attempt"
    if paths:
        world.is_reported(SAID[ran.status], "run the same command again")


def told_at_random(world: World) -> None:
    """Tell a run to end at a random moment, and then complete the day."""
    shelves.set_out(world)
    sent = one_of(world)
    ran = moments.at_any(world, world.round // 2, sent)
    assert ran.seconds < IN_ORDER, ran
    ended_in_order(world, ran, sent)
    completes(world)


@row(
    "kill",
    "SIGTERM and SIGINT at random moments, in a folder",
    made="in turn; at a random time since the program hears signals, at a random request, or "
    "before a random system call on the location; then a run that completes",
    promised="exit 143 or 130, or 0 where the manifest stood; an attempt as soon as the run has "
    "begun; what was asked for lands, and is not asked for again, but for sets in part",
    exits=None,
    requests=(ALL, 2 * ALL),
    rounds=30,
    quick=4,
)
def told_in_a_folder(world: World) -> None:
    told_at_random(world)


@row(
    "kill",
    "SIGTERM and SIGINT at random moments, in S3",
    made="the same; instead of a system call, before or after a random request to S3",
    promised="the same",
    exits=None,
    requests=(ALL, 2 * ALL),
    rounds=12,
    s3=True,
)
def told_in_s3(world: World) -> None:
    told_at_random(world)


# --- while something hangs


def hanging(world: World) -> set[str]:
    """Let the source hang in the answers to some items; return their names."""
    ways = [Reply(delay=600), Reply(body=b" " * 10_000, drip=1)]
    names = {f"item/id=i{number}.json" for number in world.chance.sample(range(1, 21), 6)}
    way = world.chance.choice(ways)

    def answer(call: Call) -> Reply:
        return way if shelves.name_of(call) in names else shelves.answer(world, call)

    world.api.answer(answer)
    return names


def hangs(world: World, names: set[str]) -> bool:
    """Whether all workers wait for answers that do not come."""
    asked = [shelves.name_of(call) for call in world.api.calls]
    return sum(name in names for name in asked) >= shelves.WORKERS


def told_while(
    world: World,
    ready: Callable[[], bool],
    tell: Callable[[Running], None],
    within: float,
    **environment: str,
) -> Ran:
    """Begin, tell the run to end once it is ready for it, and assert how long it takes."""
    told = [0.0]

    def happens(running: Running) -> None:
        running.wait_for(ready)
        told[0] = time.monotonic()
        tell(running)

    ran = moments.begun_and(world, happens, **environment)
    seconds = time.monotonic() - told[0]
    assert seconds < within, f"it took {seconds:.1f} s"
    return ran


@row(
    "kill",
    "SIGTERM and SIGINT while the source hangs",
    made="in turn, while every worker waits for an answer that does not come, or comes a byte a "
    "second",
    promised="ends in order within 20 s; then only what is missing is asked for",
    exits=None,
    requests=(ALL, 2 * ALL),
)
def told_while_the_source_hangs(world: World) -> None:
    shelves.set_out(world)
    sent, names = one_of(world), hanging(world)
    ran = told_while(
        world, lambda: hangs(world, names), lambda running: running.kill(sent), IN_ORDER
    )
    ended_in_order(world, ran, sent, shelves.WORKERS)
    shelves.at_request(world, 0, lambda: None)
    completes(world)


@row(
    "kill",
    "SIGTERM and SIGINT while S3 hangs",
    made="in turn, while S3 answers nothing any more, from a random request on (a proxy)",
    promised="ends within 20 s and says that the location does not answer; then only what is "
    "missing is asked for",
    exits=None,
    requests=(ALL, 2 * ALL),
    quick=0,
    s3=True,
)
def told_while_s3_hangs(world: World) -> None:
    assert world.place is not None
    shelves.set_out(world)
    sent, first = one_of(world), world.chance.randint(2, 40)
    with Proxy(world.place.server.endpoint) as proxy:
        proxy.fault(hang, first=first)
        ran = told_while(
            world,
            lambda: bool(proxy.played),
            lambda running: running.kill(sent),
            IN_ORDER,
            AWS_ENDPOINT_URL=proxy.url,
        )
    assert ran.status == STATUS[sent], ran
    ran.says("did not answer in time", "run the same command again")
    is_in_order(world, ran, set())
    completes(world)


@row(
    "kill",
    "SIGTERM and SIGINT while the disk hangs",
    made="in turn, while every fsync hangs, from a random one on (a double)",
    promised="the same",
    exits=None,
    requests=(ALL, 2 * ALL),
    quick=0,
)
def told_while_the_disk_hangs(world: World) -> None:
    shelves.set_out(world)
    sent, number = one_of(world), world.chance.randint(4, 40)
    path = world.double(HANGING_DISK.format(number=number))
    hangs = world.folder / "hanging"
    ran = told_while(
        world, hangs.exists, lambda running: running.kill(sent), IN_ORDER, PYTHONPATH=path
    )
    assert ran.status == STATUS[sent], ran
    ran.says("run the same command again")
    is_in_order(world, ran, set())
    completes(world)


@row(
    "kill",
    "a second signal",
    made="SIGTERM or SIGINT while the source hangs, and half a second later any of the two again",
    promised="ends at once, with the status of the second one; `status` tells of a run that may "
    "have been killed; then only what is missing is asked for",
    exits=None,
    requests=(ALL, 2 * ALL),
)
def told_twice(world: World) -> None:
    shelves.set_out(world)
    first, second = world.chance.choices([signal.SIGTERM, signal.SIGINT], k=2)
    names = hanging(world)

    def tell(running: Running) -> None:
        running.kill(first)
        time.sleep(0.5)
        running.kill(second)

    ran = told_while(world, lambda: hangs(world, names), tell, 0.5 + AT_ONCE)
    assert ran.status == STATUS[second], ran
    is_in_order(world, ran, set())
    status_tells(world)
    shelves.at_request(world, 0, lambda: None)
    completes(world)


# --- by whom


def run_by(world: World, command: list[str], tell: Callable[[Running], None]) -> Ran:
    """Extract below another process, tell it to end while items are asked for."""
    program = [sys.executable, "-m", "ashore", *world.arguments()]
    before = len(world.api.calls)
    with Running([*command, *program], environment(world.environment), world.folder) as running:
        running.wait_for(lambda: len(world.api.calls) - before >= shelves.PAGES + 5)
        tell(running)
        return world.keep(world.arguments(), running.finish(), before)


def slowly(world: World) -> None:
    """Serve the world so slowly that a run lasts for a second or two."""
    shelves.set_out(world)

    def answer(call: Call) -> Reply:
        time.sleep(0.05)
        return shelves.answer(world, call)

    world.api.answer(answer)


@row(
    "kill",
    "Ctrl-C at a shell",
    made="SIGINT to the whole group of processes: a shell, and ashore below it",
    promised="ends in order; what was asked for lands; then only what is missing is asked for",
    exits=(130, 0),
    requests=(ALL, 2 * ALL),
)
def told_at_a_shell(world: World) -> None:
    slowly(world)
    shell = ["sh", "-c", 'trap : INT; "$@"; exit $?', "sh"]
    ran = run_by(world, shell, lambda running: os.killpg(running.pid, signal.SIGINT))
    ended_in_order(world, ran, signal.SIGINT)
    completes(world)


@row(
    "kill",
    "SIGTERM to process 1",
    made="ashore is process 1, as in a container: the kernel keeps signals from it that it does "
    "not handle (a namespace of its own: unshare)",
    promised="ends in order; what was asked for lands; then only what is missing is asked for",
    exits=(143, 0),
    requests=(ALL, 2 * ALL),
)
def told_as_process_1(world: World) -> None:
    slowly(world)
    ran = run_by(world, as_process_1(), lambda running: os.kill(child(running), signal.SIGTERM))
    ended_in_order(world, ran, signal.SIGTERM)
    completes(world)


def as_process_1() -> list[str]:
    """The command that makes another one process 1."""
    command = ["unshare", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        command.insert(1, "--map-root-user")
    tried = shutil.which("unshare") and subprocess.run([*command, "true"], check=False)
    if not tried or tried.returncode:
        raise CannotBeMadeError("there is no unshare, or it may not make a namespace")
    return command


def child(running: Running) -> int:
    """The one process below another one."""
    return int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text())
