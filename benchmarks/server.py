"""A server on loopback that is faster than any client of the benchmark: bodies made beforehand.

Run by ``stage.py`` in a process of its own; prints its port, and serves until it is terminated.

    GET /{ms}/{size}/items?count=N   a listing of N numbers, {ms} milliseconds after it was asked
    GET /{ms}/{size}/item/{number}   an answer of {size} bytes
    GET /short/..., /html/...        the same with a fault: a listing that lacks its last number, or
                                     a page of HTML with status 200 instead of the eleventh answer
    GET /figures                     what was asked since the last time, and this process's CPU
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass

from bodies import FAULTY, around, listing

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Date: Tue, 24 Nov 2026 06:00:00 GMT\r\n\r\n"
)
_PAGE = b"<html><body>Please try again later.</body></html>"
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class _Counts:
    """What was asked since the last look, with times of the clock that all processes share."""

    requests: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.requests += 1

    def taken(self) -> bytes:
        """Return the figures as JSON, and begin anew."""
        told = {"cpu": time.process_time(), **asdict(self)}
        self.requests, self.first, self.last = 0, 0.0, 0.0
        return json.dumps(told).encode()


_counts = _Counts()


def _respond(target: bytes) -> tuple[float, list[bytes]]:
    """Return after how many seconds to answer, and what, in pieces."""
    if target == b"/figures":
        body = _counts.taken()
        return 0.0, [_HEAD % len(body), body]
    _counts.add()
    _, first, size, kind, *rest = target.split(b"/")
    latency = 0.0 if first in {b"short", b"html"} else int(first) / 1000
    if not rest:
        body = listing(int(kind.partition(b"=")[2]), short=first == b"short")
        return latency, [_HEAD % len(body), body]
    if first == b"html" and rest[0] == FAULTY.encode():
        return latency, [_HEAD % len(_PAGE), _PAGE]
    start, end = around(int(size))
    return latency, [_HEAD % int(size), start, rest[0], end]


class _Connection(asyncio.Protocol):
    """One connection that is kept alive: a request at a time, as this benchmark's clients do."""

    def __init__(self) -> None:
        self._asked = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("this protocol is for connections of TCP")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if not self._asked.endswith(_END_OF_HEAD):
            return
        target = self._asked.split(b" ", 2)[1]
        self._asked = b""
        delay, pieces = _respond(target)
        if delay:
            self._loop.call_later(delay, self._transport.write, b"".join(pieces))
        else:
            self._transport.write(b"".join(pieces))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
