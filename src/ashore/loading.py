"""Records on their way into a table of DuckDB, many at once, each with the place of its object."""

from typing import Any, Protocol

from ashore.views import place_type

_TOGETHER = 2_000
_BYTES_TOGETHER = 2**22

Place = tuple[str | None, ...]
"""An object's extraction date and its values of ``for_each``."""


class Connection(Protocol):
    """What is used of a connection of DuckDB."""

    def execute(self, query: str, parameters: object = None) -> Any:  # noqa: ANN401 - itself
        """Execute one statement."""

    def interrupt(self) -> None:
        """End what is being executed, from another thread."""

    def fetchmany(self, size: int) -> list[Any]:
        """Return the next rows of the last statement; none at its end."""


class Chunk:
    """Collects records, and hands them over when there are enough."""

    def __init__(self, connection: Connection, table: str, places: int) -> None:
        """Collect for a table whose first columns tell the place."""
        self._connection = connection
        self._table = table
        self._types = [place_type(position) for position in range(places)]
        self._places: list[Place] = []
        self._texts: list[str] = []
        self._bytes = 0

    def add(self, place: Place, text: str) -> None:
        """Take a record in, as text."""
        self._places.append(place)
        self._texts.append(text)
        self._bytes += len(text)
        if len(self._texts) >= _TOGETHER or self._bytes >= _BYTES_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Hand over what is still here."""
        if not self._texts:
            return
        same = self._places[0] == self._places[-1] and len(set(self._places)) == 1
        form = "?::{}" if same else "unnest(?::{}[])"
        places = self._places[0] if same else [*map(list, zip(*self._places, strict=True))]
        # One text is handed over much faster than a list of them, and no JSON holds a line end.
        values = [*(form.format(kind) for kind in self._types), "unnest(string_split(?, chr(10)))"]
        self._connection.execute(
            f"INSERT INTO {self._table} SELECT {', '.join(values)}",
            [*places, "\n".join(self._texts)],
        )
        self._places, self._texts, self._bytes = [], [], 0
