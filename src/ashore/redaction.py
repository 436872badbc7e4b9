"""Keep secrets out of everything that is written or shown."""

import os
import re
from collections.abc import Mapping

from ashore.catalog import Auth, Source
from ashore.errors import Misconfigured

_SHORTEST = 8
_LONGEST_CHARACTER = len(r"\u0000")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


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
        spelling = "".join(map(_spelled, secret)) if secret else None
        self._text = re.compile(spelling, re.IGNORECASE) if spelling else None
        self._bytes = re.compile(spelling.encode(), re.IGNORECASE) if spelling else None
        self._longest = _LONGEST_CHARACTER * len(secret or "")

    def clean(self, text: str) -> str:
        """Return the text with ``***`` in place of the secret."""
        return self._text.sub("***", text) if self._text else text

    def leaks(self, body: bytes) -> bool:
        """Tell whether a body holds the secret."""
        return bool(self._bytes and self._bytes.search(body))

    def beginning(self, text: str, length: int) -> str:
        """Return so many characters of a text at most, without the secret or a part of it."""
        seen = text[: 4 * length + self._longest]
        cleaned = self.clean(seen)
        if len(seen) < len(text):
            # Where it was cut, the secret may have been cut in two.
            cleaned = cleaned[: len(cleaned) - self._longest]
        return printable(cleaned[:length])


def _spelled(character: str) -> str:
    """A pattern for all that a character of the secret may look like: plain, in a URL, in JSON."""
    code = f"{ord(character):02x}"
    forms = [re.escape(character), f"%{code}", rf"\\u00{code}"]
    if character in '"/\\':
        forms.append(re.escape(f"\\{character}"))
    if character == " ":
        forms.append(r"\+")
    # The longer ones first: of a backslash that JSON doubled, both belong to the secret.
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"


def printable(text: str) -> str:
    """Return the text with control characters escaped: an API may not steer a terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
