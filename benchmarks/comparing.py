"""Compare two days of many records, beside reading and parsing their files: time and memory.

Prints the table "Comparing days" of docs/performance.md. Needs about 10 GB and some minutes for a
million records: `.venv/bin/python benchmarks/comparing.py --records 1000000`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from process import carry_out

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from tests.support.written import Landed, write_day

DAYS = "2026-11-24", "2026-11-25"
CATALOG = """
[source.shop]
base_url = "http://api.example"
[[source.shop.endpoint]]
name    = "items"
path    = "items"
records = "data.list"
key     = "id"
"""
FLOOR = """
import json, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as body:
            json.loads(body.read())
"""


def record(number: int, *, later: bool) -> dict[str, object]:
    """Return a record; on the later day one of ten has another stock."""
    return {
        "id": f"{number:08d}-ab",
        "name": f"Item number {number}",
        "country": {"id": "FR", "value": "Côte d'Azur"},
        "price": (number * 7919 % 100_000) / 100,
        "stock": number % 97 + (later and number % 10 == 0),
        "tags": ["a", "b"],
        "note": None,
        "updated": "2026-11-24T00:00:00Z",
    }


def landed(folder: Path, records: int, each: int, *, later: bool) -> Iterator[Landed]:
    """Write the pages of a day; one of a hundred records is only there, or is gone."""
    folder.mkdir(parents=True)
    for page, first in enumerate(range(0, records, each), start=1):
        numbers = range(first, min(first + each, records))
        gone = 7 if later else 8
        found = (record(n, later=later) for n in numbers if n % 100 != gone)
        name = f"page={page}.json"
        digest, size = hashlib.sha256(), 0
        with (folder / name).open("wb") as body:
            for piece in pieces(page + later, found):
                body.write(piece)
                digest.update(piece)
                size += len(piece)
        yield f"endpoint=items/{name}", size, digest.hexdigest()


def pieces(request: int, found: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """Yield a body bit by bit: a process below is told to have peaked where this one did.

    The number of the request is in the body: no page has the same bytes on both days.
    """
    yield f'{{"request": {request}, "data": {{"list": ['.encode()
    for number, each in enumerate(found):
        yield (", " if number else "").encode() + json.dumps(each, ensure_ascii=False).encode()
    yield b"]}}"


def measure(root: Path, records: int, each: int) -> str:
    """Return a line of the table."""
    for day in DAYS:
        raw = root / f"raw/extraction_date={day}/source=shop/endpoint=items"
        write_day(root, landed(raw, records, each, later=day == DAYS[1]), day)
    (root / "catalog.toml").write_text(CATALOG)
    environment = dict(os.environ)
    floor = carry_out([sys.executable, "-c", FLOOR, str(root / "raw")], environment)
    where = ["--to", str(root), "--catalog", str(root / "catalog.toml")]
    command = [sys.executable, "-m", "ashore", "diff", *DAYS, "shop", *where, "--json"]
    ended = carry_out(command, environment)
    (source,) = json.loads(ended.stdout)["sources"]
    (found,) = source["endpoints"]
    differing = found["added"], found["removed"], found["changed"]
    assert differing == (records // 100, records // 100, records // 10), differing
    pages = -(-records // each)
    figures = [f"{f.wall:.0f} | {f.cpu:.0f}" for f in (floor, ended)]
    ratio = f"{ended.wall / floor.wall:.1f} | {ended.cpu / floor.cpu:.1f}"
    return (
        f"| {records:,} on {pages:,} pages | {' | '.join(figures)} | {ratio} | {ended.peak:.0f} |"
    )


def main() -> None:
    """Measure each way to lay records out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, nargs="*", help="records on a page")
    chosen = parser.parse_args()
    for each in chosen.each or (1_000, -(-chosen.records // 3), 1):
        with tempfile.TemporaryDirectory() as folder:
            print(measure(Path(folder), chosen.records, each), flush=True)


if __name__ == "__main__":
    main()
