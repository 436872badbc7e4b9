"""A real HTTP proxy between boto3 and an S3 server: it hands on every byte, but for its faults.

proxy.fault(refuse(503, "SlowDown"), "PUT", "manifest.json", times=2)
proxy.fault(lose_answer, "PUT", "/started.json")
proxy.fault(refuse(400, "ExpiredToken"), first=7)

A request keeps its Host header, and so its signature stays valid.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_s3 import ACCESS_KEY, REGION, SECRET_KEY

HOST = "127.0.0.1"
SECONDS = 30.0  # that the server behind may take
FOR_EVER = 10**9
# Between two neighbours only; the length is that of the body that is sent on.
HOP_BY_HOP = {"connection", "content-length", "expect", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived, or as it is sent on."""

    method: str
    target: str
    """Path and query, percent-encoded."""
    headers: dict[str, str]
    body: bytes
    at: float = 0.0
    """Monotonic seconds of the arrival."""

    @property
    def key(self) -> str:
        """The path and the query in plain text: what a fault looks at."""
        return unquote(self.target)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the server behind, or one of our own."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut_after: int | None = None
    """Hang up after so many bytes of the body."""


Forward = Callable[[Asked], Answered]
Play = Callable[["Proxy", Asked], Answered | None]
"""What becomes of a request: an answer, or None where the connection ends without one."""


@dataclass(slots=True)
class Fault:
    """A play, and the requests that it befalls: so many, from a certain one on."""

    play: Play
    method: str
    key: re.Pattern[str]
    first: int
    times: int
    met: int = 0

    def befalls(self, asked: Asked) -> bool:
        """Count a request that this fault is about; tell whether it is its turn."""
        if self.method not in ("", asked.method) or not self.key.search(asked.key):
            return False
        self.met += 1
        return self.first <= self.met < self.first + self.times


class Proxy:
    """Listens on loopback while its context is open."""

    def __init__(self, endpoint: str) -> None:
        self.calls: list[Asked] = []
        """All requests, in the order of their arrival."""
        self.played: list[Asked] = []
        """Those that a fault befell."""
        self.closing = threading.Event()
        self._behind = urlsplit(endpoint).netloc
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fault(
        self, play: Play, method: str = "", key: str = "", first: int = 1, times: int = FOR_EVER
    ) -> None:
        """Let requests fail whose key matches a pattern: so many, from the `first` of them on."""
        with self._lock:
            self._faults.append(Fault(play, method, re.compile(key), first, times))

    def answer(self, asked: Asked) -> Answered | None:
        """Let the first fault play whose turn it is, or else hand on."""
        with self._lock:
            self.calls.append(asked)
            turns = [fault for fault in self._faults if fault.befalls(asked)]
            if turns:
                self.played.append(asked)
        return turns[0].play(self, asked) if turns else self.forward(asked)

    def forward(self, asked: Asked) -> Answered:
        """Ask the server behind."""
        connection = http.client.HTTPConnection(self._behind, timeout=SECONDS)
        try:
            connection.putrequest(
                asked.method, asked.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in asked.headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(asked.body)))
            connection.endheaders(asked.body)
            answer = connection.getresponse()
            return Answered(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # whoever hangs for ever is left behind
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__((HOST, 0), _Connection)

    def handle_error(self, *_: object) -> None:
        """Nothing: a client may hang up whenever it likes."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        proxy = self.server.proxy
        answered = proxy.answer(self._asked())
        if answered is None or proxy.closing.is_set():
            self.close_connection = True
        else:
            self._send(answered)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: the rows read `calls`."""

    def _asked(self) -> Asked:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {n: v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP}
        return Asked(self.command, self.path, headers, body, time.monotonic())

    def _send(self, answered: Answered) -> None:
        self.send_response_only(answered.status)
        for name, value in answered.headers.items():
            # The answer to a HEAD tells the length of what it does not hold.
            if name.lower() not in HOP_BY_HOP or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answered.body)))
        self.end_headers()
        self.wfile.write(answered.body[: answered.cut_after])
        self.close_connection |= answered.cut_after is not None


# --- plays


def refuse(status: int, code: str) -> Play:
    """Answer with one of S3's errors; nothing is handed on."""
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'

    def play(_proxy: Proxy, asked: Asked) -> Answered:
        body = b"" if asked.method == "HEAD" else text.encode()
        return Answered(status, {"Content-Type": "application/xml"}, body)

    return play


def cut(_proxy: Proxy, _asked: Asked) -> None:
    """Hang up; nothing is handed on."""


def lose_answer(proxy: Proxy, asked: Asked) -> None:
    """Hand on, and hang up when the answer is there: what was asked is done."""
    proxy.forward(asked)


def late(seconds: float) -> Play:
    """Hand on, and keep the answer for a while."""

    def play(proxy: Proxy, asked: Asked) -> Answered:
        answered = proxy.forward(asked)
        proxy.closing.wait(seconds)
        return answered

    return play


def hang(proxy: Proxy, _asked: Asked) -> None:
    """Say nothing at all, for as long as the proxy is there."""
    proxy.closing.wait(600)


def flip_answer(proxy: Proxy, asked: Asked) -> Answered:
    """Hand on, and flip a bit of the answer's body."""
    answered = proxy.forward(asked)
    return replace(answered, body=flipped(answered.body))


def flip_unseen(proxy: Proxy, asked: Asked) -> Answered:
    """Flip a bit of the answer's body, and take away the checksums that would tell."""
    answered = flip_answer(proxy, asked)
    headers = {n: v for n, v in answered.headers.items() if "checksum" not in n.lower()}
    return replace(answered, headers=headers)


def flip_request(proxy: Proxy, asked: Asked) -> Answered:
    """Flip a bit of the body on its way to the server."""
    return proxy.forward(replace(asked, body=flipped(asked.body)))


def cut_answer(proxy: Proxy, asked: Asked) -> Answered:
    """Hand on, and hang up in the middle of the answer's body."""
    answered = proxy.forward(asked)
    return replace(answered, cut_after=len(answered.body) // 2)


def ignore_conditions(proxy: Proxy, asked: Asked) -> Answered:
    """Hand on without the condition, as a store would see it that knows of none."""
    headers = {n: v for n, v in asked.headers.items() if n.lower() != "if-none-match"}
    return proxy.forward(signed(replace(asked, headers=headers)))


def small_pages(proxy: Proxy, asked: Asked) -> Answered:
    """List five names a page, whatever was asked for."""
    return proxy.forward(signed(replace(asked, target=f"{asked.target}&max-keys=5")))


def flipped(body: bytes) -> bytes:
    """The same bytes but for one bit in their middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


def signed(asked: Asked, signer: Callable[..., S3SigV4Auth] = S3SigV4Auth) -> Asked:
    """A request that was changed, with a signature that is right again."""
    dropped = {"authorization", "x-amz-date", "x-amz-content-sha256"}
    kept = {n: v for n, v in asked.headers.items() if n.lower() not in dropped}
    host = next(value for name, value in kept.items() if name.lower() == "host")
    request = AWSRequest(asked.method, f"http://{host}{asked.target}", kept, asked.body)
    # `params` would be signed as well; a query in the URL is signed as it stands.
    signer(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION).add_auth(request)
    return replace(asked, headers=dict(request.headers.items()))
