"""Log lines made readable: a JSON line of ashore becomes time, level, event and facts."""

from __future__ import annotations

import json
from typing import Any

from ashore.redaction import on_one_line

HIDDEN = frozenset({"_aws", "time", "level", "event", "run_id"})


def readable(message: str) -> str:
    """Return a log line for people; what is not ashore's JSON stays as it is, on one line."""
    try:
        line = json.loads(message)
    except ValueError:
        return on_one_line(message.rstrip())
    if not isinstance(line, dict) or "event" not in line:
        return on_one_line(message.rstrip())
    head = [str(line.get("time", "")), str(line.get("level", "")).upper(), str(line["event"])]
    facts = [f"{name}={in_short(value)}" for name, value in line.items() if name not in HIDDEN]
    return on_one_line("  ".join(part for part in [*head, " ".join(facts)] if part))


def in_short(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a value of a log line; a text without spaces needs no quotes."""
    if isinstance(value, str) and value and not any(mark in value for mark in ' "='):
        return value
    return json.dumps(value, ensure_ascii=False)
