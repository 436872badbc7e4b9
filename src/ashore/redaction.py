"""Keep secrets out of everything that is written or shown."""

import json
import os
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from ashore.catalog import Auth, Source
from ashore.errors import Misconfigured

_SHORTEST = 8
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def secret_of(source: Source, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a source's secret from the environment, or None for a source without one.

    Raises:
        Misconfigured: when it is unset, cannot be sent, or is too short to be told from data.
    """
    auth = source.auth
    if auth is None:
        return None
    secret = environment.get(auth.variable, "")
    place = f"{auth.variable} (the key of source {source.name})"
    if not secret:
        raise Misconfigured(f"{place} is not set; export {auth.variable}=... and run again")
    if len(secret) < _SHORTEST:
        raise Misconfigured(f"{place} has fewer than {_SHORTEST} characters; it cannot be a key")
    if not (secret.isascii() and secret.isprintable()) or secret != secret.strip():
        raise Misconfigured(f"{place} holds blanks, line ends or characters that no header carries")
    return secret


def auth_headers(auth: Auth | None, secret: str | None) -> dict[str, str]:
    """Return the headers that carry the secret, if it is a header that does."""
    if auth is None or secret is None or auth.param is not None:
        return {}
    if auth.header is not None:
        return {auth.header: secret}
    return {"Authorization": f"Bearer {secret}"}


class Redactor:
    """Knows a secret in all its spellings."""

    def __init__(self, secret: str | None) -> None:
        """Watch over a secret, or over nothing."""
        spellings = _spellings(secret) if secret else []
        joined = "|".join(re.escape(spelling) for spelling in spellings)
        # Without regard to case: the hex digits of percent-encoding come in both.
        self._text = re.compile(joined, re.IGNORECASE) if joined else None
        self._bytes = re.compile(joined.encode(), re.IGNORECASE) if joined else None

    def clean(self, text: str) -> str:
        """Return the text with ``***`` in place of the secret."""
        return self._text.sub("***", text) if self._text else text

    def leaks(self, body: bytes) -> bool:
        """Tell whether a body holds the secret."""
        return bool(self._bytes and self._bytes.search(body))


def _spellings(secret: str) -> list[str]:
    """The secret as it is, percent-encoded, and as JSON writes it; the longest first."""
    escaped = json.dumps(secret)[1:-1]
    spellings = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    spellings |= {escaped, escaped.replace("/", "\\/")}
    return sorted(spellings, key=len, reverse=True)


def printable(text: str) -> str:
    """Return the text with control characters escaped: an API may not steer a terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
