"""Write a complete day by hand: as large as no test would extract it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from ashore.manifest import encode, sealed
from ashore.naming import Day

Landed = tuple[str, int, str]
"""An object: its name below the source, its size, its SHA-256."""


def write_day(root: Path, landed: Iterable[Landed], date: str, source: str = "shop") -> Day:
    """State that objects landed; whether they lie there is whoever calls's business."""
    day = Day(source, dt.date.fromisoformat(date))
    run = root / day.run("20261124T010000Z-00000000")
    run.mkdir(parents=True)
    objects = size = 0
    with (run / "receipts.jsonl").open("w") as receipts, (run / "SHA256SUMS").open("w") as sums:
        for name, length, sha256 in landed:
            path = f"{day.raw}{name}"
            receipts.write(json.dumps({"path": path, "bytes": length, "sha256": sha256}) + "\n")
            sums.write(f"{sha256}  {path}\n")
            objects, size = objects + 1, size + length
    named = {"receipts": run / "receipts.jsonl", "sums": run / "SHA256SUMS"}
    document = {
        "format": 1,
        "source": source,
        "extraction_date": date,
        "run_id": run.name,
        "started_at": f"{date}T01:00:00.000Z",
        "finished_at": f"{date}T01:05:00.000Z",
        "requests": {"sent": objects, "retried": 0, "adopted": 0},
        "objects": objects,
        "bytes": size,
        "source_sha256": "0" * 64,
        "ledger": {},
    } | {
        key: {"path": str(file.relative_to(root)), "sha256": _sha256(file)}
        for key, file in named.items()
    }
    (root / day.manifest).write_bytes(encode(sealed(document)))
    return day


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
