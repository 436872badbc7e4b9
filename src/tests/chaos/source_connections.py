"""The source misbehaves: connections that are not made, or not to be trusted."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.faulty import ALL, TRIES
from tests.chaos.matrix import row
from tests.chaos.secured import secured, trust
from tests.chaos.world import World
from tests.support.api import HOST


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


@row(
    "source",
    "a connection that is not accepted",
    made="the queue of the source's port is full, so that nobody answers a connection; "
    "timeout.connect is 0.5 s; another port for the next run",
    promised="says so after 3 tries; the next run asks for everything",
    exits=(3, 0),
    requests=ALL,
    quick=0,
)
def not_accepted(world: World) -> None:
    with listening(queue=0) as port, contextlib.ExitStack() as ends:
        for _ in range(4):
            waiting = ends.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((HOST, port))
        world.declare(url=f"http://{HOST}:{port}", source=BRIEF_CONNECT)
        world.serve()
        world.extract()
    lost_the_listing(world, "no connection within timeout.connect")
    world.declare()
    world.goes_on()


BRIEF_CONNECT = 'timeout = { connect = "500ms" }'


@contextlib.contextmanager
def listening(queue: int) -> Iterator[int]:
    """A port where connections are made, and nothing is ever said."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen(queue)
        yield server.getsockname()[1]


RESOLVES = """
import socket, time
resolve = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    if host != "shop.invalid":
        return resolve(host, *more, **named)
    with open({asked!r}, "a+") as asked:
        asked.write("x")
        asked.seek(0)
        if len(asked.read()) <= {failing}:
            time.sleep({seconds})
            raise socket.gaierror(socket.{code}, "no answer from the name server")
    return resolve("127.0.0.1", *more, **named)
socket.getaddrinfo = getaddrinfo
"""


def name_server(world: World, failing: int, seconds: float = 0) -> Path:
    """Give the program a name server that fails so often first; return the file where it counts."""
    folder = world.folder / "double"
    folder.mkdir()
    asked = folder / "asked"
    code = world.chance.choice(("EAI_NONAME", "EAI_AGAIN", "EAI_FAIL"))
    text = RESOLVES.format(asked=str(asked), failing=failing, code=code, seconds=seconds)
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


@row(
    "source",
    "a name server that does not answer",
    made="a question hangs for longer than the run may take (a double of socket.getaddrinfo); "
    "--deadline 2s; until the next run",
    promised="ends at most 15 s after its deadline; the next run asks for everything",
    exits=(3, 0),
    requests=ALL,
    quick=0,
)
def name_server_hangs(world: World) -> None:
    asked = name_server(world, failing=1, seconds=60)
    ran = world.extract("--deadline", "2s")
    assert ran.seconds <= 2 + 15, f"{ran.seconds:.1f} s"
    world.is_reported("the deadline of the run has passed", "look at", "the name server")
    assert asked.read_text() == "x"
    world.goes_on()


# --- TLS


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


@row(
    "source",
    "TLS that is never spoken",
    made="the source's port takes connections and says nothing; timeout.connect is 0.5 s; another "
    "port for the next run",
    promised="says so after 3 tries; the next run asks for everything",
    exits=(3, 0),
    requests=ALL,
    quick=0,
)
def no_handshake(world: World) -> None:
    with listening(queue=8) as port:
        world.declare(url=f"https://{HOST}:{port}", source=BRIEF_CONNECT)
        world.serve()
        world.extract()
    lost_the_listing(world, "no TLS connection within timeout.connect")
    world.declare()
    world.goes_on()
