"""The source is dead, or dies in mid-run: rows of the fault matrix."""

from __future__ import annotations

import time
from functools import partial

from tests.chaos.faulty import all_well, every_item
from tests.chaos.matrix import row
from tests.chaos.world import World, good
from tests.support.api import Call, Reply

ITEMS = 200
BREAKER = 10
ATTEMPTS = 5
BRIEF = 'retry = { attempts = 5, max_wait = "100ms" }'
WAYS = (Reply(503), Reply(500), Reply(429), Reply(reset=True), Reply(raw=b""))


def at_most(workers: int, attempts: int = ATTEMPTS) -> int:
    """How many requests a dead source sees, as docs/reliability.md states."""
    return max(BREAKER, 2 * workers) * attempts


def _down(workers: int, world: World) -> None:
    world.declare(source=f"workers = {workers}", retry=BRIEF)
    world.serve(ITEMS)
    every_item(world, WAYS[world.round % len(WAYS)])
    ran = world.extract()
    assert ran.requests - 1 <= at_most(workers), f"{ran.requests - 1} requests"
    world.is_reported("10 requests in a row failed for good; the source seems to be down")
    all_well(world)
    world.goes_on()


for workers in (1, 2, 4, 8, 32):
    row(
        "source",
        f"a source that is down, asked by {workers} workers",
        made="after the listing, each of 200 items answers 5xx or 429, resets or hangs up, until "
        "the next run",
        promised=f"the breaker ends the run after {at_most(workers)} requests for items at most; "
        "the next one asks for what is missing",
        exits=(3, 0),
        requests=(1 + BREAKER * ATTEMPTS + ITEMS, 1 + at_most(workers) + ITEMS),
        quick=1 if workers == 8 else 0,
    )(partial(_down, workers))


def lost(world: World, words: str) -> int:
    """Assert that the breaker ended the run; return how many requests it sent."""
    attempt = world.is_reported("10 requests in a row failed for good", words)
    sent: int = attempt["requests"]["sent"]
    return sent


@row(
    "source",
    "a source that refuses every connection",
    made="its listing landed before; nobody listens at its port until the next run; 200 items",
    promised=f"the breaker ends the run after {at_most(8)} requests at most; the next one asks for "
    "what is missing",
    exits=(3, 3, 0),
    requests=1 + ITEMS,
)
def refusing(world: World) -> None:
    world.declare(retry=BRIEF)
    world.serve(ITEMS)
    world.extract("--max-requests", "1")
    with world.api.refusing():
        world.extract()
    assert lost(world, "the first: the connection was refused") <= at_most(8)
    world.goes_on()


READ = 0.3
HANGING = 'retry = { attempts = 3, max_wait = "100ms" }'


@row(
    "source",
    "a source that lets everything hang",
    made="its listing landed before; each of 200 items says nothing until the next run; "
    "timeout.read is 0.3 s; 8, 2 or 1 workers",
    promised=f"the breaker ends the run after {at_most(8, 3)} requests at most, and in the time "
    "that was stated; the next one asks for what is missing",
    exits=(3, 3, 0),
    requests=(1 + BREAKER * 3 + ITEMS, 1 + at_most(8, 3) + ITEMS),
)
def hanging(world: World) -> None:
    workers = (1, 8, 2)[world.round % 3]
    world.serve(ITEMS)
    world.declare()
    world.extract("--max-requests", "1")
    every_item(world, Reply(delay=60))
    source = f'workers = {workers}\ntimeout = {{ read = "{READ * 1000:.0f}ms" }}'
    world.declare(source=source, retry=HANGING)
    world.extract()
    (ended,) = world.runs[-1].named("run_ended")
    assert lost(world, "no byte within timeout.read") <= at_most(workers, 3)
    time_outs = 3 * max(2, BREAKER / workers) * READ
    assert ended["seconds"] < time_outs + 5, f"{time_outs:.1f} s of time-outs, {ended['seconds']} s"
    all_well(world)
    world.declare()
    world.goes_on()


@row(
    "source",
    "a source that is down, with the waits of the defaults",
    made="after the listing, each of 200 items answers 5xx or 429, resets or hangs up, until the "
    "next run; 8 workers; no retry in the catalog",
    promised=f"the breaker ends the run in about 20 s, after {at_most(8)} requests for items at "
    "most; the next one asks for what is missing",
    exits=(3, 0),
    requests=(1 + BREAKER * ATTEMPTS + ITEMS, 1 + at_most(8) + ITEMS),
    quick=0,
)
def down_by_default(world: World) -> None:
    world.declare(retry="")
    world.serve(ITEMS)
    every_item(world, WAYS[world.round % len(WAYS)])
    world.extract()
    (ended,) = world.runs[-1].named("run_ended")
    assert lost(world, "the source seems to be down") - 1 <= at_most(8)
    assert 15 <= ended["seconds"] <= 30, f"{ended['seconds']} s"
    all_well(world)
    world.goes_on()


@row(
    "source",
    "a source that dies in mid-run, and comes back",
    made="from the 60th request on, everything answers 5xx or 429, resets or hangs up, until the "
    "next run; 200 items",
    promised="what was answered landed; the breaker ends the run; the next one goes on",
    exits=(3, 0),
    requests=(1 + ITEMS + BREAKER * ATTEMPTS, 1 + ITEMS + at_most(8)),
    s3=True,
)
def dies(world: World) -> None:
    world.declare(retry=BRIEF)
    world.serve(ITEMS)
    well = {path: good(world.truth[name]) for path, name in world.items()}

    def answer(call: Call) -> Reply:
        dead = world.api.calls.index(call) >= 59
        return WAYS[world.round % len(WAYS)] if dead else well[call.path]

    for path in well:
        world.api.on(path, answer)
    world.extract()
    lost(world, "the source seems to be down")
    assert len(world.landed()) == 59
    all_well(world)
    world.goes_on()


@row(
    "source",
    "a source that refuses connections in mid-run, and listens again",
    made="its port is closed once 50 requests came, and opened again 1 s later; 200 items; tries "
    "for 3 s",
    promised="every answer lands, some of them in a later try",
    exits=(0,),
    requests=(1 + ITEMS, 1 + ITEMS + 16),
)
def away_for_a_moment(world: World) -> None:
    world.declare(retry='retry = { attempts = 9, max_wait = "500ms" }')
    world.serve(ITEMS)
    with world.begin(*world.arguments()) as running:
        running.wait_for(lambda: len(world.api.calls) > 50)
        with world.api.refusing():
            time.sleep(1)
        ran = world.keep(world.arguments(), running.finish(90))
    assert ran.named("tried_again"), "nothing was refused"
    world.is_whole()
