"""No request leaves the host: rows of the fault matrix in which an answer leads elsewhere."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from tests.chaos.matrix import row
from tests.chaos.watch import Watch
from tests.chaos.world import TREE, World, good
from tests.support.api import Call, Reply, json_reply, redirect_reply

OTHERS = ("127.0.0.2", "127.1.2.3", "::1")
"""Other addresses of this machine's loopback, on which nothing of the source may arrive."""
STATUSES = (301, 302, 303, 307, 308)
PAGES = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name = "item"
path = "item/{{id}}"
for_each = {{ endpoint = "items", select = "[].id", as = "id" }}
paging = {{ kind = "{kind}"{more} }}
"""


def elsewhere(port: int, other: int) -> list[str]:
    """Addresses that are not those of the source at this port, however much they look like it."""
    here = f"127.0.0.1:{port}"
    return [
        # The addresses at which containers and machines in AWS find their credentials.
        "http://169.254.170.2/v2/credentials/",
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        # The same machine, by other names.
        *(f"http://{_bracketed(host)}:{port}/x" for host in OTHERS),
        f"http://localhost:{port}/x",
        f"http://127.1:{port}/x",
        f"http://0.0.0.0:{port}/x",
        f"http://2130706433:{port}/x",
        f"http://0x7f000001:{port}/x",
        f"http://0177.0.0.1:{port}/x",
        f"http://127.0.0.1.:{port}/x",
        f"http://[::ffff:127.0.0.1]:{port}/x",
        f"http://127.0.0.%31:{port}/x",
        f"http://127%2e0%2e0%2e1:{port}/x",
        # Another port.
        f"http://127.0.0.1:{other}/x",
        "http://127.0.0.1/x",
        f"http://127.0.0.1:{port + 65536}/x",
        f"http://127.0.0.1:-{port}/x",
        # Users, and what only looks like one.
        f"http://user@{here}/x",
        f"http://user:word@{here}/x",
        f"http://{here}@127.0.0.2:{port}/x",
        f"http://127.0.0.2:{port}@{here}/x",
        f"http://127.0.0.2:{port}#@{here}/x",
        f"http://127.0.0.2:{port}?@{here}/x",
        f"http://127.0.0.2:{port}\\@{here}/x",
        f"http://{here}\\@127.0.0.2:{port}/x",
        f"http://{here}\\.127.0.0.2/x",
        f"http://{here};@127.0.0.2:{port}/x",
        f"http://{here}%2f@127.0.0.2:{port}/x",
        f"http://{here}%00.127.0.0.2/x",
        # Relative ones, and blanks.
        f"//127.0.0.2:{port}/x",
        f"\t//127.0.0.2:{port}/x",
        f"ht\ttp://127.0.0.2:{port}/x",
        f"http:/\t/127.0.0.2:{port}/x",
        f"http://127.0.0.2:{port}\t/x",
        f"http://127.0.0.1 .127.0.0.2:{port}/x",
        # Other kinds of addresses.
        "file:///etc/passwd",
        f"ftp://{here}/x",
        f"gopher://{here}/x",
        "data:application/json,[1]",
        "javascript:alert(1)",
        "unix:///var/run/docker.sock",
        f"ws://{here}/x",
        f"httpx://{here}/x",
        f"https://127.0.0.1:{other}/x",
        # Names that only look like it, and no name at all.
        f"http://\uff11\uff12\uff17.0.0.1:{port}/x",
        f"http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{port}/x",
        f"http://127\u30020\u30020\u30021:{port}/x",
        f"http://xn--127-0.0.1:{port}/x",
        f"http://127.0.0.1\u200b:{port}/x",
        "http://[::1",
    ]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Listeners:
    """Listens at other addresses of this machine, and counts who comes."""

    def __init__(self, port: int) -> None:
        self.came: list[str] = []
        self._sockets = [each for host in OTHERS if (each := _listening(host, port))]
        self._sockets.append(socket.create_server(("127.0.0.1", 0)))
        self.port = int(self._sockets[-1].getsockname()[1])
        self._threads = [threading.Thread(target=self._count, args=(s,)) for s in self._sockets]

    @contextlib.contextmanager
    def listening(self) -> Iterator[Listeners]:
        """Listen while the context is open."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            for each in self._sockets:
                each.shutdown(socket.SHUT_RDWR)
            for thread in self._threads:
                thread.join()
            for each in self._sockets:
                each.close()

    def _count(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the end of the listening
            while True:
                connection, _ = listening.accept()
                self.came.append(str(listening.getsockname()))
                connection.close()


def _listening(host: str, port: int) -> socket.socket | None:
    """A socket of that address, where this machine has it and nobody else listens there."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError:
        return None


def as_header(text: str) -> str:
    """Text as a header carries it: bytes that its reader takes for latin-1."""
    return text.encode().decode("latin-1")


def lead_elsewhere(world: World, kind: str) -> None:
    """Let each item lead to one address elsewhere; nobody may be asked for it."""
    with Listeners(world.api.port).listening() as listeners:
        targets = elsewhere(world.api.port, listeners.port)
        listing = [{"id": f"i{number}"} for number in range(len(targets))]
        world.answer("/items", "items/all.json", json.dumps(listing).encode())
        for number, target in enumerate(targets):
            world.api.on(f"/item/i{number}", leading(kind, target, STATUSES[world.round % 5]))
        watch = Watch.over(world)
        world.extract(PYTHONPATH=watch.path)
        world.is_partly_there()
        watch.asked_nobody_else()
        assert not listeners.came, f"somebody came to {listeners.came}"
    reasons = [failure["reason"] for failure in world.attempts()[-1]["failures"]]
    assert len(reasons) == len(targets), reasons
    assert all("not on the host that was asked" in reason for reason in reasons), reasons
    assert world.runs[-1].requests == 1 + len(targets)


def leading(kind: str, target: str, status: int) -> Reply:
    """An answer that leads to an address."""
    if kind == "redirect":
        return redirect_reply(as_header(target), status)
    if kind == "link":
        return json_reply([1], headers={"Link": as_header(f'<{target}>; rel="next"')})
    return json_reply({"next": target})


COUNT = len(elsewhere(1, 2))
MADE = (
    f"{COUNT} addresses: those of the credentials of containers and machines in AWS, this machine "
    "by other names, other ports, users, backslashes, tabs, other schemes, look-alikes"
)
PROMISED = "none is followed, each is named; no connection is even tried (an audit hook), and none "
PROMISED += "comes to a listener there"


@row(
    "security",
    "redirects that lead elsewhere",
    made=f"{MADE}; with 301, 302, 303, 307 or 308",
    promised=PROMISED,
    exits=(3,),
    requests=1 + COUNT,
)
def redirects(world: World) -> None:
    world.declare(source="breaker = 200")
    lead_elsewhere(world, "redirect")


@row(
    "security",
    "next pages elsewhere, in the body",
    made=MADE,
    promised=PROMISED,
    exits=(4,),
    requests=1 + COUNT,
)
def next_in_body(world: World) -> None:
    world.declare(PAGES.format(kind="cursor", more=', next = "next"'))
    lead_elsewhere(world, "cursor")


@row(
    "security",
    "next pages elsewhere, in a Link header",
    made=MADE,
    promised=PROMISED,
    exits=(4,),
    requests=1 + COUNT,
)
def next_in_header(world: World) -> None:
    world.declare(PAGES.format(kind="link", more=""))
    lead_elsewhere(world, "link")


def here(port: int) -> list[str]:
    """Addresses that are the source's own, though they are written oddly."""
    return [
        f"HTTP://LocalHost:{port}/there/",
        f"http://localhost:0{port}/there/",
        f"//localhost:{port}/there/",
        f" http://localhost:{port}/there/ ",
        f"ht\ttp://localhost:{port}/there/",
        f"http://localhost:{port}/there/#elsewhere",
        f"http:/there/?at=http://127.0.0.2:{port}/",
        "/there/",
        "../there/",
        "///there/",
        "/./x/../there/",
        "http:///there/",
        f"/there/?/\\127.0.0.2:{port}/",
        "/there/\\..\\@127.0.0.2/../",
    ]


@row(
    "security",
    "redirects and next pages on the host, oddly written",
    made=f"{len(here(1))} addresses: in capitals, relative, with blanks, slashes, backslashes and "
    "other addresses in them",
    promised="each leads to the host that was asked, and lands",
    exits=(0,),
    requests=1 + 2 * len(here(1)),
)
def oddly_written(world: World) -> None:
    def answer(call: Call) -> Reply:
        assert call.path.startswith(("/there", "//there")), call
        return good(b'{"at": "the end"}')

    kind = ("redirect", "cursor")[world.round % 2]
    declared = TREE if kind == "redirect" else PAGES.format(kind=kind, more=', next = "next"')
    world.declare(declared, url=f"http://localhost:{world.api.port}")
    targets = here(world.api.port)
    listing = json.dumps([{"id": f"i{number}"} for number in range(len(targets))]).encode()
    world.answer("/items", "items/all.json", listing)
    world.api.answer(answer)
    for number, target in enumerate(targets):
        first = leading(kind, target, STATUSES[world.round % 5])
        world.api.on(f"/item/i{number}", first)
        pages = {"page=1": first.body, "page=2": b'{"at": "the end"}'}
        for page, body in pages.items() if kind == "cursor" else ():
            world.truth[f"item/id=i{number}/{page}.json"] = body
        if kind == "redirect":
            world.truth[f"item/id=i{number}.json"] = b'{"at": "the end"}'
    watch = Watch.over(world, "localhost", "::1")
    world.extract(PYTHONPATH=watch.path)
    world.is_whole()
    watch.asked_nobody_else()


BASES = [
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "data:application/json,[1]",
    "127.0.0.1:{port}",
    "//127.0.0.1:{port}",
    "",
    "http://",
    "http:///x",
    "http://user@127.0.0.1:{port}",
    "http://user:pass-the-word@127.0.0.1:{port}",
    "ftp://user:pass-the-word@127.0.0.1",
    "http://user:pass-the-word@[::1",
    "user:pass-the-word@127.0.0.1",
    "http://127.0.0.1:{port}@127.0.0.2",
    "http://127.0.0.1:{port}\\\\@127.0.0.2",
    "http://127.0.0.1\\\\x:{port}",
    "http://127.0.0.1:{port}/?to=http://127.0.0.2",
    "http://127.0.0.1:{port}/#x",
    "http://127.0.0.1:{port}\\n/x",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:x",
    "http://[::1",
]


@row(
    "security",
    "a base_url that is none",
    made="other schemes, users, a query, blanks, backslashes, no host, no port",
    promised="nothing is asked, and nobody; names the key of the catalog, and no password",
    exits=(2,),
    requests=0,
    rounds=len(BASES),
)
def no_base_url(world: World) -> None:
    world.declare(url=" ")
    catalog = world.folder / "catalog.toml"
    base = BASES[world.round % len(BASES)].format(port=world.api.port)
    catalog.write_text(catalog.read_text().replace('base_url = " "', f'base_url = "{base}"'))
    watch = Watch.over(world)
    ran = world.extract(PYTHONPATH=watch.path)
    ran.says("[source.shop] base_url:")
    assert "pass-the-word" not in ran.err, ran.err
    watch.asked_nobody()


@row(
    "security",
    "cookies that an answer sets",
    made="each answer sets one for the host, for all hosts, and for another path",
    promised="none is ever sent: no answer depends on an earlier one",
    exits=(0,),
    requests=13,
)
def cookies(world: World) -> None:
    world.declare(source="workers = 1")
    world.serve()
    for path, name in world.items():
        cookie = f"at={path}; Path=/; Max-Age=1000"
        world.api.on(path, Reply(body=world.truth[name], headers={"Set-Cookie": cookie}))
    world.extract()
    world.is_whole()
    assert not any("cookie" in call.headers for call in world.api.calls)
