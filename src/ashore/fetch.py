"""The one place that sends: a URL goes out, an answer comes back, its body as it was sent."""

import datetime as dt
import io
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from ashore import __version__, urls
from ashore.answers import Answer
from ashore.catalog import Source
from ashore.connections import Watchdog, WatchedAdapter
from ashore.decoding import BrokenBody, decoder_of
from ashore.errors import Misconfigured
from ashore.redaction import auth_headers

_KEPT = ("etag", "last-modified", "content-type", "date", "retry-after", "location")
_PIECE = 65_536
_LENGTH = re.compile(r"[0-9]{1,18}(\s*,\s*[0-9]{1,18})*")  # repeated: RFC 9110, section 8.6
_LATE = "the answer took longer than it may"
_TLS = re.compile(r"\[SSL: \w+\] (.+?)\.? \(_ssl\.c")  # what OpenSSL says, without its place


class _TooLargeError(Exception):
    """The body is larger than it may be."""


@dataclass(frozen=True, slots=True)
class _Thread:
    """What one thread sends with; no request depends on an earlier one, not even by cookies."""

    session: requests.Session
    template: requests.PreparedRequest
    verify: bool | str
    """Whether to verify the host's certificate, or by which file or folder."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that was sent, and what came of it."""

    answer: Answer
    sent_at: dt.datetime
    seconds: float


class Sender:
    """Sends the requests of one source, with one session for each thread."""

    def __init__(
        self,
        source: Source,
        secret: str | None,
        turn: Callable[[], bool],
        until: float,
    ) -> None:
        """Send to a source; ``turn`` waits for leave to send, ``until`` is the run's deadline."""
        self._source = source
        self._secret = secret
        self._turn = turn
        self._until = until
        self._threads = threading.local()
        self._watchdog = Watchdog()

    def send(self, url: str) -> Exchange | None:
        """Send one request when its turn comes; None when there are no turns any more.

        The secret joins here and nowhere else. Redirects are not followed.

        Raises:
            Incomplete: when a limit is used up.
        """
        auth = self._source.auth
        if auth and auth.param and self._secret:
            url = urls.with_params(url, {auth.param: self._secret})
        if not self._turn():
            return None
        sent_at, began = dt.datetime.now(dt.UTC), time.monotonic()
        until = min(self._until, began + self._source.timeout.total)
        with self._watchdog.watching(until) as watched:
            answer = self._exchange(url, until)
        if watched.was_cut or time.monotonic() > until:
            # Where the end of the connection ends the body, what was cut looks whole.
            answer = Answer(problem=_LATE)
        return Exchange(answer, sent_at, time.monotonic() - began)

    def cut(self) -> None:
        """Cut what is under way: its answers are not waited for any longer."""
        self._watchdog.cut_all()

    def close(self) -> None:
        """Let go of what watches over the requests; nothing may be sent afterwards."""
        self._watchdog.end()

    def _exchange(self, url: str, until: float) -> Answer:
        timeout, thread = self._source.timeout, self._of_this_thread()
        left = max(until - time.monotonic(), 0.001)
        try:
            request = thread.template.copy()
            request.prepare_url(url, None)
            # By its adapter: a session's own send reads the bodies of redirects, however large.
            adapter = thread.session.get_adapter(request.url or url)
            with adapter.send(
                request,
                stream=True,
                timeout=(min(timeout.connect, left), min(timeout.read, left)),
                verify=thread.verify,
                proxies=thread.session.proxies,
            ) as response:
                return self._receive(response, until)
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            return Answer(problem=_told(error))

    def _receive(self, response: requests.Response, until: float) -> Answer:
        headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
        link = urls.next_link(response.headers.get("link", ""))
        answer = Answer(response.status_code, headers=headers, link=link)
        try:
            return replace(answer, body=self._read(response, until))
        except _TooLargeError:
            told = f"the body is larger than max_body = {self._source.max_body}"
            return replace(answer, problem=told, too_large=True)
        except BrokenBody as error:
            return replace(answer, problem=_told(error), damaged=True)
        except (requests.RequestException, HTTPError, OSError, TimeoutError) as error:
            return replace(answer, problem=_told(error))

    def _read(self, response: requests.Response, until: float) -> bytes:
        cap, sent, body = self._source.max_body, 0, io.BytesIO()
        length = response.headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length):
            # The library below would take it for none, and any end for the end of the body.
            raise BrokenBody("the Content-Length is no number")
        decoder = decoder_of(response.headers.get("content-encoding"))
        # read1 gives what is there: a server that drips cannot hold a thread beyond its deadline.
        while piece := response.raw.read1(_PIECE, decode_content=False):
            sent += len(piece)
            if time.monotonic() > until:
                raise TimeoutError(_LATE)
            for decoded in decoder.feed(piece):
                body.write(decoded)
                if max(sent, body.tell()) > cap:
                    raise _TooLargeError
        decoder.finish()
        return body.getvalue()

    def _of_this_thread(self) -> "_Thread":
        thread: _Thread | None = getattr(self._threads, "thread", None)
        if thread is None:
            session = self._new_session()
            template = session.prepare_request(requests.Request("GET", self._source.base_url))
            certificates = _certificates(os.environ) or True
            thread = self._threads.thread = _Thread(session, template, certificates)
        return thread

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        # The environment is asked once, and never for a user and password of ~/.netrc.
        session.trust_env = False
        session.proxies = get_environ_proxies(self._source.base_url)
        for scheme in ("http://", "https://"):
            session.mount(scheme, WatchedAdapter(pool_connections=1, pool_maxsize=1))
        session.headers.update(
            {"User-Agent": f"ashore/{__version__}", "Accept": "application/json, */*;q=0.5"}
        )
        session.headers.update(self._source.headers)
        session.headers.update({"Accept-Encoding": "gzip, deflate"})
        session.headers.update(auth_headers(self._source.auth, self._secret))
        return session


def check_certificates(environment: Mapping[str, str]) -> None:
    """Look whether the certificates that the environment names are there.

    Raises:
        Misconfigured: when they are not.
    """
    named = _certificates(environment)
    if named and not Path(named).exists():
        raise Misconfigured(f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE: there is no {named}")


def _certificates(environment: Mapping[str, str]) -> str | None:
    return environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or None


def _told(error: BaseException) -> str:
    """What happened, in words that hold no URL."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection within timeout.connect"
    if isinstance(error, requests.exceptions.ReadTimeout) and _in_handshake(error):
        return "no TLS connection within timeout.connect"
    if isinstance(error, requests.exceptions.SSLError):
        why = _TLS.search(str(error))
        return f"the TLS connection failed{f': {why[1]}' if why else ''}"
    if isinstance(error, BrokenBody):
        return str(error)
    names = f"{type(error).__name__} {error}"
    for sign, words in _SIGNS.items():
        if sign in names:
            return words
    return f"no answer ({type(error).__name__})"


def _in_handshake(error: BaseException | None) -> bool:
    """Tell whether it was TLS that kept somebody waiting: only what lies beneath knows."""
    while error is not None and "handshake" not in str(error):
        error = error.__cause__ or error.__context__
    return error is not None


_SIGNS = {
    "NameResolution": "the host's name cannot be resolved",
    "refused": "the connection was refused",
    "imed out": "no byte within timeout.read",
    "Timeout": "no byte within timeout.read",
    "IncompleteRead": "the body was cut off",
    "reset": "the connection was reset",
    "without response": "the connection was closed without an answer",
    "BadStatusLine": "what came is no HTTP",
    "got more than": "the headers have no end",
}
