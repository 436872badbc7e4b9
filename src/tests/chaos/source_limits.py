"""The source misbehaves, or is large, and a run has its limits: deadlines, numbers, budgets."""

from __future__ import annotations

import datetime as dt
import threading

from tests.chaos.faulty import ALL, slowly
from tests.chaos.matrix import row
from tests.chaos.world import World, good
from tests.support.api import Call, Reply

# --- deadlines and limits


@row(
    "source",
    "the deadline passes in mid-run",
    made="each of 12 items takes 0.4 s; one worker; --deadline 2s",
    promised="ends in time; the next run asks for what is missing",
    exits=(3, 0),
    # The one under way is cut.
    requests=(ALL, ALL + 1),
)
def deadline(world: World) -> None:
    world.declare(source="workers = 1")
    world.serve()
    slowly(world, 0.4)
    ran = world.extract("--deadline", "2s")
    ends_in_time(ran.seconds, 2)
    world.is_reported("the deadline of the run has passed")
    assert 1 < ran.requests < ALL
    slowly(world, 0)
    world.goes_on()


def ends_in_time(seconds: float, deadline: float) -> None:
    assert seconds <= deadline + 15, f"ended {seconds - deadline:.1f} s after its deadline"


@row(
    "source",
    "the deadline passes while nothing answers",
    made="every item hangs, or sends a byte a second, until the next run; --deadline 2s",
    promised="what is under way is cut, and the run ends in time; the next one asks for the rest",
    exits=(3, 0),
    requests=(ALL + 1, ALL + 8),
    quick=0,
)
def deadline_in_silence(world: World) -> None:
    world.declare()
    world.serve()
    for path, name in world.items():
        world.api.on(
            path, (Reply(delay=60), Reply(body=world.truth[name], drip=1))[world.round % 2]
        )
    ran = world.extract("--deadline", "2s")
    ends_in_time(ran.seconds, 2)
    world.is_reported("the deadline of the run has passed")
    slowly(world, 0)
    world.goes_on()


@row(
    "source",
    "--max-requests is used up",
    made="12 items; --max-requests 5, twice",
    promised="not one request more; a day can be done in slices",
    exits=(3, 3, 0),
    requests=ALL,
)
def max_requests(world: World) -> None:
    world.declare()
    world.serve()
    for _ in range(2):
        ran = world.extract("--max-requests", "5")
        assert ran.requests == 5
        world.is_reported("--max-requests is used up")
    world.goes_on()


# --- budgets


BUDGET = 'budget = {{ requests = {}, per = "30d" }}'


@row(
    "source",
    "a budget that is used up",
    made="4 items, each of which fails once; a budget of 8 requests, and a larger one in the end",
    promised="not one request more over all runs, failed ones included; with the larger one, only "
    "what is missing is asked for",
    exits=(3, 3, 0),
    requests=8 + 1,
    quick=0,
)
def budget(world: World) -> None:
    world.declare(source=BUDGET.format(8))
    world.serve(items=4)
    for path, name in world.items():
        world.fault(path, [Reply(503)], name)
    used_up = "the budget of 8 requests in 30 d is used up; run again after "
    assert world.extract().requests == 8
    world.is_reported(used_up)
    assert world.extract().requests == 0
    world.is_reported(used_up)
    world.declare(source=BUDGET.format(100))
    world.goes_on()


@row(
    "source",
    "a budget that cannot carry the day",
    made="13 requests yesterday, and a budget of 20 in 30 days",
    promised="nothing is asked; says what is left and until when to wait; with a larger one, the "
    "day is whole",
    exits=(0, 2, 0),
    requests=2 * ALL,
)
def budget_too_small(world: World) -> None:
    world.declare(source=BUDGET.format(20))
    world.serve()
    today = world.date
    yesterday = dt.date.fromisoformat(today) - dt.timedelta(days=1)
    world.date = yesterday.isoformat()
    world.extract("--allow-backdate")
    world.is_whole()
    world.date = today
    ran = world.extract()
    assert ran.requests == 0
    ran.says("has 7 left, and at least 13 are needed", "wait until")
    world.declare(source=BUDGET.format(100))
    world.goes_on()


def _shared(world: World) -> None:
    world.declare(source=BUDGET.format(20))
    world.serve(items=40)
    both = threading.Barrier(2)

    def answer(call: Call) -> Reply:
        if call.number <= 2:
            both.wait(60)
        return good(world.truth["items/all.json"])

    world.api.on("/items", answer)
    arguments = world.arguments()
    with world.begin(*arguments) as one, world.begin(*arguments) as other:
        for running in (one, other):
            world.keep(arguments, running.finish(90))
    assert len(world.api.calls) == 20, f"{len(world.api.calls)} requests of a budget of 20"
    assert "the budget of 20 requests in 30 d is used up" in world.attempts()[-1]["reason"]
    world.declare(source=BUDGET.format(100))
    world.goes_on()


for s3 in (False, True):
    row(
        "source",
        f"two runs at once that share a budget, {'in S3' if s3 else 'in a folder'}",
        made="40 items; a budget of 20 requests; none is answered before both have asked; a larger "
        "budget for a third run",
        promised="20 requests of both together, counted by the source; the third run asks only for "
        "what is missing",
        exits=(3, 3, 0),
        # What both asked for at once was taken from the budget twice.
        requests=(42, 52),
        quick=0 if s3 else 1,
        s3=s3,
    )(_shared)
