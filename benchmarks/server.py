"""A server on loopback that is faster than any client of the benchmark: bodies made beforehand.

Run by ``bench.py`` in a process of its own; prints its port, and serves until it is terminated.

    GET /{ms}/items?count=N   a listing of N ids on one page, {ms} milliseconds after it was asked
    GET /{ms}/item/{id}       an answer of 2 KiB
    GET /cpu                  the CPU seconds that this process has used
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from urllib.parse import parse_qs, urlsplit

ANSWER = 2048
_WIDTH = 7
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Date: Tue, 24 Nov 2026 06:00:00 GMT\r\n\r\n"
)
_END_OF_HEAD = b"\r\n\r\n"


def _answer() -> tuple[bytes, bytes]:
    """What stands before and after the id in an answer of 2 KiB: one record with ten values."""
    values = [{"date": str(year), "value": year * 1e5, "unit": None} for year in range(2014, 2024)]
    start, end = b'{"id":"', b'","values":%b,"note":"' % json.dumps(values).encode()
    room = ANSWER - len(start) - _WIDTH - len(end) - len(b'"}')
    return _HEAD % ANSWER + start, end + b"." * room + b'"}'


_START, _END = _answer()


@functools.lru_cache
def _listing(count: int) -> bytes:
    items = [{"id": f"{number:0{_WIDTH}}"} for number in range(count)]
    body = json.dumps({"total": count, "items": items}).encode()
    return _HEAD % len(body) + body


def _cpu() -> bytes:
    body = json.dumps({"cpu": time.process_time()}).encode()
    return _HEAD % len(body) + body


def _respond(target: str) -> tuple[float, bytes]:
    """Return after how many seconds to answer, and what."""
    parts = urlsplit(target)
    names = parts.path.split("/")
    if names[1] == "cpu":
        return 0.0, _cpu()
    delay = int(names[1]) / 1000
    if names[2] == "items":
        return delay, _listing(int(parse_qs(parts.query)["count"][0]))
    return delay, _START + names[3].encode() + _END


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
        target = self._asked.split(b" ", 2)[1].decode()
        self._asked = b""
        delay, answer = _respond(target)
        if delay:
            self._loop.call_later(delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
