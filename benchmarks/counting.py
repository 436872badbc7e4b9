"""What stands between a program and S3, hands on every byte, and counts the calls by kind."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE = 2**16


class Counting:
    """A proxy in a thread of its own; a request keeps its Host, and so its signature."""

    def __init__(self, endpoint: str) -> None:
        self._port = urlsplit(endpoint).port
        self.calls = Counter[str]()
        self.endpoint = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(timeout=10)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.ensure_future(_hand_on(back, writer))
        try:
            while True:
                await self._request(reader, on)
        except (asyncio.IncompleteReadError, ConnectionError):
            on.close()
            await answers

    async def _request(self, reader: asyncio.StreamReader, on: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(_END_OF_HEAD)
        self.calls[kind_of(head)] += 1
        on.write(head)
        length = _LENGTH.search(head)
        left = int(length[1]) if length else 0
        while left:
            piece = await reader.readexactly(min(left, _PIECE))
            left -= len(piece)
            on.write(piece)
            await on.drain()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def kind_of(head: bytes) -> str:
    """Return what a call to S3 does, and to what: an answer, a listing that was landed, or else."""
    method, target, _ = head.split(b" ", 2)
    name = method.decode()
    if b"list-type=" in target:
        return "list objects"
    for part, what in ((b"endpoint%3Ditem/", "a body"), (b"endpoint%3Ditems/", "the listing")):
        if part in target.replace(b"=", b"%3D"):
            return f"{name} {what}"
    return f"{name} a statement"
