"""The source misbehaves: redirects, and connections that are not made or not to be trusted."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.chaos.faulty import ALL, TRIES, Fault, final
from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.world import SECRET, World
from tests.support.api import Call, Reply, ScriptedApi, redirect_reply
from tests.support.certificates import Identity, NoOpensslError, identity

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


# --- no connection


@row(
    "source",
    "a connection that is refused",
    made="nobody listens at the source's port, until the next run",
    promised="says so after 3 tries; the next run asks for everything",
    exits=(3, 0),
    requests=ALL,
)
def refused(world: World) -> None:
    world.declare()
    world.serve()
    with world.api.refusing():
        world.extract()
    assert lost_the_listing(world, "the connection was refused")["requests"]["sent"] == TRIES
    world.goes_on()


def lost_the_listing(world: World, *words: str) -> dict[str, dict[str, int]]:
    """Assert that nothing landed, since the listing itself failed in every try."""
    world.is_partly_there(*world.truth)
    return world.is_reported("items: 1 of 1 failed for good", *words)


RESOLVES = """
import os, socket
resolve = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    if host != "shop.invalid":
        return resolve(host, *more, **named)
    with open({asked!r}, "a+") as asked:
        asked.write("x")
        asked.seek(0)
        if len(asked.read()) <= {failing}:
            raise socket.gaierror(socket.{code}, "no answer from the name server")
    return resolve("127.0.0.1", *more, **named)
socket.getaddrinfo = getaddrinfo
"""


def name_server(world: World, failing: int) -> Path:
    """Give the program a name server that fails so often first; return the file where it counts."""
    folder = world.folder / "double"
    folder.mkdir()
    asked = folder / "asked"
    code = world.chance.choice(("EAI_NONAME", "EAI_AGAIN", "EAI_FAIL"))
    text = RESOLVES.format(asked=str(asked), failing=failing, code=code)
    (folder / "sitecustomize.py").write_text(text)
    world.environment["PYTHONPATH"] = os.pathsep.join([str(folder), *sys.path])
    world.declare(url=f"http://shop.invalid:{world.api.port}")
    world.serve()
    return asked


@row(
    "source",
    "a name that does not resolve",
    made="the name server fails for good, or for now, until the next run (a double of "
    "socket.getaddrinfo, so that nothing is asked of a real one)",
    promised="says so after 3 tries; the next run asks for everything",
    exits=(3, 0),
    requests=ALL,
)
def no_name(world: World) -> None:
    asked = name_server(world, failing=TRIES)
    world.extract()
    lost_the_listing(world, "the host's name cannot be resolved")
    assert len(asked.read_text()) == TRIES
    world.goes_on()


@row(
    "source",
    "a name server that fails now and then",
    made="the first two questions fail (a double of socket.getaddrinfo)",
    promised="every answer lands",
    exits=(0,),
    requests=ALL,
    quick=0,
)
def name_again(world: World) -> None:
    name_server(world, failing=TRIES - 1)
    world.extract()
    world.is_whole()


# --- TLS


@contextlib.contextmanager
def secured(
    world: World, names: str = "IP:127.0.0.1", *, trusted: bool = True
) -> Iterator[Identity]:
    """Let the source speak TLS, with a certificate for these names, while the block lasts."""
    try:
        made = identity(world.folder, names)
    except NoOpensslError as error:
        raise CannotBeMadeError(str(error)) from error
    with ScriptedApi(tls=made.context) as world.api:
        if trusted:
            trust(world, made)
        world.declare()
        world.serve()
        yield made


def trust(world: World, made: Identity) -> None:
    """Let the program trust a certificate, and no other."""
    world.environment["REQUESTS_CA_BUNDLE"] = str(made.certificate)


@row(
    "source",
    "a certificate that nobody trusts",
    made="a server with a certificate made on the spot, which the next run is told to trust",
    promised="nothing is asked; says why; then the day is whole",
    exits=(3, 0),
    requests=ALL,
)
def untrusted(world: World) -> None:
    with secured(world, trusted=False) as made:
        world.extract()
        lost_the_listing(world, "the TLS connection failed", "self-signed certificate")
        assert world.api.connections == TRIES
        trust(world, made)
        world.goes_on()


@row(
    "source",
    "a certificate of another host",
    made="a server whose certificate, which is trusted, is that of elsewhere.invalid",
    promised="nothing is asked; says so",
    exits=(3,),
    requests=0,
    quick=0,
)
def wrong_name(world: World) -> None:
    with secured(world, "DNS:elsewhere.invalid"):
        world.extract()
        lost_the_listing(world, "the TLS connection failed", "not valid for '127.0.0.1'")
        assert world.api.connections == TRIES


@row(
    "source",
    "plain HTTP where TLS is expected",
    made="the catalog says https, and the server speaks http, until the catalog is mended",
    promised="nothing is asked in the clear; says so; then the day is whole",
    exits=(3, 0),
    requests=ALL,
    quick=0,
)
def plain(world: World) -> None:
    world.serve()
    world.declare(url=f"https://127.0.0.1:{world.api.port}")
    world.extract()
    lost_the_listing(world, "the TLS connection failed")
    assert (world.api.connections, world.api.calls) == (TRIES, [])
    world.declare()
    world.goes_on()
