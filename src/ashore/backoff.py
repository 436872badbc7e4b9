"""How long to wait before another try: exponential with jitter, or as long as the host asks."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential_jitter

from ashore.catalog import Retry

_FIRST_WAIT = 1.0
_FAR = 10.0 * 365 * 86_400
_SECONDS = re.compile(r"[0-9]+")


def wait_before(retry: Retry, attempt: int) -> float | None:
    """Return the seconds to wait after a failed attempt, counted from 1; None after the last.

    About 1, 2, 4, 8 ... seconds, each with up to its first second of jitter, up to ``max_wait``.
    """
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
