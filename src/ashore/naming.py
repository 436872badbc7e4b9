"""Where everything lies in a location: one name for each request, and one folder for each day."""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

Values = tuple[tuple[str, str], ...]
"""The values that a set is asked for, the outermost first: ``(("country", "FRA"),)``."""

_LONGEST = 150
_PATH = re.compile(r"(?:(?!\.{1,2}(?:/|$))[\w.%~=-]{1,255}(?:/(?!$)|$))+", re.ASCII)
_SOURCE = re.compile(r"source=([a-z][a-z0-9_]{0,59})")
_DATE = re.compile(r"extraction_date=(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Day:
    """What one source landed under one extraction date (UTC)."""

    source: str
    date: dt.date

    @property
    def _folders(self) -> str:
        return f"extraction_date={self.date.isoformat()}/source={self.source}/"

    @property
    def raw(self) -> str:
        """The folder of the bodies, ending in a slash."""
        return f"raw/{self._folders}"

    @property
    def manifests(self) -> str:
        """The folder of all that is stated about the day, ending in a slash."""
        return f"manifests/{self._folders}"

    @property
    def manifest(self) -> str:
        """The path of the statement that the day is complete."""
        return f"{self.manifests}manifest.json"

    def run(self, run_id: str) -> str:
        """Return the folder of one run of the day, ending in a slash."""
        return f"{self.manifests}runs/{run_id}/"


def object_path(day: Day, endpoint: str, values: Values, page: int | None) -> str:
    """Return the path of an answer's body: the same request always has the same path.

    ``page`` is the number of the page in its set, from 1; None where the endpoint has no paging.
    """
    names = [f"{name}={segment(value)}" for name, value in values]
    if page is not None:
        names.append(f"page={page}")
    return f"{day.raw}endpoint={endpoint}/{'/'.join(names) or 'all'}.json"


def segment(value: str) -> str:
    """Return a value as a part of a path, from which no two values get the same part.

    Percent-encoded UTF-8 but for ``A-Z a-z 0-9 . _ -``. What is longer than 150 bytes then is cut
    there, never inside a ``%XX``, and told apart by ``~`` and 16 hex digits of the SHA-256.

    Raises:
        UnicodeEncodeError: when the value holds half of a surrogate pair.
    """
    encoded = quote(value, safe="").replace("~", "%7E")
    if len(encoded) <= _LONGEST:
        return encoded
    cut = re.sub(r"%[0-9A-F]?$", "", encoded[:_LONGEST])
    return f"{cut}~{hashlib.sha256(value.encode()).hexdigest()[:16]}"


def date_of(folder: str) -> dt.date | None:
    """Return the date of a folder ``extraction_date=YYYY-MM-DD``, or None where it is no such."""
    match = _DATE.fullmatch(folder.rstrip("/").rpartition("/")[2])
    try:
        return dt.date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def source_of(folder: str) -> str | None:
    """Return the source of a folder ``source=NAME``, or None where it is no such."""
    match = _SOURCE.fullmatch(folder.rstrip("/").rpartition("/")[2])
    return match[1] if match else None


def is_within(path: str, folder: str) -> bool:
    """Tell whether a path can be one of ashore's, in a folder (which ends in a slash)."""
    return path.startswith(folder) and _PATH.fullmatch(path) is not None


def is_nobodys(path: str, size: int) -> bool:
    """Tell whether an object is none of ashore's: hidden ones, and the marks that tools leave."""
    if path.endswith("/"):
        return size == 0
    return path.rpartition("/")[2].startswith((".", "_")) or path.endswith("$folder$")
