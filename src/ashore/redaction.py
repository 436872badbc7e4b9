"""Keep secrets out of everything that is written or shown."""

import json
import os
import re
from collections.abc import Iterator, Mapping

from ashore.catalog import Auth, Source
from ashore.errors import Misconfigured

_SHORTEST = 8
_LONGEST_CHARACTER = len("&amp;#x000000;")
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_UNSEEN = (  # controls, also of direction, what has no width, and halves of surrogate pairs
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_CONTROL = re.compile(f"[{_UNSEEN}]")
_CONTROL_OR_LINE = re.compile(f"[\\t\\n{_UNSEEN}]")
_AWS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_known = set[str]()
"""Every secret that this process has read."""


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
    remember(secret)
    return secret


def remember(*secrets: str | None) -> None:
    """Keep in mind what must never be told: see ``without_any``."""
    _known.update(filter(None, secrets))


def auth_headers(auth: Auth | None, secret: str | None) -> dict[str, str]:
    """Return the headers that carry the secret, if it is a header that does."""
    if auth is None or secret is None or auth.param is not None:
        return {}
    if auth.header is not None:
        return {auth.header: secret}
    return {"Authorization": f"Bearer {secret}"}


class Redactor:
    """Knows secrets in all their spellings."""

    def __init__(self, *secrets: str | None) -> None:
        """Watch over secrets, or over nothing; what is too short to be one is not watched."""
        watched = sorted({s for s in secrets if s and len(s) >= _SHORTEST}, key=len, reverse=True)
        spelling = "|".join("".join(map(_spelled, secret)) for secret in watched)
        self._text = re.compile(spelling) if watched else None
        self._bytes = re.compile(spelling.encode()) if watched else None
        self._longest = _LONGEST_CHARACTER * max(map(len, watched), default=0)

    def clean(self, text: str) -> str:
        """Return the text with ``***`` in place of the secrets."""
        return self._text.sub("***", text) if self._text else text

    def leaks(self, body: bytes) -> bool:
        """Tell whether a body holds a secret."""
        return bool(self._bytes and self._bytes.search(body))

    def beginning(self, text: str, length: int) -> str:
        """Return so many characters of a text at most, without the secrets or a part of them."""
        seen = text[: 4 * length + self._longest]
        if len(seen) < len(text):
            # Where it was cut, a secret may have been cut in two.
            whole = max((each.end() for each in self._found(seen)), default=0)
            seen = seen[: max(whole, len(seen) - self._longest)]
        return printable(self.clean(seen)[:length])

    def _found(self, text: str) -> Iterator[re.Match[str]]:
        return self._text.finditer(text) if self._text else iter(())


def without_any(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the text without any secret of this process: those it has read, and those of AWS.

    For what is told of a bug: nobody knows beforehand what its text holds.
    """
    return Redactor(*_known, *(environment.get(name) for name in _AWS)).clean(text)


def _spelled(character: str) -> str:
    """A pattern for all that a character of a secret may look like.

    Plain, or as URLs, JSON, scripts and HTML write it, also where that was done once more. Cases
    are told one by one: a pattern with a set of first characters is searched for quickly.
    """
    code = "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in f"{ord(character):02x}")
    cases = {character.lower(), character.upper()}
    plain = "|".join(re.escape(each) for each in sorted(cases))
    named = f"|{_NAMED[character]}" if character in _NAMED else ""
    forms = [
        rf"\\\\{{0,3}}(?:u00|x){code}",
        rf"&(?:amp;)?(?:#0{{0,4}}{ord(character)}|#[xX]0{{0,4}}{code}{named});",
        rf"%(?:25){{0,2}}{code}",
    ]
    if character in "\"'/\\":
        forms.append(rf"\\\\{{0,3}}{re.escape(character)}")
    if character == " ":
        forms.append(r"\+")
    # The longer ones first: of a backslash that JSON doubled, both belong to the secret.
    return f"(?:{'|'.join([*forms, plain])})"


def printable(text: str) -> str:
    """Return the text with control characters escaped: an API may not steer a terminal."""
    return _CONTROL.sub(_escaped, text)


def on_one_line(text: str) -> str:
    """Return the text with control characters, tabs and line ends escaped: a line stays one."""
    return _CONTROL_OR_LINE.sub(_escaped, text)


def in_json(text: str) -> str:
    """Return a JSON text with the control characters in its strings as JSON escapes them."""
    return _CONTROL.sub(lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
