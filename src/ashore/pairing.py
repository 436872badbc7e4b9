"""The records of two days side by side, on disk: which are equal, which belong together."""

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from operator import itemgetter
from tempfile import TemporaryFile

from ashore.spool import open_temporary, room

EARLIER, LATER = -1, 1
_CACHE_KIB = 32 * 1024

Row = tuple[bytes | None, int, bytes, bytes]
"""A record: its key, the side it stands on, a digest of its text, its text."""


@dataclass(frozen=True, slots=True)
class Unequal:
    """Records that have no equal on the other side: of one side, or one of each under a key."""

    key: bytes | None
    earlier: int
    """How many of the earlier day."""
    later: int
    """How many of the later day."""
    repeats: bool
    """Whether more records are left under the key, so that none can be told to belong together."""
    _numbers: tuple[int | None, int | None]
    _pile: "Pile" = field(repr=False)

    def texts(self) -> tuple[str | None, str | None]:
        """Read the text of the record of the earlier day, and of the later; None where none is."""
        earlier, later = self._numbers
        return self._pile.text(earlier), self._pile.text(later)


class Pile:
    """Records of two days in a temporary file, sorted there: memory does not grow with them."""

    def __init__(self) -> None:
        """Begin empty."""
        self._table = open_temporary()
        weakref.finalize(self, self._table.close)
        self._table.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._table.execute("PRAGMA temp_store = FILE")
        self._table.execute(
            "CREATE TABLE records "
            "(key BLOB, side INTEGER, digest BLOB, start INTEGER, size INTEGER)"
        )
        # Texts lie beside the table: what is sorted is small.
        self._texts = TemporaryFile()  # noqa: SIM115 - closed with the pile
        self._size = 0

    def fill(self, rows: Iterable[Row]) -> None:
        """Take records in."""
        with room():
            self._table.execute("BEGIN")
            self._table.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", self._kept(rows))
            self._table.execute("COMMIT")

    def unequal(self) -> Iterator[Unequal]:
        """Yield what differs, in the order of the keys; records without a key come first.

        Equal records of both sides cancel each other out, as often as there are pairs of them.
        Where one of each side is left under a key, they belong together.
        """
        query = (
            "SELECT key, sum(side), min(rowid) FROM records GROUP BY key, digest "
            "HAVING sum(side) <> 0 ORDER BY key, min(rowid)"
        )
        with room():
            for key, rows in groupby(self._table.execute(query), key=itemgetter(0)):
                yield from self._of_one_key(key, rows)

    def text(self, number: int | None) -> str | None:
        """Return the text of a record by its number."""
        if number is None:
            return None
        with room():
            query = "SELECT start, size FROM records WHERE rowid = ?"
            start, size = self._table.execute(query, (number,)).fetchone()
            self._texts.seek(start)
            return self._texts.read(size).decode("utf-8", "surrogatepass")

    def _kept(self, rows: Iterable[Row]) -> Iterator[tuple[bytes | None, int, bytes, int, int]]:
        for key, side, digest, text in rows:
            self._texts.write(text)
            yield key, side, digest, self._size, len(text)
            self._size += len(text)

    def close(self) -> None:
        """Give the temporary file back."""
        self._table.close()
        self._texts.close()

    def _of_one_key(
        self, key: bytes | None, rows: Iterator[tuple[bytes | None, int, int]]
    ) -> Iterator[Unequal]:
        first = list(islice(rows, 3))
        numbers = {balance: number for _, balance, number in first}
        if key is not None and len(first) == 2 and numbers.keys() == {EARLIER, LATER}:
            pair = numbers[EARLIER], numbers[LATER]
            yield Unequal(key, 1, 1, repeats=False, _numbers=pair, _pile=self)
            return
        for _, balance, number in chain(first, rows):
            repeats = len(first) > 1 or abs(balance) > 1
            earlier, later = max(-balance, 0), max(balance, 0)
            which = (number, None) if earlier else (None, number)
            yield Unequal(key, earlier, later, repeats=repeats, _numbers=which, _pile=self)
