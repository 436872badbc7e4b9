"""What is known of each landed object: where it came from, when, how big, its SHA-256."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ashore.errors import LocationUnusable
from ashore.redaction import in_json
from ashore.spool import Spool
from ashore.store import Body, Metadata
from ashore.units import whole_number

KEPT_HEADERS = ("etag", "last-modified", "content-type", "date")
_LARGEST_METADATA = 1_900
"""Bytes, of the 2,048 that S3 has room for; the name of the metadata takes some as well."""

_SHA256 = 64  # hexadecimal digits


def timestamp(moment: dt.datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """How a body came: what its request and its answer were, besides the body itself."""

    url: str
    """As asked, without any secret."""
    final_url: str | None
    status: int
    fetched_at: str
    """When the request was sent, in UTC (RFC 3339)."""
    duration_ms: int
    attempts: int
    headers: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None
    """The next page, where only a header named it."""
    link_untold: bool = False
    """Whether the next page's URL was too long to be kept beside an adopted object."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One landed object."""

    path: str
    origin: Origin
    bytes: int
    sha256: str
    records: int
    total: int | None = None
    adopted: bool = False

    def line(self) -> dict[str, Any]:
        """Return the receipt as a line of ``receipts.jsonl`` has it."""
        origin = self.origin
        line = {
            "path": self.path,
            "url": origin.url,
            "status": origin.status,
            "fetched_at": origin.fetched_at,
            "duration_ms": origin.duration_ms,
            "attempts": origin.attempts,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "records": self.records,
            "adopted": self.adopted,
            "headers": dict(origin.headers),
        }
        return line | ({"final_url": origin.final_url} if origin.final_url else {})

    def metadata(self, run_id: str) -> Metadata:
        """Return what the object itself carries, so that a later run can adopt it: under 2 KB.

        S3 allows 2 KB of user metadata, in ASCII:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
        """
        origin = self.origin
        notes: dict[str, Any] = {
            "format": 1,
            "run": run_id,
            "fetched_at": origin.fetched_at,
            "duration_ms": origin.duration_ms,
            "status": origin.status,
            "attempts": origin.attempts,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "url_sha256": url_sha256(origin.url),
            "records": self.records,
            "headers": dict(origin.headers),
        }
        optional = {"total": self.total, "link": origin.link, "final_url": origin.final_url}
        notes |= {name: value for name, value in optional.items() if value is not None}
        return notes if _fits(notes) else _shortened(notes)


def _shortened(notes: Metadata) -> Metadata:
    """Leave out what there is no room for, the headers first; nothing is ever cut."""
    short = {n: v for n, v in notes.items() if n not in {"headers", "final_url", "link"}}
    short |= {"headers": {}, "link_untold": "link" in notes}
    if "link" in notes and _fits({**short, "link": notes["link"]}):
        short |= {"link": notes["link"], "link_untold": False}
    if "final_url" in notes and _fits({**short, "final_url": notes["final_url"]}):
        short["final_url"] = notes["final_url"]
    for name, value in notes["headers"].items():
        headers = {**short["headers"], name: value}
        if _fits({**short, "headers": headers}):
            short["headers"] = headers
    return short


def _fits(notes: Metadata) -> bool:
    # Blanks in a row, and the control character that JSON leaves alone, are escaped for S3.
    text = json.dumps(notes).replace("  ", " \\u0020").replace("\x7f", "\\u007f")
    return len(text) <= _LARGEST_METADATA


def url_sha256(url: str) -> str:
    """Return the SHA-256 (hex) by which an object remembers the URL that was asked."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def adopted(path: str, url: str, notes: Metadata) -> Receipt:
    """Return the receipt of an object that an earlier run, or another one, fetched.

    Raises:
        KeyError, TypeError, ValueError: when the metadata are not ashore's.
    """
    origin = Origin(
        url=url,
        final_url=_text(notes.get("final_url")),
        status=_count(notes["status"]),
        fetched_at=str(notes["fetched_at"]),
        duration_ms=_count(notes["duration_ms"]),
        attempts=_count(notes["attempts"]),
        headers={str(name): str(value) for name, value in notes["headers"].items()},
        link=_text(notes.get("link")),
        link_untold=bool(notes.get("link_untold")),
    )
    if origin.status != 200:
        raise ValueError("nothing but a good answer lands")
    size, sha256 = _count(notes["bytes"]), str(notes["sha256"])
    found = notes.get("total")
    records, total = _count(notes["records"]), None if found is None else _count(found)
    return Receipt(path, origin, size, sha256, records, total, adopted=True)


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("a text is none")
    return value


def _count(value: object) -> int:
    number = whole_number(value)
    if number is None:
        raise ValueError("a count is no number")
    return number


class ReceiptBook:
    """The receipts of a run, kept on disk, written out in the order of their paths."""

    def __init__(self) -> None:
        """Begin with an empty book."""
        self._spool = Spool()
        self.objects = 0
        self.bytes = 0
        self.adopted = 0

    def add(self, receipt: Receipt) -> None:
        """Keep a receipt; each path has one."""
        line = in_json(json.dumps(receipt.line(), sort_keys=True, ensure_ascii=False))
        text = f"{receipt.sha256}{line}".encode("utf-8", "backslashreplace").decode()
        self._spool.put(receipt.path, text)
        self.objects += 1
        self.bytes += receipt.bytes
        self.adopted += receipt.adopted

    def __contains__(self, path: str) -> bool:
        """Tell whether there is a receipt for a path."""
        return path in self._spool

    def write(self, folder: Path) -> tuple[Body, Body]:
        """Write ``receipts.jsonl`` and ``SHA256SUMS`` into a folder of this machine."""
        receipts = _write(folder / "receipts.jsonl", self._lines())
        sums = _write(folder / "SHA256SUMS", self._sums())
        return receipts, sums

    def close(self) -> None:
        """Give the temporary file back."""
        self._spool.close()

    def _lines(self) -> Iterator[str]:
        for _path, text in self._spool.items():  # noqa: PERF102 - not a dict
            yield text[_SHA256:]

    def _sums(self) -> Iterator[str]:
        """Lines as ``sha256sum -c`` of GNU coreutils reads them, at the location's root."""
        for path, text in self._spool.items():
            yield f"{text[:_SHA256]}  {path}"


def _write(file: Path, lines: Iterator[str]) -> Body:
    digest, size = hashlib.sha256(), 0
    try:
        with file.open("wb") as out:
            for line in lines:
                data = f"{line}\n".encode("utf-8", "backslashreplace")
                out.write(data)
                digest.update(data)
                size += len(data)
    except OSError as error:
        raise LocationUnusable(f"no room for the receipts (TMPDIR): {error}") from error
    return Body(file, size, digest.hexdigest())
