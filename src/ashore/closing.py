"""The end of a run: prove the day and write its manifest, or tell in an attempt why not."""

import contextlib
import datetime as dt
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ashore import __version__
from ashore.advice import what_is_safe, what_to_do
from ashore.errors import AshoreError, ExitStatus, LocationUnusable, Violated
from ashore.job import Job, Outcome
from ashore.ledger import Ledger
from ashore.manifest import FORMAT, encode, read_manifest, sealed
from ashore.naming import is_nobodys
from ashore.receipts import ReceiptBook, timestamp
from ashore.redaction import Redactor, printable
from ashore.store import Body
from ashore.verify import foreign

_PATIENCE = 5.0
"""Seconds that the last report may take when the location does not answer."""
_TOLD = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """How many requests went out, and how many of them, or of whole sets, were asked again."""

    sent: int
    retried: int


class Closing:
    """Judges what a run did, and states it in the location."""

    def __init__(
        self, job: Job, run_id: str, started: dt.datetime, ledger: Ledger, receipts: ReceiptBook
    ) -> None:
        """Close a run that began at a moment."""
        self._job, self._run_id, self._started = job, run_id, started
        self._ledger, self._receipts = ledger, receipts
        self._folder = job.day.run(run_id)
        self._redactor = Redactor(job.secret)

    def close(self, sent: Sent, aside: Path, signal: ExitStatus | None) -> Outcome:
        """Write the manifest if the day holds, and the attempt if it does not.

        Raises:
            LocationUnusable: when the location failed at last.
        """
        ledger = self._ledger
        if not ledger.is_incomplete():
            ledger.close()
            self._find_foreign()
        if signal is None and not ledger.is_incomplete() and not ledger.violations:
            return self._complete(sent, aside)
        if outcome := self._completed_by_another():
            return outcome
        status = ExitStatus.VIOLATED if ledger.violations else ExitStatus.INCOMPLETE
        return self.attempt(sent, signal or status, self._why())

    def attempt(self, sent: Sent, status: ExitStatus, reason: str) -> Outcome:
        """Report a run that did not complete its day, if the location allows it."""
        ledger = self._ledger
        violations = [self._told(text) for text in ledger.violations]
        document = self._document(sent) | {
            "outcome": status.name.lower(),
            "reason": self._told(reason),
            "safe": what_is_safe(self._receipts.objects),
            "next": what_to_do(status),
            "violations": violations,
            "failures": [failure.document() for failure in ledger.failures],
            "failures_untold": ledger.failures_untold,
        }
        writer = threading.Thread(target=self._write_attempt, args=(dict(document),), daemon=True)
        writer.start()
        writer.join(_PATIENCE)
        outcome = self._outcome(status, document["reason"], document)
        advice = {"safe": document["safe"], "next": document["next"]}
        return replace(outcome, violations=tuple(violations), **advice)

    def _told(self, text: str) -> str:
        # A stranger's file may have a name that is no text, which JSON could not hold for others.
        return printable(self._redactor.clean(text))

    def _find_foreign(self) -> None:
        store = self._job.store
        # What does not hold up is named already, with the way out.
        known = self._missing() | {text.partition(" ")[0] for text in self._ledger.violations}
        for entry in store.list(self._job.day.raw):
            path = entry.path
            if (
                not is_nobodys(path, entry.size)
                and path not in self._receipts
                and path not in known
            ):
                self._ledger.violate(
                    f"{path} is foreign: no request of the day explains it. "
                    f"To move it away: {store.how_to_move(path)}"
                )

    def _missing(self) -> set[str]:
        """Objects that another run may land though they failed here; never a part of a set."""
        paged = {e.name for e in self._job.source.endpoints if e.paging}
        return {f.object for f in self._ledger.failures if f.endpoint not in paged}

    def _why(self) -> str:
        ledger = self._ledger
        parts = [ledger.ended] if ledger.ended else []
        for name, account in ledger.accounts.items():
            if account.failed:
                parts.append(f"{name}: {account.why()}")
        parts += ledger.violations[:_TOLD]
        if len(ledger.violations) > _TOLD:
            parts.append(f"and {len(ledger.violations) - _TOLD} more")
        return "; ".join(parts)

    def _complete(self, sent: Sent, aside: Path) -> Outcome:
        store, day = self._job.store, self._job.day
        document = self._document(sent) | self._write_receipts(aside)
        document = sealed(document | {"missing_objects": sorted(self._missing())})
        store.settle(day.raw)
        store.settle(day.manifests)
        body = Body.of(encode(document))
        mine = store.create(day.manifest, body) or store.read(day.manifest) == body.content
        store.settle(day.manifests)
        if not mine and (outcome := self._completed_by_another()):
            return outcome
        reason = f"complete: {self._receipts.objects} objects, {self._receipts.bytes} bytes"
        return self._outcome(ExitStatus.COMPLETE, reason, document)

    def _completed_by_another(self) -> Outcome | None:
        """Tell how it stands with the day if a run at the same time has completed it.

        Raises:
            Violated: when something landed that the other run knows nothing of.
        """
        store, day = self._job.store, self._job.day
        other = read_manifest(store, day)
        if other is None:
            return None
        for problem in foreign(store, day, other):
            raise Violated(f"another run completed the day without it: {problem}")
        document = other.model_dump(mode="json")
        reason = f"complete: run {other.run_id}, at the same time, wrote the manifest"
        return self._outcome(ExitStatus.COMPLETE, reason, document)

    def _confirm(self, name: str, body: Body) -> None:
        """Write a file of the run; one that is there already must be the same, from a retry."""
        store, path = self._job.store, f"{self._folder}{name}"
        if not store.create(path, body):
            there = store.describe(path)
            if there is None or there.sha256 != body.sha256:
                raise LocationUnusable(f"{store.root}/{path}: something else was written here")

    def _write_receipts(self, aside: Path) -> dict[str, Any]:
        """Write the receipts and the sums; return how a statement names them."""
        receipts, sums = self._receipts.write(aside)
        named = {"receipts": ("receipts.jsonl", receipts), "sums": ("SHA256SUMS", sums)}
        for name, body in named.values():
            self._confirm(name, body)
        return {
            key: {"path": f"{self._folder}{name}", "sha256": body.sha256}
            for key, (name, body) in named.items()
        }

    def _write_attempt(self, document: dict[str, Any]) -> None:
        """Write the report, in a thread that is not waited for where the location is dead."""
        # What cannot be written is told on standard error, which is all that is left.
        with (
            contextlib.suppress(AshoreError, OSError),
            tempfile.TemporaryDirectory(prefix="ashore-") as aside,
        ):
            document |= self._write_receipts(Path(aside))
        with contextlib.suppress(AshoreError):
            path = f"{self._folder}attempt.json"
            self._job.store.create(path, Body.of(encode(document)))

    def _document(self, sent: Sent) -> dict[str, Any]:
        source, book = self._job.source, self._receipts
        return head(self._job, self._run_id, self._started) | {
            "finished_at": timestamp(dt.datetime.now(dt.UTC)),
            "requests": {"sent": sent.sent, "retried": sent.retried, "adopted": book.adopted},
            "objects": book.objects,
            "bytes": book.bytes,
            "source_sha256": source.sha256,
            "licence": source.licence,
            "accepted": self._ledger.used_acceptances(),
            "ledger": self._ledger.document(),
        }

    def _outcome(self, status: ExitStatus, reason: str, document: Mapping[str, Any]) -> Outcome:
        day, run_id = self._job.day, self._run_id
        return Outcome(status, status.name.lower(), reason, day, run_id, document)


def head(job: Job, run_id: str, started: dt.datetime) -> dict[str, Any]:
    """Return what every statement of a run begins with: whose it is, and of when."""
    return {
        "format": FORMAT,
        "ashore": __version__,
        "run_id": run_id,
        "source": job.source.name,
        "extraction_date": job.day.date.isoformat(),
        "started_at": timestamp(started),
        "scheduled_at": timestamp(job.scheduled_at) if job.scheduled_at else None,
    }
