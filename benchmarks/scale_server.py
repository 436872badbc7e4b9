"""A server on loopback for ``scale.py``: each answer, gzipped, was made beforehand.

GET /{size}/items?count=N   a listing of N numbers
GET /{size}/item/{number}   an answer of {size} bytes, once its gzip is undone
"""

from __future__ import annotations

import asyncio
import functools
import gzip

from bodies import answer, listing

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    b"Content-Length: %d\r\n\r\n"
)


@functools.lru_cache
def _response(target: bytes) -> bytes:
    _, size, kind, *rest = target.split(b"/")
    body = _packed(int(size)) if rest else gzip.compress(listing(int(kind.partition(b"=")[2])))
    return _HEAD % len(body) + body


@functools.lru_cache
def _packed(size: int) -> bytes:
    return gzip.compress(answer(b"0000000", size))


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("this protocol is for connections of TCP")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if self._asked.endswith(b"\r\n\r\n"):
            target, self._asked = self._asked.split(b" ", 2)[1], b""
            self._transport.write(_response(target))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
