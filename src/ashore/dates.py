"""The day that an extraction belongs to, and moments in words. All in UTC."""

import datetime as dt
import re

from ashore.errors import Misconfigured

_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:[0-5]\d)", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_date(text: str, where: str) -> dt.date:
    """Return the date that a text ``YYYY-MM-DD`` means.

    Raises:
        Misconfigured: naming ``where`` it stands.
    """
    try:
        if _DAY.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise Misconfigured(f'{where}: "{text}" is not a date; write it like 2026-11-24')


def parse_scheduled_at(text: str) -> dt.datetime:
    """Return the moment of ``ASHORE_SCHEDULED_AT``: RFC 3339 with an offset.

    Raises:
        Misconfigured: when it is none.
    """
    try:
        if _RFC_3339.fullmatch(text):
            return dt.datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise Misconfigured(
        f'ASHORE_SCHEDULED_AT: "{text}" is not a moment with an offset; '
        "write it like 2026-11-24T01:00:00Z"
    )


def check_extraction_date(
    date: dt.date, today: dt.date, where: str, *, allow_backdate: bool
) -> dt.date:
    """Return the date if today or yesterday; an earlier one needs leave, a later one is refused.

    Raises:
        Misconfigured: when it may not be extracted.
    """
    if date > today:
        raise Misconfigured(f"{where}: {date} is in the future; in UTC it is {today}")
    if date < today - dt.timedelta(days=1) and not allow_backdate:
        raise Misconfigured(
            f"{where}: {date} is long past, and the answers would be today's ({today}); "
            "add --allow-backdate if that is what you want"
        )
    return date


def in_words(seconds: float) -> str:
    """Return when it is that many seconds from now: ``after 2026-11-25T03:00:00Z``."""
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds + 1)
    return f"after {moment.isoformat(timespec='seconds').replace('+00:00', 'Z')}"
