"""Random pairs of days: the quick comparison says what a plain and slow one says."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections import Counter
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ashore import bodies, diff, intake
from ashore.catalog import Source
from ashore.catalog_file import read_catalog
from ashore.comparison import EndpointComparison
from ashore.folder import Folder
from tests.support import slow_diff
from tests.support.days import land

DAYS = dt.date(2026, 11, 24), dt.date(2026, 11, 25)
KEYS: tuple[list[str], ...] = ([], ["id"], ["id", "part"])
Pairs = list[tuple[str, str]]
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "0.0", "-0.0e5", "1", "1.0", "1e0", "10e-1", "2", "0.1", "0.10", "1E-1"),
        *("0.1000000000000000055", "151115727451828646838272", "151115727451828646838273"),
        *("151115727451828646838273.0", "1e400", "1e-400", "NaN", "100", "1e2", "0.30", "3e-1"),
        *("123456789012345.6", "1234567890123456.7", "1234567890123456.70", "1e999999999999"),
    ]
)
PLAIN = st.sampled_from(["null", "true", "false", '"1"', '"a"', '"\\u00e9"', '"é"', '"\\ud800"'])
SCALARS = NUMBERS | PLAIN
NAMES = st.sampled_from(["a", "b", "c"])


def rendered(pairs: Pairs) -> str:
    """An object; its names may repeat."""
    return "{" + ", ".join(f'"{name}" :{value}' for name, value in pairs) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(NAMES, inner), max_size=3).map(rendered)
    ),
    max_leaves=5,
)
ODD = st.sampled_from(["1", "1.0", '"1"', "null", "true", '{"a":1}', "0.1000000000000000055"])
"""Keys that repeat, or look like others, or are none."""


@st.composite
def records(draw: st.DrawFn, number: int) -> Pairs:
    """A record as its names and values."""
    own = str(number) if draw(st.integers(0, 4)) else draw(ODD)
    part = str(draw(st.integers(0, 1)))
    return [("id", own), ("part", part), *draw(st.lists(st.tuples(NAMES, VALUES), max_size=3))]


@st.composite
def later_records(draw: st.DrawFn, earlier: list[Pairs]) -> list[Pairs]:
    """What became of records: gone, the same, in another order, with another value, twice."""
    later = []
    for record in earlier:
        fate = draw(st.sampled_from(["gone", "same", "same", "order", "value", "value", "twice"]))
        if fate == "value":
            place = draw(st.integers(2, len(record)))
            value = [(draw(NAMES), draw(VALUES))] if draw(st.integers(0, 3)) else []
            later.append([*record[:place], *value, *record[place + 1 :]])
        elif fate == "order":
            later.append(draw(st.permutations(record)))
        else:
            later += [record] * {"gone": 0, "same": 1, "twice": 2}[fate]
    more = range(100, 100 + draw(st.integers(0, 2)))
    return later + [draw(records(number)) for number in more]


@st.composite
def pairs_of_days(draw: st.DrawFn) -> tuple[dict[int, str], dict[int, str]]:
    """Two days of pages of records; some of what stands in a list of records is none."""
    earlier = [
        draw(records(number))
        for number in range(draw(st.integers(0, 1)) * draw(st.integers(3, 7)) or 4)
    ]
    later = draw(later_records(earlier))
    return draw(pages(earlier)), draw(pages(later))


@st.composite
def pages(draw: st.DrawFn, found: list[Pairs]) -> dict[int, str]:
    """Records on pages, of which some are empty, and some hold what is no object."""
    placed: dict[int, list[str]] = {1: [], 2: []} if draw(st.booleans()) else {}
    for record in found:
        number = draw(st.sampled_from([1, 1, 1, 2, 2, 10]))
        placed.setdefault(number, []).append(rendered(record))
    if draw(st.integers(0, 3)) == 0:
        placed.setdefault(1, []).append(draw(VALUES))
    return {n: body(page, draw(st.integers(0, 1))) for n, page in placed.items()}


def body(page: list[str], request: int) -> str:
    """An answer; the number of the request stands in it."""
    return f'{{"request": {request}, "list" : [{" , ".join(page)}], "end": [[]]}}'


def source_of(folder: Path, key: list[str]) -> Source:
    """A source whose one endpoint has that key."""
    text = '[source.shop]\nbase_url = "http://api.example"\n[[source.shop.endpoint]]\n'
    text += 'name = "items"\npath = "items"\nrecords = "list"\n'
    catalog = folder / "catalog.toml"
    catalog.write_text(text + (f"key = {json.dumps(key)}\n" if key else ""))
    return read_catalog(catalog).sources["shop"]


def compared(
    days: tuple[dict[int, str], dict[int, str]], key: list[str], folder: Path
) -> EndpointComparison:
    """What the comparison of two such days says of their endpoint."""
    for date, pages in zip(DAYS, days, strict=True):
        land(folder, str(date), {f"items/page={n}.json": p.encode() for n, p in pages.items()})
    found = diff.compare(
        Folder(folder), source_of(folder, key), *DAYS, endpoints=["items"], examples=None
    )
    return found.endpoints[0]


def meant(text: str) -> str:
    """What a shown value means."""
    return slow_diff.meaning(slow_diff.read(text))


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(pairs_of_days(), st.sampled_from(KEYS), st.booleans(), st.booleans())
def test_a_comparison_says_what_a_plain_one_says(
    days: tuple[dict[int, str], dict[int, str]], key: list[str], large: bool, held: bool
) -> None:
    plain = slow_diff.compare(list(days[0].values()), list(days[1].values()), key)
    limits = patch.multiple(bodies, _LARGE=0 if large else 2**22)
    with (
        limits,
        patch.multiple(intake, _SMALL=2**21 if held else 0),
        tempfile.TemporaryDirectory() as root,
    ):
        found = compared(days, key, Path(root))
    assert Counter(meant(a.record) for a in found.added_examples) == plain.added
    assert Counter(meant(a.record) for a in found.removed_examples) == plain.removed
    assert {
        meant(c.key if len(key) > 1 else f"[{c.key}]"): {
            (f.field, f.earlier and meant(f.earlier), f.later and meant(f.later)) for f in c.fields
        }
        for c in found.changed_examples
    } == plain.changed
    assert {
        d.field: (set(d.kinds), figures(d.earlier), figures(d.later)) for d in found.fields
    } == plain.drift
    counts = found.added, found.removed, found.changed
    event(f"changed {bool(plain.changed)}, drift {bool(plain.drift)}")
    assert counts == (plain.added.total(), plain.removed.total(), len(plain.changed))
    assert set(found.only_bytes) == only_bytes(days)


def figures(seen: object) -> slow_diff.Figures:
    """The figures of a field, as the plain comparison has them."""
    return seen.of, seen.present, seen.null, dict(seen.types)  # type: ignore[attr-defined]


def only_bytes(days: tuple[dict[int, str], dict[int, str]]) -> set[str]:
    """The pages that hold the same records in other bytes."""
    held = [
        {
            n: Counter(map(slow_diff.meaning, slow_diff.read(text)["list"]))
            for n, text in day.items()
        }
        for day in days
    ]
    earlier, later = days
    return {
        f"endpoint=items/page={n}.json"
        for n in earlier.keys() & later.keys()
        if earlier[n] != later[n] and held[0][n] == held[1][n]
    }
