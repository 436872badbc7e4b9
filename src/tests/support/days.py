"""Complete days written by hand, bodies and all, for what reads landed days."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ashore.naming import Day
from tests.support.written import Landed, write_day


def land(root: Path, date: str, bodies: Mapping[str, object], source: str = "shop") -> Day:
    """Write a day of bodies by their names, such as `items/page=1.json`.

    Bytes are written as they are, anything else as JSON.
    """
    raw = root / f"raw/extraction_date={date}/source={source}"
    return write_day(root, _written(raw, bodies), date, source)


def _written(raw: Path, bodies: Mapping[str, object]) -> Iterator[Landed]:
    for name in sorted(bodies):
        body = bodies[name]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        file = raw / f"endpoint={name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        yield f"endpoint={name}", len(content), hashlib.sha256(content).hexdigest()
