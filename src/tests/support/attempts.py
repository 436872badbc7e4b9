"""Runs that completed no day, written by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ashore.manifest import encode
from ashore.naming import Day


def write_run(
    root: Path, day: Day, hour: int, reason: str | None = None, outcome: str = "incomplete"
) -> Path:
    """State that a run began at an hour of its day, and why it ended; None: nobody knows."""
    began = dt.datetime.combine(day.date, dt.time(hour), dt.UTC)
    run_id = f"{began:%Y%m%dT%H%M%SZ}-{hour:08x}"
    folder = root / day.run(run_id)
    folder.mkdir(parents=True)
    at = f"{began:%Y-%m-%dT%H:%M:%S.000Z}"
    started = {"format": 1, "run_id": run_id, "started_at": at}
    (folder / "started.json").write_bytes(encode(started))
    if reason is not None:
        report = started | {
            "source": day.source,
            "extraction_date": str(day.date),
            "finished_at": at,
            "requests": {"sent": 1, "retried": 0, "adopted": 0},
            "objects": 0,
            "bytes": 0,
            "source_sha256": "0" * 64,
            "ledger": {},
            "outcome": outcome,
            "reason": reason,
        }
        (folder / "attempt.json").write_bytes(encode(report))
    return folder
