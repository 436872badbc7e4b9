"""Results as JSON values, for ``--json``."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from ashore.naming import Day

_PLAIN = frozenset({str, int, float, bool, type(None)})


def plain(value: Any) -> Any:  # noqa: ANN401 - any result, and any JSON value
    """Return a result as JSON values: frozen data as objects, days as their source and date."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Day):
        return {"source": value.source, "extraction_date": value.date.isoformat()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dt.date | PurePath):
        return str(value)
    return value
