"""A table on disk: what a run knows of a million objects costs no memory."""

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from ashore.errors import LocationUnusable

_TOGETHER = 500  # texts that are written at once, which is faster than one by one


class Spool:
    """Texts by path, in a temporary file that goes away by itself.

    Safe to use from several threads. Raises LocationUnusable where TMPDIR has no room.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._table = open_temporary()
        # The file goes with its last user, also where an error passed by whoever would close it.
        weakref.finalize(self, self._table.close)
        self._lock = threading.Lock()
        self._pending: list[tuple[bytes, str]] = []
        self._table.execute("CREATE TABLE spool (path BLOB PRIMARY KEY, text TEXT) WITHOUT ROWID")

    def put(self, path: str, text: str = "") -> None:
        """Keep a text under a path, instead of one that was there."""
        with self._lock:
            self._pending.append((_key(path), text))
            if len(self._pending) >= _TOGETHER:
                self._flush()

    def get(self, path: str) -> str | None:
        """Return the text under a path, or None."""
        rows = self._do("SELECT text FROM spool WHERE path = ?", _key(path))
        return rows[0][0] if rows else None

    def __contains__(self, path: object) -> bool:
        """Tell whether something is kept under a path."""
        return isinstance(path, str) and bool(
            self._do("SELECT 1 FROM spool WHERE path = ?", _key(path))
        )

    def count(self) -> int:
        """Return how many texts there are: all are looked at, so this is no ``len``."""
        return int(self._do("SELECT count(*) FROM spool")[0][0])

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield every path and its text, in the order of the paths."""
        last = b""
        query = "SELECT path, text FROM spool WHERE path > ? ORDER BY path LIMIT 1000"
        while rows := self._do(query, last):
            for path, text in rows:
                yield path.decode("utf-8", "surrogateescape"), text
            last = rows[-1][0]

    def close(self) -> None:
        """Give the temporary file back."""
        self._table.close()

    def _do(self, statement: str, *values: bytes) -> list[tuple[Any, ...]]:
        with self._lock, room():
            self._flush()
            return self._table.execute(statement, values).fetchall()

    def _flush(self) -> None:
        with room():
            self._table.executemany("INSERT OR REPLACE INTO spool VALUES (?, ?)", self._pending)
        self._pending.clear()


def _key(path: str) -> bytes:
    # Names of files need not be UTF-8; Python reads what is not as halves of surrogate pairs.
    return path.encode("utf-8", "surrogateescape")


def open_temporary() -> sqlite3.Connection:
    """Open a database in a temporary file that goes away by itself."""
    # An empty name is SQLite's for a private temporary database: https://sqlite.org/inmemorydb.html
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    return database


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Tell the operator, not the developers, where TMPDIR has no room."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise LocationUnusable(f"no room for temporary files (TMPDIR): {error}") from error
