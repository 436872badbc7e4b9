"""A DuckDB of its own for one query: nothing in it reaches a file, the network or an extension."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ashore.columns import WIDEST, Shape, columns, text_of
from ashore.errors import LocationUnusable, Misconfigured
from ashore.loading import Chunk, Connection, Place
from ashore.touched import CATALOG, Node, View, nodes
from ashore.views import place_type, quoted, text_sql, view_sql

try:
    import duckdb
except ImportError as missing:
    raise Misconfigured(
        "ashore query needs DuckDB, which is not installed; pip install 'ashore[query]'"
    ) from missing

_LOCKED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    # A table that is not there is not looked for among the variables of this program.
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}
"""Nobody can take these back while the database is open."""
_READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_FETCHED = 1_000
_ENDING = 10.0
"""Seconds that a query has to end after a signal."""
_LONGEST_REASON = 500
_OURS = f"{CATALOG}._landed"

Values = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of a result: its name, and its type as DuckDB calls it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a query found. It lies in a temporary file, whole, before anything of it is shown."""

    columns: tuple[Heading, ...]
    count: int
    rows: Callable[[], Iterator[Values]]
    """Gives the rows, each value as text: nested ones as JSON, None where there is none."""


@contextlib.contextmanager
def open_database(memory: int) -> Iterator["Database"]:
    """Yield a database in a temporary folder, which goes away with it.

    Args:
        memory: bytes that DuckDB may use; what needs more waits in the folder.

    Raises:
        LocationUnusable: when TMPDIR has no room.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ashore-"))
        except OSError as error:
            raise LocationUnusable(f"no room for temporary files (TMPDIR): {error}") from error
        limits = {
            "memory_limit": f"{max(memory // 1000, 1)}KB",
            "temp_directory": str(Path(folder, "spilled")),
        }
        with _explained():
            file = str(Path(folder, f"{CATALOG}.db"))
            connection = stack.enter_context(duckdb.connect(file, config={**_LOCKED, **limits}))
            connection.execute(f"CREATE SCHEMA {_OURS}")
        yield Database(connection)


class Database:
    """Takes records in, shows them as views, and answers one query about them.

    Raises Misconfigured where the query is wrong, LocationUnusable where TMPDIR has no room.
    """

    def __init__(self, connection: Connection) -> None:
        """Work on a connection."""
        self._connection = connection
        self._tables = 0

    def parsed(self, sql: str) -> Node:
        """Return a statement as its parts; only a single one that reads is let through."""
        with _explained():
            statements = duckdb.extract_statements(sql)
            kinds = [statement.type.name for statement in statements]
            if kinds != ["SELECT"]:
                raise Misconfigured(_not_one_select(kinds))
            text = self._rows("SELECT json_serialize_sql(?)", [sql])[0][0]
        try:
            parts: Node = json.loads(text)
        except RecursionError as error:
            raise Misconfigured("the query is nested too deep to be looked at") from error
        # With a table expression a SELECT may hold statements that write.
        if parts.get("error") or any(_writes(node) for node in nodes(parts)):
            raise Misconfigured(_not_one_select(["statement that writes"]))
        return parts

    def is_steady(self, function: str) -> bool:
        """Tell whether a function gives the same value whenever it is called in a query."""
        return function.lower() in self._steady

    @cached_property
    def _steady(self) -> frozenset[str]:
        rows = self._rows(
            "SELECT function_name FROM duckdb_functions() GROUP BY 1 "
            "HAVING bool_and(function_type = 'scalar' AND stability IS DISTINCT FROM 'VOLATILE')"
        )
        return frozenset(name for (name,) in rows)

    def literal(self, date: str) -> Node:
        """Return a date as a part of a statement."""
        statement = self._parts(f"SELECT DATE '{date}'")
        chosen: Node = statement["statements"][0]["node"]["select_list"][0]
        return chosen

    def admitted(
        self, names: Sequence[str], places: Sequence[Place], conditions: Sequence[Node]
    ) -> set[int]:
        """Return which of some places, by their position, meet all conditions.

        Where that cannot be worked out it is all of them: the query itself will say why.
        """
        unnested = ", ".join(
            f"unnest(?::{place_type(i)}[]) AS {quoted(n)}" for i, n in enumerate(names)
        )
        statement = self._parts(f"SELECT position FROM {_OURS}.places WHERE true")  # noqa: S608 - ours
        statement["statements"][0]["node"]["where_clause"] = _all_of(conditions)
        try:
            self._connection.execute(
                f"CREATE OR REPLACE TABLE {_OURS}.places AS "
                f"SELECT unnest(range({len(places)})) AS position, {unnested}",
                [list(column) for column in zip(*places, strict=True)],
            )
            text = self._rows("SELECT json_deserialize_sql(?)", [json.dumps(statement)])[0][0]
            return {position for (position,) in self._rows(text)}
        except duckdb.Error:
            return set(range(len(places)))

    def load(
        self, view: View, names: Sequence[str], records: Iterable[tuple[Place, object]]
    ) -> None:
        """Take the records of a view in, each with the place of its object, and show them.

        ``names`` are those of the columns that tell the place, the extraction date first. A record
        without a place only tells what columns there are.
        """
        self._tables += 1
        table, shape = f"{_OURS}.t{self._tables}", Shape()
        fields = ", ".join(f"p{i} {place_type(i)}" for i in range(len(names)))
        with _explained():
            self._connection.execute(f"CREATE TABLE {table} ({fields}, record VARCHAR)")
            chunk = Chunk(self._connection, table, len(names))
            for place, record in records:
                shape.see(record, WIDEST)
                if place:
                    chunk.add(place, text_of(record))
            chunk.flush()
            source, endpoint = map(quoted, view)
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{source}")
            shown = view_sql(table, names, columns(shape, names))
            self._connection.execute(f"CREATE VIEW {CATALOG}.{source}.{endpoint} AS {shown}")

    def answer(self, sql: str) -> Result:
        """Answer a query, which ``parsed`` has let through."""
        with _explained():
            self._endable(f"CREATE TABLE {_OURS}.result AS\n{sql}")
            ((count,),) = self._rows(f"SELECT count(*) FROM {_OURS}.result")  # noqa: S608 - ours
            described = self._rows(f"DESCRIBE {_OURS}.result")
        headings = tuple(Heading(name, kind) for name, kind, *_ in described)
        return Result(headings, count, lambda: self._texts(headings))

    def _endable(self, sql: str) -> None:
        """Execute what may take long, in another thread: this one hears signals, and ends it."""
        executor = ThreadPoolExecutor(1)
        running = executor.submit(self._connection.execute, sql)
        try:
            running.result()
        except BaseException:
            self._connection.interrupt()
            wait([running], timeout=_ENDING)
            raise
        finally:
            executor.shutdown(wait=False)

    def _texts(self, headings: Sequence[Heading]) -> Iterator[Values]:
        texts = ", ".join(text_sql(heading.name, heading.type) for heading in headings)
        with _explained():
            self._connection.execute(f"SELECT {texts} FROM {_OURS}.result")  # noqa: S608 - quoted
            while rows := self._connection.fetchmany(_FETCHED):
                yield from rows

    def _parts(self, sql: str) -> Node:
        parts: Node = json.loads(self._rows("SELECT json_serialize_sql(?)", [sql])[0][0])
        return parts

    def _rows(self, sql: str, values: object = None) -> list[Any]:
        rows: list[Any] = self._connection.execute(sql, values).fetchall()
        return rows


def _all_of(conditions: Sequence[Node]) -> Node:
    joined = {"class": "CONJUNCTION", "type": "CONJUNCTION_AND", "alias": "", "query_location": 0}
    return {**joined, "children": list(conditions)} if len(conditions) > 1 else conditions[0]


def _writes(node: Node) -> bool:
    kind = str(node.get("type"))
    return kind.endswith("_NODE") and kind not in _READING


def _not_one_select(kinds: Sequence[str]) -> str:
    found = f"{len(kinds)} statements" if len(kinds) != 1 else kinds[0].replace("_", " ")
    return f"only a single SELECT is answered, and nothing is ever written; this is: {found}"


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What DuckDB has against a query, or against the room it has, in one line."""
    try:
        yield
    except duckdb.IOException as error:
        raise LocationUnusable(f"no room for temporary files (TMPDIR): {_reason(error)}") from error
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException) or "could not allocate" in str(error):
            raise Misconfigured(
                f"the query needs more memory than --memory gives it: {_reason(error)}"
            ) from error
        raise Misconfigured(f"the query cannot be answered: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first lines of what DuckDB says, without the excerpt of the query after them."""
    told = str(error).partition("\n\n")[0].split("\n")
    return "; ".join(line.strip() for line in told if line.strip())[:_LONGEST_REASON]
