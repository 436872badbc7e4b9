"""An API on loopback that answers what a test tells it to, also wrongly.

api.on("/country", [Reply(503), json_reply([{"id": "FRA"}])])   # one after the other
api.on("/slow", Reply(drip=0.1, body=b"[]"))                    # the same each time
api.on("/page", lambda call: json_reply(call.query))            # worked out
api.answer(lambda call: html_reply())                           # all other paths
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import parse_qs

_Request = socket.socket | tuple[bytes, socket.socket]  # what socketserver calls a request
HOST = "127.0.0.1"
PIECE = 65536
JOIN_SECONDS = 5.0
# Lingering for no time at all turns the close of a socket into a reset.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
CLIENT_HELLO = b"\x16"  # RFC 8446, section 5.1: how a TLS connection begins


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived."""

    method: str
    path: str
    """As asked, percent-encoded, without the query."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By lower-case name."""
    number: int
    """How often this path was asked, from 1."""
    at: float
    """Monotonic seconds of the arrival."""
    target: str
    """Path and query exactly as sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or the way in which it fails."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_length: int | None = None
    """Said instead of the true length."""
    chunked: bool = False
    cut_after: int | None = None
    """Hang up after so many bytes of the body."""
    reset: bool = False
    """End by a reset: before the headers, or where `cut_after` or `raw` ends."""
    drip: float = 0
    """Seconds before each single byte of the body (or of `raw`)."""
    delay: float = 0
    """Seconds before the headers."""
    raw: bytes | None = None
    """Written as it is, instead of all else; then the connection ends."""
    forever: bytes = b""
    """Written after the body (or `raw`), again and again, until the other side hangs up."""


Handler = Callable[[Call], Reply]
Script = Handler | Reply | Sequence[Reply]


def json_reply(document: object, status: int = 200, **controls: Any) -> Reply:
    """An answer that holds a JSON document."""
    headers = {"Content-Type": "application/json", **controls.pop("headers", {})}
    return Reply(status, json.dumps(document).encode(), headers, **controls)


def html_reply(status: int = 200, text: str = "<html><h1>Sorry</h1></html>") -> Reply:
    """An answer that is a web page, as gateways and maintenance pages send them."""
    return Reply(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def redirect_reply(location: str, status: int = 302) -> Reply:
    """An answer that sends the asker elsewhere."""
    return Reply(status, headers={"Location": location})


class ScriptedApi:
    """A real HTTP/1.1 server in threads of this process; closed when the context ends.

    With `tls` its address is an https one, and it answers plain HTTP at that port as well.
    """

    def __init__(
        self,
        handler: Handler | None = None,
        routes: Mapping[str, Script] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.calls: list[Call] = []
        """All requests, in the order of their arrival."""
        self.surprises: list[Call] = []
        """The requests for which nothing (more) was scripted; they were answered by 404."""
        self.errors: list[BaseException] = []
        """What handlers raised."""
        self.connections = 0
        """How many connections were accepted."""
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        self._routes: dict[str, Script] = dict(routes or {})
        self._handler = handler
        self._tls = tls
        self._listen(0)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on(self, path: str, script: Script) -> None:
        """Answer this path: by a function, by one reply for ever, or by each of a list once.

        A path that is set again begins its list anew; its calls are counted on.
        """
        with self._lock:
            self._routes[path] = script if callable(script) else _script(script)

    def answer(self, handler: Handler) -> None:
        """Answer all paths that have no script of their own."""
        self._handler = handler

    def paths(self) -> list[str]:
        """The paths asked, in the order of their arrival."""
        with self._lock:
            return [call.path for call in self.calls]

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse every connection within the block, and listen at the same port afterwards."""
        self.close()
        with socket.socket() as kept:  # bound, so that nobody else gets the port
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind_once_free(kept, self.port)
            yield
            self._listen(self.port)

    def settle(self) -> None:
        """Return when all is recorded that those had asked who are dead by now.

        A request may still be on its way then. Nobody else may be connected meanwhile.
        """
        deadline = time.monotonic() + JOIN_SECONDS
        with socket.create_connection((HOST, self.port)) as last:
            address = last.getsockname()
        # Connections are accepted in the order in which they were made.
        while not self._server.is_done_with(address):
            assert time.monotonic() < deadline, "somebody is connected all the time"
            time.sleep(0.005)

    def close(self) -> None:
        """Stop listening and hang up on everyone; harmless when it was done before."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(JOIN_SECONDS)
        self._server.hang_up()
        self._server.server_close()

    def _listen(self, port: int) -> None:
        self._server = _Server(self, port, self._tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def reply_to(self, request: BaseHTTPRequestHandler) -> Reply:
        """Record a request and find its answer."""
        call = self._record(request)
        try:
            return self._find(call)
        except Exception as error:  # noqa: BLE001 - it is raised again in the test
            self.errors.append(error)
            return Reply(500, f"the test's handler failed: {error!r}".encode())

    def _record(self, request: BaseHTTPRequestHandler) -> Call:
        path, _, query = request.path.partition("?")
        with self._lock:
            self._asked[path] += 1
            call = Call(
                method=request.command,
                path=path,
                query=parse_qs(query, keep_blank_values=True),
                headers={name.lower(): value for name, value in request.headers.items()},
                number=self._asked[path],
                at=time.monotonic(),
                target=request.path,
            )
            self.calls.append(call)
        return call

    def _find(self, call: Call) -> Reply:
        with self._lock:
            script = self._routes.get(call.path, self._handler)
            if isinstance(script, list):
                script = script.pop(0) if script else None
        if isinstance(script, Reply):
            return script
        if callable(script):
            return script(call)
        self.surprises.append(call)
        return Reply(404, f"nothing is scripted for call {call.number} of {call.path}".encode())


def _bind_once_free(to_bind: socket.socket, port: int) -> None:
    """Bind a port that was just left: a process that is being started may hold it for a moment."""
    until = time.monotonic() + JOIN_SECONDS
    while True:
        try:
            to_bind.bind((HOST, port))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _script(script: Reply | Sequence[Reply]) -> Reply | list[Reply]:
    return script if isinstance(script, Reply) else list(script)


class _Server(socketserver.ThreadingTCPServer):
    """The listening socket and the connections made to it."""

    allow_reuse_address = True
    request_queue_size = 128  # more than any test has workers
    daemon_threads = True

    def __init__(self, api: ScriptedApi, port: int, tls: ssl.SSLContext | None) -> None:
        self.api, self._tls = api, tls
        self.closing = threading.Event()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()
        self._unfinished = 0
        self._latest: object = None
        super().__init__((HOST, port), _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        with self._guard:
            self._unfinished += 1
            self._latest = address
        return request, address

    def is_done_with(self, address: object) -> bool:
        """Whether this was the latest connection that was accepted, and all have ended."""
        with self._guard:
            return self._latest == address and not self._unfinished

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        thread = threading.current_thread()
        with self._guard:
            self.api.connections += 1
            self._open[thread] = request
        request = self._open[thread] = self._spoken(request)
        super().process_request_thread(request, client_address)
        with self._guard:
            del self._open[thread]
            self._unfinished -= 1

    def _spoken(self, connection: socket.socket) -> socket.socket:
        """The connection, by TLS if that is how its other side begins."""
        with contextlib.suppress(OSError):  # it may have been reset before it began
            if self._tls is not None and connection.recv(1, socket.MSG_PEEK) == CLIENT_HELLO:
                # The first read shakes hands, so that nobody has to wait for it here.
                return self._tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
        return connection

    def handle_error(self, request: _Request, client_address: object) -> None:
        """Nothing: a client may hang up whenever it likes."""

    def hang_up(self) -> None:
        """End every connection and wait for its thread, so that no socket outlives the test."""
        self.closing.set()
        with self._guard:
            still_open = dict(self._open)
        for connection in still_open.values():
            _shut(connection)
        for thread in still_open:
            thread.join(JOIN_SECONDS)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have been closed meanwhile
        connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    """One connection: any number of requests, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else headers and body of one answer are 40 ms apart
    server: _Server

    def do_GET(self) -> None:
        reply = self.server.api.reply_to(self)
        self.server.closing.wait(reply.delay)
        try:
            self._send(reply)
        except OSError:
            self.close_connection = True  # the client hung up, as it may

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: the test reads `calls`."""

    def _send(self, reply: Reply) -> None:
        if reply.raw is not None:
            self._write(_pieces(reply.raw, reply.drip), reply)
        elif not reply.reset or reply.cut_after is not None:
            self._send_head(reply)
            self._send_body(reply)
        while reply.forever:
            self._write(_pieces(reply.forever, reply.drip), reply)
        if reply.raw is not None or reply.cut_after is not None or reply.reset:
            self.close_connection = True
        if reply.reset:
            self._reset()

    def _send_head(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in _headers(reply).items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, reply: Reply) -> None:
        if self.command == "HEAD":
            return
        pieces = _pieces(reply.body[: reply.cut_after], reply.drip)
        if not reply.chunked:
            self._write(pieces, reply)
            return
        self._write((b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), reply)
        if reply.cut_after is None:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, pieces: Iterator[bytes], reply: Reply) -> None:
        for piece in pieces:
            if reply.drip and self.server.closing.wait(reply.drip):
                raise ConnectionAbortedError
            self.wfile.write(piece)

    def _reset(self) -> None:
        # Closed here, not by the server, which would first say a proper goodbye.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.rfile.close()
        self.connection.close()


def _pieces(data: bytes, drip: float) -> Iterator[bytes]:
    step = 1 if drip else PIECE
    for start in range(0, len(data), step):
        yield data[start : start + step]


def _headers(reply: Reply) -> dict[str, str]:
    headers = {"Date": formatdate(usegmt=True)}
    length = len(reply.body) if reply.content_length is None else reply.content_length
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif reply.status not in (204, 304):
        headers["Content-Length"] = str(length)
    return {**headers, **reply.headers}
