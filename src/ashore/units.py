"""Durations, sizes and rates as people write them, and numbers as APIs write them."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_MOST_DIGITS = 30
_LONGEST = 100 * 365.25 * 86_400  # a clock can wait no longer than some hundreds of years
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST = 2**63 - 1
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,19})?) ?(B|kB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_RATE = re.compile(r"(\d{1,7})/(\d*(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_MOST_IN_A_WINDOW = 1_000_000  # the moment of each is remembered


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``requests`` requests in any window of ``seconds`` seconds."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        """Write the rate as a catalog does: ``3/s``, ``20/10s``."""
        return f"{self.requests}/{'' if self.seconds == 1 else f'{self.seconds:g}'}s"


def duration(text: str) -> float:
    """Return the seconds of ``"10s"``, ``"1h30m"``, ``"30d"``, ``"250ms"``.

    Raises:
        ValueError: when the text is no duration, or none that is longer than zero.
    """
    seconds = 0.0
    if _DURATION.fullmatch(text):
        seconds = sum(float(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(text))
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f'"{text}" is not a duration; write it like "10s", "5m", "6h" or "30d"')
    return seconds


def size(text: str) -> int:
    """Return the bytes of ``"64MiB"``, ``"500kB"`` or ``"100B"``.

    Raises:
        ValueError: when the text is no size, or none of at least one byte.
    """
    match = _SIZE.fullmatch(text)
    number = int(Decimal(match[1]) * _BYTES[match[2]]) if match else 0
    if not 1 <= number <= _LARGEST:
        raise ValueError(f'"{text}" is not a size; write it like "64MiB", "500kB" or "100B"')
    return number


def rate(text: str) -> Rate:
    """Return the rate of ``"3/s"`` or ``"20/10s"``.

    Raises:
        ValueError: when the text is no rate, or one of nothing.
    """
    match = _RATE.fullmatch(text)
    if match:
        requests, seconds = int(match[1]), float(match[2] or 1) * _SECONDS[match[3]]
        if 0 < requests <= _MOST_IN_A_WINDOW and 0 < seconds <= _LONGEST:
            return Rate(requests, seconds)
    raise ValueError(f'"{text}" is not a rate; write it like "3/s" or "20/10s"')


def whole_number(value: Any) -> int | None:  # noqa: ANN401 - whatever an API may send
    """Return what an API meant by a count, or None where it is no whole number of zero or more.

    Numbers and numeric strings are the same: ``400``, ``"400"``, ``400.0``.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, str))
        or len(str(value)) > _MOST_DIGITS
    ):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    # A few characters like 1e999999999 would otherwise become a number that fills the memory.
    if not number.is_finite() or number < 0 or number.adjusted() >= _MOST_DIGITS:
        return None
    if number != number.to_integral_value():
        return None
    return int(number)


def human_bytes(number: int) -> str:
    """Write a number of bytes for people: ``1.2 MiB``."""
    amount = float(number)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def human_seconds(seconds: float) -> str:
    """Write a duration for people: ``850 ms``, ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
