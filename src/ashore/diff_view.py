"""A comparison of two days as tables for a terminal."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from ashore.comparison import Changed, Comparison, EndpointComparison
from ashore.display import shown
from ashore.drift import FieldDrift, Seen

_FIELDS_SHOWN = 20
_LONGEST = 160
_NOTHING = "(nothing)"


def tables(compared: Comparison, *, summary: bool) -> Iterator[Table]:
    """Yield what there is to show: figures of each endpoint, and, unless asked not to, details."""
    yield _figures(compared)
    for each in compared.endpoints:
        if not summary:
            yield from _details(each)


def notes(compared: Comparison) -> Iterator[str]:
    """Yield what a reader has to know besides."""
    for note in compared.notes:
        yield f"{compared.source}: {note}"
    for each in compared.endpoints:
        for note in each.notes:
            yield f"{compared.source}.{each.endpoint}: {note}"


def _figures(compared: Comparison) -> Table:
    title = f"{shown(compared.source)}: {compared.earlier} → {compared.later}"
    table = Table(title=title, title_justify="left")
    table.add_column("endpoint", overflow="fold")
    names = ("records", "added", "removed", "changed", "objects", "only bytes")
    for name in names:
        table.add_column(name, justify="right")
    for each in compared.endpoints:
        counts = [
            _change(each.records_earlier, each.records_later),
            *map(str, (each.added, each.removed, each.changed)),
            _change(each.objects.earlier, each.objects.later),
            str(each.objects.only_bytes),
        ]
        table.add_row(shown(each.endpoint), *counts)
    return table


def _change(earlier: int, later: int) -> str:
    return str(later) if earlier == later else f"{earlier} → {later}"


def _details(each: EndpointComparison) -> Iterator[Table]:
    if each.changed_fields:
        fields = list(each.changed_fields.items())
        rows = [(shown(_cut(name)), str(many)) for name, many in fields[:_FIELDS_SHOWN]]
        yield _table(f"{each.endpoint}: fields that changed", ("field", "records"), rows)
    if each.fields:
        drifted = [_drift_row(field) for field in each.fields[:_FIELDS_SHOWN]]
        headings = ("field", "drift", "earlier", "later")
        yield _table(f"{each.endpoint}: shape", headings, drifted, of=len(each.fields))
    examples = list(_examples(each))
    if examples:
        of = each.added + each.removed + each.changed
        yield _table(f"{each.endpoint}: records", ("", "key", "record"), examples, of=of)
    if each.only_bytes:
        names = [(shown(_cut(name)),) for name in each.only_bytes]
        title = f"{each.endpoint}: objects of which only the bytes differ"
        yield _table(title, ("object",), names, of=each.objects.only_bytes)


def _table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], of: int | None = None
) -> Table:
    more = f" (the first {len(rows)} of {of})" if of is not None and of > len(rows) else ""
    table = Table(title=shown(title + more), title_justify="left")
    for heading in headings:
        # Folded, not cut: a part of a value could be taken for all of it.
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _examples(each: EndpointComparison) -> Iterator[tuple[str, ...]]:
    for removed in each.removed_examples:
        yield "[red]-[/]", shown(_cut(removed.key or "")), shown(_cut(removed.record))
    for added in each.added_examples:
        yield "[green]+[/]", shown(_cut(added.key or "")), shown(_cut(added.record))
    for changed in each.changed_examples:
        yield "[yellow]~[/]", shown(_cut(changed.key)), _fields(changed)


def _fields(changed: Changed) -> str:
    lines = [
        f"{_cut(each.field)}: {_value(each.earlier)} → {_value(each.later)}"
        for each in changed.fields[:_FIELDS_SHOWN]
    ]
    more = len(changed.fields) - len(lines)
    lines += [f"and {more} more"] if more else []
    return "\n".join(map(shown, lines))


def _value(text: str | None) -> str:
    return _NOTHING if text is None else _cut(text)


def _drift_row(field: FieldDrift) -> tuple[str, ...]:
    kinds = ", ".join(field.kinds)
    return shown(_cut(field.field)), kinds, _seen(field.earlier), _seen(field.later)


def _seen(seen: Seen) -> str:
    """The figures of a field: how often it was there, of which types."""
    types = ", ".join(f"{name} {many}" for name, many in seen.types.items())
    there = "" if seen.present == seen.of else f"in {seen.present} of {seen.of}"
    return "; ".join(filter(None, (types, there)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
