"""Memory does not grow with the records of a day: neither on many pages, nor on a large one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.test_reading_back import MEASURED
from tests.support.days import land
from tests.support.process import environment

DAYS = "2026-11-24", "2026-11-25"
CATALOG = """
[source.shop]
base_url = "http://api.example"
[[source.shop.endpoint]]
name = "items"
path = "items"
key = "id"
"""


def peak(root: Path, records: int, each: int) -> float:
    """The peak in MiB of comparing two days that differ in every record."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the peak of a process")
    (root / "catalog.toml").write_text(CATALOG)
    for stock, day in enumerate(DAYS):
        pages = {}
        for first in range(0, records, each):
            numbers = range(first, first + each)
            found = [{"id": n, "stock": stock, "text": f"{n} " * 20} for n in numbers]
            pages[f"items/page={first // each + 1}.json"] = found
        land(root, day, pages)
    where = ["--to", str(root), "--catalog", str(root / "catalog.toml"), "--json"]
    command = [sys.executable, "-c", MEASURED, "diff", *DAYS, "shop", *where]
    ended = subprocess.run(
        command, env=environment(), cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    (source,) = json.loads(ended.stdout)["sources"]
    assert source["endpoints"][0]["changed"] == records
    return int(ended.stderr.rpartition("peak ")[2]) / 1024


@pytest.mark.slow
@pytest.mark.parametrize(("each", "most"), [(100, 15.0), (None, 18.0)])
def test_memory_does_not_grow_with_the_records(
    tmp_path: Path, each: int | None, most: float
) -> None:
    peaks = []
    for records in (3_000, 23_000):
        root = tmp_path / str(records)
        root.mkdir()
        peaks.append(peak(root, records, each or records))
    # As values, the records of one day would be 20 MiB more.
    assert peaks[1] - peaks[0] < most, peaks
