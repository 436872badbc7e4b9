"""A small HTTP/1.1 server for loopback: the wire of the stand-in, which knows no API.

Requests and deliveries are values; only ``Server`` and its connections touch sockets. A head and
its body leave in one send, which is what makes it fast enough to measure a client with.
"""

import gzip
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

JSON = "application/json;charset=utf-8"
_HEAD_LIMIT = 65536
_DRIP_PAUSE = 0.01


class BadParameterError(ValueError):
    """A parameter of the query cannot be used; each API says so in its own shape."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: ``path`` and ``query`` are still percent-encoded."""

    path: str
    query: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    keep_alive: bool = True

    @property
    def segments(self) -> tuple[str, ...]:
        """The decoded parts of the path; slashes at either end do not count."""
        return tuple(unquote(part) for part in self.path.strip("/").split("/"))

    @property
    def params(self) -> dict[str, str]:
        """The decoded parameters of the query; the last of several with one name counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def number(self, name: str, default: int, low: int = 1, high: int = 10**9) -> int:
        """Return a parameter that must be a whole number from ``low`` to ``high``.

        Raises:
            BadParameterError: when it is anything else.
        """
        return whole_number(name, self.params.get(name, str(default)), low, high)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an API says: a status, a body, and headers beside the usual ones."""

    body: bytes
    status: int = 200
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """The bytes that leave, and how: what a client meets on the wire."""

    status: int
    head: bytes
    body: bytes = b""
    close: bool = False
    reset: bool = False
    wait: float = 0.0
    drip: float = 0.0


def json_bytes(document: object) -> bytes:
    """Write a document compactly, as most APIs do."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def whole_number(name: str, text: str, low: int, high: int) -> int:
    """Return the number from ``low`` to ``high`` that a text writes in plain digits.

    Raises:
        BadParameterError: when it is anything else; ``name`` is what to call it.
    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(high)):
        number = int(text)
        if low <= number <= high:
            return number
    raise BadParameterError(f"{name} must be a whole number from {low} to {high}")


def head(answer: Answer, *framing: tuple[str, str]) -> bytes:
    """Return status line and headers; ``framing`` says how the body's end is known."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    pairs = (("Date", formatdate(usegmt=True)), ("Content-Type", answer.media), *answer.headers)
    lines = [f"{name}: {value}" for name, value in (*pairs, *framing)]
    return "\r\n".join([f"HTTP/1.1 {answer.status} {phrase}", *lines, "", ""]).encode("latin-1")


def deliver(answer: Answer, request: Request, *, compress: bool = False) -> Delivery:
    """Return the healthy delivery of an answer, compressed when that is on and asked for."""
    body = answer.body
    framing: tuple[tuple[str, str], ...] = () if request.keep_alive else (("Connection", "close"),)
    if compress and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=4, mtime=0)
        framing += (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    top = head(answer, *framing, ("Content-Length", str(len(body))))
    sent = b"" if request.method == "HEAD" else body
    return Delivery(answer.status, top, sent, close=not request.keep_alive)


def _parsed(top: bytes) -> Request:
    first, *rest = top.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    path, _, query = target.partition("?")
    wish = headers.get("connection", "").lower()
    keep = wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"
    return Request(path, query, method, headers, keep)


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1 and asks ``respond`` for each delivery; a thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(
        self, port: int, respond: Callable[[Request], Delivery], ended: Callable[[], None]
    ) -> None:
        self.respond = respond
        self.ended = ended
        self.closing = threading.Event()
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Remember the connection, so that closing the server ends it too."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as inherited
        """Close one connection and forget it."""
        super().shutdown_request(request)
        self._open.discard(request)

    def close(self) -> None:
        """Stop listening and hang up on every client; may be called again."""
        if self.closing.is_set():
            return
        self.closing.set()
        self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            with suppress(OSError):  # it may have ended by itself meanwhile
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.BaseRequestHandler):
    server: Server

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def handle(self) -> None:
        with suppress(OSError):  # the client hung up, which is its right
            while self._exchange():
                pass

    def _exchange(self) -> bool:
        top = self._read_head()
        if not top:
            return False
        try:
            request = _parsed(top)
            self._skip(int(request.headers.get("content-length", 0)))
        except ValueError:
            refusal = Answer(b'{"error":"not an HTTP request"}', 400)
            return self._send(deliver(refusal, Request("/", keep_alive=False)))
        try:
            return self._send(self.server.respond(request))
        finally:
            self.server.ended()

    def _read_head(self) -> bytes:
        data = self._rest
        while b"\r\n\r\n" not in data:
            part = self.request.recv(65536)
            if not part or len(data) > _HEAD_LIMIT:
                return b""
            data += part
        top, _, self._rest = data.partition(b"\r\n\r\n")
        return top

    def _skip(self, length: int) -> None:
        """Read past the body of a request: nothing here listens to one."""
        if length < 0:
            raise ValueError("a length below zero")
        missing = length - len(self._rest)
        self._rest = self._rest[length:]
        while missing > 0 and (part := self.request.recv(min(missing, 65536))):
            missing -= len(part)

    def _send(self, delivery: Delivery) -> bool:
        if delivery.wait:
            self.server.closing.wait(delivery.wait)
        if delivery.reset:
            # Lingering for no time at all turns the close into an RST.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()
            return False
        if delivery.drip:
            self._drip(delivery)
        else:
            self.request.sendall(delivery.head + delivery.body)
        return not delivery.close

    def _drip(self, delivery: Delivery) -> None:
        """Send the body a byte at a time, or in equal pieces where those would be too many."""
        self.request.sendall(delivery.head)
        pieces = max(1, min(len(delivery.body), round(delivery.drip / _DRIP_PAUSE)))
        step = -(-len(delivery.body) // pieces) or 1
        for start in range(0, len(delivery.body), step):
            if self.server.closing.wait(delivery.drip / pieces):
                return
            self.request.sendall(delivery.body[start : start + step])
