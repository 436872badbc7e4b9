"""How a run is killed, or told to end, at a moment of which chance has the choice."""

from __future__ import annotations

import functools
import itertools
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import shelves
from tests.chaos.proxy import Answered, Asked, Proxy
from tests.chaos.shelves import ALL
from tests.chaos.world import Place, Ran, World
from tests.support.process import Running

OPERATIONS = {False: 480, True: 48}
"""About how often a run of the whole world calls upon the disk, or upon S3."""
AT_OPERATION = """
import itertools, os, threading
lock, count, begun = threading.Lock(), itertools.count(1), []
def watched(operation):
    def counted(*arguments, **more):
        with lock:
            if not begun and "{since}" in str(arguments):
                begun.append(True)
            if begun and next(count) == {number}:
                os.kill(os.getpid(), {signal:d})
        return operation(*arguments, **more)
    return counted
for name in ("fsync", "link", "mkdir", "open", "unlink", "write"):
    setattr(os, name, watched(getattr(os, name)))
"""
CALIBRATION = threading.Lock()


def begun_and(world: World, happens: Callable[[Running], object], **environment: str) -> Ran:
    """Begin an extraction, let something happen to it, and keep how it ended."""
    before = len(world.api.calls)
    arguments = world.arguments()
    with world.begin(*arguments, **environment) as running:
        happens(running)
        return world.keep(arguments, running.finish(), before)


def at_any(world: World, number: int, sent: signal.Signals = signal.SIGKILL) -> Ran:
    """Send a signal at a moment of a kind that goes by the number."""
    return (at_a_time, at_a_request, at_an_operation)[number % 3](world, sent)


def at_a_time(world: World, sent: signal.Signals) -> Ran:
    """Send a signal at any time of a run's life, its start-up and its end included.

    One that a run can hear comes when it can: a process whose Python has not begun knows none.
    """
    moment = world.chance.uniform(0, life(world.place))

    def happens(running: Running) -> None:
        if sent is not signal.SIGKILL:
            running.wait_for(lambda: hears(running.pid))
        time.sleep(moment)
        running.kill(sent)

    return begun_and(world, happens)


def at_a_request(world: World, sent: signal.Signals) -> Ran:
    """Send a signal when the source sees any one of the requests, before it answers."""
    number = world.chance.randint(1, ALL)

    def happens(running: Running) -> None:
        shelves.at_request(world, number, lambda: running.kill(sent))

    return begun_and(world, happens)


def at_an_operation(world: World, sent: signal.Signals) -> Ran:
    """Send a signal before or after any one of the operations on the location."""
    number = world.chance.randint(1, OPERATIONS[world.place is not None])
    return at_operation(world, number, sent=sent)


def at_operation(
    world: World, number: int, since: str = "", sent: signal.Signals = signal.SIGKILL
) -> Ran:
    """Send a signal at an operation on the location: the n-th since the first on some path."""
    if world.place is not None:
        return at_s3_operation(world, world.place, number, since, sent)
    code = AT_OPERATION.format(number=number, since=since, signal=sent)
    return begun_and(world, lambda _: None, PYTHONPATH=world.double(code))


def at_s3_operation(
    world: World, place: Place, number: int, since: str, sent: signal.Signals
) -> Ran:
    """Send a signal at a request to S3: before it is handed on, or after it was answered."""
    running: list[Running] = []
    count, begun = itertools.count(1), threading.Event()
    done = world.chance.random() < 0.5

    def play(proxy: Proxy, asked: Asked) -> Answered | None:
        if since in asked.key:
            begun.set()
        if not begun.is_set() or next(count) != number:
            return proxy.forward(asked)
        answered = proxy.forward(asked) if done else None
        running[0].kill(sent)
        return answered or proxy.forward(asked)

    with Proxy(place.server.endpoint) as proxy:
        proxy.fault(play)
        return begun_and(world, running.append, AWS_ENDPOINT_URL=proxy.url)


def hears(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM: see proc_pid_status(5)."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def life(place: Place | None) -> float:
    """How many seconds a run of the whole world takes."""
    with CALIBRATION:
        return _life(place)


@functools.cache
def _life(place: Place | None) -> float:
    with World(place, random.Random(0)) as world:  # noqa: S311 - bodies to land
        shelves.set_out(world)
        return world.extract().seconds
