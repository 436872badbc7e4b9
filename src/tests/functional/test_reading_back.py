"""Reading back is parallel, shows how far it is, and needs no memory for what is large or many."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ashore.folder import Folder
from ashore.verify import WORKERS, verify_day
from tests.support.process import environment
from tests.support.written import write_day

DATE = "2026-11-24"
MIB = 2**20
MEASURED = """
import sys
from pathlib import Path
from ashore.cli import main
status = main(sys.argv[1:])
lines = Path("/proc/self/status").read_text().splitlines()
(peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
print(f"peak {peak}", file=sys.stderr)
sys.exit(status)
"""


def measured(root: Path, cwd: Path) -> tuple[int, str, float]:
    """Verify in a process of its own; return its status, what it said, and its peak in MiB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the peak of a process")
    command = [sys.executable, "-c", MEASURED, "verify", "--to", str(root)]
    ended = subprocess.run(
        command, env=environment(), cwd=cwd, capture_output=True, text=True, check=False
    )
    said, _, peak = ended.stderr.rpartition("peak ")
    return ended.returncode, ended.stdout + said, int(peak) / 1024


@pytest.mark.slow
def test_a_large_object_needs_no_memory(tmp_path: Path) -> None:
    size = 200 * MIB
    digest = hashlib.sha256()
    for _ in range(200):
        digest.update(bytes(MIB))
    day = write_day(tmp_path, [("endpoint=items/all.json", size, digest.hexdigest())], DATE)
    file = tmp_path / day.raw / "endpoint=items/all.json"
    file.parent.mkdir(parents=True)
    with file.open("wb") as sparse:
        sparse.truncate(size)
    status, said, peak = measured(tmp_path, tmp_path)
    assert (status, peak < 100) == (0, True), (said, peak)
    with file.open("r+b") as sparse:
        sparse.seek(size - 1)
        sparse.write(b"\1")
    status, said, peak = measured(tmp_path, tmp_path)
    assert (status, peak < 100) == (4, True), (said, peak)
    assert "SHA-256 differs" in said


@pytest.mark.slow
def test_many_receipts_and_many_problems_need_no_memory(tmp_path: Path) -> None:
    peaks = []
    sha256, long = hashlib.sha256(b"[]").hexdigest(), "x" * 150
    for count in (4_000, 24_000):
        root = tmp_path / str(count)
        names = (f"endpoint=item/a={long}/b={long}/c={long}/id={n}.json" for n in range(count))
        write_day(root, ((name, 2, sha256) for name in names), DATE)
        status, said, peak = measured(root, tmp_path)
        peaks.append(peak)
        assert (status, said.count("it is missing or empty")) == (4, 1_000)
    # All of the lines that tell what is missing would be 13 MiB.
    assert peaks[1] - peaks[0] < 6, peaks
    assert peaks[1] < 120


class Slow(Folder):
    """A folder in which each reading takes its time."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reading = self.most = 0
        self.guard = threading.Lock()

    def stream(self, path: str) -> Iterator[bytes]:
        with self.guard:
            self.reading += 1
            self.most = max(self.most, self.reading)
        time.sleep(0.05)
        yield from super().stream(path)
        with self.guard:
            self.reading -= 1


def test_objects_are_read_side_by_side_and_told_one_by_one(tmp_path: Path) -> None:
    sha256, count = hashlib.sha256(b"[]").hexdigest(), 40
    names = [f"endpoint=item/id={number}.json" for number in range(count)]
    day = write_day(tmp_path, ((name, 2, sha256) for name in names), DATE)
    (tmp_path / day.raw / "endpoint=item").mkdir(parents=True)
    for name in names:
        (tmp_path / day.raw / name).write_text("[]")
    told: list[tuple[int, int]] = []
    store = Slow(tmp_path)
    with ThreadPoolExecutor(WORKERS) as executor:
        verdict = verify_day(store, day, executor, lambda done, of: told.append((done, of)))
    assert verdict.problems == ()
    assert store.most == WORKERS
    assert told == [(number, count) for number in range(1, count + 1)]
