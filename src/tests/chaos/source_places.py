"""The source misbehaves: redirects, within its host and elsewhere."""

from __future__ import annotations

from functools import partial

from tests.chaos.faulty import ALL, Fault, final
from tests.chaos.matrix import row
from tests.chaos.secured import secured
from tests.chaos.world import SECRET, World
from tests.support.api import Call, Reply, ScriptedApi, redirect_reply

REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 5


def keys_in(call: Call) -> int:
    """How often a request carries the source's key."""
    sent = [*call.query.get("key", []), *call.headers.values()]
    return sum(SECRET in each for each in sent)


# --- redirects within the host


@row(
    "source",
    "a redirect within the host",
    made="each of 12 items is elsewhere: 301, 302, 303, 307 and 308, to whole and relative places, "
    "some of them with the query as it was asked, and so with the key",
    promised="every answer lands under its own name; the key is sent once with every request",
    exits=(0,),
    requests=ALL + 12,
)
def redirected(world: World) -> None:
    world.declare()
    world.serve()
    for number, (path, name) in enumerate(world.items()):
        world.api.on(path, partial(moved, world, number))
        world.answer(f"/there{path}", name, world.truth[name])
    world.extract()
    world.is_whole()
    assert {keys_in(call) for call in world.api.calls} == {1}


def moved(world: World, number: int, call: Call) -> Reply:
    """Redirect in one of many ways."""
    place = f"/there{call.path}"
    places = (place, f"{world.api.url}{place}#part", f"/there{call.target}")
    return redirect_reply(places[number % 3], REDIRECTS[number % len(REDIRECTS)])


@row(
    "source",
    "redirects in a row, five and six of them",
    made="two of 12 items redirect from place to place, until the next run",
    promised="the one with five lands, the one with six does not; the next run asks for it alone",
    exits=(3, 0),
    requests=ALL + HOPS + HOPS + 1,
)
def in_a_row(world: World) -> None:
    world.declare()
    world.serve()
    (path, name), (far, lost) = world.chance.sample(world.items(), 2)
    hops(world, path, name, HOPS)
    hops(world, far, lost, HOPS + 1)
    world.extract()
    world.is_partly_there(lost)
    world.is_reported("item: 1 of 12 failed for good", "more than 5 redirects")
    world.answer(far, lost, world.truth[lost])
    world.goes_on()


def hops(world: World, path: str, name: str, number: int) -> None:
    """Let so many redirects lead to the good answer."""
    for hop in range(number):
        world.api.on(f"{path}/{hop}" if hop else path, redirect_reply(f"{path}/{hop + 1}"))
    world.answer(f"{path}/{number}", name, world.truth[name])


@row(
    "source",
    "redirects in a circle",
    made="one of 12 items redirects to itself, or to another place that leads back, until the next "
    "run",
    promised="it is lost after five redirects; the next run asks for it alone",
    exits=(3, 0),
    requests=ALL + HOPS + 1,
    quick=0,
)
def circle(world: World) -> None:
    world.declare()
    world.serve()
    path, name = world.chance.choice(world.items())
    there = (path, f"{path}/there")[world.round % 2]
    world.api.on(path, redirect_reply(there))
    world.api.on(there, redirect_reply(path))
    world.extract()
    world.is_partly_there(name)
    world.is_reported("item: 1 of 12 failed for good", "more than 5 redirects")
    world.answer(path, name, world.truth[name])
    world.goes_on()


# --- redirects elsewhere

final(
    [
        Fault(
            "a redirect to nowhere",
            "redirects without a Location, or to one that is no address",
            lambda _, world: Reply(302, headers=({}, {"Location": "http://["})[world.round % 2]),
            "not on the host that was asked",
            quick=0,
        ),
        Fault(
            "a redirect to another scheme",
            "redirects to ftp, file or data",
            lambda _, world: redirect_reply(
                ("ftp://127.0.0.1/x", "file:///etc/passwd", "data:,[]")[world.round % 3]
            ),
            "not on the host that was asked",
            quick=0,
        ),
    ]
)


@row(
    "source",
    "a redirect to another host or port",
    made="one of 12 items redirects to another server: by its port, name or scheme, or with a "
    "user before it, until the next run",
    promised="the other server sees no connection; the next run asks for that item alone",
    exits=(3, 0),
    requests=ALL + 1,
)
def elsewhere(world: World) -> None:
    world.declare()
    world.serve()
    path, name = world.chance.choice(world.items())
    with ScriptedApi() as other:
        other.answer(lambda _: Reply(body=world.truth[name]))
        place = f"127.0.0.1:{other.port}{path}"
        forms = [f"http://{place}", f"//{place}", f"http://127.0.0.1@{place}"]
        forms += [f"http://localhost:{world.api.port}{path}", f"https://{place}"]
        world.fault(path, [redirect_reply(forms[world.round % len(forms)])], name)
        world.extract()
        world.is_partly_there(name)
        world.is_reported("item: 1 of 12 failed for good", "not on the host that was asked")
        world.goes_on()
        assert other.connections == 0, "something was sent to another host"


@row(
    "source",
    "a redirect from https to http",
    made="one of 12 items redirects so, at a server that speaks both (with a certificate made on "
    "the spot), until the next run",
    promised="the key is never sent in the clear; the next run asks for that item alone",
    exits=(3, 0),
    requests=ALL + 1,
)
def downgraded(world: World) -> None:
    with secured(world):
        path, name = world.chance.choice(world.items())
        place = f"http://127.0.0.1:{world.api.port}{path}"
        world.fault(path, [redirect_reply(place)], name)
        world.extract()
        world.is_partly_there(name)
        world.is_reported("item: 1 of 12 failed for good", "not on the host that was asked")
        world.goes_on()


@row(
    "source",
    "a redirect from http to https",
    made="each of 12 items redirects so, at a server that speaks both",
    promised="every answer lands",
    exits=(0,),
    requests=ALL + 12,
    quick=0,
)
def upgraded(world: World) -> None:
    with secured(world):
        for path, name in world.items():
            world.api.on(path, redirect_reply(f"{world.api.url}/there{path}"))
            world.answer(f"/there{path}", name, world.truth[name])
        world.declare(url=f"http://127.0.0.1:{world.api.port}")
        world.extract()
        world.is_whole()
