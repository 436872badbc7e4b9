"""Connections that can be cut from another thread.

A socket's time-out bounds silence, not an answer: a server that sends a byte now and then, even in
its headers, holds a reader for ever. So one watchdog knows what each thread is reading, and
cuts what has gone on for too long.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_LOOK_EVERY = 0.25  # seconds
_here = threading.local()


class Watchdog:
    """Cuts connections whose time is up; one for all threads of a sender."""

    def __init__(self) -> None:
        """Begin with nothing to watch; the thread that looks is started by the first request."""
        self._lock = threading.Lock()
        self._watched: dict[int, Watched] = {}
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    @contextlib.contextmanager
    def watching(self, until: float) -> Iterator["Watched"]:
        """Cut whatever this thread reads within the block once the clock passes ``until``."""
        watched = _here.watched = Watched(until)
        thread = threading.get_ident()
        with self._lock:
            self._watched[thread] = watched
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
                self._thread.start()
        try:
            yield watched
        finally:
            with self._lock:
                self._watched.pop(thread, None)

    def cut_all(self) -> None:
        """Cut every connection that is being read now."""
        with self._lock:
            for watched in self._watched.values():
                watched.cut()

    def end(self) -> None:
        """Let the watchdog's thread go."""
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY):
            now = time.monotonic()
            with self._lock:
                for watched in self._watched.values():
                    if now > watched.until:
                        watched.cut()


class WatchedAdapter(HTTPAdapter):
    """Sends through connections that tell the watchdog which of them a thread is using."""

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:  # noqa: ANN401 - as its base
        """Make the pools of connections, as requests does, of watched ones."""
        super().init_poolmanager(*args, **keywords)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **keywords: Any) -> ProxyManager:  # noqa: ANN401
        """Make the pools of connections to a proxy, as requests does, of watched ones."""
        manager: ProxyManager = super().proxy_manager_for(*args, **keywords)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class Watched:
    """What one thread is reading, and whether it was cut."""

    def __init__(self, until: float) -> None:
        """Watch from now until a time of the monotonic clock."""
        self.until = until
        self.was_cut = False
        self.connection: HTTPConnection | None = None

    def cut(self) -> None:
        """End the connection; whoever reads it sees its end."""
        self.was_cut = True
        sock = self.connection.sock if self.connection else None
        if sock is not None:
            with contextlib.suppress(OSError):  # it is gone already, which is what is wanted
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        _here.watched.connection = self
        super().connect()

    def request(self, *args: Any, **keywords: Any) -> None:  # noqa: ANN401 - as its base
        _here.watched.connection = self
        super().request(*args, **keywords)


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        _here.watched.connection = self
        super().connect()

    def request(self, *args: Any, **keywords: Any) -> None:  # noqa: ANN401 - as its base
        _here.watched.connection = self
        super().request(*args, **keywords)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}
