"""The run is killed: rows of the fault matrix."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from tests.chaos import moments, shelves
from tests.chaos.matrix import row
from tests.chaos.shelves import ALL, PAGES, WORKERS, partly, set_of
from tests.chaos.world import SOURCE, Ran, World

SETS_AT_ONCE = 2 * WORKERS
"""Sets of several pages that may be under way at once: one at work and one at hand a worker."""
LANDING, CLOSING = 25, 69
"""System calls on a folder from the first page of the listing to its last one; and from the
receipts to the end."""


# --- what every run leaves that was killed or told to end


def asked(world: World, ran: Ran) -> list[str]:
    """The names of all that the latest run asked for."""
    return [shelves.name_of(call) for call in world.api.calls[ran.first :]]


def is_in_order(world: World, ran: Ran, before: set[str], most_lost: int = WORKERS) -> set[str]:
    """Assert that a run that did not end by itself asked for little, and left nothing by halves.

    Return the names of what landed; `before` are those that had landed when it began. Of answers
    that are a set by themselves only so many may have been asked for in vain.
    """
    if ran.status == -signal.SIGKILL:
        world.api.settle()
    there = set(world.landed())
    if world.manifest() is None:
        world.is_not_stated()
    else:
        assert there == set(world.truth)
    nothing_else_lies_there(world)
    names = asked(world, ran)
    assert len(names) == len(set(names)), "something was asked for twice"
    assert set(names) <= partly(world.truth, before), "what had landed was asked for"
    lost = {set_of(name) for name in partly(names, there)}
    singles = {each for each in lost if each in world.truth}
    assert len(singles) <= most_lost, f"{len(singles)} answers were asked for in vain"
    assert len(lost - singles) <= SETS_AT_ONCE, f"{len(lost - singles)} sets were under way"
    return there


def nothing_else_lies_there(world: World) -> None:
    """Assert that a location holds nothing that the reference does not know."""
    stated = f"manifests/extraction_date={world.date}/source={SOURCE}"
    known = (f"{stated}/runs/", f"{stated}/manifest.json", ".ashore/metadata/")
    for path in world.everything():
        assert path.startswith(("raw/", ".ashore/temporary/", *known)), f"{path} was left behind"


def status_tells(world: World) -> None:
    """Assert that `status` says how it stands with a day whose run was killed."""
    shown = world.look("status", SOURCE, "--to", world.to, "--json")
    paths = world.everything()
    if not paths:
        return  # the run was killed before it made anything
    assert shown.status == 0, shown
    today = json.loads(shown.out)["days"][-1]
    if world.manifest() is not None:
        assert today["state"] == "complete", today
    elif any(path.endswith("started.json") for path in paths):
        assert today["state"] == "incomplete", today
        assert "under way, or was killed" in today["said"], today
    else:
        assert today["state"] in ("missing", "not yet due"), today


def completes(world: World) -> None:
    """Run to the end: only what had not landed is asked for, and the day is whole."""
    stated, there = world.manifest() is not None, set(world.landed())
    ran = world.extract()
    assert ran.status == 0, ran
    world.is_whole()
    if stated:
        assert ran.requests == 0, "a complete day was asked for again"
        return
    adopted = {name for name, each in shelves.receipts(world).items() if each["adopted"]}
    assert there <= adopted, "what had landed was not adopted"
    assert sorted(asked(world, ran)) == sorted(partly(world.truth, adopted))


# --- killed


def killed(world: World) -> None:
    """Kill at random moments, once or several times in a row, and then complete."""
    shelves.set_out(world)
    there: set[str] = set()
    for number in range(world.chance.choice((1, 1, 1, 1, 2, 4))):
        ran = moments.at_any(world, world.round + number)
        there = is_in_order(world, ran, there)
        if world.manifest() is not None:
            break
    status_tells(world)
    completes(world)


@row(
    "kill",
    "SIGKILL at random moments, in a folder",
    made="one to four kills in a row, each at a random time from start-up to the end, at a random "
    "request, or just before a random system call on the location; then a run that completes",
    promised="all that has a name is whole; no manifest before all is there; `status` tells; what "
    "landed is not asked for again, but for sets that landed in part, as a whole; answers lost: "
    "at most one a worker, and the sets under way",
    exits=None,
    requests=(ALL, 3 * ALL),
    rounds=150,
    quick=8,
)
def killed_in_a_folder(world: World) -> None:
    killed(world)


@row(
    "kill",
    "SIGKILL at random moments, in S3",
    made="the same, but for the system call: just before or after a random request to S3",
    promised="the same",
    exits=None,
    requests=(ALL, 3 * ALL),
    rounds=30,
    quick=2,
    s3=True,
)
def killed_in_s3(world: World) -> None:
    killed(world)


@row(
    "kill",
    "SIGKILL while the pages of a set land, in a folder",
    made="just before each system call between the landing of the first of four pages and of the "
    "last",
    promised="the pages that landed stay, and the set is fetched again as a whole, once",
    exits=(-signal.SIGKILL, 0),
    requests=ALL + PAGES,
    rounds=LANDING,
    quick=2,
)
def killed_in_a_set(world: World) -> None:
    shelves.set_out(world)
    number = 1 + world.round * 7 % LANDING
    ran = moments.at_operation(world, number, since="items/page=1.json")
    there = is_in_order(world, ran, set())
    assert len(there) < PAGES, there
    status_tells(world)
    completes(world)


@row(
    "kill",
    "SIGKILL between the receipts and the end, in a folder",
    made="just before every other one of the system calls that follow the first on the receipts",
    promised="no manifest before all is flushed; nothing at all is asked for again",
    exits=(-signal.SIGKILL, 0),
    requests=1 + 3,
    rounds=CLOSING // 2 + 1,
    quick=3,
)
def killed_in_closing(world: World) -> None:
    world.declare()
    world.serve(items=3)
    number = 1 + world.round * 14 % CLOSING
    moments.at_operation(world, number, since="receipts.jsonl")
    assert set(world.landed()) == set(world.truth)
    status_tells(world)
    completes(world)


@row(
    "kill",
    "SIGKILL while a set or the manifest is written, in S3",
    made="before or after each PUT of the four pages of a set, or of receipts, sums and manifest",
    promised="what S3 took stays; a set that landed in part is fetched again as a whole, once",
    exits=(-signal.SIGKILL, 0),
    requests=(ALL, ALL + PAGES),
    rounds=14,
    s3=True,
)
def killed_at_a_put(world: World) -> None:
    shelves.set_out(world)
    stretches = [("items/page=1.json", n) for n in range(1, 5)]
    stretches += [("receipts.jsonl", n) for n in range(1, 4)]
    since, number = stretches[world.round % len(stretches)]
    ran = moments.at_operation(world, number, since)
    is_in_order(world, ran, set())
    status_tells(world)
    completes(world)


@row(
    "kill",
    "what a killed run leaves behind",
    made="SIGKILL while a body is written aside; the temporary file is made to look two days old",
    promised="a temporary file below .ashore/ and nothing else; the next run removes it",
    exits=(-signal.SIGKILL, 0),
    requests=(ALL, ALL + WORKERS),
)
def left_behind(world: World) -> None:
    shelves.set_out(world)
    moments.at_operation(world, 1, since="item/id=i2.json")
    world.api.settle()
    left = list((Path(world.to) / ".ashore/temporary").iterdir())
    assert left, "nothing was left"
    long_ago = time.time() - 2 * 86_400
    for file in left:
        os.utime(file, (long_ago, long_ago))
    completes(world)
    assert not [file for file in left if file.exists()]
