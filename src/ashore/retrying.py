"""What follows from a failure: another try and when, a redirect, or the end. Pure."""

import datetime as dt
import re
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from ashore import urls
from ashore.answers import Refused, Worth
from ashore.catalog import Retry, Source
from ashore.governor import too_long
from ashore.planning import Request

_FIRST_WAIT = 1.0
_FAR = 10.0 * 365 * 86_400
_MOST_HOPS = 5
_SECONDS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Try:
    """One request to be sent once, the how-manieth time, to which address."""

    request: Request
    url: str
    attempt: int = 1
    set_attempt: int = 1
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """No acceptable answer came."""

    tried: Try
    refused: Refused
    excerpt: str = ""
    """The beginning of the answer's body, without the secret."""
    pause: float | None = None
    """Seconds that the host asks to wait."""
    location: str | None = None
    """Where a redirect leads."""


def wait_before(retry: Retry, attempt: int) -> float | None:
    """Return the seconds to wait after a failed attempt, counted from 1; None after the last.

    About 1, 2, 4, 8 ... seconds, each with up to its first second of jitter, up to ``max_wait``.
    """
    from tenacity import (  # noqa: PLC0415 - a run in which nothing fails never waits for it
        RetryCallState,
        Retrying,
        stop_after_attempt,
        wait_exponential_jitter,
    )

    policy = Retrying(
        stop=stop_after_attempt(retry.attempts),
        wait=wait_exponential_jitter(initial=_FIRST_WAIT, max=retry.max_wait, jitter=_FIRST_WAIT),
    )
    state = RetryCallState(policy, fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return None if policy.stop(state) else policy.wait(state)


def asked_pause(header: str | None, now: dt.datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks for (RFC 9110, section 10.2.3).

    Seconds or a date; nonsense and dates of the past count as absent. Never more than ten years.
    """
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _FAR)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    until = until.replace(tzinfo=until.tzinfo or dt.UTC)
    seconds = (until - now).total_seconds()
    return min(seconds, _FAR) if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Again:
    """Send this after so many seconds; ``retry`` tells a retry from a redirect."""

    tried: Try
    wait: float
    retry: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The request is lost for good; ``ends`` says why the whole source ends with it, if it does."""

    reason: str
    ends: str | None = None


def what_next(source: Source, failed: Failed, left: float) -> Again | Lost:
    """Decide what follows from a failure, ``left`` seconds before the run's deadline."""
    refused = failed.refused
    if failed.pause is not None and failed.pause > min(source.retry.max_pause, left):
        return Lost(refused.reason, too_long(failed.pause, source.retry.max_pause))
    if refused.worth is Worth.ELSEWHERE:
        return _follow(source, failed)
    if refused.worth is Worth.SOURCE:
        return Lost(refused.reason, f"{refused.reason}; look at the source's key and terms")
    wait = wait_before(source.retry, failed.tried.attempt)
    if refused.worth is not Worth.AGAIN or wait is None:
        return Lost(refused.reason)
    tried = failed.tried
    again = replace(tried, url=tried.request.url, attempt=tried.attempt + 1, hops=0)
    return Again(again, max(wait, failed.pause or 0.0), retry=True)


def _follow(source: Source, failed: Failed) -> Again | Lost:
    """Follow a redirect, within the host that was asked and not for ever."""
    tried, reason = failed.tried, failed.refused.reason
    try:
        url = urls.join(tried.url, failed.location) if failed.location else ""
    except ValueError:
        url = ""
    if not url or not urls.same_host(tried.url, url):
        return Lost(f"{reason}, not on the host that was asked")
    if tried.hops >= _MOST_HOPS:
        return Lost(f"{reason}: more than {_MOST_HOPS} redirects")
    secret = source.auth.param if source.auth else None
    url = urls.without_param(url, secret) if secret else url
    return Again(replace(tried, url=url, hops=tried.hops + 1), 0.0, retry=False)
