"""Write days by hand that a report shows: as many, as large, as failed and as hostile as asked."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ashore.manifest import encode, sealed
from ashore.naming import Day

SOURCE = "shop"
RUN = "20261124T010000Z-00000000"
Line = Mapping[str, Any]


def line(
    day: Day,
    name: str,
    at: float = 0.0,
    took: float = 0.1,
    attempts: int = 1,
    *,
    adopted: bool = False,
    body: bytes = b"[]",
    records: int = 0,
) -> dict[str, Any]:
    """A receipt of an object, sent so many seconds after one o'clock."""
    sent = dt.datetime.combine(day.date, dt.time(1), dt.UTC) + dt.timedelta(seconds=at)
    return {
        "path": f"{day.raw}{name}",
        "url": f"http://api.example/{name}",
        "status": 200,
        "fetched_at": sent.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "duration_ms": round(took * 1000),
        "attempts": attempts,
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "records": records,
        "adopted": adopted,
        "headers": {},
    }


def land(root: Path, day: Day, lines: Iterable[Line], **said: Any) -> None:
    """State that a day is complete: its receipts, its manifest; ``said`` wins over what follows."""
    statement = _statement(root, day, list(lines)) | said
    (root / day.manifest).write_bytes(encode(sealed(statement)))


def fail(root: Path, day: Day, lines: Iterable[Line] = (), **said: Any) -> None:
    """Leave an attempt of a day that is not complete."""
    statement = {
        "outcome": "incomplete",
        "reason": "1 of 2 failed for good: HTTP 503",
        "safe": "what landed stays",
        "next": "run it again",
        "violations": [],
        "failures": [],
        "failures_untold": 0,
    } | _statement(root, day, list(lines))
    (root / day.run(RUN) / "attempt.json").write_bytes(encode(statement | said))


def state_many(root: Path, last: dt.date, days: int, source: str = SOURCE) -> None:
    """State many complete days up to one, in their manifests alone."""
    for back in range(days):
        day = Day(source, last - dt.timedelta(days=back))
        (root / day.manifests).mkdir(parents=True)
        reference = {"path": f"{day.run(RUN)}receipts.jsonl", "sha256": "0" * 64}
        manifest = _head(day) | {
            "objects": 218,
            "bytes": 550_000 - back,
            "ledger": {name: entry(records=2_000 + back) for name in ("items", "item")},
            "receipts": reference,
            "sums": reference,
        }
        (root / day.manifest).write_bytes(encode(sealed(manifest)))


def entry(records: int = 1, checks: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A line of a ledger in which nothing is missing."""
    counted = {"expected": 1, "landed": 1, "missing": 0, "objects": 1}
    return counted | {"records": records, "declared_total": None, "checks": list(checks)}


def _statement(root: Path, day: Day, lines: list[Line]) -> dict[str, Any]:
    run = root / day.run(RUN)
    run.mkdir(parents=True)
    started = {"run_id": RUN, "started_at": f"{day.date}T01:00:00.000Z"}
    (run / "started.json").write_bytes(encode(started))
    receipts = "".join(json.dumps(each, sort_keys=True) + "\n" for each in lines)
    sums = "".join(f"{each['sha256']}  {each['path']}\n" for each in lines)
    named = {"receipts": ("receipts.jsonl", receipts), "sums": ("SHA256SUMS", sums)}
    references = {}
    for key, (name, text) in named.items():
        written = text.encode("utf-8", "backslashreplace")
        (run / name).write_bytes(written)
        sha256 = hashlib.sha256(written).hexdigest()
        references[key] = {"path": f"{day.run(RUN)}{name}", "sha256": sha256}
    figures = {
        "requests": {
            "sent": sum(each["attempts"] for each in lines),
            "retried": sum(each["attempts"] - 1 for each in lines),
            "adopted": sum(each["adopted"] for each in lines),
        },
        "objects": len(lines),
        "bytes": sum(each["bytes"] for each in lines),
        "ledger": {"items": entry(sum(each["records"] for each in lines))},
    }
    return _head(day) | figures | references


def _head(day: Day) -> dict[str, Any]:
    return {
        "format": 1,
        "source": day.source,
        "extraction_date": str(day.date),
        "run_id": RUN,
        "started_at": f"{day.date}T01:00:00.000Z",
        "finished_at": f"{day.date}T01:05:00.000Z",
        "requests": {"sent": 218, "retried": 0, "adopted": 0},
        "source_sha256": "0" * 64,
        "accepted": [],
        "missing_objects": [],
    }
