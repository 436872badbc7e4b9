"""Rounds of a source that misbehaves, in the shapes that many of its faults share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from tests.chaos.matrix import row
from tests.chaos.world import SWIFT, World
from tests.support.api import Reply

ALL = 13
"""Requests of a day without faults: a listing and 12 items."""
TRIES = 3
"""Of each request in a run, as the catalog has it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to answer a request for an item that is no answer."""

    name: str
    made: str
    """What an item does, after `one of 12 items`."""
    reply: Callable[[bytes, World], Reply]
    """Made of the body that the item should have sent."""
    reason: str
    """What the reader is told of it."""
    source: str = ""
    """More keys of the source in the catalog."""
    retry: str = SWIFT
    quick: int = 1
    s3: bool = False


def tried_again(faults: Iterable[Fault]) -> None:
    """Enter faults after which the same is asked once more."""
    for fault in faults:
        row(
            "source",
            fault.name,
            made=f"one of 12 items {fault.made}, twice; another one does until the next run",
            promised=f"the first one lands; the other is lost after {TRIES} tries, and alone asked "
            "for by the next run",
            exits=(3, 0),
            requests=ALL + 2 + 2 + 1,
            quick=fault.quick,
            s3=fault.s3,
        )(partial(_passing_and_lasting, fault))


def final(faults: Iterable[Fault]) -> None:
    """Enter faults after which there is no point in asking once more."""
    for fault in faults:
        row(
            "source",
            fault.name,
            made=f"one of 12 items {fault.made}, until the next run",
            promised="it is not tried again; all others land; the next run asks for it alone",
            exits=(3, 0),
            requests=ALL + 1,
            quick=fault.quick,
            s3=fault.s3,
        )(partial(_lasting, fault))


def _passing_and_lasting(fault: Fault, world: World) -> None:
    (path, name), other = world.chance.sample(_set_out(fault, world), 2)
    world.fault(path, [fault.reply(world.truth[name], world) for _ in range(2)], name)
    loses_one(world, *other, fault, tries=TRIES)
    assert len(world.runs[0].named("tried_again")) == 2 + TRIES - 1


def _lasting(fault: Fault, world: World) -> None:
    loses_one(world, *world.chance.choice(_set_out(fault, world)), fault, tries=1)


def _set_out(fault: Fault, world: World) -> list[tuple[str, str]]:
    world.declare(source=fault.source, retry=fault.retry)
    world.serve()
    return world.items()


def loses_one(world: World, path: str, name: str, fault: Fault, tries: int) -> None:
    """Let an item fail in every try of a run, and be well in the next one."""
    world.api.on(path, lambda _: fault.reply(world.truth[name], world))
    world.extract()
    world.is_partly_there(name)
    attempt = world.is_reported("item: 1 of 12 failed for good", fault.reason)
    (failure,) = attempt["failures"]
    assert failure["object"].endswith(name), failure
    assert failure["attempts"] == tries, failure
    assert fault.reason in failure["reason"], failure
    world.answer(path, name, world.truth[name])
    world.goes_on()


def every_item(world: World, reply: Reply) -> None:
    """Let all items answer so."""
    for path in [path for path, _ in world.items()]:
        world.api.on(path, reply)


def all_well(world: World) -> None:
    """Let all items answer well again."""
    for path, name in world.items():
        world.answer(path, name, world.truth[name])


def slowly(world: World, seconds: float) -> None:
    """Let every item answer well after so many seconds."""
    for path, name in world.items():
        world.api.on(path, Reply(body=world.truth[name], delay=seconds))
