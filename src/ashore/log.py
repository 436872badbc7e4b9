"""Structured log lines: one JSON object a line, on standard error, for machines to read."""

import datetime as dt
import json
import logging
import time
from collections.abc import Sequence
from typing import Any, TextIO

from ashore.errors import ExitStatus
from ashore.job import Outcome
from ashore.ledger import Failure
from ashore.progress import Observer
from ashore.receipts import Receipt, timestamp

_VIOLATIONS_TOLD = 20
_EVERY = 30.0  # seconds between lines that tell how far a run is

logger = logging.getLogger("ashore")


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object: time, level, event, and what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": timestamp(dt.datetime.fromtimestamp(record.created, dt.UTC)),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start(stream: TextIO, level: str) -> logging.Handler:
    """Send ashore's own log to a stream, as JSON lines; other libraries stay silent."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    return handler


def event(name: str, /, *, level: int = logging.INFO, **facts: Any) -> None:  # noqa: ANN401 - JSON values
    """Log one event with its facts."""
    logger.log(level, name, extra={"facts": facts})


class LogObserver(Observer):
    """Tells a run as log lines."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._expected = self._done = self._sent = self._retries = 0
        self._told = time.monotonic()
        self._run: dict[str, Any] = {}

    def begun(self, source: str, date: str, location: str, run_id: str) -> None:
        """Tell that a run begins."""
        self._run = _run(source, date, run_id)
        self._expected = self._done = self._sent = self._retries = 0
        event("run_began", **self._run, location=location)

    def expected(self, sets: int) -> None:
        """Count what is to be done."""
        self._expected += sets

    def sent(self, requests: int) -> None:
        """Tell now and then how far the run is."""
        self._sent = requests
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            event("progress", **self._run, **self._figures())

    def landed(self, receipts: Sequence[Receipt]) -> None:
        """Tell each object, for those who want to know everything."""
        self._done += len(receipts)
        if logger.isEnabledFor(logging.DEBUG):
            for receipt in receipts:
                facts = {"object": receipt.path, "bytes": receipt.bytes, "adopted": receipt.adopted}
                event("landed", level=logging.DEBUG, **self._run, **facts)

    def retried(self, path: str, reason: str, attempt: int) -> None:
        """Tell that something is tried again."""
        self._retries += 1
        facts = {"object": path, "reason": reason, "attempt": attempt}
        event("tried_again", level=logging.WARNING, **self._run, **facts)

    def failed(self, failure: Failure) -> None:
        """Tell that a set is lost for good."""
        facts = {"object": failure.object, "reason": failure.reason, "status": failure.status}
        event("failed", level=logging.ERROR, **self._run, **facts, attempts=failure.attempts)

    def ended(self, outcome: Outcome) -> None:
        """Tell how the run ended, after what does not hold."""
        run = _run(outcome.day.source, str(outcome.day.date), outcome.run_id)
        for violation in outcome.violations[:_VIOLATIONS_TOLD]:
            event("violated", level=logging.ERROR, **run, reason=violation)
        complete = outcome.status is ExitStatus.COMPLETE
        facts = {
            "outcome": outcome.outcome,
            "exit_status": int(outcome.status),
            "reason": outcome.reason,
            **({} if complete else {"safe": outcome.safe, "next": outcome.next}),
            **self._figures(),
            "objects": outcome.document.get("objects", 0),
            "bytes": outcome.document.get("bytes", 0),
            "seconds": round(outcome.seconds, 3),
        }
        event("run_ended", level=logging.INFO if complete else logging.ERROR, **run, **facts)
        self._run, self._expected, self._done, self._sent, self._retries = {}, 0, 0, 0, 0

    def _figures(self) -> dict[str, int]:
        return {
            "done": self._done,
            "of": self._expected,
            "requests": self._sent,
            "retries": self._retries,
        }


def _run(source: str, date: str, run_id: str | None) -> dict[str, Any]:
    """What every line of a run begins with."""
    return {"source": source, "extraction_date": date, "run_id": run_id}
