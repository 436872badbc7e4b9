"""Faults on request: what goes wrong, where and how often; ``standin_damage`` says how it looks.

A fault is written as a kind, then options, separated by commas::

    status=503,path=*/indicator/*,first=2,retry-after=1
    cut,path=*/alpha/*,every=5
    slow=2.5,share=0.1,seed=7

``describe_faults`` lists every kind and option. A comma inside a value is written ``%2C``.
"""

import difflib
import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_KINDS = {
    "status": ("CODE", "answer with that status instead"),
    "redirect": ("URL", "answer 302 with that Location; {target} in it becomes what was asked"),
    "html": ("", "an HTML page under 200"),
    "empty": ("", "an empty body under 200"),
    "envelope": ("", "the World Bank's error envelope under 200"),
    "truncated-json": ("", "half of the JSON, with a Content-Length that is right for the half"),
    "cut": ("", "half of the body, then the connection ends; Content-Length is of the whole"),
    "chunk-cut": ("", "a chunked body that ends in the middle of a chunk"),
    "bad-gzip": ("", "a gzip body whose checksum is wrong"),
    "cut-gzip": ("", "a gzip body without its end, with a Content-Length that is right for it"),
    "slow": ("SECONDS", "send the body a byte at a time, over that many seconds"),
    "wait": ("SECONDS", "say nothing for that many seconds, then answer well"),
    "reset": ("", "reset the connection before anything is sent"),
}
_OPTIONS = {
    "path": ("PATTERN", "only paths like this, without the query (* ? [..]); all unless said"),
    "query": ("PATTERN", "only queries like this, for example *page=2*; all unless said"),
    "first": ("N", "only the first N requests of each path"),
    "every": ("N", "only every Nth request"),
    "share": ("0..1", "only this share of the requests, always the same ones for a seed"),
    "seed": ("N", "which ones; 1 unless said"),
    "retry-after": (
        "WHEN",
        "a Retry-After header: seconds, date (2 s ahead), date+SECONDS, any text",
    ),
    "body": ("KIND", "of status: html (unless said), json or empty"),
}
_BODIES = ("html", "json", "empty")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong: a kind, its value, and which requests meet it.

    All requests that match ``path`` and ``query``, unless one of ``first``, ``every`` and ``share``
    is set. Of several faults the first that applies is met; later ones do not count the request.
    """

    kind: str
    value: str = ""
    path: str = "*"
    query: str = "*"
    first: int = 0
    every: int = 0
    share: float = 0.0
    seed: int = 1
    retry_after: str = ""
    body: str = "html"

    def __post_init__(self) -> None:
        """Refuse what would never do what it says."""
        if self.kind not in _KINDS:
            raise ValueError(f'no kind "{self.kind}"{_nearest(self.kind, _KINDS)}')
        self._check_value()
        if min(self.first, self.every) < 0 or not 0 <= self.share <= 1:
            raise ValueError("first and every are 1 or more, share is above 0 and at most 1")
        if sum(map(bool, (self.first, self.every, self.share))) > 1:
            raise ValueError('only one of "first", "every" and "share" can be said')
        if self.body not in _BODIES:
            raise ValueError(f'no body "{self.body}"{_nearest(self.body, _BODIES)}')
        if not (sent := self.value + self.retry_after).isascii() or not sent.isprintable():
            raise ValueError("what is sent in a header must be printable ASCII")

    def _check_value(self) -> None:
        takes = _KINDS[self.kind][0]
        if bool(takes) != bool(self.value):
            wants = f'is written "{self.kind}={takes}"' if takes else "takes no value"
            raise ValueError(f'"{self.kind}" {wants}')
        if takes == "CODE" and not re.fullmatch(r"[2-9]\d\d", self.value):
            raise ValueError(f'"{self.value}" is not a status; write one from 200 to 999')
        if takes == "SECONDS" and not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", self.value):
            raise ValueError(f'"{self.value}" is not a number of seconds; write it like 2 or 0.5')


def parse_fault(text: str) -> Fault:
    """Return the fault that a specification such as ``status=503,first=2`` means.

    Raises:
        ValueError: with one line that names the part that is wrong, and the nearest right word.
    """
    try:
        kind, *options = (part.partition("=") for part in text.strip().split(","))
        value = kind[2].strip().replace("%2C", ",")
        return Fault(kind[0].strip(), value, **_read(options))
    except ValueError as error:
        raise ValueError(" ".join(f'fault "{text}": {error}'.split())) from error


def describe_faults() -> str:
    """Return the reference of specifications, for the help of a command line."""
    lines = ["A fault is a kind, then options, separated by commas:", ""]
    lines += [
        _entry(f"{name}={takes}" if takes else name, says) for name, (takes, says) in _KINDS.items()
    ]
    lines += ["", "Options:", ""]
    lines += [_entry(f"{name}={takes}", says) for name, (takes, says) in _OPTIONS.items()]
    lines += ["", "For example: status=503,path=*/indicator/*,first=2,retry-after=1"]
    return "\n".join(lines)


def _entry(term: str, says: str) -> str:
    return f"  {term:<18} {says}"


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(names)}"


def _read(options: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for raw, _, value in options:
        name = raw.strip()
        if name not in _OPTIONS:
            raise ValueError(f'no option "{name}"{_nearest(name, _OPTIONS)}')
        field = name.replace("-", "_")
        if field in found:
            raise ValueError(f'"{name}" is said twice')
        found[field] = _value(name, value.strip().replace("%2C", ","))
    return found


def _value(name: str, text: str) -> str | int | float:
    takes = _OPTIONS[name][0]
    if not text:
        raise ValueError(f'"{name}" is written "{name}={takes}"')
    if takes == "N" and not re.fullmatch(r"[1-9]\d{0,8}", text):
        raise ValueError(f'{name}: "{text}" is not a whole number from 1')
    if takes == "0..1" and not re.fullmatch(r"1|1?\.0+|0?\.\d*[1-9]\d*", text):
        raise ValueError(f'{name}: "{text}" is not a share; write it like 0.1')
    if takes == "N":
        return int(text)
    return float(text) if takes == "0..1" else text


class FaultBook:
    """Decides which request meets which fault, and remembers what each fault has seen."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._lock = threading.Lock()
        self._seen = tuple(Counter[str]() for _ in self.faults)
        self._total = [0] * len(self.faults)

    def pick(self, path: str, query: str) -> Fault | None:
        """Return the fault that this request meets, if any, and count it."""
        for place, fault in enumerate(self.faults):
            if fnmatchcase(path, fault.path) and fnmatchcase(query, fault.query):
                with self._lock:
                    self._total[place] += 1
                    self._seen[place][path] += 1
                    total, of_path = self._total[place], self._seen[place][path]
                if _applies(fault, f"{path}?{query}", total, of_path):
                    return fault
        return None


def _applies(fault: Fault, target: str, total: int, of_path: int) -> bool:
    if fault.first:
        return of_path <= fault.first
    if fault.every:
        return total % fault.every == 0
    if fault.share:
        # A hash, not a sequence of random numbers: threads may come in any order.
        mark = hashlib.blake2b(f"{fault.seed} {of_path} {target}".encode(), digest_size=6).digest()
        return int.from_bytes(mark) < fault.share * 2**48
    return True
