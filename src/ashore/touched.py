"""Which landed objects a query touches: told by the parsed SQL, before anything is loaded.

What a condition says of an object's place (its day, its values of ``for_each``) decides which
objects have to be read. Only conditions that hold for every row of the result are taken; what is
not understood is left to the database, and then more is read than needed, never less.
"""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ashore.columns import KEPT
from ashore.errors import Misconfigured, nearest

DATE = "extraction_date"
CATALOG = "_ashore"
"""What the database itself is called; no source can have that name."""
_PLAIN = {
    *("BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON"),
    *("CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR", "TYPE"),
}
_KEPT_BY_DUCKDB = {"information_schema", "pg_catalog"}
_BUILT_IN = ("duckdb_", "pg_", "sqlite_")
_NOT_OURS = {"main", "pg_catalog", "information_schema"}
_CLAUSES = ("where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")

Node = dict[str, Any]
"""A part of a statement, as ``json_serialize_sql`` of DuckDB writes it."""
View = tuple[str, str]
"""Source and endpoint."""
Places = Mapping[View, tuple[str, ...]]
"""For each view, the columns that tell an object's place."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One mention of a view, and the conditions on the place of the objects that it needs."""

    view: View
    conditions: tuple[Node, ...] = ()
    """Each on columns of the place alone, without the name of a table."""
    only_latest: bool = False
    """Whether nothing but the latest date of its records is asked."""


@dataclass(frozen=True, slots=True)
class _From:
    """What stands after FROM, where each row of the result has a row of each of these tables."""

    tables: Mapping[str, Node]
    """By the names that the query uses for them."""
    conditions: tuple[Node, ...] = ()
    """Those after ON."""


def references(
    statement: Node, places: Places, is_steady: Callable[[str], bool]
) -> list[Reference]:
    """Return every mention of a view in a statement.

    ``is_steady`` tells whether a function gives the same value each time it is called.
    """
    found: list[Reference] = []
    claimed: set[int] = set()
    for node in nodes(statement):
        if node.get("type") == "SELECT_NODE":
            for table, reference in _of_select(node, places, is_steady):
                claimed.add(id(table))
                found.append(reference)
    rest = (node for node in nodes(statement) if id(node) not in claimed)
    return found + [Reference(view) for node in rest if (view := _view(node, places))]


def refuse_unknown(parts: Node, places: Places) -> None:
    """Name the views that there are, where a query asks for others.

    Raises:
        Misconfigured: naming the one that is not there.
    """
    own = {str(entry.get("key")).lower() for node in nodes(parts) for entry in _expressions(node)}
    for node in nodes(parts):
        if node.get("type") != "BASE_TABLE":
            continue
        schema, table = (str(node.get(k)).lower() for k in ("schema_name", "table_name"))
        if schema in _KEPT_BY_DUCKDB and (schema, table) in places:
            raise Misconfigured(f"SQL keeps the name {schema}; a source of that name has no views")
        known = (schema, table) in places or schema in _NOT_OURS
        if known or (not schema and (table in own or table.startswith(_BUILT_IN))):
            continue
        name = f"{schema}.{table}" if schema else table
        views = [f"{source}.{endpoint}" for source, endpoint in places]
        raise Misconfigured(
            f'the query asks for "{name}", which is not there; {_near(name, views)}'
        )


def _expressions(node: Node) -> Sequence[Node]:
    """The table expressions (WITH) of a statement, which it may ask like tables."""
    entries: Sequence[Node] = (node.get("cte_map") or {}).get("map") or ()
    return entries


def _near(name: str, views: Sequence[str]) -> str:
    same = [view for view in views if view.endswith(f".{name}")]
    return f'did you mean "{same[0]}"?' if same else nearest(name, views)


def latest_asked(node: Node, places: Places) -> View | None:
    """Return the view of which a SELECT asks the latest extraction date and nothing else."""
    table, chosen = node.get("from_table") or {}, node.get("select_list") or []
    if any(node.get(clause) for clause in (*_CLAUSES, "modifiers")) or len(chosen) != 1:
        return None
    return _view(table, places) if not _is_odd(table) and _is_latest(chosen[0]) else None


def nodes(part: object) -> Iterator[Node]:
    """Yield every object in a parsed statement, the outer ones first."""
    waiting = [part]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += reversed(node.values())
        elif isinstance(node, list):
            waiting += reversed(node)


def _view(table: Node, places: Places) -> View | None:
    if table.get("type") != "BASE_TABLE" or table.get("catalog_name") not in {"", CATALOG}:
        return None
    view = (str(table.get("schema_name")).lower(), str(table.get("table_name")).lower())
    return view if view in places else None


def _is_odd(table: Node) -> bool:
    """Tell whether a table is sampled, asked as of a time, or has its columns renamed."""
    return any(table.get(key) for key in ("sample", "at_clause", "column_name_alias"))


def _is_latest(expression: Node) -> bool:
    if expression.get("function_name") != "max" or expression.get("filter"):
        return False
    parts = [node for node in nodes(expression) if node.get("class")]
    return len(parts) == 2 and _names(parts[1])[-1:] == [DATE]


def _of_select(
    node: Node, places: Places, is_steady: Callable[[str], bool]
) -> Iterator[tuple[Node, Reference]]:
    """Each view after FROM whose rows are all in the result's, with what must be true of them."""
    if view := latest_asked(node, places):
        yield node["from_table"], Reference(view, only_latest=True)
        return
    joined = _from(node.get("from_table") or {})
    conditions = [*_all_of(node.get("where_clause")), *joined.conditions]
    aliases = {str(each.get("alias") or "").lower() for each in node.get("select_list") or []}
    for name, table in joined.tables.items():
        view = _view(table, places)
        if view is None or _is_odd(table):
            continue
        own = set(places[view]) - aliases
        alike = _alike(name, conditions)
        bare = [_bare(each, name, own, alike) for each in conditions if _is_plain(each, is_steady)]
        yield table, Reference(view, tuple(each for each in bare if each))


def _from(table: Node) -> _From:
    if table.get("type") == "BASE_TABLE":
        return _From({str(table.get("alias") or table.get("table_name")).lower(): table})
    if table.get("type") != "JOIN":
        return _From({})
    left, right = _from(table.get("left") or {}), _from(table.get("right") or {})
    kind = (table.get("join_type"), table.get("ref_type"))
    if kind == ("LEFT", "REGULAR"):
        return left
    # Of two tables that a query calls the same it cannot be told which one is meant.
    if kind[0] != "INNER" or kind[1] not in {"REGULAR", "CROSS", "NATURAL"}:
        return _From({})
    if set(left.tables) & set(right.tables):
        return _From({})
    conditions = (*left.conditions, *right.conditions, *_all_of(table.get("condition")))
    return _From({**left.tables, **right.tables}, conditions)


def _all_of(condition: Node | None) -> Iterator[Node]:
    """The conditions that all hold where this one does."""
    if condition and condition.get("type") == "CONJUNCTION_AND":
        for each in condition.get("children") or []:
            yield from _all_of(each)
    elif condition:
        yield condition


def _alike(name: str, conditions: Collection[Node]) -> set[str]:
    """The tables whose extraction date is that of the table of a name, itself among them."""
    pairs = []
    for each in conditions:
        sides = [_names(each.get(side) or {}) for side in ("left", "right")]
        if each.get("type") == "COMPARE_EQUAL" and all(s[1:] == [DATE] for s in sides):
            pairs.append({side[0] for side in sides})
    alike = {name}
    for _ in pairs:
        alike = alike.union(*(pair for pair in pairs if pair & alike))
    return alike


def _is_plain(condition: Node, is_steady: Callable[[str], bool]) -> bool:
    """Tell whether a condition has the same value whenever and wherever it is worked out."""
    waiting: list[object] = [condition]
    while waiting:
        for node in nodes(waiting.pop()):
            kind = node.get("class")
            if kind is not None and kind not in {*_PLAIN, "SUBQUERY"}:
                return False
            if kind == "FUNCTION" and not is_steady(str(node.get("function_name"))):
                return False
    return True


def _bare(condition: Node, name: str, own: set[str], alike: set[str]) -> Node | None:
    """The condition with the columns of one table by their own names; None if it has others."""
    bare = copy.deepcopy(condition)
    used = False
    for node in _outer(bare):
        names = _names(node)
        if not names or (len(names) == 1 and names[0] in KEPT):
            continue
        known = names[-1] in own and (len(names) == 1 or names[:-1] == [name])
        if not known and not (len(names) == 2 and names[1] == DATE and names[0] in alike):
            return None
        node["column_names"] = names[-1:]
        used = True
    return bare if used else None


def _outer(condition: Node) -> Iterator[Node]:
    """The parts of a condition, but for those of queries in it."""
    waiting: list[object] = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += [] if node.get("class") == "SUBQUERY" else node.values()
        elif isinstance(node, list):
            waiting += node


def _names(node: Node) -> list[str]:
    return [str(name).lower() for name in node.get("column_names") or []]
