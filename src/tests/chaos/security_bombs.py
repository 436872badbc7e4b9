"""No answer fills the memory or takes for ever: rows of the fault matrix about bombs."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.world import LIST, TREE, Ran, World, good
from tests.support.api import Reply

MIB = 2**20
CAP = 'max_body = "1MiB"\nworkers = 4'
BOUND = (120 + (4 + 10) * 1) * MIB
"""Promise 13, for bodies of 1 MiB and 4 workers."""


class Memory:
    """The most memory that a process has had, as Linux counts it."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._status = Path(f"/proc/{pid}/status")
        if not self._status.exists():
            raise CannotBeMadeError("only Linux tells how much memory a process had (/proc)")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Memory]:
        """Look now and then while the context is open; the kernel itself keeps the peak."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            with contextlib.suppress(OSError):
                for line in self._status.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, int(line.split()[1]) * 1024)


def bounded(world: World, *options: str, seconds: float = 60.0, bound: int = BOUND) -> Ran:
    """Extract; neither memory nor time may be more than is promised."""
    before = len(world.api.calls)
    arguments = world.arguments(*options)
    with world.begin(*arguments) as running, Memory(running.pid).watched() as memory:
        ran = world.keep(arguments, running.finish(seconds), before)
    assert memory.peak, "the memory was not seen"
    assert memory.peak < bound, f"{memory.peak / MIB:.0f} MiB, promised {bound / MIB:.0f}"
    return ran


def deflated(body: bytes, wbits: int) -> bytes:
    """A body compressed as well as can be: by gzip (31), zlib (15), or without a header (-15)."""
    compressor = zlib.compressobj(9, wbits=wbits)
    return compressor.compress(body) + compressor.flush()


@lru_cache
def bombs() -> list[tuple[str, bytes]]:
    """Bodies that would unfold to 100 MiB and more, and their codings."""
    zeros = b"[" + b" " * (100 * MIB) + b"]"
    small = b" " * MIB
    packed = deflated(zeros, 31)
    return [
        ("gzip", packed),
        ("deflate", deflated(zeros, 15)),
        ("deflate", deflated(zeros, -15)),
        ("gzip", b"".join(gzip.compress(small, 9) for _ in range(100))),
        ("x-gzip", gzip.compress(b"", 9) * (MIB // 20) + packed),
        ("gzip", gzip.compress(b"", 9) * (2 * MIB // 20)),
    ]


NESTED = ("gzip, gzip", "gzip,deflate", "br", "zstd", "compress", "identity, gzip")


@row(
    "security",
    "decompression bombs",
    made="48 items of 100 KB, 24 at once, that unfold to 100 MiB, 1000 to one: by gzip, deflate "
    "with and without its header, 100 members, 50,000 empty members; others in codings within "
    "codings; max_body is 1 MiB",
    promised="each stops at max_body, is not asked again, and is named; memory stays below 110 MiB",
    exits=(3,),
    requests=1 + 4 * (6 + 3 * len(NESTED)),
)
def decompression(world: World) -> None:
    # Many at once: one by itself, unfolded as a whole, would hardly be seen.
    world.declare(source=CAP.replace("workers = 4", "workers = 24\nbreaker = 99"))
    world.serve(items=4 * 12)
    packed = bombs()
    twice = gzip.compress(packed[0][1], 9)
    replies = [Reply(body=body, headers={"Content-Encoding": coding}) for coding, body in packed]
    replies += [Reply(body=twice, headers={"Content-Encoding": coding}) for coding in NESTED]
    for (path, _), reply in zip(world.items(), 4 * replies, strict=True):
        world.api.on(path, reply)
    # Below the bound of promise 13: what unfolds as a whole, two at a time, would keep to that.
    bounded(world, bound=110 * MIB)
    failures = world.is_reported("48 of 48 failed")["failures"]
    large = [each for each in failures if "larger than max_body = 1048576" in each["reason"]]
    assert len(large) == 4 * len(packed), failures
    assert all(each["attempts"] == 1 for each in large), failures
    world.is_partly_there(*(name for _, name in world.items()))


def raw_server(world: World, send: Callable[[socket.socket], object]) -> socket.socket:
    """Listen on a port and send what a server of HTTP would not; asked once for each connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(30)
                    connection.recv(65536)
                    send(connection)

    threading.Thread(target=serve, daemon=True).start()
    world.declare(LIST, url=f"http://127.0.0.1:{listening.getsockname()[1]}")
    return listening


START = b"HTTP/1.1 200 OK\r\n"
LINE = b"X-Header-Of-A-Bomb: " + b"x" * 60 + b"\r\n"


def endless(piece: bytes) -> Iterator[bytes]:
    """200 MiB of the same, if they are taken."""
    block = piece * max(65536 // len(piece), 1)
    for _ in range(200 * MIB // len(block)):
        yield block


HEADERS: list[Callable[[], Iterator[bytes]]] = [
    lambda: iter([START, LINE * 5000, b"\r\n[]"]),
    lambda: iter([START, b"X: ", b"x" * 10 * MIB, b"\r\n\r\n[]"]),
    lambda: iter([START, *endless(LINE)]),
    lambda: iter([START, b"X: ", *endless(b"x")]),
    lambda: iter([b"HTTP/1.1 200 ", *endless(b"x")]),
    lambda: iter([b"", *endless(b"x")]),
    lambda: iter([START, b"Transfer-Encoding: chunked\r\n\r\n", *endless(b"0")]),
    lambda: iter([START, b"Transfer-Encoding: chunked\r\n\r\n2;", *endless(b"x")]),
    lambda: iter([START, b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nX: ", *endless(b"x")]),
    lambda: iter([START, b"Content-Length: " + b"9" * 60_000 + b"\r\n\r\n[]"]),
]


@row(
    "security",
    "header bombs",
    made="5,000 headers, one of 10 MiB, headers, a status, chunk sizes, chunk extensions or "
    "trailers without an end (200 MiB), a Content-Length of 60,000 digits",
    promised="no answer, tried again like any other; memory stays within promise 13",
    exits=(3,),
    requests=0,
    rounds=len(HEADERS),
)
def headers(world: World) -> None:
    kind = HEADERS[world.round % len(HEADERS)]

    def send(connection: socket.socket) -> None:
        for piece in kind():
            connection.sendall(piece)

    listening = raw_server(world, send)
    try:
        bounded(world)
    finally:
        listening.close()
    assert world.is_reported()["requests"]["sent"] == 3
    world.is_partly_there()


@row(
    "security",
    "interim answers without an end",
    made="the server sends 100 Continue again and again; timeout.total is 2 s",
    promised="the try ends with its time, the run with an attempt; memory stays within promise 13",
    exits=(3,),
    requests=0,
)
def interim(world: World) -> None:
    def send(connection: socket.socket) -> None:
        for piece in endless(b"HTTP/1.1 100 Continue\r\n\r\n"):
            connection.sendall(piece)
            threading.Event().wait(0.005)

    listening = raw_server(world, send)
    catalog = world.folder / "catalog.toml"
    text = catalog.read_text().replace("attempts = 3", "attempts = 1")
    catalog.write_text(text.replace("\n\n[[", '\ntimeout = { total = "2s" }\n\n[['))
    try:
        ran = bounded(world, seconds=30)
    finally:
        listening.close()
    ran.says("took longer than it may")


DEEP = 100_000
WRONG: dict[str, bytes] = {
    "nested": b"[" * DEEP + b"]" * DEEP,
    "nested in one key": b'{"rows": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "open": b"[" * MIB,
    "open text": b'"' + b"\\" * (MIB - 2),
    "exponent": b'{"rows": [1], "total": 1e999999999}',
    "exponent in text": b'{"rows": [1], "total": "1e999999999"}',
    "digits": b'{"rows": [1], "total": ' + b"9" * (MIB - 100) + b"}",
    "digits in text": b'{"rows": [1], "total": "' + b"9" * (MIB - 100) + b'"}',
}
"""Bodies that are refused: with 3 tries, or at once as a wrong shape."""


@row(
    "security",
    "JSON bombs",
    made="one of 12 items is nested 100,000 deep, never closed, or declares 1e999999999 or 10^6 "
    "digits as its total",
    promised="refused within the time of any other answer; the others land; memory stays within "
    "promise 13",
    exits=None,
    requests=(13, 15),
    rounds=len(WRONG),
)
def json_bombs(world: World) -> None:
    world.declare(TREE + 'records = "rows"\ntotal = "total"\n', source=CAP)
    world.serve()
    for path, name in world.items():
        world.answer(path, name, b'{"rows": [1], "total": 1}')
    path, name = world.items()[0]
    kind, body = list(WRONG.items())[world.round % len(WRONG)]
    world.api.on(path, good(body))
    ran = bounded(world, seconds=30)
    assert ran.status == (4 if "total" in body.decode() else 3), (kind, ran)
    world.is_reported()
    world.is_partly_there(name)


def odd_but_right() -> list[bytes]:
    """Bodies of half a MiB that are JSON, and slow or large for whoever reads them carelessly."""
    half = MIB // 2
    return [
        b"[" + b"9" * half + b"]",
        b"[0." + b"0" * half + b"1]",
        b"[" + b",".join([b"9" * 4000] * (half // 4001)) + b"]",
        b"[" + b",".join([b"-0"] * (half // 3)) + b"]",
        b"[" + b",".join([b"1e999999999"] * (half // 12)) + b"]",
        json.dumps({str(n * 2**61): n for n in range(20_000)}).encode(),
        b'{"a": 1' + b', "a": 1' * (half // 9) + b"}",
        b'["' + b"\\u0000" * (half // 6) + b'"]',
        b'["' + b"\\ud800" * (half // 6) + b'"]',
        b'["' + b"k/ey+of=" * (half // 8) + b'"]',
        b'["' + b"%25" * (half // 3) + b'"]',
        b'["' + b"\\\\" * (half // 2) + b'"]',
        b'["' + b"&amp;" * (half // 5) + b'"]',
        b"[" * 900 + b"]" * 900,
        b" " * (half - 2) + b"[1]" + b" " * (half - 2),
    ]


@row(
    "security",
    "JSON that is hard to read",
    made="15 items of half a MiB each: 500,000 digits, thousands of long integers, of -0, of "
    "equal keys, of keys that are multiples of 2^61, of escapes, of parts of the key",
    promised="each lands as sent, within seconds; memory stays within promise 13 and 64 MiB for "
    "what consists of tiny values only",
    exits=(0,),
    requests=16,
)
def hard_to_read(world: World) -> None:
    bodies = odd_but_right()
    world.declare(source=CAP)
    world.serve(items=len(bodies))
    for (path, name), body in zip(world.items(), bodies, strict=True):
        world.answer(path, name, body)
    ran = bounded(world, seconds=30, bound=BOUND + 64 * MIB)
    assert ran.seconds < 20, f"took {ran.seconds:.0f} s"
    landed = world.landed()
    assert landed == world.truth, f"not there: {set(world.truth) - set(landed)}: {ran.told}"
    world.compared += sum(map(len, landed.values()))


LONG = 60_000
HARD_HEADERS = [
    {"Retry-After": "9" * LONG},
    {"Retry-After": "1" * 4400 + " Oct 2015 07:28:00 GMT"},
    {"Retry-After": "Wed, " * (LONG // 5)},
    {"Retry-After": "(" * LONG},
    {"Retry-After": "1:" * (LONG // 2)},
    {"Retry-After": "Wed, 21 Oct 2026 07:28:00 +" + "9" * LONG},
    {"Link": "<" * LONG},
    {"Link": "<a>; " * (LONG // 5)},
    {"Link": '<a>;a="' + "\\" * LONG},
    {"Link": "<a>" + ";a" * (LONG // 2)},
    {"Content-Type": " " * LONG + "x"},
    {"ETag": '"' + "\\" * LONG},
]


@row(
    "security",
    "headers that are hard to read",
    made="each of 12 items has one of 60,000 characters: Retry-After with 503, or Link, made to "
    "be slow for an expression that goes back",
    promised="read within the time of any other; what is no time to wait counts as none, and all "
    "land",
    exits=(0,),
    requests=(13, 13 + 12),
)
def hard_headers(world: World) -> None:
    world.declare()
    world.serve()
    for (path, name), header in zip(world.items(), HARD_HEADERS, strict=True):
        if "Retry-After" in header and header["Retry-After"] != "9" * LONG:
            world.fault(path, [Reply(503, headers=header)], name)
        else:
            world.api.on(path, Reply(body=world.truth[name], headers=header))
    ran = bounded(world, seconds=30)
    assert ran.seconds < 15, f"took {ran.seconds:.0f} s"
    world.is_whole()


HARD_FINDINGS = {
    "records = \"rows[?contains(name, 'aaaa')]\"": {"rows": [{"name": "a" * 5000}] * 100},
    'records = "sort_by(rows, &name)"': {"rows": [{"name": "a" * 1000}] * 300},
    'records = "rows[*].a.b.c[].d[*].e[]"': {"rows": [{"a": {"b": {"c": [[[[]]]] * 500}}}] * 100},
    'records = "rows[].*[].*[].*[]"': {
        "rows": [{str(n): {"a": {"b": n}} for n in range(500)}] * 20
    },
    'records = "reverse(rows)"\nkey = "[a, b]"\nexpect = { unique_key = true }': {
        "rows": [{"a": "x" * 10, "b": n} for n in range(9000)]
    },
}


@row(
    "security",
    "answers that are hard for an expression",
    made="filters, sorting, flattening and keys over long texts, wide objects and nested lists, of "
    "half a MiB",
    promised="read within seconds",
    exits=(0,),
    requests=1,
    rounds=len(HARD_FINDINGS),
)
def hard_findings(world: World) -> None:
    declared, document = list(HARD_FINDINGS.items())[world.round % len(HARD_FINDINGS)]
    world.declare(f"{LIST}{declared}\n", source=CAP)
    catalog = world.folder / "catalog.toml"
    if "unique" not in declared:
        catalog.write_text(catalog.read_text() + "expect = { allow_empty = true }\n")
    world.answer("/items", "items/all.json", json.dumps(document).encode())
    ran = bounded(world, seconds=30, bound=BOUND + 64 * MIB)
    assert ran.seconds < 15, f"took {ran.seconds:.0f} s"
    world.is_whole()
