"""Search all that a run wrote, logged or printed for its keys: in every spelling, and in parts.

It knows nothing of how the program looks for keys: what is escaped is unescaped, again and again,
and each piece of a key counts, so that one that was cut in two is found too.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping

PIECE = 9
"""Characters of a key in a row that must be nowhere."""
TIMES = 4
_NAMES = re.compile(r"SECRET|TOKEN|(?<!ACCESS)_KEY$")
_ESCAPED = re.compile(
    rb"%([0-9a-f]{2})|\\(?:u00|x)([0-9a-f]{2})|\\([\\\"'/])|(&#?[0-9a-z]{1,8};)", re.IGNORECASE
)


def keys_of(environment: Mapping[str, str | None]) -> set[str]:
    """The values that must be nowhere: all that are called a key, a secret or a token."""
    return {value for name, value in environment.items() if value and _NAMES.search(name)}


def found(data: bytes, keys: Iterable[str]) -> str | None:
    """The first piece of a key that data hold, if they hold any."""
    pieces = {piece for key in keys for piece in _pieces(key)}
    for text in _plainer(data):
        for piece in pieces:
            if piece in text:
                return piece.decode()
    return None


def _pieces(key: str) -> Iterator[bytes]:
    text = key.lower().encode()
    for begin in range(max(len(text) - PIECE, 0) + 1):
        yield text[begin : begin + PIECE] if len(text) > PIECE + 2 else text
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + key.encode())
        yield encoded[4:-4].lower()


def _plainer(data: bytes) -> Iterator[bytes]:
    """The data, and what becomes of them when escapes are undone, and those in these."""
    seen = data.replace(b"\0", b"").lower()
    for _ in range(TIMES):
        yield seen
        plain = _ESCAPED.sub(_undone, seen).lower()
        if plain == seen:
            return
        seen = plain


def _undone(escape: re.Match[bytes]) -> bytes:
    percent, code, character, entity = escape.groups()
    if percent or code:
        return bytes([int(percent or code, 16)])
    return character or html.unescape(entity.decode()).encode()
