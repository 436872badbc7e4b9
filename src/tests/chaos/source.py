"""The source misbehaves: rows of the fault matrix."""

from __future__ import annotations

from tests.chaos.matrix import row
from tests.chaos.world import World
from tests.support.api import Reply


@row(
    "source",
    "a burst of 503",
    made="each of 12 items answers 503 twice and then well",
    promised="every answer lands",
    exits=(0,),
    requests=1 + 12 * 3,
)
def burst(world: World) -> None:
    world.declare()
    world.serve()
    for path, name in world.items():
        world.fault(path, [Reply(503)] * 2, name)
    world.extract()
    world.is_whole()


@row(
    "source",
    "an item that is gone for good",
    made="one of 12 items answers 404, in this run and the next",
    promised="all others land, no manifest; the next run asks for that one alone",
    exits=(3, 3),
    requests=13 + 1,
)
def gone(world: World) -> None:
    world.declare()
    world.serve()
    path, name = world.chance.choice(world.items())
    world.api.on(path, Reply(404, b'{"error": "no such item"}'))
    world.extract()
    world.extract()
    world.is_partly_there(name)
